"""How far annotators agree: pure statistics over groups or plain arrays.

A *verdict* is what one ranking says of two completions: 1 (first better), 0 (tie) or -1. Where nothing else is said,
two verdicts agree if they are equal, so a tie agrees with a tie only. InstructGPT's labelers agreed on 72.6 ± 1.5 % of
comparisons among themselves and held-out labelers on 77.3 ± 1.3 % (Ouyang et al. 2022, section 3.4).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labeler.records import Group, Ranking

INSTRUCTGPT_TRAINING, INSTRUCTGPT_HELD_OUT = 0.726, 0.773
Floats = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]
Ties = Literal["strict", "half", "drop"]
AT_ONCE = 50
"""Bootstrap samples that are summed in one product of matrices."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its 95 % interval, bootstrapped over tasks; ``comparisons`` is what it was counted over.

    All three numbers are None where there was nothing to compare.
    """

    value: float | None
    low: float | None
    high: float | None
    comparisons: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators: share of equal verdicts over ``comparisons``, Cohen's κ and mean Kendall τ-b, where defined."""

    first: str
    second: str
    agreement: float
    comparisons: int
    kappa: float | None
    tau: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Agreement of a whole project; each is None where too little was judged twice.

    Attributes:
        agreement: share of equal verdicts among all pairs of annotators, by task.
        decided: the same where both preferred one side, ties dropped.
        fleiss_kappa: over verdicts.
        krippendorff_alpha: ordinal, over verdicts.
        kendall_tau: mean τ-b of two annotators' rankings of one task.
    """

    agreement: Estimate
    decided: Estimate
    fleiss_kappa: float | None
    krippendorff_alpha: float | None
    kendall_tau: float | None


def reliability(groups: Iterable[Group], *, seed: int = 0) -> Reliability:
    """All of a project's agreement figures.

    Verdicts enter κ and α in both directions, (i, j) and (j, i), so that the order of a group's completions, which
    means nothing, changes nothing.
    """
    judged = [group for group in groups if len(group.rankings) > 1]
    verdicts = [list(values.values()) for group in judged for values in verdicts_by_pair(group)]
    both = [*verdicts, *([-verdict for verdict in unit] for unit in verdicts)]
    counts = np.array([[unit.count(verdict) for verdict in (-1, 0, 1)] for unit in both if len(unit) > 1], dtype=float)
    taus = [tau for group in judged for _, _, tau in _taus(group) if tau is not None]
    return Reliability(
        agreement=pairwise_agreement(judged, seed=seed),
        decided=pairwise_agreement(judged, ties="drop", seed=seed),
        fleiss_kappa=fleiss_kappa(counts) if len(counts) else None,
        krippendorff_alpha=krippendorff_alpha(both, "ordinal"),
        kendall_tau=float(np.mean(taus)) if taus else None,
    )


def verdicts_by_pair(group: Group) -> Iterator[dict[str, int]]:
    """For each two completions of a group, the verdict of each annotator who ranked both."""
    for i, j in combinations(range(len(group.completions)), 2):
        said = {ranking.annotator: ranking.compare(i, j) for ranking in group.rankings}
        yield {annotator: verdict for annotator, verdict in said.items() if verdict is not None}


def pairwise_agreement(groups: Iterable[Group], *, ties: Ties = "strict", seed: int = 0) -> Estimate:
    """Share of comparisons on which two annotators agree, over all pairs of annotators, completions and tasks.

    Args:
        groups: with the rankings of several annotators each.
        ties: a tie against a preference counts as disagreement (strict), as one half (half), or comparisons in which
            either called it a tie are not counted (drop).
        seed: of the bootstrap.
    """
    per_task = np.array([_agreed(group, ties) for group in groups], dtype=float).reshape(-1, 2)
    return ratio_interval(per_task, seed=seed)


def _agreed(group: Group, ties: Ties) -> tuple[float, int]:
    agreed, compared = 0.0, 0
    for verdicts in verdicts_by_pair(group):
        for a, b in combinations(verdicts.values(), 2):
            tied = a == 0 or b == 0
            if tied and ties == "drop":
                continue
            compared += 1
            agreed += 1.0 if a == b else 0.5 if tied and ties == "half" else 0.0
    return agreed, compared


def disagreement(group: Group) -> float | None:
    """Share of one task's comparisons on which two of its annotators differ; None where no two compared the same."""
    agreed, compared = _agreed(group, "strict")
    return 1 - agreed / compared if compared else None


