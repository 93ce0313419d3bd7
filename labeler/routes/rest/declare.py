"""One declaration of each operation of the REST API: a function whose signature says what comes in and goes out.

From it come the route, the checks of role and project, the reading of the body and the OpenAPI document::

    @operation("GET", "/projects/{project}/tasks", tag=MANAGING, least="manager")
    def list_tasks(call: Call, project: Project, query: PageQuery) -> Page[TaskInfo]:
        \"\"\"Tasks in the order of import.\"\"\"

A parameter ``project`` of the type `Project` is the id in the path, read only if the caller belongs to the project;
``query`` and ``body`` are dataclasses; ``upload`` is a file that was sent; anything else is in the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from labeler.entities import USER_ROLES, Project, User, UserRole
from labeler.errors import DataError, PermissionDeniedError
from labeler.gold_desk import GoldDesk
from labeler.routes.services import Services
from labeler.store import Store

LONGEST_ID = 18  # digits, so that every database takes the number


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, and what to work with."""

    services: Services
    user: User

    @property
    def store(self) -> Store:
        """The database."""
        return self.services.store


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent, under the name that it came with; gone after the operation."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Archive:
    """A file to send, in a folder of its own, which is removed afterwards."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        method: of HTTP.
        path: behind ``/api/v1``, with parameters in braces.
        tag: the part of the API that it belongs to.
        least: the least role that may use it.
        action: the function.
        hints: its annotations by parameter, ``return`` included.
    """

    method: str
    path: str
    tag: str
    least: UserRole
    action: Callable[..., Any]
    hints: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the function, which is the operation's id in the document."""
        return self.action.__name__

    @property
    def in_path(self) -> dict[str, Any]:
        """The parameters in the path."""
        others = ("call", "query", "body", "upload", "return")
        return {name: kind for name, kind in self.hints.items() if name not in others}

    def admit(self, call: Call, raw_path: Mapping[str, str]) -> dict[str, Any]:
        """Check role and project, before anything else is read.

        Args:
            call: who asks.
            raw_path: the texts in the path.

        Returns:
            What the path names, by parameter.
        """
        if USER_ROLES.index(call.user.role) < USER_ROLES.index(self.least):
            raise PermissionDeniedError(f"this needs the role {self.least}; {call.user.name!r} is {call.user.role}")
        return {name: _from_path(call, kind, name, raw_path[name]) for name, kind in self.in_path.items()}


def _from_path(call: Call, kind: Any, name: str, text: str) -> Any:
    if kind is str:
        return text
    if not text.isascii() or not text.isdecimal() or len(text) > LONGEST_ID:
        raise DataError("must be a whole number", field=name)
    if name == "task":
        return GoldDesk(call.store).task_of(int(text))
    number = min(int(text), 2**31 - 1)
    return call.store.member_project(number, call.user.id) if kind is Project else number


def operation(method: str, path: str, *, tag: str, least: UserRole) -> Callable[[Callable[..., Any]], Operation]:
    """Declare a function as an operation."""

    def declare(action: Callable[..., Any]) -> Operation:
        return Operation(method, path, tag, least, action, get_type_hints(action, include_extras=True))

    return declare
