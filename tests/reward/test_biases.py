"""Biases: slopes equal scikit-learn's, planted biases are found, absent ones are not, and few pairs get no verdict."""

from dataclasses import replace

import numpy as np
import pytest
from builders import group
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from reward.biases import FORMATS, find_biases, leaning, length_matched
from reward.pairs import collect_pairs


def world(people_slope, model_slope, prompts=400, seed=0, mark=None):
    """Pairs in which people weigh quality and a trait, and a model that knows the quality and weighs the trait its way.

    The trait is log length, or whether the text holds ``mark``.
    """
    rng = np.random.default_rng(seed)
    groups, scores = [], []
    for i in range(prompts):
        quality = rng.normal(size=2)
        if mark is None:
            lengths = rng.integers(20, 800, size=2)
            trait = np.log1p(lengths)
            texts = ["x" * n for n in lengths]
        else:
            trait = rng.integers(0, 2, size=2).astype(float)
            texts = [mark + "text" if has else "text" for has in trait]
        better = rng.random() < expit(quality[0] - quality[1] + people_slope * (trait[0] - trait[1]))
        groups.append(group(f"g{i}", f"prompt {i}", texts, (1, 2) if better else (2, 1)))
        scores.append((quality + model_slope * trait).tolist())
    return groups, scores


def test_slope_equals_scikit_learns_without_intercept():
    rng = np.random.default_rng(0)
    x, choice = rng.normal(size=300), rng.integers(0, 2, size=300)
    choice[:150] = x[:150] > 0
    fitted = LogisticRegression(fit_intercept=False, C=np.inf).fit(x[:, None], choice).coef_[0, 0]
    share, _ = leaning(np.arange(300), x, choice.astype(float), 1.0, seed=0)
    assert share == pytest.approx(expit(fitted), abs=1e-4)


def test_slope_of_a_mark_is_the_share_of_choices():
    x = np.array([1.0, 1.0, -1.0, 1.0, -1.0])
    choice = np.array([1.0, 0.0, 0.0, 1.0, 0.0])  # the text with the mark wins 4 of 5
    assert leaning(np.arange(5), x, choice, 1.0, seed=0)[0] == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize(("model_slope", "sign"), [(0.4, 0), (1.4, 1), (-0.6, -1)])
def test_length_bias_is_what_goes_beyond_peoples_own(model_slope, sign):
    groups, scores = world(0.4, model_slope, prompts=800)
    (lean,) = find_biases(groups, scores, temperature=1.0).leans
    low, high = lean.difference_ci95
    assert (low > 0) - (high < 0) == sign
    assert lean.people > 0.5
    word = {0: "No bias", 1: "longer texts more than people", -1: "longer texts less than people"}[sign]
    assert word in lean.verdict


def test_interval_covers_no_bias_about_95_times_in_100():
    hits = 0
    for seed in range(30):
        (lean,) = find_biases(*world(0.5, 0.5, prompts=150, seed=seed), temperature=1.0, seed=seed).leans
        hits += lean.difference_ci95[0] <= 0 <= lean.difference_ci95[1]
    assert hits >= 25


@pytest.mark.parametrize(("name", "mark"), [("lists", "- one\n- two\n"), ("bold", "**now** "), ("code", "`x` ")])
def test_formatting_bias(name, mark):
    found = find_biases(*world(0.0, 1.5, mark=mark), temperature=1.0)
    lean = next(lean for lean in found.leans if lean.trait == name)
    assert lean.difference_ci95[0] > 0
    assert lean.comparisons == lean.prompts < 400
    fair = find_biases(*world(0.7, 0.7, mark=mark), temperature=1.0)
    assert not next(lean for lean in fair.leans if lean.trait == name).difference_ci95[0] > 0


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("lists", "Steps:\n1. go\n2. stop", "- alone"),
        ("lists", "* a\n\n* b", "a - b - c\n3.14 is pi"),
        ("headings", "## Title\ntext", "#hashtag"),
        ("bold", "is **very** good", "2 ** 3 ** 4"),
        ("code", "```python\nx\n```", "it's `"),
    ],
)
def test_marks_of_markdown(name, yes, no):
    pattern, least = FORMATS[name]
    assert len(pattern.findall(yes)) >= least
    assert len(pattern.findall(no)) < least


def test_length_matched_accuracy_by_hand():
    texts = ["x" * 100, "x" * 91, "x" * 90, "x" * 50]
    groups = [group(f"g{i}", f"prompt {i}", texts, (1, 2, 3, 4)) for i in range(3)]
    scores = [[4, 3, 2, 1], [3, 4, 2, 1], [4, 3, 3, 9]]
    # of the six pairs only 100–91 (9 %) and 91–90 differ by less than a tenth of the longer; 100–90 is exactly a tenth
    found = length_matched(collect_pairs(groups, scores).decided())
    assert (found.comparisons, found.prompts) == (6, 3)
    assert found.accuracy == pytest.approx((2 + 1 + 1.5) / 6)
    assert "0.1 · max" in found.rule
    apart = [group("g", "p", ["x", "x" * 9], (1, 2))]
    assert length_matched(collect_pairs(apart, [[1, 0]]).decided()).accuracy is None


def test_position_bias_is_peoples():
    rng = np.random.default_rng(0)
    groups = []
    for i in range(200):
        order = rng.permutation(["c0", "c1"]).tolist()
        first = 0 if order[0] == "c0" else 1
        wins = first if rng.random() < 0.7 else 1 - first
        made = group(f"g{i}", f"prompt {i}", ["a", "b"], (1, 2) if wins == 0 else (2, 1))
        groups.append(replace(made, rankings=(replace(made.rankings[0], order=tuple(order)),)))
    found = find_biases(groups, [[1, 0]] * 200, temperature=1.0).position
    assert found.earlier == pytest.approx(0.7, abs=0.08)
    assert found.earlier_ci95[0] > 0.5
    assert "not of the model" in found.verdict
    unrecorded = find_biases(*world(0, 0, prompts=20), temperature=1.0).position
    assert unrecorded.earlier is None
    assert "not recorded" in unrecorded.verdict


def test_few_prompts_give_no_verdict():
    found = find_biases(*world(0.4, 2.0, prompts=6), temperature=1.0)
    assert found.leans == ()
    assert found.scarce[0] == ("length", 6)
