"""What every part of the API uses: errors, pages of lists, bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

from labeler.api.typed import Limit
from labeler.edits import LONGEST

T = TypeVar("T")
Name = Annotated[str, Limit(1, 100)]
Note = Annotated[str | None, Limit(high=10_000)]
LongText = Annotated[str, Limit(high=LONGEST)]
SubmissionId = Annotated[str, Limit(1, 200)]
Seconds = Annotated[float, Limit(low=0)]
Overlap = Annotated[int, Limit(1, 1000)]
Version = Annotated[int | None, Limit(low=1)]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, as RFC 9457 has it.

    Attributes:
        type: always ``about:blank``; the status says what kind it is.
        title: the status in words.
        status: the status code.
        detail: what is wrong and what to do, as one sentence.
        field: path of the field that is at fault, where one is.
        line: line of an import that is at fault, where one is.
    """

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    field: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list.

    Attributes:
        items: in the list's order.
        next: the cursor of the page after this one, null on the last.
    """

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of a list.

    Attributes:
        cursor: what the page before gave as ``next``.
        limit: at most so many.
    """

    cursor: Annotated[str | None, Limit(high=40)] = None
    limit: Annotated[int, Limit(1, 500)] = 100


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A piece of long work that runs in a process of its own.

    Attributes:
        message: why it failed.
        stage: what it is doing.
        step: of `total` in this stage.
    """

    id: str
    state: Literal["running", "done", "failed", "cancelled"]
    message: str
    stage: str | None
    step: int
    total: int
