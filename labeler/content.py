"""Groups and demonstrations of a project: into the database in one transaction, out again, and counted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from labeler import ledger
from labeler.database import encoded
from labeler.entities import ImportCounts, Judgment, Project, TaskState
from labeler.errors import ConflictError, DataError, NotFoundError, UsageError
from labeler.formats import demonstration_to_row, group_to_row, parse_demonstration, parse_group
from labeler.label_schema import LabelSchema
from labeler.queue import PRIORITIES, circle_place, stage
from labeler.records import SCENARIO, Demonstration, Group, Ranking
from labeler.schema import demonstrations, judgments, tasks, visible

CHUNK = 500
"""Rows handled at a time."""
NAMED = 3
"""So many unknown groups are named."""
Item = TypeVar("Item")
Named = TypeVar("Named", Group, Demonstration)
_TASK = sa.select(tasks.c.content, tasks.c.overlap).where(tasks.c.id == sa.bindparam("task"))
_TASK_LOCKED = _TASK.with_for_update(key_share=True)


def chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """The items, some at a time."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def task_group(connection: sa.Connection, task_id: int, *, lock: bool = False) -> tuple[Group, int]:
    """A task's group, without rankings, and its overlap; its row locked until the transaction ends where asked."""
    row = connection.execute(_TASK_LOCKED if lock else _TASK, {"task": task_id}).first()
    if row is None:
        raise NotFoundError(f"there is no task {task_id}")
    return parse_group(row.content), row.overlap


def scenario_of(group: Group) -> str | None:
    """What a dialogue is to be about, where the group says it."""
    text = group.meta.get(SCENARIO)
    return text if isinstance(text, str) else None


def last_words(group: Group) -> str:
    """The end of a prompt, or without one the scenario, in one line."""
    return " ".join((group.prompt[-1].content if group.prompt else scenario_of(group) or "").split())


@dataclass(frozen=True, slots=True)
class Batch:
    """An import, checked and ready to be inserted, so that the database is locked for no longer than that takes.

    Attributes:
        tasks: rows without their project.
        answers: by group id, rows without their project and task.
        demonstrations: rows without their project.
        hides_gold: its gold items are outside the queue already, see `labeler.pools.placed`.
    """

    tasks: tuple[dict[str, Any], ...]
    answers: Mapping[str, tuple[dict[str, Any], ...]]
    demonstrations: tuple[dict[str, Any], ...]
    hides_gold: bool = False

    @property
    def counts(self) -> ImportCounts:
        """How much it is."""
        return ImportCounts(len(self.tasks), sum(map(len, self.answers.values())), len(self.demonstrations))


def prepare(
    groups: Iterable[Group], written: Iterable[Demonstration], *, project: Project, overlap: int, now: float
) -> Batch:
    """Groups as rows of tasks, their rankings as rows of judgments, and demonstrations; needs no database.

    Raises:
        DataError: a group cannot be ranked or an id occurs twice.
    """
    if overlap < 1:
        raise UsageError("the overlap must be 1 or more")
    rows, answers = [], {}
    for group in _once(groups):
        rows.append(_task_row(group, project, overlap))
        if group.rankings:
            answers[group.id] = tuple(_answer(ranking, now) for ranking in group.rankings)
    shown = ({"demonstration_id": d.id, "content": encoded(demonstration_to_row(d))} for d in _once(written))
    return Batch(tuple(rows), answers, tuple(shown))


def _once(items: Iterable[Named]) -> Iterator[Named]:
    """The items, of which no two may have the same id."""
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise DataError(f"the id {item.id!r} occurs twice; make the ids unique", field="id")
        seen.add(item.id)
        yield item


def new_only(connection: sa.Connection, project: Project, batch: Batch, *, skip_known: bool) -> Batch:
    """The batch without what the project has already.

    Raises:
        ConflictError: it has something of this id, and either that is not to be skipped or its content differs.
    """
    new = _unknown(connection, project, tasks.c.group_id, batch.tasks, skip_known=skip_known)
    names = {row["group_id"] for row in new}
    answers = {name: given for name, given in batch.answers.items() if name in names}
    column = demonstrations.c.demonstration_id
    return Batch(new, answers, _unknown(connection, project, column, batch.demonstrations, skip_known=skip_known))


def _unknown(
    connection: sa.Connection,
    project: Project,
    column: sa.Column[str],
    rows: Sequence[dict[str, Any]],
    *,
    skip_known: bool,
) -> tuple[dict[str, Any], ...]:
    table = column.table
    new: list[dict[str, Any]] = []
    for chunk in chunks(rows):
        known = sa.select(column, table.c.content).where(
            table.c.project_id == project.id, column.in_([row[column.name] for row in chunk])
        )
        there = {row[0]: row[1] for row in connection.execute(known)}
        for row in chunk:
            name = row[column.name]
            if name in there and not skip_known:
                raise ConflictError(f"the project {project.name!r} has {name!r} already; nothing was imported")
            if name in there and there[name] != json.loads(row["content"]):
                raise ConflictError(
                    f"the project {project.name!r} has another {name!r}; nothing was imported, give the new one "
                    "another id"
                )
        new += [row for row in chunk if row[column.name] not in there]
    return tuple(new)


def check_fits(connection: sa.Connection, project_id: int, schema: LabelSchema) -> None:
    """Raise `DataError` if the schema asks something of a project's groups that they are too small or large for."""
    size = sa.func.json_array_length(tasks.c.content["completions"])
    sizes = sa.select(sa.func.min(tasks.c.group_id), size).where(tasks.c.project_id == project_id).group_by(size)
    for group_id, k in connection.execute(sizes.order_by(size)):
        _check_count(group_id, k, schema)


