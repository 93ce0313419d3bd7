"""``reward serve``: a policy with OpenAI's chat completions, or a reward model that scores, over HTTP.

One model is loaded; requests are worked on one after another. The address is listened on before the model is loaded, so
that a port that is in use is told at once.
"""

from __future__ import annotations

import signal
import socket
from contextlib import closing, suppress

import uvicorn
from starlette.applications import Starlette

from labeler.errors import UsageError
from reward.artifact import Scorer
from reward.config.common import Sampling
from reward.config.serve import ServeConfig
from reward.policy import Policy
from reward.progress import tell
from reward.serving.completions import chat_application
from reward.serving.scores import score_application

BACKLOG = 128
GRACE_SECONDS = 10
"""Requests under way have so long to end when the server is stopped."""


def run(config: ServeConfig) -> None:
    """Serve until Ctrl-C or a polite kill."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with closing(listen(config.host, config.port)) as server, suppress(KeyboardInterrupt):
        app, what = load(config)
        tell(f"serving {what} on {address(server)} (stop with Ctrl-C)")
        settings = uvicorn.Config(
            app, log_level="warning", server_header=False, timeout_graceful_shutdown=GRACE_SECONDS
        )
        uvicorn.Server(settings).run(sockets=[server])


def load(config: ServeConfig) -> tuple[Starlette, str]:
    """The application, and in a few words what it serves and under which path."""
    if config.model is not None:
        scorer = Scorer.from_pretrained(config.model, device=None if config.device == "auto" else config.device)
        name = config.name or config.model.resolve().name
        app = score_application(scorer, name, raw=config.raw, waiting=config.waiting)
        return app, f"reward model {name} (/score)"
    sampling = Sampling(precision=config.precision, device=config.device)
    policy = Policy.load(str(config.policy), sampling, name=config.name)
    app = chat_application(policy, longest=config.max_new_tokens, waiting=config.waiting)
    return app, f"policy {policy.name} (/v1/chat/completions)"


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on; port 0 takes a free one. `UsageError` if the address cannot be had."""
    server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, port))
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        raise UsageError(f"cannot serve on {host}:{port} ({error.strerror}); choose another --host or --port") from None
    return server


def address(server: socket.socket) -> str:
    """The URL of a socket."""
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
