"""``POST /v1/chat/completions``: a policy as OpenAI's API has it, whole answers only."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from labeler.errors import DataError
from labeler.records import Group, Prompt
from reward.config.common import Sampling
from reward.policy import Policy
from reward.serving.protocol import ApiError, Json, Line, application, check_model, messages, number, texts, whole

MOST_SAMPLES, MOST_STOPS = 64, 16
LARGEST_SEED = 2**63 - 1
REFUSED = (
    "stream",
    "tools",
    "functions",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "top_k",
    "min_p",
    "repetition_penalty",
)
"""Fields that would change the answer and that this server does not know: better refused than passed over."""
NEUTRAL: tuple[object, ...] = (None, False, 0, [], {}, {"type": "text"})
"""Values with which they ask for nothing."""


@dataclass(frozen=True)
class Wanted:
    """A request, checked.

    Attributes:
        n: how many completions.
        max_tokens: of each; None where the request does not say.
        stop: texts before which a completion ends.
        seed: the same one draws the same completions.
    """

    messages: Prompt
    n: int
    temperature: float
    top_p: float
    max_tokens: int | None
    stop: tuple[str, ...]
    seed: int


def wanted(body: Json) -> Wanted:
    """What a body asks for.

    Raises:
        ApiError: a field is missing, out of its bounds or not known here.
    """
    for name in REFUSED:
        if body.get(name) not in NEUTRAL and not (name == "repetition_penalty" and body[name] == 1):
            raise ApiError(f"{name} is not supported by this server; leave it out", param=name, code="unsupported")
    top_p = number(body, "top_p", 0, 1, 1.0)
    if top_p == 0:
        raise ApiError("top_p must be above 0", param="top_p")
    stop = [] if body.get("stop") in (None, []) else texts(body, "stop")
    if len(stop) > MOST_STOPS or "" in stop:
        raise ApiError(f"stop must be at most {MOST_STOPS} texts that are not empty", param="stop")
    seed = whole(body, "seed", -(2**63), LARGEST_SEED)
    longest = whole(body, "max_completion_tokens", 1, 2**31)
    return Wanted(
        messages=messages(body, "messages"),
        n=whole(body, "n", 1, MOST_SAMPLES) or 1,
        temperature=number(body, "temperature", 0, 2, 1.0),
        top_p=top_p,
        max_tokens=longest or whole(body, "max_tokens", 1, 2**31),
        stop=tuple(stop),
        seed=secrets.randbits(63) if seed is None else seed,
    )


def cut(text: str, stop: Sequence[str]) -> str | None:
    """The text before the first of these stops in it, None where there is none of them."""
    places = [place for each in stop if (place := text.find(each)) >= 0]
    return text[: min(places)] if places else None


def complete(policy: Policy, asked: Wanted, longest: int) -> Json:
    """The answer to a request.

    Tokens are counted as they were computed: those behind a stop too, and the one with which a model ends.

    Args:
        policy: what writes.
        asked: the request.
        longest: tokens of a completion where the request does not say.

    Raises:
        ApiError: the prompt with the completion is longer than the context.
    """
    try:
        before = len(policy.encode(asked.messages, asked.max_tokens or 1))
    except DataError as error:
        told = error.problem.partition(";")[0]
        raise ApiError(f"the prompt {told}", param="messages", code="context_length_exceeded") from error
    room = asked.max_tokens or min(longest, policy.context - before)
    sampling = Sampling(temperature=asked.temperature, top_p=asked.top_p, max_new_tokens=room, seed=asked.seed)
    group = policy.write(Group("chat", asked.messages, ()), asked.n, sampling)
    made = group.meta["generation"]
    found = zip(group.completions, made["finish_reason"], strict=True)
    choices = [_choice(index, done.text, reason, asked.stop) for index, (done, reason) in enumerate(found)]
    written = sum(made["tokens"]) + sum(made["finished"])
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": policy.name,
        "system_fingerprint": f"{made['revision']}-{made['precision']}",
        "choices": choices,
        "usage": {"prompt_tokens": before, "completion_tokens": written, "total_tokens": before + written},
    }


def _choice(index: int, text: str, reason: str, stop: Sequence[str]) -> Json:
    shorter = cut(text, stop)
    return {
        "index": index,
        "message": {"role": "assistant", "content": text if shorter is None else shorter},
        "logprobs": None,
        "finish_reason": reason if shorter is None else "stop",
    }


def chat_application(policy: Policy, *, longest: int, waiting: int) -> Starlette:
    """The application around a policy; see `complete` and `Line` for its settings."""
    line = Line(waiting)

    async def completions(request: Request, body: Json) -> Json | list[Any]:
        check_model(body, policy.name)
        asked = wanted(body)
        return await line.work(request, lambda: complete(policy, asked, longest))

    entry = {"id": policy.name, "object": "model", "created": int(time.time()), "owned_by": policy.origin.name}
    model = entry | {"max_model_len": policy.context}
    return application({"/v1/chat/completions": completions}, model, line)
