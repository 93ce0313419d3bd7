"""Another overlap for a whole project: every task's slots are counted anew, and what the project's counters gain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from labeler import tallies
from labeler.content import chunks
from labeler.queue import stage
from labeler.schema import judgments, tasks, visible
from labeler.tallies import NOBODY, Answer, Key

_ANSWER = tuple(judgments.c[name] for name in ("id", "annotator", "kind", "seconds", "at", "supersedes"))
_SETTLE = (
    sa.update(tasks)
    .where(tasks.c.id == sa.bindparam("task"))
    .values(overlap=sa.bindparam("people"), remaining=sa.bindparam("still"), stage=sa.bindparam("now_at"))
)


def set_overlap(connection: sa.Connection, project_id: int, overlap: int) -> dict[Key, float]:
    """Want so many people for each task of a project; answers that are there count.

    All tasks are locked, in one order; what a running import has staged is left as it is.

    Returns:
        What is to be added to the project's counters, as the last thing in the transaction.
    """
    ours = (tasks.c.project_id == project_id, visible(tasks))
    columns = sa.select(tasks.c.id, tasks.c.overlap, tasks.c.remaining).where(*ours)
    rows = connection.execute(columns.order_by(tasks.c.id).with_for_update(key_share=True)).all()
    change: dict[Key, float] = defaultdict(float)
    for some in chunks(rows):
        answers = _answers(connection, [row.id for row in some])
        settled = [_settled(row.id, overlap, answers[row.id]) for row in some]
        for row, now in zip(some, settled, strict=True):
            given = answers[row.id]
            for key, amount in tallies.contribution(NOBODY, row.overlap, row.remaining, given).items():
                change[key] -= amount
            for key, amount in tallies.contribution(NOBODY, overlap, now["still"], given).items():
                change[key] += amount
        connection.execute(_SETTLE, settled)
    return change


def _answers(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[Answer]]:
    found: dict[int, list[Answer]] = defaultdict(list)
    given = sa.select(judgments.c.task_id, *_ANSWER).where(judgments.c.task_id.in_(ids)).order_by(judgments.c.id)
    for row in connection.execute(given):
        found[row.task_id].append(Answer(*row[1:]))
    return found


def _settled(task_id: int, overlap: int, answers: Sequence[Answer]) -> dict[str, Any]:
    judged = tallies.judged(answers)
    return {
        "task": task_id,
        "people": overlap,
        "still": max(overlap - judged, 0),
        "now_at": stage(overlap, judged),
    }
