"""Figures of the evaluation against tables made by hand, scipy, scikit-learn and published agreement."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from labeler.errors import DataError
from labeler.formats import read
from labeler.records import Completion, Group, Message, Ranking
from reward.bootstrap import ratio_interval
from reward.calibration import expected_calibration_error, fit_temperature, fit_tie_threshold, reliability_bins
from reward.evaluate import evaluate
from reward.pairs import collect_pairs, correctness, human_agreement

SHARED = Path(os.environ.get("REWARD_LABELER_SHARED", Path(__file__).parents[3] / "shared" / "data"))


def group(name, rankings, texts=("aa", "b", "cccc"), prompt=None, **meta):
    return Group(
        id=name,
        prompt=(Message("user", prompt or f"prompt of {name}"),),
        completions=tuple(Completion(f"c{i}", text) for i, text in enumerate(texts)),
        rankings=tuple(Ranking(f"labeler-{n}", ranks) for n, ranks in enumerate(rankings, 1)),
        meta=meta,
    )


def simulated(temperature, groups=400, k=4, seed=0):
    """Groups whose rankings were drawn from the Bradley–Terry model of their scores divided by the temperature."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (groups, k))
    # Gumbel noise makes the order a Plackett–Luce draw, whose pair marginals are Bradley–Terry.
    noisy = scores / temperature + rng.gumbel(size=scores.shape)
    ranks = (-noisy).argsort(1).argsort(1) + 1
    made = [
        group(f"g{i}", [tuple(int(r) for r in row)], texts=["x" * (j + 1) for j in range(k)])
        for i, row in enumerate(ranks)
    ]
    return made, scores.tolist()


def test_accuracy_of_a_table_made_by_hand():
    groups = [
        group("a", [(1, 2, 3), (2, 1, 3), (1, 2, 2)]),  # 0>1 by 2:1, 0>2 by 3:0, 1>2 by 2:0 with one tie
        group("b", [(1, 1, 2)]),  # 0=1 tie, 0>2, 1>2
        group("c", [(1, 2, None), (2, 1, None)]),  # even split: a tie; nothing else compared
    ]
    scores = [[3.0, 1.0, 2.0], [0.5, 0.7, 0.5], [1.0, 0.0, 9.0]]
    found = evaluate(groups, scores)
    assert (found.comparisons, found.ties, found.groups, found.prompts) == (5, 2, 3, 3)
    # a: right, right, wrong; b: equal scores count one half, right
    assert found.accuracy == pytest.approx((1 + 1 + 0 + 0.5 + 1) / 5)
    # single strict judgments: a 0>1: 2 of 3, 0>2: 3 of 3, 1>2: 0 of 2; b 0.5 + 1; c 1 of 2
    assert found.judgments == 12
    assert found.judgment_accuracy == pytest.approx((2 + 3 + 0 + 0.5 + 1 + 1) / 12)
    # longer wins: lengths 2, 1, 4; a: right, wrong, wrong; b: wrong, wrong
    assert found.length_only_accuracy == pytest.approx(1 / 5)
    # so "the shorter wins" is the stronger rule, and the one to beat
    assert found.length_rule == "shorter"
    assert found.gain_over_length == pytest.approx(found.accuracy - 4 / 5)
    # couples of strict judges: a 0-1 one of three agree, 0-2 three of three, 1-2 one of one; c none of one
    assert found.human_agreement == pytest.approx((1 + 3 + 1 + 0) / (3 + 3 + 1 + 1))


def test_one_judge_each_has_no_human_agreement():
    found = evaluate([group("a", [(1, 2, 3)]), group("b", [(1, 2, 3)])], [[3, 2, 1], [3, 2, 1]])
    assert found.human_agreement is None
    assert found.human_agreement_ci95 is None
    assert found.accuracy == 1.0


def test_calibration_figures_equal_those_of_scikit_learn():
    groups, scores = simulated(temperature=1.0, groups=60)
    pairs = collect_pairs(groups, scores).decided()
    probability = 1 / (1 + np.exp(-pairs.gap))
    found = evaluate(groups, scores)
    assert found.brier == pytest.approx(oracle.brier_score_loss(pairs.majority > 0, probability))
    assert found.log_loss == pytest.approx(oracle.log_loss(pairs.majority > 0, probability))


def test_expected_calibration_error_by_hand():
    probability = np.array([0.55, 0.52, 0.95, 0.05])  # confidences .55 .52 | .95 .95
    bins = reliability_bins(probability, np.array([1, -1, 1, -1]))
    assert [(b.pairs, b.accuracy) for b in bins] == [(1, 0.0), (1, 1.0), (2, 1.0)]
    assert expected_calibration_error(bins) == pytest.approx((0.52 + (1 - 0.55) + 2 * 0.05) / 4)


