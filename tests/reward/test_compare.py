"""Two models on the same pairs: the test is McNemar's where prompts have one pair, and exact where they have many."""

from itertools import product

import numpy as np
import pytest
from builders import group
from scipy import stats

from reward.compare import compare_models, sign_flip_test


def pairs(count, per_prompt=1):
    return [group(f"g{i}", f"prompt {i // per_prompt}", ["a", "bb"], (1, 2)) for i in range(count)]


def scores_right(flags):
    return [[1.0, 0.0] if right else [0.0, 1.0] for right in flags]


def test_with_one_pair_a_prompt_it_is_mcnemars_exact_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random(80) < 0.8, rng.random(80) < 0.6
    found = compare_models(pairs(80), scores_right(ours), scores_right(theirs))
    b, c = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    assert (found.only_model, found.only_other) == (b, c)
    assert found.p_value == pytest.approx(stats.binomtest(b, b + c).pvalue)
    assert found.difference == pytest.approx(ours.mean() - theirs.mean())
    for right, (low, high) in ((ours, found.accuracy_ci95), (theirs, found.other_accuracy_ci95)):
        spread = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 80)  # pairs are independent here
        assert (low, high) == pytest.approx((right.mean() - spread, right.mean() + spread), abs=0.03)


def test_sign_flips_are_all_enumerated():
    sums = np.array([2.0, -1.0, 0.5, 0.0, 3.0, 1.5])
    totals = [abs(float(np.dot(signs, sums))) for signs in product((1, -1), repeat=6)]
    expected = np.mean([total >= abs(sums.sum()) for total in totals])
    assert sign_flip_test(sums) == pytest.approx(expected)
    theirs = stats.permutation_test((sums, np.zeros(6)), lambda a, b: (a - b).sum(), permutation_type="samples")
    assert sign_flip_test(sums) == pytest.approx(theirs.pvalue)
    assert sign_flip_test(np.zeros(4)) == 1.0


def test_pairs_of_a_prompt_do_not_count_as_independent():
    ours, theirs = [True] * 40, [False] * 20 + [True] * 20
    many = compare_models(pairs(40), scores_right(ours), scores_right(theirs))
    few = compare_models(pairs(40, per_prompt=10), scores_right(ours), scores_right(theirs))
    assert many.p_value < 0.001 < few.p_value == pytest.approx(0.5)  # two prompts differ: signs agree in 2 of 4 ways
    assert few.prompts == 4
    assert "No difference" in few.verdict
    assert many.verdict.startswith("model orders")


def test_false_alarms_are_rare_when_the_models_are_equals():
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(300):
        hard = rng.beta(2, 2, size=30)[:, None]
        ours, theirs = (rng.random((30, 4)) < hard for _ in range(2))
        alarms += sign_flip_test((ours.astype(float) - theirs).sum(axis=1)) < 0.05
    assert stats.binomtest(alarms, 300, 0.05, alternative="greater").pvalue > 0.01
