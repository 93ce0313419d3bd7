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
from labeler.queue import circle_start
from labeler.schema import IN_QUEUE, WANTED, drafts, judgments, leases, opt_outs, tasks, visible

FIRST_LOOK, LONG_LOOK = 16, 2000
"""Tasks examined in one run of equal priority and stage, at first and at most, before the next run is tried."""

_answers, _others = judgments.alias("answers"), leases.alias("others")
# Conditions on a row of `tasks`, for a person named by `Seeker.values`. Statements that run for every answer are built
# once, since building them costs more than running them.
ANSWERED = (
    sa.exists()
    .where(_answers.c.annotator == sa.bindparam("seeker_name"), _answers.c.task_id == tasks.c.id)
    .correlate(tasks)
)
"""The person answered it already."""
_NOT_ANSWERED = (
    sa.select(_answers.c.id)
    .where(_answers.c.annotator == sa.bindparam("seeker_name"), _answers.c.task_id == tasks.c.id)
    .correlate(tasks)
    .limit(1)
    .scalar_subquery()
    .is_(None)
)
"""The same denied, to look at a few tasks: for EXISTS as a column PostgreSQL reads all that the person answered."""
FREE = ~IN_QUEUE | (
    tasks.c.remaining
    > (
        sa.select(sa.func.count())
        .where(
            _others.c.task_id == tasks.c.id,
            _others.c.user_id != sa.bindparam("seeker"),
            _others.c.expires > sa.bindparam("moment"),
        )
        .correlate(tasks)
        .scalar_subquery()
    )
)
"""It has a slot that no judgment and no other person's live lease uses; outside the queue everybody has room."""
OPEN = (tasks.c.project_id == sa.bindparam("project"), WANTED, visible(tasks))
"""It is the project's, published, and still wants somebody; matches the queue's index."""

_OPT_OUT = (
    opt_outs.c.user_id == sa.bindparam("seeker"),
    opt_outs.c.project_id == sa.bindparam("project"),
    opt_outs.c.until > sa.bindparam("moment"),
)
BEARABLE = ~tasks.c.sensitive | ~sa.exists().where(*_OPT_OUT)
"""It is not one that the person left out."""

_IN_QUEUE_ORDER = (tasks.c.priority.desc(), tasks.c.stage, tasks.c.shuffle, tasks.c.id)
_TASK_ROW = sa.select(tasks.c.id).where(tasks.c.id == sa.bindparam("task"))
_LOCK = {wait: _TASK_ROW.with_for_update(skip_locked=not wait, key_share=True) for wait in (True, False)}
_LEFT = sa.select(tasks.c.remaining).where(tasks.c.id == sa.bindparam("task"))
_IS_FREE = _TASK_ROW.where(FREE)
_LEASE = sa.select(leases.c.expires).where(
    leases.c.user_id == sa.bindparam("seeker"), leases.c.task_id == sa.bindparam("task")
)
_HOLD = sa.text(
    "INSERT INTO leases (user_id, task_id, expires) VALUES (:seeker, :task, :expires) "
    "ON CONFLICT (user_id, task_id) DO UPDATE SET expires = excluded.expires"
)
_DROP = tuple(
    sa.delete(table).where(table.c.user_id == sa.bindparam("seeker"), table.c.task_id == sa.bindparam("task"))
    for table in (leases, drafts)
)
_KEPT = (
    sa.select(leases.c.task_id)
    .select_from(
        leases.join(tasks).outerjoin(
            drafts, (drafts.c.task_id == leases.c.task_id) & (drafts.c.user_id == leases.c.user_id)
        )
    )
    .where(leases.c.user_id == sa.bindparam("seeker"), tasks.c.project_id == sa.bindparam("project"), FREE, BEARABLE)
    .where((leases.c.expires > sa.bindparam("moment")) | drafts.c.version.is_not(None))
    .where(drafts.c.correction_of.is_(None))
    .order_by(leases.c.expires.desc(), leases.c.task_id)
)
_RUN = sa.select(tasks.c.priority, tasks.c.stage).where(*OPEN).order_by(tasks.c.priority.desc(), tasks.c.stage).limit(1)
_RUN_AFTER = (
    _RUN.where(tasks.c.priority == sa.bindparam("at_priority"), tasks.c.stage > sa.bindparam("at_stage")),
    _RUN.where(tasks.c.priority < sa.bindparam("at_priority")),
)
_IN_RUN = (
    sa.select(tasks.c.id, (_NOT_ANSWERED & FREE & BEARABLE).label("takable"))
    .where(*OPEN, tasks.c.priority == sa.bindparam("at_priority"), tasks.c.stage == sa.bindparam("at_stage"))
    .order_by(tasks.c.shuffle, tasks.c.id)
    .offset(sa.bindparam("skipped", type_=sa.Integer))
    .limit(sa.bindparam("looked_at", type_=sa.Integer))
)
_IN_HALF_RUN = (
    _IN_RUN.where(tasks.c.shuffle >= sa.bindparam("begin")),
    _IN_RUN.where(tasks.c.shuffle < sa.bindparam("begin")),
)
_HAS_OPTED_OUT = sa.select(opt_outs.c.until).where(*_OPT_OUT)
_LEFT_OUT = sa.select(sa.func.count()).select_from(tasks).where(*OPEN, tasks.c.sensitive, ~ANSWERED)
_ANY = (
    sa.select(tasks.c.id)
    .where(*OPEN, ~ANSWERED, FREE, BEARABLE)
    .order_by(*_IN_QUEUE_ORDER)
    .limit(sa.bindparam("looked_at", type_=sa.Integer))
)


class ContendedError(Exception):
    """Every candidate was locked by somebody else just now; roll back and ask again."""


