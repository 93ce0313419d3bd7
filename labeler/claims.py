"""Slots of tasks: who holds one, who may take one, and the search for the next.

A task has `overlap` slots. Standing rankings use slots up for good, live leases until they expire; together they never
exceed the overlap. Whoever takes or uses a slot has locked the row of the task first (on SQLite: the whole database).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from labeler import ledger
from labeler.entities import Project, User
from labeler.errors import NotFoundError
from labeler.queue import circle_start, stage
from labeler.schema import WANTED, drafts, judgments, leases, tasks

FIRST_LOOK, LONG_LOOK = 16, 2000
"""Tasks examined in one run of equal priority and stage, at first and at most, before the next run is tried."""


_answers, _others = judgments.alias("answers"), leases.alias("others")


class ContendedError(Exception):
    """Every candidate was locked by somebody else just now; roll back and ask again."""


@dataclass(frozen=True, slots=True)
class Seeker:
    """A person looking for work in a project at a moment (seconds since 1970)."""

    user: User
    project: Project
    now: float

    @property
    def answered(self) -> sa.ColumnElement[bool]:
        """Whether this person answered a row of `tasks` already."""
        mine = (_answers.c.annotator == self.user.name, _answers.c.task_id == tasks.c.id)
        return sa.exists().where(*mine).correlate(tasks)

    @property
    def free(self) -> sa.ColumnElement[bool]:
        """Whether a row of `tasks` has a slot that no judgment and no other person's live lease uses."""
        others = sa.select(sa.func.count()).where(
            _others.c.task_id == tasks.c.id, _others.c.user_id != self.user.id, _others.c.expires > self.now
        )
        return tasks.c.remaining > others.correlate(tasks).scalar_subquery()

    @property
    def open(self) -> tuple[sa.ColumnElement[bool], ...]:
        """Conditions of the project's tasks that still want somebody; they match the queue's index."""
        return tasks.c.project_id == self.project.id, WANTED


def project_of(connection: sa.Connection, task_id: int) -> int:
    """The project that a task belongs to."""
    project_id = connection.execute(sa.select(tasks.c.project_id).where(tasks.c.id == task_id)).scalar()
    if project_id is None:
        raise NotFoundError(f"there is no task {task_id}")
    return int(project_id)


def lock_task(connection: sa.Connection, task_id: int, *, wait: bool = True) -> bool:
    """Lock a task's row until the transaction ends; False if it must not wait and somebody else holds it."""
    row = sa.select(tasks.c.id).where(tasks.c.id == task_id).with_for_update(skip_locked=not wait, key_share=True)
    return connection.execute(row).first() is not None


def is_free(connection: sa.Connection, seeker: Seeker, task_id: int) -> bool:
    """Whether the person may hold a slot of this task, which is locked."""
    return connection.execute(sa.select(tasks.c.id).where(tasks.c.id == task_id, seeker.free)).first() is not None


def hold(connection: sa.Connection, seeker: Seeker, task_id: int) -> float:
    """Give the person a lease, or prolong theirs; returns when it expires."""
    expires = seeker.now + seeker.project.lease_seconds
    mine = (leases.c.user_id == seeker.user.id, leases.c.task_id == task_id)
    if connection.execute(sa.update(leases).where(*mine).values(expires=expires)).rowcount == 0:
        connection.execute(sa.insert(leases).values(user_id=seeker.user.id, task_id=task_id, expires=expires))
    return expires


def held(connection: sa.Connection, user_id: int, task_id: int) -> bool:
    """Whether the task was given to this person and not answered since; the lease may have expired."""
    mine = (leases.c.user_id == user_id, leases.c.task_id == task_id)
    return connection.execute(sa.select(leases.c.expires).where(*mine)).first() is not None


def drop(connection: sa.Connection, user_id: int, task_id: int) -> None:
    """End the person's lease and draft of a task."""
    for table in (leases, drafts):
        connection.execute(sa.delete(table).where(table.c.user_id == user_id, table.c.task_id == task_id))


