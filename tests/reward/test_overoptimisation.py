"""Best of n against enumeration and simulation, fits against known curves, and the warning's error rates."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import integrate, stats

from reward.overoptimisation import best_of_n_kl, best_of_n_mean, fit, part


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_the_kl_is_the_integral_of_its_definition(n: int) -> None:
    """Best of n has density n u^(n−1) over the quantiles u of the score: KL = ∫ n u^(n−1) ln(n u^(n−1)) du."""
    exact, _ = integrate.quad(lambda u: n * u ** (n - 1) * np.log(n * u ** (n - 1)) if u else 0.0, 0, 1)
    assert best_of_n_kl(n) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_the_estimate_is_the_mean_over_all_subsets(n: int) -> None:
    rng = np.random.default_rng(0)
    scores, values = rng.normal(size=7), rng.normal(size=7)
    picked = [values[max(chosen, key=lambda i: scores[i])] for chosen in combinations(range(7), n)]
    assert best_of_n_mean(scores, values, n) == pytest.approx(float(np.mean(picked)))


def test_equal_scores_are_chosen_among_at_random() -> None:
    scores, values = np.array([1.0, 2.0, 2.0, 0.0]), np.array([5.0, 1.0, 3.0, 9.0])
    picked = []
    for chosen in combinations(range(4), 2):
        best = max(scores[list(chosen)])
        picked.append(np.mean([values[i] for i in chosen if scores[i] == best]))
    assert best_of_n_mean(scores, values, 2) == pytest.approx(float(np.mean(picked)))


def test_the_estimate_of_normal_scores_has_the_known_mean() -> None:
    """The largest of 4 standard normals is 1.02938 on average (Harter 1961); with correlation ρ one gets ρ of it."""
    rng = np.random.default_rng(1)
    own, gold = [], []
    for _ in range(3000):
        scores = rng.normal(size=16)
        own.append(best_of_n_mean(scores, scores, 4))
        gold.append(best_of_n_mean(scores, 0.6 * scores + 0.8 * rng.normal(size=16), 4))
    assert np.mean(own) == pytest.approx(1.02938, abs=4 * stats.sem(own))
    assert np.mean(gold) == pytest.approx(0.6 * 1.02938, abs=4 * stats.sem(gold))


@pytest.mark.parametrize("form", ["best of n", "rl"])
def test_a_fit_finds_the_curve_that_made_the_points(form: str) -> None:
    distance = np.array([0.0, 0.3, 0.8, 1.5, 2.2, 3.0])
    bend = distance if form == "best of n" else np.log(distance, where=distance > 0, out=np.zeros(6))
    gain = distance * (1.3 - 0.25 * bend)
    found = fit(form, distance, gain)  # type: ignore[arg-type]
    assert (found.alpha, found.beta) == (pytest.approx(1.3), pytest.approx(0.25))
    assert found.error == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found(distance[1:]), gain[1:])
    assert fit(form, distance[:3], gain[:3]) is None  # type: ignore[arg-type]


def gains(rng: np.random.Generator, means: list[float], prompts: int, noise: float = 0.6) -> np.ndarray:
    made = np.array(means)[:, None] + noise * rng.normal(size=(len(means), prompts))
    return made - made[0]


def test_a_fall_of_the_gold_reward_is_found_and_seldom_imagined() -> None:
    rng = np.random.default_rng(2)
    rising = [0.0, 0.5, 1.0, 1.5, 2.0]
    fell = [part(gains(rng, rising, 64), gains(rng, [0, 0.5, 0.8, 0.4, 0.0], 64), seed=s) for s in range(40)]
    flat = [part(gains(rng, rising, 64), gains(rng, [0, 0.5, 0.5, 0.5, 0.5], 64), seed=s) for s in range(100)]
    assert sum(each.falls for each in fell) >= 36
    assert sum(each.falls for each in flat) <= 6  # 2.5 % are expected
    assert sum(each.unshared for each in flat) <= 3


def test_a_proxy_that_rises_alone_is_told() -> None:
    rng = np.random.default_rng(3)
    alone = part(gains(rng, [0, 1.0], 40), gains(rng, [0, 0.0], 40), seed=0)
    assert alone.unshared
    assert not alone.falls
