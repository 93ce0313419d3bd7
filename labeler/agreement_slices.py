"""Agreement of parts of a project, each figure with its interval: by kind of prompt, over time, and altogether. Pure.

Every figure is a function of sums over tasks, so that resampling tasks means adding up other rows. Verdicts enter κ
and α in both directions, as in `labeler.agreement.reliability`, with which all values agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from labeler.agreement import Estimate, kendall_tau_b
from labeler.comparisons import Comparisons, Floats, Ints, Resamples, estimates
from labeler.prompt_rows import CATEGORY, NO_CATEGORY
from labeler.records import Group

VALUES = (-1, 0, 1)
NOTHING = Estimate(None, None, None, 0)
ALL = "everything"


@dataclass(frozen=True, slots=True)
class Slice:
    """Agreement within some tasks.

    Attributes:
        name: of the part.
        agreement: share of equal verdicts of two people.
        decided: the same where both preferred one side.
        kappa: Fleiss' κ over verdicts.
        alpha: Krippendorff's α for ordinal data over verdicts.
        tau: mean Kendall τ-b of two people's rankings of one task.
    """

    name: str
    agreement: Estimate
    decided: Estimate
    kappa: Estimate
    alpha: Estimate
    tau: Estimate


def category(meta: Mapping[str, Any]) -> str:
    """Of a prompt."""
    return str(meta.get(CATEGORY) or NO_CATEGORY)


def parts(groups: Sequence[Group], table: Comparisons) -> tuple[list[Slice], list[Slice], list[Slice]]:
    """Agreement altogether, by kind of prompt where there are several, and by day of a task's last ranking.

    Args:
        groups: T of them.
        table: their verdicts.
    """
    kinds = [category(group.meta) for group in groups]
    days = [max((r.at[:10] for r in group.rankings if r.at), default=None) for group in groups]
    taus, draws = mean_taus(groups), Resamples(table.tasks)
    several = len(set(kinds)) > 1
    named: list[Sequence[str | None]] = [[ALL] * len(groups), kinds if several else [None] * len(groups), days]
    everything, by_kind, by_day = (slices(table, taus, names, draws) for names in named)
    return everything, by_kind, by_day


def mean_taus(groups: Sequence[Group]) -> Floats:
    """(T, 2) sum of Kendall's τ-b over the couples of people who ranked a task, and how many couples those are."""
    return np.array([_taus(group) for group in groups], dtype=float).reshape(-1, 2)


def slices(table: Comparisons, taus: Floats, names: Sequence[str | None], draws: Resamples) -> list[Slice]:
    """Agreement within the tasks of each name, by name; tasks named None are in none.

    Args:
        table: of T groups.
        taus: (T, 2) of the same, see `mean_taus`.
        names: T, the part that each task is in.
        draws: of the T tasks.
    """
    parts = sorted({name for name in names if name is not None})
    place = {name: index for index, name in enumerate(parts)}
    part = np.array([place[name] if name is not None else -1 for name in names], dtype=np.int64)
    count = len(parts)
    counts = table.counts()
    kept = (part[table.task] >= 0) & (counts.sum(axis=1) > 1)
    if not kept.any():
        return []
    task, counts = table.task[kept], counts[kept]
    column = part[task]
    couples = counts * (counts - 1) / 2
    judges = counts.sum(axis=1)
    sides = counts[:, 0] + counts[:, 2]
    agreement = draws.ratios(task, column, couples.sum(axis=1), judges * (judges - 1) / 2, count)
    decided = draws.ratios(task, column, couples[:, 0] + couples[:, 2], sides * (sides - 1) / 2, count)
    kappa = _of_sums(draws, task, column, _fleiss_parts(counts), _fleiss)
    alpha = _of_sums(draws, task, column, _coincidences(counts), _alpha)
    inside = np.flatnonzero(part >= 0)
    tau = draws.ratios(inside, part[inside], taus[inside, 0], taus[inside, 1], count)
    whole = [NOTHING] * (count - 1 - int(column.max()))  # parts at the end in which nothing was judged twice
    rows = zip(parts, agreement, decided, kappa + whole, alpha + whole, tau, strict=True)
    return [Slice(*row) for row in rows if row[1].value is not None]


