"""The labeling API that the board talks to: JSON in, JSON out, one store call or two for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from labeler import reading
from labeler.entities import Assignment, User
from labeler.errors import DataError, ProductError
from labeler.gold_desk import GoldDesk
from labeler.review_desk import ReviewDesk
from labeler.routes import gold_wire, wire
from labeler.routes.services import Services, answer_for, refusal
from labeler.routes.wire import Json, field
from labeler.store import Store

BODY_BYTES = 256 * 1024
DRAWN_FOR = "x-labeler-user"
"""Header with the id of the user whose page it is. The cookie is of whoever signed in last in this browser, and what is
on one person's page must not be recorded as another's."""

Action = Callable[[Store, User, Json], Json]


def projects(store: Store, user: User, body: Json) -> Json:
    """Who one is and where one may work."""
    spared = store.opted_out(user.id)
    own = [wire.project_out(project, opted_out=project.id in spared) for project in store.projects(user.id)]
    return {"user": {"id": user.id, "name": user.name, "role": user.role}, "projects": own}


def task(store: Store, user: User, body: Json) -> Json:
    """The next thing to do."""
    project_id = field(body, "project", int)
    return _answer(store, user, project_id, store.next_task(project_id, user.id))


def draft(store: Store, user: User, body: Json) -> Json:
    """Keep an unfinished answer; the reply holds the version that is kept now, null where the draft came too late."""
    task_id, version = field(body, "task", int), field(body, "version", int)
    kept = wire.draft_in(field(body, "draft", dict), store.shown(user.id, task_id))
    correction = field(body, "correction", int, optional=True)
    opening = field(body, "opening", str, optional=True)
    return {"version": store.save_draft(user.id, task_id, kept, version, correction_of=correction, opening=opening)}


def submit(store: Store, user: User, body: Json) -> Json:
    """Record an answer; the next task comes with the reply, and what is to be said of an answer to a gold item."""
    project_id = field(body, "project", int)
    shown = store.shown(user.id, field(body, "task", int))
    judgment, following = store.submit_and_next(user.id, wire.submission_in(body, shown), project_id)
    told = gold_wire.feedback_out(GoldDesk(store).feedback(judgment), shown)
    return _answer(store, user, project_id, following) | {"feedback": told}


def undo(store: Store, user: User, body: Json) -> Json:
    """Bring a judgment of one's own back for correction."""
    project_id = field(body, "project", int)
    judgment_id = field(body, "judgment", int, optional=True)
    return _answer(store, user, project_id, store.undo(project_id, user.id, judgment_id))


def cancel_correction(store: Store, user: User, body: Json) -> Json:
    """Leave the judgment as it was; the next task comes with the reply."""
    store.cancel_correction(user.id, field(body, "task", int))
    return task(store, user, body)


def history(store: Store, user: User, body: Json) -> Json:
    """One's own last judgments."""
    project_id = field(body, "project", int)
    again = ReviewDesk(store).returned(project_id, user.id)
    found = list(store.history(project_id, user.id))
    for old in again.keys() - {item.judgment_id for item in found}:
        found += store.history(project_id, user.id, 1, before=old + 1)
    return {"items": [wire.history_out(item) | {"again": again.get(item.judgment_id)} for item in found]}


def care(store: Store, user: User, body: Json) -> Json:
    """Take no sensitive tasks until a moment, or take them again; the next task comes with the reply."""
    store.opt_out(field(body, "project", int), user.id, wire.moment(body, "until", store.clock()))
    return task(store, user, body)


def read(store: Store, user: User, body: Json) -> Json:
    """Texts as harmless HTML, see `labeler.reading`; null for one that is too long."""
    return {"html": [reading.render(text) for text in wire.names(body.get("texts"), "texts")]}


def _answer(store: Store, user: User, project_id: int, assignment: Assignment | None) -> Json:
    progress = wire.progress_out(store.progress(project_id, user.id))
    return gold_wire.explained(store, user, project_id, {"task": wire.task_out(assignment), "progress": progress})


def board_routes(services: Services) -> list[BaseRoute]:
    """The routes under ``/api/``."""
    table: list[tuple[str, str, Action]] = [
        ("GET", "projects", projects),
        ("GET", "task", task),
        ("GET", "history", history),
        ("PUT", "draft", draft),
        ("POST", "submit", submit),
        ("POST", "undo", undo),
        ("POST", "cancel-correction", cancel_correction),
        ("POST", "care", care),
        ("POST", "reading", read),
    ]
    return [Route(f"/api/{name}", endpoint(services, action), methods=[method]) for method, name, action in table]


def endpoint(services: Services, action: Action) -> Callable[[Request], Any]:
    """An action behind the checks of who asks and of what is sent."""

    async def answer(request: Request) -> Response:
        refused = other_user(request)
        if refused:
            return refused
        try:
            body = _query(request) if request.method == "GET" else await checked_body(request)
            return JSONResponse(await run_in_threadpool(_act, action, services.store, request.state.user, body))
        except TooLargeError as error:
            return refusal(413, str(error))
        except ProductError as error:
            return answer_for(error)
        except ClientDisconnect:
            return refusal(400, "The request broke off.")

    return answer


def _act(action: Action, store: Store, user: User, body: Json) -> Json:
    return action(store, user, gold_wire.opened(store, body))


def other_user(request: Request) -> Response | None:
    """The refusal of a request from a page that was drawn for somebody else."""
    user = request.state.user
    same = request.headers.get(DRAWN_FOR, str(user.id)) == str(user.id)
    return None if same else refusal(401, f"{user.name} has signed in here meanwhile.")


class TooLargeError(Exception):
    """The body is over the limit."""

    def __init__(self) -> None:
        super().__init__(f"The request is larger than {BODY_BYTES // 1024} KiB.")


def _query(request: Request) -> Json:
    value = request.query_params.get("project", "")
    return {"project": int(value)} if value.isdecimal() and len(value) < 10 else {}


async def checked_body(request: Request) -> Json:
    """A small JSON object.

    Raises:
        DataError: it is something else.
        TooLargeError: it is not small.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise DataError("send JSON with the content type application/json")
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > BODY_BYTES:
            raise TooLargeError
    try:
        body = json.loads(received, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise DataError("the request is not valid JSON") from None
    if not isinstance(body, dict):
        raise DataError("the request must be a JSON object")
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
