"""Scoring of published benchmarks against examples worked by hand from their definitions."""

import numpy as np
import pytest

from labeler.errors import DataError
from labeler.records import Completion, Group, Message, Ranking
from reward.benchmarks import best_of_n_credit, levels, score_benchmark, style_matrix, ties_score


def row(name, chosen, rejected, prompt=None, **meta):
    texts = [f"answer {i}" for i in range(chosen + rejected)]
    return Group(
        name,
        (Message("user", prompt or f"prompt of {name}"),),
        tuple(Completion(f"c{i}", text) for i, text in enumerate(texts)),
        (Ranking("dataset", (1,) * chosen + (2,) * rejected),),
        meta=meta,
    )


@pytest.mark.parametrize(
    ("chosen", "rejected", "credit"),
    [
        ([2.0], [1, 0, 1], 1),
        ([2.0], [2, 0, 1], 1 / 2),
        ([2.0], [2, 2, 2], 1 / 4),
        ([2.0], [3, 2, 2], 0),
        ([0.0], [-1, 0, 0], 1 / 3),
    ],
)
def test_best_of_four_shares_the_credit_at_the_maximum(chosen, rejected, credit):
    assert best_of_n_credit(np.array(chosen), np.array(rejected, dtype=float)) == pytest.approx(credit)


def test_rewardbench2_is_the_mean_of_its_subsets():
    groups = [
        row("Math-1", 1, 3, subset="Math"),
        row("Math-2", 1, 3, subset="Math"),
        row("Focus-1", 1, 3, subset="Focus"),
    ]
    found = score_benchmark("rewardbench2", groups, [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]])
    assert {part.name: part.score for part in found.parts} == {"Math": 0.75, "Focus": 0.0}
    assert found.score == pytest.approx((0.75 + 0) / 2)
    assert "37.5 over 3 rows" in found.verdict


def ties_rows():
    """Three prompts with a reference row and a tied row, and scores to work with by hand."""
    groups, scores = [], []
    for number, reference, tied in (
        ("0", ([5], [1, 2]), ([4.0, 5.0], [1, 0])),  # gap 3 and 3, spread 1: preferred, also with the smaller gap
        ("1", ([2], [1.5]), ([3.0, 1.0, 2.5], [0.5])),  # gap 0.5 and 0.5, spread 2: accurate, not preferred
        ("2", ([1], [2]), ([6.0, 5.0], [2, 1])),  # gap −1 and 3, spread 1: preferred on the tied row alone
    ):
        for kind, (chosen, rejected) in (("ref", reference), ("tied", tied)):
            groups.append(row(f"Ties-{kind}:{number}", len(chosen), len(rejected), prompt=number, subset="Ties"))
            scores.append([*chosen, *rejected])
    return groups, scores


def test_ties_by_hand():
    groups, scores = ties_rows()
    found = ties_score("Ties", [(g, np.array(s, dtype=float)) for g, s in zip(groups, scores, strict=True)])
    assert found.reference_accuracy == pytest.approx(2 / 3)
    assert found.tied_accuracy == 1.0
    assert found.preferred == pytest.approx(2 / 3)
    assert found.preferred_hard == pytest.approx(1 / 3)
    margin = np.mean([np.tanh(3 / 1 - 1), np.tanh(0.5 / 2 - 1), np.tanh(-1 / 1 - 1)])
    assert found.margin == pytest.approx(margin)
    whole = score_benchmark("rewardbench2", groups, scores)
    assert whole.ties == found
    assert whole.score == pytest.approx(0.3 * 1 + 0.3 * 2 / 3 + 0.2 * 2 / 3 + 0.2 / 3 + 0.01 * margin)


def test_ties_with_equal_right_scores_have_a_margin_of_one_and_of_zero_where_nothing_differs():
    pair = [row("Ties-ref:1", 1, 1, subset="Ties"), row("Ties-tied:1", 2, 1, subset="Ties")]
    clear = ties_score("Ties", [(pair[0], np.array([2.0, 1.0])), (pair[1], np.array([2.0, 2.0, 1.0]))])
    assert (clear.margin, clear.preferred_hard) == (1.0, 1.0)
    blind = ties_score("Ties", [(pair[0], np.ones(2)), (pair[1], np.ones(3))])
    assert (blind.margin, blind.preferred, blind.tied_accuracy) == (0.0, 0.0, 0.0)


def test_style_matrix_is_strict_and_its_triangles_are_the_levels():
    # chosen: concise 2, detailed 3, Markdown 1; rejected: concise 2, detailed 1, Markdown 2.5
    matrix = style_matrix(np.array([2.0, 3.0, 1.0]), np.array([2.0, 1.0, 2.5]))
    assert matrix.tolist() == [[0, 1, 0], [1, 1, 1], [0, 0, 0]]
    assert levels(matrix) == {
        "hard": pytest.approx(2 / 3),
        "normal": pytest.approx(1 / 3),
        "easy": pytest.approx(1 / 3),
    }


def test_rm_bench_counts_domains_alike_and_safety_once():
    groups = [
        row("1", 3, 3, domain="chat"),
        row("2", 3, 3, domain="chat"),
        row("3", 3, 3, domain="safety-refuse"),
        row("4", 3, 3, domain="safety-response"),
    ]
    right, wrong = [2, 2, 2, 1, 1, 1], [1, 1, 1, 2, 2, 2]
    found = score_benchmark("rm-bench", groups, [right, right, right, wrong])
    assert {part.name: part.score for part in found.parts} == {"chat": 1, "safety-refuse": 1, "safety-response": 0}
    assert found.levels == {"hard": 0.75, "normal": 0.75, "easy": 0.75}  # chat 1, safety one half
    assert found.score == 0.75
    assert found.matrix == ((0.75,) * 3,) * 3  # over rows: three of four


def test_rows_that_do_not_fit_are_left_out_and_told():
    groups = [row("1", 1, 3, subset="Math"), row("2", 1, 3, subset="Math")]
    found = score_benchmark("rewardbench2", groups, [[1, 0, 0, 0], [1, 0, float("nan"), 0]])
    assert (found.score, found.left_out) == (1.0, 1)
    assert "1 rows do not fit" in found.verdict


@pytest.mark.parametrize(
    ("name", "made", "message"),
    [
        ("rm-bench", row("g7", 1, 3, domain="chat"), "g7.*three of each"),
        ("rewardbench2", row("Ties-x", 1, 3, subset="Ties"), "ref:N or tied:N"),
        ("rewardbench2", row("Ties-ref:1", 1, 3, subset="Ties"), "both of its rows"),
        ("rewardbench2", row("g8", 4, 0, subset="Math"), "g8.*no rejected"),
    ],
)
def test_rows_of_another_kind_are_refused(name, made, message):
    with pytest.raises(DataError, match=message):
        score_benchmark(name, [made], [[1.0, 2.0, 3.0, 4.0]])
