"""The operations as routes under ``/api/v1``, with their document and its page."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from inspect import iscoroutinefunction
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from labeler.api import typed
from labeler.errors import ProductError
from labeler.routes.doors import page
from labeler.routes.rest import (
    exports,
    imports,
    insight,
    labeling,
    models,
    oversight,
    people,
    projects,
    prompts,
    screening,
    training,
    webhooks,
)
from labeler.routes.rest.bodies import RefusedError, json_body, query_of, upload_of
from labeler.routes.rest.declare import Archive, Call, Operation
from labeler.routes.rest.openapi import ROOT, chapters, document, shapes
from labeler.routes.rest.problems import problem, problem_for
from labeler.routes.services import Services

_CONTENT = (people, projects, imports, exports, prompts)
_WORK = (insight, labeling, oversight, screening, training, models, webhooks)
OPERATIONS: tuple[Operation, ...] = tuple(
    value for module in (*_CONTENT, *_WORK) for value in vars(module).values() if isinstance(value, Operation)
)
"""Everything that the API can do, in the order of the page."""


def rest_routes(services: Services) -> list[BaseRoute]:
    """``/api/v1/…``, ``/api/openapi.json`` and ``/api/docs``."""
    described = document(OPERATIONS)

    async def openapi(request: Request) -> Response:
        return JSONResponse(described)

    async def docs(request: Request) -> Response:
        return page("api.html", document=described, chapters=chapters(described), shapes=shapes(described))

    by_path: dict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in OPERATIONS:
        by_path[operation.path][operation.method] = operation
    return [
        Route("/api/openapi.json", openapi),
        Route("/api/docs", docs),
        *(_Plain(f"{ROOT}{path}", _endpoint(services, methods)) for path, methods in by_path.items()),
        _Plain(f"{ROOT}/{{rest:path}}", _nothing),
    ]


class _Plain(Route):
    """A route that leaves the methods to its endpoint, so that a wrong one is answered as any other error is."""

    def __init__(self, path: str, endpoint: Callable[[Request], Any]) -> None:
        super().__init__(path, endpoint)
        self.methods = None


async def _nothing(request: Request) -> Response:
    return problem(404, f"There is nothing at {request.url.path}; see /api/docs.")


def _endpoint(services: Services, methods: Mapping[str, Operation]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        operation = methods.get(request.method)
        if operation is None:
            allowed = ", ".join(methods)
            return problem(405, f"Use {allowed} here.", headers={"allow": allowed})
        try:
            return await _answer(operation, Call(services, request.state.user), request)
        except RefusedError as error:
            return problem(error.status, str(error))
        except ProductError as error:
            return problem_for(error)
        except ClientDisconnect:
            return problem(400, "The request broke off.")

    return endpoint


async def _answer(operation: Operation, call: Call, request: Request) -> Response:
    async with AsyncExitStack() as stack:
        given = await run_in_threadpool(operation.admit, call, request.path_params)
        if "query" in operation.hints:
            given["query"] = query_of(operation.hints["query"], request)
        if "body" in operation.hints:
            given["body"] = typed.from_json(operation.hints["body"], await json_body(request))
        if "upload" in operation.hints:
            given["upload"] = await stack.enter_async_context(upload_of(request))
        waits = iscoroutinefunction(operation.action)
        result = await (
            operation.action(call, **given) if waits else run_in_threadpool(operation.action, call, **given)
        )
    if isinstance(result, Archive):
        gone = BackgroundTask(shutil.rmtree, result.path.parent, ignore_errors=True)
        return FileResponse(result.path, filename=result.name, media_type="application/octet-stream", background=gone)
    return Response(status_code=204) if result is None else JSONResponse(typed.to_json(result))
