"""One project as of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from labeler import adjudications, aggregates, content, directory, prompt_rows, tallies
from labeler.entities import AnnotatorCounts, Judgment, Project, ProjectCounts
from labeler.errors import NotFoundError
from labeler.label_schema import LabelSchema
from labeler.prompt_rows import PromptRow, TaskWork
from labeler.quality_schema import held_out
from labeler.records import Demonstration, Group
from labeler.schema import users
from labeler.tallies import Pace


@dataclass(frozen=True, slots=True)
class Frozen:
    """One project inside one reading transaction; see `labeler.store.Store.frozen`."""

    connection: sa.Connection
    project: Project
    now: float

    def groups(self) -> Iterator[tuple[Group, tuple[Judgment, ...]]]:
        """Every group with its standing rankings, in the order of import; beside it the judgments, skips included."""
        return content.groups(self.connection, self.project.id)

    def sample(self, limit: int) -> tuple[tuple[tuple[Group, tuple[Judgment, ...]], ...], bool]:
        """At most `limit` judged tasks as from `groups`, a random sample that stays; whether these are all."""
        ids, complete = aggregates.judged_tasks(self.connection, self.project.id, limit)
        return tuple(content.groups_of(self.connection, sorted(ids))), complete

    def own_work(self, user_id: int, limit: int) -> tuple[tuple[Group, tuple[Judgment, ...]], ...]:
        """The tasks that a user answered last, as from `groups`."""
        ids = aggregates.tasks_of(self.connection, self.project.id, user_id, limit)
        return tuple(content.groups_of(self.connection, ids))

    def task(self, task_id: int) -> tuple[Group, tuple[Judgment, ...]]:
        """One task as from `groups`.

        Raises:
            NotFoundError: the project has no such task.
        """
        if not prompt_rows.holds(self.connection, self.project.id, task_id):
            raise NotFoundError(f"the project {self.project.name!r} has no task {task_id}")
        return next(content.groups_of(self.connection, [task_id]))

    def tasks(self, ids: Sequence[int]) -> list[Group]:
        """Some tasks of the project, with their standing rankings."""
        return [group for group, _ in content.groups_of(self.connection, ids)]

    def task_ids(self) -> dict[str, int]:
        """Group → task, of all tasks."""
        return prompt_rows.task_ids(self.connection, self.project.id)

    def prompts(self) -> list[PromptRow]:
        """Every prompt in the order of import."""
        return prompt_rows.prompts(self.connection, self.project.id)

    def prompts_stamp(self) -> tuple[int, int]:
        """Changes when there are other prompts."""
        return prompt_rows.stamp(self.connection, self.project.id)

    def task_work(self) -> dict[int, TaskWork]:
        """How far every task is, by its id."""
        return prompt_rows.work(self.connection, self.project.id)

    def pace(self) -> list[Pace]:
        """Rankings by hour and person."""
        return tallies.pace(self.connection, self.project.id)

    def newest_judgment(self) -> int:
        """The id of the last judgment, of whichever project."""
        return aggregates.newest_judgment(self.connection)

    def slots_left(self) -> int:
        """How many rankings are still wanted."""
        return tallies.wanted(self.connection, self.project.id)

    def demonstrations(self) -> Iterator[Demonstration]:
        """Every demonstration in the order of import."""
        return content.written(self.connection, self.project.id)

    def finals(self) -> dict[str, Judgment]:
        """Reviewers' final answers that stand, by group id."""
        found = adjudications.of_project(self.connection, self.project.id)
        return {group_id: final.judgment for group_id, final in found.items()}

    def held_out(self) -> tuple[str, ...]:
        """Names of those whose judgments no model learns from, see `labeler.raters`."""
        query = sa.select(users.c.name).join(held_out).where(held_out.c.project_id == self.project.id)
        return tuple(self.connection.execute(query.order_by(users.c.name)).scalars())

    def counts(self) -> ProjectCounts:
        """How the project stands."""
        return tallies.counts(self.connection, self.project.id, self.now)

    def annotator_counts(self) -> tuple[AnnotatorCounts, ...]:
        """What each annotator did, by name."""
        return tallies.annotator_counts(self.connection, self.project.id)

    def guideline_versions(self) -> dict[int, str]:
        """Every version of the guidelines."""
        return directory.guideline_versions(self.connection, self.project.id)

    def label_schemas(self) -> dict[int, LabelSchema]:
        """Every version of what is asked."""
        return directory.label_schemas(self.connection, self.project.id)
