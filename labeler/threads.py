"""Talk about a task between one labeler and those who manage or review its project.

A thread belongs to one labeler and one task. Labelers see their own threads, on tasks that they judge, and in them
their own messages and the managers'; never another labeler's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from labeler import claims, content, directory, ledger
from labeler.entities import User
from labeler.errors import PermissionDeniedError
from labeler.formats import parse_group
from labeler.quality_schema import comment_reads, comments
from labeler.review_desk import PREVIEW, checked_comment, may_review
from labeler.schema import drafts, tasks, users
from labeler.store import Store

MANAGER = "manager"
"""Who wrote a message, as labelers read it of everybody but themselves."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One message; ``labeler`` says whose thread it is in, ``mine`` whether the reader wrote it."""

    id: int
    labeler: str
    author: str
    mine: bool
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A thread with messages that the person has not read."""

    task_id: int
    labeler: str
    preview: str
    count: int


class Threads:
    """A companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def read(self, task_id: int, user_id: int) -> tuple[Comment, ...]:
        """The messages that a person may see of a task, by thread, oldest first; from now on they count as read."""
        with self.store.database.write() as connection:
            user, managing = _reader(connection, task_id, user_id)
            found = _messages(connection, task_id, None if managing else user.id)
            newest: dict[int, int] = {}
            for row in found:
                newest[row.labeler_id] = row.id
            for labeler_id, comment_id in newest.items():
                _mark(connection, user.id, task_id, labeler_id, comment_id)
        names = {row.labeler_id: row.labeler for row in found}
        ordered = sorted(found, key=lambda row: (names[row.labeler_id], row.id))
        return tuple(
            Comment(
                row.id, row.labeler, _named(row, managing), row.author_id == user.id, row.text, ledger.rfc3339(row.at)
            )
            for row in ordered
        )

    def post(self, task_id: int, user_id: int, text: str, labeler: str | None = None) -> None:
        """Say something.

        Args:
            task_id: about which task.
            user_id: who says it.
            text: what.
            labeler: in whose thread; None for one's own.

        Raises:
            PermissionDeniedError: a labeler does not judge the task, or names somebody else.
        """
        text = checked_comment(text)
        with self.store.database.write() as connection:
            user, managing = _reader(connection, task_id, user_id)
            owner = user if labeler is None else directory.user_by_name(connection, labeler)
            if owner.id != user.id and not managing:
                raise PermissionDeniedError("you can write in your own thread only")
            if not _judges(connection, task_id, owner):
                raise PermissionDeniedError(f"{owner.name!r} does not judge this task")
            row = {"task_id": task_id, "labeler_id": owner.id, "author_id": user.id}
            values = row | {"text": text, "at": self.store.clock()}
            added = connection.execute(sa.insert(comments).values(**values).returning(comments.c.id)).scalar_one()
            _mark(connection, user.id, task_id, owner.id, added)

    def unread(self, project_id: int, user_id: int) -> tuple[Unread, ...]:
        """Threads of a project with something new for this person, latest first."""
        with self.store.database.read() as connection:
            user, _ = directory.member(connection, project_id, user_id, lock=False)
            mine = () if may_review(connection, project_id, user) else (_news.c.labeler_id == user.id,)
            query = _UNREAD.where(tasks.c.project_id == project_id, *mine)
            rows = connection.execute(query, {"reader": user.id}).all()
        return tuple(Unread(row.task_id, row.labeler, _preview(row.content), row.unread) for row in rows)


_owner, _author = users.alias("owner"), users.alias("author")
_MESSAGES = (
    sa.select(comments, _owner.c.name.label("labeler"), _author.c.name.label("author"))
    .join(_owner, _owner.c.id == comments.c.labeler_id)
    .join(_author, _author.c.id == comments.c.author_id)
    .order_by(comments.c.id)
)
_news = (
    sa.select(
        comments.c.task_id,
        comments.c.labeler_id,
        sa.func.count().label("unread"),
        sa.func.max(comments.c.id).label("newest"),
    )
    .select_from(
        comments.join(tasks, tasks.c.id == comments.c.task_id).outerjoin(
            comment_reads,
            (comment_reads.c.task_id == comments.c.task_id)
            & (comment_reads.c.labeler_id == comments.c.labeler_id)
            & (comment_reads.c.user_id == sa.bindparam("reader")),
        )
    )
    .where(comments.c.author_id != sa.bindparam("reader"))
    .where(comments.c.id > sa.func.coalesce(comment_reads.c.comment_id, 0))
    .group_by(comments.c.task_id, comments.c.labeler_id)
    .subquery("news")
)
_UNREAD = (
    sa.select(_news.c.task_id, _news.c.unread, _owner.c.name.label("labeler"), tasks.c.content)
    .join(_owner, _owner.c.id == _news.c.labeler_id)
    .join(tasks, tasks.c.id == _news.c.task_id)
    .order_by(_news.c.newest.desc())
    .limit(100)
)


def _reader(connection: sa.Connection, task_id: int, user_id: int) -> tuple[User, bool]:
    """The person, if anything of this task's talk is theirs to see, and whether they see every thread."""
    user, project = directory.member_on(connection, task_id, user_id)
    managing = may_review(connection, project.id, user)
    if not managing and not _judges(connection, task_id, user):
        raise PermissionDeniedError("you do not judge this task")
    return user, managing


def _judges(connection: sa.Connection, task_id: int, user: User) -> bool:
    """Whether the task was given to the person, or they answered it."""
    if ledger.latest(connection, user.name, task_id) or claims.lease(connection, user.id, task_id) is not None:
        return True
    mine = (drafts.c.user_id == user.id, drafts.c.task_id == task_id)
    return connection.execute(sa.select(drafts.c.task_id).where(*mine)).first() is not None


def _messages(connection: sa.Connection, task_id: int, labeler_id: int | None) -> list[sa.Row[Any]]:
    conditions = [comments.c.task_id == task_id]
    if labeler_id is not None:
        conditions.append(comments.c.labeler_id == labeler_id)
    return list(connection.execute(_MESSAGES.where(*conditions)).all())


def _named(row: sa.Row[Any], managing: bool) -> str:
    """Who wrote a message; labelers read of everybody but themselves only that it is a manager."""
    return str(row.author) if managing or row.author_id == row.labeler_id else MANAGER


def _mark(connection: sa.Connection, user_id: int, task_id: int, labeler_id: int, comment_id: int) -> None:
    key = {"user_id": user_id, "task_id": task_id, "labeler_id": labeler_id}
    mine = [comment_reads.c[name] == value for name, value in key.items()]
    if not connection.execute(sa.update(comment_reads).where(*mine).values(comment_id=comment_id)).rowcount:
        connection.execute(sa.insert(comment_reads).values(**key, comment_id=comment_id))


def _preview(row: dict[str, object]) -> str:
    text = content.last_words(parse_group(row))
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"
