"""Overlap, dwell and lease time of a project that is at work, on both databases."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
from store_helpers import ask, check_counters, group, people, project, ranking, skip

from labeler.errors import ConflictError, NotFoundError, UsageError
from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk
from labeler.queue import UNSTARTED
from labeler.records import Ranking
from labeler.review_desk import ReviewDesk
from labeler.schema import tasks
from labeler.store import Store


def slots(store: Store) -> dict[str, tuple[int, int, int]]:
    with store.database.read() as connection:
        rows = connection.execute(sa.select(tasks.c.group_id, tasks.c.overlap, tasks.c.remaining, tasks.c.stage))
        return {row.group_id: (row.overlap, row.remaining, row.stage) for row in rows}


def test_a_new_overlap_counts_what_is_there(store: Store):
    essays = project(store, groups=0, overlap=1)
    given = tuple(Ranking(name, (1, 2, 3)) for name in ("x", "y", "x"))  # one person twice counts once
    store.import_groups(essays.id, [group(0), group(1, rankings=given), group(2)])
    ann, bob = people(store, "ann", "bob")
    first = ask(store, essays, ann)
    store.submit(ann.id, ranking(first))
    store.undo(essays.id, ann.id)
    store.submit(ann.id, ranking(ask(store, essays, ann)))  # corrected: still one
    store.submit(bob.id, skip(ask(store, essays, bob)))
    untouched = ({"g0", "g2"} - {first.group_id}).pop()
    for overlap, two, one in ((3, (3, 1, 1), (3, 2, 2)), (2, (2, 0, 0), (2, 1, 1)), (1, (1, 0, 0), (1, 0, 0))):
        assert store.set_rules(essays.id, overlap=overlap).overlap == overlap
        assert slots(store) == {"g1": two, first.group_id: one, untouched: (overlap, overlap, UNSTARTED)}
        counts = store.counts(essays.id)  # kept, not counted
        left = [remaining for _, remaining, _ in slots(store).values()]
        assert (counts.finished, counts.judgments, counts.tasks) == (left.count(0), 4, 3)
        with store.frozen(essays.id) as frozen:
            assert frozen.slots_left() == sum(left)


def test_gold_items_stay_outside_the_queue_and_decisions_are_no_answers(store: Store):
    essays = project(store, groups=1, overlap=1)
    (ann,), boss = people(store, "ann"), store.add_user("boss", "manager")
    first = ask(store, essays, ann)
    judgment = store.submit(ann.id, ranking(first))
    ReviewDesk(store).decide(boss.id, None, task_id=first.task_id, submission_id="d1", accepted=judgment.id, seen=None)
    store.import_groups(essays.id, [replace(group(9), meta={"gold_ranks": [1, 2, 3]})])
    GoldDesk(store).set_rules(essays.id, GoldRules(share=0.3))
    for overlap, left in ((3, 2), (1, 0)):
        store.set_rules(essays.id, overlap=overlap)
        assert {name: remaining for name, (_, remaining, _) in slots(store).items()} == {"g0": left, "g9": 0}
        check_counters(store, essays)
    assert list(store.judgments(essays.id)) == [judgment]


def test_rules_are_changed_one_by_one_and_checked(store: Store):
    essays = project(store, groups=1, dwell_seconds=5.0)
    (ann,) = people(store, "ann")
    changed = store.set_rules(essays.id, dwell_seconds=0.0, lease_seconds=60.0)
    assert (changed.overlap, changed.dwell_seconds, changed.lease_seconds) == (1, 0.0, 60.0)
    assert ask(store, essays, ann).lease == store.clock() + 60
    for wrong in ({"overlap": 0}, {"dwell_seconds": -1.0}, {"lease_seconds": 0.0}):
        with pytest.raises(UsageError):
            store.set_rules(essays.id, **wrong)  # type: ignore[arg-type]
    assert store.project("essays") == changed
    assert slots(store) == {"g0": (1, 1, UNSTARTED)}
    with pytest.raises(NotFoundError):
        store.set_rules(99, overlap=2)


def test_the_overlap_may_change_while_people_label(store: Store):
    essays = project(store, groups=30, overlap=1)
    users = people(store, *(f"p{i}" for i in range(6)))

    def work(user):
        while task := store.next_task(essays.id, user.id):
            try:
                store.submit(user.id, ranking(task))
            except ConflictError:  # a lower overlap took the slot away
                continue

    def change(_):
        for overlap in (3, 1, 2):
            store.set_rules(essays.id, overlap=overlap)

    with ThreadPoolExecutor(7) as pool:
        changing = pool.submit(change, None)
        list(pool.map(work, users))
        changing.result()
        list(pool.map(work, users))
    judged = Counter(judgment.task_id for judgment in store.judgments(essays.id))
    assert set(judged.values()) <= {2, 3}
    assert len(judged) == 30
    assert {left for _, left, _ in slots(store).values()} == {0}
