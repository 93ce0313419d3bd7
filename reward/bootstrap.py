"""Resampling whole prompts: intervals for figures whose items hang together within a prompt.

The pairs of one prompt share its completions and its raters, so a prompt (the cluster) is what is drawn with
replacement, never a pair (Field & Welsh 2007, Bootstrapping clustered data, JRSS B 69, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Interval = tuple[float, float]
RESAMPLES = 2000
HELD = 2**22
"""So many counts of `draws` are in memory at a time where only their sums are wanted (32 MiB)."""
FEW_PROMPTS = 30
"""Below this many prompts a percentile bootstrap is too narrow, and the report says so."""


def draws(clusters: int, *, seed: int, resamples: int = RESAMPLES) -> Ints:
    """How often each of ``clusters`` is in each resample: (resamples, clusters) counts, each row sums to clusters."""
    return np.concatenate([*_draws(clusters, seed, resamples)])


def resampled_sums(values: Floats, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """(resamples, V) sums of the values (clusters, V) over the clusters of each resample of `draws`."""
    return np.concatenate([counts @ values for counts in _draws(len(values), seed, resamples)])


def _draws(clusters: int, seed: int, resamples: int) -> Iterator[Ints]:
    """The rows of `draws`, some at a time."""
    rng, shares = np.random.default_rng(seed), np.full(clusters, 1 / clusters)
    most = max(1, HELD // clusters)
    for start in range(0, resamples, most):
        yield rng.multinomial(clusters, shares, size=min(most, resamples - start))


def per_cluster(cluster: Ints, values: Floats) -> Floats:
    """Sums of the values (P) over the items of each cluster (P labels) that occurs, in the order of the labels."""
    names, index = np.unique(cluster, return_inverse=True)
    sums: Floats = np.bincount(index, weights=values, minlength=len(names)).astype(np.float64)
    return sums


def percentiles(samples: Floats) -> Interval:
    """The middle 95 % of the samples."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


def ratio_interval(
    cluster: Ints, numerator: Floats, denominator: Floats, *, seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """95 % percentile bootstrap of Σ numerator / Σ denominator over resampled clusters.

    Args:
        cluster: cluster of each item (P).
        numerator, denominator: per item (P).

    Returns:
        The interval, or None with fewer than two clusters. Resamples in which the denominator vanishes are left out.
    """
    top, bottom = per_cluster(cluster, numerator), per_cluster(cluster, denominator)
    if len(top) < 2:
        return None
    tops, bottoms = resampled_sums(np.stack([top, bottom], axis=1), seed=seed, resamples=resamples).T
    return percentiles(tops[bottoms > 0] / bottoms[bottoms > 0])


def mean_interval(cluster: Ints, values: Floats, *, seed: int) -> Interval | None:
    """95 % interval of the mean of the values (P) over resampled clusters (P labels)."""
    return ratio_interval(cluster, values, np.ones(len(values)), seed=seed)


def losses_on_grid(cluster: Ints, loss: Callable[[float], Floats], grid: Floats) -> Floats:
    """(clusters, len(grid)) summed losses of each cluster's items for every value of one parameter.

    Args:
        cluster: cluster of each item (P).
        loss: parameter → loss per item (P).
        grid: values of the parameter.
    """
    names, index = np.unique(cluster, return_inverse=True)
    return np.stack([np.bincount(index, loss(float(value)), len(names)) for value in grid], axis=1)


def grid_minimum(losses: Floats, grid: Floats) -> Floats:
    """(R,) where each row of losses (R, G) on an evenly spaced grid (G) is least, between the points by a parabola."""
    place = losses.argmin(axis=1)
    inner = np.clip(place, 1, len(grid) - 2)
    row = np.arange(len(losses))
    left, middle, right = (losses[row, inner + step] for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    usable = (place == inner) & (bend > 0)
    shift = np.where(usable, (left - right) / np.where(usable, 2 * bend, 1.0), 0.0)
    found: Floats = grid[place] + shift * (grid[1] - grid[0])
    return found
