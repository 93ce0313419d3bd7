"""What the tests of the client share: a server process, and a witness that holds every answer against the document."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from labeler.client import Client
from labeler.entities import UserRole
from labeler.store import Store
from labeler.tokens import Tokens

ROOT = Path(__file__).parents[2]
FAKE_REWARD = ROOT / "tests" / "e2e" / "fake_reward"
ROWS = [
    {
        "id": f"g{number}",
        "prompt": f"Question {number}?",
        "completions": [{"id": "a", "text": "Yes.", "model": "m1"}, {"id": "b", "text": "No.", "model": "m2"}],
    }
    for number in range(6)
]


@contextmanager
def serving(database_url: str, folder: Path, **extra: str) -> Iterator[str]:
    """A server process, with extra variables in its environment; its address."""
    command = [sys.executable, "-m", "labeler.cli", "serve", "--db", database_url, "--port", "0"]
    command += ["--runs", str(folder / "runs")]
    path = os.pathsep.join((str(FAKE_REWARD), str(ROOT)))
    environment = {**os.environ, "HF_TOKEN": "", "PYTHONPATH": path, **extra}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=folder)
    try:
        assert process.stdout
        found = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert found, "the server did not say where it is"
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        if process.stdout:
            process.stdout.close()


@dataclass
class Witness:
    """Remembers every answer of the server."""

    answers: list[tuple[str, str, int, str, Any]] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)

    def __call__(self, answer: httpx.Response) -> None:
        answer.read()
        kind = answer.headers.get("content-type", "")
        body = answer.json() if "json" in kind else None
        self.answers.append((answer.request.method.lower(), answer.url.path, answer.status_code, kind, body))

    def succeeded(self) -> set[str]:
        """Hold each answer against the document; the operations that succeeded once at least."""
        document, succeeded = self.document, set()
        for method, path, status, kind, body in self.answers:
            operation = described(document, method, path)
            expected = operation["responses"].get(str(status)) or operation["responses"][f"{status // 100}XX"]
            if "$ref" in expected:
                expected = document["components"]["responses"][expected["$ref"].rpartition("/")[2]]
            if "content" in expected:
                schema = expected["content"][kind].get("schema", {})
                Draft202012Validator({**schema, "components": document["components"]}).validate(body)
            else:
                assert body is None
            if status < 400:
                succeeded.add(operation["operationId"])
        return succeeded


def described(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    for template, methods in document["paths"].items():
        if method in methods and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return methods[method]
    raise AssertionError(f"{method} {path} is not in the document")


def waited(look: Callable[[], Any]) -> Any:
    """An export or import when its job is done."""
    end = time.monotonic() + 60
    while (found := look()).job.state == "running":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert found.job.state == "done", found.job.message
    return found


def of_desks(document: dict[str, Any]) -> set[str]:
    """The operations that test_client_desks.py goes through; test_client.py goes through the others."""
    return {
        item["operationId"]
        for path, methods in document["paths"].items()
        for item in methods.values()
        if "Screening" in item["tags"] or re.search(r"/(imports|prompts)(/|$)", path)
    }


def everything(document: dict[str, Any]) -> set[str]:
    """All operations."""
    return {item["operationId"] for methods in document["paths"].values() for item in methods.values()}


@contextmanager
def connected(
    database_url: str, folder: Path, roles: dict[str, UserRole], witness: Witness
) -> Iterator[dict[str, Client]]:
    """A client for each person of a new server, every answer seen by a witness, who gets the document at the end."""
    store = Store.open(database_url)
    for name, role in roles.items():
        store.add_user(name, role)
    tokens = {name: Tokens(store).add(name, "test") for name in roles}
    store.close()
    with serving(database_url, folder) as url, ExitStack() as stack:
        hooks = {"response": [witness]}
        yield {name: stack.enter_context(Client(url, token, hooks=hooks)) for name, token in tokens.items()}
        witness.document = httpx.get(f"{url}/api/openapi.json").json()
