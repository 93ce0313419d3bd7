"""Databases for tests: every store test runs on SQLite and on a private PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from databases import Server, fresh_database, running, server_programs
from hypothesis import settings

from labeler.store import Store

if "PYTEST_XDIST_WORKER" in os.environ:  # each of several test processes computes with one thread
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure; pytest has its own timeout
settings.load_profile("unhurried")


@dataclass
class Clock:
    """A clock that moves only when a test says so."""

    now: float = 1_750_000_000.0  # 2025-06-15T15:06:40Z

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def kinds_of_database() -> tuple[str, ...]:
    """Those that there are here; where no test may be skipped, both."""
    return ("sqlite", "postgresql") if server_programs() or os.environ.get("CI") else ("sqlite",)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    programs = server_programs()
    if programs is None:
        missing = "PostgreSQL's initdb is not installed (e.g. apt-get install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with running(programs) as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "empty.db"
    Store.create(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that nobody has initialised."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'labeler.db'}"
        return
    server: Server = request.getfixturevalue("postgresql_server")
    with server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database with the empty schema."""
    with fresh_database(request, request.param, tmp_path) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database that the tests of a file share, for those that are slow to begin."""
    folder = tmp_path_factory.mktemp("shared")
    with fresh_database(request, request.param, folder) as url:
        yield url


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[Store]:
    """A store on a fresh database, with a clock that stands still."""
    opened = Store.open(database_url, clock)
    yield opened
    opened.close()
