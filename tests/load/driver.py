"""Many labelers at once over HTTP, each at their own pace: the same play for this app and for Label Studio.

A *turn* is what a labeler waits for: from sending a ranking until the next task is there. Rankings are random, from the
same seeds for both. Nothing but the standard library is used, so that the player costs little beside the server.

    python tests/load/driver.py prepare sqlite:///load.db --tasks 1000 --people 50
    python tests/load/driver.py labeler http://127.0.0.1:8501 --people 50 --think 10 --seconds 60 --pid 1234
    python tests/load/driver.py prepare http://127.0.0.1:8080 --tasks 1000          # Label Studio, newly installed
    python tests/load/driver.py label-studio http://127.0.0.1:8080 --project 1 --people 50 --think 10 --seconds 60
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from random import Random
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 60.0


class Failed(Exception):  # noqa: N818  (a count, not a mistake of the program)
    """The server did not do what a labeler asked for."""


class Browser:
    """One kept connection with its cookies."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc
        self.cookies: dict[str, str] = {}
        self.connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_SECONDS)

    def close(self) -> None:
        """Hang up."""
        self.connection.close()

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """The body of the answer; `Failed` unless it is 2xx or 3xx."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        kept = self.connection.sock is not None
        try:
            self.connection.request(method, path, body, {"Cookie": cookie, **headers})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            if kept and isinstance(error, ConnectionError):  # the server had hung up meanwhile; browsers dial again too
                return self.send(method, path, body, **headers)
            raise Failed(f"{method} {path}: {error!r}") from error
        for header in answer.headers.get_all("set-cookie") or ():
            self.cookies.update({name: morsel.value for name, morsel in SimpleCookie(header).items()})
        if answer.status >= 400:
            raise Failed(f"{method} {path}: {answer.status} {text[:200]!r}")
        return text

    def form(self, path: str, **fields: str) -> None:
        """Send a form."""
        self.send("POST", path, urlencode(fields).encode(), **{"Content-Type": "application/x-www-form-urlencoded"})

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """JSON there and back."""
        sent = None if body is None else json.dumps(body).encode()
        return json.loads(self.send(method, path, sent, **{"Content-Type": "application/json", **headers}) or "null")


class Player(Protocol):
    """A labeler at the screen of some tool."""

    browser: Browser

    def begin(self) -> None:
        """Sign in and get the first task."""

    def turn(self) -> bool:
        """Answer the task and get the next; False when there is none."""


class Labeler:
    """A labeler of this app, through the requests that its page makes."""

    def __init__(self, url: str, project: int, number: int) -> None:
        self.browser, self.project, self.number = Browser(url), project, number
        self.random = Random(number)
        self.task: dict[str, Any] | None = None

    def begin(self) -> None:
        """Sign in with a password."""
        self.browser.form("/login", name=f"labeler-{self.number}", password=PASSWORD)
        self.task = self.browser.call("GET", f"/api/task?project={self.project}")["task"]

    def turn(self) -> bool:
        """One request, since the next task comes with the reply."""
        if self.task is None:
            return False
        labels = [completion["label"] for completion in self.task["completions"]]
        self.random.shuffle(labels)
        answer = {
            "project": self.project,
            "task": self.task["id"],
            "submission_id": str(uuid.uuid4()),
            "kind": "rank",
            "ranks": {label: rank for rank, label in enumerate(labels, start=1)},
            "all_bad": False,
            "note": "",
            "seconds": 10.0,
        }
        self.task = self.browser.call("POST", "/api/submit", answer)["task"]
        return self.task is not None


class LabelStudioLabeler:
    """A labeler of Label Studio, through the requests that its page makes: an annotation, then the next task."""

    def __init__(self, url: str, project: int, number: int) -> None:
        self.browser, self.project, self.number = Browser(url), project, number
        self.random = Random(number)
        self.task: dict[str, Any] | None = None

    def begin(self) -> None:
        """Sign up, or in where that was done before."""
        account = {"email": f"labeler-{self.number}@example.com", "password": PASSWORD}
        page = self.browser.send("GET", "/user/signup/").decode()
        try:
            self.browser.form("/user/signup/", **account, csrfmiddlewaretoken=_csrf(page), allow_newsletters="false")
            self.browser.call("GET", "/api/current-user/whoami")
        except Failed:
            page = self.browser.send("GET", "/user/login/").decode()
            self.browser.form("/user/login/", **account, csrfmiddlewaretoken=_csrf(page))
        if self.project:
            self._next()

    def turn(self) -> bool:
        """Two requests, as its page makes them."""
        if self.task is None:
            return False
        items = [item["id"] for item in self.task["data"]["items"]]
        self.random.shuffle(items)
        result = {"type": "ranker", "from_name": "rank", "to_name": "list", "value": {"ranker": {"rank": items}}}
        body = {"result": [result], "lead_time": 10.0}
        self.post(f"/api/tasks/{self.task['id']}/annotations/?project={self.project}", body)
        return self._next()

    def post(self, path: str, body: object) -> Any:
        """Send JSON with the token that its page sends against forgery."""
        return self.browser.call("POST", path, body, **{"X-CSRFToken": self.browser.cookies.get("csrftoken", "")})

    def _next(self) -> bool:
        try:
            self.task = self.browser.call("GET", f"/api/projects/{self.project}/next")
        except Failed as error:
            if ": 404 " not in str(error):
                raise
            self.task = None
        return self.task is not None


def _csrf(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    if not found:
        raise Failed("the page has no form")
    return found[1]


@dataclass(frozen=True)
class Outcome:
    """What a play came to; times in seconds."""

    turns: tuple[float, ...]
    failures: tuple[str, ...]
    seconds: float
    processor: float | None

    def at(self, share: float) -> float:
        """The quantile of the turns: the smallest time that so large a share did not exceed."""
        ordered = sorted(self.turns)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0

    def __str__(self) -> str:
        times = ", ".join(f"{name} {1000 * self.at(share):.0f} ms" for name, share in QUANTILES.items())
        each = None if self.processor is None else 1000 * self.processor / max(1, len(self.turns))
        cost = "" if each is None else f", server {each:.1f} ms of processor time a turn"
        told = "".join(f"\n  {reason}" for reason in self.failures[:3])
        return (
            f"{len(self.turns)} turns, {len(self.turns) / self.seconds:.1f} a second, {len(self.failures)} failed, "
            f"{times}{cost}, load {os.getloadavg()[0]:.1f}{told}"
        )


QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def play(players: Sequence[Player], *, seconds: float, think: float, processes: Iterable[int] = ()) -> Outcome:
    """Let them work for some time.

    Args:
        players: who.
        seconds: for how long, from when all have signed in.
        think: mean time between an answer and the next one (uniform between half and one and a half of it).
        processes: whose processor time is counted.
    """
    with ThreadPoolExecutor(min(8, len(players))) as doors:
        list(doors.map(lambda player: player.begin(), players))
    turns: list[float] = []
    failures: list[str] = []
    spent, began = _processor_seconds(processes), time.monotonic()
    threads = [
        threading.Thread(target=_work, args=(player, Random(number), think, began + seconds, turns, failures))
        for number, player in enumerate(players)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for player in players:
        player.browser.close()
    passed, after = time.monotonic() - began, _processor_seconds(processes)
    return Outcome(tuple(turns), tuple(failures), passed, None if after is None or spent is None else after - spent)


def _work(player: Player, random: Random, think: float, end: float, turns: list[float], failures: list[str]) -> None:
    time.sleep(random.uniform(0.0, think))
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            more = player.turn()
        except Failed as error:
            failures.append(str(error))
            more = True
        else:
            turns.append(time.monotonic() - began)
        if not more:
            return
        time.sleep(random.uniform(0.5, 1.5) * think)


def _processor_seconds(processes: Iterable[int]) -> float | None:
    """User and system time of processes and of their children that have ended (Linux)."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15] for pid in processes]
    return sum(sum(map(int, times)) for times in fields) / os.sysconf("SC_CLK_TCK") if fields else None


