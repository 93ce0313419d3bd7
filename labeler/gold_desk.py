"""What managers see and do about gold items: rules, how everybody did, pauses; and what a labeler is told."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from labeler import content, directory, draws, ledger, pools
from labeler.agreement import Estimate, ratio_interval
from labeler.claims import Seeker
from labeler.entities import Judgment
from labeler.errors import NotFoundError, UsageError
from labeler.formats import parse_group
from labeler.gold import Feedback, GoldRules, checked_gold, feedback, note_of, score
from labeler.handles import handle, is_handle, project_of_handle, task_of_handle
from labeler.quality_schema import gold_rules, pauses
from labeler.records import Group, Ranking
from labeler.schema import judgments, tasks, users
from labeler.store import Store

_SPACES = 2**31


@dataclass(frozen=True, slots=True)
class GoldPerson:
    """How somebody did on gold items by their first answers; ``pause`` is the id of their pause, if they are paused."""

    name: str
    seen: int
    right: Estimate
    pause: int | None


@dataclass(frozen=True, slots=True)
class GoldItem:
    """How a gold item was answered."""

    group_id: str
    prompt: str
    answers: int
    right: float | None
    note: str | None


@dataclass(frozen=True, slots=True)
class GoldReport:
    """A project's gold items, least agreed with first, and its people by name."""

    rules: GoldRules
    items: tuple[GoldItem, ...]
    people: tuple[GoldPerson, ...]


class GoldDesk:
    """A companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def rules(self, project_id: int) -> GoldRules:
        """How a project uses its gold items."""
        with self.store.database.read() as connection:
            return pools.rules_of(connection, project_id)

    def set_rules(self, project_id: int, rules: GoldRules) -> None:
        """Use gold items so from now on; with a share above 0 they leave the queue, at 0 they return to it.

        Raises:
            DataError: the right ranking of a group does not fit it.
            UsageError: there is no gold item to draw, or people write in this project.
        """
        with self.store.database.write() as connection:
            directory.lock_project(connection, project_id)
            if rules.share and not directory.project_by_id(connection, project_id).schema.judges:
                raise UsageError("people write in this project; only judgments can be compared with known answers")
            hidden = pools.with_answers(connection, project_id, "gold")
            found = pools.with_answers(connection, project_id, "queue")
            if rules.share and not hidden and not found:
                raise UsageError("no task has known answers; import some with meta.gold_ranks first")
            _write(connection, project_id, rules)
            if rules.share:
                pools.move(connection, [task_id for task_id, _ in found], "gold")
            else:
                pools.move(connection, [task_id for task_id, _ in hidden], "queue")

    def report(self, project_id: int) -> GoldReport:
        """How gold items were answered, by item and by person."""
        with self.store.database.read() as connection:
            rules = pools.rules_of(connection, project_id)
            gold = pools.with_answers(connection, project_id, "gold")
            answers = _first_answers(connection, project_id)
            paused = {row.name: row.id for row in connection.execute(_PAUSED, {"project": project_id})}
        by_task, by_person = defaultdict(list), defaultdict(list)
        right = {task_id: checked_gold(group) for task_id, group in gold}
        for task_id, name, ranking in answers:
            found = score(ranking, right[task_id])
            by_task[task_id].append(found)
            by_person[name].append(found)
        items = [_item(group, by_task[task_id]) for task_id, group in gold]
        people = [
            GoldPerson(name, len(by_person[name]), _share(by_person[name]), paused.get(name))
            for name in sorted({*by_person, *paused})
        ]
        return GoldReport(rules, tuple(sorted(items, key=_doubt)), tuple(people))

    def lift(self, project_id: int, pause_id: int, manager_id: int) -> None:
        """Let a paused person go on; what they answered before counts no more."""
        with self.store.database.write() as connection:
            mine = (pauses.c.id == pause_id, pauses.c.project_id == project_id, pauses.c.lifted.is_(None))
            change = sa.update(pauses).where(*mine).values(lifted_by=manager_id, lifted=self.store.clock())
            if not connection.execute(change).rowcount:
                raise NotFoundError(f"there is no pause {pause_id} to lift in this project")

    def feedback(self, judgment: Judgment) -> Feedback | None:
        """What the person is told of an answer just given; only of a first ranking of a gold item."""
        if judgment.ranking is None or judgment.supersedes is not None:
            return None
        with self.store.database.read() as connection:
            row = connection.execute(_TASK, {"task": judgment.task_id}).one()
            if row.pool != "gold":
                return None
            return feedback(pools.rules_of(connection, row.project_id), parse_group(row.content), judgment.ranking)

    def standing(self, project_id: int, user_id: int) -> draws.Standing:
        """Whether the person is paused or being screened."""
        with self.store.database.read() as connection:
            user, project = directory.member(connection, project_id, user_id, lock=False)
            return draws.standing(connection, Seeker(user, project, self.store.clock()))

    def handles(self, project_id: int, task_ids: Iterable[int]) -> dict[int, int]:
        """What a labeler's page calls tasks: something that tells nothing, where the project has gold rules."""
        with self.store.database.read() as connection:
            secret = pools.secret_of(connection, project_id)
        return {task_id: handle(secret, project_id, task_id) if secret else task_id for task_id in task_ids}

    def handle_of(self, task_id: int) -> int:
        """The same of one task, whose project need not be known."""
        with self.store.database.read() as connection:
            project_id = connection.execute(_TASK, {"task": task_id}).one().project_id
        return self.handles(project_id, [task_id])[task_id]

    def task_of(self, number: int) -> int:
        """The task that a labeler's page means."""
        if not is_handle(number):
            return min(number, _SPACES - 1)
        with self.store.database.read() as connection:
            secret = pools.secret_of(connection, min(project_of_handle(number), _SPACES - 1))
        if secret is None:
            raise NotFoundError(f"there is no task {number}")
        return min(task_of_handle(secret, number), _SPACES - 1)