def ratio_interval(per_task: Floats, *, samples: int = 2000, seed: int = 0) -> Estimate:
    """A ratio of sums over tasks, with a 95 % percentile interval from resampling whole tasks.

    Comparisons of one task hang together, so that resampling them one by one would give too narrow an interval.

    Args:
        per_task: (tasks, 2): numerator and denominator of each task.
        samples: bootstrap samples.
        seed: of the resampling.
    """
    counted = per_task[per_task[:, 1] > 0]
    return ratio_intervals(counted[:, None, :], samples=samples, seed=seed)[0]


def ratio_intervals(per_task: Floats, *, samples: int = 2000, seed: int = 0) -> list[Estimate]:
    """`ratio_interval` of many ratios over the same tasks, which are resampled together.

    Args:
        per_task: (tasks, ratios, 2): numerator and denominator of each task in each ratio.
        samples: bootstrap samples; one in which a ratio counts nothing is left out of that ratio's interval.
        seed: of the resampling.
    """
    tasks, ratios, _ = per_task.shape
    flat = per_task.reshape(tasks, 2 * ratios)
    rng = np.random.default_rng(seed)
    sums = np.empty((samples, 2 * ratios))
    for begin in range(0, samples if flat.size else 0, AT_ONCE):
        drawn = range(begin, min(begin + AT_ONCE, samples))
        counts = np.stack([np.bincount(rng.integers(tasks, size=tasks), minlength=tasks) for _ in drawn])
        sums[drawn.start : drawn.stop] = counts.astype(float) @ flat
    drawn_sums, totals = sums.reshape(samples, ratios, 2), per_task.sum(axis=0)
    return [_estimate(drawn_sums[:, index], totals[index]) for index in range(ratios)]


def _estimate(drawn: Floats, total: Floats) -> Estimate:
    """From (samples, 2) resampled sums and their (2,) real ones."""
    numerator, denominator = total
    if not denominator:
        return Estimate(None, None, None, 0)
    counted = drawn[drawn[:, 1] > 0]
    low, high = np.quantile(counted[:, 0] / counted[:, 1], (0.025, 0.975))
    return Estimate(float(numerator / denominator), float(low), float(high), int(denominator))


def annotator_pairs(groups: Iterable[Group]) -> tuple[Pair, ...]:
    """Every two annotators who compared the same completions, by name."""
    said: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    taus: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group in groups:
        for verdicts in verdicts_by_pair(group):
            for a, b in combinations(sorted(verdicts), 2):
                said[a, b].append((verdicts[a], verdicts[b]))
        for a, b, tau in _taus(group):
            if tau is not None:
                taus[a, b].append(tau)
    return tuple(_pair(names, said[names], taus[names]) for names in sorted(said))


def _pair(names: tuple[str, str], said: list[tuple[int, int]], taus: list[float]) -> Pair:
    both = [*said, *((-a, -b) for a, b in said)]
    kappa = cohen_kappa([a for a, _ in both], [b for _, b in both])
    agreement = sum(a == b for a, b in said) / len(said)
    return Pair(*names, agreement, len(said), kappa, sum(taus) / len(taus) if taus else None)


def _taus(group: Group) -> Iterator[tuple[str, str, float | None]]:
    """τ-b of each two annotators over the completions that both ranked."""
    by_name = {ranking.annotator: ranking for ranking in group.rankings}
    for a, b in combinations(sorted(by_name), 2):
        yield a, b, kendall_tau_b(*_common(by_name[a], by_name[b]))


def _common(first: Ranking, second: Ranking) -> tuple[list[int], list[int]]:
    both = [(a, b) for a, b in zip(first.ranks, second.ranks, strict=True) if a is not None and b is not None]
    return [a for a, _ in both], [b for _, b in both]


