"""What goes over the wire of the screening exam; its rules and results are those of `labeler.exam` and its desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from labeler.api.common import Name
from labeler.api.typed import Limit
from labeler.exam import LONGEST, MOST_AREAS, ExamRules, Outcome


@dataclass(frozen=True, slots=True)
class ExamInfo:
    """A project's exam.

    Attributes:
        rules: what it asks; null where the project has none.
        tasks: with known answers, that are kept for exams.
    """

    rules: ExamRules | None
    tasks: int


@dataclass(frozen=True, slots=True)
class TasksForExams:
    """How many tasks with known answers, of those that nobody has judged, exams get or got."""

    tasks: Annotated[int, Limit(1, 1000)] = 10


@dataclass(frozen=True, slots=True)
class NewCandidate:
    """Who is screened."""

    name: Name


@dataclass(frozen=True, slots=True)
class Grade:
    """Of a written answer; null takes it back."""

    grade: Annotated[int | None, Limit(1, 7)] = None


@dataclass(frozen=True, slots=True)
class ExamDecision:
    """What comes of an attempt."""

    outcome: Outcome
    note: Annotated[str, Limit(0, 1000)] = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the written part, and what one wrote so far."""

    number: int
    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class OwnExam:
    """An exam that one is taking.

    Attributes:
        project: its id.
        done: tasks that one has answered; ``coming`` are left.
        areas: that can be ticked; ``ticked`` are.
        written: the written part.
    """

    project: int
    done: int
    coming: int
    areas: tuple[str, ...]
    ticked: tuple[str, ...]
    written: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class ExamAnswer:
    """What one writes to a question."""

    text: Annotated[str, Limit(0, LONGEST)]


@dataclass(frozen=True, slots=True)
class Areas:
    """In which areas one can tell what is sensitive."""

    areas: Annotated[tuple[str, ...], Limit(0, MOST_AREAS)]
