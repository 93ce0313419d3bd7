"""A policy behind a URL: any server with OpenAI's chat completions, such as vLLM, Ollama, llama.cpp or a hosted one.

All samples of a prompt are asked for at once (``n``); a server that refuses or ignores this is asked for each of them.
Requests run beside each other, and groups come out in the order of the prompts.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from labeler.errors import DataError, ModelError, ProductError, TrainingError, UsageError
from labeler.records import Completion, Group
from reward.config.common import Sampling
from reward.config.generate import Remote
from reward.patience import RefusedError, Service
from reward.sampling import prompt_seed

AHEAD = 4
"""Prompts that are begun before the first of them is done, per request that may run at a time."""
SEED_SHIFT = 32
"""Leaves 31 of the 63 bits of a seed: some servers take no more."""
DENIED, MISSING, UNFIT = (401, 403), 404, (400, 413, 422)
LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")
"""What most servers call the most new tokens, and what OpenAI's newer models want instead."""


@dataclass(frozen=True)
class Answer:
    """One completion as the server sent it, with what it said about it.

    Attributes:
        reason: why it ended, "stop" or "length" among others.
        tokens: of the completion, where the server counts them one by one.
        served: model and fingerprint that the server names.
    """

    text: str
    reason: str | None
    tokens: int | None
    served: str


class Endpoint:
    """A policy that a server runs; good for one `write_all`.

    Args:
        service: where to ask.
        model: what the server calls the model.
        name: what the completions give as their model.
        at_once: requests that run beside each other.
    """

    def __init__(self, service: Service, model: str, name: str, at_once: int) -> None:
        self.service, self.model, self.name, self.at_once = service, model, name, at_once
        self._several: bool | None = None
        self._length_field = LENGTH_FIELDS[0]

    @classmethod
    def open(cls, url: str, remote: Remote, *, name: str | None = None) -> Endpoint:
        """The endpoint at a URL, and its model if there is only one.

        Args:
            url: up to and with ``/v1``.
            remote: how to ask.
            name: what the completions give as their model, else the server's name for it.

        Raises:
            UsageError: several models are served. ModelError, TrainingError: the server cannot be asked.
        """
        address = url.rstrip("/").removesuffix("/chat/completions")
        model = remote.policy_model
        if model is None:
            with closing(service_at(address, remote)) as service:
                model = only_model(service)
        return cls(service_at(address, remote), model, name or model, remote.at_once)

    def provenance(self, sampling: Sampling) -> dict[str, Any]:
        """Everything that decides what is drawn for a prompt, for the group's ``meta``."""
        return {
            "policy": self.name,
            "origin": self.service.url,
            "revision": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_new_tokens": sampling.max_new_tokens,
            "seed": sampling.seed,
        }

    def write_all(self, prompts: Sequence[Group], k: int, sampling: Sampling, *, skip: int = 0) -> Iterator[Group]:
        """``k`` completions of each prompt but the first ``skip``, as groups in the order of the prompts.

        Raises:
            DataError: a prompt is refused, for instance as too long. ModelError: the key or the model is.
            TrainingError: the server cannot be reached, or keeps failing. All name the prompt.
        """
        begun: deque[tuple[Group, list[Future[list[Answer]]]]] = deque()
        pool = ThreadPoolExecutor(self.at_once)
        try:
            for prompt in prompts[skip:]:
                if self._several is None:  # alone: it shows whether the server gives several at once
                    yield self._group(prompt, self._first(prompt, k, sampling), sampling)
                    continue
                parts = [range(k)] if self._several else [range(i, i + 1) for i in range(k)]
                begun.append((prompt, [pool.submit(self._complete, prompt, part, sampling) for part in parts]))
                if len(begun) > AHEAD * self.at_once:
                    yield self._collect(*begun.popleft(), sampling)
            while begun:
                yield self._collect(*begun.popleft(), sampling)
        finally:
            self.service.pace.stop()
            pool.shutdown(cancel_futures=True)
            self.service.close()

    def _first(self, prompt: Group, k: int, sampling: Sampling) -> list[Answer]:
        """All completions of the first prompt; notes whether the server gives several at once."""
        answers: list[Answer] = []
        if k > 1:
            with suppress(DataError):  # ``n`` is refused, or the prompt is, which asking for one will tell
                answers = self._ask(prompt, range(k), sampling)
        self._several = k > 1 and len(answers) == k
        return (
            answers
            if self._several
            else [a for i in range(k) for a in self._complete(prompt, range(i, i + 1), sampling)]
        )

    def _collect(self, prompt: Group, parts: Sequence[Future[list[Answer]]], sampling: Sampling) -> Group:
        return self._group(prompt, [answer for part in parts for answer in part.result()], sampling)

    def _complete(self, prompt: Group, part: range, sampling: Sampling) -> list[Answer]:
        """These of the completions of a prompt; the seed of a request is that of its first."""
        answers = self._ask(prompt, part, sampling)
        if len(answers) != len(part):
            raise TrainingError(
                f"{prompt.id}: {self.service.url} gave {len(answers)} completions where {len(part)} were asked for"
            )
        return answers

    def _ask(self, prompt: Group, part: range, sampling: Sampling) -> list[Answer]:
        body = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in prompt.prompt],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": prompt_seed(sampling.seed, f"{prompt.id}/{part.start}" if part.start else prompt.id) >> SEED_SHIFT,
        } | ({"n": len(part)} if len(part) > 1 else {})
        length = self._length_field
        try:
            return answers_of(self.service.ask("/chat/completions", body | {length: sampling.max_new_tokens}))
        except RefusedError as refusal:
            if length == LENGTH_FIELDS[0] and LENGTH_FIELDS[1] in refusal.message:
                self._length_field = LENGTH_FIELDS[1]
                return self._ask(prompt, part, sampling)
            raise explained(refusal, self, prompt) from refusal
        except TrainingError as error:
            raise TrainingError(f"{prompt.id}: {error}") from error

    def _group(self, prompt: Group, answers: Sequence[Answer], sampling: Sampling) -> Group:
        made = self.provenance(sampling) | {
            "served": sorted({answer.served for answer in answers}),
            "finished": [answer.reason == "stop" for answer in answers],
            "finish_reason": [answer.reason for answer in answers],
            "tokens": [answer.tokens for answer in answers],
        }
        return replace(
            prompt,
            completions=tuple(Completion(f"c{i}", answer.text, self.name) for i, answer in enumerate(answers)),
            rankings=(),
            source=prompt.source or f"generate:{self.name}",
            meta=dict(prompt.meta) | {"generation": made},
        )


