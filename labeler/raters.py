"""Who works on what, and whose judgments no model learns from.

Held-out raters are InstructGPT's held-out labelers: they judge as all others do and nothing on their pages tells them
apart, but their judgments stand in a file of their own in a snapshot and in no export that does not name them. So one
can see whether a model that learned from some people agrees with others.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from labeler import directory
from labeler.entities import MAY_MANAGE, User
from labeler.errors import PermissionDeniedError
from labeler.quality_schema import held_out
from labeler.schema import memberships
from labeler.store import Store


class Raters:
    """A companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def assign(self, by: User, name: str, projects: Sequence[str]) -> tuple[str, ...]:
        """Let somebody work in these projects and no others; returns the projects that they are restricted to now.

        Args:
            by: whoever decides. Who is restricted to some projects decides about these alone.
            name: of the account.
            projects: names of projects; none: every project.

        Raises:
            PermissionDeniedError: it is not for them to decide.
            NotFoundError: there is no such account or project.
        """
        with self.store.database.write() as connection:
            user = directory.user_by_name(connection, name)
            if user.role not in MAY_MANAGE[by.role]:
                raise PermissionDeniedError(f"only an admin may change the account {name!r}")
            own = directory.member_projects(connection, by.id)
            kept = _beyond(directory.member_projects(connection, user.id), own, by, projects) if own else ()
            wanted = {directory.project_by_name(connection, each).id for each in (*projects, *kept)}
            connection.execute(sa.delete(memberships).where(memberships.c.user_id == user.id))
            for project_id in wanted:
                connection.execute(sa.insert(memberships).values(user_id=user.id, project_id=project_id))
            return directory.member_projects(connection, user.id)

    def held_out(self, project_id: int) -> tuple[str, ...]:
        """Names of a project's held-out raters."""
        with self.store.frozen(project_id) as frozen:
            return frozen.held_out()

    def hold_out(self, project_id: int, name: str, *, held: bool) -> None:
        """Keep the judgments of somebody from training, those already given among them, or let them in again."""
        with self.store.database.write() as connection:
            user = directory.user_by_name(connection, name)
            directory.member(connection, project_id, user.id)
            mine = (held_out.c.user_id == user.id, held_out.c.project_id == project_id)
            connection.execute(sa.delete(held_out).where(*mine))
            if held:
                connection.execute(sa.insert(held_out).values(user_id=user.id, project_id=project_id))


def _beyond(theirs: Sequence[str], own: Sequence[str], by: User, wanted: Sequence[str]) -> tuple[str, ...]:
    """The projects of an account that are none of the person's who decides, and so stay."""
    foreign = [name for name in wanted if name not in own]
    if foreign:
        raise PermissionDeniedError(f"{by.name!r} does not belong to the project {foreign[0]!r}")
    kept = tuple(name for name in theirs if name not in own)
    if not theirs or not (wanted or kept):
        raise PermissionDeniedError(
            f"{by.name!r} is restricted to some projects and can neither change nor make an account for every project"
        )
    return kept