def refresh(connection: sa.Connection, task_id: int) -> None:
    """Recount a locked task's slots after its judgments changed."""
    overlap = connection.execute(sa.select(tasks.c.overlap).where(tasks.c.id == task_id)).scalar_one()
    judged = ledger.judged(connection, task_id)
    values = {"remaining": max(overlap - judged, 0), "stage": stage(overlap, judged)}
    connection.execute(sa.update(tasks).where(tasks.c.id == task_id).values(**values))


def kept(connection: sa.Connection, seeker: Seeker) -> int | None:
    """A task that this person holds already, or whose lease ran out with a draft in it; its lease is prolonged.

    Corrections are not among them.
    """
    same = (drafts.c.task_id == leases.c.task_id) & (drafts.c.user_id == leases.c.user_id)
    mine = (
        sa.select(leases.c.task_id)
        .select_from(leases.join(tasks).outerjoin(drafts, same))
        .where(leases.c.user_id == seeker.user.id, tasks.c.project_id == seeker.project.id)
        .where((leases.c.expires > seeker.now) | drafts.c.version.is_not(None), drafts.c.correction_of.is_(None))
        .where(seeker.free)
        .order_by(leases.c.expires.desc(), leases.c.task_id)
    )
    return _take(connection, seeker, connection.execute(mine).scalars().all())


def fresh(connection: sa.Connection, seeker: Seeker) -> int | None:
    """Lease the next task to this person: None if there is none for them.

    Looks through runs of equal priority and stage in the queue's order, in each from a place on the circle that differs
    per person and turn, and through at most `LONG_LOOK` tasks of a run, since the run may hold thousands that this
    person has answered. Only where that finds nothing are all open tasks searched.
    """
    turn, _ = ledger.last_answer(connection, seeker.project.id, seeker.user.id)
    start = circle_start(seeker.project.seed, seeker.user.name, turn)
    for priority, at_stage in _runs(connection, seeker):
        run = (*seeker.open, tasks.c.priority == priority, tasks.c.stage == at_stage)
        for half in (tasks.c.shuffle >= start, tasks.c.shuffle < start):
            found = _take(connection, seeker, _look(connection, seeker, (*run, half)))
            if found is not None:
                return found
    anything = sa.select(tasks.c.id).where(*seeker.open, ~seeker.answered, seeker.free)
    anything = anything.order_by(tasks.c.priority.desc(), tasks.c.stage, tasks.c.shuffle, tasks.c.id).limit(FIRST_LOOK)
    return _take(connection, seeker, connection.execute(anything).scalars().all())


def _runs(connection: sa.Connection, seeker: Seeker) -> Iterator[tuple[int, int]]:
    """The (priority, stage) of open tasks in the queue's order, each found by one step into the index."""
    columns = sa.select(tasks.c.priority, tasks.c.stage).where(*seeker.open)
    columns = columns.order_by(tasks.c.priority.desc(), tasks.c.stage).limit(1)
    row = connection.execute(columns).first()
    while row is not None:
        yield row.priority, row.stage
        later = columns.where(tasks.c.priority == row.priority, tasks.c.stage > row.stage)
        lower = columns.where(tasks.c.priority < row.priority)
        row = connection.execute(later).first() or connection.execute(lower).first()


def _look(connection: sa.Connection, seeker: Seeker, run: tuple[sa.ColumnElement[bool], ...]) -> list[int]:
    """Some tasks of a run that this person may take, nearest on the circle first."""
    found: list[int] = []
    columns = sa.select(tasks.c.id, tasks.c.shuffle, (~seeker.answered & seeker.free).label("takable"))
    for offset, limit in ((0, FIRST_LOOK), (FIRST_LOOK, LONG_LOOK)):
        page = columns.where(*run).order_by(tasks.c.shuffle, tasks.c.id).offset(offset).limit(limit)
        rows = connection.execute(page).all()
        found = [row.id for row in rows if row.takable][:FIRST_LOOK]
        if found or len(rows) < limit:
            break
    return found


def _take(connection: sa.Connection, seeker: Seeker, candidates: Any) -> int | None:
    """Lease the first candidate that can be locked and is still to be had."""
    locked_by_others = False
    for task_id in candidates:
        if not lock_task(connection, task_id, wait=False):
            locked_by_others = True
        elif is_free(connection, seeker, task_id):
            hold(connection, seeker, task_id)
            return int(task_id)
    if locked_by_others:
        raise ContendedError
    return None
