"""One score per policy from all its duels: Bradley–Terry with ties (Davidson 1970), see `labeler.statistics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeler.statistics import PRIOR_SD, comparable, davidson
from reward.bootstrap import Floats, Interval, percentiles
from reward.policies.duels import LOSS, TIE, WIN, pairs_of, resampled


@dataclass(frozen=True)
class Strength:
    """A policy's score θ in nats, 0 being the mean of all policies, with its 95 % interval over prompts.

    A difference of x between two policies means odds of eˣ to one among their decided comparisons. The interval is None
    where one policy won or lost everything, so that only the prior keeps the scores finite.
    """

    policy: str
    score: float
    score_ci95: Interval | None


def fit(sums: Floats, policies: int, *, prior_sd: float = PRIOR_SD, start: Floats | None = None) -> Floats:
    """(R, P + 1) the most probable θ_1 … θ_P, centred, and δ, for R sums of tallies (R, M, 3) at once.

    Args:
        sums: weights of win, tie and loss for each pair of policies.
        policies: P.
        prior_sd: standard deviation of the prior; infinite for the plain maximum of the likelihood, which must exist.
        start: (P + 1) parameters to start from, such as those of like sums; zeros where None.
    """
    return davidson(*_tables(sums, policies), prior_sd=prior_sd, start=start)


def _tables(sums: Floats, policies: int) -> tuple[Floats, Floats]:
    """Wins and ties as (R, P, P) tables from sums of tallies (R, M, 3)."""
    wins, ties = np.zeros((2, len(sums), policies, policies))
    i, j = np.array(pairs_of(policies), dtype=int).reshape(-1, 2).T
    wins[:, i, j], wins[:, j, i] = sums[..., WIN], sums[..., LOSS]
    ties[:, i, j] = ties[:, j, i] = sums[..., TIE]
    return wins, ties


def strengths(tallies: Floats, names: Sequence[str], *, seed: int = 0) -> tuple[Strength, ...]:
    """The scores of all policies that were compared with another, from tallies (C, M, 3)."""
    pairs = pairs_of(len(names))
    said = [pairs[m] for m in np.flatnonzero(tallies.any(axis=(0, 2)))]
    compared = sorted({policy for pair in said for policy in pair})
    known = {*compared}
    kept = [m for m, (i, j) in enumerate(pairs) if i in known and j in known]
    tallies = tallies[:, kept]
    if not compared:
        return ()
    scores = fit(tallies.sum(axis=0)[None], len(compared))[0]
    drawn = None
    if bounded(tallies.sum(axis=0), len(compared)):
        drawn = fit(resampled(tallies, seed=seed), len(compared), start=scores)
    return tuple(
        Strength(names[p], float(scores[place]), None if drawn is None else percentiles(drawn[:, place]))
        for place, p in enumerate(compared)
    )


def bounded(sums: Floats, policies: int) -> bool:
    """Whether the likelihood alone keeps all scores finite: no set of policies won all duels with the others.

    Args:
        sums: (M, 3) weights of win, tie and loss.
    """
    ((wins,), (ties,)) = _tables(sums[None], policies)
    return bool(comparable(wins, ties).all())
