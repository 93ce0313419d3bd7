"""The data model, named once: frozen records that every other module speaks in.

A `Group` is one prompt with its K completions and everybody's rankings of them. This is the unit that is imported,
labelled, snapshotted, trained on and reranked. Records check themselves when built and raise `DataError` with the path
of the offending field; nothing here opens a file or knows an outside format.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

from labeler.errors import DataError

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")
SPLITS = ("train", "valid", "test")
SCENARIO = "scenario"
"""Where ``meta`` holds a text for the people who write a dialogue; with it, and without completions, a group's prompt
may be empty: the dialogue begins with what they write."""
EDITS = "edits"
"""The key of a group's `meta` that says which completions annotators made from others: by the id of the edit,
``{"of": id of the completion it was made from or null, "annotator": who}``."""
Ranks = tuple[int | None, ...]
"""One rank per completion: 1 is best, equal numbers are a tie, None was not ranked."""


def dense_ranks(ranks: Sequence[int | None]) -> Ranks:
    """Ranks in any spacing as dense ranks: ``(10, 3, 3, None)`` becomes ``(2, 1, 1, None)``."""
    order = {rank: place for place, rank in enumerate(sorted({r for r in ranks if r is not None}), start=1)}
    return tuple(None if rank is None else order[rank] for rank in ranks)


def _is_whole(value: object, allowed: range | None = None) -> bool:
    """Whether this is an integer (true and false are not) within the allowed ones."""
    return isinstance(value, int) and not isinstance(value, bool) and (allowed is None or value in allowed)


def check_text(value: str, field: str) -> str:
    """The string itself, unless an unpaired surrogate leaves it without a UTF-8 form: no file can hold it."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            surrogate, at = value[error.start], error.start
            problem = f"has an unpaired surrogate ({surrogate!a}) at character {at}; remove or repair it"
            raise DataError(problem, field=field) from error
    return value


def check_plain(value: str, field: str) -> str:
    """Like `check_text` for names, ids and whatever else a database compares: those cannot hold a NUL (U+0000) either.

    The texts of prompts, completions and notes can: what a model wrote is kept as it is.
    """
    if "\0" in value:
        raise DataError(f"has a NUL (U+0000) at character {value.index(chr(0))}; remove it", field=field)
    return check_text(value, field)


