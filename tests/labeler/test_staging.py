"""Large imports beside people who label: in short steps, seen at once or never."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from store_helpers import ask, check_counters, group, people, project, ranking, table

from labeler import schema, staging
from labeler.errors import ConflictError, NotFoundError
from labeler.records import Demonstration, Message, Ranking
from labeler.store import Project, Store

SHOWN = Demonstration("d", (Message("user", "Write."),), "Written.")
TOLD = (Ranking("x", (1, 2, 3), at="2026-01-31T09:00:00Z"),)


def state(store: Store, essays: Project) -> tuple:
    """All that anybody can see of a project."""
    with store.frozen(essays.id) as frozen:
        seen = [list(frozen.groups()), list(frozen.demonstrations()), frozen.sample(100), frozen.pace()]
        seen += [frozen.counts(), frozen.annotator_counts(), frozen.slots_left()]
    pages = [store.task_page(essays.id, after=0, limit=100)]
    pages += [store.judgment_page(essays.id, after=0, limit=100, standing=standing) for standing in (True, False)]
    return (seen, pages, store.projects(), [store.progress(essays.id, user.id) for user in store.users()])


def watch(store: Store, monkeypatch: pytest.MonkeyPatch, look) -> None:
    """Look when all is staged and nothing published."""
    publish = staging._publish

    def looking(*arguments):
        look()
        return publish(*arguments)

    monkeypatch.setattr(staging, "_publish", looking)


def test_what_is_staged_is_seen_by_nobody(store: Store, monkeypatch: pytest.MonkeyPatch):
    essays = project(store, groups=3)
    (ann,) = people(store, "ann")
    before, looked = state(store, essays), []

    def look():
        assert state(store, essays) == before
        with pytest.raises(NotFoundError, match="no group 'g50'"):
            store.set_priorities(essays.id, {"g50": 9})
        for _ in range(3):
            store.submit(ann.id, ranking(ask(store, essays, ann)))
        assert store.next_task(essays.id, ann.id) is None
        looked.append(True)

    watch(store, monkeypatch, look)
    many = [group(number, rankings=TOLD if number % 2 else ()) for number in range(50, 650)]
    store.import_groups(essays.id, many, [SHOWN], overlap=2)
    assert looked
    assert [found.id for found in store.groups(essays.id)] == [f"g{n}" for n in (0, 1, 2, *range(50, 650))]
    assert ask(store, essays, ann).group_id.startswith("g")
    check_counters(store, essays)


def test_a_new_project_is_seen_with_all_that_is_in_it(store: Store, monkeypatch: pytest.MonkeyPatch):
    def look():
        assert store.projects() == ()
        with pytest.raises(NotFoundError, match="no project 'essays'"):
            store.project("essays")

    watch(store, monkeypatch, look)
    essays, _ = store.import_into("essays", [group(1)], guidelines="Be kind.")
    assert (essays.guidelines, store.counts(essays.id).tasks) == ("Be kind.", 1)


def fail(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("new", [True, False])
def test_one_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, new: bool):
    essays = project(store, groups=3)
    before = state(store, essays)
    monkeypatch.setattr(staging, "_publish", fail)
    with pytest.raises(KeyboardInterrupt):
        store.import_into("poems" if new else "essays", [group(n, rankings=TOLD) for n in range(50, 500)], [SHOWN])
    assert state(store, essays) == before
    assert (len(table(store, "tasks")), len(table(store, "judgments")), len(table(store, "projects"))) == (3, 0, 1)
    assert table(store, "demonstrations") == table(store, "imports") == []


KILLED = """
import os, sys
from labeler import staging
from labeler.records import Completion, Group, Message, Ranking
from labeler.store import Store
staging._publish = lambda *_: os._exit(9)
store = Store.open(sys.argv[1], lambda: float(sys.argv[2]))
answers = (Completion("a", "x"), Completion("b", "y"))
groups = [Group(f"k{n}", (Message("user", "?"),), answers, (Ranking("old", (1, 2)),)) for n in range(500)]
store.import_into(sys.argv[3], groups)
"""


@pytest.mark.parametrize("name", ["essays", "poems"])
def test_one_that_was_killed_is_unseen_and_swept_away(store: Store, database_url: str, clock, name: str):
    essays = project(store, groups=3)
    before = state(store, essays)
    command = [sys.executable, "-c", KILLED, database_url, str(clock.now), name]
    assert subprocess.run(command, check=False).returncode == 9
    assert state(store, essays) == before
    assert len(table(store, "tasks")) == 503
    clock.now += staging.SILENT_SECONDS + 1
    again, counts = store.import_into(name, [group(7)])
    assert counts.groups == 1
    assert len(table(store, "tasks")) == 4
    assert (table(store, "judgments"), table(store, "imports")) == ([], [])
    check_counters(store, again)


def test_a_published_judgment_stays(store: Store):
    essays, _ = store.import_into("essays", [group(1, rankings=TOLD)])
    staging.abandon(store.database, table(store, "tasks")[0].import_id)
    with pytest.raises((exc.DatabaseError, Exception), match="append-only"), store.database.write() as connection:
        connection.execute(sa.delete(schema.judgments))
    assert store.counts(essays.id).judgments == 1


def test_one_taken_for_dead_does_not_publish(store: Store, monkeypatch: pytest.MonkeyPatch, clock):
    essays = project(store, groups=3)

    def sleep():
        clock.now += staging.SILENT_SECONDS + 1
        store.sweep()

    watch(store, monkeypatch, sleep)
    with pytest.raises(ConflictError, match="taken for dead; nothing was imported"):
        store.import_groups(essays.id, [group(n) for n in range(50, 60)])
    assert len(table(store, "tasks")) == 3


def test_imports_into_one_project_take_turns(store: Store, monkeypatch: pytest.MonkeyPatch):
    essays = project(store, groups=3)
    monkeypatch.setattr(staging, "LOOK_SECONDS", 0.01)
    parts = [[group(n) for n in range(first, first + 300)] for first in (100, 400, 700)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda part: store.import_groups(essays.id, part), parts))
    check_counters(store, essays)
    assert store.counts(essays.id).tasks == 903
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: _imported(store, essays, [group(n) for n in range(2000, 2300)]), range(3)))
    assert sorted(found) == [False, False, True]


def _imported(store: Store, essays: Project, groups: list) -> bool:
    try:
        store.import_groups(essays.id, groups)
    except ConflictError:
        return False
    return True


def test_people_label_while_it_runs(store: Store):
    """Nobody waits for the whole of an import."""
    essays = project(store, groups=200)
    users = people(store, *(f"p{i}" for i in range(3)))
    done = threading.Event()

    def work(user):
        answers = 0
        while not done.is_set():
            store.submit(user.id, ranking(ask(store, essays, user)))
            answers += 1
        return answers

    many = [replace(group(n, rankings=TOLD), source="large") for n in range(1000, 4000)]
    with ThreadPoolExecutor(3) as pool:
        at_work = [pool.submit(work, user) for user in users]
        store.import_groups(essays.id, many)
        done.set()
        answers = [each.result() for each in at_work]
    assert min(answers) > 0
    check_counters(store, essays)
