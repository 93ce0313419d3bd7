"""A reverse proxy without sticky sessions: each request goes to the next server that is up, WebSockets too."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

HEAD_BYTES = 64 * 1024


class Proxy:
    def __init__(self, ports: Sequence[int]) -> None:
        self.turns = itertools.cycle(ports)
        self.count = len(ports)
        self.served: list[tuple[int, str]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head[:-4].split(b"\r\n")
            if not any(line.lower().startswith(b"upgrade:") for line in lines):
                kept = [line for line in lines if not line.lower().startswith(b"connection:")]
                head = b"\r\n".join([*kept, b"Connection: close", b"", b""])  # the next request chooses anew
            port, back_reader, back_writer = await self.connect()
            self.served.append((port, lines[0].decode()))
            back_writer.write(head)
            await asyncio.gather(pipe(reader, back_writer), pipe(back_reader, writer), return_exceptions=True)
        writer.close()

    async def connect(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in range(self.count):
            port = next(self.turns)
            with suppress(OSError):
                return port, *(await asyncio.open_connection("127.0.0.1", port))
        raise OSError("no server is up")


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(HEAD_BYTES):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextmanager
def proxied(ports: Sequence[int]) -> Iterator[tuple[str, Proxy]]:
    """A proxy before servers on these ports: its address, and what it did."""
    proxy, listening = Proxy(ports), socket.create_server(("127.0.0.1", 0))
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with await asyncio.start_server(proxy.handle, sock=listening, limit=HEAD_BYTES) as server:
            await stop.wait()
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    def run() -> None:  # in a thread, since playwright has a loop in this one
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
