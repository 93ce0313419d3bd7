"""One ASGI app: Streamlit for the pages, routes for sign-in, labeling and health, a guard before all of it."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from streamlit import config

from labeler.accounts import Accounts
from labeler.app import session
from labeler.delivery import Deliverer, Rules
from labeler.errors import UsageError
from labeler.provider import Provider
from labeler.routes import (
    Guard,
    Services,
    asset_routes,
    board_routes,
    chat_routes,
    door_routes,
    rest_routes,
    review_routes,
    sign_on_routes,
)
from labeler.sign_on_settings import SignOnSettings
from labeler.store import Store
from labeler.trainings import tell_ended

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
"""An idle connection is kept longer than people read and than proxies keep theirs, which would answer 502 else."""
LARGE = 20_000
"""A project of so many tasks is large."""
SCRIPT = Path(__file__).parent / "app" / "main.py"

STREAMLIT_OPTIONS = {
    "browser.gatherUsageStats": False,  # no telemetry
    "client.showErrorDetails": "none",  # a traceback is for the log
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "runner.magicEnabled": False,
    "theme.font": "system-ui, sans-serif",
    "theme.light.primaryColor": "#1f4fa8",
    "theme.dark.primaryColor": "#3b6fd6",
    "server.enableCORS": False,  # Streamlit would look its own address up on the internet; the guard compares origins
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 100,  # MB; a file is held in memory until it is on disk
}


def runs_folder(store: Store) -> Path:
    """Where training keeps its folders: next to a SQLite database, else in the working folder."""
    database = store.database
    if not database.sqlite:
        return Path("labeler-runs").absolute()
    file = Path(str(database.url.database)).absolute()
    return file.with_name(f"{file.stem}-runs")


@dataclass(frozen=True, slots=True)
class Options:
    """What a server may do beyond the usual.

    Attributes:
        one_click: whether one-time links may sign in without a password, see `Services`.
        rules: how webhooks are delivered.
        sign_on: the OpenID provider that people may sign in with.
        runs: where training keeps its folders; by default `runs_folder`.
    """

    one_click: bool = False
    rules: Rules = field(default_factory=Rules)
    sign_on: SignOnSettings | None = None
    runs: Path | None = None


def build_app(store: Store, options: Options) -> st.App:
    """The whole application on one database.

    Args:
        store: where everything is kept.
        options: what it may do beyond the usual.
    """
    for option, value in STREAMLIT_OPTIONS.items():
        config.set_option(option, value)
    provider = Provider(options.sign_on) if options.sign_on else None
    runs = options.runs or runs_folder(store)
    services = Services(store, Accounts(store), runs, options.one_click, provider)
    session.use(services)
    labeling = [*board_routes(services), *chat_routes(services), *review_routes(services)]
    doors = [*door_routes(services), *sign_on_routes(services)]
    routes = [*asset_routes(), *doors, *labeling, *rest_routes(services)]
    return st.App(SCRIPT, routes=routes, middleware=[Middleware(Guard, services=services)])


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on; port 0 takes a free one. `UsageError` if the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, port))
        server.listen(BACKLOG)  # who comes before the server is up waits instead of being refused
    except OSError as error:
        server.close()
        raise UsageError(f"cannot serve on {host}:{port} ({error.strerror}); choose another --host or --port") from None
    return server


def address(server: socket.socket) -> str:
    """The URL of a socket."""
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(store: Store, server: socket.socket, options: Options | None = None) -> None:
    """Serve until interrupted."""
    options = options or Options()
    app = build_app(store, options)
    settings = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    Thread(target=_warm_up, args=(store,), daemon=True).start()
    ended = partial(tell_ended, store, options.runs or runs_folder(store))
    with Deliverer(store, options.rules, (ended,)).running():
        uvicorn.Server(settings).run(sockets=[server])


def _warm_up(store: Store) -> None:
    """Beside the first requests, let pages of large projects read what they keep in memory, so that nobody waits.

    Whatever goes wrong, such as a database that is closed again meanwhile, the page itself says later.
    """
    with suppress(Exception):
        large = [project for project in store.projects() if store.counts(project.id).tasks >= LARGE]
        if large:  # the pages take long to import
            from labeler.app.warm import warm_up  # noqa: PLC0415

            warm_up(large)
