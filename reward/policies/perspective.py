"""Toxicity by the Perspective API, or a service that speaks like it: one request a text, no faster than allowed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from labeler.errors import ModelError
from reward.progress import Progress

PATH = "/v1alpha1/comments:analyze"
TRIES = 6
WAIT = 1.0
"""Seconds before the second try, doubled before each further one unless the service says how long."""
TIMEOUT = 30.0


@dataclass(frozen=True)
class Perspective:
    """The service.

    Attributes:
        url: where it is. key: sent as a header, so that it stays out of logs of addresses.
        rate: requests a second at most.
        sleep, clock: of the machine; tests put their own.
    """

    url: str
    key: str
    rate: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def probabilities(self, texts: Sequence[str], progress: Progress) -> list[float]:
        """Probability of being toxic for each text; NaN for one that the service does not score.

        Raises:
            ModelError: the key is refused, or the service cannot be reached after several tries.
        """
        found, due = [], self.clock()
        with (
            httpx.Client(base_url=self.url, headers={"X-Goog-Api-Key": self.key}, timeout=TIMEOUT) as client,
            progress.stage("toxicity by Perspective", total=len(texts)) as stage,
        ):
            for text in texts:
                self.sleep(max(0.0, due - self.clock()))
                due = max(due, self.clock()) + 1 / self.rate
                found.append(self._score(client, text))
                stage.step()
        return found

    def _score(self, client: httpx.Client, text: str) -> float:
        """The summary score of one text; NaN where it cannot be scored (too long, or in an unknown language)."""
        body = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}, "doNotStore": True}
        response = self._asked(client, body)
        if response.status_code == httpx.codes.BAD_REQUEST:
            if "API_KEY" in response.text or "API key" in response.text:
                raise ModelError(f"{self.url} refuses the key in PERSPECTIVE_API_KEY; check it")
            return math.nan
        if response.is_error:
            raise ModelError(f"{self.url} refuses to score ({response.status_code}); check PERSPECTIVE_API_KEY")
        try:
            return float(response.json()["attributeScores"]["TOXICITY"]["summaryScore"]["value"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{self.url} answers without a score of TOXICITY; check --perspective-url") from error

    def _asked(self, client: httpx.Client, body: dict[str, Any]) -> httpx.Response:
        """The response, asked for again while the service is busy or out of reach."""
        said = ""
        for attempt in range(TRIES):
            wait = WAIT * 2**attempt
            try:
                response = client.post(PATH, json=body)
            except httpx.TransportError as error:
                said = str(error) or type(error).__name__
            else:
                if response.status_code != httpx.codes.TOO_MANY_REQUESTS and not response.is_server_error:
                    return response
                said = f"{response.status_code} {response.reason_phrase}"
                wait = _seconds(response.headers.get("Retry-After"), wait)
            if attempt + 1 < TRIES:
                self.sleep(wait)
        raise ModelError(
            f"{self.url} could not be asked in {TRIES} tries ({said}); try later or lower --perspective-rate"
        )


def _seconds(told: str | None, usual: float) -> float:
    """The wait that the service asks for, in seconds; the usual one where it says nothing that is understood."""
    return float(told) if told and told.isdecimal() else usual
