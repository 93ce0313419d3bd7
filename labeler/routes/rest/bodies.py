"""What comes in: small JSON bodies, query strings, and files of any size up to a limit."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args, get_origin

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from labeler import uploads
from labeler.api import typed
from labeler.errors import DataError
from labeler.routes.rest.declare import Upload

JSON_BYTES = 1024 * 1024
UPLOAD_BYTES = uploads.UNPACKED_BYTES
JSON_LINES = "application/x-ndjson"
SUFFIXES = {
    JSON_LINES: ".jsonl",
    "application/jsonl": ".jsonl",
    "application/json": ".json",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
}
"""Media types of an import, and what such a file is called."""
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,18})?", re.ASCII)


class RefusedError(Exception):
    """The request cannot be read; `status` says how it is answered."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        super().__init__(detail)


def media_type(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _limited(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > most:
            raise RefusedError(413, f"The request is larger than {most // 1024:,} KiB.")
        yield chunk


async def json_body(request: Request) -> Any:
    """The body as JSON."""
    if media_type(request) != "application/json":
        raise RefusedError(415, "Send JSON with the content type application/json.")
    received = b"".join([chunk async for chunk in _limited(request, JSON_BYTES)])
    try:
        return json.loads(received, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise DataError("the request is not valid JSON") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def query_of(kind: Any, request: Request) -> Any:
    """The query string as a dataclass."""
    hints, given = typed.hints(kind), request.query_params
    return typed.from_json(kind, {name: _read(hints.get(name), given.getlist(name)) for name in given})


def _read(hint: Any, texts: list[str]) -> Any:
    """What was said of one field: a list may be said several times, of anything else the last counts."""
    if get_origin(hint) is tuple:
        return [_converted(get_args(hint)[0], text) for text in texts]
    return _converted(hint, texts[-1])


def _converted(hint: Any, text: str) -> Any:
    """A text as a number or yes or no where the field wants one; what cannot be is left for the check after it."""
    inside = {hint, *get_args(hint), *(part for outer in get_args(hint) for part in get_args(outer))}
    if bool in inside:
        return {"true": True, "false": False}.get(text, text)
    if float in inside and _DECIMAL.fullmatch(text):
        return float(text)
    digits = text.removeprefix("-")
    return int(text) if int in inside and digits.isascii() and digits.isdecimal() and len(digits) < 10 else text


@asynccontextmanager
async def upload_of(request: Request) -> AsyncIterator[Upload]:
    """The file that was sent, on disk for as long as the block lasts."""
    folder = Path(await run_in_threadpool(tempfile.mkdtemp, prefix="labeler-upload-"))
    try:
        yield await (
            _from_form(request, folder) if media_type(request) == "multipart/form-data" else _raw(request, folder)
        )
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


async def _raw(request: Request, folder: Path) -> Upload:
    suffix = SUFFIXES.get(media_type(request))
    if suffix is None:
        raise RefusedError(415, f"Send one of {', '.join(SUFFIXES)} or multipart/form-data with a file.")
    path = folder / f"body{suffix}"
    with path.open("wb") as file:
        async for chunk in _limited(request, UPLOAD_BYTES):
            await run_in_threadpool(file.write, chunk)
    return Upload(path, "body")


async def _from_form(request: Request, folder: Path) -> Upload:
    try:
        form = await MultiPartParser(
            request.headers, _limited(request, UPLOAD_BYTES), max_files=1, max_fields=0
        ).parse()
    except MultiPartException as error:
        raise RefusedError(400, f"The form cannot be read: {error.message}") from None
    async with _closing(form) as sent:
        name = Path(sent.filename or "file").name
        if not name.lower().endswith(uploads.ENDINGS):
            raise RefusedError(415, f"{name!r} must be named {', '.join(uploads.ENDINGS)}.")
        path = await run_in_threadpool(uploads.keep, name, sent.file, folder, UPLOAD_BYTES)
    return Upload(path, name)


@asynccontextmanager
async def _closing(form: Any) -> AsyncIterator[UploadFile]:
    try:
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        if not files:
            raise RefusedError(400, "The form has no file.")
        yield files[0]
    finally:
        await form.close()
