"""Guesses cost time: failed tries are counted by name, and after some of them the name has to wait."""

from __future__ import annotations

import sqlalchemy as sa

from labeler.errors import PermissionDeniedError
from labeler.languages import t
from labeler.schema import failures

FREE_TRIES, LONGEST_WAIT_SECONDS = 5, 900.0
"""Failed tries per name before waiting begins; the wait doubles from one second up to the longest."""
FORGOTTEN_AFTER_SECONDS = 86400.0


class WaitError(PermissionDeniedError):
    """There were too many failed tries; `seconds` says how long to wait."""

    def __init__(self, why: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(t(why, seconds=f"{seconds:.0f}"))


def count_try(connection: sa.Connection, name: str, now: float, why: str) -> None:
    """Count a try before it is checked, so that parallel ones cannot slip past; `forget` it when it was right.

    Raises:
        WaitError: the name has to wait; nothing is counted.
    """
    connection.execute(sa.delete(failures).where(failures.c.last < now - FORGOTTEN_AFTER_SECONDS))
    mine = failures.c.name == name
    known = connection.execute(sa.select(failures.c.tries, failures.c.last).where(mine).with_for_update()).first()
    if known is None:
        connection.execute(sa.insert(failures).values(name=name, tries=1, last=now))
        return
    _check_wait(known.tries, now - known.last, why)
    connection.execute(sa.update(failures).where(mine).values(tries=known.tries + 1, last=now))


def check(connection: sa.Connection, name: str, now: float, why: str) -> bool:
    """Whether tries of this name have failed; raises `WaitError` where it has to wait. Only reads."""
    known = connection.execute(sa.select(failures.c.tries, failures.c.last).where(failures.c.name == name)).first()
    if known is not None:
        _check_wait(known.tries, now - known.last, why)
    return known is not None


def forget(connection: sa.Connection, name: str) -> None:
    """A try was right: start counting anew."""
    connection.execute(sa.delete(failures).where(failures.c.name == name))


def _check_wait(failed: int, passed: float, why: str) -> None:
    if failed < FREE_TRIES:
        return
    wait = min(2.0 ** (failed - FREE_TRIES), LONGEST_WAIT_SECONDS)
    if passed < wait:
        raise WaitError(why, wait - passed)
