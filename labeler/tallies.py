"""Counters of a project, changed in the transaction that changes what they count, so that no page has to count.

What a task with its answers adds to a project's counters is `contribution`, a pure function; whoever changes a task
does so inside `recounted`, which adds the difference between after and before. Every person's doing goes to rows of
their own, and the project's figures are sums over these, so that people who label at once do not wait for each other.
Rows are taken last in a transaction and in the order of their keys, so that no two transactions wait in a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from labeler.entities import AnnotatorCounts, ProjectCounts
from labeler.ledger import LABELED
from labeler.queue import stage
from labeler.schema import COUNTED, IN_QUEUE, hours, judgments, leases, tallies, tasks

NOBODY = ""
"""Whose doing an import is; no annotator has this name."""
EVER = ""
"""In the place of an hour: counted for all time."""
Key = tuple[str, str, str]
"""Annotator, hour (or `EVER`), and what is counted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A judgment, as far as it counts."""

    id: int
    annotator: str
    kind: str
    seconds: float | None
    at: str | None
    supersedes: int | None


@dataclass(frozen=True, slots=True)
class _Task:
    """A task with its judgments, as far as they count."""

    id: int
    project_id: int
    overlap: int
    remaining: int
    queued: bool
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """Standing rankings of one person in one hour (as in their times, ``2026-01-31T09``), and all attention time."""

    hour: str
    annotator: str
    rankings: int
    seconds: float


def contribution(
    by: str, overlap: int, remaining: int, answers: Iterable[Answer], *, queued: bool = True
) -> dict[Key, float]:
    """What one task adds to its project's counters.

    Args:
        by: to whose rows the task itself counts.
        overlap: people that it wants.
        remaining: people that it still wants.
        answers: its judgments, standing or not; reviewers' decisions are none.
        queued: it is in the queue; elsewhere nobody is wanted, and only the judgments count.
    """
    added: dict[Key, float] = defaultdict(float)
    if queued:
        added[by, EVER, "tasks"] += 1
        added[by, EVER, "finished"] += remaining == 0
        added[by, EVER, "started"] += 0 < remaining < overlap
        added[by, EVER, "wanted"] += remaining
    given = list(answers)
    replaced = {answer.supersedes for answer in given}
    for answer in given:
        added[answer.annotator, EVER, "corrections"] += answer.supersedes is not None
        if answer.id not in replaced:
            _count_standing(added, answer)
    for annotator in {answer.annotator for answer in given} if remaining else ():
        added[annotator, EVER, "answered"] += 1
    return added


def _count_standing(added: dict[Key, float], answer: Answer) -> None:
    given, seconds = answer.kind != "skip", answer.seconds or 0.0
    added[answer.annotator, EVER, "judgments"] += given
    added[answer.annotator, EVER, "skips"] += answer.kind == "skip"
    added[answer.annotator, EVER, "seconds"] += seconds
    if answer.at:
        hour = answer.at[:13]
        added[answer.annotator, hour, "judgments"] += given
        added[answer.annotator, hour, "seconds"] += seconds


def judged(answers: Iterable[Answer]) -> int:
    """How many different people's answers to a task stand."""
    given = list(answers)
    replaced = {answer.supersedes for answer in given}
    return len({answer.annotator for answer in given if answer.kind != "skip" and answer.id not in replaced})


# Built once, since they run for every answer.
_STATE = (
    sa.select(
        tasks.c.project_id,
        tasks.c.overlap,
        tasks.c.remaining,
        IN_QUEUE.label("queued"),
        *(judgments.c[name] for name in ("id", "annotator", "kind", "seconds", "at", "supersedes")),
    )
    .outerjoin_from(tasks, judgments, (judgments.c.task_id == tasks.c.id) & LABELED)
    .where(tasks.c.id == sa.bindparam("task"))
    .order_by(judgments.c.id)
)
_SETTLE = (
    sa.update(tasks)
    .where(tasks.c.id == sa.bindparam("task"))
    .values(remaining=sa.bindparam("still"), judged=sa.bindparam("people"), stage=sa.bindparam("now_at"))
)


def _adding(table: sa.Table, names: Iterable[str]) -> sa.TextClause:
    """Add to a row, or make it: in the words that both databases understand, which SQLAlchemy has one each for."""
    key = ", ".join(column.name for column in table.primary_key)
    every = [column.name for column in table.primary_key] + list(names)
    sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in names)
    values = ", ".join(f":{name}" for name in every)
    insert = f"INSERT INTO {table.name} ({', '.join(every)}) VALUES ({values})"  # noqa: S608  (names of columns)
    return sa.text(f"{insert} ON CONFLICT ({key}) DO UPDATE SET {sums}")


_SUMS = (*COUNTED, "seconds")
_ADD_TALLY = _adding(tallies, _SUMS)
_ADD_HOUR = _adding(hours, ("judgments", "seconds"))


