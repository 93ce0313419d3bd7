"""Gold rules, reviews and talk about tasks over the REST API."""

from __future__ import annotations

from labeler.adjudications import Adjudication
from labeler.api import typed
from labeler.api.common import Page, PageQuery
from labeler.api.oversight import (
    AdjudicationInfo,
    CommentInfo,
    Decision,
    GoldSettings,
    NewComment,
    ReviewedTask,
    ReviewProject,
    ReviewQuery,
    SendBack,
)
from labeler.entities import Project, Submission
from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk, GoldReport
from labeler.review_desk import Listing, ReviewDesk
from labeler.routes.rest.declare import Call, operation
from labeler.routes.rest.paging import after, page_of
from labeler.routes.review import reviewed_out, submission_by_letter
from labeler.threads import Comment, Threads

GOLD, REVIEW, TALK = "Gold items", "Review", "Comments"


@operation("PUT", "/projects/{project}/gold", tag=GOLD, least="manager")
def set_gold(call: Call, project: Project, body: GoldSettings) -> None:
    """Mix tasks with known answers (``meta.gold_ranks``) into everybody's work from now on, or stop it (share 0)."""
    rules = GoldRules(body.share, body.feedback, body.threshold, body.least)
    GoldDesk(call.store).set_rules(project.id, rules)


@operation("GET", "/projects/{project}/gold", tag=GOLD, least="manager")
def get_gold(call: Call, project: Project) -> GoldReport:
    """The rules, and how gold items were answered, by item and by person."""
    return GoldDesk(call.store).report(project.id)


@operation("DELETE", "/projects/{project}/pauses/{pause}", tag=GOLD, least="manager")
def lift_pause(call: Call, project: Project, pause: int) -> None:
    """Let somebody who fell short on gold items go on."""
    GoldDesk(call.store).lift(project.id, pause, call.user.id)


@operation("GET", "/review", tag=REVIEW, least="labeler")
def list_reviewable(call: Call) -> tuple[ReviewProject, ...]:
    """The projects that you may review: a manager's own, and those in which a labeler was made a reviewer."""
    found = ReviewDesk(call.store).projects(call.user)
    return tuple(ReviewProject(project.id, project.name, project.schema.judges) for project in found)


@operation("GET", "/projects/{project}/review", tag=REVIEW, least="labeler")
def list_review(call: Call, project: Project, query: ReviewQuery) -> Listing:
    """Tasks to look at, those with most disagreement first; for managers and reviewers."""
    return ReviewDesk(call.store).listing(project.id, call.user.id, query.show, after=query.after)


@operation("GET", "/projects/{project}/reviewers", tag=REVIEW, least="manager")
def list_reviewers(call: Call, project: Project) -> tuple[str, ...]:
    """The labelers who may review the project beside its managers."""
    return ReviewDesk(call.store).reviewers(project.id)


@operation("PUT", "/projects/{project}/reviewers/{name}", tag=REVIEW, least="manager")
def add_reviewer(call: Call, project: Project, name: str) -> None:
    """Let somebody review the project: see everybody's judgments of it and decide tasks."""
    ReviewDesk(call.store).set_reviewer(project.id, name, may=True)


@operation("DELETE", "/projects/{project}/reviewers/{name}", tag=REVIEW, least="manager")
def remove_reviewer(call: Call, project: Project, name: str) -> None:
    """Take that right back."""
    ReviewDesk(call.store).set_reviewer(project.id, name, may=False)


@operation("GET", "/tasks/{task}/review", tag=REVIEW, least="labeler")
def get_review(call: Call, task: int) -> ReviewedTask:
    """A task with everybody's judgments, in letters and without models; for managers and reviewers."""
    found = ReviewDesk(call.store).task(task, call.user.id)
    return typed.from_json(ReviewedTask, typed.to_json(reviewed_out(found)), strict=False)


@operation("POST", "/tasks/{task}/adjudication", tag=REVIEW, least="labeler")
def adjudicate(call: Call, task: int, body: Decision) -> None:
    """Give a task its final answer: a judgment that stands, or one of your own; for managers and reviewers."""
    said = None
    if body.accepted is None and body.letters:
        group = ReviewDesk(call.store).task(task, call.user.id).group
        said = submission_by_letter(typed.to_json(body) | {"task": task}, group)
    elif body.accepted is None:
        said = Submission(
            body.submission_id,
            task,
            "rank",
            ranks=body.ranks,
            ratings=body.ratings,
            flags=body.flags,
            prompt_flags=body.prompt_flags,
            all_bad=body.all_bad,
            strength=body.strength,
            note=body.note,
        )
    ReviewDesk(call.store).decide(
        call.user.id,
        said,
        task_id=task,
        submission_id=body.submission_id,
        accepted=body.accepted,
        seen=body.seen,
    )


@operation("GET", "/projects/{project}/adjudications", tag=REVIEW, least="labeler")
def list_adjudications(call: Call, project: Project, query: PageQuery) -> Page[AdjudicationInfo]:
    """Final answers that stand: who gave them, when, and instead of which judgments; for managers and reviewers."""
    desk = ReviewDesk(call.store)
    desk.check(project.id, call.user.id)
    found = desk.decisions(project.id, after=after(query.cursor), limit=query.limit + 1)
    return page_of([_adjudication(item) for item in found], query.limit, lambda item: item.id)


@operation("POST", "/judgments/{judgment}/send-back", tag=REVIEW, least="labeler")
def send_back(call: Call, judgment: int, body: SendBack) -> None:
    """Ask a labeler to look at a judgment of theirs again; for managers and reviewers."""
    ReviewDesk(call.store).send_back(judgment, call.user.id, body.comment)


@operation("POST", "/tasks/{task}/one-more", tag=REVIEW, least="labeler")
def one_more_opinion(call: Call, task: int) -> None:
    """Put a task back to the queue for one more person; for managers and reviewers."""
    ReviewDesk(call.store).one_more(task, call.user.id)


@operation("GET", "/tasks/{task}/comments", tag=TALK, least="labeler")
def list_comments(call: Call, task: int) -> tuple[CommentInfo, ...]:
    """The talk about a task as far as it is yours to see; from now on it counts as read."""
    return tuple(_comment(item) for item in Threads(call.store).read(task, call.user.id))


@operation("POST", "/tasks/{task}/comments", tag=TALK, least="labeler")
def add_comment(call: Call, task: int, body: NewComment) -> None:
    """Say something about a task; managers and reviewers name the labeler in whose thread."""
    Threads(call.store).post(task, call.user.id, body.text, body.labeler)


def _comment(item: Comment) -> CommentInfo:
    return CommentInfo(item.id, item.labeler, item.author, item.text, item.at)


def _adjudication(item: Adjudication) -> AdjudicationInfo:
    said = item.ranking
    return AdjudicationInfo(
        id=item.id,
        task=item.task_id,
        group=item.group_id,
        by=item.by,
        at=item.at,
        accepted=item.accepted,
        instead=item.instead,
        supersedes=item.supersedes,
        ranks=said.ranks,
        ratings=said.ratings,
        flags=said.flags,
        prompt_flags=said.prompt_flags,
        all_bad=said.all_bad,
        strength=said.strength,
    )
