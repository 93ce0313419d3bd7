"""Reading completions token by token: log-probabilities and values at every token of packed rows.

A row holds the prompt once and its completions behind it (`reward.packing`). What a token is predicted from stands at
the token before it; for the first token of every completion of a prompt that is the prompt's last one::

    row       [ p₁ p₂ p₃ | a₁ a₂ a₃ | b₁ b₂ ]
    token                  a₁ a₂ a₃   b₁ b₂
    read at                p₃ a₁ a₂   p₃ b₁

Logits are computed at these places alone, a few hundred at a time, and not kept for backward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from reward import rl
from reward.data import EncodedGroup
from reward.frozen import Cut
from reward.packing import PackedRow, pack
from reward.reading import WHOLE, Mode, choose, probe_group, read_row, read_states, switch

CHUNK = 256
"""Tokens whose logits are held at once."""


@dataclass(frozen=True, eq=False)
class Places:
    """The P completion tokens of a row.

    Attributes:
        read_at: (P,) int64, index into the row of the state that each is predicted from.
        ids: (P,) int64, the tokens.
        tail: (P,) int64, which of the row's tails each belongs to.
        step: (P,) int64, its place within the tail, from 0.
    """

    read_at: Tensor
    ids: Tensor
    tail: Tensor
    step: Tensor


def places(row: PackedRow) -> Places:
    """Where the completion tokens of a row are predicted from; the prefix of every block has at least one token."""
    read_at: list[int] = []
    own: list[int] = []
    tail: list[int] = []
    step: list[int] = []
    number = 0
    for block in row.blocks:
        start = block.tail_start
        for length in block.tails:
            read_at += [block.tail_start - 1, *range(start, start + length - 1)]
            own += range(start, start + length)
            tail += [number] * length
            step += range(length)
            start, number = start + length, number + 1
    device = row.input_ids.device
    index = [torch.tensor(each, dtype=torch.int64, device=device) for each in (read_at, own, tail, step)]
    return Places(index[0], row.input_ids[0, index[1]], index[2], index[3])


class Reader:
    """Reads packed rows through the backbone of a decoder, in the first way that agrees with separate sequences.

    Args:
        model: a causal language model or a sequence classifier; changed as `reward.reading.switch` does.
        longest: tokens of the longest sequence that it will be given.
        cut: where only upper layers are trained; rows then carry what the lower ones made of them.
    """

    def __init__(self, model: PreTrainedModel, longest: int, cut: Cut | None = None) -> None:
        self.model, self.cut = model, cut
        self.mode: Mode = "padded"
        probe = [probe_group(model.config.get_text_config().vocab_size, pad_id=-1)]
        choose(model, longest, self.use, lambda: torch.cat([self._at_tokens(row) for row in self.rows(probe, WHOLE)]))

    def use(self, mode: Mode) -> None:
        """Read in this way from now on; see `reward.reading.switch`."""
        switch(self.model, self.mode, mode)
        self.mode = mode

    def rows(self, groups: Sequence[EncodedGroup], budget: int) -> list[PackedRow]:
        """All completions of B groups as rows of about ``budget`` tokens on the model's device."""
        rows = pack(groups, budget) if self.mode != "padded" else _one_by_one(groups)
        return [row.to(self.model.device) for row in rows]

    def with_states(self, row: PackedRow) -> PackedRow:
        """The row with what this model's frozen layers make of it, where it has such."""
        if self.cut is None:
            return row
        return replace(row, states=self.cut.states(row, lambda r: read_row(self.model, self.mode, r)))

    def states(self, row: PackedRow, read_at: Tensor) -> Tensor:
        """(P, d) last states of a row at P places."""
        skipped = self.cut.skipped(row.states) if self.cut and row.states is not None else nullcontext()
        with skipped:
            return read_states(self.model, self.mode, row, read_at)

    def _at_tokens(self, row: PackedRow) -> Tensor:
        """(P, d) states that the completion tokens of a row are predicted from."""
        return read_states(self.model, self.mode, row, places(row).read_at).float()


def _one_by_one(groups: Sequence[EncodedGroup]) -> list[PackedRow]:
    """Every completion with its prompt in a row of its own, for models that cannot share the prompt."""
    return [
        replace(pack([replace(group, kept=(0,), tails=(tail,))], WHOLE)[0], owners=((index, k),))
        for index, group in enumerate(groups)
        for k, tail in enumerate(group.tails)
    ]


