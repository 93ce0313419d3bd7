"""The labeling database as the rest of the program sees it: one object, frozen records in and out, no SQL outside.

Every method is one transaction. A method that changes something either does all of it or, raising, nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labeler import claims, content, directory, events, ledger, offers, pools, staging, tallies, work
from labeler.chat import Offer, Turn
from labeler.claims import ContendedError, Seeker
from labeler.database import Database
from labeler.entities import (
    AnnotatorCounts,
    Assignment,
    HistoryItem,
    ImportCounts,
    Judgment,
    Progress,
    Project,
    ProjectCounts,
    Shown,
    Submission,
    TaskState,
    User,
    UserRole,
)
from labeler.errors import ConflictError, StoreError
from labeler.frozen import Frozen
from labeler.label_schema import LabelSchema
from labeler.overlap import set_overlap
from labeler.records import Demonstration, Group
from labeler.staging import Order

__all__ = [
    "AnnotatorCounts",
    "Assignment",
    "Frozen",
    "HistoryItem",
    "ImportCounts",
    "Judgment",
    "Progress",
    "Project",
    "ProjectCounts",
    "Shown",
    "Store",
    "Submission",
    "TaskState",
    "User",
]

ATTEMPTS, PAUSE_SECONDS = 200, 0.01
"""How often and at what distance a person asks again while others hold every candidate (PostgreSQL only)."""


class Store:
    """One labeling database; threads may share it.

    Args:
        database: the connections, see `create` and `open`.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.clock = clock

    @classmethod
    def create(cls, url: str, clock: Callable[[], float] = time.time) -> Store:
        """Create the database at a URL, or bring its tables to this version; what it holds stays."""
        return cls._checked(Database(url), Database.upgrade, clock)

    @classmethod
    def open(cls, url: str, clock: Callable[[], float] = time.time) -> Store:
        """Open an existing database of this version.

        Raises:
            StoreError: it is missing or of another version; names the command that mends it.
        """
        return cls._checked(Database(url), Database.check, clock)

    @classmethod
    def _checked(cls, database: Database, check: Callable[[Database], None], clock: Callable[[], float]) -> Store:
        try:
            check(database)
        except BaseException:
            database.close()
            raise
        return cls(database, clock)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    # People and projects

    def add_user(self, name: str, role: UserRole, projects: Sequence[str] = ()) -> User:
        """Add an account, without a password yet, for some projects by name (none: for every project)."""
        with self.database.write() as connection:
            return directory.add_user(connection, name, role, projects, self.clock())

    def user(self, name: str) -> User:
        """The account of this name."""
        with self.database.read() as connection:
            return directory.user_by_name(connection, name)

    def users(self) -> tuple[User, ...]:
        """Every account, by name."""
        with self.database.read() as connection:
            return directory.all_users(connection)

    def memberships(self, user_id: int) -> tuple[str, ...]:
        """Names of the projects that an account is restricted to; empty: every project."""
        with self.database.read() as connection:
            return directory.member_projects(connection, user_id)

    def add_project(
        self,
        name: str,
        *,
        schema: LabelSchema | None = None,
        guidelines: str = "",
        overlap: int = 1,
        dwell_seconds: float = 0.4,
        lease_seconds: float = 1800.0,
        seed: int = 0,
    ) -> Project:
        """Add a project; see `labeler.entities.Project` for its rules. Without a schema it asks for a ranking."""
        asked = schema or LabelSchema()
        rules = Project(0, name, asked, 1, guidelines, 1, overlap, dwell_seconds, lease_seconds, seed)
        with self.database.write() as connection:
            return directory.add_project(connection, rules, self.clock())

    def set_guidelines(self, project_id: int, text: str) -> Project:
        """Publish a new version of the guidelines; judgments remember the version that they were made under."""
        with self.database.write() as connection:
            return directory.set_guidelines(connection, project_id, text, self.clock())

    def set_schema(self, project_id: int, schema: LabelSchema) -> Project:
        """Ask something else from now on; judgments remember the version that they were made under.

        Raises:
            DataError: the project has a group with too few or too many completions for it.
        """
        with self.database.write() as connection:
            content.check_fits(connection, project_id, schema)
            return directory.set_schema(connection, project_id, schema, self.clock())

    def set_rules(
        self,
        project_id: int,
        *,
        overlap: int | None = None,
        dwell_seconds: float | None = None,
        lease_seconds: float | None = None,
    ) -> Project:
        """Change how a project is worked off (None: as before); a new overlap is that of every task, done or not.

        With a higher overlap, done tasks come back for others; with a lower one, what has enough answers is done.
        """
        rules = {"overlap": overlap, "dwell_seconds": dwell_seconds, "lease_seconds": lease_seconds}
        with self.database.write() as connection:
            change = {} if overlap is None else set_overlap(connection, project_id, overlap)
            project = directory.set_rules(connection, project_id, rules)
            if sum(amount for (_, _, counted), amount in change.items() if counted == "wanted") < 0:
                events.fewer_wanted(connection, project, self.clock())
            tallies.add(connection, project_id, change)
            return project

    def label_schemas(self, project_id: int) -> dict[int, LabelSchema]:
        """Every version of what a project asks."""
        with self.database.read() as connection:
            return directory.label_schemas(connection, project_id)

    def guideline_versions(self, project_id: int) -> dict[int, str]:
        """Every version of a project's guidelines."""
        with self.database.read() as connection:
            return directory.guideline_versions(connection, project_id)

    def project(self, name: str) -> Project:
        """The project of this name."""
        with self.database.read() as connection:
            return directory.project_by_name(connection, name)

    def projects(self, user_id: int | None = None) -> tuple[Project, ...]:
        """Every project, or those that a user may work in."""
        with self.database.read() as connection:
            return directory.all_projects(connection, user_id)

    def member_project(self, project_id: int, user_id: int) -> Project:
        """The project of this id.

        Raises:
            PermissionDeniedError: the user does not belong to it.
        """
        with self.database.read() as connection:
            return directory.member(connection, project_id, user_id, lock=False)[1]

    # Content

    def import_groups(
        self,
        project_id: int,
        groups: Iterable[Group],
        demonstrations: Iterable[Demonstration] = (),
        *,
        overlap: int | None = None,
    ) -> ImportCounts:
        """Add groups as tasks (their rankings as judgments of those annotators) and demonstrations; all or nothing.

        Args:
            project_id: where to.
            groups: at least two completions each; ids new to the project.
            demonstrations: ids new to the project.
            overlap: people per task, the project's own where None; rankings that come along count.

        Raises:
            DataError: a group cannot be ranked or an id occurs twice.
            ConflictError: the project has a group or demonstration of that id.
        """
        with self.database.read() as connection:
            project = directory.project_by_id(connection, project_id)
        order = Order(project.name, groups, demonstrations, overlap=overlap)
        return staging.run(self.database, self.clock, order)[1]

    def import_into(
        self,
        name: str,
        groups: Iterable[Group],
        demonstrations: Iterable[Demonstration] = (),
        *,
        schema: LabelSchema | None = None,
        overlap: int | None = None,
        guidelines: str | None = None,
        skip_known: bool = False,
        dry_run: bool = False,
    ) -> tuple[Project, ImportCounts]:
        """Like `import_groups`, into the project of this name, which is made (overlap 1 where None) if there is none.

        Guidelines, where given, become the project's newest version. All or nothing, the new project included. With
        ``skip_known``, what the project has already with the same content is left out, its rankings too. A dry run
        checks all this, stores nothing and counts what would be added.

        Raises:
            UsageError: the project is there and asks for something else than `schema`.
        """
        order = Order(name, groups, demonstrations, schema, overlap, guidelines, skip_known, dry_run)
        return staging.run(self.database, self.clock, order)

    def sweep(self) -> None:
        """Remove what imports that were killed have left; nobody saw it, and every import does this first."""
        staging.sweep(self.database, self.clock)

    def set_priorities(self, project_id: int, priorities: Mapping[str, int]) -> None:
        """Set how urgent tasks are, by group id: 0 (usual) to 100 (first)."""
        with self.database.write() as connection:
            content.set_priorities(connection, directory.project_by_id(connection, project_id), priorities)

    def set_aside(self, project_id: int, group_ids: Iterable[str], *, aside: bool) -> int:
        """Take tasks out of the queue for good, by group id, or put them back; how many were not so before."""
        with self.database.write() as connection:
            project = directory.project_by_id(connection, project_id)
            moved = pools.set_aside(connection, project_id, group_ids, aside=aside)
            if aside:
                events.fewer_wanted(connection, project, self.clock())
            return moved

    @contextmanager
    def frozen(self, project_id: int) -> Iterator[Frozen]:
        """A project's content as of one moment, to be read several times while others go on labeling."""
        with self.database.read() as connection:
            yield Frozen(connection, directory.project_by_id(connection, project_id), self.clock())

    def groups(self, project_id: int) -> Iterator[Group]:
        """Every group with its standing rankings, in the order of import, as of one moment."""
        with self.frozen(project_id) as frozen:
            for group, _ in frozen.groups():
                yield group

    def judgments(self, project_id: int) -> Iterator[Judgment]:
        """Every standing judgment, rankings and skips, by task."""
        with self.frozen(project_id) as frozen:
            for _, answers in frozen.groups():
                yield from answers

    def task_page(self, project_id: int, *, after: int, limit: int) -> tuple[TaskState, ...]:
        """Tasks in the order of import, those after an id."""
        with self.database.read() as connection:
            return content.task_page(connection, project_id, after, limit)

    def judgment_page(
        self, project_id: int, *, after: int, limit: int, standing: bool
    ) -> tuple[tuple[Judgment, bool], ...]:
        """Judgments in the order in which they were recorded, those after an id, and of each whether it stands."""
        with self.database.read() as connection:
            return ledger.page(connection, project_id, after, limit, standing=standing)

    def demonstrations(self, project_id: int) -> Iterator[Demonstration]:
        """Every demonstration in the order of import."""
        with self.frozen(project_id) as frozen:
            yield from frozen.demonstrations()

    def counts(self, project_id: int) -> ProjectCounts:
        """How a project stands."""
        with self.frozen(project_id) as frozen:
            return frozen.counts()

    def annotator_counts(self, project_id: int) -> tuple[AnnotatorCounts, ...]:
        """What each annotator did in a project, by name."""
        with self.frozen(project_id) as frozen:
            return frozen.annotator_counts()

    # Labeling; each raises PermissionDeniedError for a disabled user or one who does not belong to the project

    def next_task(self, project_id: int, user_id: int) -> Assignment | None:
        """The next thing to do, reserved for `lease_seconds`; None when nothing is left for this person.

        A running correction comes first, then the task that this person holds already (or comes back to with a draft),
        then a new one. Nobody gets a task that they have answered, and no more people than the overlap hold it.
        """
        for _ in range(ATTEMPTS):
            try:
                with self._seeker(project_id, user_id) as (connection, seeker):
                    return work.next_task(connection, seeker)
            except ContendedError:
                time.sleep(PAUSE_SECONDS)
        raise StoreError("the database is too busy to hand out a task; try again")

    def save_draft(
        self,
        user_id: int,
        task_id: int,
        draft: Mapping[str, Any],
        version: int,
        *,
        correction_of: int | None = None,
        opening: str | None = None,
    ) -> int | None:
        """Keep an unfinished answer (any JSON object) and prolong the lease.

        Args:
            user_id: whose.
            task_id: of which task.
            draft: the answer so far.
            version: counts up; one that is not higher than the kept one is ignored.
            correction_of: the judgment that the answer is to replace, None for a first answer: a save that was long on
                its way must not end up in the correction of the very answer that it led to.
            opening: of the correction, nor in a later opening of the same one; None: whichever is open.

        Returns:
            The version that is kept now. None if the answer was given or the correction ended: nothing was kept.
        """
        with self._on_task(user_id, task_id) as (connection, seeker):
            return work.save_draft(
                connection, seeker, task_id, draft, version, correction_of=correction_of, opening=opening
            )

    def submit(self, user_id: int, submission: Submission) -> Judgment:
        """Record an answer for good and end the lease and draft, in one transaction.

        The same submission id with the same content again returns the recorded judgment and changes nothing. A task
        whose lease ran out is accepted as long as a slot is free. With a running correction (`undo`) the new judgment
        replaces the earlier one. A skip takes no slot and is not shown to this person again.

        Raises:
            ConflictError: the slot was taken meanwhile (the draft is kept), the task was answered before, the
                submission id was used for something else, or it came within the project's dwell time.
            PermissionDeniedError: the task was never given to this person.
            DataError: the answer does not fit the task.
        """
        with self._once(), self._on_task(user_id, submission.task_id) as (connection, seeker):
            return work.submit(connection, seeker, submission)

    def submit_and_next(
        self, user_id: int, submission: Submission, project_id: int
    ) -> tuple[Judgment, Assignment | None]:
        """`submit`, then `next_task`; in one transaction on SQLite, where each waits for others and the disk."""
        if not self.database.sqlite:
            return self.submit(user_id, submission), self.next_task(project_id, user_id)
        with self._once(), self._on_task(user_id, submission.task_id) as (connection, seeker):
            judgment = work.submit(connection, seeker, submission)
            member = directory.member(connection, project_id, user_id)
            return judgment, work.next_task(connection, Seeker(*member, seeker.now))

    def undo(self, project_id: int, user_id: int, judgment_id: int | None = None) -> Assignment | None:
        """Bring this person's last judgment, or the named one, back for correction; None if there is none.

        It opens a draft prefilled with the judgment (a running correction is returned as it is), which survives a
        reload. The judgment stands until the corrected one is submitted. A skip can be taken back while the task
        still wants somebody; otherwise ConflictError.
        """
        with self._seeker(project_id, user_id) as (connection, seeker):
            return work.undo(connection, seeker, judgment_id)

    def cancel_correction(self, user_id: int, task_id: int) -> None:
        """Forget a running correction; the judgment stands as it is."""
        with self._on_task(user_id, task_id) as (connection, seeker):
            work.cancel_correction(connection, seeker, task_id)

    def opt_out(self, project_id: int, user_id: int, until: float | None) -> None:
        """Give this person no sensitive tasks of a project until then (seconds since 1970; None: give them again).

        A draft of one is kept, and found again afterwards if the task still wants somebody.
        """
        with self._seeker(project_id, user_id) as (connection, seeker):
            claims.opt_out(connection, seeker, until)

    def opted_out(self, user_id: int) -> dict[int, float]:
        """The ids of the projects of which this person takes no sensitive tasks now, and until when."""
        with self.database.read() as connection:
            return claims.opted_out(connection, user_id, self.clock())

    def shown(self, user_id: int, task_id: int) -> tuple[Shown, ...]:
        """A task's completions in the order and with the letters of this person, whether or not they hold the task."""
        with self.database.read() as connection:
            user, project = directory.member_on(connection, task_id, user_id, lock=False)
            return work.shown(connection, Seeker(user, project, self.clock()), task_id)

    def begin_offer(self, user_id: int, task_id: int, turns: Sequence[Turn]) -> offers.Request:
        """Note that a model is asked to go on from this person's dialogue; `end_offer` keeps what came of it.

        Raises:
            UsageError: the project has no model to ask.
            TooManyError: they have asked often enough for now, see `labeler.offers`.
            PermissionDeniedError: the task was not given to them.
            DataError: the dialogue does not end with a turn of the user.
        """
        with self._on_task(user_id, task_id) as (connection, seeker):
            return work.begin_offer(connection, seeker, task_id, turns)

    def end_offer(self, offer_id: int, offer: Offer | None) -> None:
        """Keep the replies, or None where the model gave none."""
        with self.database.write() as connection:
            offers.end(connection, offer_id, offer)

    def progress(self, project_id: int, user_id: int) -> Progress:
        """How far this person is."""
        with self.database.read() as connection:
            user, project = directory.member(connection, project_id, user_id, lock=False)
            return work.progress(connection, Seeker(user, project, self.clock()))

    def history(
        self, project_id: int, user_id: int, limit: int = 50, *, before: int | None = None
    ) -> tuple[HistoryItem, ...]:
        """This person's own standing judgments, latest first; where asked those before a judgment's id."""
        with self.database.read() as connection:
            user, project = directory.member(connection, project_id, user_id, lock=False)
            return work.history(connection, Seeker(user, project, self.clock()), limit, before)

    @contextmanager
    def _once(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise ConflictError(
                "this answer was recorded a moment ago by another request; nothing was changed"
            ) from error

    @contextmanager
    def _seeker(self, project_id: int, user_id: int) -> Iterator[tuple[sa.Connection, Seeker]]:
        with self.database.write() as connection:
            yield connection, Seeker(*directory.member(connection, project_id, user_id), self.clock())

    @contextmanager
    def _on_task(self, user_id: int, task_id: int) -> Iterator[tuple[sa.Connection, Seeker]]:
        with self.database.write() as connection:
            yield connection, Seeker(*directory.member_on(connection, task_id, user_id), self.clock())
