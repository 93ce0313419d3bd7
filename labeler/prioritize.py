"""``labeler prioritize``: tasks that are there already get the urgency that a file gives them."""

from __future__ import annotations

from dataclasses import dataclass

from tyro.conf import Positional

from labeler.commands import Command
from labeler.errors import DataError
from labeler.records import Group


@dataclass(frozen=True, kw_only=True)
class Prioritize(Command):
    """Make tasks of a project more or less urgent, as meta.priority of each group of a file says; all or nothing.

    The queue hands out the highest number first: 100 is most urgent, 0 is usual. `reward select` writes such files.

    Attributes:
        source: groups whose ids are those of the project's tasks, in any format that import reads.
        project: which.
    """

    source: Positional[str]
    project: str

    def run(self) -> None:
        """Read the file, then change the priorities in one transaction."""
        from labeler.formats import read

        with self.store() as store:
            project = store.project(self.project)
            found = {group.id: self._priority(group) for group in read(self.source).groups}
            store.set_priorities(project.id, found)
        print(f"set the priority of {len(found):,} tasks of {self.project}")

    def _priority(self, group: Group) -> int:
        priority = group.meta.get("priority")
        if not isinstance(priority, int) or isinstance(priority, bool):
            problem = f"of group {group.id!r} is {priority!r}; give a whole number from 0 to 100"
            raise DataError(problem, file=self.source, field="meta.priority")
        return priority
