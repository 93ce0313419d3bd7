"""Asking a model to go on from a dialogue, at a server with OpenAI's chat completions.

Only this process talks to the model, never a browser. Redirects are not followed, answers are cut at a size, and a key
goes only to the server that the operator of this machine named with it: whoever may set a project's address could
otherwise send it to themselves.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from labeler.endpoint_settings import Endpoint
from labeler.errors import ProductError
from labeler.records import Message, Prompt

KEYS = "LABELER_SUGGEST_KEYS"
"""Environment variable with the keys of servers: ``https://api.example.com=KEY``, several divided by commas."""
WAY_OUT = "Write the turn yourself, or ask again."
ANSWER_BYTES = 4 * 1024 * 1024
TRIAL = (Message("user", "Say hello in five words."),)
"""What a model is asked to see whether it answers."""
UNFIT = (400, 413, 422)
LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")
"""What most servers call the most new tokens, and what OpenAI's newer models want instead."""


class SuggestError(ProductError):
    """The model gave no replies; the text is for people who label, `detail` for those who run the server."""

    def __init__(self, sentence: str, detail: str) -> None:
        self.detail = detail
        super().__init__(f"{sentence} {WAY_OUT}")


@dataclass(frozen=True, slots=True)
class Replies:
    """What a model answered.

    Attributes:
        texts: as many as were asked for.
        served: what the server calls what it ran.
    """

    texts: tuple[str, ...]
    served: str


async def replies(endpoint: Endpoint, messages: Prompt, count: int) -> Replies:
    """Replies to a dialogue. A server that gives only one at a time is asked for each of the others.

    Raises:
        SuggestError: there are none, or fewer.
    """
    try:
        async with asyncio.timeout(endpoint.timeout), _client(endpoint) as client:
            return await _all(client, endpoint, messages, count)
    except _UnfitError as error:
        raise SuggestError("The model's server refused to answer.", error.detail) from error
    except (TimeoutError, httpx.TimeoutException) as error:
        seconds = f"{endpoint.timeout:g} seconds"
        raise SuggestError(f"The model did not answer within {seconds}.", f"no answer within {seconds}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SuggestError("The model cannot be reached.", f"{type(error).__name__}: {error}") from error


async def trial(endpoint: Endpoint) -> str:
    """Ask a model once, and return what it answers.

    Raises:
        SuggestError: it answers nothing.
    """
    found = await replies(endpoint, TRIAL, 1)
    return found.texts[0]


def _client(endpoint: Endpoint) -> httpx.AsyncClient:
    key = key_for(endpoint.url)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(headers=headers, timeout=endpoint.timeout, follow_redirects=False, verify=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes longer than asking a server nearby."""
    return httpx.create_ssl_context()


async def _all(client: httpx.AsyncClient, endpoint: Endpoint, messages: Prompt, count: int) -> Replies:
    try:
        first = await _ask(client, endpoint, messages, count)
    except _UnfitError:
        first = await _ask(client, endpoint, messages, 1)
    more = [_ask(client, endpoint, messages, 1) for _ in range(count - len(first.texts))]
    found = [first, *await asyncio.gather(*more)]
    texts = tuple(text for each in found for text in each.texts)[:count]
    return Replies(texts, first.served)


class _UnfitError(SuggestError):
    """The server refuses what was asked."""


async def _ask(client: httpx.AsyncClient, endpoint: Endpoint, messages: Prompt, count: int) -> Replies:
    body = {
        "model": endpoint.model,
        "messages": [asdict(message) for message in messages],
        "temperature": endpoint.temperature,
    } | ({"n": count} if count > 1 else {})
    try:
        return _parsed(await _post(client, endpoint, body | {LENGTH_FIELDS[0]: endpoint.max_tokens}))
    except _UnfitError as error:
        if LENGTH_FIELDS[1] not in error.detail:
            raise
        return _parsed(await _post(client, endpoint, body | {LENGTH_FIELDS[1]: endpoint.max_tokens}))


async def _post(client: httpx.AsyncClient, endpoint: Endpoint, body: Mapping[str, Any]) -> Any:
    address = f"{endpoint.url}/chat/completions"
    received = bytearray()
    async with client.stream("POST", address, json=body) as answer:
        async for chunk in answer.aiter_bytes():
            received += chunk
            if len(received) > ANSWER_BYTES:
                raise SuggestError("The model's answer is too long.", f"more than {ANSWER_BYTES:,} bytes")
    if answer.is_redirect:
        raise SuggestError("The model cannot be reached.", "answered with a redirect, which is not followed")
    if answer.is_error:
        said = " ".join(bytes(received[:300]).decode(errors="replace").split())
        detail = f"answered {answer.status_code}: {said}"
        kind = _UnfitError if answer.status_code in UNFIT else SuggestError
        raise kind("The model's server refused to answer.", detail)
    try:
        return json.loads(received)
    except ValueError:
        raise SuggestError("The model's answer was not understood.", "answered something that is no JSON") from None


def _parsed(found: Any) -> Replies:
    try:
        texts = tuple(choice["message"].get("content") or "" for choice in found["choices"])
        served = " ".join(str(found[name]) for name in ("model", "system_fingerprint") if found.get(name))
        if not texts or not all(isinstance(text, str) for text in texts):
            raise TypeError
        "".join(texts).encode()
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError):
        raise SuggestError("The model's answer was not understood.", "the answer has no choices with texts") from None
    return Replies(texts, served)


def key_for(url: str) -> str | None:
    """The key of `KEYS` for the server of a URL, None where there is none."""
    wanted = _origin(url)
    entries = (entry.strip().partition("=") for entry in os.environ.get(KEYS, "").split(","))
    return next((key for place, _, key in entries if key and _origin(place) == wanted), None)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def parameters(endpoint: Endpoint, count: int, served: str) -> dict[str, Any]:
    """How a model was asked, as it is kept with what it answered."""
    return {
        "url": endpoint.url,
        "n": count,
        "temperature": endpoint.temperature,
        "max_tokens": endpoint.max_tokens,
        "served": served,
    }
