"""Groups for tests, in few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labeler.records import Completion, Group, Message, Ranking


def group(
    name: str, prompt: str, texts: Sequence[str], *ranks: Sequence[int | None], split: str | None = None
) -> Group:
    """A group of one user message; each of ``ranks`` is one person's."""
    return Group(
        name,
        (Message("user", prompt),),
        tuple(Completion(f"c{k}", text) for k, text in enumerate(texts)),
        tuple(Ranking(f"p{i}", tuple(r)) for i, r in enumerate(ranks)),
        split=split,
    )


def ranked_groups(count: int = 12, k: int = 3, seed: int = 0, **fields: Any) -> list[Group]:
    """Groups about different prompts, each ranked by two people who mostly agree; longer is mostly better."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        texts = ["word " * int(n) for n in rng.choice(range(1, 9), size=k, replace=False)]
        rankings = []
        for person in ("ann", "bob"):
            order = np.argsort([-len(text) + rng.normal(0, 6) for text in texts])
            ranks = [0] * k
            for rank, position in enumerate(order, start=1):
                ranks[position] = rank
            rankings.append(Ranking(person, tuple(ranks)))
        made.append(
            Group(
                f"g{index}",
                (Message("user", f"Question {index}?"),),
                tuple(Completion(f"c{i}", text, f"model-{i}") for i, text in enumerate(texts)),
                tuple(rankings),
                "tiny",
                **fields,
            )
        )
    return made


AWKWARD = (
    group("uneven", "Name a prime.", ["7", "9 is one", "eleven, of course", "2"], (1, 4, 2, 3)),
    group("identical", "Say it twice.", ["same", "same", "other"], (1, 2, 3)),
    group("prefix of another", "Count.", ["one", "one two", "one two three"], (3, 2, 1)),
    group("empty", "Be silent.", ["", "no"], (1, 2), (2, 1), (1, 2)),
    group("single pair, long prompt", "Why? " * 20, ["Because.", "It is so."], (2, 1)),
)
"""Uneven K, identical completions, one that is the start of another, an empty one, votes that disagree."""
