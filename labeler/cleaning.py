"""What may be done to prompts before people label them, and what was done. Pure.

InstructGPT (section 3.2) masked personal data, left out prompts that share a long common prefix with others, took at
most 200 prompts from each user and split by user. Here each of these is a choice; in that order they are carried out,
so that prompts which differ only in what was masked count as repeated. Of prompts that repeat each other the first one
stays; what the project holds already came before everything in the import.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

from labeler.errors import UsageError
from labeler.formats import prompt_key, split_of
from labeler.personal import check_region, masked_demonstration, masked_group
from labeler.records import SPLITS, Demonstration, Group, Prompt

Reason = Literal["repeated", "same start", "same meaning", "enough of the author"]
Firsts = Callable[[Sequence[Prompt]], Sequence[int]]
"""The place of the first prompt that means the same, for each of them."""


@dataclass(frozen=True)
class Cleaning:
    """What is done to an import before it is stored; nothing where nothing is said.

    Attributes:
        unique: leave out groups whose prompt was there before, in the import or in the project.
        unique_prefix: leave out groups whose prompt begins with the same so many characters as an earlier one, as
            InstructGPT did (200 is usual); system messages are not counted, shorter prompts must be equal.
        unique_meaning: leave out groups whose prompt means the same as an earlier one: `reward embed` gives their
            vectors at least this cosine (0.95 is strict).
        per_author: leave out groups beyond so many of one author (InstructGPT: 200), who stands in meta.author.
        split_by_author: put all groups of an author into one split, except where a group came with another.
        mask_pii: mask e-mail addresses, telephone and card numbers, IBANs, IP addresses and US social security numbers
            in prompts, completions and notes for good; names and postal addresses are not found.
        phone_region: the country, by two letters, whose telephone numbers may lack their country code.
    """

    unique: bool = False
    unique_prefix: int | None = None
    unique_meaning: float | None = None
    per_author: int | None = None
    split_by_author: bool = False
    mask_pii: bool = False
    phone_region: str = "US"

    def __post_init__(self) -> None:
        for name in ("unique_prefix", "per_author"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be 1 or more")
        if self.unique_meaning is not None and not 0 < self.unique_meaning <= 1:
            raise UsageError("--unique-meaning must be above 0, up to 1")
        check_region(self.phone_region)

    @property
    def looks_back(self) -> bool:
        """Whether it matters what the project holds already."""
        some = self.unique_prefix or self.unique_meaning or self.per_author
        return bool(self.unique or some or self.split_by_author)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A group that was left out.

    Attributes:
        id: of the group.
        reason: why.
        because: id of the earlier group, or the author who had enough.
    """

    id: str
    reason: Reason
    because: str


