"""The routes of the review page, and of the talk about tasks on it and on the labeling board.

A reviewer sees completions in the group's own order, A first; judgments are written in these letters::

    {"task": 7, "prompt": […], "scenario": null, "completions": [{"label": "A", "text": "…"}, …], "schema": {…},
     "overlap": 2,
     "judgments": [{"id": 3, "annotator": "labeler-1", "at": "…", "kind": "rank", "answer": {as a draft},
                    "reason": null, "note": "", "seconds": 12.5, "returned": null, "here": true}, …],
     "finals": [{"id": 9, "by": "boss", "at": "…", "accepted": 3, "instead": [3, 4], "answer": {as a draft}}]}
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.routing import BaseRoute, Route

from labeler.adjudications import Adjudication
from labeler.content import scenario_of
from labeler.entities import Judgment, Shown, Submission, User
from labeler.errors import DataError
from labeler.gold_desk import GoldDesk
from labeler.queue import label
from labeler.records import Group
from labeler.review_desk import ReviewDesk, Reviewed
from labeler.routes import wire
from labeler.routes.board import Action, endpoint
from labeler.routes.services import Services
from labeler.routes.wire import Json, field
from labeler.store import Store
from labeler.threads import Threads

ACCEPTED = "accepted"


def projects(store: Store, user: User, body: Json) -> Json:
    """What one may review."""
    found = ReviewDesk(store).projects(user)
    own = [{"id": project.id, "name": project.name, "judges": project.schema.judges} for project in found]
    return {"user": {"id": user.id, "name": user.name}, "projects": own}


def listing(store: Store, user: User, body: Json) -> Json:
    """Tasks to look at."""
    after = field(body, "after", int, optional=True) or 0
    found = ReviewDesk(store).listing(
        field(body, "project", int), user.id, field(body, "show", str), after=max(0, min(after, 2**31 - 1))
    )
    return {"tasks": [asdict(item) for item in found.tasks], "more": found.more, "behind": found.behind}


def task(store: Store, user: User, body: Json) -> Json:
    """One task with everybody's judgments."""
    return reviewed_out(ReviewDesk(store).task(field(body, "task", int), user.id))


def decide(store: Store, user: User, body: Json) -> Json:
    """Give the final answer: one's own, or a judgment as it is."""
    desk, task_id = ReviewDesk(store), field(body, "task", int)
    accepted = field(body, ACCEPTED, int, optional=True)
    said = None if accepted is not None else submission_by_letter(body, desk.task(task_id, user.id).group)
    desk.decide(
        user.id,
        said,
        task_id=task_id,
        submission_id=field(body, "submission_id", str),
        accepted=accepted,
        seen=field(body, "seen", int, optional=True),
    )
    return task(store, user, body)


def send_back(store: Store, user: User, body: Json) -> Json:
    """Ask a labeler to look at a judgment again."""
    ReviewDesk(store).send_back(field(body, "judgment", int), user.id, field(body, "comment", str))
    return task(store, user, body)


def one_more(store: Store, user: User, body: Json) -> Json:
    """Put the task back to the queue for one more person."""
    ReviewDesk(store).one_more(field(body, "task", int), user.id)
    return task(store, user, body)


def comments(store: Store, user: User, body: Json) -> Json:
    """The talk about a task; from now on it counts as read."""
    return {"comments": [asdict(item) for item in Threads(store).read(field(body, "task", int), user.id)]}


def comment(store: Store, user: User, body: Json) -> Json:
    """Say something."""
    labeler = field(body, "labeler", str, optional=True)
    Threads(store).post(field(body, "task", int), user.id, field(body, "text", str), labeler)
    return comments(store, user, body)


def notices(store: Store, user: User, body: Json) -> Json:
    """What waits for a person: judgments to look at again, and talk that they have not read."""
    project_id = field(body, "project", int)
    unread = Threads(store).unread(project_id, user.id)
    names = GoldDesk(store).handles(project_id, [item.task_id for item in unread])
    again = len(ReviewDesk(store).returned(project_id, user.id))
    return {"again": again, "unread": [asdict(item) | {"task_id": names[item.task_id]} for item in unread]}


def review_routes(services: Services) -> list[BaseRoute]:
    """The routes."""
    table: list[tuple[str, str, Action]] = [
        ("GET", "review/projects", projects),
        ("POST", "review/list", listing),
        ("POST", "review/task", task),
        ("POST", "review/decide", decide),
        ("POST", "review/send-back", send_back),
        ("POST", "review/one-more", one_more),
        ("POST", "comments", comments),
        ("POST", "comment", comment),
        ("GET", "notices", notices),
    ]
    return [Route(f"/api/{name}", endpoint(services, action), methods=[method]) for method, name, action in table]


def _letters(group: Group) -> tuple[Shown, ...]:
    return tuple(Shown(label(place), item.id, item.text) for place, item in enumerate(group.completions))


def submission_by_letter(body: Json, group: Group) -> Submission:
    """The reviewer's own answer, said in letters."""
    if not isinstance(body.get("ranks"), dict):
        raise DataError("say what the answer is, or which judgment to accept", field="ranks")
    return wire.submission_in({**body, "kind": "rank"}, _letters(group))


def reviewed_out(found: Reviewed) -> Json:
    """A task as a reviewer sees it, in letters."""
    shown = _letters(found.group)
    return {
        "task": found.task_id,
        "group": found.group.id,
        "prompt": [{"role": message.role, "content": message.content} for message in found.group.prompt],
        "scenario": scenario_of(found.group),
        "completions": [{"label": item.label, "text": item.text} for item in shown],
        "schema": wire.schema_out(found.project.schema),
        "overlap": found.overlap,
        "judgments": [_judgment(item, found, shown) for item in found.judgments],
        "finals": [_final(item, found.group, shown) for item in found.finals],
    }


def _judgment(item: Judgment, found: Reviewed, shown: tuple[Shown, ...]) -> Json:
    return {
        "id": item.id,
        "annotator": item.annotator,
        "at": item.at,
        "kind": item.kind,
        "answer": wire.draft_out(item.as_draft(_ids(found.group)), shown),
        "reason": item.reason,
        "note": item.note,
        "seconds": item.seconds,
        "returned": found.returned.get(item.id),
        "here": item.user_id is not None,
    }


def _final(item: Adjudication, group: Group, shown: tuple[Shown, ...]) -> Json:
    answer = wire.draft_out(item.judgment.as_draft(_ids(group)), shown)
    told: dict[str, Any] = {name: getattr(item, name) for name in ("id", "by", "at", ACCEPTED, "instead")}
    return told | {"answer": answer}


def _ids(group: Group) -> tuple[str, ...]:
    return tuple(completion.id for completion in group.completions)