def kendall_tau_b(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Kendall's τ-b (Kendall 1945): agreement of two orders, corrected for ties; None where one is all ties.

    (concordant − discordant) / √((pairs − ties in x) (pairs − ties in y))
    """
    score = untied_x = untied_y = 0
    for i, j in combinations(range(len(x)), 2):
        a, b = (x[i] > x[j]) - (x[i] < x[j]), (y[i] > y[j]) - (y[i] < y[j])
        score, untied_x, untied_y = score + a * b, untied_x + abs(a), untied_y + abs(b)
    return score / math.sqrt(untied_x * untied_y) if untied_x and untied_y else None


def cohen_kappa(
    a: Sequence[int], b: Sequence[int], *, weights: Literal["linear", "quadratic"] | None = None
) -> float | None:
    """Cohen's κ (1960; weighted 1968) of two raters over the same items; None where chance leaves nothing to explain.

    Args:
        a: the first rater's category of each item.
        b: the second rater's.
        weights: disagreements count by the distance of the sorted categories, or by its square.
    """
    categories = sorted({*a, *b})
    place = {category: index for index, category in enumerate(categories)}
    table = np.zeros((len(categories), len(categories)))
    for left, right in zip(a, b, strict=True):
        table[place[left], place[right]] += 1
    distance = np.abs(np.subtract.outer(np.arange(len(categories)), np.arange(len(categories)))).astype(float)
    cost = {"linear": distance, "quadratic": distance**2}[weights] if weights else (distance > 0).astype(float)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(len(a), 1)
    chance = float((cost * expected).sum())
    return 1.0 - float((cost * table).sum()) / chance if chance else None


def fleiss_kappa(counts: Floats) -> float | None:
    """Fleiss' κ (1971); None where chance leaves nothing to explain.

    Args:
        counts: (items, categories): how many raters put each item in each category, at least two raters an item; their
            number may differ, each item then weighs the same.
    """
    raters = counts.sum(axis=1)
    agreed = (((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))).mean()
    chance = ((counts.sum(axis=0) / raters.sum()) ** 2).sum()
    return float((agreed - chance) / (1 - chance)) if chance < 1 else None


def krippendorff_alpha(units: Iterable[Sequence[float | None]], level: Level) -> float | None:
    """Krippendorff's α ("Computing Krippendorff's Alpha-Reliability", 2011); None where nothing varies.

    α = 1 − (n − 1) Σ o_ck δ²_ck / Σ n_c n_k δ²_ck with coincidences o and their margins n; n is the number of values
    that can be paired.

    Args:
        units: the values that each unit was given, None where somebody gave none; units with fewer than two values
            do not count.
        level: which difference δ: nominal, ordinal or interval.
    """
    paired = [[value for value in unit if value is not None] for unit in units]
    paired = [unit for unit in paired if len(unit) > 1]
    values = sorted({value for unit in paired for value in unit})
    place = {value: index for index, value in enumerate(values)}
    coincidences = np.zeros((len(values), len(values)))
    for unit in paired:
        counts = np.bincount([place[value] for value in unit], minlength=len(values)).astype(float)
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    margins = coincidences.sum(axis=1)
    delta = _DELTAS[level](np.array(values, dtype=float), margins)
    expected = float((np.outer(margins, margins) * delta).sum())
    return 1.0 - (float(margins.sum()) - 1) * float((coincidences * delta).sum()) / expected if expected else None


def _nominal(values: Floats, margins: Floats) -> Floats:
    return 1.0 - np.eye(len(values))


def _ordinal(values: Floats, margins: Floats) -> Floats:
    """(Σ from c to k of n_g − (n_c + n_k) / 2)²: the number of values between the middles of both ranks."""
    middles = np.cumsum(margins) - margins / 2
    return np.asarray(np.subtract.outer(middles, middles) ** 2)


def _interval(values: Floats, margins: Floats) -> Floats:
    return np.asarray(np.subtract.outer(values, values) ** 2)


_DELTAS: dict[Level, Callable[[Floats, Floats], Floats]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
}
