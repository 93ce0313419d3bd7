"""Many labelers at once against a real server, on both databases."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from driver import Browser, Failed, Labeler, Outcome, play, prepare

from labeler.store import Store

PEOPLE, TASKS = 20, 400


@dataclass(frozen=True)
class Server:
    database: str
    url: str
    project: int
    pid: int


@pytest.fixture
def server(database_url: str) -> Iterator[Server]:
    project = prepare(database_url, TASKS, PEOPLE)
    command = [sys.executable, "-m", "labeler.cli", "serve", "--db", database_url, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found, "the server did not say where it is"
    yield Server(database_url, found[0], project, process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process.stdout.close()


def test_twenty_without_a_pause(server: Server, record_property):
    players = [Labeler(server.url, server.project, number) for number in range(PEOPLE)]
    outcome = play(players, seconds=4.0, think=0.0, processes=[server.pid])
    record_property("twenty_without_a_pause", str(outcome))
    sys.stdout.write(f"{outcome}\n")
    assert outcome.failures == ()
    assert len(outcome.turns) >= PEOPLE
    store = Store.open(server.database)
    judged = Counter((judgment.task_id, judgment.annotator) for judgment in store.judgments(server.project))
    assert set(judged.values()) == {1}
    assert sum(judged.values()) == len(outcome.turns) == store.counts(server.project).judgments
    assert max(Counter(task for task, _ in judged).values()) <= 2
    store.close()


class Stubborn:
    """Answers, fails, answers, and is done."""

    def __init__(self) -> None:
        self.browser = Browser("http://127.0.0.1:1")
        self.turns = 0

    def begin(self) -> None:
        self.turns = 0

    def turn(self) -> bool:
        self.turns += 1
        if self.turns == 2:
            raise Failed("GET /: 500")
        return self.turns < 3


def test_the_driver_tells_failures_from_turns():
    outcome = play([Stubborn(), Stubborn()], seconds=5.0, think=0.001)
    assert (len(outcome.turns), outcome.failures) == (4, ("GET /: 500",) * 2)
    assert outcome.processor is None


def test_quantiles():
    outcome = Outcome(tuple(float(n) for n in range(100, 0, -1)), (), 1.0, None)
    assert [outcome.at(share) for share in (0.5, 0.95, 0.99, 1.0)] == [50.0, 95.0, 99.0, 100.0]