@dataclass(frozen=True, slots=True)
class Masked:
    """A group or demonstration with personal data: how many places of which kind were masked."""

    id: str
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is left, and what was done.

    Attributes:
        groups: in their order.
        demonstrations: likewise.
        left_out: what was left out.
        masked: what was masked of what is left.
        splits: how many groups got their author's split, by split.
        repeated: groups whose prompt was there before; also where they were not to be left out.
    """

    groups: tuple[Group, ...]
    demonstrations: tuple[Demonstration, ...]
    left_out: tuple[LeftOut, ...] = ()
    masked: tuple[Masked, ...] = ()
    splits: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0


def clean(
    groups: Iterable[Group],
    demonstrations: Iterable[Demonstration],
    how: Cleaning,
    *,
    before: Sequence[Group] = (),
    firsts: Firsts | None = None,
    seed: int = 0,
) -> Cleaned:
    """Carry out what was chosen.

    Args:
        groups: of the import.
        demonstrations: likewise.
        how: what was chosen.
        before: what the project holds already.
        firsts: finds prompts of the same meaning; needed for ``unique_meaning``.
        seed: of the project, which draws the splits.
    """
    masked: list[Masked] = []
    answered: list[Masked] = []
    kept, written = tuple(groups), tuple(demonstrations)
    if how.mask_pii:
        kept = tuple(_noted(masked, group.id, masked_group(group, how.phone_region)) for group in kept)
        written = tuple(_noted(answered, one.id, masked_demonstration(one, how.phone_region)) for one in written)
    left_out: list[LeftOut] = []
    repeated = sum(1 for _ in _repeats(kept, before, prompt_key))
    if how.unique or how.unique_prefix:
        kept = _without(kept, left_out, "repeated", _repeats(kept, before, prompt_key))
    if length := how.unique_prefix:
        kept = _without(kept, left_out, "same start", _repeats(kept, before, lambda prompt: start_of(prompt, length)))
    if how.unique_meaning and firsts:
        kept = _without(kept, left_out, "same meaning", _alike(kept, before, firsts))
    if how.per_author:
        kept = _without(kept, left_out, "enough of the author", _too_many(kept, before, how.per_author))
    splits: Counter[str] = Counter()
    if how.split_by_author:
        kept = tuple(_by_author(kept, before, seed, splits))
    gone = {one.id for one in left_out}
    masked = [one for one in masked if one.id not in gone]
    return Cleaned(kept, written, tuple(left_out), (*masked, *answered), dict(splits), repeated)


def author_of(group: Group) -> str | None:
    """Who wrote the prompt, where ``meta.author`` says so."""
    author: Any = group.meta.get("author")
    return None if author is None or author == "" else str(author)


def start_of(prompt: Prompt, length: int) -> str | None:
    """The first so many characters of a prompt without its system message, spaced alike; None of a shorter one."""
    turns = (message for message in prompt if message.role != "system")
    text = " ".join(" ".join(unicodedata.normalize("NFC", message.content).split()) for message in turns)
    return text[:length] if len(text) >= length else None


def _noted(masked: list[Masked], name: str, found: tuple[Any, Counter[str]]) -> Any:
    record, counts = found
    if counts:
        masked.append(Masked(name, dict(counts)))
    return record


def _without(
    groups: tuple[Group, ...], left_out: list[LeftOut], reason: Reason, found: Iterable[tuple[str, str]]
) -> tuple[Group, ...]:
    because = dict(found)
    left_out += [LeftOut(name, reason, why) for name, why in because.items()]
    return tuple(group for group in groups if group.id not in because)


def _repeats(
    groups: Sequence[Group], before: Sequence[Group], key_of: Callable[[Prompt], str | None]
) -> Iterator[tuple[str, str]]:
    """Each group whose prompt has the key of an earlier one, and that one."""
    first: dict[str, str] = {}
    for group in before:
        if (key := key_of(group.prompt)) is not None:
            first.setdefault(key, group.id)
    for group in groups:
        key = key_of(group.prompt)
        if key is not None and key in first:
            yield group.id, first[key]
        elif key is not None:
            first[key] = group.id


def _alike(groups: Sequence[Group], before: Sequence[Group], firsts: Firsts) -> Iterator[tuple[str, str]]:
    everything = (*before, *groups)
    found = firsts([group.prompt for group in everything])
    for place in range(len(before), len(everything)):
        if found[place] != place:
            yield everything[place].id, everything[found[place]].id


def _too_many(groups: Sequence[Group], before: Sequence[Group], most: int) -> Iterator[tuple[str, str]]:
    counts = Counter(author for group in before if (author := author_of(group)) is not None)
    for group in groups:
        author = author_of(group)
        if author is None:
            continue
        counts[author] += 1
        if counts[author] > most:
            yield group.id, author


def _by_author(groups: Sequence[Group], before: Sequence[Group], seed: int, counts: Counter[str]) -> Iterator[Group]:
    """The groups without a split with their author's: the most held-out one that any group of theirs came with."""
    own: dict[str, str] = {}
    for group in (*before, *groups):
        author = author_of(group)
        if author is not None and group.split is not None:
            own[author] = max(group.split, own.get(author, group.split), key=SPLITS.index)
    for group in groups:
        author = author_of(group)
        if author is None or group.split is not None:
            yield group
            continue
        split = own.get(author) or split_of(sha256(author.encode()).hexdigest(), seed=seed)
        counts[split] += 1
        yield replace(group, split=split)
