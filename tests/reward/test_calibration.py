"""The temperature: recovered with much data, sane with little, and better than the plain fit where prompts are few."""

import numpy as np
import pytest
from builders import group
from scipy import stats
from scipy.optimize import minimize_scalar

from reward.bootstrap import grid_minimum
from reward.calibration import (
    PRIOR_DEVIATION,
    fit_temperature,
    log_loss,
    penalised_temperature,
    temperature_interval,
)
from reward.pairs import collect_pairs


def drawn(rng, prompts, temperature, k=2):
    """Groups ranked by a Plackett–Luce draw from scores divided by the temperature, and the scores."""
    scores = rng.normal(0, 2, (prompts, k))
    noisy = scores / temperature + rng.gumbel(size=scores.shape)
    ranks = (-noisy).argsort(1).argsort(1) + 1
    texts = [f"answer {i}" for i in range(k)]
    return [group(f"g{i}", f"prompt {i}", texts, row.tolist()) for i, row in enumerate(ranks)], scores.tolist()


def held_out_losses(prompts, temperature, seeds, k=2):
    """Mean log loss on 300 other prompts of the fit with and without the prior, from so many trainings."""
    with_prior, plain = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        fitted = collect_pairs(*drawn(rng, prompts, temperature, k)).decided()
        other = collect_pairs(*drawn(rng, 300, temperature, k)).decided()
        for losses, deviation in ((with_prior, PRIOR_DEVIATION), (plain, np.inf)):
            t = penalised_temperature(fitted, deviation=deviation)
            losses.append(log_loss(other.gap, other.majority, t))
    return np.mean(with_prior), np.mean(plain)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_with_twenty_prompts_the_prior_lowers_the_held_out_loss(temperature):
    with_prior, plain = held_out_losses(20, temperature, seeds=40)
    assert with_prior < plain


def test_with_four_outputs_each_twenty_prompts_are_no_worse_on_average_over_temperatures():
    found = np.asarray([held_out_losses(20, t, seeds=15, k=4) for t in (0.5, 1.0, 2.0)])
    assert found[:, 0].mean() < found[:, 1].mean() + 0.001


def test_with_many_prompts_the_prior_is_gone():
    pairs = collect_pairs(*drawn(np.random.default_rng(1), 3000, 3.0)).decided()
    assert penalised_temperature(pairs) == pytest.approx(penalised_temperature(pairs, deviation=np.inf), rel=0.01)
    assert penalised_temperature(pairs) == pytest.approx(3.0, rel=0.1)


def test_without_prior_it_is_the_maximum_of_the_likelihood():
    pairs = collect_pairs(*drawn(np.random.default_rng(2), 200, 1.7)).decided()
    best = minimize_scalar(lambda log_t: log_loss(pairs.gap, pairs.majority, np.exp(log_t)), bounds=(-3, 3))
    assert penalised_temperature(pairs, deviation=np.inf) == pytest.approx(np.exp(best.x), rel=1e-3)


def test_temperature_stays_near_one_where_few_scores_separate_perfectly():
    groups = [group(f"g{i}", f"prompt {i}", ["a", "b", "c"], (1, 2, 3)) for i in range(5)]
    alone = [group("g", "prompt", ["a", "b", "c"], (1, 2, 3))]
    few = fit_temperature(groups, [[3, 2, 1]] * 5)
    assert 0.25 < few < fit_temperature(alone, [[3, 2, 1]]) < 1  # the more say so, the more it is believed
    assert fit_temperature(groups, [[1, 2, 3]] * 5) < 4


def test_pairs_of_a_prompt_count_as_one_observation_against_the_prior():
    one = [group("g", "prompt", ["a", "b"], (1, 2))]
    again = [group(f"g{i}", "prompt", ["a", "b"], (1, 2)) for i in range(50)]
    assert fit_temperature(again, [[2, 0]] * 50) == pytest.approx(fit_temperature(one, [[2, 0]]))
    others = [group(f"g{i}", f"prompt {i}", ["a", "b"], (1, 2)) for i in range(50)]
    assert fit_temperature(others, [[2, 0]] * 50) < fit_temperature(one, [[2, 0]]) / 1.5


def test_interval_of_the_temperature_covers_the_truth():
    hits = 0
    for seed in range(40):
        groups, scores = drawn(np.random.default_rng(seed), 150, 2.0, k=3)
        low, high = temperature_interval(groups, scores, seed=seed)
        hits += low <= 2.0 <= high
    assert stats.binomtest(hits, 40, 0.93).pvalue > 0.001
    assert temperature_interval(*drawn(np.random.default_rng(0), 1, 2.0)) is None


def test_minimum_between_the_points_of_a_grid():
    grid = np.linspace(-1, 1, 21)
    curves = np.stack([(grid - 0.137) ** 2, grid, -grid])
    assert grid_minimum(curves, grid).tolist() == pytest.approx([0.137, -1, 1])
