"""The part of the client about gold items, reviews and the talk about tasks; see `labeler.client.Client.oversight`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from labeler.api import typed
from labeler.api.common import Page
from labeler.api.oversight import (
    AdjudicationInfo,
    CommentInfo,
    Decision,
    GoldSettings,
    NewComment,
    ReviewedTask,
    ReviewProject,
    SendBack,
)
from labeler.gold_desk import GoldReport
from labeler.review_desk import Listing, Show


class Oversight:
    """What managers and reviewers do, and comments.

    Args:
        send: sends a request (method, path, options) and returns its answer.
        pages: reads every item of a list (kind of its pages, path).
    """

    def __init__(self, send: Callable[..., Any], pages: Callable[..., Iterator[Any]]) -> None:
        self._send = send
        self._pages = pages

    def gold(self, project_id: int) -> GoldReport:
        """The rules of gold items, and how they were answered."""
        return typed.from_json(GoldReport, self._send("GET", f"/projects/{project_id}/gold").json(), strict=False)

    def set_gold(self, project_id: int, settings: GoldSettings) -> None:
        """Use gold items so from now on."""
        self._send("PUT", f"/projects/{project_id}/gold", json=typed.to_json(settings))

    def lift_pause(self, project_id: int, pause_id: int) -> None:
        """Let a paused person go on."""
        self._send("DELETE", f"/projects/{project_id}/pauses/{pause_id}")

    def review(self, project_id: int, show: Show = "disagreement", *, after: int = 0) -> Listing:
        """Tasks to look at, those with most disagreement first."""
        answer = self._send("GET", f"/projects/{project_id}/review", params={"show": show, "after": after})
        return typed.from_json(Listing, answer.json(), strict=False)

    def reviewable(self) -> tuple[ReviewProject, ...]:
        """Projects that one may review."""
        return typed.from_json(tuple[ReviewProject, ...], self._send("GET", "/review").json(), strict=False)

    def reviewed(self, task_id: int) -> ReviewedTask:
        """A task with everybody's judgments, in letters and without models."""
        return typed.from_json(ReviewedTask, self._send("GET", f"/tasks/{task_id}/review").json(), strict=False)

    def reviewers(self, project_id: int) -> tuple[str, ...]:
        """Labelers who may review a project beside its managers."""
        return typed.from_json(tuple[str, ...], self._send("GET", f"/projects/{project_id}/reviewers").json())

    def set_reviewer(self, project_id: int, name: str, *, may: bool) -> None:
        """Let somebody review a project, or take that right back."""
        self._send("PUT" if may else "DELETE", f"/projects/{project_id}/reviewers/{quote(name, safe='')}")

    def adjudicate(self, task_id: int, decision: Decision) -> None:
        """Give a task its final answer."""
        self._send("POST", f"/tasks/{task_id}/adjudication", json=typed.to_json(decision))

    def adjudications(self, project_id: int) -> Iterator[AdjudicationInfo]:
        """Final answers that stand."""
        return self._pages(Page[AdjudicationInfo], f"/projects/{project_id}/adjudications")

    def send_back(self, judgment_id: int, comment: str) -> None:
        """Ask a labeler to look at a judgment again."""
        self._send("POST", f"/judgments/{judgment_id}/send-back", json=typed.to_json(SendBack(comment)))

    def one_more_opinion(self, task_id: int) -> None:
        """Put a task back to the queue for one more person."""
        self._send("POST", f"/tasks/{task_id}/one-more")

    def comments(self, task_id: int) -> tuple[CommentInfo, ...]:
        """The talk about a task as far as it is one's own to see."""
        found = self._send("GET", f"/tasks/{task_id}/comments").json()
        return typed.from_json(tuple[CommentInfo, ...], found, strict=False)

    def comment(self, task_id: int, text: str, labeler: str | None = None) -> None:
        """Say something about a task."""
        self._send("POST", f"/tasks/{task_id}/comments", json=typed.to_json(NewComment(text, labeler)))
