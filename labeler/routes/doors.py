"""Signing in and out, invitations, and the health check."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from labeler import languages
from labeler.accounts import SESSION_SECONDS
from labeler.errors import NotFoundError, PermissionDeniedError, ProductError, UsageError
from labeler.routes.assets import ASSETS
from labeler.routes.guard import session_token
from labeler.routes.services import COOKIE, Services, refusal

FORM_BYTES = 16 * 1024

_templates = Environment(
    loader=FunctionLoader(lambda name: (files("labeler") / "templates" / name).read_text(encoding="utf-8")),
    autoescape=True,
)
_templates.globals["assets"] = ASSETS


def page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """One of the pages that need no session."""
    shown = _templates.get_template(template).render(language=languages.current(), t=languages.t, **values)
    return HTMLResponse(shown, status_code=status)


async def _form(request: Request) -> dict[str, str]:
    """The text fields of a small form; what is too large or no form has none."""
    if int(request.headers.get("content-length") or FORM_BYTES + 1) > FORM_BYTES:
        return {}
    async with request.form(max_files=0, max_fields=8) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def enter(request: Request, token: str) -> Response:
    """Let a browser in with a session."""
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def door_routes(services: Services) -> list[BaseRoute]:
    """``/login``, ``/logout``, ``/invite/TOKEN``, ``/healthz``; for the demo also ``/signin/TOKEN``."""
    accounts = services.accounts

    async def login(request: Request) -> Response:
        if request.method == "GET":
            left = "left" in request.query_params
            return page("login.html", provider=services.provider_name, left=left)
        form = await _form(request)
        name = form.get("name", "")
        try:
            token = await run_in_threadpool(accounts.sign_in, name, form.get("password", ""))
        except PermissionDeniedError as error:
            return page("login.html", 403, name=name, error=sentence(error), provider=services.provider_name)
        return enter(request, token)

    async def logout(request: Request) -> Response:
        token = session_token(request.headers.get("cookie", ""))
        if token:
            await run_in_threadpool(accounts.sign_out, token)
        response = RedirectResponse("/login?left" if services.provider else "/login", status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response

    async def invite(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            user = await run_in_threadpool(accounts.invited, token)
            if request.method == "GET":
                return page("invite.html", name=user.name)
            password = (await _form(request)).get("password", "")
            await run_in_threadpool(accounts.accept, token, password)
            return enter(request, await run_in_threadpool(accounts.sign_in, user.name, password))
        except UsageError as error:
            return page("invite.html", 400, name=user.name, error=sentence(error))
        except (NotFoundError, PermissionDeniedError) as error:
            return page("used.html", 404, error=sentence(error))

    async def signin(request: Request) -> Response:
        try:
            return enter(request, await run_in_threadpool(accounts.enter, request.path_params["token"]))
        except NotFoundError as error:
            return page("used.html", 404, error=sentence(error))

    async def healthz(request: Request) -> Response:
        try:
            await run_in_threadpool(services.store.database.check)
        except ProductError as error:
            return refusal(503, str(error))
        return JSONResponse({"status": "ok"})

    routes: list[BaseRoute] = [
        Route("/login", login, methods=["GET", "POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/invite/{token}", invite, methods=["GET", "POST"]),
        Route("/healthz", healthz),
    ]
    return [*routes, Route("/signin/{token}", signin)] if services.one_click else routes


def sentence(error: ProductError) -> str:
    """An error as a page says it."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
