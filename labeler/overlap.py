"""Another overlap for a whole project: every task's slots are counted anew, and what the project's counters gain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from labeler.content import chunks
from labeler.ledger import LABELED
from labeler.queue import stage
from labeler.schema import IN_QUEUE, judgments, tasks, visible
from labeler.tallies import NOBODY, Answer, Key, contribution, judged

_ANSWER = tuple(judgments.c[name] for name in ("id", "annotator", "kind", "seconds", "at", "supersedes"))
_SETTLE = (
    sa.update(tasks)
    .where(tasks.c.id == sa.bindparam("task"))
    .values(overlap=sa.bindparam("people"), remaining=sa.bindparam("still"), stage=sa.bindparam("now_at"))
)


def set_overlap(connection: sa.Connection, project_id: int, overlap: int) -> dict[Key, float]:
    """Want so many people for each task of a project; answers that are there count.

    All tasks are locked, in one order; what a running import has staged is left as it is. Outside the queue (gold
    items, tasks of an exam) nobody is wanted still.

    Returns:
        What is to be added to the project's counters, as the last thing in the transaction.
    """
    ours = (tasks.c.project_id == project_id, visible(tasks))
    columns = sa.select(tasks.c.id, tasks.c.overlap, tasks.c.remaining, IN_QUEUE.label("queued")).where(*ours)
    rows = connection.execute(columns.order_by(tasks.c.id).with_for_update(key_share=True)).all()
    change: dict[Key, float] = defaultdict(float)
    for some in chunks(rows):
        answers = _answers(connection, [row.id for row in some])
        settled = [_settled(row, overlap, answers[row.id]) for row in some]
        for row, now in zip(some, settled, strict=True):
            given, queued = answers[row.id], row.queued
            for key, amount in contribution(NOBODY, row.overlap, row.remaining, given, queued=queued).items():
                change[key] -= amount
            for key, amount in contribution(NOBODY, overlap, now["still"], given, queued=queued).items():
                change[key] += amount
        connection.execute(_SETTLE, settled)
    return change


def _answers(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[Answer]]:
    found: dict[int, list[Answer]] = defaultdict(list)
    given = sa.select(judgments.c.task_id, *_ANSWER).where(judgments.c.task_id.in_(ids), LABELED)
    for row in connection.execute(given.order_by(judgments.c.id)):
        found[row.task_id].append(Answer(*row[1:]))
    return found


def _settled(row: Any, overlap: int, answers: Sequence[Answer]) -> dict[str, Any]:
    number = judged(answers)
    return {
        "task": row.id,
        "people": overlap,
        "still": max(overlap - number, 0) if row.queued else 0,
        "now_at": stage(overlap, number),
    }
