"""Requests and errors as programs that know OpenAI's API expect them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from labeler.errors import DataError, ModelError, ProductError
from labeler.formats.fields import prompt
from labeler.records import Prompt

Json = dict[str, Any]
T = TypeVar("T")
Answer = Callable[[Request, Json], Awaitable[Json | list[Any]]]
"""What a path answers to a request with this body."""
BODY_BYTES = 32 * 1024 * 1024
INVALID, BUSY = "invalid_request_error", "server_error"


class ApiError(Exception):
    """What is wrong with a request, for the body of the answer.

    Args:
        message: one sentence.
        status: of HTTP.
        param: the field at fault.
        code: a short name.
    """

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        self.status, self.param, self.code = status, param, code
        super().__init__(message)

    def answer(self) -> JSONResponse:
        """The answer."""
        kind = INVALID if self.status < 500 else BUSY
        told = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        headers = {"retry-after": "5"} if self.status == 503 else None
        return JSONResponse({"error": told}, self.status, headers=headers)


class Line:
    """One model, one thread: requests are worked on one after another, in the order in which they came.

    Args:
        most: requests that may wait beside the one that is worked on.
    """

    def __init__(self, most: int) -> None:
        self._most, self._waiting = most, 0
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def work(self, request: Request, function: Callable[[], T]) -> T:
        """What a function returns when its turn has come.

        Raises:
            ApiError: too many wait, or whoever asked has gone.
        """
        if self._waiting > self._most:
            raise ApiError(f"{self._most} requests wait already; try again later", status=503, code="overloaded")
        self._waiting += 1
        try:
            async with self._turn:
                if await request.is_disconnected():
                    raise ApiError("whoever asked has gone", status=499, code="gone")
                return await asyncio.get_running_loop().run_in_executor(self._thread, function)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """No further work; what is worked on is finished first."""
        self._thread.shutdown(cancel_futures=True)


def application(answers: Mapping[str, Answer], model: Json, line: Line) -> Starlette:
    """An application with these POST routes, ``/v1/models`` and health checks.

    Args:
        answers: function of request and body by path.
        model: the one entry of the list of models.
        line: closed at the end.
    """

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model]})

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        line.close()

    routes: list[BaseRoute] = [Route(path, _endpoint(answer), methods=["POST"]) for path, answer in answers.items()]
    routes += [Route("/v1/models", models), Route("/healthz", healthz), Route("/health", healthz)]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _nothing, 405: _nothing})


async def _nothing(request: Request, error: Exception) -> Response:
    return ApiError(f"there is no {request.method} {request.url.path} here", status=404, code="not_found").answer()


def _endpoint(
    answer: Answer,
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await answer(request, await _body(request)))
        except ApiError as error:
            return error.answer()
        except (DataError, ModelError) as error:
            return ApiError(str(error)).answer()
        except ProductError as error:
            return ApiError(str(error), status=500).answer()
        except ClientDisconnect:
            return ApiError("the request broke off").answer()

    return endpoint


async def _body(request: Request) -> Json:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError("send JSON with the content type application/json", status=415)
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > BODY_BYTES:
            raise ApiError(f"the request is larger than {BODY_BYTES:,} bytes", status=413)
    try:
        body = json.loads(received)
    except (ValueError, RecursionError):
        raise ApiError("the request is not valid JSON") from None
    if not isinstance(body, dict):
        raise ApiError("the request must be a JSON object")
    return body


# Fields of a body


def number(body: Json, name: str, low: float, high: float, default: float) -> float:
    """A number within its bounds."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ApiError(f"{name} must be a number from {low:g} to {high:g}", param=name)
    return float(value)


def whole(body: Json, name: str, low: int, high: int) -> int | None:
    """A whole number within its bounds, None where it is not there."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ApiError(f"{name} must be a whole number from {low} to {high}", param=name)
    return value


def texts(body: Json, name: str) -> list[str]:
    """A text or a list of texts, as a list of at least one."""
    value = body.get(name)
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
        raise ApiError(f"{name} must be a text or a list of texts", param=name)
    return found


def messages(body: Json, name: str) -> Prompt:
    """A conversation; the content of a message may be a list of parts that are texts."""
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise ApiError(f"{name} must be a list of messages", param=name)
    plain = [{"role": each.get("role"), "content": _content(each.get("content"), name)} for each in value]
    try:
        return prompt(plain, name)
    except DataError as error:
        raise ApiError(str(error), param=name) from error


def _content(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    parts: list[Any] = value if isinstance(value, list) else [None]
    if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts):
        raise ApiError("the content of a message must be a text; this server reads nothing else", param=name)
    return "".join(part["text"] for part in parts)


def check_model(body: Json, served: str) -> None:
    """Raise `ApiError` where another model is asked for than the one that is served."""
    asked = body.get("model")
    if asked is not None and asked != served:
        raise ApiError(
            f"there is no model {asked!r} here, only {served!r}", status=404, param="model", code="model_not_found"
        )
