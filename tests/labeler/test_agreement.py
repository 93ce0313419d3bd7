"""Agreement statistics against published tables, scikit-learn and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau
from sklearn.metrics import cohen_kappa_score

from labeler.agreement import (
    annotator_pairs,
    cohen_kappa,
    fleiss_kappa,
    kendall_tau_b,
    krippendorff_alpha,
    pairwise_agreement,
    ratio_interval,
    reliability,
)
from labeler.records import Completion, Group, Message, Ranking


def units(*raters: str) -> list[list[float | None]]:
    """One string a rater, one character a unit, a dot where nothing was given."""
    return [[None if c == "." else float(ord(c)) for c in column] for column in zip(*raters, strict=True)]


# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", examples A to C.
EXAMPLE_A = units("0100000010", "1110010000")
EXAMPLE_B = units("aabbdcccedda", "babbbccceddd")
EXAMPLE_C = units("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


@pytest.mark.parametrize(
    ("data", "level", "published"),
    [
        (EXAMPLE_A, "nominal", 0.095),
        (EXAMPLE_B, "nominal", 0.692),
        (EXAMPLE_C, "nominal", 0.743),
        (EXAMPLE_C, "ordinal", 0.815),
        (EXAMPLE_C, "interval", 0.849),
    ],
)
def test_krippendorffs_worked_examples(data, level, published):
    assert krippendorff_alpha(data, level) == pytest.approx(published, abs=0.0005)


def test_fleiss_worked_example():
    """Ten subjects, fourteen raters, five categories; κ = 0.210 (the table in Wikipedia's article on Fleiss' kappa)."""
    table = """0 0 0 0 14  0 2 6 4 2  0 0 3 5 6  0 3 9 2 0  2 2 8 1 1
               7 7 0 0 0  3 2 6 3 0  2 5 3 2 2  6 5 2 1 0  0 2 2 3 7"""
    counts = np.array(table.split(), dtype=float).reshape(10, 5)
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=0.0005)


numbers = st.integers(0, 4)
pairs = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30)


@given(pairs, st.sampled_from([None, "linear", "quadratic"]))
def test_cohens_kappa_is_scikit_learns(rows, weights):
    a, b = [row[0] for row in rows], [row[1] for row in rows]
    ours = cohen_kappa(a, b, weights=weights)
    if len({*a, *b}) == 1:
        assert ours is None
    else:
        expected = cohen_kappa_score(a, b, weights=weights)
        assert ours == pytest.approx(expected, abs=1e-9) or (ours is None and math.isnan(expected))


@given(pairs)
def test_kendalls_tau_is_scipys(rows):
    a, b = [row[0] for row in rows], [row[1] for row in rows]
    expected = kendalltau(a, b, variant="b").statistic
    ours = kendall_tau_b(a, b)
    assert (ours is None and math.isnan(expected)) or ours == pytest.approx(expected, abs=1e-9)


def group(name: str, *rankings: Ranking, k: int = 3) -> Group:
    completions = tuple(Completion(f"c{i}", f"text {i}") for i in range(k))
    return Group(name, (Message("user", "?"),), completions, rankings)


def test_pairwise_agreement_counted_by_hand():
    """a: 0>1>2, b: 0>2>1, c: 0=1, did not rank 2. Of the comparisons (0,1) a-b agree, a-c and b-c are tie against win;
    (0,2) a-b agree; (1,2) a-b disagree."""
    said = (Ranking("a", (1, 2, 3)), Ranking("b", (1, 3, 2)), Ranking("c", (1, 1, None)))
    groups = [group("g", *said)]
    strict = pairwise_agreement(groups)
    assert (strict.value, strict.comparisons) == (2 / 5, 5)
    assert pairwise_agreement(groups, ties="half").value == 3 / 5
    dropped = pairwise_agreement(groups, ties="drop")
    assert (dropped.value, dropped.comparisons) == (2 / 3, 3)


def test_nothing_compared_twice_is_no_number():
    single = reliability([group("g", Ranking("a", (1, 2, 3))), group("h")])
    assert single.agreement.value is single.fleiss_kappa is single.krippendorff_alpha is single.kendall_tau is None
    everyone_ties = reliability([group("g", Ranking("a", (1, 1, 1)), Ranking("b", (1, 1, 1)))])
    assert everyone_ties.agreement.value == 1.0
    assert everyone_ties.fleiss_kappa is everyone_ties.kendall_tau is everyone_ties.decided.value is None


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_the_order_of_completions_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    rows = [[tuple(int(r) for r in rng.integers(1, 4, 3)) for _ in "abc"] for _ in range(6)]
    plain = [group(str(i), *map(Ranking, "abc", row)) for i, row in enumerate(rows)]
    turned = [group(str(i), *map(Ranking, "abc", [r[::-1] for r in row])) for i, row in enumerate(rows)]
    first, second = reliability(plain), reliability(turned)
    assert first.agreement == second.agreement
    for name in ("fleiss_kappa", "krippendorff_alpha", "kendall_tau"):
        assert getattr(first, name) == pytest.approx(getattr(second, name))


def test_two_raters_of_pairs_against_scikit_learn():
    """With K = 2 and both directions counted, the κ of two annotators is scikit-learn's over the doubled list."""
    rng = np.random.default_rng(1)
    said = [(tuple(rng.integers(1, 3, 2)), tuple(rng.integers(1, 3, 2))) for _ in range(50)]
    groups = [
        group(str(i), Ranking("x", tuple(map(int, a))), Ranking("y", tuple(map(int, b))), k=2)
        for i, (a, b) in enumerate(said)
    ]
    (pair,) = annotator_pairs(groups)
    left = [int(np.sign(a[1] - a[0])) for a, _ in said]
    right = [int(np.sign(b[1] - b[0])) for _, b in said]
    doubled = cohen_kappa_score(left + [-v for v in left], right + [-v for v in right])
    assert pair.kappa == pytest.approx(doubled)
    assert (pair.first, pair.second, pair.comparisons) == ("x", "y", 50)
    assert pair.agreement == pytest.approx(np.mean(np.equal(left, right)))


def test_the_interval_covers_the_truth_when_tasks_cluster():
    """Tasks of ten comparisons that all agree or all disagree: the interval must be as wide as that of single tasks."""
    rng = np.random.default_rng(0)
    covered, widths = 0, []
    for trial in range(60):
        agreed = (rng.random(100) < 0.7) * 10.0
        estimate = ratio_interval(np.stack([agreed, np.full(100, 10.0)], axis=1), samples=300, seed=trial)
        covered += estimate.low <= 0.7 <= estimate.high
        widths.append(estimate.high - estimate.low)
    assert covered >= 51  # 95 % of 60 is 57; fewer than 51 has a chance below one in a hundred
    assert np.mean(widths) == pytest.approx(2 * 1.96 * math.sqrt(0.7 * 0.3 / 100), rel=0.1)
