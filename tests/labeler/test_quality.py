"""Measures of each person's work: counts by hand, SciPy, planted careless and adversarial people."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from simulated import Person, honest, pair, pairs

from labeler.comparisons import Resamples, comparisons
from labeler.errors import DataError
from labeler.formats import read
from labeler.quality import PersonQuality, Quality, concerns, quality, verdict
from labeler.records import Completion, Group, Message, Ranking

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("REWARD_LABELER_SHARED", ROOT.parent / "shared")) / "data"


def of(groups: list[Group]) -> Quality:
    return quality([(group, ()) for group in groups], comparisons(groups))


def person(groups: list[Group], name: str) -> PersonQuality:
    return next(found for found in of(groups).people if found.annotator == name)


def shown(name: str, *said: Ranking, texts: tuple[str, ...] = ("a", "b", "c"), **meta: object) -> Group:
    completions = tuple(Completion(f"c{i}", text) for i, text in enumerate(texts))
    return Group(name, (Message("user", name),), completions, said, meta=meta)


def test_agreement_with_the_others_counts_pairs_of_people():
    groups = [shown("g", Ranking("ann", (1, 2, 3)), Ranking("bob", (1, 3, 2)), Ranking("eve", (3, 2, 1)))]
    values = {found.annotator: found.agreement for found in of(groups).people}
    assert {name: value.value for name, value in values.items()} == pytest.approx(
        {"ann": 2 / 6, "bob": 3 / 6, "eve": 1 / 6}
    )
    assert values["ann"].comparisons == 6


def test_agreement_is_that_of_all_couples_in_random_data():
    rng = np.random.default_rng(1)
    coin: Person = lambda rng, truth: int(rng.integers(-1, 2))  # noqa: E731
    groups = pairs({f"p{n}": coin for n in range(5)}, 40, 3, seed=2)
    equal = np.zeros((5, 2))
    for group in groups:
        for a, b in combinations(group.rankings, 2):
            for who in (a, b):
                equal[int(who.annotator[1:])] += (a.ranks == b.ranks, 1)
    found = of(groups).people
    assert [p.agreement.value for p in found] == pytest.approx(equal[:, 0] / equal[:, 1])
    assert [p.agreement.comparisons for p in found] == equal[:, 1].tolist()
    assert rng is not None


def test_intervals_are_as_wide_as_those_of_a_proportion():
    rng = np.random.default_rng(3)
    hits = (rng.random(400) < 0.3).astype(float)
    (found,) = Resamples(400, samples=2000).ratios(np.arange(400), np.zeros(400, dtype=int), hits, np.ones(400), 1)
    theirs = stats.binomtest(int(hits.sum()), 400).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_intervals_cover_and_know_that_a_task_hangs_together():
    truth, covered, flat = 0.7, [], []
    rng = np.random.default_rng(4)
    for seed in range(100):
        task = np.repeat(np.arange(60), 5)
        hits = (np.repeat(rng.random(60), 5) < truth).astype(float)  # five answers of one mind
        for tasks, which, kept in ((60, task, covered), (300, np.arange(300), flat)):
            draws = Resamples(tasks, seed=seed)
            (found,) = draws.ratios(which, np.zeros(300, dtype=int), hits, np.ones(300), 1)
            kept.append(found.low <= truth <= found.high)
    assert 0.9 <= np.mean(covered) <= 0.98
    assert np.mean(flat) < 0.75


def test_gold_ranks_say_what_is_right():
    right = shown("g", Ranking("ann", (1, 1, 2)), Ranking("bob", (2, 1, 1)), gold_ranks=[1, 1, 5])
    free = shown("h", Ranking("ann", (3, 2, 1)))
    ann, bob = of([right, free]).people
    assert (ann.gold.value, ann.gold.comparisons) == (1.0, 3)
    assert (bob.gold.value, bob.gold.comparisons) == (0.0, 3)
    assert person([free], "ann").gold.value is None
    partial = shown("p", Ranking("ann", (1, 2, 3)), gold_ranks=[None, 1, 2])
    assert person([partial], "ann").gold.comparisons == 1


@pytest.mark.parametrize("gold", [[1, 2], "abc", [1, 2, "x"], {"a": 1}, [1.5, 2, 3]])
def test_gold_that_does_not_fit_is_named(gold: object):
    with pytest.raises(DataError, match=r"meta.gold_ranks: of group 'g' must be a list"):
        comparisons([shown("g", Ranking("ann", (1, 2, 3)), gold_ranks=gold)])


def test_the_first_shown_on_top_is_tested_exactly():
    groups = []
    for n in range(30):  # the first shown is on top in 25 of 30 pairs
        order, ranks = (("c0", "c1"), (1, 2)) if n % 2 else (("c1", "c0"), (2, 1))
        flipped = tuple(3 - rank for rank in ranks) if n < 5 else ranks
        groups.append(shown(f"g{n}", Ranking("ann", flipped, order=order), texts=("a", "b")))
    groups += [shown("tie", Ranking("ann", (1, 1), order=("c0", "c1")), texts=("a", "b"))]
    groups += [shown("unknown", Ranking("ann", (1, 2)), texts=("a", "b"))]
    found = person(groups, "ann")
    assert (found.first_on_top.value, found.first_on_top.comparisons, found.first_expected) == (25 / 30, 30, 0.5)
    assert found.first_p == pytest.approx(stats.binomtest(25, 30).pvalue)
    assert concerns(found, None)[-1] == "likes what is shown first"


def test_length_is_compared_on_the_same_pairs():
    long, short = (1, 2), (2, 1)
    texts = ("a long text", "short")
    groups = [
        shown("g", Ranking("ann", long), Ranking("bob", short), Ranking("cyn", long), texts=texts),
        shown("h", Ranking("ann", long), Ranking("bob", (1, 1)), texts=texts),
        shown("same", Ranking("ann", long), Ranking("bob", short), texts=("abc", "xyz")),
    ]
    ann, bob, _ = of(groups).people
    assert (ann.longer.value, ann.longer.comparisons) == (1.0, 2)
    assert (ann.length_bias.value, ann.length_bias.comparisons) == (0.5, 1)  # beside bob, who did not, and cyn, who did
    assert (bob.length_bias.value, bob.length_bias.comparisons) == (-1.0, 1)


def test_the_same_question_in_two_tasks_is_answered_alike_or_not():
    first = shown("g1", Ranking("ann", (1, 2, 3)), Ranking("bob", (1, 2, 3)))
    turned = replace(shown("g2", Ranking("ann", (1, 3, 2)), texts=("b", "a", "c")), prompt=first.prompt)
    other = shown("g3", Ranking("bob", (3, 2, 1)))  # another prompt
    ann, bob = of([first, turned, other]).people
    # a before b, a before c, b before c; then b before c, c before a, b before a
    assert (ann.consistency.value, ann.consistency.comparisons) == (1 / 3, 3)
    assert bob.consistency.value is None


def test_speed_is_measured_against_the_fastest_reader():
    texts = ("word " * 100, "word " * 50)
    groups = [shown(f"g{n}", Ranking("ann", (1, 2), seconds=s), texts=texts) for n, s in enumerate((9.9, 10.1, 30.0))]
    found = person([*groups, shown("none", Ranking("ann", (1, 2, 3)))], "ann")
    assert (found.seconds.value, found.seconds_each.value) == (10.1, 5.05)
    assert (found.too_fast.value, found.too_fast.comparisons) == (1 / 3, 3)
    assert person([shown("none", Ranking("ann", (1, 2, 3)))], "ann").seconds.value is None


def test_hours_of_work_count_from_the_first_answer_of_the_day():
    def at(n: int, moment: str, seconds: float, ours: tuple[int, int]) -> Group:
        said = Ranking("ann", ours, at=moment, seconds=seconds), Ranking("bob", (1, 2))
        return shown(f"g{n}", *said, texts=("a", "b"))

    groups = [
        at(1, "2026-01-02T10:00:00Z", 5, (1, 2)),
        at(2, "2026-01-02T08:30:00Z", 7, (1, 2)),
        at(3, "2026-01-02T09:29:59Z", 9, (2, 1)),
        at(4, "2026-01-03T20:00:00Z", 11, (1, 2)),
    ]
    found = {(hour.annotator, hour.hour): hour for hour in of(groups).hours}
    assert set(found) == {(None, 1), (None, 2), ("ann", 1), ("ann", 2)}
    assert (found["ann", 1].seconds.value, found["ann", 2].seconds.value) == (9, 5)
    assert (found["ann", 1].agreement.value, found["ann", 1].agreement.comparisons) == (2 / 3, 3)
    assert found[None, 2].agreement.value == 1.0
    assert of([shown("none", Ranking("ann", (1, 2, 3)))]).hours == ()


def careless(rng: np.random.Generator, truth: int) -> int:
    return 1 if rng.random() < 0.5 else -1


def test_careless_and_adversarial_people_are_told_from_honest_ones():
    people = {f"honest-{n}": honest(0.8) for n in range(8)}
    people |= {"careless": careless, "adversary": honest(0.2), "tie": lambda rng, truth: 0}
    groups = pairs(people, 300, 4, seed=5)
    found = {p.annotator: concerns(p, 0.68) for p in of(groups).people}
    assert found["adversary"][0] == "says the opposite of the others"
    assert found["careless"][0] == "no better than a coin toss"
    assert "mostly ties" in found["tie"]
    assert all(found[f"honest-{n}"] == () for n in range(8))
    assert verdict(person(groups, "honest-0"), 0.68) == "fine"
    assert verdict(person(groups[:3], "honest-0"), 0.68) == "too little to say"


def test_gold_finds_whom_the_majority_hides():
    groups = [pair(f"g{n}", {"a": -1, "b": -1, "c": 1}, 1) for n in range(30)]
    wrong, _, right = of(groups).people
    assert "wrong on gold tasks" in concerns(wrong, None)
    assert right.gold.value == 1.0


@pytest.mark.parametrize("name", ["llmfao_crowd_pairs", "ukp_arguments_a"])
def test_people_planted_into_real_data_are_found(name: str):
    path = DATA / f"{name}.jsonl.gz"
    if not path.is_file():
        pytest.skip("the shared data is not here")
    rng, groups = np.random.default_rng(6), list(read(path).groups)
    for index in rng.choice(len(groups), 150, replace=False):
        group = groups[index]
        majority = sum(r.compare(0, 1) or 0 for r in group.rankings) or 1
        coin, against = ((1, 2) if say > 0 else (2, 1) for say in (careless(rng, 1), -majority))
        groups[index] = replace(group, rankings=(*group.rankings, Ranking("~coin", coin), Ranking("~against", against)))
    table = comparisons(groups)
    found = {p.annotator: concerns(p, None) for p in quality([(g, ()) for g in groups], table).people}
    assert found["~against"][0] == "says the opposite of the others"
    assert found["~coin"][0] == "no better than a coin toss"
    others = [words for who, words in found.items() if who[0] != "~"]
    assert sum("says the opposite of the others" in words for words in others) <= len(others) / 100
    assert sum("no better than a coin toss" in words for words in others) <= len(others) / 7