def _in_order(
    connection: sa.Connection, project_id: int, *conditions: sa.ColumnElement[bool]
) -> Iterator[Sequence[Any]]:
    """Id and content of every task, some at a time, in the order of import."""
    after = 0
    ours = (tasks.c.project_id == project_id, visible(tasks), *conditions)
    columns = sa.select(tasks.c.id, tasks.c.content).where(*ours)
    while rows := connection.execute(columns.where(tasks.c.id > after).order_by(tasks.c.id).limit(CHUNK)).all():
        after = rows[-1].id
        yield rows


def _check_count(group_id: str, k: int, schema: LabelSchema) -> None:
    try:
        schema.check_count(k)
    except DataError as error:
        raise DataError(f"group {group_id!r} {error.problem}", field=error.field) from error


def _task_row(group: Group, project: Project, overlap: int) -> dict[str, Any]:
    _check_count(group.id, len(group.completions), project.schema)
    if group.rankings and not group.completions:
        raise DataError(f"of group {group.id!r} rank nothing; leave them out", field="rankings")
    priority = group.meta.get("priority", 0)
    urgent = isinstance(priority, int) and not isinstance(priority, bool)  # anything else is somebody's own meaning
    if urgent and priority not in PRIORITIES:
        problem = f"of group {group.id!r} is {priority}; give a whole number from 0 to 100, or remove it"
        raise DataError(problem, field="meta.priority")
    content = group_to_row(replace(group, rankings=()))
    content.pop("rankings")
    judged = len({ranking.annotator for ranking in group.rankings})
    return {
        "group_id": group.id,
        "content": encoded(content),
        "pool": "queue",
        "overlap": overlap,
        "priority": priority if urgent else 0,
        "remaining": max(overlap - judged, 0),
        "judged": judged,
        "stage": stage(overlap, judged),
        "shuffle": circle_place(project.seed, group.id),
        "sensitive": group.meta.get("sensitive") is True,
    }


def _answer(ranking: Ranking, now: float) -> dict[str, Any]:
    return {
        "annotator": ranking.annotator,
        "origin": "import",
        "kind": "rank",
        "answer": encoded(ledger.answer_of_ranking(ranking)),
        "seconds": ranking.seconds,
        "at": ranking.at,
        "created": now,
    }


def set_priorities(connection: sa.Connection, project: Project, priorities: Mapping[str, int]) -> None:
    """Set how urgent tasks are, by group id."""
    for group_id, priority in priorities.items():
        if priority not in PRIORITIES:
            raise UsageError(f"the priority of {group_id!r} is {priority!r}; give a whole number from 0 to 100")
    ours = sa.and_(tasks.c.project_id == project.id, visible(tasks))
    known: set[str] = set()
    for chunk in chunks(priorities):
        known |= set(connection.execute(sa.select(tasks.c.group_id).where(ours, tasks.c.group_id.in_(chunk))).scalars())
    unknown = [repr(group_id) for group_id in priorities if group_id not in known]
    if unknown:
        told = ", ".join(unknown[:NAMED]) + (f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else "")
        raise NotFoundError(f"the project {project.name!r} has no group {told}; nothing was changed")
    change = sa.update(tasks).where(ours, tasks.c.group_id == sa.bindparam("task")).values(priority=sa.bindparam("to"))
    if priorities:
        connection.execute(change, [{"task": name, "to": priority} for name, priority in priorities.items()])


def groups(connection: sa.Connection, project_id: int) -> Iterator[tuple[Group, tuple[Judgment, ...]]]:
    """Every group in the order of import, with its standing rankings, and with all its standing judgments beside it.

    Tasks of an exam are left out: they are there to get to know people, not the texts.
    """
    return _judged(connection, _in_order(connection, project_id, tasks.c.pool != "exam"))


def groups_of(connection: sa.Connection, task_ids: Sequence[int]) -> Iterator[tuple[Group, tuple[Judgment, ...]]]:
    """The same of some tasks, in no particular order."""
    columns = sa.select(tasks.c.id, tasks.c.content)
    wanted = (connection.execute(columns.where(tasks.c.id.in_(ids))).all() for ids in chunks(task_ids))
    return _judged(connection, wanted)


def _judged(
    connection: sa.Connection, tasks_in_turn: Iterable[Sequence[Any]]
) -> Iterator[tuple[Group, tuple[Judgment, ...]]]:
    for rows in tasks_in_turn:
        answers: dict[int, list[Judgment]] = defaultdict(list)
        for judgment in ledger.standing(connection, judgments.c.task_id.in_([row.id for row in rows])):
            answers[judgment.task_id].append(judgment)
        for row in rows:
            rankings = tuple(judgment.ranking for judgment in answers[row.id] if judgment.ranking)
            yield replace(parse_group(row.content), rankings=rankings), tuple(answers[row.id])


def task_page(connection: sa.Connection, project_id: int, after: int, limit: int) -> tuple[TaskState, ...]:
    """See `labeler.store.Store.task_page`."""
    columns = (tasks.c.id, tasks.c.content, tasks.c.overlap, tasks.c.remaining, tasks.c.priority)
    query = sa.select(*columns).where(tasks.c.project_id == project_id, visible(tasks), tasks.c.id > after)
    return tuple(TaskState(*row) for row in connection.execute(query.order_by(tasks.c.id).limit(limit)))


def written(connection: sa.Connection, project_id: int) -> Iterator[Demonstration]:
    """Every demonstration in the order of import."""
    query = sa.select(demonstrations.c.content).where(
        demonstrations.c.project_id == project_id, visible(demonstrations)
    )
    for row in connection.execute(query.order_by(demonstrations.c.id)):
        yield parse_demonstration(row.content)