@contextmanager
def recounted(connection: sa.Connection, *task_ids: int, by: str) -> Iterator[None]:
    """Around whatever changes locked tasks or their judgments: the slots are recounted, and the counters follow.

    Args:
        connection: in a transaction that takes no more locks after this.
        task_ids: which, of one project.
        by: the annotator whose doing it is.
    """
    change: dict[Key, float] = defaultdict(float)
    for task_id in task_ids:
        _count(change, by, _task(connection, task_id), -1)
    yield
    for task_id in task_ids:
        task = _settled(connection, _task(connection, task_id))
        _count(change, by, task, 1)
        project_id = task.project_id
    if task_ids:
        add(connection, project_id, change)


def _count(change: dict[Key, float], by: str, task: _Task, sign: int) -> None:
    added = contribution(by, task.overlap, task.remaining, task.answers, queued=task.queued)
    for key, amount in added.items():
        change[key] += sign * amount


def _task(connection: sa.Connection, task_id: int) -> _Task:
    rows = connection.execute(_STATE, {"task": task_id}).all()
    first = rows[0]
    answers = tuple(Answer(*row[4:]) for row in rows if row.id is not None)
    return _Task(task_id, first.project_id, first.overlap, first.remaining, first.queued, answers)


def _settled(connection: sa.Connection, task: _Task) -> _Task:
    """The task with its slots and the people who judged it recounted, here and in the database."""
    number = judged(task.answers)
    remaining = max(task.overlap - number, 0) if task.queued else 0
    values = {"task": task.id, "still": remaining, "people": number, "now_at": stage(task.overlap, number)}
    connection.execute(_SETTLE, values)
    return replace(task, remaining=remaining)


def add(connection: sa.Connection, project_id: int, change: Mapping[Key, float]) -> None:
    """Add to a project's counters."""
    rows: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for (annotator, hour, name), amount in change.items():
        if amount:
            rows[annotator, hour][name] = amount
    ever = [_row(project_id, rows[key], _SUMS, annotator=key[0]) for key in sorted(rows) if key[1] == EVER]
    by_hour = [
        _row(project_id, rows[key], ("judgments", "seconds"), annotator=key[0], hour=key[1])
        for key in sorted(rows)
        if key[1] != EVER
    ]
    for statement, values in ((_ADD_TALLY, ever), (_ADD_HOUR, by_hour)):
        if values:
            connection.execute(statement, values)


def _row(project_id: int, amounts: Mapping[str, float], names: Iterable[str], **key: str) -> dict[str, Any]:
    counted = {name: amounts.get(name, 0) if name == "seconds" else int(amounts.get(name, 0)) for name in names}
    return {"project_id": project_id, **key, **counted}


def counts(connection: sa.Connection, project_id: int, now: float) -> ProjectCounts:
    """How the project stands."""
    names = ("tasks", "finished", "started", "judgments", "skips", "corrections", "demonstrations")
    sums = (sa.func.coalesce(sa.func.sum(tallies.c[name]), 0).label(name) for name in names)
    row = connection.execute(sa.select(*sums).where(tallies.c.project_id == project_id)).one()
    live = sa.select(sa.func.count()).select_from(leases).join(tasks)
    live = live.where(tasks.c.project_id == project_id, leases.c.expires > now)
    return ProjectCounts(
        **{name: int(row._mapping[name]) for name in names}, live_leases=connection.execute(live).scalar_one()
    )


def annotator_counts(connection: sa.Connection, project_id: int) -> tuple[AnnotatorCounts, ...]:
    """What each annotator did in the project, by name."""
    names = ("annotator", "judgments", "skips", "corrections", "seconds")
    columns = [tallies.c[name] for name in names]
    did = sa.or_(*(tallies.c[name] > 0 for name in ("judgments", "skips", "corrections")))
    query = sa.select(*columns).where(tallies.c.project_id == project_id, did).order_by(tallies.c.annotator)
    return tuple(AnnotatorCounts(*row) for row in connection.execute(query))


def wanted(connection: sa.Connection, project_id: int) -> int:
    """How many rankings are still wanted."""
    query = sa.select(sa.func.sum(tallies.c.wanted)).where(tallies.c.project_id == project_id)
    return int(connection.execute(query).scalar() or 0)


def pace(connection: sa.Connection, project_id: int) -> list[Pace]:
    """Rankings by hour and person; those without a time are left out."""
    columns = (hours.c.hour, hours.c.annotator, hours.c.judgments, hours.c.seconds)
    query = sa.select(*columns).where(hours.c.project_id == project_id, hours.c.judgments > 0)
    return [Pace(*row) for row in connection.execute(query.order_by(hours.c.hour, hours.c.annotator))]
