"""A real server and a real browser, and what a test may expect of every page: no errors, nothing from elsewhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from board import Board
from playwright.sync_api import Browser, BrowserContext, Page, expect

from labeler.accounts import Accounts
from labeler.store import Store

FAKE_REWARD = Path(__file__).parent / "fake_reward"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "correct horse"
LEFT = "Client Error: WebSocket onerror"
"""What Streamlit says of a page that is left before it has reached its server."""
DESKTOP = {"width": 1440, "height": 900}


@dataclass
class Site:
    """One server process on one database."""

    url_of_database: str
    store: Store
    process: subprocess.Popen[str] | None = None
    url: str = ""
    port: int = 0
    options: tuple[str, ...] = ()
    runs: Path = Path()

    def start(self) -> None:
        serve = [sys.executable, "-m", "labeler.cli", "serve", "--db", self.url_of_database]
        command = [*serve, "--port", str(self.port), *self.options]
        path = os.pathsep.join(filter(None, (str(FAKE_REWARD), os.environ.get("PYTHONPATH"))))
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((path, str(root)))}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self.process.stdout
        found = re.search(r"http://\S+:(\d+)", self.process.stdout.readline())
        assert found, "the server did not say where it is"
        self.url, self.port = found[0], int(found[1])

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGINT)
            assert self.process.wait(20) == 0
            if self.process.stdout:
                self.process.stdout.close()
            self.process = None

    def add_user(self, name: str, role: str = "labeler", projects: tuple[str, ...] = ()) -> None:
        self.store.add_user(name, role, projects)
        Accounts(self.store).set_password(name, PASSWORD)


@contextmanager
def open_site(url: str, folder: Path, *options: str) -> Iterator[Site]:
    """A server on a database that has the schema; it keeps its jobs in a folder."""
    runs = folder / "runs"
    site = Site(url, Store.open(url), options=("--runs", str(runs), *options), runs=runs)
    try:
        site.start()
        yield site
        site.stop()
    finally:
        if site.process:
            site.process.kill()
        site.store.close()


@dataclass
class Contexts:
    """Browser contexts that one test uses after the other: with scripts that are there already a page opens sooner.

    A test gets one without cookies and without storage, and so without a session.
    """

    browser: Browser
    free: dict[str, list[BrowserContext]] = field(default_factory=dict)
    taken: list[tuple[str, BrowserContext]] = field(default_factory=list)

    def page(self, url: str, options: Mapping[str, Any]) -> Page:
        """A page in a context that nobody else has, before it goes to this address."""
        kind = repr(sorted(options.items()))
        waiting = self.free.setdefault(kind, [])
        context = waiting.pop() if waiting else self.browser.new_context(**options)
        self.taken.append((kind, context))
        page = context.new_page()
        context.new_cdp_session(page).send(
            "Storage.clearDataForOrigin", {"origin": url, "storageTypes": "local_storage"}
        )
        return page

    def release(self) -> None:
        """Close all pages and let the next test have the contexts."""
        for kind, context in self.taken:
            for page in context.pages:
                page.close()
            context.clear_cookies()
            context.set_offline(False)
            self.free[kind].append(context)
        self.taken.clear()


@dataclass
class Visit:
    """Opens pages for people and remembers everything that went wrong in them."""

    contexts: Contexts
    problems: list[str] = field(default_factory=list)

    def page(self, site: Site, **options: object) -> Page:
        """A page in a browser of its own, without a session."""
        page = self.contexts.page(site.url, {"viewport": DESKTOP, "locale": "en-US", **options})
        page.on("console", lambda message: self._console(message.type, message.text, message.location))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", lambda request: self._request(request.url, site.url))
        return page

    def _console(self, kind: str, text: str, where: Mapping[str, Any]) -> None:
        below = "404" in text and re.search(r"/\w+/_stcore/", where.get("url", ""))  # Streamlit looks for itself there
        if kind == "error" and text != LEFT and not below:
            self.problems.append(f"console: {text}")

    def _request(self, url: str, own: str) -> None:
        if not url.startswith((f"{own}/", own.replace("http", "ws") + "/", "blob:", "data:")):
            self.problems.append(f"request to {url}")

    def sign_in(self, site: Site, name: str, **options: object) -> Page:
        page = self.page(site, **options)
        page.goto(f"{site.url}/login")
        fill_login(page, name)
        return page

    def board(self, site: Site, name: str, **options: object) -> Board:
        """Somebody's labeling screen."""
        board = Board(self.sign_in(site, name, **options))
        board.wait()
        return board

    def expect(self, pattern: str) -> None:
        """The test provoked errors of this sort; every other one still counts."""
        assert any(re.search(pattern, problem) for problem in self.problems), f"no {pattern!r} in {self.problems}"
        self.problems[:] = [problem for problem in self.problems if not re.search(pattern, problem)]


def settled(page: Page) -> None:
    """Wait until Streamlit has drawn all that the last click led to: it may replace what is being clicked."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=30_000)
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=30_000)


def from_menu(page: Page, menu: str, name: str) -> None:
    """Go to a page that stands in a menu of the managers' bar."""
    page.get_by_test_id("stTopNav").get_by_role("button", name=menu).click(timeout=30_000)
    page.get_by_role("menuitem", name=name, exact=True).click()


def fill_login(page: Page, name: str, password: str = PASSWORD) -> None:
    page.fill("[name=name]", name)
    page.fill("[name=password]", password)
    page.click("button[type=submit]")
