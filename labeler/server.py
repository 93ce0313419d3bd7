"""One ASGI app: Streamlit for the pages, routes for sign-in, labeling and health, a guard before all of it."""

from __future__ import annotations

import socket
from pathlib import Path

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from streamlit import config

from labeler.accounts import Accounts
from labeler.app import session
from labeler.errors import UsageError
from labeler.routes import (
    Guard,
    Services,
    asset_routes,
    board_routes,
    chat_routes,
    door_routes,
    rest_routes,
    review_routes,
)
from labeler.store import Store

BACKLOG = 2048
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


def build_app(store: Store, *, one_click: bool = False) -> st.App:
    """The whole application on one database.

    Args:
        store: where everything is kept.
        one_click: whether one-time links may sign in without a password, see `Services`.
    """
    for option, value in STREAMLIT_OPTIONS.items():
        config.set_option(option, value)
    services = Services(store, Accounts(store), runs_folder(store), one_click)
    session.use(services)
    labeling = [*board_routes(services), *chat_routes(services), *review_routes(services)]
    routes = [*asset_routes(), *door_routes(services), *labeling, *rest_routes(services)]
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


def serve(store: Store, server: socket.socket, *, one_click: bool = False) -> None:
    """Serve until interrupted."""
    app = build_app(store, one_click=one_click)
    settings = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=3)
    uvicorn.Server(settings).run(sockets=[server])
