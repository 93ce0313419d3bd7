"""The one-coin model beside a general optimiser, and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit, logit
from scipy.stats import beta

from labeler.reliability import PRIOR, intervals, one_coin


def simulated(truth: np.ndarray, pairs: int, per_pair: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    person = np.concatenate([rng.choice(len(truth), per_pair, replace=False) for _ in range(pairs)])
    pair = np.repeat(np.arange(pairs), per_pair)
    better = np.where(rng.random(pairs) < 0.5, 1, -1)
    right = rng.random(len(person)) < truth[person]
    return pair, person, np.where(right, better[pair], -better[pair])


def test_it_finds_the_maximum_that_a_general_optimiser_finds():
    pair, person, side = simulated(np.array([0.9, 0.8, 0.7, 0.55, 0.3]), 80, 3, seed=1)

    def loss(parameters: np.ndarray) -> float:
        ability = expit(parameters)
        first, second = np.zeros((2, 80))
        for u, a, s in zip(pair, person, side, strict=True):
            first[u] += np.log(ability[a] if s > 0 else 1 - ability[a])
            second[u] += np.log(ability[a] if s < 0 else 1 - ability[a])
        prior = (PRIOR[0] - 1) * np.log(ability) + (PRIOR[1] - 1) * np.log(1 - ability)
        return float(-np.logaddexp(first, second).sum() - prior.sum())

    best = expit(optimize.minimize(loss, np.full(5, logit(0.7)), tol=1e-10).x)
    ability, odds = one_coin(pair, person, side, 80, 5)
    assert ability == pytest.approx(best, abs=1e-4)
    assert odds[pair[0]] == pytest.approx((side * logit(best)[person])[pair == pair[0]].sum(), abs=1e-3)


def test_known_reliabilities_are_found_again_and_intervals_cover_them():
    truth = np.array([0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.9, 0.8, 0.5, 0.2])
    covered, found = [], []
    for seed in range(20):
        pair, person, side = simulated(truth, 200, 4, seed)
        ability, odds = one_coin(pair, person, side, 200, 10)
        low, high = intervals(pair, person, side, pair, ability=ability, odds=odds)
        covered.append((low <= truth) & (truth <= high))
        found.append(ability)
    assert np.mean(found, axis=0) == pytest.approx(truth, abs=0.07)
    assert 0.9 <= np.mean(covered) <= 0.99


def test_with_a_known_answer_the_interval_is_that_of_a_beta_distribution():
    # Forty reliable people leave no doubt of any pair; the last one is right in 30 of 40.
    pair, person = np.repeat(np.arange(40), 41), np.tile(np.arange(41), 40)
    side = np.where((person == 40) & (pair >= 30), -1, 1)
    ability, odds = one_coin(pair, person, side, 40, 41)
    low, high = intervals(pair, person, side, pair, ability=ability, odds=odds)
    theirs = beta.ppf((0.025, 0.975), PRIOR[0] + 30, PRIOR[1] + 10)
    assert (low[40], high[40]) == pytest.approx(theirs, abs=0.012)


def test_preferences_of_one_task_say_less_than_of_many():
    pair, person, side = simulated(np.array([0.9, 0.9, 0.9, 0.7]), 120, 4, seed=3)
    pairs, task = np.concatenate([pair, pair + 120, pair + 240]), np.tile(pair, 3)
    people, sides = np.tile(person, 3), np.tile(side, 3)
    found = one_coin(pairs, people, sides, 360, 4)
    low, high = intervals(pairs, people, sides, task, ability=found[0], odds=found[1])
    free_low, free_high = intervals(pairs, people, sides, pairs, ability=found[0], odds=found[1])
    assert (high - low)[3] > 1.4 * (free_high - free_low)[3]


def test_nobody_has_no_answers():
    ability, odds = one_coin(*np.zeros((3, 0), dtype=np.int64), 0, 2)
    assert len(odds) == 0
    assert ability == pytest.approx([0.75, 0.75])  # the prior's mode
