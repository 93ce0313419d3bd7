"""Gold items: scored, hidden among the others, told of, and pauses for who falls short."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from store_helpers import ask, group, people, project, ranking, skip

from labeler.errors import DataError, NotFoundError, UsageError
from labeler.gold import GoldRules, falls_short, feedback, score
from labeler.gold_desk import GoldDesk
from labeler.handles import SPACE, handle, is_handle, project_of_handle, task_of_handle
from labeler.queue import coin
from labeler.records import Group, Ranking
from labeler.schema import tasks
from labeler.store import Store

RIGHT = {"c0": 1, "c1": 2, "c2": 3}
WRONG = {"c0": 3, "c1": 2, "c2": 1}


def gold_group(number: int, note: str | None = None) -> Group:
    meta = {"gold_ranks": [1, 2, 3], **({"gold_note": note} if note else {})}
    return replace(group(number), meta=meta)


def gold_project(store: Store, ordinary: int = 30, gold: int = 10, overlap: int = 1, **rules: object):
    essays = project(store, groups=ordinary, overlap=overlap)
    store.import_groups(essays.id, [gold_group(1000 + number) for number in range(gold)])
    GoldDesk(store).set_rules(essays.id, GoldRules(**{"share": 0.3, **rules}))  # type: ignore[arg-type]
    return essays


def number_of(task) -> int:
    return int(task.group_id[1:])


def work(store: Store, essays, user, ranks=RIGHT, most: int = 10_000) -> list[int]:
    """Everything that a person gets, answered; the numbers of its groups."""
    seen: list[int] = []
    while len(seen) < most and (task := store.next_task(essays.id, user.id)):
        store.submit(user.id, ranking(task, ranks=ranks))
        seen.append(number_of(task))
    return seen


@given(st.permutations([1, 2, 3, 4]), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_the_score_counts_equal_signs(right: list[int], said: list[int]):
    expected = sum(
        ((right[i] > right[j]) - (right[i] < right[j])) == ((said[i] > said[j]) - (said[i] < said[j]))
        for i, j in combinations(range(4), 2)
    )
    assert score(Ranking("x", tuple(said)), Ranking("gold", tuple(right))) == (expected, 6)


def test_what_nobody_was_asked_for_is_not_scored():
    right = Ranking("gold", (1, 2, 3))
    assert score(Ranking("x", (1, 2, 2), top_only=True), right) == (2, 2)
    assert score(Ranking("x", (1, None, None)), right) == (0, 3)
    assert score(Ranking("x", (None,) * 3, ratings=(7, 4, 2)), right) == (3, 3)
    assert score(Ranking("x", (1, 1, 2)), Ranking("gold", (1, None, 2))) == (1, 1)


def test_feedback_follows_the_rules():
    item, good, bad = gold_group(1, "because"), Ranking("x", (1, 2, 3)), Ranking("x", (2, 1, 3))
    assert feedback(GoldRules(0.1, "none"), item, bad) is None
    assert feedback(GoldRules(0.1, "wrong"), item, good) is None
    told = feedback(GoldRules(0.1, "wrong"), item, bad)
    assert told
    assert (told.correct, told.note, told.right) == (False, "because", RIGHT)
    assert told.given == {"c0": 2, "c1": 1, "c2": 3}
    assert feedback(GoldRules(0.1, "each"), item, good).correct  # type: ignore[union-attr]


def test_falling_short_needs_enough_items():
    rules = GoldRules(0.1, threshold=0.7, least=3)
    assert falls_short(rules, [(0, 3), (0, 3)]) is None
    assert falls_short(rules, [(0, 3), (3, 3), (3, 3)]) == pytest.approx(6 / 9)
    assert falls_short(rules, [(1, 3), (3, 3), (3, 3)]) is None
    assert falls_short(replace(rules, threshold=None), [(0, 3)] * 9) is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"share": 0.6}, "share"),
        ({"feedback": "x"}, "feedback"),
        ({"threshold": 2.0}, "threshold"),
        ({"least": 0}, "least"),
    ],
)
def test_rules_out_of_range_are_refused(values: dict[str, object], field: str):
    with pytest.raises(DataError) as refused:
        GoldRules(**values)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_the_coin_is_fair():
    drawn = sum(coin(0.2, 7, "ann", turn) for turn in range(5000))
    assert binomtest(drawn, 5000, 0.2).pvalue > 0.001
    assert not any(coin(0.0, 7, "ann", turn) for turn in range(100))


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**20), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_handles_open_again(task: int, project_id: int, secret: str):
    number = handle(secret, project_id, task)
    assert is_handle(number)
    assert number < 2**53  # a whole number to JavaScript
    assert (project_of_handle(number), task_of_handle(secret, number)) == (project_id, task)


def test_handles_do_not_tell_the_order():
    found = [handle("s" * 32, 1, task) % SPACE for task in range(1, 2001)]
    assert len(set(found)) == 2000
    rising = sum(a < b for a, b in pairwise(found))
    assert 900 < rising < 1100


def test_everybody_meets_gold_whatever_the_overlap_and_nobody_twice(store: Store):
    essays = gold_project(store, ordinary=60, gold=6, share=0.3)
    ann, bob = people(store, "ann", "bob")
    first, second = work(store, essays, ann, most=30), work(store, essays, bob, most=30)
    for seen in (first, second):
        assert len(set(seen)) == 30
        assert sum(number >= 1000 for number in seen) == 6  # all there are, 30 × 0.3 being more
    assert {n for n in first if n >= 1000} == {n for n in second if n >= 1000}
    assert not {n for n in first if n < 1000} & {n for n in second if n < 1000}
    assert [n for n in first if n >= 1000] != [n for n in second if n >= 1000]


def test_the_draw_is_the_same_after_a_reload_and_in_another_run(store: Store, clock):
    essays = gold_project(store)
    (ann,) = people(store, "ann")
    for _ in range(6):
        task = ask(store, essays, ann)
        assert ask(store, essays, ann).task_id == task.task_id
        clock.now += 2 * essays.lease_seconds  # the lease is gone: drawn again
        again = ask(store, essays, ann)
        assert again.task_id == task.task_id
        store.submit(ann.id, ranking(again))
    expected = [coin(0.3, essays.seed, "ann", turn) for turn in range(6)]
    seen = [judgment.group_id for judgment, _ in store.judgment_page(essays.id, after=0, limit=10, standing=True)]
    assert [int(name[1:]) >= 1000 for name in seen] == expected


def test_who_leaves_sensitive_tasks_out_meets_none_among_the_gold_items(store: Store, clock):
    essays = gold_project(store, ordinary=12, gold=0, share=0.0)
    hard = [replace(gold_group(number), meta={"gold_ranks": [1, 2, 3], "sensitive": True}) for number in (1000, 1001)]
    store.import_groups(essays.id, [*hard, gold_group(1002)])
    GoldDesk(store).set_rules(essays.id, GoldRules(0.5))
    ann, bob = people(store, "ann", "bob")
    store.opt_out(essays.id, ann.id, clock() + 3600)
    assert {n for n in work(store, essays, ann, most=6) if n >= 1000} == {1002}
    assert {n for n in work(store, essays, bob, most=6) if n >= 1000} == {1000, 1001, 1002}


def test_gold_goes_out_of_the_queue_and_back(store: Store):
    essays = gold_project(store, ordinary=2, gold=3, share=0.5)
    (ann,) = people(store, "ann")
    assert store.counts(essays.id).tasks == 2
    work(store, essays, ann)
    desk = GoldDesk(store)
    desk.set_rules(essays.id, GoldRules())
    counts = store.counts(essays.id)
    assert (counts.tasks, counts.finished) == (5, counts.judgments)
    (bob,) = people(store, "bob")
    assert len(work(store, essays, bob)) == 5 - counts.judgments
    assert store.counts(essays.id).finished == 5


def test_gold_that_is_imported_later_is_hidden_too(store: Store):
    essays = gold_project(store, ordinary=2, gold=1)
    store.import_groups(essays.id, [gold_group(2000), group(3)])
    with store.database.read() as connection:
        found = connection.execute(sa.select(tasks.c.group_id, tasks.c.pool, tasks.c.remaining)).all()
    pools = {row.group_id: (row.pool, row.remaining) for row in found}
    assert pools["g2000"] == pools["g1000"] == ("gold", 0)
    assert pools["g3"] == ("queue", 1)
    bad = replace(group(2001), meta={"gold_ranks": [1, 2]})
    with pytest.raises(DataError, match="g2001"):
        store.import_groups(essays.id, [bad])
    assert store.counts(essays.id).tasks == 3


def test_rules_need_gold_items(store: Store):
    essays = project(store)
    with pytest.raises(UsageError, match="no task has known answers"):
        GoldDesk(store).set_rules(essays.id, GoldRules(0.1))
    assert GoldDesk(store).rules(essays.id) == GoldRules()


def test_the_total_does_not_tell_that_a_task_was_gold(store: Store):
    essays = gold_project(store, ordinary=50, gold=40, share=0.2)
    (ann,) = people(store, "ann")
    totals: list[tuple[bool, int]] = []
    for _ in range(30):
        task = ask(store, essays, ann)
        store.submit(ann.id, ranking(task))
        totals.append((number_of(task) >= 1000, store.progress(essays.id, ann.id).total))
    assert Counter(gold for gold, _ in totals)[True] >= 2
    assert {total for _, total in totals} == {62}  # 50 and a quarter of it


def test_a_skip_of_gold_changes_the_total_as_any_skip_does(store: Store):
    essays = gold_project(store, ordinary=50, gold=40, share=0.2)
    (ann,) = people(store, "ann")
    before, changes = store.progress(essays.id, ann.id).total, {}
    for _ in range(12):
        task = ask(store, essays, ann)
        store.submit(ann.id, skip(task))
        after = store.progress(essays.id, ann.id).total
        changes.setdefault(number_of(task) >= 1000, set()).add(before - after)
        before = after
    assert changes[True] <= changes[False] | {1, 2}


def test_who_falls_short_is_paused_until_a_manager_lifts_it(store: Store, clock):
    essays = gold_project(store, ordinary=100, gold=30, share=0.5, threshold=0.6, least=3)
    (ann, bob), boss = people(store, "ann", "bob"), store.add_user("boss", "manager")
    desk = GoldDesk(store)
    seen = work(store, essays, ann, WRONG)
    assert sum(number >= 1000 for number in seen) == 3
    assert desk.standing(essays.id, ann.id).paused
    assert not desk.standing(essays.id, bob.id).paused
    assert len(work(store, essays, bob, RIGHT, most=20)) == 20
    report = desk.report(essays.id)
    paused = next(person for person in report.people if person.name == "ann")
    assert (paused.seen, paused.right.value) == (3, 0.0)
    assert paused.pause is not None
    with pytest.raises(NotFoundError):
        desk.lift(essays.id + 1, paused.pause, boss.id)
    clock.now += 1
    desk.lift(essays.id, paused.pause, boss.id)
    with pytest.raises(NotFoundError):
        desk.lift(essays.id, paused.pause, boss.id)
    clock.now += 1
    again = work(store, essays, ann, WRONG)
    assert sum(number >= 1000 for number in again) == 3  # what was before counts no more
    assert desk.standing(essays.id, ann.id).paused


def test_corrections_count_only_where_nothing_was_told(store: Store):
    for when, expected in (("none", False), ("each", True)):
        made = store.add_project(when, dwell_seconds=0)
        store.import_groups(made.id, [*map(gold_group, range(2)), *map(group, range(5, 40))])
        GoldDesk(store).set_rules(made.id, GoldRules(0.5, when, threshold=0.9, least=2))  # type: ignore[arg-type]
        (ann,) = people(store, f"ann-{when}")
        with store.database.read() as connection:
            ids = connection.execute(sa.select(tasks.c.id).where(tasks.c.project_id == made.id, tasks.c.pool == "gold"))
            gold = set(ids.scalars())
        answered = 0
        while answered < 2:
            task = ask(store, made, ann)
            judgment = store.submit(ann.id, ranking(task, ranks=WRONG if not answered else RIGHT))
            if task.task_id in gold:
                answered += 1
                if answered == 1:
                    back = store.undo(made.id, ann.id, judgment.id)
                    assert back
                    store.submit(ann.id, ranking(back, ranks=RIGHT))
        assert GoldDesk(store).standing(made.id, ann.id).paused is expected


def test_the_page_calls_tasks_by_handles(store: Store):
    essays, desk = gold_project(store), GoldDesk(store)
    number = desk.handles(essays.id, [7])[7]
    assert number > 2**31
    assert (desk.task_of(number), desk.task_of(7)) == (7, 7)
    plain = store.add_project("plain")
    assert desk.handles(plain.id, [7]) == {7: 7}
    with pytest.raises(NotFoundError):
        desk.task_of(handle("0" * 32, plain.id, 7))
    with pytest.raises(NotFoundError):
        desk.task_of(10**30)
