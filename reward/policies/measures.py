"""Figures of answers, prompt by prompt: means with intervals, rates, and paired differences between two policies.

A measure is a (C, P) array of the mean over a policy's answers to each prompt, NaN where the policy has none. Prompts
are the independent units: every interval resamples them, and a difference is taken within a prompt before it is
averaged, so that hard prompts count alike for both policies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from reward.bootstrap import Floats, Interval, mean_interval

Z95 = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval over so many prompts; None where nothing was measured."""

    value: float | None
    ci95: Interval | None
    prompts: int


NOTHING = Estimate(None, None, 0)


def complement(share: Estimate) -> Estimate:
    """The share of the others: 1 − share."""
    turned = share.ci95 and (1 - share.ci95[1], 1 - share.ci95[0])
    return Estimate(None if share.value is None else 1 - share.value, turned, share.prompts)


def mean_of(values: Floats, *, seed: int = 0) -> Estimate:
    """The mean of the values (C) that are not NaN, one a prompt."""
    found = values[~np.isnan(values)]
    if not len(found):
        return NOTHING
    return Estimate(float(found.mean()), mean_interval(np.arange(len(found)), found, seed=seed), len(found))


def means(measure: Floats, *, seed: int = 0) -> tuple[Estimate, ...]:
    """The mean of each policy of a measure (C, P)."""
    return tuple(mean_of(column, seed=seed) for column in measure.T)


def difference(measure: Floats, policy: int, other: int, *, seed: int = 0) -> Estimate:
    """Mean over prompts that both answered of ``policy`` minus ``other``, from a measure (C, P)."""
    return mean_of(measure[:, policy] - measure[:, other], seed=seed)


def measure_of(values: Sequence[Sequence[Sequence[float]]]) -> Floats:
    """A measure (C, P) from the values of single answers, ``values[c][p]``; NaN values are left out."""
    return np.asarray([[_mean(answers) for answers in row] for row in values], dtype=np.float64).reshape(
        len(values), -1
    )


def _mean(values: Sequence[float]) -> float:
    found = [value for value in values if not math.isnan(value)]
    return sum(found) / len(found) if found else math.nan


def rate_of(hits: Floats, counts: Floats) -> Estimate:
    """A share with Wilson's interval at the effective sample size, for judgments that hang together within a prompt.

    The variance of the ratio p = Σ hits / Σ counts over C prompts, V = C/(C−1) Σ (hits_c − p counts_c)² / (Σ counts)²
    (Cochran 1977, Sampling Techniques, section 6.3), gives the number of independent judgments that would be as
    telling, n = p(1−p)/V (the effective size of Korn & Graubard 1998); Wilson's score interval (Wilson 1927) at n stays
    within 0 and 1, and has a width even where all judgments agree: there V tells nothing, and n is the prompts' number.

    Args:
        hits, counts: per prompt (C); prompts without a judgment do not count. A half hit is a tie.
    """
    judged = counts > 0
    hits, counts = hits[judged], counts[judged]
    prompts, total = len(counts), float(counts.sum())
    if not prompts:
        return NOTHING
    share = float(hits.sum() / total)
    size = float(prompts)
    if 0 < share < 1 and prompts > 1:
        variance = prompts / (prompts - 1) * float(((hits - share * counts) ** 2).sum()) / total**2
        size = share * (1 - share) / variance if variance else size
    return Estimate(share, wilson(share, size), prompts)


def wilson(share: float, size: float) -> Interval:
    """Wilson's 95 % score interval of a share of ``size`` independent trials."""
    middle = (share + Z95**2 / (2 * size)) / (1 + Z95**2 / size)
    half = Z95 / (1 + Z95**2 / size) * math.sqrt(share * (1 - share) / size + Z95**2 / (4 * size**2))
    return max(0.0, middle - half), min(1.0, middle + half)
