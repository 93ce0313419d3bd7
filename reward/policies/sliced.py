"""Win rates within parts of the prompts: by kind, by length, by anything that their ``meta`` says. Pure.

Prompts stay the independent units within a part, so every interval is the one of `reward.policies.measures.rate_of`,
which is clustered by prompt. Parts are many and looked at together: one interval in twenty misses by chance alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from labeler.records import Group
from reward.bootstrap import FEW_PROMPTS, Floats
from reward.policies.duels import LOSS, TIE, WIN, WinRate, pairs_of
from reward.policies.measures import rate_of

LENGTH = "length"
"""Slices by this cut the prompts into thirds by their words; all other names are fields of ``meta``."""
USUAL = ("use_case", LENGTH)
OTHERS = "all others"
FEW_POLICIES = 8
"""With more policies each is put against all others together, not against the one before it."""
MOST_VALUES = 6
"""A field with more different numbers is cut into thirds."""
EVERYTHING = "all prompts"

Members = dict[str, list[int]]
"""Name of a part → numbers of its prompts."""


@dataclass(frozen=True)
class SliceWins:
    """Who wins within a part of the prompts; a pair that nobody compared there is missing from ``rates``.

    Attributes:
        prompts: in the part, whether or not anything was judged there. few: of how few of them a rate comes.
    """

    name: str
    prompts: int
    rates: tuple[WinRate, ...]

    @property
    def few(self) -> bool:
        """Whether so few prompts were judged that only a large difference could show."""
        return max((rate.rate.prompts for rate in self.rates), default=0) < FEW_PROMPTS


@dataclass(frozen=True)
class Sliced:
    """One judge's win rates by one property of the prompts: all prompts first, then the parts, the largest first."""

    judge: str
    by: str
    slices: tuple[SliceWins, ...]


def cut(prompts: Sequence[Group], by: str) -> Members:
    """The parts of the prompts by a property; a prompt may be in several, or in none.

    Args:
        prompts: C of them. by: `LENGTH`, or a field of their meta (a text, a number, a truth value, or a list of such).
    """
    if by == LENGTH:
        return thirds([len(" ".join(turn.content for turn in prompt.prompt).split()) for prompt in prompts], "words")
    told = [_values(prompt.meta.get(by)) for prompt in prompts]
    numbers = [value for values in told for value in values if isinstance(value, int | float)]
    if len({*numbers}) > MOST_VALUES and all(len(values) <= 1 for values in told):
        return thirds([values[0] if values else None for values in told], by)
    found: Members = {}
    for place, values in enumerate(told):
        for value in values:
            found.setdefault(str(value), []).append(place)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _values(told: Any) -> list[Any]:
    values = told if isinstance(told, list | tuple) else [told]
    return list(dict.fromkeys(value for value in values if isinstance(value, str | int | float) and value != ""))


def thirds(values: Sequence[Any], unit: str) -> Members:
    """Places by value, in three parts of about equal size; equal values stay together, and None is in no part."""
    known = sorted(value for value in values if isinstance(value, int | float))
    if not known:
        return {}
    borders = [*dict.fromkeys(known[(len(known) - 1) * third // 3] for third in (1, 2)), known[-1]]
    spans = list(pairwise([-np.inf, *dict.fromkeys(borders)]))
    names = [_span(low, high, unit, last=high == known[-1] and len(spans) > 1) for low, high in spans]
    found: Members = {name: [] for name in names}
    for place, value in enumerate(values):
        for name, (low, high) in zip(names, spans, strict=True):
            if isinstance(value, int | float) and low < value <= high:
                found[name].append(place)
    return found


def _span(low: float, high: float, unit: str, *, last: bool) -> str:
    if last:
        return f"more than {low:g} {unit}"
    return f"up to {high:g} {unit}" if low == -np.inf else f"more than {low:g}, up to {high:g} {unit}"


def sliced(judge: str, tallies: Floats, names: Sequence[str], prompts: Sequence[Group], by: str) -> Sliced | None:
    """One judge's win rates by one property, None where that makes fewer than two parts.

    Args:
        judge: its name. tallies: (C, M, 3) of wins, ties and losses. names: of the P policies. prompts: C of them.
        by: as of `cut`.
    """
    parts = cut(prompts, by)
    if len(parts) < 2:
        return None
    everything = {EVERYTHING: list(range(len(prompts)))}
    found = [
        SliceWins(name, len(places), tuple(_contests(tallies[places], names)))
        for name, places in (everything | parts).items()
    ]
    return Sliced(judge, by, tuple(found))


def contests(names: Sequence[str]) -> list[tuple[str, str]]:
    """Who is put against whom: each policy against the one before it; where there are many, against all others."""
    if len(names) > FEW_POLICIES:
        return [(name, OTHERS) for name in names]
    return [(policy, before) for before, policy in pairwise(names)]


def _contests(tallies: Floats, names: Sequence[str]) -> Iterator[WinRate]:
    """The win rates of `contests` from tallies (C, M, 3), of those in which anything was judged."""
    for policy, against in contests(names):
        cells = _cells(tallies, names.index(policy), None if against == OTHERS else names.index(against), len(names))
        total = float(cells.sum())
        if total:
            rate = rate_of(cells[:, WIN] + cells[:, TIE] / 2, cells.sum(axis=-1))
            yield WinRate(policy, against, rate, float(cells[:, TIE].sum() / total), round(total))


def _cells(tallies: Floats, policy: int, against: int | None, policies: int) -> Floats:
    """(C, 3) the policy's wins, ties and losses against another, or against all."""
    found = np.zeros((len(tallies), 3))
    for number, pair in enumerate(pairs_of(policies)):
        if policy in pair and (against is None or against in pair):
            found += tallies[:, number] if pair[0] == policy else tallies[:, number, [LOSS, TIE, WIN]]
    return found
