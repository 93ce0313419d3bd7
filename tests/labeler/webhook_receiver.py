"""A receiver of webhooks, as a process of its own: writes down what it gets, and behaves as the path says.

``python webhook_receiver.py FILE`` prints its port. Each request becomes a line of FILE before it is answered.

/ok  /status/CODE  /failing/N (503 to the first N requests)  /slow/SECONDS  /hanging/N (the first N are never answered)
/drip (never ends its headers)  /redirect (to /ok)  /long (an answer of many megabytes)
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

seen: Counter[str] = Counter()
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        with lock:
            seen[self.path] += 1
            number = seen[self.path]
            row = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
            with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        _, what, *rest = self.path.split("/")
        if what == "slow" or (what == "hanging" and number <= int(rest[0])):
            time.sleep(float(rest[0]) if what == "slow" else 3600)
        if what == "drip":
            return self.drip()
        if what == "redirect":
            return self.answer(302, {"location": "/ok"})
        if what == "failing" and number <= int(rest[0]):
            return self.answer(503)
        body = b"x" * 50_000_000 if what == "long" else b"fine"
        return self.answer(int(rest[0]) if what == "status" else 200, body=body)

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"fine") -> None:
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass

    def drip(self) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                self.wfile.write(b"x-more: x\r\n")
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)  # noqa: T201
    server.serve_forever()
