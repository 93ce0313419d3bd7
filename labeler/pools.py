"""Which tasks are outside the queue: gold items and tasks of an exam, which everybody may meet; and those set aside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from labeler.comparisons import GOLD
from labeler.formats import parse_group
from labeler.gold import GoldRules, checked_gold
from labeler.quality_schema import gold_rules
from labeler.records import Group
from labeler.schema import tasks, visible
from labeler.tallies import NOBODY, recounted

Pool = Literal["queue", "gold", "exam", "aside"]
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


def with_answers(connection: sa.Connection, project_id: int, pool: Pool) -> list[tuple[int, Group]]:
    """Tasks of a pool whose right ranking is known, in the order of import.

    Raises:
        DataError: a right ranking does not fit its group.
    """
    query = sa.select(tasks.c.id, tasks.c.content).where(
        tasks.c.project_id == project_id, tasks.c.pool == pool, visible(tasks), _MAY_BE_GOLD
    )
    found = [(row.id, parse_group(row.content)) for row in connection.execute(query.order_by(tasks.c.id))]
    gold = [(task_id, group) for task_id, group in found if group.meta.get(GOLD) is not None]
    for _, group in gold:
        checked_gold(group)
    return gold


def move(connection: sa.Connection, task_ids: Sequence[int], pool: Pool) -> None:
    """Put tasks of a project into a pool; outside the queue nobody is wanted for them."""
    parts = [task_ids[begin : begin + CHUNK] for begin in range(0, len(task_ids), CHUNK)]
    for ids in parts:
        lock = sa.select(tasks.c.id).where(tasks.c.id.in_(ids)).order_by(tasks.c.id)
        connection.execute(lock.with_for_update(key_share=True))
    with recounted(connection, *task_ids, by=NOBODY):
        for ids in parts:
            connection.execute(sa.update(tasks).where(tasks.c.id.in_(ids)).values(pool=pool))


def set_aside(connection: sa.Connection, project_id: int, group_ids: Iterable[str], *, aside: bool) -> int:
    """Take tasks out of the queue, where nobody gets them any more, or put them back; returns how many moved.

    What was said of them stays. Gold items and tasks of an exam are not in the queue and stay where they are.
    """
    found: list[int] = []
    names = list(group_ids)
    for begin in range(0, len(names), CHUNK):
        query = sa.select(tasks.c.id).where(
            tasks.c.project_id == project_id,
            tasks.c.group_id.in_(names[begin : begin + CHUNK]),
            tasks.c.pool == ("queue" if aside else "aside"),
            visible(tasks),
        )
        found += connection.execute(query).scalars()
    move(connection, found, "aside" if aside else "queue")
    return len(found)


def placed(rows: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Rows of tasks to be imported, gold items taken out of the queue.

    Raises:
        DataError: a right ranking does not fit its group.
    """
    return tuple(row | {"pool": "gold", "remaining": 0} if _is_gold(row["content"]) else row for row in rows)


def _is_gold(content: str) -> bool:
    if f'"{GOLD}"' not in content:
        return False
    group = parse_group(json.loads(content))
    if group.meta.get(GOLD) is None:
        return False
    checked_gold(group)
    return True
