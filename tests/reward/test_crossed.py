"""Intervals over prompts and seeds: beside scipy, beside dummy regressions, and on simulated data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from reward.bootstrap import Floats
from reward.crossed import crossed_interval, mean_squares


def left_over(values: Floats, *factors: Floats) -> float:
    """Residual sum of squares of a regression on dummies of the factors."""
    dummies = [(factor[:, None] == np.unique(factor)).astype(float) for factor in factors]
    design = np.hstack([np.ones((len(values), 1)), *dummies])
    return float(((values - design @ np.linalg.lstsq(design, values, rcond=None)[0]) ** 2).sum())


def test_one_seed_is_the_t_interval_over_prompts() -> None:
    values = np.random.default_rng(0).normal(size=(1, 12))
    expected = ttest_1samp(values[0], 0).confidence_interval()
    assert crossed_interval(values, np.ones(12)) == pytest.approx((expected.low, expected.high))


def test_mean_squares_are_those_of_regressions_on_dummies() -> None:
    rng = np.random.default_rng(1)
    cells = rng.normal(size=(4, 1)) + rng.normal(size=7) + rng.normal(size=(4, 7))
    values = cells.ravel()
    seed, prompt = np.repeat(np.arange(4), 7), np.tile(np.arange(7), 4)
    both = left_over(values, seed, prompt)
    expected = ((left_over(values, seed) - both) / 6, (left_over(values, prompt) - both) / 3, both / 18)
    squares, freedom, shares = mean_squares(cells)
    assert squares == pytest.approx(expected)
    assert freedom.tolist() == [6, 3, 18]
    assert shares.tolist() == [1, 1, -1]  # both components are there: σ²_rest is in both mean squares, and counts once


def test_components_that_are_not_there_are_left_out() -> None:
    cells = np.array([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0]])  # all rest
    squares, _, shares = mean_squares(cells)
    assert squares.tolist() == [0, 0, 8 / 3]
    assert shares.tolist() == [0, 0, 1]
    half = student.ppf(0.975, 3) * np.sqrt(8 / 3 / 8)
    assert crossed_interval(cells, np.ones(4)) == pytest.approx((-half, half))


def test_no_interval_without_chance_or_prompts() -> None:
    assert crossed_interval(np.ones((3, 1)), np.ones(1)) is None
    assert crossed_interval(np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([2.0, 4.0])) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("seeds", "prompts", "deviations", "least", "most"),
    [
        (5, 60, (1.0, 0.1), 0.92, 0.98),  # prompts differ, trainings hardly
        (5, 60, (0.2, 0.4), 0.92, 0.98),  # trainings differ: five of them decide
        (5, 60, (0.3, 0.0), 0.92, 0.98),
        (5, 12, (0.5, 0.3), 0.92, 0.98),
        (5, 60, (0.0, 0.0), 0.94, 1.0),  # neither: negative components are taken as 0, which is careful
        (3, 60, (0.3, 0.3), 0.9, 0.98),
    ],
)
def test_the_interval_covers(
    seeds: int, prompts: int, deviations: tuple[float, float], least: float, most: float
) -> None:
    """Prompts of one to seven pairs; the truth is 0."""
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(800):
        pairs = rng.integers(1, 8, size=prompts).astype(float)
        shift = rng.normal(0, deviations[0], prompts) + rng.normal(0, deviations[1], (seeds, 1))
        found = crossed_interval(pairs * shift + np.sqrt(pairs) * rng.normal(size=(seeds, prompts)), pairs)
        covered.append(found is not None and found[0] <= 0 <= found[1])
    assert least <= np.mean(covered) <= most
