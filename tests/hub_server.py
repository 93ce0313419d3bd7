"""The part of the Hugging Face Hub's HTTP API that pushing and loading a data set need, as a thread of the test.

What it is asked is what `huggingface_hub` and `datasets` ask of the Hub itself when ``HF_ENDPOINT`` names this server.
Parquet files come through Git LFS, as the Hub wants it, all others in the commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_made_up"
LOAD = """import datasets, json, sys
print(json.dumps({split: list(rows) for split, rows in datasets.load_dataset(sys.argv[1]).items()}))"""


@dataclass
class DataSet:
    """A repository: whether it is private, its files, and what its commits say."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)

    @property
    def sha(self) -> str:
        """Of the last commit."""
        return hashlib.sha1(f"{len(self.commits)}".encode(), usedforsecurity=False).hexdigest()


class HubServer(ThreadingHTTPServer):
    """Keeps data sets in memory, and answers whoever has the token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sets: dict[str, DataSet] = {}
        self.large: dict[str, bytes] = {}
        self.refuse = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self, home: Path) -> dict[str, str]:
        """What makes programs use this one instead of the Hub, with a cache of their own."""
        said = {"HF_ENDPOINT": self.url, "HF_TOKEN": TOKEN, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        return said | {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0"}

    def load(self, name: str, home: Path) -> dict[str, list[dict[str, Any]]]:
        """The rows of a data set by split, as `datasets.load_dataset` gives them in a process of its own."""
        environment = {**os.environ, **self.environment(home)}
        command = [sys.executable, "-c", LOAD, name]
        found: dict[str, list[dict[str, Any]]] = json.loads(subprocess.check_output(command, env=environment))
        return found


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_PUT(self) -> None:
        self._route()

    def _route(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/lfs/(\w+)", path):  # signed by its address
            assert hashlib.sha256(body).hexdigest() == found[1]
            self.server.large[found[1]] = body
            return self._send(b"")
        if self.server.refuse or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(401, "Invalid username or password.")
        for pattern, answer in _ROUTES.items():
            if found := re.fullmatch(pattern, path):
                return answer(self, body, *found.groups())
        return self._refuse(404, f"{self.command} {path} is not played here")

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        assert asked["type"] == "dataset"
        there = name in self.server.sets
        if not there:
            self.server.sets[name] = DataSet(asked["visibility"] == "private")
        self._send({"url": f"{self.server.url}/datasets/{name}"}, 409 if there else 200)

    def valid_yaml(self, body: bytes) -> None:
        self._send({"errors": [], "warnings": []})

    def preupload(self, body: bytes, name: str) -> None:
        modes = [
            {"path": path, "uploadMode": "lfs" if path.endswith(".parquet") else "regular", "shouldIgnore": False}
            for path in (each["path"] for each in json.loads(body)["files"])
        ]
        self._send({"files": modes})

    def batch(self, body: bytes, name: str) -> None:
        wanted = json.loads(body)["objects"]
        actions = [{**each, "actions": {"upload": {"href": f"{self.server.url}/lfs/{each['oid']}"}}} for each in wanted]
        self._send({"transfer": "basic", "objects": actions})

    def commit(self, body: bytes, name: str) -> None:
        kept = self.server.sets[name]
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                kept.commits.append(value["summary"])
            elif line["key"] == "lfsFile":
                kept.files[value["path"]] = self.server.large[value["oid"]]
            else:
                kept.files[value["path"]] = base64.b64decode(value["content"])
        self._send({"commitUrl": f"{self.server.url}/datasets/{name}/commit/{kept.sha}", "commitOid": kept.sha})

    def info(self, body: bytes, name: str) -> None:
        if (kept := self.server.sets.get(name)) is None:
            return self._refuse(404, "Repository not found", "RepoNotFound")
        files = [{"rfilename": path} for path in kept.files]
        return self._send({"id": name, "sha": kept.sha, "private": kept.private, "siblings": files, "tags": []})

    def tree(self, body: bytes, name: str, folder: str | None) -> None:
        files = self.server.sets[name].files
        inside = [path for path in files if path.startswith(f"{folder}/")] if folder else list(files)
        self._send([self._entry(name, path) for path in inside])

    def paths(self, body: bytes, name: str) -> None:
        wanted = json.loads(body)["paths"]
        self._send([self._entry(name, path) for path in wanted if path in self.server.sets[name].files])

    def _entry(self, name: str, path: str) -> dict[str, Any]:
        content = self.server.sets[name].files[path]
        return {"type": "file", "path": path, "size": len(content), "oid": _hash(content)}

    def resolve(self, body: bytes, name: str, path: str) -> None:
        kept = self.server.sets.get(name)
        if kept is None:
            return self._refuse(404, "Repository not found", "RepoNotFound")
        if path not in kept.files:
            return self._refuse(404, "Entry not found", "EntryNotFound")
        content = kept.files[path]
        return self._send(content, **{"ETag": f'"{_hash(content)}"', "X-Repo-Commit": kept.sha})

    def _refuse(self, status: int, why: str, code: str = "") -> None:
        self._send({"error": why}, status, **{"X-Error-Message": why, "X-Error-Code": code})

    def _send(self, answer: object, status: int = 200, **headers: str) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):
                self.wfile.write(content)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_SET = r"/api/datasets/([^/]+/[^/]+)"
_ROUTES: dict[str, Any] = {
    r"/api/repos/create": _Handler.create,
    r"/api/validate-yaml": _Handler.valid_yaml,
    rf"{_SET}/preupload/main": _Handler.preupload,
    r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch": _Handler.batch,
    rf"{_SET}/commit/main": _Handler.commit,
    rf"{_SET}(?:/revision/\w+)?": _Handler.info,
    rf"{_SET}/tree/\w+(?:/(.+))?": _Handler.tree,
    rf"{_SET}/paths-info/\w+": _Handler.paths,
    r"/datasets/([^/]+/[^/]+)/resolve/\w+/(.+)": _Handler.resolve,
}


@contextmanager
def hub_server() -> Iterator[HubServer]:
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
