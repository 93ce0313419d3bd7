"""Groups and demonstrations of a project: into the database in one transaction, out again, and counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from labeler import ledger
from labeler.entities import AnnotatorCounts, ImportCounts, Judgment, Project, ProjectCounts
from labeler.errors import ConflictError, DataError, NotFoundError, UsageError
from labeler.formats import demonstration_to_row, group_to_row, parse_demonstration, parse_group
from labeler.queue import PRIORITIES, circle_place, stage
from labeler.records import Demonstration, Group
from labeler.schema import demonstrations, judgments, leases, tasks

CHUNK = 500
"""Rows handled at a time."""
Item = TypeVar("Item")
_TASK = sa.select(tasks.c.content, tasks.c.overlap).where(tasks.c.id == sa.bindparam("task"))


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def task_group(connection: sa.Connection, task_id: int) -> tuple[Group, int]:
    """A task's group, without rankings, and its overlap."""
    row = connection.execute(_TASK, {"task": task_id}).first()
    if row is None:
        raise NotFoundError(f"there is no task {task_id}")
    return parse_group(row.content), row.overlap


def add(
    connection: sa.Connection,
    project: Project,
    groups: Iterable[Group],
    written: Iterable[Demonstration],
    *,
    overlap: int,
    now: float,
) -> ImportCounts:
    """Add groups as tasks, their rankings as judgments, and demonstrations; the caller's transaction makes it one."""
    if overlap < 1:
        raise UsageError("the overlap must be 1 or more")
    added = ranked = shown = 0
    for chunk in _chunks(groups):
        _refuse_known(connection, project, tasks, tasks.c.group_id, [group.id for group in chunk])
        rows = [_task_row(project, group, overlap) for group in chunk]
        statement = sa.insert(tasks).returning(tasks.c.id, sort_by_parameter_order=True)
        task_ids = connection.execute(statement, rows).scalars().all()
        answers = [
            row
            for group, task_id in zip(chunk, task_ids, strict=True)
            for row in _answers(project, group, task_id, now)
        ]
        if answers:
            connection.execute(sa.insert(judgments), answers)
        added, ranked = added + len(chunk), ranked + len(answers)
    for texts in _chunks(written):
        _refuse_known(connection, project, demonstrations, demonstrations.c.demonstration_id, [d.id for d in texts])
        rows = [
            {"project_id": project.id, "demonstration_id": d.id, "content": _sound(demonstration_to_row(d), d.id)}
            for d in texts
        ]
        connection.execute(sa.insert(demonstrations), rows)
        shown += len(texts)
    return ImportCounts(added, ranked, shown)


def _refuse_known(
    connection: sa.Connection, project: Project, table: sa.Table, column: sa.Column[str], ids: list[str]
) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise DataError(f"the id {name!r} occurs twice; make the ids unique", field="id")
        seen.add(name)
    known = sa.select(column).where(table.c.project_id == project.id, column.in_(ids)).limit(1)
    found = connection.execute(known).scalar()
    if found is not None:
        raise ConflictError(f"the project {project.name!r} has {found!r} already; nothing was imported")


def _sound(row: dict[str, Any], name: str) -> dict[str, Any]:
    if "\0" in name:
        raise DataError("the id holds a NUL character; remove it", field="id")
    return row


def _task_row(project: Project, group: Group, overlap: int) -> dict[str, Any]:
    if len(group.completions) < 2:
        raise DataError(f"group {group.id!r} needs at least two completions to rank", field="completions")
    content = _sound(group_to_row(replace(group, rankings=())), group.id)
    content.pop("rankings")
    judged = len({ranking.annotator for ranking in group.rankings})
    return {
        "project_id": project.id,
        "group_id": group.id,
        "content": content,
        "overlap": overlap,
        "priority": 0,
        "remaining": max(overlap - judged, 0),
        "stage": stage(overlap, judged),
        "shuffle": circle_place(project.seed, group.id),
    }


