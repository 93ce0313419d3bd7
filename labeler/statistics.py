"""Statistics on plain arrays that both packages use: Bradley–Terry with ties, and an exact test of a share.

Bradley–Terry with ties (Davidson 1970, JASA 65, 317–328, eq. 2.1):

    P(i wins) = π_i / D,   P(j wins) = π_j / D,   P(tie) = ν √(π_i π_j) / D,   D = π_i + π_j + ν √(π_i π_j)

With θ = log π and δ = log ν these are the softmax of θ_i, θ_j and δ + (θ_i + θ_j)/2: a multinomial logit, whose log
likelihood is concave, so Newton's method finds the one maximum. A normal prior with standard deviation `PRIOR_SD` on
every parameter keeps a side that always wins, and ties that never happen, finite; on other data it is not felt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.stats import binom

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PRIOR_SD = 10.0
STEPS = 50
CLOSE = 1e-7
LONGEST_STEP = 2.0
"""No parameter moves further in one step of Newton's method, which without it may overshoot from far away."""


def davidson(wins: Floats, ties: Floats, *, prior_sd: float = PRIOR_SD, start: Floats | None = None) -> Floats:
    """(R, P + 1) the most probable θ_1 … θ_P, centred, and δ, of R tables at once.

    A tie counts as half a win of both: the gradient for θ_i is i's wins and half ties less what the model expects.

    Args:
        wins: (R, P, P) weight of the comparisons in which i was preferred to j; zeros on the diagonal.
        ties: (R, P, P) weight of those in which they tied; symmetric, zeros on the diagonal.
        prior_sd: standard deviation of the prior; infinite for the plain maximum of the likelihood, which must exist.
        start: (P + 1) parameters to start from, zeros where None.
    """
    tables, sides, _ = wins.shape
    precision = max(prior_sd**-2, 1e-9)  # the mean of θ is free: without any prior the Hessian would be singular
    total = wins + wins.swapaxes(1, 2) + ties
    scored = np.column_stack([(wins + ties / 2).sum(axis=2), ties.sum(axis=(1, 2)) / 2])
    found = np.zeros((tables, sides + 1)) if start is None else np.tile(start, (tables, 1))
    for _ in range(STEPS):
        win, tie = chances(found)
        expected = np.column_stack([(total * (win + tie / 2)).sum(axis=2), (total * tie).sum(axis=(1, 2)) / 2])
        gradient = scored - expected - precision * found
        hessian = _information(total, win, tie) + precision * np.eye(sides + 1)
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        longest = np.abs(step).max(axis=-1, keepdims=True)
        found += step * np.minimum(1.0, LONGEST_STEP / np.maximum(longest, LONGEST_STEP))
        if longest.max() < CLOSE:
            break
    found[:, :sides] -= found[:, :sides].mean(axis=-1, keepdims=True)
    return found


def chances(parameters: Floats) -> tuple[Floats, Floats]:
    """(R, P, P) chance that i wins against j, and that they tie, from (R, P + 1) parameters as of `davidson`."""
    half = parameters[:, :-1] / 2
    up = np.exp(half[:, :, None] - half[:, None, :])  # √(π_i / π_j)
    nu = np.exp(parameters[:, -1])[:, None, None]
    whole = up + up.swapaxes(1, 2) + nu
    return up / whole, nu / whole


def _information(total: Floats, win: Floats, tie: Floats) -> Floats:
    """(R, P + 1, P + 1) covariance of what is scored: half ties and wins of each side, and the number of ties."""
    tables, sides, _ = total.shape
    half = win + tie / 2
    spread = total * (win + tie / 4 - half**2)
    found = np.empty((tables, sides + 1, sides + 1))
    found[:, :sides, :sides] = -spread
    found[:, range(sides), range(sides)] += spread.sum(axis=2)
    found[:, sides, :sides] = found[:, :sides, sides] = (total * tie * (0.5 - half)).sum(axis=2)
    found[:, sides, sides] = (total * tie * (1 - tie)).sum(axis=(1, 2)) / 2
    return found


def comparable(wins: Floats, ties: Floats) -> Bools:
    """(P) which sides have scores that the likelihood alone keeps finite: the largest set without a border.

    No part of that set won, or lost, everything against its rest: the graph with an edge from each side to those that
    it beat or tied with is strongly connected in it (Ford 1957).

    Args:
        wins, ties: (P, P) as in `davidson`, of one table.
    """
    _, label = connected_components(wins + ties > 0, connection="strong")
    return np.asarray(label == np.bincount(label).argmax())


def share_p_value(hits: int, sizes: Iterable[int]) -> float:
    """Exact two-sided p-value of ``hits`` among independent choices, the n-th of which hits with chance 1/size_n.

    The sum of the chances of all outcomes that are no more likely than this one, as in the exact binomial test, which
    it is where all sizes are equal.
    """
    chance = np.ones(1)
    for size, times in Counter(sizes).items():
        chance = np.convolve(chance, binom.pmf(np.arange(times + 1), times, 1 / size))
    return min(1.0, float(chance[chance <= chance[hits] * (1 + 1e-7)].sum()))


def median_interval(values: Floats) -> tuple[float, float, float]:
    """The median and its 95 % interval between two of the sorted values, exact whatever their distribution.

    The number of values below the true median is binomial with chance one half.

    Args:
        values: (N) at least one.
    """
    ordered = np.sort(values)
    skip = max(int(binom.ppf(0.025, len(ordered), 0.5)) - 1, 0)
    return float(np.median(ordered)), float(ordered[skip]), float(ordered[-1 - skip])
