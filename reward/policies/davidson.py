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
from scipy.special import softmax

from reward.bootstrap import Floats, Interval, percentiles
from reward.policies.duels import pairs_of, resampled

PRIOR_SD = 10.0
LOGITS = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 1.0], [0.0, 1.0, 0.0]])
"""Logits of win, tie and loss (rows) in θ_i, θ_j and δ (columns)."""
SQUARES = (LOGITS[:, :, None] * LOGITS[:, None, :]).reshape(3, 9)
STEPS = 50
CLOSE = 1e-7
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


def fit(sums: Floats, policies: int, *, prior_sd: float = PRIOR_SD) -> Floats:
    """(R, P + 1) the most probable θ_1 … θ_P, centred, and δ, for R sums of tallies (R, M, 3) at once.

    Args:
        sums: weights of win, tie and loss for each pair of policies.
        policies: P.
        prior_sd: standard deviation of the prior; infinite for the plain maximum of the likelihood, which must exist.
    """
    places = np.array([(i, j, policies) for i, j in pairs_of(policies)])  # (M, 3) of a pair's three parameters
    total = sums.sum(axis=-1, keepdims=True)
    precision = max(prior_sd**-2, 1e-9)  # the mean of θ is free: without any prior the Hessian would be singular
    found = np.zeros((len(sums), policies + 1))
    for _ in range(STEPS):
        chance = softmax(found[:, places] @ LOGITS.T, axis=-1)
        gradient = -precision * found
        hessian = np.tile(precision * np.eye(policies + 1), (len(sums), 1, 1))
        mean = chance @ LOGITS
        slopes = (sums - total * chance) @ LOGITS
        for pair, place in enumerate(places):
            gradient[:, place] += slopes[:, pair]
            second = (chance[:, pair] @ SQUARES).reshape(-1, 3, 3)
            second -= mean[:, pair, :, None] * mean[:, pair, None, :]
            hessian[:, place[:, None], place] += total[:, pair, :, None] * second
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        longest = np.abs(step).max(axis=-1, keepdims=True)
        found += step * np.minimum(1.0, LONGEST_STEP / np.maximum(longest, LONGEST_STEP))
        if longest.max() < CLOSE:
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
