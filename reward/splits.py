"""Which groups train, validate and test, and groups with only some of their completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from labeler.errors import DataError
from labeler.formats import prompt_key, split_of
from labeler.records import Completion, Demonstration, Group

T = TypeVar("T")
NAMED = 3
"""So many of the prompts that are in two splits are named."""


@dataclass(frozen=True)
class Splits:
    """Groups for training, validation and test; no prompt is in two of them.

    ``rule`` says how they were made: "given" by the data, "hash" by prompt, or "mixed".
    """

    train: tuple[Group, ...]
    valid: tuple[Group, ...]
    test: tuple[Group, ...]
    rule: str


def split_groups(groups: Sequence[Group], valid: Sequence[Group] | None = None) -> Splits:
    """Split by prompt: as the data says, else by the hash of the prompt, so that adding data moves no prompt.

    Args:
        groups: training data, perhaps with splits of its own.
        valid: an explicit validation set; then groups without a split all train.

    Raises:
        DataError: prompts are in two splits (names the first), or nothing is left to train on.
    """
    parts: dict[str, list[Group]] = {"train": [], "valid": list(valid or ()), "test": []}
    given = {prompt_key(g.prompt): g.split for g in groups if g.split is not None}
    for group in groups:
        key = prompt_key(group.prompt)
        drawn = "train" if valid is not None else split_of(key)
        parts[group.split or given.get(key) or drawn].append(group)
    _refuse_overlap(parts)
    if not parts["train"]:
        raise DataError("no group is left for training; give more prompts or mark some with the split 'train'")
    declared = sum(group.split is not None for group in groups)
    rule = "given" if valid is not None or declared == len(groups) else "mixed" if declared else "hash"
    return Splits(tuple(parts["train"]), tuple(parts["valid"]), tuple(parts["test"]), rule)


def _refuse_overlap(parts: dict[str, list[Group]]) -> None:
    """Raise `DataError` where a prompt, spacing and Unicode form aside, is in two splits; names the first such ones."""
    seen: dict[str, tuple[str, str]] = {}
    shared: dict[str, str] = {}
    for split, members in parts.items():
        for group in members:
            key = prompt_key(group.prompt)
            other, first = seen.setdefault(key, (split, group.id))
            if other != split and key not in shared:
                said = group.prompt[-1].content[:80]
                shared[key] = f"{said!r} (group {first!r} in {other}, {group.id!r} in {split})"
    if shared:
        told = "; ".join(list(shared.values())[:NAMED])
        more = f"; and {len(shared) - NAMED} more" if len(shared) > NAMED else ""
        count = "1 prompt is" if len(shared) == 1 else f"{len(shared)} prompts are"
        raise DataError(
            f"{count} in two splits, so the evaluation would test what was trained: {told}{more}; "
            "a prompt may be in one split only, remove it from one of them"
        )


def scored_only(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> tuple[list[Group], list[list[float]]]:
    """Groups and scores without the completions that got no score (NaN: they do not fit the context).

    Args:
        groups: G groups.
        scores: G lists with one score per completion.
    """
    kept_groups, kept_scores = [], []
    for group, values in zip(groups, scores, strict=True):
        kept = [k for k, value in enumerate(values) if not np.isnan(value)]
        whole = len(kept) == len(values)
        kept_groups.append(group if whole else select_completions(group, kept))
        kept_scores.append([values[k] for k in kept])
    return kept_groups, kept_scores


def select_completions(group: Group, kept: Sequence[int]) -> Group:
    """The group with only some of its completions; the rankings follow, what they said of others is gone."""

    def pick(values: Sequence[T] | None) -> tuple[T, ...] | None:
        return None if values is None else tuple(values[k] for k in kept)

    ids = {group.completions[k].id for k in kept}
    rankings = tuple(
        replace(
            r,
            ranks=tuple(r.ranks[k] for k in kept),
            ratings=pick(r.ratings),
            flags=pick(r.flags),
            strength=r.strength if len(kept) == 2 else None,
            order=None if r.order is None else tuple(name for name in r.order if name in ids),
        )
        for r in group.rankings
    )
    completions = tuple(group.completions[k] for k in kept)
    return replace(group, completions=completions, rankings=rankings)


def as_groups(demonstrations: Sequence[Demonstration]) -> list[Group]:
    """Each demonstration as a group of its one answer, to score it."""
    return [Group(d.id, d.prompt, (Completion("demonstration", d.completion),)) for d in demonstrations]
