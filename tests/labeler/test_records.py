"""The records: what they accept, how they compare, and that their errors name the field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import combinations

import pytest
from group_strategies import groups
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from labeler.errors import DataError
from labeler.records import Completion, Demonstration, Group, Message, Ranking, Tally, dense_ranks

PROMPT = (Message("user", "Name a prime."),)
PAIR = (Completion("a", "7"), Completion("b", "9"))


@given(st.lists(st.integers(-50, 50), min_size=1))
def test_dense_ranks_are_those_of_scipy(ranks: list[int]) -> None:
    assert list(dense_ranks(ranks)) == rankdata(ranks, method="dense").tolist()


@given(st.lists(st.none() | st.integers(-9, 9)))
def test_dense_ranks_leave_out_what_was_not_ranked(ranks: list[int | None]) -> None:
    dense = dense_ranks(ranks)
    assert [rank is None for rank in dense] == [rank is None for rank in ranks]
    assert list(dense_ranks([r for r in ranks if r is not None])) == [r for r in dense if r is not None]
    assert dense_ranks(dense) == dense


@pytest.mark.parametrize(
    ("field", "build"),
    [
        ("content", lambda text: Message("user", text)),
        ("id", lambda text: Completion(text, "7")),
        ("text", lambda text: Completion("a", text)),
        ("model", lambda text: Completion("a", "7", text)),
        ("annotator", lambda text: Ranking(text, (1, 2))),
        ("at", lambda text: Ranking("ann", (1, 2), at=text)),
        ("note", lambda text: Ranking("ann", (1, 2), note=text)),
        ("flags[0][0]", lambda text: Ranking("ann", (1, 2), flags=((text,), ()))),
        ("id", lambda text: Group(text, PROMPT, PAIR)),
        ("source", lambda text: Group("g", PROMPT, PAIR, source=text)),
        ("meta.x[1]", lambda text: Group("g", PROMPT, PAIR, meta={"x": [1, text]})),
        ("id", lambda text: Demonstration(text, PROMPT, "7")),
        ("completion", lambda text: Demonstration("d", PROMPT, text)),
        ("annotator", lambda text: Demonstration("d", PROMPT, "7", text)),
        ("source", lambda text: Demonstration("d", PROMPT, "7", source=text)),
        ("meta", lambda text: Demonstration("d", PROMPT, "7", meta={text: 1})),
    ],
)
def test_what_no_file_or_no_database_can_hold(field: str, build: Callable[[str], object]) -> None:
    """Without a UTF-8 form: refused everywhere. With a NUL: refused where a database compares, else kept."""
    build("é👩")
    with pytest.raises(DataError, match=r"unpaired surrogate .* at character 1; remove or repair it") as caught:
        build("x\ud800")
    assert caught.value.field == field
    if field in ("id", "annotator", "at"):
        with pytest.raises(DataError, match=r"has a NUL \(U\+0000\) at character 1; remove it") as caught:
            build("x\0")
        assert caught.value.field == field
    else:
        build("x\0")


def test_ranks_are_stored_dense() -> None:
    assert Ranking("ann", (10, 3, 3, None)).ranks == (2, 1, 1, None)


def test_compare() -> None:
    ranking = Ranking("ann", (1, 2, 2, None))
    assert [ranking.compare(0, 1), ranking.compare(1, 0), ranking.compare(1, 2), ranking.compare(0, 3)] == [
        1,
        -1,
        0,
        None,
    ]


@given(groups())
def test_tallies_count_every_comparison_once(group: Group) -> None:
    expected: dict[tuple[int, int], list[int]] = {}
    for ranking in group.rankings:
        last = max((rank for rank in ranking.ranks if rank is not None), default=None)
        for i, j in combinations(range(len(group.completions)), 2):
            first, second = ranking.ranks[i], ranking.ranks[j]
            below_the_top = ranking.top_only and first == second == last  # both were left unordered
            if first is None or second is None or below_the_top:
                continue
            counts = expected.setdefault((i, j), [0, 0, 0])
            counts[0 if first < second else 1 if first == second else 2] += 1
    assert {(t.i, t.j): [t.wins_i, t.ties, t.wins_j] for t in group.tallies()} == expected


@pytest.mark.parametrize(
    ("wins_i", "ties", "wins_j", "majority"),
    [(2, 0, 1, 1), (1, 0, 2, -1), (1, 0, 1, 0), (0, 3, 0, 0), (1, 2, 0, 1), (2, 2, 0, 1), (2, 2, 1, 1), (1, 2, 1, 0)],
)
def test_majority(wins_i: int, ties: int, wins_j: int, majority: int) -> None:
    assert Tally(0, 1, wins_i, ties, wins_j).majority == majority


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: Message("human", "x"), "role"),  # type: ignore[arg-type]
        (lambda: Message("user", None), "content"),  # type: ignore[arg-type]
        (lambda: Completion("", "x"), "id"),
        (lambda: Completion("a", None), "text"),  # type: ignore[arg-type]
        (lambda: Completion("a", "x", 3), "model"),  # type: ignore[arg-type]
        (lambda: Ranking("", (1,)), "annotator"),
        (lambda: Ranking("ann", (1, True)), "ranks[1]"),
        (lambda: Ranking("ann", (1.5,)), "ranks[0]"),  # type: ignore[arg-type]
        (lambda: Ranking("ann", (1, 2), strength=5), "strength"),
        (lambda: Ranking("ann", (1,), ratings=(8,)), "ratings[0]"),
        (lambda: Ranking("ann", (1,), seconds=-1), "seconds"),
        (lambda: Ranking("ann", (1,), weight=-1), "weight"),
        (lambda: Group("", PROMPT, PAIR), "id"),
        (lambda: Group("g", (), PAIR), "prompt"),
        (lambda: Group("g", (*PROMPT, Message("system", "x")), PAIR), "prompt[1].role"),
        (lambda: Group("g", PROMPT, (PAIR[0], PAIR[0])), "completions"),
        (lambda: Group("g", PROMPT, PAIR, split="dev"), "split"),
        (lambda: Group("g", PROMPT, PAIR, (Ranking("ann", (1,)),)), "rankings[0].ranks"),
        (lambda: Group("g", PROMPT, PAIR, (Ranking("ann", (1, 2), flags=((),)),)), "rankings[0].flags"),
        (lambda: Group("g", PROMPT, PAIR, (Ranking("ann", (1, 2), order=("a", "a")),)), "rankings[0].order"),
        (lambda: Group("g", PROMPT, PAIR[:1], (Ranking("ann", (1,), strength=1),)), "rankings[0].strength"),
        (lambda: Demonstration("", PROMPT, "x"), "id"),
        (lambda: Demonstration("d", (), "x"), "prompt"),
        (lambda: Demonstration("d", PROMPT, None), "completion"),  # type: ignore[arg-type]
    ],
)
def test_a_record_that_cannot_be_names_its_field(build: object, field: str) -> None:
    with pytest.raises(DataError) as caught:
        build()  # type: ignore[operator]
    assert caught.value.field == field


def test_records_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAIR[0].text = "8"  # type: ignore[misc]


def test_data_errors_name_the_place() -> None:
    error = DataError("is null; give a string", field="prompt").at(file="a.jsonl", line=3)
    assert str(error) == "a.jsonl:3: prompt: is null; give a string"
    assert error.at(file="b.jsonl", line=9).line == 3
    assert str(DataError("is empty", line=2)) == "line 2: is empty"


def test_those_left_over_share_the_last_rank_and_are_not_compared():
    ranking = Ranking("ann", (2, 5, 2, 5), top_only=True)
    assert (ranking.ranks, ranking.chosen, ranking.last) == ((1, 2, 1, 2), (1, None, 1, None), 2)
    assert [ranking.compare(i, j) for i, j in ((0, 1), (3, 2), (0, 2), (1, 3))] == [1, -1, 0, None]
    assert Ranking("ann", (None, None)).last is None
