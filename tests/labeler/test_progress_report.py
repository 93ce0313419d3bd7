"""What the managers' overview is drawn from."""

from __future__ import annotations

import pytest

from labeler.entities import Judgment
from labeler.progress_report import Throughput, agreement_report, median_seconds, throughput
from labeler.records import Completion, Group, Message, Ranking
from labeler.tallies import Pace


def judgment(annotator: str, at: str | None, seconds: float | None = None, kind: str = "rank") -> Judgment:
    ranking = Ranking(annotator, (1, 2)) if kind == "rank" else None
    nothing = dict.fromkeys(("note", "order", "schema_version", "guidelines_version", "supersedes", "submission_id"))
    return Judgment(
        1, 1, "g", annotator, None, "app", kind, ranking, None if ranking else "why", seconds=seconds, at=at, **nothing
    )


def test_throughput_sums_hours_to_days():
    hours = [("2026-01-02T23", "ann", 1), ("2026-01-02T00", "ann", 2), ("2026-01-01T12", "bob", 4)]
    found = throughput(Pace(hour, annotator, rankings, 9.0) for hour, annotator, rankings in hours)
    assert found == (Throughput("2026-01-01", "bob", 4), Throughput("2026-01-02", "ann", 3))


def test_median_seconds_leaves_out_what_is_unknown():
    answers = [judgment("ann", None, seconds) for seconds in (1.0, 9.0, 2.0, None)]
    assert median_seconds([*answers, judgment("bob", None), judgment("ann", None, 99.0, "skip")]) == {"ann": 2.0}


def group(name: str, **ranks: tuple[int, ...]) -> Group:
    completions = tuple(Completion(f"c{i}", "text") for i in range(3))
    rankings = tuple(Ranking(annotator, values) for annotator, values in ranks.items())
    return Group(name, (Message("user", "?"),), completions, rankings)


def test_agreement_of_each_with_the_others():
    # ann and bob differ on one pair of three; eve is the reverse of ann, agreeing with bob on that one pair.
    report = agreement_report([group("g", ann=(1, 2, 3), bob=(1, 3, 2), eve=(3, 2, 1)), group("alone", ann=(1, 2, 3))])
    assert report.everybody.value == pytest.approx((2 + 0 + 1) / 9)
    assert {name: estimate.value for name, estimate in report.people.items()} == {
        "ann": pytest.approx(2 / 6),
        "bob": pytest.approx(3 / 6),
        "eve": pytest.approx(1 / 6),
    }
    assert report.people["ann"].comparisons == 6


def test_ties_are_dropped_where_it_says_so():
    report = agreement_report([group("g", ann=(1, 1, 2), bob=(1, 2, 3))])
    assert report.everybody.value == pytest.approx(2 / 3)
    assert report.decided.value == 1.0


def test_nothing_judged_twice_is_no_agreement():
    report = agreement_report([group("g", ann=(1, 2, 3))])
    assert report.everybody.value is None
    assert report.people == {}
