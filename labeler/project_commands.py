"""``labeler project``: what a project asks of its labelers, shown and changed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, subcommand

from labeler.commands import Command
from labeler.errors import NotFoundError


@dataclass(frozen=True, kw_only=True)
class ShowProject(Command):
    """Print what a project asks as a settings file (JSON), and on standard error its versions.

    Attributes:
        name: which project.
        version: an earlier version instead of the newest.
    """

    name: Positional[str]
    version: int | None = None

    def run(self) -> None:
        """Print it."""
        from labeler.settings_file import settings_text

        with self.store() as store:
            project = store.project(self.name)
            schemas = store.label_schemas(project.id)
        version = self.version or project.schema_version
        if version not in schemas:
            raise NotFoundError(f"{self.name!r} has no version {version} of its settings; the newest is {max(schemas)}")
        print(settings_text(schemas[version]), end="")
        print(f"version {version} of {max(schemas)}", file=sys.stderr)


@dataclass(frozen=True, kw_only=True)
class SetProject(Command):
    """Ask what a settings file says from now on; earlier judgments keep the version that they were made under.

    Attributes:
        name: which project.
        file: .json or .toml, with any of task (rank, rate, pair, chat), ranking, top, strength, all_bad, flags,
            prompt_flags, suggest and replies; what it leaves out is as usual for its task.
    """

    name: Positional[str]
    file: Positional[Path]

    def run(self) -> None:
        """Publish a new version, unless it says what the newest says."""
        from labeler.settings_file import read_settings

        schema = read_settings(self.file)
        with self.store() as store:
            before = store.project(self.name)
            after = store.set_schema(before.id, schema)
        changed = after.schema_version != before.schema_version
        print(f"{self.name}: {'now' if changed else 'unchanged,'} version {after.schema_version} of its settings")


@dataclass(frozen=True)
class Project:
    """Show or change what a project asks of its labelers."""

    action: Annotated[ShowProject, subcommand("show")] | Annotated[SetProject, subcommand("set")]

    def run(self) -> None:
        """Do the action."""
        self.action.run()
