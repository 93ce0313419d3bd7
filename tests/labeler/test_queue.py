"""The queue's pure functions."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from labeler import queue


def test_letters():
    assert [queue.label(place) for place in (0, 1, 25, 26, 27, 51, 52, 701, 702)] == [
        "A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


@given(st.integers(), st.text(), st.text(), st.integers(0, 12))
def test_the_shown_order_is_a_permutation_and_stays(seed, task, annotator, k):
    order = queue.shown_order(seed, task, annotator, k)
    assert sorted(order) == list(range(k))
    assert queue.shown_order(seed, task, annotator, k) == order


def test_the_shown_order_never_changes_between_versions():
    """It was recorded with the judgments and shown before a reload; another order would be another experiment."""
    assert queue.shown_order(0, "g1", "ann", 6) == (1, 0, 5, 3, 4, 2)
    assert queue.circle_place(0, "g1") == 319959017
    assert queue.circle_start(0, "ann", 7) == 365294382


def test_every_order_is_as_likely():
    """Chi-square of the 24 orders of four over 2,400 draws: 49.7 is passed by chance once in a thousand."""
    seen = Counter(queue.shown_order(0, f"g{task}", "ann", 4) for task in range(2400))
    statistic = sum((seen[order] - 100) ** 2 / 100 for order in permutations(range(4)))
    assert statistic < 49.7


def test_people_start_at_different_places():
    starts = {queue.circle_start(0, f"p{person}", 0) for person in range(1000)}
    assert len(starts) == 1000
    assert all(0 <= start < queue.CIRCLE for start in starts)


def test_stages():
    assert queue.stage(3, 0) == queue.UNSTARTED
    assert [queue.stage(3, judged) for judged in (1, 2, 3, 4)] == [2, 1, 0, 0]
