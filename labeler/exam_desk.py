"""Exams and their candidates: what a candidate does beside the tasks, and what managers see, grade and decide.

A candidate gets only tasks of the exam (see `labeler.draws`) until a manager admits them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa

from labeler import directory, draws, ledger, pools
from labeler.claims import Seeker
from labeler.entities import Project, User
from labeler.errors import ConflictError, DataError, NotFoundError, UsageError
from labeler.exam import GRADES, LONGEST, OUTCOMES, ExamRules, Outcome, Scores, check_known, scores
from labeler.formats import parse_group
from labeler.quality_schema import candidates, decisions, exam_answers, exams
from labeler.records import Group, Ranking, check_text
from labeler.schema import judgments, tasks, users
from labeler.store import Store

STATES: dict[Outcome, str] = {"admit": "admitted", "not yet": "refused", "retry": "screening"}
"""What a candidate is after a decision."""


@dataclass(frozen=True, slots=True)
class Written:
    """An answer to a written question; empty until the candidate writes it."""

    number: int
    prompt: str
    text: str
    grade: int | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """An attempt as its candidate sees it."""

    project: Project
    done: int
    coming: int
    areas: tuple[str, ...]
    ticked: tuple[str, ...]
    written: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """A manager's decision, with the scores as they stood."""

    attempt: int
    outcome: str
    by: str
    note: str
    at: str
    scores: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An attempt as managers see it.

    Attributes:
        state: screening, admitted or refused.
        answered: tasks of this attempt that they answered or skipped; `coming` are left.
    """

    name: str
    state: str
    attempt: int
    answered: int
    coming: int
    scores: Scores
    ticked: tuple[str, ...]
    written: tuple[Written, ...]
    decisions: tuple[Decided, ...]


class ExamDesk:
    """A companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # For managers

    def rules(self, project_id: int) -> ExamRules | None:
        """What the project's exam asks; None where it has none."""
        with self.store.database.read() as connection:
            return _rules(connection, project_id)

    def set_rules(self, project_id: int, rules: ExamRules) -> None:
        """Make the exam, or change it."""
        with self.store.database.write() as connection:
            directory.lock_project(connection, project_id)
            values = {"content": asdict(rules)}
            if not connection.execute(
                sa.update(exams).where(exams.c.project_id == project_id).values(**values)
            ).rowcount:
                connection.execute(sa.insert(exams).values(project_id=project_id, **values))

    def pool(self, project_id: int) -> int:
        """How many tasks there are for exams."""
        with self.store.database.read() as connection:
            count = sa.select(sa.func.count()).where(tasks.c.project_id == project_id, tasks.c.pool == "exam")
            return int(connection.execute(count).scalar_one())

    def add_tasks(self, project_id: int, count: int) -> int:
        """Take tasks with known answers that nobody has judged out of the queue or the gold items, for exams.

        Returns:
            How many there were, at most ``count``.

        Raises:
            DataError: what is known of a task does not fit it.
            UsageError: there is none, or people write in this project.
        """
        with self.store.database.write() as connection:
            directory.lock_project(connection, project_id)
            if not directory.project_by_id(connection, project_id).schema.judges:
                raise UsageError("people write in this project; ask for it in the exam's written part")
            judged = set(connection.execute(_JUDGED, {"project": project_id}).scalars())
            known = [
                *pools.with_answers(connection, project_id, "queue"),
                *pools.with_answers(connection, project_id, "gold"),
            ]
            free = [(task_id, group) for task_id, group in known if task_id not in judged][:count]
            if not free:
                raise UsageError("no task has known answers and no judgments yet; import some with meta.gold_ranks")
            for _, group in free:
                check_known(group)
            pools.move(connection, [task_id for task_id, _ in free], "exam")
            return len(free)

    def add_candidate(self, project_id: int, name: str) -> None:
        """Let a labeler take the exam; until they are admitted they get nothing else of this project.

        Raises:
            ConflictError: they are or were a candidate.
        """
        with self.store.database.write() as connection:
            if _rules(connection, project_id) is None:
                raise UsageError("the project has no exam yet; save its rules first")
            user = directory.user_by_name(connection, name)
            directory.member(connection, project_id, user.id)
            if user.role != "labeler":
                raise UsageError(f"{name!r} is {user.role}; only labelers are screened")
            if _candidate(connection, project_id, user.id) is not None:
                raise ConflictError(f"{name!r} is a candidate of this project already")
            values = {"state": "screening", "attempt": 1, "began": self.store.clock(), "areas": []}
            connection.execute(sa.insert(candidates).values(project_id=project_id, user_id=user.id, **values))

    def results(self, project_id: int) -> tuple[Candidate, ...]:
        """Every candidate by name, with the scores of the present attempt."""
        with self.store.database.read() as connection:
            rules = _rules(connection, project_id)
            if rules is None:
                return ()
            project = directory.project_by_id(connection, project_id)
            rows = connection.execute(_CANDIDATES, {"project": project_id}).all()
            return tuple(self._candidate(connection, project, rules, row) for row in rows)

    def _candidate(self, connection: sa.Connection, project: Project, rules: ExamRules, row: Any) -> Candidate:
        user = directory.user_by_id(connection, row.user_id)
        done, coming = self._progress(connection, user, project)
        return Candidate(
            user.name,
            row.state,
            row.attempt,
            done,
            coming,
            _scores(connection, project.id, row, rules),
            tuple(row.areas),
            _written(connection, project.id, row, rules),
            _decisions(connection, project.id, user.id),
        )

    def grade(self, project_id: int, name: str, number: int, grade: int | None, manager_id: int) -> None:
        """Grade a written answer of the present attempt 1 to 7, or take a grade back."""
        if grade is not None and grade not in GRADES:
            raise DataError(f"is {grade}; it must be from 1 to 7", field="grade")
        with self.store.database.write() as connection:
            user = directory.user_by_name(connection, name)
            row = _candidate(connection, project_id, user.id)
            mine = _answer_of(project_id, user.id, row.attempt if row else 0, number)
            change = sa.update(exam_answers).where(*mine).values(grade=grade, graded_by=manager_id)
            if not connection.execute(change).rowcount:
                raise NotFoundError(f"{name!r} has written no answer {number + 1} in this attempt")

    def decide(self, project_id: int, name: str, outcome: Outcome, note: str, manager_id: int) -> None:
        """Admit a candidate, not yet, or let them try again with other tasks; the scores as of now are kept with it."""
        if outcome not in OUTCOMES:
            raise DataError(f"is {outcome!r}; it must be one of {', '.join(OUTCOMES)}", field="outcome")
        now = self.store.clock()
        with self.store.database.write() as connection:
            user, rules = directory.user_by_name(connection, name), _rules(connection, project_id)
            row = _candidate(connection, project_id, user.id)
            if row is None or rules is None:
                raise NotFoundError(f"{name!r} is no candidate of this project")
            reached = asdict(_scores(connection, project_id, row, rules))
            made = {"attempt": row.attempt, "decision": outcome, "by_id": manager_id, "note": check_text(note, "note")}
            values = made | {"scores": reached, "at": now}
            connection.execute(sa.insert(decisions).values(project_id=project_id, user_id=user.id, **values))
            after: dict[str, Any] = {"state": STATES[outcome]}
            if outcome == "retry":
                after |= {"attempt": row.attempt + 1, "began": now}
            mine = (candidates.c.project_id == project_id, candidates.c.user_id == user.id)
            connection.execute(sa.update(candidates).where(*mine).values(**after))

    # For candidates

    def sheets(self, user_id: int) -> tuple[Sheet, ...]:
        """The exams that a person is taking now."""
        with self.store.database.read() as connection:
            user = directory.user_by_id(connection, user_id)
            rows = connection.execute(_TAKING, {"user": user_id}).all()
            return tuple(sheet for row in rows if (sheet := self._sheet(connection, user, row)))

    def _sheet(self, connection: sa.Connection, user: User, row: Any) -> Sheet | None:
        rules, project = _rules(connection, row.project_id), directory.project_by_id(connection, row.project_id)
        if rules is None:
            return None
        written = _written(connection, project.id, row, rules)
        blind = tuple(Written(item.number, item.prompt, item.text, None) for item in written)
        done, coming = self._progress(connection, user, project)
        return Sheet(project, done, coming, rules.areas, tuple(row.areas), blind)

    def _progress(self, connection: sa.Connection, user: User, project: Project) -> tuple[int, int]:
        return draws.exam_progress(connection, Seeker(user, project, self.store.clock()))

    def write(self, project_id: int, user_id: int, number: int, text: str) -> None:
        """Keep a written answer; it may be changed until the manager decides."""
        if len(text) > LONGEST:
            raise DataError(f"must be at most {LONGEST} characters long", field="text")
        with self.store.database.write() as connection:
            row, rules = _taking(connection, project_id, user_id)
            if not 0 <= number < len(rules.prompts):
                raise NotFoundError(f"the exam has no question {number + 1}")
            values = {"text": check_text(text, "text"), "saved": self.store.clock(), "grade": None, "graded_by": None}
            mine = _answer_of(project_id, user_id, row.attempt, number)
            if not connection.execute(sa.update(exam_answers).where(*mine).values(**values)).rowcount:
                key = {"project_id": project_id, "user_id": user_id, "attempt": row.attempt, "number": number}
                added = key | values | {"prompt": rules.prompts[number]}
                connection.execute(sa.insert(exam_answers).values(**added))

    def tick(self, project_id: int, user_id: int, areas: Sequence[str]) -> None:
        """Keep in which areas the candidate says they can tell what is sensitive."""
        with self.store.database.write() as connection:
            _, rules = _taking(connection, project_id, user_id)
            unknown = [area for area in areas if area not in rules.areas]
            if unknown:
                raise DataError(f"{unknown[0]!r} is no area of this exam", field="areas")
            mine = (candidates.c.project_id == project_id, candidates.c.user_id == user_id)
            connection.execute(sa.update(candidates).where(*mine).values(areas=list(areas)))


