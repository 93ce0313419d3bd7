"""Errors of the REST API: one kind of body, ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse

from labeler.api import typed
from labeler.api.common import Problem
from labeler.errors import DataError, ProductError
from labeler.routes.services import STATUS
from labeler.throttle import WaitError

PROBLEM_TYPE = "application/problem+json"


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    line: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error as programs read it."""
    sentence = detail[:1].upper() + detail[1:]
    body = Problem(HTTPStatus(status).phrase, status, sentence, field=field, line=line)
    return JSONResponse(typed.to_json(body), status, headers=headers, media_type=PROBLEM_TYPE)


def problem_for(error: ProductError) -> JSONResponse:
    """The answer for an error of ours; what is nobody's mistake (a busy database) is 503 and may be tried again."""
    if isinstance(error, WaitError):
        return problem(429, str(error), headers={"retry-after": str(max(1, round(error.seconds)))})
    status = STATUS.get(type(error), 503)
    if isinstance(error, DataError):
        return problem(status, str(error), field=error.field, line=error.line)
    return problem(status, str(error))


def unauthorized(detail: str) -> JSONResponse:
    """Who asks is not known."""
    return problem(401, detail, headers={"www-authenticate": 'Bearer realm="labeler"'})
