"""The demo: sample projects to rank, rate, write and chat in, people to label them, and links that sign them in."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import webbrowser
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from labeler import jobs
from labeler.accounts import Accounts
from labeler.entities import UserRole
from labeler.errors import ConflictError, DataError, NotFoundError
from labeler.formats import read
from labeler.label_schema import preset
from labeler.records import SCENARIO, Group
from labeler.store import Store

SAMPLE_DATA = Path(__file__).parents[1] / "sample_data"
"""Beside the package, in a checkout and where it is installed."""
PEOPLE: dict[str, UserRole] = {
    "labeler-1": "labeler",
    "labeler-2": "labeler",
    "labeler-3": "labeler",
    "manager-1": "manager",
}
PROJECT = "sample"
GUIDELINES = """\
Put the answer that helps the person most first. An answer that is wrong, made up or harmful goes below one that is \
honest and plain, however well it is written.

Length is no merit: prefer the shorter of two equally good answers.

If two answers are equally good, or you cannot tell, make them a tie. If none is acceptable, mark all bad.

Skip a task that you cannot judge, and say why."""

RATED = 12
"""So many of the sample's groups are also there to be rated."""
TO_ANSWER = 12
"""For so many of the sample's prompts an answer is to be written."""
SCENARIOS = (
    "You moved into your first own flat and want to know which insurances you need. You earn little and distrust "
    "insurance companies.",
    "You are twelve and have to give a talk about volcanoes tomorrow. You have not begun.",
    "Your starter dough smells of nail varnish. You do not want to throw it away.",
    "You have to tell a friend that you cannot come to their wedding.",
)
"""Roles that somebody plays who writes a dialogue."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A database ready to be shown.

    Attributes:
        links: path that signs in, by name.
        password: of everybody, for signing in again.
    """

    store: Store
    links: dict[str, str]
    password: str


def prepare(folder: Path, data: Path = SAMPLE_DATA) -> Demo:
    """Make the demo's database in a folder, or go on with the one that is there; the links are new each time.

    Everybody can rank every sample prompt: the overlap leaves room for all of them beside the rankings that come along.

    Raises:
        DataError: the sample data is not there.
    """
    store = Store.create(f"sqlite:///{folder / 'demo.db'}")
    try:
        store.project(PROJECT)
    except NotFoundError:
        _import(store, data)
    accounts, password = Accounts(store), secrets.token_urlsafe(9)
    links = {}
    for name, role in PEOPLE.items():
        with suppress(ConflictError):
            store.add_user(name, role)
        accounts.set_password(name, password)
        links[name] = f"/signin/{accounts.invite(name)}"
    return Demo(store, links, password)


def _import(store: Store, data: Path) -> None:
    if not (data / "groups.jsonl").is_file():
        raise DataError("the sample data is not there; install the package again", file=str(data))
    sample = read(data)
    labelers = sum(role == "labeler" for role in PEOPLE.values())
    overlap = labelers + max(len(group.rankings) for group in sample.groups)
    groups = [_of_others(group) for group in sample.groups]
    store.import_into(PROJECT, groups, sample.demonstrations, overlap=overlap, guidelines=GUIDELINES)
    rated = [replace(group, rankings=()) for group in sample.groups[:RATED]]
    store.import_into(f"{PROJECT}-rating", rated, schema=preset("rate"), overlap=labelers, guidelines=GUIDELINES)
    open_ = [replace(group, rankings=(), completions=()) for group in sample.groups[-TO_ANSWER:]]
    store.import_into(f"{PROJECT}-writing", open_, schema=preset("demonstrate"), overlap=labelers)
    talks = [Group(f"talk-{n}", (), (), source="sample_data", meta={SCENARIO: s}) for n, s in enumerate(SCENARIOS, 1)]
    store.import_into(f"{PROJECT}-chat", talks, schema=preset("chat"), overlap=labelers)


def _of_others(group: Group) -> Group:
    """The group, ranked by people of other names than the demo's: nobody gets a task that they ranked already."""
    rankings = (replace(ranking, annotator=f"sample-{ranking.annotator}") for ranking in group.rankings)
    return replace(group, rankings=tuple(rankings))


def welcome(demo: Demo, url: str) -> str:
    """What to tell the person at the terminal."""
    lines = [f"  {name:<11} {url}{path}" for name, path in demo.links.items()]
    return "\n".join(
        (
            "The demo is running. Each link signs in by one click, once:",
            "",
            *lines,
            "",
            f"To sign in again: {url}/login with one of these names and the password {demo.password}",
            "Stop it with Ctrl-C.",
        )
    )


def open_browser(url: str, delay: float = 1.0) -> bool:
    """Show a page on the desktop of whoever started this from a terminal; False where there is no desktop."""
    desktop = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if not (desktop and sys.stdout.isatty()):
        return False
    timer = threading.Timer(delay, webbrowser.open, (url,))
    timer.daemon = True
    timer.start()
    return True


def stop_jobs(runs: Path) -> None:
    """End what still trains or samples in a demo whose folder goes away."""
    for job in jobs.all_jobs(runs, "*"):
        with suppress(ConflictError):
            jobs.cancel(job)
