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
        private_webhooks: let webhooks be delivered to private addresses too, such as 127.0.0.1 and 10.0.0.1.
        webhook_timeout: seconds that a webhook's receiver has to answer.
        runs: folder of trainings, the same for all server processes of a database (by default next to a SQLite file, or
            labeler-runs in the working folder).
        oidc: a settings file (.toml) of the OpenID provider that people may sign in with beside passwords.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    private_webhooks: bool = False
    webhook_timeout: float = 10.0
    runs: Path | None = None
    oidc: Path | None = None

    def __post_init__(self) -> None:
        check_port(self.port)
        if not 0 < self.webhook_timeout <= 300:
            raise UsageError("--webhook-timeout must be more than 0 and at most 300 seconds")

    def run(self) -> None:
        """Open the database and serve it."""
        from labeler import server
        from labeler.delivery import Rules
        from labeler.sign_on_settings import read_sign_on

        sign_on = read_sign_on(self.oidc) if self.oidc else None
        rules = Rules(self.private_webhooks, self.webhook_timeout)
        runs = self.runs.absolute() if self.runs else None
        options = server.Options(rules=rules, sign_on=sign_on, runs=runs)
        with self.store() as store:
            store.sweep()
            for name in sign_on.projects if sign_on else ():
                store.project(name)  # or say now that there is none of this name
            socket = server.listen(self.host, self.port)
            print(f"serving on {server.address(socket)} (stop with Ctrl-C)", flush=True)
            with stopping():
                server.serve(store, socket, options)


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
                server.serve(prepared.store, socket, server.Options(one_click=True))


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
