"""The statistics that both packages share, beside published figures, SciPy, and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from labeler.statistics import chances, comparable, davidson, median_interval, share_p_value

PUDDINGS = (
    "1 2 19 22 16  1 3 16 19 12  2 3 19 19 10  1 4 18 23 13  2 4 23 19 9  3 4 19 20 15  1 5 13 19 18  2 5 16 20 12  "
    "3 5 16 15 17  4 5 17 14 16  1 6 18 21 12  2 6 22 20 12  3 6 13 18 10  4 6 14 19 18  5 6 11 21 12"
)
"""Davidson (1970), example: six brands of chocolate pudding; i, j, preferences for i, for j, for neither."""


def puddings() -> tuple[np.ndarray, np.ndarray]:
    wins, ties = np.zeros((2, 6, 6))
    for i, j, ours, theirs, neither in np.array(PUDDINGS.split(), dtype=int).reshape(-1, 5):
        wins[i - 1, j - 1], wins[j - 1, i - 1] = ours, theirs
        ties[i - 1, j - 1] = ties[j - 1, i - 1] = neither
    return wins, ties


def test_the_published_example_of_davidson():
    wins, ties = puddings()
    (found,) = davidson(wins[None], ties[None])
    worth = np.exp(found[:6]) / np.exp(found[:6]).sum()
    # as Davidson's algorithm gives them in the documentation of the R package PlackettLuce
    assert worth == pytest.approx([0.1388005, 0.1729985, 0.1617420, 0.1653930, 0.1586805, 0.2023855], abs=2e-4)
    assert np.exp(found[6]) == pytest.approx(0.7468147, abs=2e-4)


@pytest.mark.parametrize("prior_sd", [0.7, 10.0])
def test_the_most_probable_scores_are_those_of_a_general_optimiser(prior_sd: float):
    rng = np.random.default_rng(3)
    wins, ties = rng.integers(0, 9, (2, 4, 4)).astype(float)
    ties = ties + ties.T
    np.fill_diagonal(wins, 0), np.fill_diagonal(ties, 0)

    def loss(parameters: np.ndarray) -> float:
        total = (parameters**2).sum() / (2 * prior_sd**2)
        for i in range(4):
            for j in range(4):
                logits = np.array([parameters[i], parameters[j], parameters[4] + (parameters[i] + parameters[j]) / 2])
                logits -= np.log(np.exp(logits).sum())
                total -= wins[i, j] * logits[0] + ties[i, j] * logits[2] / 2
        return float(total)

    best = optimize.minimize(loss, np.zeros(5), tol=1e-10).x
    (found,) = davidson(wins[None], ties[None], prior_sd=prior_sd)
    assert found == pytest.approx([*(best[:4] - best[:4].mean()), best[4]], abs=1e-4)
    assert davidson(wins[None], ties[None], prior_sd=prior_sd, start=best)[0] == pytest.approx(found, abs=1e-6)


def test_several_tables_are_fitted_as_each_alone():
    rng = np.random.default_rng(4)
    wins, ties = rng.integers(1, 9, (2, 3, 5, 5)).astype(float)
    wins *= 1 - np.eye(5)
    ties = (ties + ties.swapaxes(1, 2)) * (1 - np.eye(5))
    together = davidson(wins, ties)
    alone = [davidson(w[None], t[None])[0] for w, t in zip(wins, ties, strict=True)]
    assert together == pytest.approx(np.stack(alone), abs=1e-6)


def test_chances_are_those_of_the_paper():
    theta, nu = np.array([0.4, -0.4]), 0.8
    win, tie = chances(np.array([[*theta, np.log(nu)]]))
    pi = np.exp(theta)
    whole = pi.sum() + nu * np.sqrt(pi.prod())
    assert win[0, 0, 1] == pytest.approx(pi[0] / whole)
    assert win[0, 1, 0] == pytest.approx(pi[1] / whole)
    assert tie[0, 0, 1] == pytest.approx(nu * np.sqrt(pi.prod()) / whole)


def test_who_always_won_stands_outside():
    wins, ties = np.zeros((2, 5, 5))
    wins[0, 1], wins[1, 2], wins[2, 3], ties[1, 3], ties[3, 1] = 1, 1, 1, 1, 1  # 0 won all; 4 was never seen
    assert comparable(wins, ties).tolist() == [False, True, True, True, False]


def test_the_share_test_is_the_binomial_one_where_all_sizes_are_equal():
    for hits in range(13):
        assert share_p_value(hits, [3] * 12) == pytest.approx(stats.binomtest(hits, 12, 1 / 3).pvalue)


def test_the_share_test_counts_every_outcome_where_sizes_differ():
    sizes = [2, 2, 3, 5]
    chance = np.zeros(5)
    for outcome in np.ndindex(2, 2, 2, 2):
        weights = [1 / n if hit else 1 - 1 / n for hit, n in zip(outcome, sizes, strict=True)]
        chance[sum(outcome)] += np.prod(weights)
    for hits in range(5):
        assert share_p_value(hits, sizes) == pytest.approx(chance[chance <= chance[hits] + 1e-12].sum())


def test_the_interval_of_a_median_covers_it():
    rng = np.random.default_rng(7)
    covered = [low <= 1 <= high for _, low, high in (median_interval(np.exp(rng.normal(size=41))) for _ in range(500))]
    assert 0.94 <= np.mean(covered) <= 0.99
    assert median_interval(np.array([3.0])) == (3, 3, 3)
    theirs = stats.quantile_test(np.arange(1.0, 42), p=0.5).confidence_interval(0.95)
    assert median_interval(np.arange(1.0, 42))[1:] == pytest.approx((theirs.low, theirs.high), abs=1)