def token_log_probs(head: nn.Module, hidden: Tensor, ids: Tensor, ends: Tensor, temperature: float = 1.0) -> Tensor:
    """Log-probability of each token.

    All tokens that end a completion are one event: which of them was drawn leaves no trace in the text.

    Args:
        head: hidden states (…, d) → logits (…, V).
        hidden: (P, d) states that the tokens are predicted from.
        ids: (P,) int64 tokens.
        ends: (E,) int64 tokens that end a completion.
        temperature: divides the logits.

    Returns:
        (P,) float32, in nats.
    """

    def chunk(states: Tensor, tokens: Tensor) -> Tensor:
        return _chosen(_log_softmax(head(states), temperature), tokens, ends)

    if not torch.is_grad_enabled():
        return _chunked(chunk, hidden, ids)
    if type(head) is nn.Linear and head.bias is None and not head.weight.requires_grad:
        found: Tensor = _FrozenHead.apply(hidden, head.weight, ids, ends, temperature)
        return found
    return _chunked(lambda *piece: checkpoint(chunk, *piece, use_reentrant=False), hidden, ids)


@torch.no_grad()
def log_probs_and_entropy(
    head: nn.Module, hidden: Tensor, ids: Tensor, ends: Tensor, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """The same without gradient, and the entropy (P,) in nats of the distribution that each token was drawn from."""

    def chunk(states: Tensor, tokens: Tensor) -> Tensor:
        log_probs = _log_softmax(head(states), temperature)
        return torch.stack([_chosen(log_probs, tokens, ends), rl.entropy(log_probs)], dim=1)

    both = _chunked(chunk, hidden, ids)
    return both[:, 0], both[:, 1]


class _FrozenHead(torch.autograd.Function):
    """`token_log_probs` where the weight W (V, d) of the head does not learn.

    A token's log-probability then moves its state by (w_x − Σ_v p_v w_v) / temperature, whatever is made of it later;
    so that is kept, (P, d), rather than the logits, which need neither be kept nor computed again. Of several tokens
    that are one event, w_x is the mean by their probabilities.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 (apply takes positions only)
        ctx: Any, hidden: Tensor, weight: Tensor, ids: Tensor, ends: Tensor, temperature: float
    ) -> Tensor:
        kind = hidden.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        matrix = weight.to(dtype)

        def chunk(states: Tensor, tokens: Tensor) -> Tensor:
            log_probs = _log_softmax(torch.mm(states.to(dtype), matrix.T), temperature)
            ended = torch.isin(tokens, ends)
            among = torch.softmax(log_probs[ended][:, ends], dim=-1)
            found = _chosen(log_probs, tokens, ends)
            pulls = matrix[tokens].float()
            pulls[ended] = among @ matrix[ends].float()
            pulls -= torch.mm(log_probs.exp_().to(dtype), matrix).float()
            return torch.cat([found[:, None], pulls / temperature], dim=1)

        with torch.autocast(kind, enabled=False):
            both = _chunked(chunk, hidden, ids)
        ctx.save_for_backward(both[:, 1:])
        ctx.dtype = hidden.dtype
        return both[:, 0].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (pulls,) = ctx.saved_tensors
        return (grad[:, None] * pulls).to(ctx.dtype), None, None, None, None


def _chunked(chunk: Callable[[Tensor, Tensor], Tensor], hidden: Tensor, ids: Tensor) -> Tensor:
    """What ``chunk`` makes of states (P, d) and tokens (P,), some at a time."""
    return torch.cat([chunk(*piece) for piece in zip(torch.split(hidden, CHUNK), torch.split(ids, CHUNK), strict=True)])


def _log_softmax(logits: Tensor, temperature: float) -> Tensor:
    """(P, V) float32."""
    return torch.log_softmax(logits if temperature == 1.0 else logits / temperature, dim=-1, dtype=torch.float32)


def _chosen(log_probs: Tensor, ids: Tensor, ends: Tensor) -> Tensor:
    """(P,) of (P, V) at tokens (P,), tokens that end a completion as one event."""
    chosen = log_probs.gather(1, ids[:, None])[:, 0]
    return torch.where(torch.isin(ids, ends), log_probs[:, ends].logsumexp(dim=-1), chosen)
