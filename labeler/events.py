"""What each event says: ids and figures, and the texts for endpoints that asked for them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from labeler import claims, directory, outbox
from labeler.chat import dialogue_row
from labeler.entities import EventType, ImportCounts, Judgment, Project
from labeler.records import Group
from labeler.schema import tasks

_LEFT = sa.select(tasks.c.id).where(*claims.OPEN).limit(1)


def judged(connection: sa.Connection, project: Project, group: Group, judgment: Judgment, now: float) -> None:
    """An answer was recorded; it may correct an earlier one."""
    data = {
        **_of(project),
        "task": judgment.task_id,
        "group": group.id,
        "judgment": judgment.id,
        "kind": judgment.kind,
        "annotator": judgment.annotator,
        "at": judgment.at,
        "supersedes": judgment.supersedes,
        "ranks": _by_id(group, judgment.ranking.ranks if judgment.ranking else None),
        "ratings": _by_id(group, judgment.ranking.ratings if judgment.ranking else None),
    }
    kind: EventType = "judgment.created" if judgment.supersedes is None else "judgment.corrected"
    outbox.tell(connection, kind, project.id, now, data, texts=lambda: _texts(group) | _written(judgment))


def lock_to_finish(connection: sa.Connection, project: Project) -> None:
    """Before an answer is recorded: of two who finish the last two tasks, the second is to see the first.

    The project's row is locked, and only where somebody wants to hear of its end; counters are locked after it.
    """
    if outbox.wanted(connection, project.id, "project.finished"):
        directory.lock_project(connection, project.id)


def task_done(connection: sa.Connection, project: Project, group: Group, task_id: int, now: float) -> None:
    """The last person who was wanted for a task has answered it; with it the project may be finished."""
    data = {**_of(project), "task": task_id, "group": group.id}
    outbox.tell(connection, "task.done", project.id, now, data, texts=lambda: _texts(group))
    fewer_wanted(connection, project, now)


def fewer_wanted(connection: sa.Connection, project: Project, now: float) -> None:
    """Fewer answers are wanted than before: the project may be finished."""
    if not outbox.wanted(connection, project.id, "project.finished"):
        return
    if connection.execute(_LEFT, {"project": project.id}).first() is None:
        outbox.tell(connection, "project.finished", project.id, now, _of(project))


def imported(connection: sa.Connection, project: Project, counts: ImportCounts, now: float) -> None:
    """Groups, rankings or demonstrations were added."""
    added = {"groups": counts.groups, "judgments": counts.judgments, "demonstrations": counts.demonstrations}
    outbox.tell(connection, "import.finished", project.id, now, {**_of(project), **added})


def snapshot_taken(connection: sa.Connection, project: Project, manifest: dict[str, Any], now: float) -> None:
    """The project's judgments were frozen: into files that stand already, since no transaction holds them."""
    data = {**_of(project), "counts": manifest["counts"], "files": manifest["files"]}
    outbox.tell(connection, "snapshot.created", project.id, now, data)


def training_ended(
    connection: sa.Connection, project: Project, training: str, data: dict[str, Any], now: float
) -> None:
    """A training is over, done or not; told once for each endpoint, whoever notices it."""
    directory.lock_project(connection, project.id)  # servers that notice at the same moment take turns
    told = {**_of(project), "training": training, **data}
    outbox.tell(connection, "training.finished", project.id, now, told, message_id=f"msg_{training}")


def _of(project: Project) -> dict[str, Any]:
    return {"project": {"id": project.id, "name": project.name}}


def _by_id(group: Group, values: tuple[int | None, ...] | None) -> dict[str, int | None] | None:
    if values is None:
        return None
    return dict(zip((completion.id for completion in group.completions), values, strict=True))


def _texts(group: Group) -> dict[str, Any]:
    return {
        "prompt": [{"role": message.role, "content": message.content} for message in group.prompt],
        "completions": [{"id": c.id, "text": c.text, "model": c.model} for c in group.completions],
    }


def _written(judgment: Judgment) -> dict[str, Any]:
    return {
        "written": judgment.written.text if judgment.written else None,
        "edit": asdict(judgment.edit) if judgment.edit else None,
        "dialogue": dialogue_row(judgment.dialogue) if judgment.dialogue else None,
    }