def answers_of(found: dict[str, Any]) -> list[Answer]:
    """The completions in an answer of the server.

    Raises:
        RefusedError: it is no answer of chat completions.
    """
    served = " ".join(str(found[name]) for name in ("model", "system_fingerprint") if found.get(name))
    try:
        choices = [(choice["message"].get("content") or "", choice.get("finish_reason")) for choice in found["choices"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise RefusedError(200, "the answer has no choices with messages", "") from error
    counted = (found.get("usage") or {}).get("completion_tokens")
    tokens = counted if len(choices) == 1 and isinstance(counted, int) else None
    return [Answer(text, reason, tokens, served) for text, reason in choices]


def explained(refusal: RefusedError, endpoint: Endpoint, prompt: Group) -> ProductError:
    """The error for people: what was refused, for which prompt, and what to do."""
    where = f"{prompt.id}: {endpoint.service.url}"
    if refusal.status in DENIED:
        return ModelError(f"{where} refused the key ({refusal.status}); set the variable that --key-variable names")
    if refusal.status == MISSING:
        return ModelError(
            f"{where} has no model {endpoint.model!r}, or no chat completions there ({refusal.message}); "
            "check --policy-model, and that --policy ends in /v1"
        )
    if refusal.status in UNFIT and "context" in f"{refusal.code} {refusal.message}":
        return DataError(
            f"is too long for {endpoint.model} ({refusal.message}); shorten it or lower --max-new-tokens",
            field=f"{prompt.id}: prompt",
        )
    if refusal.status in UNFIT:
        return DataError(f"was refused by {endpoint.service.url} ({refusal})", field=f"{prompt.id}: prompt")
    return TrainingError(f"{where} cannot be used ({refusal})")


def service_at(address: str, remote: Remote) -> Service:
    """The service at an address, with the key from the environment; nothing is asked yet."""
    return Service(
        address,
        key=os.environ.get(remote.key_variable) or None,
        timeout=remote.timeout,
        retries=remote.retries,
        per_minute=remote.requests_per_minute,
    )


def only_model(service: Service) -> str:
    """The name of the one model that a server has.

    Raises:
        UsageError: it has several or does not say. ModelError: it refuses the key. TrainingError: it cannot be reached.
    """
    try:
        names = sorted(str(model["id"]) for model in service.ask("/models")["data"])
    except (RefusedError, KeyError, TypeError) as error:
        if isinstance(error, RefusedError) and error.status in DENIED:
            raise ModelError(
                f"{service.url} refused the key ({error.status}); set the variable of --key-variable"
            ) from error
        raise UsageError(f"{service.url} does not say which models it has; name one with --policy-model") from error
    if len(names) != 1:
        raise UsageError(
            f"{service.url} has {len(names)} models ({', '.join(names[:9])}); name one with --policy-model"
        )
    return names[0]
