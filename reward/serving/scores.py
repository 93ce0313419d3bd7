"""A reward model behind HTTP, in the forms that trainers ask for.

=====================  ==============================================================================================
``/score``             our own: ``{"prompt", "completions"}`` → shifted and scaled scores, and raw ones
``/get_reward``        OpenRLHF's remote reward: ``{"query": [whole texts]}`` → ``{"rewards", "scores", "extra_logs"}``
``/classify``          vLLM's (``input`` or ``messages``), and SGLang's (``text``); always raw, as those engines answer
``/pooling``           vLLM's, with ``"task": "classify"``; raw
``/predict``           text-embeddings-inference: ``{"inputs", "raw_scores"}``; raw, or through a sigmoid
``/rerank``            likewise: ``{"query", "texts", "raw_scores", "return_text"}``
=====================  ==============================================================================================

A text that is longer than the model's context is refused: cut, it would get the score of another text.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from starlette.applications import Starlette
from starlette.requests import Request

from labeler.errors import DataError
from labeler.formats.fields import prompt
from labeler.records import Message, Prompt
from reward.artifact import Scorer
from reward.data import render
from reward.serving.protocol import Answer, ApiError, Json, Line, application, check_model, messages, texts

LABEL = "LABEL_0"


@torch.inference_mode()
def text_scores(scorer: Scorer, whole_texts: Sequence[str], *, special: bool = False) -> tuple[list[float], int]:
    """Raw scores of texts in which the chat template stands already, each read alone; and how many tokens they had.

    Args:
        scorer: the reward model.
        whole_texts: conversations as `reward.data.render` writes them.
        special: let the tokenizer add its special tokens.

    Raises:
        ApiError: a text is empty or too long.
    """
    scores, tokens = [], 0
    for index, text in enumerate(whole_texts):
        ids = scorer.tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
        if not 1 <= len(ids) <= scorer.model.max_length:
            problem = f"text {index} has {len(ids)} tokens; the model reads 1 to {scorer.model.max_length}"
            raise ApiError(problem, code="context_length_exceeded")
        logits = scorer.model.classifier(
            input_ids=torch.tensor([ids], device=scorer.model.device), use_cache=False
        ).logits
        scores.append(float(logits[0, 0]))
        tokens += len(ids)
    return scores, tokens


def sigmoid(score: float) -> float:
    """1 / (1 + exp(-score)), without overflow."""
    return 0.5 * (1.0 + math.tanh(score / 2.0))


class Answers:
    """What each path answers.

    Args:
        scorer: the reward model.
        name: what the server calls it.
        raw: give raw scores where the form leaves the choice.
        line: in which requests wait.
    """

    def __init__(self, scorer: Scorer, name: str, line: Line, *, raw: bool) -> None:
        self.scorer, self.name, self.line, self.raw = scorer, name, line, raw

    def _given(self, raw: float) -> float:
        return raw if self.raw else self.scorer.normalise(raw)

    async def _texts(self, request: Request, given: Sequence[str], *, special: bool = False) -> tuple[list[float], int]:
        return await self.line.work(request, partial(text_scores, self.scorer, given, special=special))

    async def score(self, request: Request, body: Json) -> Json:
        """Our own form; null for a completion that does not fit the context."""
        check_model(body, self.name)
        try:
            asked = prompt(body.get("prompt"))
        except DataError as error:
            raise ApiError(str(error), param="prompt") from error
        completions = texts(body, "completions")
        raw = await self.line.work(request, lambda: self.scorer.score(asked, completions, raw=True))
        return {
            "model": self.name,
            "scores": [None if math.isnan(score) else self._given(score) for score in raw],
            "raw": [None if math.isnan(score) else score for score in raw],
            "mean": self.scorer.mean,
            "std": self.scorer.std,
        }

    async def get_reward(self, request: Request, body: Json) -> Json:
        """OpenRLHF's form; the texts hold their special tokens already."""
        raw, _ = await self._texts(request, texts(body, "query"))
        rewards = [self._given(score) for score in raw]
        return {"rewards": rewards, "scores": rewards, "extra_logs": {"raw_reward": raw}}

    async def classify(self, request: Request, body: Json) -> Json | list[Any]:
        """The form of vLLM, or of SGLang where there is ``text``."""
        if "text" in body:
            raw, _ = await self._texts(request, texts(body, "text"))
            return [{"embedding": [score]} for score in raw]
        raw, tokens = await self._engine(request, body)
        rows = [{"index": i, "label": LABEL, "probs": [score], "num_classes": 1} for i, score in enumerate(raw)]
        return self._listed("classify", rows, tokens)

    async def pooling(self, request: Request, body: Json) -> Json:
        """The form of vLLM."""
        if body.get("task", "classify") != "classify":
            raise ApiError("a reward model has only the task classify", param="task")
        raw, tokens = await self._engine(request, body)
        rows = [{"index": i, "object": "pooling", "data": [score]} for i, score in enumerate(raw)]
        return self._listed("pool", rows, tokens)

    async def _engine(self, request: Request, body: Json) -> tuple[list[float], int]:
        check_model(body, self.name)
        if body.get("messages") is not None:
            return await self._texts(request, [self._rendered(messages(body, "messages"))])
        return await self._texts(
            request, texts(body, "input"), special=body.get("add_special_tokens", True) is not False
        )

    def _rendered(self, said: Prompt) -> str:
        *before, last = said
        if last.role != "assistant":
            raise ApiError("the last message must be the assistant's, whose text is scored", param="messages")
        return render(self.scorer.tokenizer, tuple(before), last.content)

    def _listed(self, kind: str, rows: list[Json], tokens: int) -> Json:
        usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
        made = int(time.time())
        return {
            "id": f"{kind}-{made}",
            "object": "list",
            "created": made,
            "model": self.name,
            "data": rows,
            "usage": usage,
        }

    async def predict(self, request: Request, body: Json) -> list[Any]:
        """The form of text-embeddings-inference: one text, or several as lists of one text each."""
        given: Any = body.get("inputs")
        several = isinstance(given, list)
        flat = (
            [item[0] if isinstance(item, list) and len(item) == 1 else item for item in given] if several else [given]
        )
        raw, _ = await self._texts(request, texts({"inputs": flat}, "inputs"), special=True)
        rows = [[{"score": self._activated(score, body), "label": LABEL}] for score in raw]
        return rows if several else rows[0]

    async def rerank(self, request: Request, body: Json) -> list[Any]:
        """The form of text-embeddings-inference, best first; the query is a prompt of one user message."""
        query, candidates = body.get("query"), texts(body, "texts")
        if not isinstance(query, str):
            raise ApiError("query must be a text", param="query")
        asked = (Message("user", query),)
        raw = await self.line.work(request, lambda: self.scorer.score(asked, candidates, raw=True))
        if any(map(math.isnan, raw)):
            raise ApiError("a text does not fit the model's context", param="texts", code="context_length_exceeded")
        order = sorted(range(len(raw)), key=lambda index: -raw[index])
        told = body.get("return_text") is True
        return [
            {"index": i, "score": self._activated(raw[i], body), **({"text": candidates[i]} if told else {})}
            for i in order
        ]

    def _activated(self, score: float, body: Json) -> float:
        return score if body.get("raw_scores") is True else sigmoid(score)


def score_application(scorer: Scorer, name: str, *, raw: bool, waiting: int) -> Starlette:
    """The application around a reward model; see `Answers` and `Line` for its settings."""
    line = Line(waiting)
    answers = Answers(scorer, name, line, raw=raw)
    paths: dict[str, Answer] = {
        "/score": answers.score,
        "/get_reward": answers.get_reward,
        "/classify": answers.classify,
        "/pooling": answers.pooling,
        "/predict": answers.predict,
        "/rerank": answers.rerank,
    }
    model = {"id": name, "object": "model", "created": int(time.time()), "owned_by": "reward"}
    return application(paths, model | {"max_model_len": scorer.model.max_length}, line)
