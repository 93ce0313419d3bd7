"""Lists in parts: a cursor names the last item of the part before, so that nothing is left out when items are added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from labeler.api.common import Page
from labeler.errors import DataError

T = TypeVar("T")


def after(cursor: str | None) -> int:
    """The id that a cursor names, 0 without one."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
        raise DataError("is none that this list gave; begin without one", field="cursor")
    return int(cursor)


def page_of(items: Sequence[T], limit: int, key: Callable[[T], int]) -> Page[T]:
    """A page of items of which one more than wanted was asked for, to see whether there is a next page."""
    shown = tuple(items[:limit])
    return Page(shown, str(key(shown[-1])) if len(items) > limit else None)
