"""Where a project's suggestions come from: a server with OpenAI's chat completions, and how it is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from labeler.errors import DataError
from labeler.records import check_plain

MOST_REPLIES = 9
"""Replies that one request may ask for; as many as there are letters without commands in their way."""
MOST_TOKENS = 8192
LONGEST_WAIT = 300.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that writes replies, as vLLM, Ollama, ``reward serve --policy`` or a hosted one.

    Its key is none of these settings: it stands in an environment variable, see `labeler.suggest.key_for`.

    Attributes:
        url: up to and with ``/v1``.
        model: what the server calls the model; labelers never see it.
        number: replies that are asked for at a time.
        temperature: 0 to 2.
        max_tokens: of a reply.
        timeout: seconds to wait for them.
    """

    url: str
    model: str
    number: int = 3
    temperature: float = 1.0
    max_tokens: int = 512
    timeout: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", self.url.strip().rstrip("/").removesuffix("/chat/completions"))
        _check_url(self.url)
        if not self.model.strip():
            raise DataError("must name the model as the server calls it", field="model")
        check_plain(self.url, "url")
        check_plain(self.model, "model")
        _within(self.number, 1, MOST_REPLIES, "number")
        _within(self.temperature, 0, 2, "temperature")
        _within(self.max_tokens, 1, MOST_TOKENS, "max_tokens")
        _within(self.timeout, 1, LONGEST_WAIT, "timeout")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise DataError(f"{url!r} is no address", field="url") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise DataError(f"{url!r} must begin with http:// or https:// and name a host", field="url")
    if parts.username is not None or parts.query or parts.fragment:
        raise DataError("must hold no password, question mark or #; keys come from the environment", field="url")


def _within(value: float, low: float, high: float, name: str) -> None:
    if not low <= value <= high:
        raise DataError(f"is {value}; it must be {low:g} to {high:g}", field=name)


_KINDS: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "model": (str,),
    "number": (int,),
    "temperature": (int, float),
    "max_tokens": (int,),
    "timeout": (int, float),
}
_WORDS = {str: "a text", int: "a whole number", float: "a number"}


def endpoint_from(given: object) -> Endpoint:
    """The settings of a file's table ``suggest``.

    Raises:
        DataError: with the field at fault.
    """
    if not isinstance(given, Mapping):
        raise DataError("must be an object with url and model", field="suggest")
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _KINDS:
            near = get_close_matches(str(name), _KINDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(_KINDS)}"
            raise DataError(f"is no setting; {hint}", field=f"suggest.{name}")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, _KINDS[name]):
            raise DataError(f"is {value!r}; it must be {_WORDS[_KINDS[name][-1]]}", field=f"suggest.{name}")
        values[name] = value
    missing = next((name for name in ("url", "model") if name not in values), None)
    if missing:
        raise DataError("is missing", field=f"suggest.{missing}")
    try:
        return Endpoint(**values)
    except DataError as error:
        raise DataError(error.problem, field=f"suggest.{error.field}") from error
