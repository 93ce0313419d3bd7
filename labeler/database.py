"""Connections and transactions: the differences between SQLite and PostgreSQL stop here.

A writer on SQLite begins with ``BEGIN IMMEDIATE``, so that one transaction at a time changes the file; on PostgreSQL
the callers lock the rows that they depend on. Commits are durable on both (SQLite: write-ahead log,
synchronous=FULL).
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from labeler.errors import StoreError
from labeler.schema import REVISION

OURS = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError)
"""Errors of the database that a statement of ours is to blame for, rather than its state or the machine's."""
PRAGMAS = (
    "busy_timeout=60000",  # milliseconds; a large import in another process holds the file for that long
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-32000",  # KiB per connection; the default of 2 MB holds no index of a large project
    "recursive_triggers=ON",  # else INSERT OR REPLACE would delete behind the append-only trigger
)


def parse_url(url: str) -> sa.URL:
    """The URL with the driver of our choice; `StoreError` for anything but a SQLite file or PostgreSQL."""
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise StoreError(f"{url!r} is no database URL; give sqlite:///file.db or postgresql://user@host/name") from None
    family = parsed.get_backend_name()
    if family == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite")
    if family in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError(f"cannot keep judgments in {safe(parsed)}; give sqlite:///file.db or postgresql://user@host/name")


def safe(url: sa.URL) -> str:
    """The URL for people, without its password and without the driver."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


class Encoded(str):
    """JSON text that goes into a column of JSON as it is."""

    __slots__ = ()


def encoded(value: object) -> Encoded:
    """A value as the JSON that is stored.

    NUL is escaped like all beyond ASCII: json in PostgreSQL takes that, where a text column would refuse it.
    """
    return value if isinstance(value, Encoded) else Encoded(json.dumps(value, allow_nan=False))


class FairLock:
    """A lock that threads get in the order in which they asked, so that nobody waits for longer than all before.

    The first of the queue has it. One that is interrupted (Ctrl-C) at whatever moment leaves the queue, since a turn
    given to one that is gone would never end.
    """

    def __init__(self) -> None:
        self._own = threading.Lock()
        self._queue: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        gate = threading.Lock()
        gate.acquire()
        try:
            with self._own:
                self._queue.append(gate)
                if self._queue[0] is gate:
                    return
            while not gate.acquire(timeout=1.0):  # a Ctrl-C just before the thread falls asleep is only seen afterwards
                pass
        except BaseException:
            self._leave(gate)
            raise

    def __exit__(self, *_: object) -> None:
        self._leave(self._queue[0])

    def _leave(self, gate: threading.Lock) -> None:
        with self._own:
            if gate not in self._queue:
                return
            had_it = self._queue[0] is gate
            self._queue.remove(gate)
            if had_it and self._queue:
                self._queue[0].release()


class Database:
    """An engine with read and write transactions; safe to share between threads."""

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        # Of those connections that are free, the last used: its statements are prepared and its pages in memory.
        self.engine = sa.create_engine(
            self.url, json_serializer=encoded, pool_size=20, max_overflow=20, pool_use_lifo=True
        )
        if self.sqlite:
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin)
        self._reader = self.engine if self.sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")
        self._writer = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        # Threads of one process queue here; SQLite's own waiting would poll.
        self._turn: Any = FairLock() if self.sqlite else nullcontext()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads, and sees the database as of one moment."""
        with self._errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that changes something: committed at the end of the block, undone by any exception."""
        with self._errors(), self._turn, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (exc.DatabaseError, exc.TimeoutError) as error:
            if isinstance(error, OURS):
                raise
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StoreError(f"the database {safe(self.url)} refused: {reason}") from error

    @property
    def address(self) -> str:
        """The URL with its password, as another process with another working folder needs it."""
        url = self.url.set(drivername=self.url.get_backend_name())
        if self.sqlite:
            url = url.set(database=str(Path(str(url.database)).absolute()))
        return url.render_as_string(hide_password=False)

    def exists(self) -> bool:
        """Whether there is a database to connect to (asking SQLite itself would create the file)."""
        return not self.sqlite or Path(str(self.url.database)).is_file()

    def revision(self) -> str | None:
        """The migration that the database is at; None for an empty database."""
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            return None if found is None else str(found)

    def check(self) -> None:
        """Raise `StoreError` unless the database is there and as this version of the program needs it."""
        found = self.revision() if self.exists() else None
        if found == REVISION:
            return
        state = "there is no labeling database" if found is None else f"the schema is {found}, not {REVISION},"
        raise StoreError(f"{state} at {safe(self.url)}; run: labeler init --db {safe(self.url)}")

    def upgrade(self) -> None:
        """Create the tables or bring them to this version, in one transaction."""
        from alembic import command  # noqa: PLC0415  (slow to import, needed once)
        from alembic.config import Config  # noqa: PLC0415

        if self.sqlite and not Path(str(self.url.database)).absolute().parent.is_dir():
            raise StoreError(f"the folder of {safe(self.url)} does not exist; create it first")
        config = Config()
        config.set_main_option("script_location", "labeler:migrations")
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _set_pragmas(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