def _taus(group: Group) -> tuple[float, int]:
    said = list({ranking.annotator: ranking.ranks for ranking in group.rankings}.values())
    found = [tau for first, second in combinations(said, 2) if (tau := _tau(first, second)) is not None]
    return sum(found), len(found)


def _tau(first: Sequence[int | None], second: Sequence[int | None]) -> float | None:
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return kendall_tau_b([a for a, _ in both], [b for _, b in both])


Figure = Callable[[Floats], Floats]
"""(…, W) sums to (…) values, NaN where there is none."""


def _of_sums(draws: Resamples, task: Ints, column: Ints, parts: Floats, figure: Figure) -> list[Estimate]:
    """A figure that is a function of W sums, of each column, with its interval; counted by pairs of completions.

    Args:
        parts: (U, W) what each pair of completions adds to the sums.
    """
    width, count = parts.shape[1], int(column.max()) + 1
    cell = (column[:, None] * width + np.arange(width)).ravel()
    drawn = draws.sums(np.repeat(task, width), cell, parts.ravel(), count * width).reshape(-1, count, width)
    real = figure(np.bincount(cell, parts.ravel(), count * width).astype(np.float64).reshape(count, width))
    sampled = figure(drawn)
    known = ~np.isnan(sampled)
    found = estimates(np.where(known, sampled, 0), known.astype(float), real, (~np.isnan(real)).astype(float))
    pairs = np.bincount(column, minlength=count)
    return [
        Estimate(each.value, each.low, each.high, int(n)) if each.value is not None else NOTHING
        for each, n in zip(found, pairs, strict=True)
    ]


def _fleiss_parts(counts: Floats) -> Floats:
    """(U, 5) agreement within the pair, one, and both directions' share of each verdict."""
    judges = counts.sum(axis=1)
    within = ((counts**2).sum(axis=1) - judges) / (judges * (judges - 1))
    return np.column_stack([within, np.ones(len(counts)), counts + counts[:, ::-1]])


def _fleiss(sums: Floats) -> Floats:
    """Fleiss' κ (1971): (P − P_e) / (1 − P_e), from (…, 5) sums."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = sums[..., 2:] / sums[..., 2:].sum(axis=-1, keepdims=True)
        chance = (shares**2).sum(axis=-1)
        kappa = (sums[..., 0] / sums[..., 1] - chance) / (1 - chance)
    return np.where(chance < 1 - 1e-12, kappa, np.nan)


def _coincidences(counts: Floats) -> Floats:
    """(U, 9) coincidences of verdicts, both directions."""
    both = []
    for said in (counts, counts[:, ::-1]):
        products = said[:, :, None] * said[:, None, :] - said[:, :, None] * np.eye(len(VALUES))
        both.append(products / (said.sum(axis=1) - 1)[:, None, None])
    return np.asarray((both[0] + both[1]).reshape(-1, len(VALUES) ** 2))


def _alpha(sums: Floats) -> Floats:
    """Krippendorff's α for ordinal data (2011) from (…, 9) coincidences; see `labeler.agreement.krippendorff_alpha`."""
    found = sums.reshape(*sums.shape[:-1], len(VALUES), len(VALUES))
    margins = found.sum(axis=-1)
    middles = np.cumsum(margins, axis=-1) - margins / 2
    delta = (middles[..., :, None] - middles[..., None, :]) ** 2
    expected = (margins[..., :, None] * margins[..., None, :] * delta).sum(axis=(-1, -2))
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha = 1 - (margins.sum(axis=-1) - 1) * (found * delta).sum(axis=(-1, -2)) / expected
    return np.where(expected > 0, alpha, np.nan)
