"""Accounts on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from labeler.api.common import Name
from labeler.api.typed import Limit
from labeler.entities import UserRole


@dataclass(frozen=True, slots=True)
class Me:
    """Whose token it is.

    Attributes:
        projects: names of the projects that they are restricted to; empty for every project.
    """

    id: int
    name: str
    role: UserRole
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """An account.

    Attributes:
        projects: names of the projects that they are restricted to; empty for every project.
    """

    id: int
    name: str
    role: UserRole
    disabled: bool
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewPerson:
    """An account to be made.

    Attributes:
        name: what they sign in with and appear as in the data; a pseudonym is enough.
        projects: names of projects; none for all of one's own.
        email: where the server knows an OpenID provider, this address, verified there, lets them in too.
    """

    name: Name
    role: UserRole = "labeler"
    projects: Annotated[tuple[str, ...], Limit(high=1000)] = ()
    email: Annotated[str | None, Limit(3, 254)] = None


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """In which language somebody reads the pages.

    Attributes:
        language: a code such as ``de``; null for what the browser asks for.
    """

    language: Annotated[str | None, Limit(2, 2)]


@dataclass(frozen=True, slots=True)
class Assigned:
    """What somebody may work on.

    Attributes:
        projects: names of projects; none: every project, which those who are restricted cannot give.
    """

    projects: Annotated[tuple[str, ...], Limit(high=1000)]


@dataclass(frozen=True, slots=True)
class Invitation:
    """A way in for somebody, good once and for seven days.

    Attributes:
        path: to open in a browser, behind the address of the server; it is not shown again.
    """

    user: Person
    path: str
