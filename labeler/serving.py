"""The commands that serve: ``labeler serve`` and ``labeler demo``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from labeler.commands import Command
from labeler.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Serve(Command):
    """Serve the labeling app until Ctrl-C.

    Attributes:
        host: address to listen on; 0.0.0.0 for every network that this machine is in.
        port: port to listen on; 0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: int = 8501

    def __post_init__(self) -> None:
        check_port(self.port)

    def run(self) -> None:
        """Open the database and serve it."""
        from labeler import server

        with self.store() as store:
            store.sweep()
            socket = server.listen(self.host, self.port)
            print(f"serving on {server.address(socket)} (stop with Ctrl-C)", flush=True)
            with stopping():
                server.serve(store, socket)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Try everything: a sample project in a database of its own, with links that sign in.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        dir: keep the demo in this folder and go on with it next time, instead of in a temporary one.
        browser: open the first link on this desktop, if there is one; --no-browser leaves it to you.
        debug: show the traceback of an error.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    dir: Path | None = None
    browser: bool = True
    debug: bool = False

    def __post_init__(self) -> None:
        check_port(self.port)

    def run(self) -> None:
        """Prepare the sample project and serve it."""
        from labeler import demo, server

        with ExitStack() as stack:
            socket = stack.enter_context(server.listen(self.host, self.port))
            if self.dir is None:
                folder = Path(stack.enter_context(TemporaryDirectory(prefix="labeler-demo-")))
            else:
                folder = self.dir
                folder.mkdir(parents=True, exist_ok=True)
            prepared = demo.prepare(folder)
            if self.dir is None:
                stack.callback(demo.stop_jobs, server.runs_folder(prepared.store))
            stack.callback(prepared.store.close)
            url = server.address(socket)
            print(demo.welcome(prepared, url), flush=True)
            if self.browser:
                demo.open_browser(url + next(iter(prepared.links.values())))
            with stopping():
                server.serve(prepared.store, socket, one_click=True)


@contextmanager
def stopping() -> Iterator[None]:
    """Ctrl-C and a polite kill are the ordinary end of a server."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield


def check_port(port: int) -> None:
    """Raise `UsageError` for a number that is no port."""
    if not 0 <= port <= 65535:
        raise UsageError(f"--port must be 0 to 65535, not {port}")
