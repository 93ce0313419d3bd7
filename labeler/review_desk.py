"""Review: which tasks to look at, the judgments of one side by side, and what a reviewer does with them.

Reviewers are the managers of a project and whom they give that right. The list reads a table of its own that is derived
from the judgments and catches up when it is looked at, so that labeling pays nothing for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import sqlalchemy as sa

from labeler import adjudications, answers, claims, content, directory, ledger
from labeler.adjudications import Adjudication
from labeler.agreement import disagreement
from labeler.entities import ADJUDICATED, Edit, Judgment, Project, Submission, User
from labeler.errors import ConflictError, DataError, NotFoundError, PermissionDeniedError
from labeler.formats import parse_group
from labeler.quality_schema import comments, review_marks, reviewers, reviews, sent_back
from labeler.records import Group, Ranking, check_text
from labeler.schema import IN_QUEUE, imports, judgments, tasks, users, visible
from labeler.store import Store
from labeler.tallies import recounted

Show = Literal["disagreement", "flagged", "skipped", "all_bad", "commented", "judged", "sent_back", "final"]
SHOWS: tuple[Show, ...] = get_args(Show)
AT_ONCE = 500
"""Judgments taken up in one transaction."""
LOOK_BACK = 200
"""Judgments looked at again each time: on PostgreSQL a smaller id may appear after a larger one."""
PATIENCE_SECONDS = 1.0
PAGE = 200
PREVIEW = 140
LONGEST_COMMENT = 10_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A task on the list; ``disagreement`` is None where no two people compared the same."""

    task_id: int
    preview: str
    judgments: int
    disagreement: float | None
    flagged: bool
    skipped: bool
    all_bad: bool
    commented: bool
    sent_back: bool
    final: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of the list; ``behind`` judgments are not in it yet, ``more`` tasks follow."""

    tasks: tuple[Listed, ...]
    more: bool
    behind: int


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A task as a reviewer sees it.

    Attributes:
        judgments: that stand, skips included.
        returned: comments under which judgments of these were sent back and not corrected since, by judgment.
        finals: decisions, the one that stands last.
    """

    task_id: int
    project: Project
    group: Group
    overlap: int
    judgments: tuple[Judgment, ...]
    returned: dict[int, str]
    finals: tuple[Adjudication, ...]


