"""The part of the client about the screening exam; see `labeler.client.Client.screening`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from labeler.api import typed
from labeler.api.screening import (
    Areas,
    ExamAnswer,
    ExamDecision,
    ExamInfo,
    Grade,
    NewCandidate,
    OwnExam,
    TasksForExams,
)
from labeler.exam import ExamRules, Outcome
from labeler.exam_desk import Candidate


class Screening:
    """What managers do with an exam, and those who take it.

    Args:
        send: sends a request (method, path, options) and returns its answer.
    """

    def __init__(self, send: Callable[..., Any]) -> None:
        self._send = send

    def exam(self, project_id: int) -> ExamInfo:
        """What the exam asks, and how many tasks there are for it."""
        return typed.from_json(ExamInfo, self._send("GET", f"/projects/{project_id}/exam").json(), strict=False)

    def set_exam(self, project_id: int, rules: ExamRules) -> None:
        """Make the exam, or change it."""
        self._send("PUT", f"/projects/{project_id}/exam", json=typed.to_json(rules))

    def keep_for_exams(self, project_id: int, tasks: int) -> int:
        """Keep so many tasks with known answers for exams; how many there were."""
        answer = self._send("POST", f"/projects/{project_id}/exam/tasks", json=typed.to_json(TasksForExams(tasks)))
        return typed.from_json(TasksForExams, answer.json(), strict=False).tasks

    def candidates(self, project_id: int) -> tuple[Candidate, ...]:
        """Everybody who is or was screened."""
        answer = self._send("GET", f"/projects/{project_id}/candidates")
        return typed.from_json(tuple[Candidate, ...], answer.json(), strict=False)

    def add_candidate(self, project_id: int, name: str) -> None:
        """Let a labeler take the exam, and nothing else until they are admitted."""
        self._send("POST", f"/projects/{project_id}/candidates", json=typed.to_json(NewCandidate(name)))

    def grade(self, project_id: int, name: str, number: int, grade: int | None) -> None:
        """Grade a written answer 1 to 7, or take a grade back."""
        path = f"/projects/{project_id}/candidates/{quote(name, safe='')}/grades/{number}"
        self._send("PUT", path, json=typed.to_json(Grade(grade)))

    def decide(self, project_id: int, name: str, outcome: Outcome, note: str = "") -> None:
        """Admit a candidate, not yet, or let them try again."""
        path = f"/projects/{project_id}/candidates/{quote(name, safe='')}/decisions"
        self._send("POST", path, json=typed.to_json(ExamDecision(outcome, note)))

    def exams(self) -> tuple[OwnExam, ...]:
        """The exams that one is taking."""
        return typed.from_json(tuple[OwnExam, ...], self._send("GET", "/exams").json(), strict=False)

    def write(self, project_id: int, number: int, text: str) -> None:
        """Write, or change, one's answer to a question."""
        self._send("PUT", f"/projects/{project_id}/exam/answers/{number}", json=typed.to_json(ExamAnswer(text)))

    def tick(self, project_id: int, areas: Sequence[str]) -> None:
        """Say in which areas one can tell what is sensitive."""
        self._send("PUT", f"/projects/{project_id}/exam/areas", json=typed.to_json(Areas(tuple(areas))))
