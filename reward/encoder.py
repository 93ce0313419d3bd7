"""Texts → vectors of fixed length, from any encoder or decoder of transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from labeler.errors import ModelError
from labeler.records import Prompt
from reward.base import identity, load_tokenizer, quiet, resolve
from reward.config.embed import Pooling
from reward.embeddings import Vectors
from reward.progress import Progress
from reward.tokenizer import context_length

TOKENS = 8192
"""Tokens that the model reads at once, padding included."""


class TextEncoder:
    """Embeds texts; load one with `load`.

    Args:
        model: backbone without a head.
        tokenizer: its own.
        pooling: how the hidden states of a text become one vector.
        max_length: tokens of a text that count; the rest is cut off.
        origin: what is known about the base model, and by which name it was asked for.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        pooling: Pooling,
        max_length: int,
        origin: dict[str, str],
    ) -> None:
        self.model, self.tokenizer, self.pooling, self.max_length = model.eval(), tokenizer, pooling, max_length
        self.recipe: dict[str, Any] = {"base": origin, "pooling": pooling, "max_length": max_length}

    @classmethod
    def load(cls, name: str, *, pooling: Pooling = "mean", max_length: int = 256, device: str = "auto") -> Self:
        """The encoder of a base model by name, as `reward.base.resolve` finds it.

        Raises:
            ModelError: it cannot be loaded.
        """
        folder = resolve(name)
        tokenizer = load_tokenizer(folder)
        model = _backbone(folder)
        on = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        limit = context_length(model.config, tokenizer, max_length)
        origin = {"asked": name, **identity(name, folder).to_json()}
        return cls(model.to(on), tokenizer, pooling, limit, origin)

    def embed(self, texts: Sequence[str], progress: Progress, *, stage: str = "embed") -> Vectors:
        """(N, d) vectors of length 1, in the order of the texts; texts of like length are read together."""
        rows: list[list[int]] = (
            self.tokenizer(list(texts), truncation=True, max_length=self.max_length, padding=False)["input_ids"]
            if texts
            else []
        )
        width = self.model.config.get_text_config().hidden_size
        found = np.zeros((len(rows), width), dtype=np.float32)
        with torch.inference_mode(), progress.stage(stage, total=len(rows)) as bar:
            done = 0
            for batch in batches([len(row) for row in rows], TOKENS):
                found[batch] = self._read([rows[k] for k in batch]).cpu().numpy()
                done += len(batch)
                bar.step(done)
        return found

    def cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than what counts."""
        rows = self.tokenizer(list(texts), truncation=False, padding=False, verbose=False)["input_ids"] if texts else []
        return sum(len(row) > self.max_length for row in rows)

    def _read(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """(T, d) vectors of one batch of token ids, padded on the right."""
        device = next(self.model.parameters()).device
        longest = max(1, *(len(row) for row in rows))
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for row, (values, seen) in zip(rows, zip(ids, mask, strict=True), strict=True):
            values[: len(row)] = torch.as_tensor(row, dtype=torch.long)
            seen[: len(row)] = 1
        ids, mask = ids.to(device), mask.to(device)
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        return torch.nn.functional.normalize(pool(hidden, mask, self.pooling), dim=-1)


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """(T, d) one vector per text from its hidden states.

    "mean" is the rule of sentence encoders (Reimers & Gurevych 2019, arXiv 1908.10084, section 3).

    Args:
        hidden: (T, L, d).
        mask: (T, L), 1 for a token, 0 for padding, which is on the right.
        pooling: "mean" over the tokens, or the state of the "first" or "last" one.
    """
    if pooling == "first":
        return hidden[:, 0]
    if pooling == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), (mask.sum(dim=1) - 1).clamp(min=0)]
    weight = mask[:, :, None].to(hidden.dtype)
    return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Indices in order of length, longest first, cut so that each batch has at most so many tokens when padded."""
    order = sorted(range(len(lengths)), key=lambda k: -lengths[k])
    start = 0
    while start < len(order):
        size = max(1, tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def conversation(prompt: Prompt) -> str:
    """The text of a prompt: a single message as it is, several each with their role."""
    if len(prompt) == 1:
        return prompt[0].content
    return "\n".join(f"{message.role}: {message.content}" for message in prompt)


def _backbone(folder: Path) -> PreTrainedModel:
    try:
        with quiet():
            model: PreTrainedModel = AutoModel.from_pretrained(folder, dtype=torch.float32)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"{folder} cannot be loaded as an encoder or decoder: {error}") from error
    return model
