"""A server with OpenAI's chat completions that misbehaves on request, as a thread of the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelServer(ThreadingHTTPServer):
    """Answers "reply I to N turns: LAST" unless its mood is another.

    Moods: ``one`` ignores n; ``no-n`` refuses it; ``new`` wants max_completion_tokens; ``slow`` waits for `release`;
    ``fail`` is out of order; ``redirect`` leads to another path; ``huge``, ``garbage`` and ``empty`` speak for
    themselves.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mood = ""
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self._send(200, b"{}")

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.paths.append(self.path)
        server.bodies.append(body)
        server.keys.append(self.headers.get("Authorization"))
        mood = server.mood
        if mood == "slow":
            server.release.wait(30)
        count = 1 if mood == "one" else body.get("n", 1)
        if mood == "redirect":
            self._send(307, b"", location=f"{server.url}/elsewhere")
        elif mood == "fail":
            self._send(500, b'{"error": {"message": "secret-model exploded"}}')
        elif mood == "no-n" and "n" in body:
            self._send(400, b'{"error": {"message": "n must be 1"}}')
        elif mood == "new" and "max_tokens" in body:
            self._send(400, b'{"error": {"message": "use max_completion_tokens instead"}}')
        elif mood == "huge":
            self._send(200, b"[" + b" " * (5 * 1024 * 1024) + b"]")
        elif mood == "garbage":
            self._send(200, b"<html>")
        elif mood == "empty":
            self._send(200, b'{"choices": []}')
        else:
            self._send(200, json.dumps(_completions(body, count)).encode())

    def _send(self, status: int, content: bytes, location: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        with suppress(OSError):  # whoever asked may have heard enough
            self.wfile.write(content)


def _completions(body: dict[str, Any], count: int) -> dict[str, Any]:
    said = body["messages"]
    texts = [f"reply {index} to {len(said)} turns: {said[-1]['content']}" for index in range(count)]
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for i, text in enumerate(texts)
    ]
    return {"model": "secret-model-2026", "choices": choices, "usage": {}}


@contextmanager
def model_server() -> Iterator[ModelServer]:
    server = ModelServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