def test_temperature_is_recovered_from_simulated_rankings():
    groups, scores = simulated(temperature=2.5, groups=2500)
    fitted = fit_temperature(groups, scores)
    assert fitted == pytest.approx(2.5, rel=0.06)
    assert evaluate(groups, scores, temperature=fitted).ece < 0.02
    assert evaluate(groups, scores).ece_uncalibrated > 0.1


def test_tie_threshold_calls_as_many_ties_as_people():
    groups = [group(f"g{i}", [(1, 1) if i < 3 else (1, 2)], texts=("a", "b")) for i in range(10)]
    scores = [[0.1 * i, 0.0] for i in range(10)]
    threshold = fit_tie_threshold(groups, scores)
    assert sum(abs(a - b) <= threshold for a, b in scores) == 3


def test_interval_equals_scipys_cluster_bootstrap():
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(80), 5)
    values = (rng.random(400) < np.repeat(rng.random(80), 5)).astype(float)
    ours = ratio_interval(cluster, values, np.ones(400), seed=1, resamples=20000)
    means = values.reshape(80, 5).mean(1)
    theirs = stats.bootstrap((means,), np.mean, n_resamples=20000, method="percentile", rng=2).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.005)


def test_interval_covers_the_truth_about_95_times_in_100_when_pairs_of_a_prompt_hang_together():
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(60), 6)
    hits = 0
    for trial in range(300):
        chance = rng.beta(7, 3, size=60)  # every prompt has its own accuracy, 0.7 on average
        values = (rng.random(360) < np.repeat(chance, 6)).astype(float)
        low, high = ratio_interval(cluster, values, np.ones(360), seed=trial, resamples=400)
        hits += low <= 0.7 <= high
    assert stats.binomtest(hits, 300, 0.94).pvalue > 0.001


def test_correctness_counts_equal_scores_one_half():
    assert correctness(np.array([2.0, -1.0, 0.0]), np.array([1, 1, -1])).tolist() == [1.0, 0.0, 0.5]


def test_slices_follow_meta_and_turns():
    groups = [group(f"g{i}", [(1, 2, 3)], use_case="chat" if i % 2 else "rewrite") for i in range(6)]
    found = evaluate(groups, [[3, 2, 1] if i % 2 else [1, 2, 3] for i in range(6)])
    assert {s.name: (s.accuracy, s.prompts) for s in found.slices["use_case"]} == {
        "chat": (1.0, 3),
        "rewrite": (0.0, 3),
    }
    assert "turns" not in found.slices  # all prompts have one turn: nothing to compare


def test_the_same_prompt_in_two_groups_is_one_cluster():
    groups = [group("a", [(1, 2, 3)], prompt="same"), group("b", [(1, 2, 3)], prompt="same")]
    found = evaluate(groups, [[3, 2, 1], [1, 2, 3]])
    assert (found.prompts, found.groups, found.accuracy_ci95) == (1, 2, None)


@pytest.mark.parametrize(
    ("rankings", "scores", "message"),
    [
        ([], [1, 2, 3], "no pair"),
        ([(1, 1, 1)], [1, 2, 3], "tie"),
        ([(1, 2, 3)], [1, float("nan"), 3], "group g: needs one finite score"),
        ([(1, 2, 3)], [1, 2], "group g: needs one finite score"),
    ],
)
def test_what_cannot_be_evaluated_says_so(rankings, scores, message):
    with pytest.raises(DataError, match=message):
        evaluate([group("g", rankings)], [scores])


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared human-labelled data")
@pytest.mark.parametrize(
    ("file", "agreement", "longer"),
    [
        ("llmfao_crowd_pairs.jsonl.gz", 0.70, 0.43),
        ("ukp_arguments_a.jsonl.gz", 0.74, 0.73),
        ("pandalm_testset.jsonl.gz", 0.95, 0.68),
        ("eks_event_summaries_k.jsonl", 0.63, 0.51),
    ],
)
def test_agreement_and_length_baseline_of_published_sets(file, agreement, longer):
    groups = read(SHARED / file).groups
    found = evaluate(groups, [[0.0] * len(g.completions) for g in groups])
    assert found.human_agreement == pytest.approx(agreement, abs=0.006)
    assert found.length_only_accuracy == pytest.approx(longer, abs=0.012)
    assert found.accuracy == 0.5
    low, high = human_agreement(groups)[1]
    assert low < found.human_agreement < high