_JUDGED = sa.select(judgments.c.task_id).where(judgments.c.project_id == sa.bindparam("project")).distinct()
_CANDIDATES = (
    sa.select(candidates, users.c.name)
    .join(users, users.c.id == candidates.c.user_id)
    .where(candidates.c.project_id == sa.bindparam("project"))
    .order_by(users.c.name)
)
_TAKING = (
    sa.select(candidates)
    .where(candidates.c.user_id == sa.bindparam("user"), candidates.c.state == "screening")
    .order_by(candidates.c.project_id)
)


def _rules(connection: sa.Connection, project_id: int) -> ExamRules | None:
    found = connection.execute(sa.select(exams.c.content).where(exams.c.project_id == project_id)).scalar()
    if found is None:
        return None
    known = {field.name for field in fields(ExamRules)} & found.keys()
    values: dict[str, Any] = {
        name: tuple(found[name]) if isinstance(found[name], list) else found[name] for name in known
    }
    return ExamRules(**values)


def _candidate(connection: sa.Connection, project_id: int, user_id: int) -> Any:
    mine = (candidates.c.project_id == project_id, candidates.c.user_id == user_id)
    return connection.execute(sa.select(candidates).where(*mine).with_for_update()).first()


def _taking(connection: sa.Connection, project_id: int, user_id: int) -> tuple[Any, ExamRules]:
    row, rules = _candidate(connection, project_id, user_id), _rules(connection, project_id)
    if row is None or rules is None or row.state != "screening":
        raise NotFoundError("you are not taking an exam of this project")
    return row, rules


