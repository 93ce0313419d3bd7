"""Fixtures of the browser tests."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import FLAGS, Contexts, Site, Visit, open_site
from playwright.sync_api import Browser, expect, sync_playwright

expect.set_options(timeout=20_000)  # the machine may have other work to do; what is asked for stays the same


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that all tests share, each with projects and people of its own."""
    opened = open_site(tmp_path_factory.mktemp("site"))
    yield opened
    opened.stop()
    opened.store.close()


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A server for one test, to be stopped and started."""
    opened = open_site(tmp_path)
    yield opened
    opened.stop()
    opened.store.close()


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
