"""The groups that both sides train on, already as token ids, so that neither is timed for reading or tokenizing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeler.errors import DataError
from labeler.records import Group
from reward.data import EncodedGroup, Encoder, Pair, compared_pairs, render

EVEN = 0.5
"""The share of votes at which a pair is not decided."""


@dataclass(frozen=True)
class Workload:
    """Encoded groups, and the token limit under which they were encoded."""

    groups: tuple[EncodedGroup, ...]
    max_length: int

    def save(self, path: Path) -> None:
        """Write it for the processes that train."""
        rows = [
            {
                "id": g.id,
                "prefix": g.prefix.tolist(),
                "tails": [tail.tolist() for tail in g.tails],
                "pairs": [(p.i, p.j, p.share) for p in g.pairs],
            }
            for g in self.groups
        ]
        path.write_text(json.dumps({"max_length": self.max_length, "groups": rows}), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Workload:
        """Read what `save` wrote."""
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(_group(row) for row in found["groups"]), found["max_length"])

    def comparisons(self) -> list[tuple[list[int], list[int]]]:
        """Every decided pair as token ids of the chosen and of the rejected sequence."""
        return [
            (g.sequence(chosen).tolist(), g.sequence(rejected).tolist())
            for g in self.groups
            for chosen, rejected in decided(g.pairs)
        ]


def _group(row: dict[str, list[list[int]]]) -> EncodedGroup:
    tails = tuple(np.asarray(tail, dtype=np.int32) for tail in row["tails"])
    return EncodedGroup(
        id=str(row["id"]),
        kept=tuple(range(len(tails))),
        prefix=np.asarray(row["prefix"], dtype=np.int32),
        tails=tails,
        pairs=tuple(Pair(i, j, share) for i, j, share in row["pairs"]),
        rankings=(),
    )


def decided(pairs: Iterable[Pair]) -> Iterator[tuple[int, int]]:
    """(chosen, rejected) of every pair for which the votes are not even."""
    for pair in pairs:
        if pair.share != EVEN:
            yield (pair.i, pair.j) if pair.share > EVEN else (pair.j, pair.i)


def choose(groups: Sequence[Group], count: int | None, seed: int) -> list[Group]:
    """So many of the groups with a decided pair, drawn without replacement, in the order of the data.

    Raises:
        DataError: no group has a decided pair, or not so many.
    """
    usable = [g for g in groups if any(decided(compared_pairs(g, range(len(g.completions)))))]
    if not usable:
        raise DataError("no training group has two completions of which people prefer one; give ranked groups of K ≥ 2")
    if count is not None and count > len(usable):
        raise DataError(f"--groups {count}: only {len(usable)} training groups have a decided pair; ask for fewer")
    return draw(usable, count, seed)


def draw(groups: Sequence[Group], count: int | None, seed: int) -> list[Group]:
    """At most so many of the groups, drawn without replacement, in their order; all for None."""
    if count is None or count >= len(groups):
        return [*groups]
    places = np.random.default_rng(seed).choice(len(groups), size=count, replace=False)
    return [groups[place] for place in sorted(places)]


def refuse_too_long(encoder: Encoder, groups: Sequence[Group]) -> None:
    """Both sides must read everything: this product would shorten a long prompt, TRL would drop the pair.

    Raises:
        DataError: a sequence is longer than the limit; names the longest.
    """
    lengths = [
        (len(ids), group.id)
        for group in groups
        for ids in encoder.ids([render(encoder.tokenizer, group.prompt, c.text) for c in group.completions])
    ]
    longest, name = max(lengths)
    if longest > encoder.max_length:
        over = sum(length > encoder.max_length for length, _ in lengths)
        raise DataError(
            f"{over} sequences are longer than the limit of {encoder.max_length} tokens, the longest, of group "
            f"{name!r}, has {longest}, and the peer would not read them whole; give --max-length {longest} or a base "
            "that takes so much"
        )