class ReviewDesk:
    """A companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def set_reviewer(self, project_id: int, name: str, *, may: bool) -> None:
        """Give a person the right to review a project, or take it back."""
        with self.store.database.write() as connection:
            user = directory.user_by_name(connection, name)
            directory.member(connection, project_id, user.id)
            row = {"user_id": user.id, "project_id": project_id}
            mine = (reviewers.c.user_id == user.id, reviewers.c.project_id == project_id)
            connection.execute(sa.delete(reviewers).where(*mine))
            if may:
                connection.execute(sa.insert(reviewers).values(**row))

    def reviewers(self, project_id: int) -> tuple[str, ...]:
        """Names of those who were given the right."""
        with self.store.database.read() as connection:
            query = sa.select(users.c.name).join(reviewers).where(reviewers.c.project_id == project_id)
            return tuple(connection.execute(query.order_by(users.c.name)).scalars())

    def projects(self, user: User) -> tuple[Project, ...]:
        """Projects that a person may review."""
        with self.store.database.read() as connection:
            given = set(connection.execute(_GIVEN, {"user": user.id}).scalars())
            own = directory.all_projects(connection, user.id)
            return tuple(project for project in own if user.role != "labeler" or project.id in given)

    def check(self, project_id: int, user_id: int) -> None:
        """Raise `PermissionDeniedError` for everybody who may not review the project."""
        with self.store.database.read() as connection:
            check(connection, project_id, user_id)

    def listing(self, project_id: int, user_id: int, show: Show, *, after: int = 0) -> Listing:
        """Tasks to look at, those with most disagreement first, decided ones only where asked for.

        Args:
            project_id: of which project.
            user_id: the reviewer.
            show: what they look for.
            after: how many to leave out at the beginning.
        """
        if show not in SHOWS:
            raise DataError(f"is {show!r}; it must be one of {', '.join(SHOWS)}", field="show")
        behind = self._catch_up(project_id, user_id)
        with self.store.database.read() as connection:
            query = _LIST.where(reviews.c.project_id == project_id, *_CONDITIONS[show])
            rows = connection.execute(query.offset(after).limit(PAGE + 1)).all()
        return Listing(tuple(map(_listed, rows[:PAGE])), len(rows) > PAGE, behind)

    def _catch_up(self, project_id: int, user_id: int) -> int:
        """Take new judgments into the list, for about a second at most; returns how many are still to come."""
        with self.store.database.read() as connection:
            check(connection, project_id, user_id)
            mark = connection.execute(_MARK, {"project": project_id}).scalar() or 0
        begin, until = max(0, mark - LOOK_BACK), time.monotonic() + PATIENCE_SECONDS
        while (end := self._take_up(project_id, begin)) is not None:
            begin = end
            if time.monotonic() > until:
                break
        with self.store.database.read() as connection:
            return int(connection.execute(_BEHIND, {"project": project_id, "begin": begin}).scalar_one())

    def _take_up(self, project_id: int, begin: int) -> int | None:
        """One batch of judgments behind an id; returns the last one's id, None where there are none."""
        with self.store.database.read() as connection:
            rows = connection.execute(_NEW, {"project": project_id, "begin": begin, "at_once": AT_ONCE}).all()
            ids = sorted({row.task_id for row in rows})
            found = [_summary(project_id, *entry) for entry in content.groups_of(connection, ids)] if ids else []
        if not rows:
            return None
        with self.store.database.write() as connection:
            directory.lock_project(connection, project_id)
            connection.execute(sa.delete(reviews).where(reviews.c.task_id.in_([row["task_id"] for row in found])))
            if found:
                connection.execute(sa.insert(reviews), found)
            ours = review_marks.c.project_id == project_id
            if not connection.execute(sa.update(review_marks).where(ours).values(judgment_id=rows[-1].id)).rowcount:
                connection.execute(sa.insert(review_marks).values(project_id=project_id, judgment_id=rows[-1].id))
        return int(rows[-1].id)

    def task(self, task_id: int, user_id: int) -> Reviewed:
        """One task with everybody's judgments."""
        with self.store.database.read() as connection:
            _, project = check_on(connection, task_id, user_id)
            group, overlap = content.task_group(connection, task_id)
            found = tuple(ledger.standing(connection, judgments.c.task_id == task_id))
            back = connection.execute(_RETURNED.where(judgments.c.task_id == task_id)).all()
            finals = adjudications.of_task(connection, task_id)
        returned = {row.judgment_id: row.comment for row in back}
        return Reviewed(task_id, project, group, overlap, found, returned, finals)

    def decide(
        self,
        user_id: int,
        said: Submission | None,
        *,
        task_id: int,
        submission_id: str,
        accepted: int | None,
        seen: int | None,
    ) -> None:
        """Give a task its final answer; the same submission id again changes nothing.

        Args:
            user_id: the reviewer.
            said: their own answer, None where they accept a judgment.
            task_id: which task.
            submission_id: made once for each decision.
            accepted: the judgment that becomes final as it is.
            seen: the decision that stood before them, None without one.

        Raises:
            ConflictError: somebody else decided meanwhile.
            DataError: the answer does not say all that is asked.
        """
        now = self.store.clock()
        with self.store.database.write() as connection:
            user, project = check_on(connection, task_id, user_id, lock=True)
            claims.lock_task(connection, task_id)
            if connection.execute(sa.select(judgments.c.id).where(judgments.c.submission_id == submission_id)).first():
                return
            group, _ = content.task_group(connection, task_id)
            before = adjudications.of_task(connection, task_id)
            standing = tuple(ledger.standing(connection, judgments.c.task_id == task_id))
            newest = before[-1].id if before else None
            if newest != seen:
                raise ConflictError("somebody else decided this task meanwhile; look at it again")
            adjudications.append(
                connection,
                *_final(said, standing, accepted, group, project),
                project_id=project.id,
                task_id=task_id,
                by=user.name,
                accepted=accepted,
                instead=[item.id for item in standing],
                supersedes=newest,
                versions=(project.schema_version, project.guidelines_version),
                submission_id=submission_id,
                now=now,
            )

    def send_back(self, judgment_id: int, user_id: int, comment: str) -> None:
        """Ask a labeler to look at a judgment of theirs again; a later comment replaces the earlier.

        Raises:
            ConflictError: it was corrected meanwhile, or came with an import.
        """
        text = checked_comment(comment)
        with self.store.database.write() as connection:
            judgment = ledger.by_id(connection, judgment_id)
            check_on(connection, judgment.task_id, user_id)
            if judgment.user_id is None:
                raise ConflictError("this judgment was not made here; nobody can correct it")
            if connection.execute(sa.select(judgments.c.id).where(judgments.c.supersedes == judgment_id)).first():
                raise ConflictError("this judgment was corrected meanwhile; look at it again")
            connection.execute(sa.delete(sent_back).where(sent_back.c.judgment_id == judgment_id))
            row = {"judgment_id": judgment_id, "by_id": user_id, "comment": text, "at": self.store.clock()}
            connection.execute(sa.insert(sent_back).values(**row))

    def returned(self, project_id: int, user_id: int) -> dict[int, str]:
        """Comments under which a labeler is asked to look at own judgments again, by judgment."""
        with self.store.database.read() as connection:
            mine = (judgments.c.project_id == project_id, judgments.c.user_id == user_id)
            rows = connection.execute(_RETURNED.where(*mine)).all()
            return {row.judgment_id: row.comment for row in rows}

    def one_more(self, task_id: int, user_id: int) -> int:
        """Ask one more person for an opinion; returns how many people are wanted now.

        Raises:
            ConflictError: the task is not in the queue.
        """
        with self.store.database.write() as connection:
            user, _ = check_on(connection, task_id, user_id, lock=True)
            claims.lock_task(connection, task_id)
            more = sa.update(tasks).where(tasks.c.id == task_id, IN_QUEUE)
            grown = more.values(overlap=tasks.c.overlap + 1).returning(tasks.c.overlap)
            with recounted(connection, task_id, by=user.name):
                overlap = connection.execute(grown).scalar()
                if overlap is None:
                    raise ConflictError("gold items and tasks of an exam are shown to everybody as it is")
            return int(overlap)

    def decisions(self, project_id: int, *, after: int, limit: int) -> tuple[Adjudication, ...]:
        """Final answers that stand, in the order in which they were given."""
        with self.store.database.read() as connection:
            return adjudications.page(connection, project_id, after, limit)


