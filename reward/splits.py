"""Which groups train, validate and test, and groups with only some of their completions."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from labeler.errors import DataError
from labeler.formats import prompt_key, split_of
from labeler.formats.spec import split_name
from labeler.records import Completion, Demonstration, Group, Prompt, Ranking
from reward.shelf import View, join, pick

T = TypeVar("T")
NAMED = 3
"""So many of the prompts that are in two splits are named."""


@dataclass(frozen=True)
class Splits:
    """Groups for training, validation and test; no prompt is in two of them.

    ``rule`` says how they were made: "given" by the data, "hash" by prompt, or "mixed".
    """

    train: Sequence[Group]
    valid: Sequence[Group]
    test: Sequence[Group]
    rule: str


def split_groups(
    groups: Sequence[Group], valid: Sequence[Group] | None = None, key: Callable[[Prompt], str] = prompt_key
) -> Splits:
    """Split by prompt: as the data says, else by the hash of the prompt, so that adding data moves no prompt.

    Args:
        groups: training data, perhaps with splits of its own.
        valid: an explicit validation set; then groups without a split all train.
        key: groups with equal keys of their prompts stay together.

    Raises:
        DataError: prompts are in two splits (names the first), or nothing is left to train on.
    """
    every, apart = join(valid or (), groups), len(valid or ())
    facts = [(key(group.prompt), group.split) for group in every]
    given = {own: split for own, split in facts[apart:] if split is not None}
    parts = {"train": array("q"), "valid": array("q"), "test": array("q")}
    for place, (own, declared) in enumerate(facts):
        drawn = "train" if valid is not None else split_of(own)
        parts["valid" if place < apart else declared or given.get(own) or drawn].append(place)
    _refuse_overlap(every, [own for own, _ in facts], parts)
    if not parts["train"]:
        raise DataError("no group is left for training; give more prompts or mark some with the split 'train'")
    marked = sum(declared is not None for _, declared in facts[apart:])
    rule = "given" if valid is not None or marked == len(groups) else "mixed" if marked else "hash"
    found = {name: pick(every, places) for name, places in parts.items()}
    return Splits(**found, rule=rule)


def _refuse_overlap(groups: Sequence[Group], keys: Sequence[str], parts: Mapping[str, Sequence[int]]) -> None:
    """Raise `DataError` where a prompt, spacing and Unicode form aside, is in two splits; names the first such ones."""
    seen: dict[str, tuple[str, int]] = {}
    shared: dict[str, str] = {}
    for split, places in parts.items():
        for place in places:
            other, first = seen.setdefault(keys[place], (split, place))
            if other != split and keys[place] not in shared:
                group = groups[place]
                said = group.prompt[-1].content[:80]
                shared[keys[place]] = f"{said!r} (group {groups[first].id!r} in {other}, {group.id!r} in {split})"
    if shared:
        told = "; ".join(list(shared.values())[:NAMED])
        more = f"; and {len(shared) - NAMED} more" if len(shared) > NAMED else ""
        count = "1 prompt is" if len(shared) == 1 else f"{len(shared)} prompts are"
        raise DataError(
            f"{count} in two splits, so the evaluation would test what was trained: {told}{more}; "
            "a prompt may be in one split only, remove it from one of them"
        )


def scored_only(
    groups: Sequence[Group], scores: Sequence[Sequence[float]]
) -> tuple[Sequence[Group], list[list[float]]]:
    """Groups and scores without the completions that got no score (NaN: they do not fit the context).

    Args:
        groups: G groups.
        scores: G lists with one score per completion.
    """
    gone = {index for index, values in enumerate(scores) if np.isnan(values).any()}

    def kept(index: int) -> Group:
        group, values = groups[index], scores[index]
        return select_completions(group, np.flatnonzero(~np.isnan(values)).tolist()) if index in gone else group

    return View(len(groups), kept), [[value for value in values if not np.isnan(value)] for values in scores]


def select_completions(group: Group, kept: Sequence[int]) -> Group:
    """The group with only some of its completions; the rankings follow, what they said of others is gone."""

    def pick(values: Sequence[T] | None) -> tuple[T, ...] | None:
        return None if values is None else tuple(values[k] for k in kept)

    ids = {group.completions[k].id for k in kept}

    def strength(ranking: Ranking) -> int | None:
        shown = group.shown(ranking)
        return ranking.strength if len(shown) == 2 and ids.issuperset(shown) else None

    rankings = tuple(
        replace(
            r,
            ranks=tuple(r.ranks[k] for k in kept),
            ratings=pick(r.ratings),
            flags=pick(r.flags),
            strength=strength(r),
            order=None if r.order is None else tuple(name for name in r.order if name in ids),
        )
        for r in group.rankings
    )
    completions = tuple(group.completions[k] for k in kept)
    return replace(group, completions=completions, rankings=rankings)


def as_groups(demonstrations: Sequence[Demonstration]) -> list[Group]:
    """Each demonstration as a group of its one answer; a split that its meta names is the group's."""
    return [
        Group(d.id, d.prompt, (Completion("demonstration", d.completion),), split=_split(d.meta.get("split")))
        for d in demonstrations
    ]


def _split(name: object) -> str | None:
    return split_name(name) if isinstance(name, str) else None


def opening_key(prompt: Prompt) -> str:
    """`prompt_key` of what stands before the assistant's first turn.

    In a dialogue every answer is learned, the first one too, so dialogues that open alike must not be in two splits.
    """
    first = next((i for i, turn in enumerate(prompt) if turn.role == "assistant" and i > 0), len(prompt))
    return prompt_key(prompt[:first])
