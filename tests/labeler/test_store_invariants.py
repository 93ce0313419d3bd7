"""The queue under arbitrary use, judged by a plain reading of the tables."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_helpers import check_counters, group, ranking, skip

from labeler import schema
from labeler.errors import ConflictError, PermissionDeniedError
from labeler.store import Store

NAMES = ("ann", "bob", "cy", "di")


@cache
def template() -> Path:
    folder = tempfile.mkdtemp(prefix="labeler-template-")
    atexit.register(shutil.rmtree, folder)
    path = Path(folder) / "empty.db"
    Store.create(f"sqlite:///{path}").close()
    return path


class Queue(RuleBasedStateMachine):
    @initialize(overlap=st.integers(1, 3), tasks=st.integers(1, 5))
    def begin(self, overlap: int, tasks: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="labeler-"))
        shutil.copyfile(template(), self.folder / "queue.db")
        self.now = 1000.0
        self.store = Store.open(f"sqlite:///{self.folder / 'queue.db'}", lambda: self.now)
        self.project = self.store.add_project("p", overlap=overlap, dwell_seconds=0, lease_seconds=100)
        self.store.import_groups(self.project.id, [group(number) for number in range(tasks)])
        self.users = {name: self.store.add_user(name, "labeler") for name in NAMES}
        self.given: dict[str, object] = {}  # what each person's browser shows, perhaps for too long

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    def table(self, name: str) -> list[sa.Row]:
        with self.store.database.read() as connection:
            return list(connection.execute(sa.select(schema.metadata.tables[name])))

    def standing(self) -> list[sa.Row]:
        rows = self.table("judgments")
        replaced = {row.supersedes for row in rows}
        return [row for row in rows if row.id not in replaced]

    def takable(self, name: str) -> list[tuple[int, int, int]]:
        """What this person may get as new work, as (-priority, stage, task id), best first."""
        standing, leases = self.standing(), self.table("leases")
        found = []
        for task in self.table("tasks"):
            ranked = [row for row in standing if row.task_id == task.id and row.kind == "rank"]
            others = [row for row in leases if row.task_id == task.id and row.expires > self.now]
            others = [row for row in others if row.user_id != self.users[name].id]
            answered = any(row.annotator == name for row in standing if row.task_id == task.id)
            if not answered and len(ranked) + len(others) < task.overlap:
                stage = task.overlap - len(ranked) if ranked else 10**6
                found.append((-task.priority, stage, task.id))
        return sorted(found)

    @rule(name=st.sampled_from(NAMES))
    def ask(self, name: str) -> None:
        takable = self.takable(name)
        user = self.users[name].id
        drafted = {row.task_id for row in self.table("drafts") if row.user_id == user}
        own = {row.task_id for row in self.table("leases") if row.user_id == user and row.expires > self.now} | drafted
        task = self.store.next_task(self.project.id, user)
        self.given[name] = task
        if task is None:
            assert takable == []
        elif task.correction_of is None:
            allowed = [entry[2] for entry in takable]
            assert task.task_id in allowed
            if not own & set(allowed):
                best = takable[0][:2]
                assert task.task_id in {entry[2] for entry in takable if entry[:2] == best}

    @rule(name=st.sampled_from(NAMES), rank=st.booleans())
    def answer(self, name: str, rank: bool) -> None:
        task = self.given.get(name)
        if task is None:
            return
        before = self.standing()
        try:
            self.store.submit(self.users[name].id, ranking(task) if rank else skip(task))
        except (ConflictError, PermissionDeniedError):
            assert self.standing() == before

    @rule(name=st.sampled_from(NAMES), version=st.integers(0, 5))
    def draft(self, name: str, version: int) -> None:
        task = self.given.get(name)
        if task is not None:
            of = task.correction_of
            self.store.save_draft(self.users[name].id, task.task_id, {"version": version}, version, correction_of=of)

    @rule(name=st.sampled_from(NAMES))
    def undo(self, name: str) -> None:
        with suppress(ConflictError):
            self.given[name] = self.store.undo(self.project.id, self.users[name].id) or self.given.get(name)

    @rule(seconds=st.sampled_from([10.0, 99.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: hasattr(self, "store"))
    @rule(number=st.integers(0, 4), priority=st.integers(0, 2))
    def prioritise(self, number: int, priority: int) -> None:
        if number < len(self.table("tasks")):
            self.store.set_priorities(self.project.id, {f"g{number}": priority})

    @invariant()
    def nobody_is_one_too_many(self) -> None:
        if not hasattr(self, "store"):
            return
        standing, leases = self.standing(), self.table("leases")
        for task in self.table("tasks"):
            people = [row.annotator for row in standing if row.task_id == task.id]
            assert len(people) == len(set(people))
            ranked = {row.user_id for row in standing if row.task_id == task.id and row.kind == "rank"}
            live = {row.user_id for row in leases if row.task_id == task.id and row.expires > self.now}
            assert not ranked & live
            assert len(ranked) + len(live) <= task.overlap
            assert task.remaining == task.overlap - len(ranked)
        check_counters(self.store, self.project)
        roots = [(row.user_id, row.task_id) for row in self.table("judgments") if row.supersedes is None]
        assert len(roots) == len(set(roots))


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
