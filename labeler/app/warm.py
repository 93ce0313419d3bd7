"""What the slowest pages read, read once when a server starts; see `labeler.server`."""

from __future__ import annotations

from collections.abc import Iterable

from labeler.app import overview, prompts
from labeler.entities import Project


def warm_up(projects: Iterable[Project]) -> None:
    """Fill the memory that the pages of these projects are drawn from."""
    for project in projects:
        overview.prepare(project)
        prompts.prepare(project)
