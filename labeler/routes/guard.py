"""What every request passes: who it comes from, whether another site sent it, and the headers of the answer."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import streamlit
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labeler import languages
from labeler.entities import User
from labeler.errors import ProductError
from labeler.routes.rest.problems import problem_for, unauthorized
from labeler.routes.services import COOKIE, Services, answer_for, refusal

PUBLIC = (
    "/login",
    "/invite/",
    "/signin/",
    "/oidc/",
    "/healthz",
    "/assets/",
    "/static/",
    "/favicon.png",
    "/api/docs",
    "/api/openapi.json",
)
"""Open without a session; the assets are this program's and Streamlit's own published files."""
TOKENS_ONLY = "/api/v1/"
"""Open to programs with a token; cookies are not looked at, so that no other site can use a browser's."""
MANAGERS = ("manager", "admin")
MANAGER_PAGES = (
    "/overview",
    "/agreement",
    "/labelers",
    "/models",
    "/throughput",
    "/import",
    "/export",
    "/gold",
    "/screening",
    "/settings",
    "/people",
    "/prompts",
    "/webhooks",
    "/train",
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def session_token(cookie_header: str) -> str | None:
    """The session token in a Cookie header."""
    try:
        morsel = SimpleCookie(cookie_header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def content_security_policy() -> str:
    """Nothing from anywhere but this server.

    Streamlit needs inline styles, its one inline script (by hash), fonts and pictures as ``data:``, and ``blob:`` for
    the module of a component; no ``eval``.
    """
    index = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", index, re.DOTALL)
    hashes = [base64.b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(["script-src 'self' blob:", *(f"'sha256-{value}'" for value in hashes)]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


def from_elsewhere(headers: Headers) -> bool:
    """Whether a browser sent this request on behalf of another site."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def language_of(scope: Scope) -> str:
    """The language of the answer: programs read English, people what they chose or what their browser asks for."""
    if scope["path"].startswith(TOKENS_ONLY):
        return languages.SOURCE
    user: User | None = scope.get("state", {}).get("user")
    return languages.choose(user.language if user else None, Headers(scope=scope).get("accept-language", ""))


def cache_control(path: str) -> str | None:
    """How long the answer to this path may be kept; None leaves it to the route."""
    if path.startswith("/assets/"):
        return "public, max-age=31536000, immutable"
    if path.startswith("/static/"):
        return None
    return "no-store"


class Guard:
    """ASGI middleware: lets a request through to the routes only with a session, and never from another site."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services
        self.headers = {
            "content-security-policy": content_security_policy(),
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check and pass on."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        refused = await self._refusal(scope)
        languages.use(language_of(scope))
        if refused is None:
            return await self.app(scope, receive, self._sender(scope, send))
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        return await refused(scope, receive, self._sender(scope, send))

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if (scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS) and from_elsewhere(headers):
            return refusal(403, "This request came from another site and was refused.")
        if scope["path"].startswith(TOKENS_ONLY):
            return await self._token_refusal(scope, headers)
        return None if scope["path"].startswith(PUBLIC) else await self._session_refusal(scope, headers)

    async def _session_refusal(self, scope: Scope, headers: Headers) -> Response | None:
        try:
            user = await self._user(headers)
        except ProductError as error:
            return answer_for(error)
        if user is None:
            return _signed_out(scope, headers)
        if scope["path"].startswith(MANAGER_PAGES) and user.role not in MANAGERS:
            return RedirectResponse("/", status_code=303)
        scope.setdefault("state", {})["user"] = user
        return None

    async def _token_refusal(self, scope: Scope, headers: Headers) -> Response | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return unauthorized("Send a token: Authorization: Bearer TOKEN.")
        try:
            user = await run_in_threadpool(self.services.tokens.user_for, token.strip())
        except ProductError as error:
            return problem_for(error)
        if user is None:
            return unauthorized("This token is unknown, revoked or over.")
        scope.setdefault("state", {})["user"] = user
        return None

    async def _user(self, headers: Headers) -> User | None:
        token = session_token(headers.get("cookie", ""))
        return await run_in_threadpool(self.services.accounts.user_for, token) if token else None

    def _sender(self, scope: Scope, send: Send) -> Send:
        cache = cache_control(scope["path"])

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self.headers)
                del headers["access-control-allow-origin"]
                if cache:
                    headers["cache-control"] = cache
            await send(message)

        return sender


def _signed_out(scope: Scope, headers: Headers) -> Response:
    wants_page = scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    if wants_page or scope["path"] == "/":
        return RedirectResponse("/login", status_code=303)
    return JSONResponse({"error": "You are signed out."}, status_code=401)