def may_review(connection: sa.Connection, project_id: int, user: User) -> bool:
    """Whether a member of the project may review it."""
    if user.role != "labeler":
        return True
    mine = (reviewers.c.user_id == user.id, reviewers.c.project_id == project_id)
    return connection.execute(sa.select(reviewers.c.user_id).where(*mine)).first() is not None


def check(connection: sa.Connection, project_id: int, user_id: int, *, lock: bool = False) -> tuple[User, Project]:
    """The reviewer and the project; `PermissionDeniedError` for anybody else."""
    return _checked(connection, *directory.member(connection, project_id, user_id, lock=lock))


def check_on(connection: sa.Connection, task_id: int, user_id: int, *, lock: bool = False) -> tuple[User, Project]:
    """The same for the project of a task."""
    return _checked(connection, *directory.member_on(connection, task_id, user_id, lock=lock))


def _checked(connection: sa.Connection, user: User, project: Project) -> tuple[User, Project]:
    if not may_review(connection, project.id, user):
        raise PermissionDeniedError(f"{user.name!r} may not review the project {project.name!r}")
    return user, project


def checked_comment(text: str) -> str:
    """The comment, if it says something and is not too long."""
    if not text.strip() or len(text) > LONGEST_COMMENT:
        raise DataError(f"must have 1 to {LONGEST_COMMENT} characters", field="comment")
    return check_text(text, "comment")


def _final(
    said: Submission | None, standing: Iterable[Judgment], accepted: int | None, group: Group, project: Project
) -> tuple[Ranking, Edit | None]:
    if not project.schema.judges:
        raise DataError("what people write has no final answer; send it back instead", field="kind")
    if accepted is not None:
        taken = next((item for item in standing if item.id == accepted), None)
        if taken is None or taken.ranking is None:
            raise NotFoundError(
                f"judgment {accepted} does not stand any more, or ranks nothing; look at the task again"
            )
        final = replace(taken.ranking, annotator=ADJUDICATED, at=None, seconds=None, order=None, note=None)
        return final, taken.edit
    if said is None:
        raise DataError("say what the answer is, or which judgment to accept", field="accepted")
    order = tuple(completion.id for completion in group.completions)
    ranking = answers.said(said, group, replace(project.schema, edit=None), order).ranking
    if ranking is None:
        raise DataError("must be an answer, not a skip", field="kind")
    return replace(ranking, annotator=ADJUDICATED, order=None), None


