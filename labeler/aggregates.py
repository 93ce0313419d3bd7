"""A fair sample of a large project's judged tasks, and what tells that it would be another by now."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa

from labeler.schema import judgments, tasks, visible

SPREAD = 2654435761
"""Knuth's multiplier: task ids times this, modulo 2³², are an order that has nothing to do with that of import."""
AT_ONCE = 1000


def judged_tasks(connection: sa.Connection, project_id: int, limit: int) -> tuple[list[int], bool]:
    """Ids of at most ``limit`` judged tasks, as good as random and mostly the same every time; whether these are all.

    Tasks are tried some at a time in the order of their ids times `SPREAD`, until there are enough.
    """
    ours = (tasks.c.project_id == project_id) & (tasks.c.pool != "exam")
    # Each in a query of its own is read off an index; both in one would read every task.
    low, high = (
        connection.execute(sa.select(end(tasks.c.id)).where(tasks.c.project_id == project_id)).scalar()
        for end in (sa.func.min, sa.func.max)
    )
    ids = np.arange(low or 1, (high or 0) + 1, dtype=np.uint64)
    ids = ids[np.argsort(ids * np.uint64(SPREAD) % np.uint64(2**32))]
    answered = sa.exists().where(judgments.c.task_id == tasks.c.id)
    found: list[int] = []
    for begin in range(0, len(ids), AT_ONCE):
        if len(found) >= limit:
            return found[:limit], False
        tried = ids[begin : begin + AT_ONCE].tolist()
        found += connection.execute(
            sa.select(tasks.c.id).where(ours, visible(tasks), answered, tasks.c.id.in_(tried))
        ).scalars()
    return found[:limit], len(found) <= limit


def newest_judgment(connection: sa.Connection) -> int:
    """The id of the last judgment of the whole database, 0 without any: what was summed up before is as it was."""
    return int(connection.execute(sa.select(sa.func.max(judgments.c.id))).scalar() or 0)


def tasks_of(connection: sa.Connection, project_id: int, user_id: int, limit: int) -> list[int]:
    """Ids of the tasks that a user answered last."""
    query = (
        sa.select(judgments.c.task_id)
        .where(judgments.c.user_id == user_id, judgments.c.project_id == project_id)
        .order_by(judgments.c.id.desc())
        .limit(limit)
    )
    return sorted(set(connection.execute(query).scalars()))
