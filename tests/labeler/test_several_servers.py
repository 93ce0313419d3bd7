"""Two server processes on one database, asked in turn by many people at once through HTTP."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from store_helpers import group

from labeler.accounts import Accounts
from labeler.api.projects import Rules
from labeler.api.training import NewTraining
from labeler.client import Client
from labeler.errors import ConflictError
from labeler.records import Ranking
from labeler.routes.services import COOKIE
from labeler.store import Store
from labeler.tokens import Tokens
from labeler.webhooks import Webhooks

ROOT = Path(__file__).parents[2]
FAKE_REWARD = ROOT / "tests" / "e2e" / "fake_reward"
PEOPLE, TASKS, OVERLAP = 12, 40, 2


@dataclass
class Servers:
    store: Store
    urls: list[str]
    runs: Path

    def session(self, name: str) -> dict[str, str]:
        accounts = Accounts(self.store)
        return {COOKIE: accounts.enter(accounts.invite(name))}

    def wait(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it never became true"
            time.sleep(0.05)


pytestmark = pytest.mark.parametrize("shared_database_url", ["postgresql"], indirect=True)


@pytest.fixture(scope="module")
def servers(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """They serve all tests, each with projects and people of its own."""
    store, folder = Store.open(shared_database_url), tmp_path_factory.mktemp("servers")
    runs = folder / "runs"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(FAKE_REWARD), str(ROOT)))}
    running = []
    for number in range(2):
        home = folder / f"home-{number}"  # started elsewhere, with one folder of trainings
        home.mkdir()
        command = [sys.executable, "-m", "labeler.cli", "serve", "--db", shared_database_url, "--port", "0"]
        command += ["--runs", str(runs), "--private-webhooks"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=home)
        running.append(process)
    urls = []
    for process in running:
        assert process.stdout
        found = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert found
        urls.append(found[0])
    yield Servers(store, urls, runs)
    for process in running:
        process.send_signal(signal.SIGINT)
    for process in running:
        assert process.wait(20) == 0
        if process.stdout:
            process.stdout.close()
    store.close()


def test_many_label_through_both_and_nothing_is_lost_or_double(servers: Servers):
    store = servers.store
    essays = store.add_project("essays", overlap=OVERLAP, dwell_seconds=0)
    store.import_groups(essays.id, [group(number) for number in range(TASKS)])
    names = [f"labeler-{number}" for number in range(PEOPLE)]
    for name in names:
        store.add_user(name, "labeler")
    acknowledged: list[str] = []

    def work(name: str) -> int:
        """Label until nothing is left, each request to either server; every answer is sent to both."""
        rng, done = random.Random(name), 0
        with httpx.Client(cookies=servers.session(name), timeout=60) as http:
            pick = lambda: rng.choice(servers.urls)  # noqa: E731
            query = {"project": essays.id}
            while task := http.get(f"{pick()}/api/task", params=query).raise_for_status().json()["task"]:
                kept = {"ranks": {"A": 1}, "trail": ["A"], "tie": False, "all_bad": False}
                draft = {"task": task["id"], "version": 1, "draft": kept, "correction": None}
                assert http.put(f"{pick()}/api/draft", json=draft).json() == {"version": 1}
                again = http.get(f"{pick()}/api/task", params=query).json()["task"]
                assert (again["id"], again["draft"]["ranks"]["A"]) == (task["id"], 1)  # its own, on either server
                answer = {
                    "submission_id": uuid4().hex,
                    "project": essays.id,
                    "task": task["id"],
                    "kind": "rank",
                    "ranks": {"A": 1, "B": 2, "C": 3},
                    "all_bad": False,
                    "note": None,
                    "seconds": 1.0,
                }
                for url in rng.sample(servers.urls, 2):
                    http.post(f"{url}/api/submit", json=answer).raise_for_status()
                acknowledged.append(answer["submission_id"])
                done += 1
        return done

    with ThreadPoolExecutor(PEOPLE) as pool:
        counts = list(pool.map(work, names))
    judgments = list(store.judgments(essays.id))
    assert len(judgments) == sum(counts) == TASKS * OVERLAP
    assert {judgment.submission_id for judgment in judgments} == set(acknowledged)
    assert set(Counter((judgment.task_id, judgment.annotator) for judgment in judgments).values()) == {1}
    assert set(Counter(judgment.task_id for judgment in judgments).values()) == {OVERLAP}
    assert (store.counts(essays.id).finished, store.counts(essays.id).live_leases) == (TASKS, 0)


def test_what_one_server_changes_the_other_knows_at_the_next_request(servers: Servers):
    store, (one, two) = servers.store, servers.urls
    essays = store.add_project("known at once", dwell_seconds=0)
    store.import_groups(essays.id, [group(number) for number in range(3)])
    for name, role in (("ann", "labeler"), ("root", "admin")):
        store.add_user(name, role)
    tokens = {name: Tokens(store).add(name, "test") for name in ("ann", "root")}
    with Client(one, tokens["root"]) as first, Client(two, tokens["root"]) as second:
        first.set_rules(essays.id, Rules(overlap=3))
        assert second.project(essays.id).overlap == 3
        first.set_guidelines(essays.id, "Be kind.")
        assert second.project(essays.id).guidelines_version == 2
        assert second.stats(essays.id).counts.judgments == 0
        with httpx.Client(cookies=servers.session("ann")) as ann:
            task = ann.get(f"{one}/api/task", params={"project": essays.id}).json()["task"]
            answer = {"submission_id": "s", "project": essays.id, "task": task["id"], "kind": "rank"}
            answer |= {"ranks": {"A": 1, "B": 2, "C": 3}, "all_bad": False, "note": None, "seconds": 1.0}
            assert ann.post(f"{one}/api/submit", json=answer).status_code == 200
            assert second.stats(essays.id).counts.judgments == 1
            assert ann.get(f"{two}/api/projects").status_code == 200
            first.disable_user(store.user("ann").id)
            assert ann.get(f"{two}/api/projects").status_code == 401
        with httpx.Client(cookies=servers.session("root")) as root:
            assert root.get(f"{two}/api/projects").status_code == 200
            session = dict(root.cookies)
            root.post(f"{one}/logout")
            assert httpx.get(f"{two}/api/projects", cookies=session).status_code == 401
        (token,) = first.tokens()
        first.revoke_token(token.id)
        assert httpx.get(f"{two}/api/v1/me", headers={"authorization": f"Bearer {tokens['root']}"}).status_code == 401


def test_guesses_are_slowed_whichever_server_they_go_to(servers: Servers):
    servers.store.add_user("guessed", "labeler")
    answers = [
        httpx.post(f"{servers.urls[number % 2]}/login", data={"name": "guessed", "password": "wrong"})
        for number in range(8)
    ]
    assert [answer.status_code for answer in answers] == [403] * 8
    assert any("too many failed" in answer.text.lower() for answer in answers[5:])


def test_a_training_is_seen_by_both_and_runs_and_is_told_once(servers: Servers):
    store = servers.store
    essays = store.add_project("trained", dwell_seconds=0)
    store.import_groups(essays.id, [group(number, rankings=(Ranking("x", (1, 2, 3)),)) for number in range(4)])
    store.add_user("trainer", "admin")
    token = Tokens(store).add("trainer", "test")
    webhooks = Webhooks(store)
    webhook, _ = webhooks.add(f"{servers.urls[0]}/nothing-here", events=("training.finished",))
    together = threading.Barrier(8)

    def start(number: int) -> str | None:
        together.wait()
        with Client(servers.urls[number % 2], token) as client, suppress(ConflictError):
            return client.start_training(essays.id, NewTraining("tiny")).id
        return None

    with ThreadPoolExecutor(8) as pool:
        started = [name for name in pool.map(start, range(8)) if name]
    assert len(started) == 1
    with Client(servers.urls[0], token) as one, Client(servers.urls[1], token) as two:
        assert [[job.id for job in client.trainings()] for client in (one, two)] == [started, started]
        servers.wait(lambda: two.training(started[0]).state == "done")
        assert one.training(started[0]).metrics == two.training(started[0]).metrics
    assert len(list(servers.runs.glob("train-*"))) == 1
    servers.wait(lambda: any(told.tries for told in webhooks.deliveries(webhook.id)))
    time.sleep(2.5)  # both look every second
    (told,) = webhooks.deliveries(webhook.id)
    assert told.status is not None
    assert json.loads(told.body)["data"]["training"] == started[0]