def _summary(project_id: int, group: Group, found: tuple[Judgment, ...]) -> dict[str, Any]:
    comparable = replace(group, rankings=tuple(ranking.by_ratings() for ranking in group.rankings))
    differing = disagreement(comparable)
    said = group.rankings
    return {
        "task_id": found[0].task_id if found else -1,
        "project_id": project_id,
        "judgments": len({item.annotator for item in found if item.kind != "skip"}),
        "disagreement": -1.0 if differing is None else differing,
        "flagged": any(any(ranking.flags or ()) for ranking in said) or any(item.prompt_flags for item in found),
        "skipped": any(item.kind == "skip" for item in found),
        "all_bad": any(ranking.all_bad for ranking in said),
        "noted": any(ranking.note for ranking in said) or any(item.note for item in found),
    }


def _listed(row: Any) -> Listed:
    text = content.last_words(parse_group(row.content))
    return Listed(
        task_id=row.task_id,
        preview=text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…",
        judgments=row.judgments,
        disagreement=None if row.disagreement < 0 else row.disagreement,
        flagged=bool(row.flagged),
        skipped=bool(row.skipped),
        all_bad=bool(row.all_bad),
        commented=bool(row.noted or row.talked),
        sent_back=bool(row.back),
        final=bool(row.final),
    )


_GIVEN = sa.select(reviewers.c.project_id).where(reviewers.c.user_id == sa.bindparam("user"))
_MARK = sa.select(review_marks.c.judgment_id).where(review_marks.c.project_id == sa.bindparam("project"))
_LATER = (judgments.c.project_id == sa.bindparam("project"), judgments.c.id > sa.bindparam("begin"), ledger.LABELED)
_BEHIND = sa.select(sa.func.count()).select_from(judgments.join(tasks)).where(*_LATER, visible(tasks))
_staged = judgments.alias("staged")
_FIRST_STAGED = (
    sa.select(sa.func.min(_staged.c.id))
    .select_from(
        imports.join(tasks, (tasks.c.project_id == imports.c.project_id) & (tasks.c.import_id == imports.c.id)).join(
            _staged, _staged.c.task_id == tasks.c.id
        )
    )
    .where(imports.c.project_id == sa.bindparam("project"))
    .scalar_subquery()
)
# Not past what an import has staged, which has its turn when it is published.
_NEW = (
    sa.select(judgments.c.id, judgments.c.task_id)
    .where(*_LATER, judgments.c.id < sa.func.coalesce(_FIRST_STAGED, sa.literal_column("9223372036854775807")))
    .order_by(judgments.c.id)
    .limit(sa.bindparam("at_once", type_=sa.Integer))
)
_RETURNED = (
    sa.select(sent_back.c.judgment_id, sent_back.c.comment, judgments.c.task_id)
    .join(judgments, judgments.c.id == sent_back.c.judgment_id)
    .where(ledger.STANDS)
)
_FINAL = sa.exists().where(judgments.c.task_id == reviews.c.task_id, judgments.c.kind == ledger.ADJUDICATED)
_BACK = sa.exists().where(
    judgments.c.task_id == reviews.c.task_id, judgments.c.id == sent_back.c.judgment_id, ledger.STANDS
)
_TALKED = sa.exists().where(comments.c.task_id == reviews.c.task_id)
_LIST = (
    sa.select(reviews, tasks.c.content, _FINAL.label("final"), _BACK.label("back"), _TALKED.label("talked"))
    .join(tasks, tasks.c.id == reviews.c.task_id)
    .where(tasks.c.pool != "exam")
    .order_by(reviews.c.disagreement.desc(), reviews.c.task_id)
)
_CONDITIONS: dict[Show, tuple[sa.ColumnElement[bool], ...]] = {
    "disagreement": (reviews.c.disagreement >= 0, ~_FINAL),
    "flagged": (reviews.c.flagged, ~_FINAL),
    "skipped": (reviews.c.skipped, ~_FINAL),
    "all_bad": (reviews.c.all_bad, ~_FINAL),
    "commented": (reviews.c.noted | _TALKED, ~_FINAL),
    "judged": (reviews.c.judgments > 0, ~_FINAL),
    "sent_back": (_BACK,),
    "final": (_FINAL,),
}
