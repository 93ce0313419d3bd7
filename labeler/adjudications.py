"""Reviewers' final answers: rows of the append-only judgments with a kind of their own.

Such a row has no user of its own, so that a reviewer may have judged the task too; who decided, what they accepted and
which judgments stood before them is in its answer. A later decision supersedes it, the past stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from labeler import ledger
from labeler.entities import ADJUDICATED, Edit, Judgment
from labeler.records import Ranking
from labeler.schema import judgments


@dataclass(frozen=True, slots=True)
class Adjudication:
    """A final answer.

    Attributes:
        ranking: under the annotator `ADJUDICATED`.
        edit: of the judgment that was taken over, where it has one.
        by: name of the reviewer.
        accepted: the judgment that was taken over as it is, None where the reviewer wrote their own.
        instead: the judgments that stood when it was decided.
        supersedes: the decision that this one replaced.
    """

    id: int
    task_id: int
    group_id: str
    ranking: Ranking
    edit: Edit | None
    by: str
    at: str
    accepted: int | None
    instead: tuple[int, ...]
    supersedes: int | None
    schema_version: int

    @property
    def judgment(self) -> Judgment:
        """It as a judgment among the labelers'."""
        return Judgment(
            id=self.id,
            task_id=self.task_id,
            group_id=self.group_id,
            annotator=ADJUDICATED,
            user_id=None,
            origin="app",
            kind="rank",
            ranking=self.ranking,
            edit=self.edit,
            reason=None,
            note=self.ranking.note,
            order=None,
            seconds=None,
            at=self.at,
            schema_version=self.schema_version,
            guidelines_version=None,
            supersedes=self.supersedes,
            submission_id=None,
        )


def of_project(connection: sa.Connection, project_id: int) -> dict[str, Adjudication]:
    """The standing ones by group id."""
    found = connection.execute(ledger.select(_OURS, ledger.STANDS, judgments.c.project_id == project_id))
    return {row.group_id: _adjudication(row) for row in found}


def of_task(connection: sa.Connection, task_id: int) -> tuple[Adjudication, ...]:
    """Every one of a task, the standing one last."""
    query = ledger.select(_OURS, judgments.c.task_id == task_id).order_by(judgments.c.id)
    return tuple(_adjudication(row) for row in connection.execute(query))


def page(connection: sa.Connection, project_id: int, after: int, limit: int) -> tuple[Adjudication, ...]:
    """The standing ones in the order in which they were made, those after an id."""
    query = ledger.select(_OURS, ledger.STANDS, judgments.c.project_id == project_id, judgments.c.id > after)
    return tuple(_adjudication(row) for row in connection.execute(query.order_by(judgments.c.id).limit(limit)))


def append(
    connection: sa.Connection,
    ranking: Ranking,
    edit: Edit | None,
    *,
    project_id: int,
    task_id: int,
    by: str,
    accepted: int | None,
    instead: Sequence[int],
    supersedes: int | None,
    versions: tuple[int, int],
    submission_id: str,
    now: float,
) -> None:
    """Record a decision; ``versions`` are of schema and guidelines."""
    decided = {
        "ranking": ledger.answer_of_ranking(ranking, edit),
        "by": by,
        "accepted": accepted,
        "instead": list(instead),
    }
    row: dict[str, Any] = {
        "project_id": project_id,
        "task_id": task_id,
        "annotator": ADJUDICATED,
        "origin": "app",
        "kind": ledger.ADJUDICATED,
        "answer": decided,
        "at": ledger.rfc3339(now),
        "schema_version": versions[0],
        "guidelines_version": versions[1],
        "supersedes": supersedes,
        "submission_id": submission_id,
        "created": now,
    }
    ledger.append(connection, row)


_OURS = judgments.c.kind == ledger.ADJUDICATED


def _adjudication(row: Any) -> Adjudication:
    answer = row.answer
    edit = answer["ranking"].get("edit")
    return Adjudication(
        id=row.id,
        task_id=row.task_id,
        group_id=row.group_id,
        ranking=ledger.ranking_of_answer(answer["ranking"], annotator=ADJUDICATED, at=row.at),
        edit=Edit(**edit) if edit else None,
        by=answer["by"],
        at=row.at,
        accepted=answer["accepted"],
        instead=tuple(answer["instead"]),
        supersedes=row.supersedes,
        schema_version=row.schema_version,
    )