def prepare(url: str, tasks: int, people: int) -> int:
    """A database with a project of made-up tasks and people with the driver's password; the project's id."""
    from labeler.accounts import Accounts  # noqa: PLC0415  (a player needs none of it)
    from labeler.store import Store  # noqa: PLC0415

    store = Store.create(url)
    project = store.add_project("load", overlap=2, dwell_seconds=0.0)
    store.import_groups(project.id, made_up(tasks))
    for number in range(people):
        Accounts(store).add(f"labeler-{number}", "labeler", (), PASSWORD)
    store.close()
    return project.id


CONFIG = """<View>
  <Text name="prompt" value="$prompt"/>
  <List name="list" value="$items" title="Completions"/>
  <Ranker name="rank" toName="list"/>
</View>"""


def prepare_label_studio(url: str, tasks: int) -> int:
    """The same tasks in a new project of a Label Studio without users yet; the project's id."""
    manager = LabelStudioLabeler(url, 0, 1_000_000)
    manager.begin()
    project = manager.post("/api/projects", {"title": "load", "label_config": CONFIG, "maximum_annotations": 2})["id"]
    rows = []
    for number in range(tasks):
        prompt, *texts = texts_of(number)
        items = [{"id": f"c{i}", "title": chr(ord("A") + i), "body": text} for i, text in enumerate(texts)]
        rows.append({"data": {"prompt": prompt, "items": items}})
    for begin in range(0, tasks, 500):
        manager.post(f"/api/projects/{project}/import", rows[begin : begin + 500])
    return int(project)


def made_up(tasks: int) -> Iterable[Any]:
    """Groups of four completions of about the length of real ones."""
    from labeler.records import Completion, Group, Message  # noqa: PLC0415

    for number in range(tasks):
        prompt, *texts = texts_of(number)
        completions = tuple(Completion(f"c{i}", text, f"model-{i}") for i, text in enumerate(texts))
        yield Group(f"g{number}", (Message("user", prompt),), completions, source="made up")


def texts_of(number: int) -> list[str]:
    """A prompt and four completions."""
    random = Random(number)
    words = [f"word{random.randrange(2000)}" for _ in range(200)]
    return [" ".join(random.choices(words, k=length)) for length in (40, *random.choices(range(30, 120), k=4))]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=["prepare", "labeler", "label-studio"])
    parser.add_argument("url", help="of the server; prepare: of our database or of a Label Studio")
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--project", type=int, default=1)
    parser.add_argument("--think", type=float, default=10.0, help="mean seconds between answers of one labeler")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pid", type=int, action="append", default=[], help="count this process's processor time")
    given = parser.parse_args(arguments)
    if given.tool == "prepare":
        there = given.url.startswith("http")
        project = (
            prepare_label_studio(given.url, given.tasks) if there else prepare(given.url, given.tasks, given.people)
        )
        sys.stdout.write(f"project {project}\n")
        return 0
    tools: dict[str, Callable[[str, int, int], Player]] = {"labeler": Labeler, "label-studio": LabelStudioLabeler}
    players = [tools[given.tool](given.url, given.project, number) for number in range(given.people)]
    outcome = play(players, seconds=given.seconds, think=given.think, processes=given.pid)
    sys.stdout.write(f"{given.tool}: {outcome}\n")
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
