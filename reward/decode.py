"""Reading prompts once and going on from them token by token: what `reward.sampling` needs of a model.

`StockDecoder` runs any causal language model of transformers as it is. `reward.decode_shared` is several times as fast
for models with Llama's layers. `choose_decoder` takes the fast one where it gives the same probabilities, which it
tries on the very prompt that is to be read, with the weights as they are now.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from reward.decode_shared import SharedDecoder
from reward.llama_parts import plain_model

TOLERANCE = 1e-3
"""Total variation distance between the next token's probabilities of two ways of reading, in float32."""
ROUGH = 0.1
"""The same in half precision."""
CHECKED = 32
"""Tokens of a prompt that the check reads."""


class Decoder(Protocol):
    """A model that goes on from prompts; the rows of a batch are the copies of the first prompt, then of the next."""

    mixes_lengths: bool
    """Whether prompts of different lengths may be in one batch."""

    def prefill(self, prompts: Sequence[Sequence[int]], copies: Sequence[int], room: int) -> Tensor:
        """Begin a batch; returns the logits (rows, V) of each row's first new token, equal within a prompt.

        Args:
            prompts: token ids, each prompt at least one.
            copies: rows of each prompt.
            room: tokens that each row may go on by.
        """
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Add a token (rows,) to every row; returns the logits (rows, V) of the next one."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Only these rows go on; indices in rising order."""
        ...


class StockDecoder:
    """Any causal language model as transformers runs it: prompts padded on the left, one copy of the cache per row."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model, self._device = model, model.device
        self.mixes_lengths = "position_ids" in inspect.signature(plain_model(model).forward).parameters

    def prefill(self, prompts: Sequence[Sequence[int]], copies: Sequence[int], room: int) -> Tensor:
        """See `Decoder.prefill`."""
        longest = max(map(len, prompts))
        ids = torch.zeros(len(prompts), longest, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        repeats = torch.tensor(copies, device=self._device)
        self._mask = None if mask.all() else mask
        self._positions = mask.sum(1).repeat_interleave(repeats)
        self._cache = DynamicCache(config=self._model.config)
        logits = self._read(ids, (mask.cumsum(1) - 1).clamp(min=0))
        for layer in self._cache.layers:
            layer.batch_select_indices(torch.arange(len(prompts), device=self._device).repeat_interleave(repeats))
        if self._mask is not None:
            self._mask = self._mask.repeat_interleave(repeats, dim=0)
        return logits.repeat_interleave(repeats, dim=0)

    def step(self, tokens: Tensor) -> Tensor:
        """See `Decoder.step`."""
        if self._mask is not None:
            self._mask = torch.cat((self._mask, self._mask.new_ones(len(tokens), 1)), dim=1)
        logits = self._read(tokens[:, None], self._positions[:, None])
        self._positions += 1
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """See `Decoder.keep`."""
        kept = torch.tensor(rows, device=self._device)
        self._cache.batch_select_indices(kept)
        self._positions = self._positions[kept]
        self._mask = None if self._mask is None else self._mask[kept]

    def _read(self, ids: Tensor, positions: Tensor) -> Tensor:
        """(rows, L) token ids at (rows, L) positions → (rows, V) logits after the last of them."""
        placed: dict[str, Any] = {} if self._mask is None else {"position_ids": positions}
        logits: Tensor = self._model(
            ids, attention_mask=self._mask, past_key_values=self._cache, use_cache=True, logits_to_keep=1, **placed
        ).logits
        return logits[:, -1]


def choose_decoder(model: PreTrainedModel, prompt: Sequence[int]) -> Decoder:
    """The fastest decoder that gives this prompt's next token the probabilities that the model itself gives it."""
    stock = StockDecoder(model)
    try:
        shared = SharedDecoder(model)
        return shared if _agrees(shared, stock, [*prompt, *prompt][-CHECKED:]) else stock
    except torch.OutOfMemoryError:
        raise
    except (NotImplementedError, RuntimeError):  # how models, and products of unusual number formats, refuse
        return stock


def _agrees(shared: SharedDecoder, stock: StockDecoder, prompt: Sequence[int]) -> bool:
    """Whether the last token of a prompt (at least two), read in a step of its own, leads to the same probabilities."""
    expected = torch.softmax(stock.prefill([prompt], [1], 1).float(), dim=-1)
    shared.prefill([prompt[:-1]], [2], 1)
    found = torch.softmax(shared.step(torch.tensor([prompt[-1]] * 2, device=expected.device)).float(), dim=-1)
    distance = (found - expected).abs().sum(-1).max() / 2
    return bool(distance <= (TOLERANCE if shared.dtype == torch.float32 else ROUGH))
