"""A labeler's work over the REST API: blind as on the page, completions have letters and no models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from labeler import ledger
from labeler.api import typed
from labeler.api.common import Page, PageQuery
from labeler.api.labeling import (
    Answer,
    AskForReplies,
    Kept,
    Next,
    Notices,
    OfferInfo,
    OptOut,
    OwnJudgment,
    Recorded,
    ReturnedInfo,
    SaveDraft,
    Skip,
    Undo,
    UnreadInfo,
)
from labeler.entities import Assignment, Project
from labeler.errors import DataError
from labeler.gold_desk import GoldDesk
from labeler.review_desk import ReviewDesk
from labeler.routes import wire
from labeler.routes.chat import offer_for
from labeler.routes.rest.declare import Call, operation
from labeler.routes.rest.paging import after, page_of
from labeler.threads import Threads

LABELING = "Labeling"


@operation("POST", "/projects/{project}/next-task", tag=LABELING, least="labeler")
def next_task(call: Call, project: Project) -> Next:
    """The next thing to do, reserved for you; the same until it is answered."""
    return _next(call, project, call.store.next_task(project.id, call.user.id))


@operation("PUT", "/tasks/{task}/draft", tag=LABELING, least="labeler")
def save_draft(call: Call, task: int, body: SaveDraft) -> Kept:
    """Keep an unfinished answer and prolong the reservation."""
    kept = wire.draft_in(typed.to_json(body.draft), call.store.shown(call.user.id, task))
    save = call.store.save_draft
    return Kept(save(call.user.id, task, kept, body.version, correction_of=body.correction, opening=body.opening))


@operation("POST", "/tasks/{task}/answer", tag=LABELING, least="labeler")
def submit(call: Call, task: int, body: Answer) -> Recorded:
    """Record an answer; the same submission id with the same content again records nothing more."""
    return _record(call, task, "rank" if body.written is None else "write", typed.to_json(body))


@operation("POST", "/tasks/{task}/skip", tag=LABELING, least="labeler")
def skip(call: Call, task: int, body: Skip) -> Recorded:
    """Refuse a task with a reason; it goes to somebody else."""
    return _record(call, task, "skip", typed.to_json(body))


@operation("POST", "/tasks/{task}/suggestions", tag=LABELING, least="labeler")
async def suggest(call: Call, task: int, body: AskForReplies) -> OfferInfo:
    """Let the project's model go on from a dialogue; one request at a time, and only so many a minute."""
    offer = await offer_for(call.store, call.user.id, task, body.turns)
    return OfferInfo(offer.id, offer.replies)


@operation("POST", "/projects/{project}/undo", tag=LABELING, least="labeler")
def undo(call: Call, project: Project, body: Undo) -> Next:
    """Bring a judgment of your own back for correction; it stands until the corrected one is submitted."""
    return _next(call, project, call.store.undo(project.id, call.user.id, body.judgment))


@operation("DELETE", "/tasks/{task}/correction", tag=LABELING, least="labeler")
def cancel_correction(call: Call, task: int) -> None:
    """Leave the judgment as it was."""
    call.store.cancel_correction(call.user.id, task)


@operation("GET", "/projects/{project}/history", tag=LABELING, least="labeler")
def list_history(call: Call, project: Project, query: PageQuery) -> Page[OwnJudgment]:
    """Your own standing judgments, latest first."""
    found = call.store.history(project.id, call.user.id, query.limit + 1, before=after(query.cursor) or None)
    names = GoldDesk(call.store).handles(project.id, [item.task_id for item in found])
    items = [
        OwnJudgment(item.judgment_id, names[item.task_id], item.at, item.prompt_preview, item.summary) for item in found
    ]
    return page_of(items, query.limit, lambda item: item.judgment)


@operation("GET", "/projects/{project}/notices", tag=LABELING, least="labeler")
def get_notices(call: Call, project: Project) -> Notices:
    """What waits for you: judgments that a reviewer asks you to look at again, and talk that you have not read."""
    unread = Threads(call.store).unread(project.id, call.user.id)
    names = GoldDesk(call.store).handles(project.id, [item.task_id for item in unread])
    again = ReviewDesk(call.store).returned(project.id, call.user.id)
    return Notices(
        tuple(ReturnedInfo(judgment, comment) for judgment, comment in sorted(again.items())),
        tuple(UnreadInfo(names[item.task_id], item.labeler, item.preview, item.count) for item in unread),
    )


@operation("GET", "/projects/{project}/opt-out", tag=LABELING, least="labeler")
def get_opt_out(call: Call, project: Project) -> OptOut:
    """Whether you leave out sensitive tasks, and until when."""
    return _opt_out(call, project)


@operation("PUT", "/projects/{project}/opt-out", tag=LABELING, least="labeler")
def set_opt_out(call: Call, project: Project, body: OptOut) -> OptOut:
    """Leave out sensitive tasks until a moment, or (null) take them again; your draft of one is kept meanwhile."""
    call.store.opt_out(project.id, call.user.id, _moment(body.until, call.store.clock()))
    return _opt_out(call, project)


def _opt_out(call: Call, project: Project) -> OptOut:
    until = call.store.opted_out(call.user.id).get(project.id)
    return OptOut(None if until is None else ledger.rfc3339(until))


def _moment(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 0 < found.timestamp() - now <= wire.LONGEST_OPT_OUT:
        raise DataError("must be a moment of the next 36 hours, as 2026-01-31T18:00:00Z", field="until")
    return found.timestamp()


def _next(call: Call, project: Project, assignment: Assignment | None) -> Next:
    progress = call.store.progress(project.id, call.user.id)
    return typed.from_json(Next, {"task": wire.task_out(assignment), "progress": wire.progress_out(progress)})


def _record(call: Call, task: int, kind: str, body: dict[str, Any]) -> Recorded:
    shown = call.store.shown(call.user.id, task)
    judgment = call.store.submit(call.user.id, wire.submission_in({**body, "task": task, "kind": kind}, shown))
    name = GoldDesk(call.store).handle_of(judgment.task_id)
    return Recorded(judgment.id, name, judgment.kind, judgment.at, judgment.supersedes)
