"""The screening exam over the REST API, for managers and for those who take it."""

from __future__ import annotations

from labeler.api.screening import (
    Areas,
    ExamAnswer,
    ExamDecision,
    ExamInfo,
    Grade,
    NewCandidate,
    OwnExam,
    Question,
    TasksForExams,
)
from labeler.entities import Project
from labeler.exam import ExamRules
from labeler.exam_desk import Candidate, ExamDesk, Sheet
from labeler.routes.rest.declare import Call, operation

SCREENING = "Screening"


@operation("GET", "/projects/{project}/exam", tag=SCREENING, least="manager")
def get_exam(call: Call, project: Project) -> ExamInfo:
    """What the project's exam asks, and how many tasks there are for it."""
    desk = ExamDesk(call.store)
    return ExamInfo(desk.rules(project.id), desk.pool(project.id))


@operation("PUT", "/projects/{project}/exam", tag=SCREENING, least="manager")
def set_exam(call: Call, project: Project, body: ExamRules) -> None:
    """Make the exam, or change it."""
    ExamDesk(call.store).set_rules(project.id, body)


@operation("POST", "/projects/{project}/exam/tasks", tag=SCREENING, least="manager")
def keep_for_exams(call: Call, project: Project, body: TasksForExams) -> TasksForExams:
    """Keep tasks with known answers (``meta.gold_ranks``, ``meta.gold_flags``) for exams, for good."""
    return TasksForExams(ExamDesk(call.store).add_tasks(project.id, body.tasks))


@operation("GET", "/projects/{project}/candidates", tag=SCREENING, least="manager")
def list_candidates(call: Call, project: Project) -> tuple[Candidate, ...]:
    """Everybody who is or was screened, with the scores of the present attempt beside their cut-offs."""
    return ExamDesk(call.store).results(project.id)


@operation("POST", "/projects/{project}/candidates", tag=SCREENING, least="manager")
def add_candidate(call: Call, project: Project, body: NewCandidate) -> None:
    """Let a labeler take the exam; until they are admitted they get nothing else of this project."""
    ExamDesk(call.store).add_candidate(project.id, body.name)


@operation("PUT", "/projects/{project}/candidates/{name}/grades/{number}", tag=SCREENING, least="manager")
def grade_answer(call: Call, project: Project, name: str, number: int, body: Grade) -> None:
    """Grade a written answer of the present attempt; questions are numbered from 0."""
    ExamDesk(call.store).grade(project.id, name, number, body.grade, call.user.id)


@operation("POST", "/projects/{project}/candidates/{name}/decisions", tag=SCREENING, least="manager")
def decide_candidate(call: Call, project: Project, name: str, body: ExamDecision) -> None:
    """Admit a candidate, not yet, or let them try again; the scores as of now are kept with the decision."""
    ExamDesk(call.store).decide(project.id, name, body.outcome, body.note, call.user.id)


@operation("GET", "/exams", tag=SCREENING, least="labeler")
def list_exams(call: Call) -> tuple[OwnExam, ...]:
    """The exams that you are taking; their tasks come as a project's tasks do."""
    return tuple(_own(sheet) for sheet in ExamDesk(call.store).sheets(call.user.id))


@operation("PUT", "/projects/{project}/exam/answers/{number}", tag=SCREENING, least="labeler")
def write_answer(call: Call, project: Project, number: int, body: ExamAnswer) -> None:
    """Write, or change, your answer to a question of the exam."""
    ExamDesk(call.store).write(project.id, call.user.id, number, body.text)


@operation("PUT", "/projects/{project}/exam/areas", tag=SCREENING, least="labeler")
def tick_areas(call: Call, project: Project, body: Areas) -> None:
    """Say in which of the exam's areas you can tell what is sensitive."""
    ExamDesk(call.store).tick(project.id, call.user.id, body.areas)


def _own(sheet: Sheet) -> OwnExam:
    written = tuple(Question(item.number, item.prompt, item.text) for item in sheet.written)
    return OwnExam(sheet.project.id, sheet.done, sheet.coming, sheet.areas, sheet.ticked, written)
