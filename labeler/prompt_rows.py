"""The prompts of a project without their completions, and how far each task is: what search and clusters work on.

Only those of the queue, and those taken out of it: gold items and tasks of an exam are there to get to know people, and
are never finished. Rows are named tuples, which are made twice as fast as dataclasses that cannot change: a large
project has a hundred thousand of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from labeler.schema import IN_QUEUE, tasks, visible

CATEGORY = "use_case"
"""The key of a group's `meta` that holds its prompt's category."""
NO_CATEGORY = "none"
AT_ONCE = 1000
"""Rows that are read at a time."""
_ASIDE = tasks.c.pool == "aside"
TaskProgress = Literal["waiting", "started", "finished", "aside"]


class PromptRow(NamedTuple):
    """The prompt of one task; ``text`` is what `conversation` makes of it."""

    task_id: int
    group_id: str
    text: str
    category: str
    source: str


class TaskWork(NamedTuple):
    """How far a task is: its urgency, how many people it wants, how many still, its standing rankings; if set aside."""

    priority: int
    overlap: int
    remaining: int
    judgments: int
    aside: bool = False

    @property
    def state(self) -> TaskProgress:
        """Whether anybody judged it, and whether that is enough; or that it was taken out of the queue."""
        if self.aside:
            return "aside"
        if not self.remaining:
            return "finished"
        return "started" if self.remaining < self.overlap else "waiting"


def prompts(connection: sa.Connection, project_id: int) -> list[PromptRow]:
    """Every prompt of the queue in the order of import.

    The parts of a row are taken from it here: PostgreSQL's operators refuse JSON with an escaped NUL anywhere in it.
    """
    columns = sa.select(tasks.c.id, tasks.c.group_id, tasks.c.content).where(*_queued(project_id))
    query = columns.order_by(tasks.c.id).execution_options(yield_per=AT_ONCE)
    return [_row(task_id, group_id, content) for task_id, group_id, content in connection.execute(query)]


def _row(task_id: int, group_id: str, content: dict[str, Any]) -> PromptRow:
    category = (content.get("meta") or {}).get(CATEGORY) or NO_CATEGORY
    text = conversation(content["prompt"])
    return PromptRow(task_id, group_id, text, str(category), str(content.get("source") or NO_CATEGORY))


def conversation(prompt: Sequence[dict[str, Any]]) -> str:
    """The text of a prompt: a single message as it is, several each with their role."""
    if len(prompt) == 1:
        return str(prompt[0]["content"])
    return "\n".join(f"{message['role']}: {message['content']}" for message in prompt)


def _queued(project_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (tasks.c.project_id == project_id, IN_QUEUE | _ASIDE, visible(tasks))


def stamp(connection: sa.Connection, project_id: int) -> tuple[int, int]:
    """Changes when there are other prompts: the number of tasks, and the sum of their ids."""
    query = sa.select(sa.func.count(), sa.func.sum(tasks.c.id)).where(*_queued(project_id))
    count, total = connection.execute(query).one()
    return int(count), int(total or 0)


def holds(connection: sa.Connection, project_id: int, task_id: int) -> bool:
    """Whether the task is one of the project's."""
    query = sa.select(tasks.c.id).where(tasks.c.id == task_id, tasks.c.project_id == project_id, visible(tasks))
    return connection.execute(query).first() is not None


def task_ids(connection: sa.Connection, project_id: int) -> dict[str, int]:
    """Group → task."""
    query = sa.select(tasks.c.group_id, tasks.c.id).where(tasks.c.project_id == project_id, visible(tasks))
    return {row.group_id: row.id for row in connection.execute(query)}


def work(connection: sa.Connection, project_id: int) -> dict[int, TaskWork]:
    """How far every task of the queue is, by its id."""
    so_far = (tasks.c.overlap, tasks.c.remaining, tasks.c.judged)
    query = sa.select(tasks.c.id, tasks.c.priority, *so_far, _ASIDE.label("aside")).where(*_queued(project_id))
    return {
        task_id: TaskWork(priority, overlap, remaining, judged, bool(aside))
        for task_id, priority, overlap, remaining, judged, aside in connection.execute(query)
    }