def _answers(project: Project, group: Group, task_id: int, now: float) -> Iterator[dict[str, Any]]:
    for ranking in group.rankings:
        yield {
            "project_id": project.id,
            "task_id": task_id,
            "annotator": ranking.annotator,
            "origin": "import",
            "kind": "rank",
            "answer": ledger.answer_of_ranking(ranking),
            "seconds": ranking.seconds,
            "at": ranking.at,
            "created": now,
        }


def set_priorities(connection: sa.Connection, project: Project, priorities: Mapping[str, int]) -> None:
    """Set how urgent tasks are, by group id."""
    for group_id, priority in priorities.items():
        if priority not in PRIORITIES:
            raise UsageError(f"the priority of {group_id!r} is {priority!r}; give a whole number from 0 to 100")
        task = (tasks.c.project_id == project.id, tasks.c.group_id == group_id)
        if connection.execute(sa.update(tasks).where(*task).values(priority=priority)).rowcount == 0:
            raise NotFoundError(f"the project {project.name!r} has no group {group_id!r}")


def groups(connection: sa.Connection, project_id: int) -> Iterator[tuple[Group, tuple[Judgment, ...]]]:
    """Every group in the order of import, with its standing rankings, and with all its standing judgments beside it."""
    after = 0
    columns = sa.select(tasks.c.id, tasks.c.content).where(tasks.c.project_id == project_id)
    while rows := connection.execute(columns.where(tasks.c.id > after).order_by(tasks.c.id).limit(CHUNK)).all():
        after = rows[-1].id
        answers: dict[int, list[Judgment]] = defaultdict(list)
        for judgment in ledger.standing(connection, judgments.c.task_id.in_([row.id for row in rows])):
            answers[judgment.task_id].append(judgment)
        for row in rows:
            rankings = tuple(judgment.ranking for judgment in answers[row.id] if judgment.ranking)
            yield replace(parse_group(row.content), rankings=rankings), tuple(answers[row.id])


def written(connection: sa.Connection, project_id: int) -> Iterator[Demonstration]:
    """Every demonstration in the order of import."""
    query = sa.select(demonstrations.c.content).where(demonstrations.c.project_id == project_id)
    for row in connection.execute(query.order_by(demonstrations.c.id)):
        yield parse_demonstration(row.content)


def counts(connection: sa.Connection, project_id: int, now: float) -> ProjectCounts:
    """How the project stands."""

    def count(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.project_id == project_id, *conditions)
        return int(connection.execute(query).scalar_one())

    live = sa.select(sa.func.count()).select_from(leases).join(tasks)
    live = live.where(tasks.c.project_id == project_id, leases.c.expires > now)
    corrections = count(judgments, judgments.c.supersedes.is_not(None))
    return ProjectCounts(
        tasks=count(tasks),
        finished=count(tasks, tasks.c.remaining == 0),
        started=count(tasks, tasks.c.remaining > 0, tasks.c.remaining < tasks.c.overlap),
        judgments=count(judgments, judgments.c.kind == "rank", ledger.STANDS),
        skips=count(judgments, judgments.c.kind == "skip", ledger.STANDS),
        corrections=corrections,
        demonstrations=count(demonstrations),
        live_leases=int(connection.execute(live).scalar_one()),
    )


def annotator_counts(connection: sa.Connection, project_id: int) -> tuple[AnnotatorCounts, ...]:
    """What each annotator did in the project, by name."""

    def total(condition: sa.ColumnElement[bool], value: Any = 1) -> sa.ColumnElement[Any]:
        return sa.func.sum(sa.case((condition, value), else_=0))

    columns = sa.select(
        judgments.c.annotator,
        total((judgments.c.kind == "rank") & ledger.STANDS),
        total((judgments.c.kind == "skip") & ledger.STANDS),
        total(judgments.c.supersedes.is_not(None)),
        total(judgments.c.seconds.is_not(None) & ledger.STANDS, judgments.c.seconds),
    ).where(judgments.c.project_id == project_id)
    rows = connection.execute(columns.group_by(judgments.c.annotator).order_by(judgments.c.annotator))
    return tuple(AnnotatorCounts(row[0], row[1], row[2], row[3], float(row[4])) for row in rows)