def _answer_of(project_id: int, user_id: int, attempt: int, number: int) -> tuple[sa.ColumnElement[bool], ...]:
    table = exam_answers.c
    return (
        table.project_id == project_id,
        table.user_id == user_id,
        table.attempt == attempt,
        table.number == number,
    )


def _written(connection: sa.Connection, project_id: int, row: Any, rules: ExamRules) -> tuple[Written, ...]:
    """The questions with what was written; an answer keeps the question that it was given to."""
    table = exam_answers.c
    mine = (table.project_id == project_id, table.user_id == row.user_id, table.attempt == row.attempt)
    found = {answer.number: answer for answer in connection.execute(sa.select(exam_answers).where(*mine))}
    numbers = sorted({*range(len(rules.prompts)), *found})
    return tuple(
        Written(number, answer.prompt, answer.text, answer.grade)
        if (answer := found.get(number))
        else Written(number, rules.prompts[number], "", None)
        for number in numbers
    )


def _scores(connection: sa.Connection, project_id: int, row: Any, rules: ExamRules) -> Scores:
    grades = [item.grade for item in _written(connection, project_id, row, rules)]
    return scores(rules, _answers(connection, project_id, row), grades)


def _answers(connection: sa.Connection, project_id: int, row: Any) -> list[tuple[Group, Ranking]]:
    """Standing rankings of the exam's tasks, given since the present attempt began."""
    query = ledger.select(
        ledger.STANDS,
        judgments.c.project_id == project_id,
        judgments.c.user_id == row.user_id,
        judgments.c.kind == "rank",
        judgments.c.created >= row.began,
        tasks.c.pool == "exam",
    ).add_columns(tasks.c.content)
    found = connection.execute(query.order_by(judgments.c.id)).all()
    answers = [(parse_group(item.content), ledger.to_judgment(item).ranking) for item in found]
    return [(group, ranking) for group, ranking in answers if ranking]


def _decisions(connection: sa.Connection, project_id: int, user_id: int) -> tuple[Decided, ...]:
    query = (
        sa.select(decisions, users.c.name)
        .join(users, users.c.id == decisions.c.by_id)
        .where(decisions.c.project_id == project_id, decisions.c.user_id == user_id)
        .order_by(decisions.c.id)
    )
    return tuple(
        Decided(row.attempt, row.decision, row.name, row.note, ledger.rfc3339(row.at), row.scores)
        for row in connection.execute(query)
    )
