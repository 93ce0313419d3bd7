"""Attention over packed rows without a dense mask: a causal block per prefix and tail, and tails × prefix.

A tail's query attends to two key blocks, its prefix and itself. Each block is computed by the stock flash kernel, which
also returns the log of its softmax denominator; outputs of blocks a and b are merged exactly by

    lse = log(exp(lse_a) + exp(lse_b)),   out = exp(lse_a − lse) · out_a + exp(lse_b − lse) · out_b

(FlashAttention, Dao et al. 2022, arXiv 2205.14135, section 3.1). Backward through each block uses the merged ``out``
and ``lse``: P = exp(QKᵀ − lse) is then the block's share of the full softmax, so its gradients simply add up, as in
ring attention (Liu et al. 2023, arXiv 2310.01889). It is written in matrix products, which take two thirds of the time
of the stock backward kernel on a CPU in bfloat16. No L × L mask is built and little is computed that is masked away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from reward.packing import Block

NAME = "shared_prefix"
UNSUPPORTED = ("softcap", "s_aux", "position_bias")
"""Keywords of attention variants that the blocks do not compute; a model that uses one takes the dense mask."""

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
CHUNK = 128
"""Queries whose gradients are computed together."""


def register() -> None:
    """Make the attention known to transformers under `NAME`; calls without blocks behave as "sdpa"."""
    ALL_ATTENTION_FUNCTIONS.register(NAME, shared_prefix_attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, sdpa_mask)


def shared_prefix_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    blocks: Sequence[Block] | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention function in the sense of transformers' AttentionInterface.

    Args:
        module: the attention layer.
        query: (1, H, L, D).
        key: (1, H_kv, L, D).
        value: (1, H_kv, L, D).
        attention_mask: unused where blocks are given.
        scaling: factor on the logits; by default 1/√D.
        dropout: must be 0 where blocks are given.
        blocks: layout of the row; None for ordinary inputs.
        **kwargs: what else the model passes on.

    Returns:
        (1, L, H, D), and None for the attention weights.

    Raises:
        NotImplementedError: blocks are given to a model whose attention is not plain softmax attention.
    """
    if blocks is None:
        plain: Tensor = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )[0]
        return plain, None
    if dropout or query.device.type != "cpu" or any(kwargs.get(name) is not None for name in UNSUPPORTED):
        raise NotImplementedError("this attention is not computed by blocks")
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    out: Tensor = _BlockAttention.apply(query, key, value, tuple(blocks), scaling)  # type: ignore[no-untyped-call]
    return out.transpose(1, 2).contiguous(), None


class _BlockAttention(torch.autograd.Function):
    """(1, H, L, D) × 3 → (1, H, L, D), with several blocks in a row; see the module's docstring."""

    @staticmethod
    def forward(  # noqa: PLR0917 (apply takes positions only)
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, blocks: tuple[Block, ...], scale: float | None
    ) -> Tensor:
        wide = torch.promote_types(query.dtype, torch.float32)
        out = torch.empty_like(query)
        lse = query.new_empty(query.shape[:3], dtype=wide)
        for rows in _causal_squares(blocks):
            out[:, :, rows], lse[:, :, rows] = _forward(
                query[:, :, rows], key[:, :, rows], value[:, :, rows], 0.0, True, scale=scale
            )
        for rows, columns in _rectangles(blocks):
            far, far_lse = _forward(
                query[:, :, rows], key[:, :, columns], value[:, :, columns], 0.0, False, scale=scale
            )
            near, near_lse = out[:, :, rows], lse[:, :, rows]
            total = torch.logaddexp(far_lse, near_lse)
            weight = (far_lse - total).exp_()[..., None]
            out[:, :, rows] = near.to(wide).lerp(far.to(wide), weight)
            lse[:, :, rows] = total
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.blocks, ctx.scale = blocks, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, out, lse = ctx.saved_tensors
        scale = query.shape[-1] ** -0.5 if ctx.scale is None else ctx.scale
        wide = torch.promote_types(query.dtype, torch.float32)
        scaled = query * scale
        delta = (grad.to(wide) * out.to(wide)).sum(dim=-1, keepdim=True)
        d_query = torch.zeros_like(query, dtype=wide)
        d_key, d_value = torch.zeros_like(d_query), torch.zeros_like(d_query)
        for rows, columns in _chunks(ctx.blocks):
            queries, keys, grads = scaled[:, :, rows], key[:, :, columns], grad[:, :, rows]
            share = torch.matmul(queries, keys.mT).to(wide).sub_(lse[:, :, rows, None]).exp_()
            if columns.stop == rows.stop:  # of its own block, a query sees only what is not after it
                share.tril_(rows.start - columns.start)
            d_value[:, :, columns] += torch.matmul(share.to(grad.dtype).mT, grads)
            d_logits = torch.matmul(grads, value[:, :, columns].mT).to(wide).sub_(delta[:, :, rows]).mul_(share)
            d_logits = d_logits.to(grad.dtype)
            d_query[:, :, rows] += torch.matmul(d_logits, keys)
            d_key[:, :, columns] += torch.matmul(d_logits.mT, queries)
        return (d_query * scale).to(query.dtype), d_key.to(key.dtype), d_value.to(value.dtype), None, None


def _chunks(blocks: Sequence[Block]) -> Iterator[tuple[slice, slice]]:
    """(queries, keys) of all blocks, at most `CHUNK` queries each; of a causal block only keys up to the last query.

    A matrix of so many queries stays in the cache while its elements are worked on.
    """
    for square in _causal_squares(blocks):
        for start in range(square.start, square.stop, CHUNK):
            stop = min(start + CHUNK, square.stop)
            yield slice(start, stop), slice(square.start, stop)
    for rows, columns in _rectangles(blocks):
        for start in range(rows.start, rows.stop, CHUNK):
            yield slice(start, min(start + CHUNK, rows.stop)), columns


def _causal_squares(blocks: Sequence[Block]) -> list[slice]:
    """Every prefix and every tail with itself; together they cover each row index once."""
    squares: list[slice] = []
    for block in blocks:
        bounds = list(accumulate((block.prefix, *block.tails), initial=block.start))
        squares += [slice(a, b) for a, b in pairwise(bounds) if b > a]
    return squares


def _rectangles(blocks: Sequence[Block]) -> list[tuple[slice, slice]]:
    """All tails of a block (queries) with its prefix (keys)."""
    return [(slice(b.tail_start, b.end), slice(b.start, b.tail_start)) for b in blocks if b.prefix]