@dataclass(frozen=True, slots=True)
class Seeker:
    """A person looking for work in a project at a moment (seconds since 1970)."""

    user: User
    project: Project
    now: float

    @property
    def values(self) -> dict[str, Any]:
        """What the conditions of this module ask for."""
        return {
            "seeker": self.user.id,
            "seeker_name": self.user.name,
            "project": self.project.id,
            "moment": self.now,
        }


def lock_task(connection: sa.Connection, task_id: int, *, wait: bool = True) -> bool:
    """Lock a task's row until the transaction ends; False if it must not wait and somebody else holds it."""
    return connection.execute(_LOCK[wait], {"task": task_id}).first() is not None


def left(connection: sa.Connection, task_id: int) -> int:
    """How many people are still wanted for a task."""
    return int(connection.execute(_LEFT, {"task": task_id}).scalar_one())


def is_free(connection: sa.Connection, seeker: Seeker, task_id: int) -> bool:
    """Whether the person may hold a slot of this task, which is locked."""
    return connection.execute(_IS_FREE, seeker.values | {"task": task_id}).first() is not None


def hold(connection: sa.Connection, seeker: Seeker, task_id: int) -> float:
    """Give the person a lease, or prolong theirs; returns when it expires."""
    expires = seeker.now + seeker.project.lease_seconds
    connection.execute(_HOLD, {"seeker": seeker.user.id, "task": task_id, "expires": expires})
    return expires


def lease(connection: sa.Connection, user_id: int, task_id: int) -> float | None:
    """When this person's lease of a task expires, or did; None if it was not given to them, or was answered since."""
    expires = connection.execute(_LEASE, {"seeker": user_id, "task": task_id}).scalar()
    return None if expires is None else float(expires)


def drop(connection: sa.Connection, user_id: int, task_id: int) -> None:
    """End the person's lease and draft of a task."""
    for statement in _DROP:
        connection.execute(statement, {"seeker": user_id, "task": task_id})


def opt_out(connection: sa.Connection, seeker: Seeker, until: float | None) -> None:
    """Give the person no sensitive tasks until then (None: give them again); what they hold of them others may take."""
    connection.execute(
        sa.delete(opt_outs).where(opt_outs.c.user_id == seeker.user.id, opt_outs.c.project_id == seeker.project.id)
    )
    if until is None:
        return
    row = {"user_id": seeker.user.id, "project_id": seeker.project.id, "until": until}
    connection.execute(sa.insert(opt_outs).values(**row))
    sensitive = sa.select(tasks.c.id).where(tasks.c.project_id == seeker.project.id, tasks.c.sensitive)
    held = (leases.c.user_id == seeker.user.id, leases.c.task_id.in_(sensitive), leases.c.expires > seeker.now)
    connection.execute(sa.update(leases).where(*held).values(expires=seeker.now))


def opted_out(connection: sa.Connection, user_id: int, now: float) -> dict[int, float]:
    """The projects of which the person takes no sensitive tasks now, and until when."""
    mine = (opt_outs.c.user_id == user_id, opt_outs.c.until > now)
    rows = connection.execute(sa.select(opt_outs.c.project_id, opt_outs.c.until).where(*mine))
    return {row.project_id: row.until for row in rows}


def left_out(connection: sa.Connection, seeker: Seeker) -> int:
    """How many open tasks the person might still get but leaves out now."""
    if connection.execute(_HAS_OPTED_OUT, seeker.values).first() is None:
        return 0
    return int(connection.execute(_LEFT_OUT, seeker.values).scalar_one())


def kept(connection: sa.Connection, seeker: Seeker) -> int | None:
    """A task that this person holds already, or whose lease ran out with a draft in it; its lease is prolonged.

    Corrections are not among them.
    """
    return take(connection, seeker, connection.execute(_KEPT, seeker.values).scalars().all())


def fresh(connection: sa.Connection, seeker: Seeker) -> int | None:
    """Lease the next task to this person: None if there is none for them.

    Looks through runs of equal priority and stage in the queue's order, in each from a place on the circle that differs
    per person and turn, and through at most `LONG_LOOK` tasks of a run, since the run may hold thousands that this
    person has answered. Only where that finds nothing are all open tasks searched.
    """
    turn, _ = ledger.last_answer(connection, seeker.project.id, seeker.user.id)
    start = circle_start(seeker.project.seed, seeker.user.name, turn)
    for run in _runs(connection, seeker):
        for half in _IN_HALF_RUN:
            found = take(connection, seeker, _look(connection, half, run | {"begin": start}))
            if found is not None:
                return found
    anything = connection.execute(_ANY, seeker.values | {"looked_at": FIRST_LOOK}).scalars().all()
    return take(connection, seeker, anything)


def _runs(connection: sa.Connection, seeker: Seeker) -> Iterator[dict[str, Any]]:
    """The runs of open tasks in the queue's order, each found by one step into the index."""
    row = connection.execute(_RUN, seeker.values).first()
    while row is not None:
        run = seeker.values | {"at_priority": row.priority, "at_stage": row.stage}
        yield run
        later, lower = _RUN_AFTER
        row = connection.execute(later, run).first() or connection.execute(lower, run).first()


def _look(connection: sa.Connection, half: sa.Select[Any], values: dict[str, Any]) -> list[int]:
    """Some tasks of one half of a run that the person may take, nearest on the circle first."""
    found: list[int] = []
    for skipped, looked_at in ((0, FIRST_LOOK), (FIRST_LOOK, LONG_LOOK)):
        rows = connection.execute(half, values | {"skipped": skipped, "looked_at": looked_at}).all()
        found = [row.id for row in rows if row.takable][:FIRST_LOOK]
        if found or len(rows) < looked_at:
            break
    return found


def take(connection: sa.Connection, seeker: Seeker, candidates: Any) -> int | None:
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
