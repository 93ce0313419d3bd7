"""What the page learns of gold items: names of tasks that tell nothing and, after an answer, what was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labeler.entities import Shown, User
from labeler.gold import Feedback
from labeler.gold_desk import GoldDesk
from labeler.routes.wire import Json
from labeler.store import Store


def opened(store: Store, body: Json) -> Json:
    """A request with the database's id of its task."""
    number = body.get("task")
    return body | {"task": GoldDesk(store).task_of(number)} if type(number) is int else body


def explained(store: Store, user: User, project_id: int, answer: Json) -> Json:
    """A reply; without a task it says where there is a reason of its own for that."""
    if answer["task"]:
        return answer
    standing = GoldDesk(store).standing(project_id, user.id)
    why = "paused" if standing.paused else "exam" if standing.screened else "refused" if standing.candidate else None
    return answer | {"why": why}


def feedback_out(told: Feedback | None, shown: Sequence[Shown]) -> Json | None:
    """What was right, in the letters that the person saw."""
    if told is None:
        return None
    return {
        "right": _by_letter(told.right, shown),
        "given": _by_letter(told.given, shown),
        "correct": told.correct,
        "note": told.note,
    }


def _by_letter(ranks: Mapping[str, int | None], shown: Sequence[Shown]) -> Json:
    return {item.label: ranks[item.completion_id] for item in shown if ranks[item.completion_id]}
