"""HTTP requests to a service that may be slow, busy or briefly away: pace, retries, and errors that say what to do."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from labeler.errors import TrainingError

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses of trouble that may pass; 529 is what some services answer when they are overloaded."""
EXHAUSTED = "insufficient_quota"
"""Error code of a 429 that no waiting mends."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds before the first retry, doubled with each, and the most that they grow to."""


class RefusedError(Exception):
    """The service answered, and asking again as it was asked would not help.

    Args:
        status: of HTTP.
        message: what the service said, in one line.
        code: its short name for the error, or "".
    """

    def __init__(self, status: int, message: str, code: str) -> None:
        self.status, self.message, self.code = status, message, code
        super().__init__(f"{status}: {message}")


class Pace:
    """Lets requests of all threads start at least so far apart, and none before a time that the service asked for.

    Args:
        per_minute: requests that may start in a minute; None for as many as there are.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next, self._held = time.monotonic(), 0.0
        self._lock, self._stopped = threading.Lock(), threading.Event()

    def wait(self) -> None:
        """Sleep until a request may start.

        Raises:
            TrainingError: `stop` was called.
        """
        while True:
            with self._lock:
                now = time.monotonic()
                start = max(self._next, self._held)
                if start <= now:
                    self._next = now + self._gap
            if self._stopped.wait(max(0.0, start - now)):
                raise TrainingError("stopped")
            if start <= now:
                return

    def hold(self, seconds: float) -> None:
        """Nothing starts for so many seconds."""
        with self._lock:
            self._held = max(self._held, time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep, or wake early when `stop` is called."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """Wake all that wait, with an error."""
        self._stopped.set()


class Service:
    """A place on the net that takes JSON and answers JSON; may be used by several threads.

    Args:
        url: without a slash at the end.
        key: sent as a bearer token, or None. It appears in no error.
        timeout: seconds to wait for an answer.
        retries: further tries after trouble that may pass.
        per_minute: requests that may start in a minute; None for as many as there are.
    """

    def __init__(self, url: str, *, key: str | None, timeout: float, retries: int, per_minute: float | None) -> None:
        self.url, self.pace = url, Pace(per_minute)
        self._key, self._retries = key, retries
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None)
        self._client = httpx.Client(headers=headers, timeout=timeout, limits=limits)

    def close(self) -> None:
        """End all connections and wake all threads that wait."""
        self.pace.stop()
        self._client.close()

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the service answers to a POST of this body, or to a GET without one.

        Raises:
            RefusedError: it does not want this request.
            TrainingError: it could not be reached, or kept failing.
        """
        for attempt in range(self._retries + 1):
            self.pace.wait()
            try:
                answer = self._client.request("GET" if body is None else "POST", f"{self.url}{path}", json=body)
            except httpx.TransportError as error:
                trouble, asked = f"{type(error).__name__}: {error}", None
            else:
                if answer.is_success:
                    return self._parse(answer)
                refusal = self._refusal(answer)
                if answer.status_code not in PASSING or refusal.code == EXHAUSTED:
                    raise refusal
                trouble, asked = str(refusal), retry_after(answer.headers.get("retry-after"))
            if attempt < self._retries:
                self._pause(attempt, asked)
        raise TrainingError(f"{self.url} failed {self._retries + 1} times, the last time with {self._hide(trouble)}")

    def _pause(self, attempt: int, asked: float | None) -> None:
        """What the service asked for holds everybody; else this thread alone backs off, each time twice as long."""
        if asked is not None:
            self.pace.hold(asked)
            return
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2**attempt)
        self.pace.sleep(random.uniform(longest / 2, longest))  # noqa: S311 (no secret: spreads retries)

    def _parse(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise RefusedError(answer.status_code, "the answer is not a JSON object", "")
        return found

    def _refusal(self, answer: httpx.Response) -> RefusedError:
        """The error of an answer: ``{"error": {"message", "code"}}`` as OpenAI has it, or whatever else was sent."""
        try:
            said = answer.json()
        except ValueError:
            said = answer.text
        if isinstance(said, dict):
            said = said.get("error") or said.get("detail") or said.get("message") or said
        code = ""
        if isinstance(said, dict):
            code, said = str(said.get("code") or said.get("type") or ""), said.get("message") or said
        line = " ".join(str(said).split())[:300] or answer.reason_phrase
        return RefusedError(answer.status_code, self._hide(line), code)

    def _hide(self, text: str) -> str:
        return text.replace(self._key, "(key)") if self._key else text


def retry_after(value: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a number, or a date of HTTP (RFC 9110, section 10.2.3)."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
