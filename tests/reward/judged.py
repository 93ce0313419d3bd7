"""Judged groups without text, for tests of losses: what people said is real, the tokens only name the completion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labeler.records import Completion, Group, Message, Ranking
from reward.data import EncodedGroup, compared_pairs, ranked_lists
from reward.judgments import single_judgments


def ranking(annotator: str, *ranks: int | None, order: Sequence[int] | None = None, **fields: object) -> Ranking:
    """One person's ranking; ``order`` are indices of the completions from left to right."""
    shown = None if order is None else tuple(f"c{k}" for k in order)
    return Ranking(annotator, ranks, order=shown, **fields)  # type: ignore[arg-type]


def judged(*rankings: Ranking, items: Sequence[int] | None = None, name: str = "g") -> EncodedGroup:
    """A group of completions whose sequences are the given items, two tokens each."""
    k = len(rankings[0].ranks)
    items = range(k) if items is None else items
    completions = tuple(Completion(f"c{i}", str(item)) for i, item in enumerate(items))
    return encode(Group(name, (Message("user", "p"),), completions, rankings), items)


def encode(group: Group, items: Sequence[int]) -> EncodedGroup:
    """The group with the sequence [item, item] for each completion."""
    kept = tuple(range(len(items)))
    return EncodedGroup(
        group.id,
        kept,
        np.zeros(0, dtype=np.int32),
        tuple(np.array([item, item], dtype=np.int32) for item in items),
        tuple(compared_pairs(group, kept)),
        tuple(ranked_lists(group, kept)),
        single_judgments(group, kept),
    )
