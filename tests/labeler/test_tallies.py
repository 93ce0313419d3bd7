"""Counters beside what they count: the same as counting, whatever people do, at once or one after another."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
import sqlalchemy as sa
from store_helpers import ask, check_counters, group, people, project, ranking, skip

from labeler.errors import ConflictError
from labeler.records import Demonstration, Message, Ranking
from labeler.store import Store
from labeler.tallies import EVER, Answer, contribution


def test_what_one_task_adds():
    answers = [
        Answer(1, "ann", "skip", 4.0, "2026-01-31T08:59:00Z", None),
        Answer(2, "ann", "rank", 2.5, "2026-01-31T09:00:00Z", 1),
        Answer(3, "bob", "skip", None, None, None),
    ]
    added = {key: amount for key, amount in contribution("cy", 2, 1, answers).items() if amount}
    assert added == {
        ("cy", EVER, "tasks"): 1,
        ("cy", EVER, "started"): 1,
        ("cy", EVER, "wanted"): 1,
        ("ann", EVER, "judgments"): 1,
        ("ann", EVER, "corrections"): 1,
        ("ann", EVER, "seconds"): 2.5,
        ("ann", EVER, "answered"): 1,
        ("ann", "2026-01-31T09", "judgments"): 1,
        ("ann", "2026-01-31T09", "seconds"): 2.5,
        ("bob", EVER, "skips"): 1,
        ("bob", EVER, "answered"): 1,
    }


def test_they_follow_everything_that_happens(store: Store, clock):
    essays = project(store, groups=6, overlap=2)
    shown = Demonstration("d", (Message("user", "Write."),), "Written.")
    ranked = (Ranking("ann", (1, 2, 3), seconds=2.0, at="2025-01-31T12:00:00Z"), Ranking("old", (1, 1, 1)))
    store.import_into("essays", [replace(group(20), rankings=ranked), group(21)], [shown])
    check_counters(store, essays)
    users, random = people(store, "ann", "bob", "cy"), Random(0)
    for step in range(40):
        user = random.choice(users)
        if random.random() < 0.3:
            with suppress(ConflictError):
                store.undo(essays.id, user.id)
        task = store.next_task(essays.id, user.id)
        if task is not None and random.random() < 0.9:
            answer = skip(task) if random.random() < 0.3 else ranking(task, seconds=random.random() * 10)
            with suppress(ConflictError):
                store.submit(user.id, answer)
        clock.now += random.choice((1.0, 3000.0))
        if step % 4 == 0:
            check_counters(store, essays)
    check_counters(store, essays)
    assert store.counts(essays.id).corrections > 0


def test_they_are_of_one_project(store: Store):
    essays = project(store, groups=2)
    poems = store.add_project("poems", dwell_seconds=0)
    store.import_groups(poems.id, [group(number) for number in range(3)])
    (ann,) = people(store, "ann")
    store.submit(ann.id, ranking(ask(store, poems, ann)))
    assert (store.counts(essays.id).judgments, store.counts(poems.id).judgments) == (0, 1)
    assert store.annotator_counts(essays.id) == ()


def test_people_who_finish_each_others_tasks_at_once(store: Store):
    """Everybody has answered every task before, so that each answer changes the counters of others too."""
    essays = project(store, groups=12, overlap=8)
    users = people(store, *(f"p{i}" for i in range(8)))

    def work(user):
        while task := store.next_task(essays.id, user.id):
            store.submit(user.id, ranking(task, seconds=1.0))

    with ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(work, users))
    check_counters(store, essays)
    assert store.counts(essays.id).finished == 12


def test_no_page_counts_rows(tmp_path, clock):
    """What pages ask of a large project is found by an index, or was counted before."""
    store = Store.create(f"sqlite:///{tmp_path / 'plan.db'}", clock)
    essays = project(store, groups=50, overlap=2)
    (ann,) = people(store, "ann")
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    asked = []
    sa.event.listen(
        store.database.engine,
        "before_cursor_execute",
        lambda c, cursor, text, values, *_: asked.append((text, values)),
    )
    with store.frozen(essays.id) as frozen:
        for figure in (frozen.counts, frozen.annotator_counts, frozen.slots_left, frozen.pace, frozen.newest_judgment):
            figure()
        frozen.own_work(ann.id, 10)
    store.progress(essays.id, ann.id)
    store.history(essays.id, ann.id, before=100)
    store.task_page(essays.id, after=10, limit=10)
    for standing in (True, False):
        store.judgment_page(essays.id, after=10, limit=10, standing=standing)
    with store.database.read() as connection:
        plans = [
            (row[3], text)
            for text, values in tuple(asked)
            if text.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        ]
    store.close()
    assert len(plans) > 10
    assert [plan for plan in plans if re.match(r"SCAN (tasks|judgments|demonstrations|hours)", plan[0])] == []


def test_attention_of_today(store: Store, clock):
    essays = project(store, groups=4)
    (ann,) = people(store, "ann")
    store.submit(ann.id, ranking(ask(store, essays, ann), seconds=100.0))
    clock.now += 86400
    store.submit(ann.id, ranking(ask(store, essays, ann), seconds=3.0))
    store.submit(ann.id, skip(ask(store, essays, ann)))
    store.undo(essays.id, ann.id, judgment_id=2)
    store.submit(ann.id, ranking(ask(store, essays, ann), seconds=4.5))
    assert store.progress(essays.id, ann.id).seconds_today == pytest.approx(4.5)
