"""Fixtures of the browser tests."""

from __future__ import annotations

import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import FLAGS, Contexts, Site, Visit, open_site
from databases import fresh_database
from playwright.sync_api import Browser, expect, sync_playwright

expect.set_options(timeout=20_000)  # the machine may have other work to do; what is asked for stays the same


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def database_kind(request: pytest.FixtureRequest, kinds_of_database: tuple[str, ...]) -> str:
    """On which database a file's tests run: some files on PostgreSQL and some not, or all as the variable says."""
    asked = os.environ.get("LABELER_BROWSER_DATABASE")
    if asked:
        assert asked in kinds_of_database, f"LABELER_BROWSER_DATABASE={asked} is none of {kinds_of_database}"
        return asked
    return kinds_of_database[zlib.crc32(request.path.name.encode()) % len(kinds_of_database)]


@pytest.fixture(scope="session")
def sqlite_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with fresh_database(request, "sqlite", folder) as url, open_site(url, folder) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgresql_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with fresh_database(request, "postgresql", folder) as url, open_site(url, folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, database_kind: str) -> Site:
    """A server that many tests share, each with projects and people of its own."""
    opened: Site = request.getfixturevalue(f"{database_kind}_site")
    return opened


@pytest.fixture(scope="module")
def file_url(
    request: pytest.FixtureRequest, database_kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database for a server that the tests of one file share."""
    with fresh_database(request, database_kind, tmp_path_factory.mktemp("file")) as url:
        yield url


@pytest.fixture
def own_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """A database for one test."""
    with fresh_database(request, database_kind, tmp_path) as url:
        yield url


@pytest.fixture
def own_site(own_url: str, tmp_path: Path) -> Iterator[Site]:
    """A server for one test, to be stopped and started."""
    with open_site(own_url, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")  # Playwright's loop would be in the way of other tests' asyncio
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        missing = "Chromium is not installed (e.g. apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Contexts:
    return Contexts(browser)


@pytest.fixture
def visit(contexts: Contexts) -> Iterator[Visit]:
    visits = Visit(contexts)
    yield visits
    contexts.release()
    assert visits.problems == []


@pytest.fixture
def in_time() -> Callable[[Callable[[], object]], None]:
    """Wait until something is true."""

    def wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it never became true"
            time.sleep(0.05)

    return wait