def check_json(value: object, field: str) -> None:
    """Raise `DataError` if a string somewhere in free-form JSON, keys included, has no UTF-8 form."""
    if isinstance(value, str):
        check_text(value, field)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            check_text(str(key), field)
            check_json(item, f"{field}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check_json(item, f"{field}[{index}]")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise DataError(f"the role is {self.role!r}; it must be one of {', '.join(ROLES)}", field="role")
        if not isinstance(self.content, str):
            raise DataError("the content must be a string", field="content")
        check_text(self.content, "content")


Prompt = tuple[Message, ...]


def check_prompt(prompt: Prompt) -> None:
    """Raise `DataError` unless the prompt is a non-empty tuple of messages of which only the first is a system one."""
    if not prompt:
        raise DataError("the prompt is empty; give at least one message", field="prompt")
    for index, message in enumerate(prompt):
        if message.role == "system" and index > 0:
            raise DataError("a system message may only come first", field=f"prompt[{index}].role")


@dataclass(frozen=True, slots=True)
class Completion:
    """One output for a prompt. ``model`` says what wrote it and is never shown to labelers."""

    id: str
    text: str
    model: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise DataError("the id must be a non-empty string", field="id")
        check_plain(self.id, "id")
        if not isinstance(self.text, str):
            raise DataError("the text must be a string", field="text")
        check_text(self.text, "text")
        if self.model is not None and not isinstance(self.model, str):
            raise DataError("the model must be a string or null", field="model")
        check_text(self.model or "", "model")


@dataclass(frozen=True, slots=True)
class Ranking:
    """One person's judgment of one group; ``ranks`` lines up with the group's completions.

    Attributes:
        annotator: pseudonymous id of the person.
        ranks: dense ranks, 1 best, ties equal, None not ranked.
        strength: pairs only, 1 negligibly to 4 significantly better (Llama 2's scale).
        ratings: 1–7 per completion, or None.
        flags: names of flags per completion.
        all_bad: the annotator found no completion acceptable.
        note: free text of the annotator.
        seconds: attention time, hidden and idle time not counted.
        order: completion ids as they were shown, left to right; edits that were made after need not be among them.
        at: RFC 3339 time of the judgment.
        weight: how much this judgment counts (None: 1).
        prompt_flags: names of flags of the prompt.
        top_only: only the best were asked for; those that share the last rank were left over below them and not
            compared with each other.
    """

    annotator: str
    ranks: Ranks
    strength: int | None = None
    ratings: tuple[int | None, ...] | None = None
    flags: tuple[tuple[str, ...], ...] | None = None
    all_bad: bool = False
    note: str | None = None
    seconds: float | None = None
    order: tuple[str, ...] | None = None
    at: str | None = None
    weight: float | None = None
    prompt_flags: tuple[str, ...] | None = None
    top_only: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.annotator, str) or not self.annotator:
            raise DataError("the annotator must be a non-empty string", field="annotator")
        check_plain(self.annotator, "annotator")
        check_plain(self.at or "", "at")
        check_text(self.note or "", "note")
        check_json(self.flags, "flags")
        check_json(self.prompt_flags, "prompt_flags")
        for index, rank in enumerate(self.ranks):
            if rank is not None and not _is_whole(rank):
                raise DataError(f"the rank is {rank!r}; it must be a whole number or null", field=f"ranks[{index}]")
        object.__setattr__(self, "ranks", dense_ranks(self.ranks))
        if self.strength is not None and not _is_whole(self.strength, range(1, 5)):
            raise DataError(f"the strength is {self.strength!r}; it must be 1, 2, 3 or 4", field="strength")
        for index, rating in enumerate(self.ratings or ()):
            if rating is not None and not _is_whole(rating, range(1, 8)):
                raise DataError(f"the rating is {rating!r}; it must be 1 to 7 or null", field=f"ratings[{index}]")
        for name in ("seconds", "weight"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise DataError(f"is {value!r}; it must be a finite number, 0 or more", field=name)

    def compare(self, i: int, j: int) -> int | None:
        """1 if completion i was put above j, -1 if below, 0 for a tie, None if they were not compared."""
        a, b = self.ranks[i], self.ranks[j]
        if a is None or b is None or (self.top_only and a == b == self.last):
            return None
        return (a < b) - (a > b)

    def by_ratings(self) -> Ranking:
        """Itself or, where only ratings were given, with ranks by them: the higher the better, equal ones tied."""
        if self.ratings is None or self.all_bad or self.last is not None:
            return self
        return replace(self, ranks=tuple(None if rating is None else -rating for rating in self.ratings))

    @property
    def chosen(self) -> Ranks:
        """The ranks that the person gave: without those of the completions that were left over."""
        return tuple(None if self.top_only and rank == self.last else rank for rank in self.ranks)

    @property
    def last(self) -> int | None:
        """The worst rank, None where nothing is ranked."""
        return max((rank for rank in self.ranks if rank is not None), default=None)


@dataclass(frozen=True, slots=True)
class Tally:
    """What everybody together said of one pair (i, j) of a group's completions."""

    i: int
    j: int
    wins_i: int
    ties: int
    wins_j: int

    @property
    def majority(self) -> int:
        """1 if more people put i above j than below, -1 if fewer, 0 for an even split (or ties alone)."""
        return (self.wins_i > self.wins_j) - (self.wins_i < self.wins_j)


@dataclass(frozen=True, slots=True)
class Group:
    """One prompt, its completions, and the rankings of them."""

    id: str
    prompt: Prompt
    completions: tuple[Completion, ...]
    rankings: tuple[Ranking, ...] = ()
    source: str = ""
    split: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise DataError("the id must be a non-empty string", field="id")
        check_plain(self.id, "id")
        check_text(self.source, "source")
        check_json(self.meta, "meta")
        if self.prompt or self.completions or not self.meta.get(SCENARIO):
            check_prompt(self.prompt)
        repeated = [i for i, n in Counter(c.id for c in self.completions).items() if n > 1]
        if repeated:
            raise DataError(f"two completions have the id {repeated[0]!r}; make them unique", field="completions")
        if self.split is not None and self.split not in SPLITS:
            raise DataError(f"the split is {self.split!r}; it must be one of {', '.join(SPLITS)}", field="split")
        for index, ranking in enumerate(self.rankings):
            self._check_ranking(ranking, f"rankings[{index}]")

    def _check_ranking(self, ranking: Ranking, where: str) -> None:
        k = len(self.completions)
        for name in ("ranks", "ratings", "flags"):
            values = getattr(ranking, name)
            if values is not None and len(values) != k:
                raise DataError(
                    f"has {len(values)} entries for {k} completions; give one per completion", field=f"{where}.{name}"
                )
        if ranking.strength is not None and 2 not in (k, len(self.shown(ranking))):
            raise DataError("strength is for groups of two completions", field=f"{where}.strength")
        if ranking.order is None:
            return
        ids, order = {c.id for c in self.completions}, {*ranking.order}
        if len(order) < len(ranking.order) or not ids - self.edits.keys() <= order <= ids:
            raise DataError("must hold each completion id once", field=f"{where}.order")

    @property
    def edits(self) -> Mapping[str, Any]:
        """By id the completions that annotators made from others, see `EDITS`."""
        found = self.meta.get(EDITS)
        return found if isinstance(found, Mapping) else {}

    def shown(self, ranking: Ranking) -> tuple[str, ...]:
        """Ids of the completions that stood before the person; where that is not known, all that are no edits."""
        return ranking.order or tuple(c.id for c in self.completions if c.id not in self.edits)

    def strength_of(self, ranking: Ranking, i: int, j: int) -> int | None:
        """How much better the one of completions i and j is; nobody says that of an edit that was not shown."""
        if ranking.strength is None or len(self.completions) == 2:
            return ranking.strength
        return ranking.strength if {*self.shown(ranking)} == {self.completions[i].id, self.completions[j].id} else None

    def tallies(self) -> Iterator[Tally]:
        """One tally per pair of completions (i < j) that at least one person compared."""
        for i, j in combinations(range(len(self.completions)), 2):
            verdicts = Counter(ranking.compare(i, j) for ranking in self.rankings)
            if verdicts[1] + verdicts[0] + verdicts[-1]:
                yield Tally(i, j, verdicts[1], verdicts[0], verdicts[-1])


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A prompt with the answer that a labeler wrote for it."""

    id: str
    prompt: Prompt
    completion: str
    annotator: str | None = None
    source: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise DataError("the id must be a non-empty string", field="id")
        check_plain(self.id, "id")
        check_prompt(self.prompt)
        if not isinstance(self.completion, str):
            raise DataError("the completion must be a string", field="completion")
        check_text(self.completion, "completion")
        check_plain(self.annotator or "", "annotator")
        check_text(self.source, "source")
        check_json(self.meta, "meta")
