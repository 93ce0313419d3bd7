"""Signing in with an OpenID provider: there, back, and out."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from labeler.errors import PermissionDeniedError, ProductError
from labeler.identities import MINUTES, STALE, Identities
from labeler.provider import Provider, ProviderError
from labeler.routes.doors import enter, page, sentence
from labeler.routes.guard import session_token
from labeler.routes.services import Services

BROWSER = "labeler_sign_on"
"""Cookie of the browser that began a sign-in."""
BACK = "/oidc/callback"
DENIED = "{name} did not let you in"


def sign_on_routes(services: Services) -> list[BaseRoute]:
    """``/oidc/start``, ``/oidc/link``, ``/oidc/callback`` and ``/oidc/end``; without a provider all lead to sign-in."""
    if services.provider is None:
        return [Route("/oidc/{rest:path}", _nobody)]
    provider, identities = services.provider, Identities(services.store)

    async def start(request: Request) -> Response:
        return await _leave(request, None)

    async def link(request: Request) -> Response:
        # Another site must not begin this: it would link an identity of its own to the account of this browser.
        user_id = await _signed_in(services, request)
        if user_id is None or request.headers.get("sec-fetch-site") != "same-origin":
            return RedirectResponse("/login", status_code=303)
        return await _leave(request, user_id)

    async def _leave(request: Request, link_to: int | None) -> Response:
        try:
            pending = await run_in_threadpool(identities.begin, link_to)
            response = RedirectResponse(await provider.sign_in_url(pending, _own(provider, request, BACK)), 303)
        except ProductError as error:
            return _refused(services, error)
        secure = _own(provider, request, "").startswith("https:")
        response.set_cookie(
            BROWSER, pending.browser, max_age=MINUTES * 60, path="/oidc", httponly=True, samesite="lax", secure=secure
        )
        return response

    async def callback(request: Request) -> Response:
        try:
            response = await _come_back(services, provider, identities, request)
        except ProductError as error:
            response = _refused(services, error)
        response.delete_cookie(BROWSER, path="/oidc", httponly=True, samesite="lax")
        return response

    async def end(request: Request) -> Response:
        try:
            url = await provider.sign_out_url(_own(provider, request, "/login"))
        except ProductError as error:
            return _refused(services, error)
        return RedirectResponse(url or "/login", status_code=303)

    return [
        Route("/oidc/start", start),
        Route("/oidc/link", link),
        Route(BACK, callback),
        Route("/oidc/end", end),
    ]


async def _nobody(request: Request) -> Response:
    return RedirectResponse("/login", status_code=303)


async def _come_back(services: Services, provider: Provider, identities: Identities, request: Request) -> Response:
    query, settings = request.query_params, provider.settings
    if "error" in query or query.get("iss", settings.issuer) != settings.issuer:  # iss: RFC 9207
        raise PermissionDeniedError(DENIED.format(name=settings.name))
    pending = await run_in_threadpool(identities.finish, query.get("state", ""), request.cookies.get(BROWSER, ""))
    person = await provider.person(query.get("code", ""), pending, _own(provider, request, BACK))
    if pending.link_to is not None:
        if await _signed_in(services, request) != pending.link_to:
            raise PermissionDeniedError(STALE)
        await run_in_threadpool(identities.link, person, pending.link_to)
        return RedirectResponse("/account", status_code=303)
    user = await run_in_threadpool(identities.recognise, person, settings)
    return enter(request, await run_in_threadpool(services.accounts.start_session, user.id))


async def _signed_in(services: Services, request: Request) -> int | None:
    token = session_token(request.headers.get("cookie", ""))
    user = await run_in_threadpool(services.accounts.user_for, token) if token else None
    return user.id if user else None


def _own(provider: Provider, request: Request, path: str) -> str:
    """An address of this server as browsers know it."""
    base = provider.settings.public_url or "{0.scheme}://{0.netloc}".format(urlsplit(str(request.base_url)))
    return base.rstrip("/") + path


def _refused(services: Services, error: ProductError) -> Response:
    status = 502 if isinstance(error, ProviderError) else 403 if isinstance(error, PermissionDeniedError) else 409
    return page("login.html", status, error=sentence(error), provider=services.provider_name)
