"""Means of ratings and flags with their intervals and agreement, beside scipy, scikit-learn and counts by hand."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from labeler.agreement import krippendorff_alpha, ratio_interval, ratio_intervals
from labeler.entities import Judgment
from labeler.label_schema import Flag, LabelSchema
from labeler.rating_report import UNKNOWN, lines, rating_report
from labeler.records import Completion, Group, Message, Ranking

_ids = count(1)


def group(name: str, models: tuple[str | None, ...]) -> Group:
    completions = tuple(Completion(f"c{i}", f"text {i}", model) for i, model in enumerate(models))
    return Group(name, (Message("user", "?"),), completions)


def said(annotator: str, ratings=None, flags=None, prompt_flags=None, version: int | None = 1) -> Judgment:
    ranking = Ranking(annotator, (None, None), ratings=ratings, flags=flags, prompt_flags=prompt_flags)
    times = {"seconds": None, "at": None, "guidelines_version": None, "supersedes": None, "submission_id": None}
    plain = {"reason": None, "note": None, "order": None, "user_id": None, "schema_version": version}
    return Judgment(next(_ids), 1, "g", annotator, origin="app", kind="rank", ranking=ranking, **plain, **times)


SCHEMAS = {
    1: LabelSchema("rate", flags=(Flag("rude"),), prompt_flags=(Flag("vague"),)),
    2: LabelSchema("rate", flags=(Flag("rude"), Flag("long"))),
}


def test_means_by_model_and_only_of_what_was_asked():
    judged = (
        (group("g1", ("m1", "m2")), (said("x", (7, 1), (("rude",), ()), ("vague",)), said("y", (5, 3), ((), ()), ()))),
        (group("g2", ("m2", None)), (said("x", (2, 4), (("long",), ("rude", "long")), version=2),)),
    )
    found = rating_report(judged, SCHEMAS)
    means = {(mark.model, mark.what): (mark.estimate.value, mark.estimate.comparisons) for mark in found.ratings}
    assert means == {("m1", "rating"): (6, 2), ("m2", "rating"): (2, 3), (UNKNOWN, "rating"): (4, 1)}
    rates = {(mark.model, mark.what): (mark.estimate.value, mark.estimate.comparisons) for mark in found.flags}
    assert rates == {
        ("m1", "rude"): (0.5, 2),
        ("m2", "rude"): (0, 3),
        ("m2", "long"): (1, 1),
        (UNKNOWN, "rude"): (1, 1),
        (UNKNOWN, "long"): (1, 1),
    }
    assert [(m.model, m.what, m.estimate.value, m.estimate.comparisons) for m in found.prompt_flags] == [
        (None, "vague", 0.5, 2)
    ]
    assert [(item.what, item.completions, item.equal.value) for item in found.agreement] == [
        ("rating", 2, 0.0),
        ("rude", 2, 0.5),
    ]
    text = "\n".join(lines(found))
    assert "mean rating of m1: 6.00" in text
    assert "prompts vague: 50.0%" in text


def test_imported_flags_count_as_asked_wherever_flags_came_along():
    one, other, without = (said("x", flags=flags, version=None) for flags in ((("a",), ("b",)), ((), ("a",)), None))
    judged = tuple((group(f"g{i}", ("m", "m")), (item,)) for i, item in enumerate((one, other, without)))
    found = rating_report(judged, {})
    assert [(mark.what, mark.estimate.value, mark.estimate.comparisons) for mark in found.flags] == [
        ("a", 0.5, 4),
        ("b", 0.25, 4),
    ]


def test_nothing_rated_is_an_empty_report():
    found = rating_report(((group("g", ("m", "n")), (said("x", version=None),)),), SCHEMAS)
    assert (found.ratings, found.flags, found.prompt_flags, found.agreement) == ((), (), (), ())
    assert lines(found) == []
    assert rating_report((), SCHEMAS) == found


def test_agreement_of_two_people_is_scikit_learns_and_krippendorffs():
    """With two raters of every unit, Fleiss' κ is Scott's π: Cohen's κ of both with each other's answers joined."""
    rng = np.random.default_rng(5)
    truth = rng.integers(2, size=(200, 2))
    noisy = np.where(rng.random((2, 200, 2)) < 0.2, 1 - truth, truth)
    ratings = np.clip(2 + 3 * truth + rng.integers(-1, 2, size=(2, 200, 2)), 1, 7)
    judged = tuple(
        (
            group(f"g{task}", ("m1", "m2")),
            tuple(
                said(
                    name,
                    tuple(int(value) for value in ratings[who, task]),
                    tuple(("rude",) if value else () for value in noisy[who, task]),
                )
                for who, name in enumerate("xy")
            ),
        )
        for task in range(200)
    )
    rating, rude = rating_report(judged, SCHEMAS).agreement
    first, second = noisy[0].ravel(), noisy[1].ravel()
    joined = cohen_kappa_score(np.concatenate([first, second]), np.concatenate([second, first]))
    assert rude.coefficient == pytest.approx(joined, abs=1e-9)
    assert rude.equal.value == pytest.approx((first == second).mean())
    units = list(zip(ratings[0].ravel().tolist(), ratings[1].ravel().tolist(), strict=True))
    assert rating.coefficient == pytest.approx(krippendorff_alpha(units, "ordinal"))
    assert rating.completions == 400


def test_intervals_are_scipys_bootstrap_of_tasks():
    rng = np.random.default_rng(3)
    asked = rng.integers(1, 5, size=(80, 2)).astype(float)
    sums = rng.binomial(asked.astype(int), (0.2, 0.7)).astype(float)
    ours = ratio_intervals(np.stack([sums, asked], axis=2), samples=6000)
    for index, estimate in enumerate(ours):
        theirs = stats.bootstrap(
            (sums[:, index], asked[:, index]),
            lambda top, bottom, axis: top.sum(axis=axis) / bottom.sum(axis=axis),
            paired=True,
            vectorized=True,
            n_resamples=6000,
            method="percentile",
            random_state=1,
        ).confidence_interval
        assert (estimate.low, estimate.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
        assert estimate == ratio_interval(np.stack([sums, asked], axis=2)[:, index], samples=6000)
