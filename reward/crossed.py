"""Intervals for a mean over prompts and trainings: every training, by its seed, was measured on the same prompts.

What a training of another seed would give and what other prompts would give are two sources of chance. Both are in the
variance of the mean of a two-way layout with random prompts and random seeds,

    x_sc = μ + seed_s + prompt_c + rest_sc,      Var = σ²_seed / S + σ²_prompt / C + σ²_rest / (S C)

with the components from the mean squares of the table (Searle, Casella & McCulloch 1992, Variance Components, chapter
4), negative ones taken as 0, and Student's t with Satterthwaite's degrees of freedom (1946, An Approximate Distribution
of Estimates of Variance Components). A percentile bootstrap of five seeds would be too narrow. How often the interval
covers is tested on simulated data.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from reward.bootstrap import Floats, Interval


def crossed_interval(sums: Floats, weights: Floats) -> Interval | None:
    """95 % interval of Σ sums / (S Σ weights), a mean over the items of S seeds and C prompts.

    A prompt counts by its number of items: what is analysed is how far its sum lies from that number times the mean
    (the linear part of a ratio of sums). With one seed the interval is over prompts alone.

    Args:
        sums: (S, C) sum over the items of each prompt, of each seed.
        weights: (C,) number of items of each prompt.

    Returns:
        The interval, or None with a single prompt.
    """
    seeds, prompts = sums.shape
    if prompts < 2:
        return None
    mean = sums.sum() / (seeds * weights.sum())
    squares, freedom, shares = mean_squares((sums - mean * weights) / weights.mean())
    parts = shares * squares / sums.size
    variance = parts.sum()
    if variance == 0:
        return float(mean), float(mean)
    degrees = variance**2 / (parts**2 / freedom).sum()
    half = float(student.ppf(0.975, degrees) * np.sqrt(variance))
    return float(mean) - half, float(mean) + half


def mean_squares(cells: Floats) -> tuple[Floats, Floats, Floats]:
    """Of a table (S, C): mean squares, their degrees of freedom, and the factor of each in S C · Var(mean).

    The mean squares are those of prompts, seeds and the rest; with one seed of prompts alone.
    """
    seeds, prompts = cells.shape
    by_prompt, by_seed = cells.mean(axis=0), cells.mean(axis=1)
    between_prompts = seeds * by_prompt.var(ddof=1)
    if seeds == 1:
        return np.array([between_prompts]), np.array([prompts - 1.0]), np.ones(1)
    between_seeds = prompts * by_seed.var(ddof=1)
    rest = cells - by_prompt - by_seed[:, None] + cells.mean()
    freedom = np.array([prompts - 1.0, seeds - 1.0, (prompts - 1.0) * (seeds - 1.0)])
    residual = (rest**2).sum() / freedom[2]
    used = np.array([between_prompts > residual, between_seeds > residual], dtype=np.float64)
    return np.array([between_prompts, between_seeds, residual]), freedom, np.append(used, 1 - used.sum())
