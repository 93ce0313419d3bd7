"""One score per policy from all its duels: Bradley–Terry with ties (Davidson 1970, JASA 65, 317–328, eq. 2.1).

    P(i wins) = π_i / D,   P(j wins) = π_j / D,   P(tie) = ν √(π_i π_j) / D,   D = π_i + π_j + ν √(π_i π_j)

With θ = log π and δ = log ν these are the softmax of θ_i, θ_j and δ + (θ_i + θ_j)/2: a multinomial logit, whose log
likelihood is concave, so Newton's method finds the one maximum. A normal prior with standard deviation `PRIOR_SD` on
every parameter keeps a policy that always wins, and ties that never happen, finite; on other data it is not felt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from reward.bootstrap import Floats, Interval, percentiles
from reward.policies.duels import pairs_of, resampled

PRIOR_SD = 10.0
STEPS = 50
LONGEST_STEP = 2.0
"""No parameter moves further in one step of Newton's method, which without it may overshoot from far away."""


@dataclass(frozen=True)
class Strength:
    """A policy's score θ in nats, 0 being the mean of all policies, with its 95 % interval over prompts.

    A difference of x between two policies means odds of eˣ to one among their decided comparisons. The interval is None
    where one policy won or lost everything, so that only the prior keeps the scores finite.
    """

    policy: str
    score: float
    score_ci95: Interval | None


def features(policies: int) -> Floats:
    """(M, 3, P + 1) what multiplies (θ, δ) in the logit of win, tie and loss of each pair."""
    pairs = pairs_of(policies)
    rows = np.zeros((len(pairs), 3, policies + 1))
    for pair, (i, j) in enumerate(pairs):
        rows[pair, 0, i] = rows[pair, 2, j] = rows[pair, 1, policies] = 1.0
        rows[pair, 1, [i, j]] = 0.5
    return rows


def fit(sums: Floats, policies: int, *, prior_sd: float = PRIOR_SD) -> Floats:
    """(R, P + 1) the most probable θ_1 … θ_P, centred, and δ, for R sums of tallies (R, M, 3) at once.

    Args:
        sums: weights of win, tie and loss for each pair of policies.
        policies: P.
        prior_sd: standard deviation of the prior; infinite for the plain maximum of the likelihood, which must exist.
    """
    rows, total = features(policies), sums.sum(axis=-1)
    precision = max(prior_sd**-2, 1e-9)  # the mean of θ is free: without any prior the Hessian would be singular
    found = np.zeros((len(sums), policies + 1))
    for _ in range(STEPS):
        logits = np.einsum("mod,rd->rmo", rows, found)
        chance = np.exp(logits - logits.max(axis=-1, keepdims=True))
        chance /= chance.sum(axis=-1, keepdims=True)
        gradient = np.einsum("rmo,mod->rd", sums - total[..., None] * chance, rows) - precision * found
        expected = np.einsum("rmo,mod->rmd", chance, rows)
        hessian = np.einsum("rm,rmo,mod,moe->rde", total, chance, rows, rows, optimize=True)
        hessian -= np.einsum("rm,rmd,rme->rde", total, expected, expected, optimize=True)
        hessian += precision * np.eye(policies + 1)
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        longest = np.abs(step).max(axis=-1, keepdims=True)
        found += step * np.minimum(1.0, LONGEST_STEP / np.maximum(longest, LONGEST_STEP))
        if longest.max() < 1e-9:
            break
    found[:, :policies] -= found[:, :policies].mean(axis=-1, keepdims=True)
    return found


def strengths(tallies: Floats, names: Sequence[str], *, seed: int = 0) -> tuple[Strength, ...]:
    """The scores of all policies that were compared with another, from tallies (C, M, 3)."""
    pairs = pairs_of(len(names))
    compared = [p for p in range(len(names)) if any(p in pair and tallies[:, m].any() for m, pair in enumerate(pairs))]
    kept = [m for m, (i, j) in enumerate(pairs) if i in compared and j in compared]
    tallies = tallies[:, kept]
    if not compared:
        return ()
    scores = fit(tallies.sum(axis=0)[None], len(compared))[0]
    drawn = fit(resampled(tallies, seed=seed), len(compared)) if bounded(tallies.sum(axis=0), len(compared)) else None
    return tuple(
        Strength(names[p], float(scores[place]), None if drawn is None else percentiles(drawn[:, place]))
        for place, p in enumerate(compared)
    )


def bounded(sums: Floats, policies: int) -> bool:
    """Whether the likelihood alone keeps all scores finite: no set of policies won all duels with the others.

    Then the graph with an edge from each policy to those that it beat or tied with is strongly connected (Ford 1957).

    Args:
        sums: (M, 3) weights of win, tie and loss.
    """
    edges = np.zeros((policies, policies))
    for pair, (i, j) in enumerate(pairs_of(policies)):
        win, tie, loss = sums[pair]
        edges[i, j], edges[j, i] = win + tie, loss + tie
    return int(connected_components(edges > 0, connection="strong", return_labels=False)) == 1
