"""Which tasks are outside the queue: gold items and tasks of an exam, which everybody may meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from labeler.comparisons import GOLD
from labeler.formats import parse_group
from labeler.gold import GoldRules, checked_gold
from labeler.quality_schema import gold_rules
from labeler.records import Group
from labeler.schema import tasks

Pool = Literal["queue", "gold", "exam"]
CHUNK = 500
_RULES = sa.select(gold_rules).where(gold_rules.c.project_id == sa.bindparam("project"))
_MAY_BE_GOLD = sa.cast(tasks.c.content, sa.Text).like(f'%"{GOLD}"%')


def rules_of(connection: sa.Connection, project_id: int) -> GoldRules:
    """How a project uses its gold items."""
    row = connection.execute(_RULES, {"project": project_id}).first()
    return GoldRules() if row is None else GoldRules(row.share, row.feedback, row.threshold, row.least)


def secret_of(connection: sa.Connection, project_id: int) -> str | None:
    """What hides the order of import of a project (see `labeler.handles`); None for one that never had gold rules."""
    row = connection.execute(_RULES, {"project": project_id}).first()
    return None if row is None else str(row.secret)


def with_answers(connection: sa.Connection, project_id: int, pool: Pool, after: int = 0) -> list[tuple[int, Group]]:
    """Tasks of a pool whose right ranking is known, in the order of import.

    Raises:
        DataError: a right ranking does not fit its group.
    """
    query = sa.select(tasks.c.id, tasks.c.content).where(
        tasks.c.project_id == project_id, tasks.c.pool == pool, tasks.c.id > after, _MAY_BE_GOLD
    )
    found = [(row.id, parse_group(row.content)) for row in connection.execute(query.order_by(tasks.c.id))]
    gold = [(task_id, group) for task_id, group in found if group.meta.get(GOLD) is not None]
    for _, group in gold:
        checked_gold(group)
    return gold


def move(connection: sa.Connection, task_ids: Sequence[int], pool: Pool) -> None:
    """Put tasks into a pool; outside the queue nobody is wanted for them. Back in the queue they must be recounted."""
    values = {"pool": pool} if pool == "queue" else {"pool": pool, "remaining": 0}
    for begin in range(0, len(task_ids), CHUNK):
        ids = task_ids[begin : begin + CHUNK]
        connection.execute(sa.update(tasks).where(tasks.c.id.in_(ids)).values(**values))


def place_new(connection: sa.Connection, project_id: int, after: int) -> None:
    """Take the gold items among tasks that were just imported out of the queue, if the project hides them."""
    if rules_of(connection, project_id).share:
        move(connection, [task_id for task_id, _ in with_answers(connection, project_id, "queue", after)], "gold")