_TASK = sa.select(tasks.c.pool, tasks.c.project_id, tasks.c.content).where(tasks.c.id == sa.bindparam("task"))
_PAUSED = (
    sa.select(users.c.name, pauses.c.id)
    .join(users, users.c.id == pauses.c.user_id)
    .where(pauses.c.project_id == sa.bindparam("project"), pauses.c.lifted.is_(None))
)


def _write(connection: sa.Connection, project_id: int, rules: GoldRules) -> None:
    values = {name: getattr(rules, name) for name in ("share", "feedback", "threshold", "least")}
    ours = gold_rules.c.project_id == project_id
    if not connection.execute(sa.update(gold_rules).where(ours).values(**values)).rowcount:
        row = {"project_id": project_id, "secret": secrets.token_hex(16), **values}
        connection.execute(sa.insert(gold_rules).values(**row))


def _first_answers(connection: sa.Connection, project_id: int) -> list[tuple[int, str, Ranking]]:
    """Task, person and ranking of every first answer to a gold item that was made here."""
    query = ledger.select(
        judgments.c.project_id == project_id,
        tasks.c.pool == "gold",
        judgments.c.user_id.is_not(None),
        judgments.c.kind == "rank",
        judgments.c.supersedes.is_(None),
    )
    found = (ledger.to_judgment(row) for row in connection.execute(query.order_by(judgments.c.id)))
    return [(judgment.task_id, judgment.annotator, judgment.ranking) for judgment in found if judgment.ranking]


def _share(scores: list[tuple[int, int]]) -> Estimate:
    return ratio_interval(np.array(scores, dtype=float).reshape(-1, 2))


def _item(group: Group, scores: list[tuple[int, int]]) -> GoldItem:
    matched, compared = (sum(column) for column in zip(*scores, strict=True)) if scores else (0, 0)
    return GoldItem(
        group.id, content.last_words(group)[:120], len(scores), matched / compared if compared else None, note_of(group)
    )


def _doubt(item: GoldItem) -> tuple[float, str]:
    return (2.0 if item.right is None else item.right, item.group_id)
