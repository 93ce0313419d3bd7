"""The append-only table of judgments: rows in, records out, and which ones stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from labeler.chat import Dialogue, dialogue_of, dialogue_row
from labeler.entities import Edit, Judgment, Submission, Written
from labeler.errors import NotFoundError
from labeler.records import Ranking
from labeler.schema import judgments, tasks, visible

_OWN_COLUMNS = ("annotator", "at", "seconds")
DIALOGUE = "dialogue"
"""Where the answer column holds a dialogue."""
_KEPT = ("seconds", "at", "schema_version", "guidelines_version", "supersedes", "submission_id")
_later = judgments.alias("later")

STANDS = ~sa.exists().where(_later.c.supersedes == judgments.c.id)
"""True for a judgment that no correction has replaced."""


ADJUDICATED = "adjudicate"
"""The kind of a reviewer's final answer, see `labeler.adjudications`; it is no labeler's judgment."""
LABELED = judgments.c.kind != ADJUDICATED


def rfc3339(moment: float) -> str:
    """Seconds since 1970 as the UTC time that goes into files, to the second."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def answer_of_ranking(ranking: Ranking, edit: Edit | None = None) -> dict[str, Any]:
    """What of a ranking and an edit goes into the answer column; absent optionals are left out."""
    values = {f.name: getattr(ranking, f.name) for f in fields(ranking) if f.name not in _OWN_COLUMNS}
    found = {name: value for name, value in values.items() if value is not None and value is not False}
    return found | ({"edit": asdict(edit)} if edit else {})


def ranking_of_answer(answer: Mapping[str, Any], **given: Any) -> Ranking:
    """What `answer_of_ranking` wrote, with the values that are kept beside it."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in answer.items() if name != "edit"
    }
    if "flags" in known:
        known["flags"] = tuple(tuple(names) for names in known["flags"])
    return Ranking(**given, **known)


def _written(answer: Mapping[str, Any]) -> Written:
    flags = answer.get("prompt_flags")
    return Written(answer["text"], None if flags is None else tuple(flags))


def to_judgment(row: sa.Row[Any]) -> Judgment:
    """A row of `select` as a record."""
    order, edit = row.answer.get("order"), row.answer.get("edit")
    dialogue = dialogue_of(row.answer[DIALOGUE]) if DIALOGUE in row.answer else None
    ranking = None
    if row.kind == "rank" and dialogue is None:
        ranking = ranking_of_answer(row.answer, annotator=row.annotator, at=row.at, seconds=row.seconds)
    return Judgment(
        **{
            name: getattr(row, name) for name in ("id", "task_id", "group_id", "annotator", "user_id", "origin", "kind")
        },
        **{name: getattr(row, name) for name in _KEPT},
        ranking=ranking,
        written=_written(row.answer) if row.kind == "write" else None,
        edit=Edit(**edit) if edit else None,
        reason=row.answer.get("reason"),
        note=row.answer.get("note"),
        order=None if order is None else tuple(order),
        dialogue=dialogue,
    )


def select(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Judgments with the group id of their task, for `to_judgment`."""
    return sa.select(judgments, tasks.c.group_id).join(tasks).where(*conditions)


# Built once, since they run for every answer.
_BY_ID = select(judgments.c.id == sa.bindparam("judgment"))
_LATEST = (
    select(judgments.c.annotator == sa.bindparam("name"), judgments.c.task_id == sa.bindparam("task"))
    .order_by(judgments.c.id.desc())
    .limit(1)
)
_APPEND = sa.insert(judgments).returning(judgments.c.id)
_LAST_ANSWER = (
    sa.select(judgments.c.id, judgments.c.created)
    .where(judgments.c.user_id == sa.bindparam("user"), judgments.c.project_id == sa.bindparam("project"))
    .order_by(judgments.c.id.desc())
    .limit(1)
)


def by_id(connection: sa.Connection, judgment_id: int) -> Judgment:
    """One judgment, standing or not."""
    row = connection.execute(_BY_ID, {"judgment": judgment_id}).first()
    if row is None:
        raise NotFoundError(f"there is no judgment {judgment_id}")
    return to_judgment(row)


def latest(connection: sa.Connection, annotator: str, task_id: int) -> Judgment | None:
    """The annotator's standing judgment of a task, if they gave one."""
    row = connection.execute(_LATEST, {"name": annotator, "task": task_id}).first()
    return None if row is None else to_judgment(row)


def last_answer(connection: sa.Connection, project_id: int, user_id: int) -> tuple[int, float]:
    """Id and moment of the user's last answer in a project; zeros before the first."""
    row = connection.execute(_LAST_ANSWER, {"user": user_id, "project": project_id}).first()
    return (0, 0.0) if row is None else (row.id, row.created)


def append(connection: sa.Connection, values: Mapping[str, Any]) -> int:
    """Add one judgment; returns its id."""
    return int(connection.execute(_APPEND, dict(values)).scalar_one())


def standing(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> Iterator[Judgment]:
    """Labelers' standing judgments in the order in which they were recorded."""
    for row in connection.execute(select(STANDS, LABELED, *conditions).order_by(judgments.c.id)):
        yield to_judgment(row)


def page(
    connection: sa.Connection, project_id: int, after: int, limit: int, *, standing: bool
) -> tuple[tuple[Judgment, bool], ...]:
    """See `labeler.store.Store.judgment_page`."""
    wanted = [judgments.c.project_id == project_id, judgments.c.id > after, LABELED, visible(tasks)]
    query = (
        select(*wanted, *([STANDS] if standing else []))
        .add_columns(STANDS.label("stands"))
        .order_by(judgments.c.id)
        .limit(limit)
    )
    return tuple((to_judgment(row), bool(row.stands)) for row in connection.execute(query))


def answer_of_written(written: Written, note: str | None) -> dict[str, Any]:
    """The answer column for what was written to a prompt."""
    values = {"text": written.text, "prompt_flags": written.prompt_flags, "note": note}
    return {name: value for name, value in values.items() if value is not None}


def answer_of_skip(submission: Submission, order: tuple[str, ...]) -> dict[str, Any]:
    """The answer column for a skip; order as shown."""
    values = {"reason": submission.reason, "note": submission.note, "order": order}
    return {name: value for name, value in values.items() if value is not None}


def answer_of_dialogue(submission: Submission, dialogue: Dialogue) -> dict[str, Any]:
    """The answer column for a dialogue."""
    return {DIALOGUE: dialogue_row(dialogue), **({"note": submission.note} if submission.note else {})}
