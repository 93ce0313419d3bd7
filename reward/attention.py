"""Attention over packed rows without an L × L mask: every group is worked off in tiles of a few queries.

A tile is up to `ROWS` consecutive queries of one group with all the keys that any of them sees: first those that every
query sees (the prefix, or what of it lies before the tile), then those that a small mask sorts out (the tile itself)::

    keys        prefix        tail 1   tail 2
    queries   ┌ ▙░░░░░░░░ ┐
    prefix    │ ██▙░░░░░░ │   tile 1: own keys under a triangle
              ├───────────┤
    tail 1    │ ████▙░░░░ │   tile 2: the prefix whole, then own keys under a triangle per tail
    tail 2    │ ████░░▙░░ │
              └───────────┘

A tile's logits fit the cache, so softmax and its derivative are one pass each over them, and query heads that share a
key head (GQA) are rows of one matrix product. Backward computes the softmax again rather than keep it: memory grows
with the number of tokens, not with its square. What it computes is softmax(QKᵀ·scale)V and its exact derivative.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from reward.packing import Block

NAME = "shared_prefix"
UNSUPPORTED = ("softcap", "s_aux", "position_bias")
"""Keywords of attention variants that the tiles do not compute; a model that uses one takes the dense mask."""
ROWS = 128
"""Queries of a tile."""


@dataclass(frozen=True)
class Tile:
    """Indices into a packed row.

    Attributes:
        rows: the queries, as indices into the queries at hand.
        seen: keys that every one of them sees; maybe none.
        own: keys that some of them see.
        tails: where a new tail begins among ``own``, as indices into the row.
        at: where the queries stand in the row; at ``rows`` where all are at hand.
    """

    rows: slice
    seen: slice
    own: slice
    tails: tuple[int, ...]
    at: Sequence[int]

    def visible(self) -> Tensor:
        """(rows, own) bool, True where the query sees the key."""
        queries = torch.tensor(self.at)[:, None]
        keys = torch.arange(self.own.start, self.own.stop)[None]
        bounds = torch.tensor(self.tails, dtype=torch.int64)
        tail_of_query, tail_of_key = (torch.bucketize(index, bounds, right=True) for index in (queries, keys))
        return (keys <= queries) & ((tail_of_key == 0) | (tail_of_key == tail_of_query))


@dataclass(frozen=True, eq=False)
class Tiling:
    """The tiles of one packed row, which all layers share, and their masks, made once per number format.

    Attributes:
        tiles: they hold every query once.
        asked: (U,) int64, ascending: where the queries stand in the row, if they are not all of it.
        last: what the last layer takes instead where only some of its states are asked for.
    """

    tiles: tuple[Tile, ...]
    asked: Tensor | None = None
    last: Tiling | None = None
    _masks: dict[tuple[torch.dtype, int], list[Tensor]] = field(default_factory=dict)

    def masks(self, dtype: torch.dtype, heads: int) -> list[Tensor]:
        """Per tile (rows · heads, own): 0 where the query sees the key, else −inf; a query's heads side by side."""
        if (dtype, heads) not in self._masks:
            seen = [each.visible().repeat_interleave(heads, dim=0) for each in self.tiles]
            self._masks[dtype, heads] = [torch.zeros(v.shape, dtype=dtype).masked_fill_(~v, -torch.inf) for v in seen]
        return self._masks[dtype, heads]


def tile(blocks: Sequence[Block]) -> Tiling:
    """The tiles of a row that is made of these blocks."""
    tiles = []
    for block in blocks:
        tails = tuple(accumulate(block.tails, initial=block.tail_start))[:-1]
        for start in range(block.start, block.end, ROWS):
            rows = slice(start, min(start + ROWS, block.end))
            if start < block.tail_start:
                tiles.append(Tile(rows, slice(block.start, start), rows, tails, range(rows.start, rows.stop)))
            else:
                first = max(tail for tail in tails if tail <= start)
                seen, own = slice(block.start, block.tail_start), slice(first, rows.stop)
                tiles.append(Tile(rows, seen, own, tails, range(rows.start, rows.stop)))
    return Tiling(tuple(tiles))


def ask(tiling: Tiling, asked: Tensor) -> Tiling:
    """The tiling with a last layer of which only the states at some places (U,), in ascending order, are asked for."""
    places, tiles, start = asked.tolist(), [], 0
    for part in tiling.tiles:
        stop = bisect_left(places, part.rows.stop)
        if start < stop:
            tiles.append(replace(part, rows=slice(start, stop), at=places[start:stop]))
        start = stop
    return replace(tiling, last=Tiling(tuple(tiles), asked))


def attend(query: Tensor, key: Tensor, value: Tensor, tiling: Tiling) -> Tensor:
    """softmax(QKᵀ)V, every query over the keys that it sees.

    Args:
        query: (H_kv, L, G, D), times the scale; G query heads share a key head.
        key: (H_kv, L, D).
        value: (H_kv, L, D).
        tiling: of the row.

    Returns:
        (H_kv, L, G, D).
    """
    out = torch.empty_like(query)
    for part, mask in zip(tiling.tiles, tiling.masks(query.dtype, query.shape[2]), strict=True):
        share = _share(_rows(query, part), _columns(key, part), mask)
        _rows(out, part)[:] = torch.bmm(share, _columns(value, part))
    return out


def attend_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, tiling: Tiling
) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives by query, key and value of `attend`, given that by its result (H_kv, L, G, D).

    Returns:
        (H_kv, L, G, D) and twice (H_kv, L, D), the latter in float32 at least.
    """
    wide = torch.promote_types(query.dtype, torch.float32)
    d_query = torch.empty_like(query)
    d_key, d_value = torch.zeros_like(key, dtype=wide), torch.zeros_like(value, dtype=wide)
    for part, mask in zip(tiling.tiles, tiling.masks(query.dtype, query.shape[2]), strict=True):
        queries, grads, keys = _rows(query, part), _rows(grad, part), _columns(key, part)
        share = _share(queries, keys, mask)
        _add_columns(d_value, part, torch.bmm(share.mT, grads))
        d_share = torch.bmm(grads, _columns(value, part).mT)
        d_logits = torch._softmax_backward_data(d_share, share, -1, share.dtype)
        _rows(d_query, part)[:] = torch.bmm(d_logits, keys)
        _add_columns(d_key, part, torch.bmm(d_logits.mT, queries))
    return d_query, d_key, d_value


def _share(queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    """(H_kv, rows · G, keys): how each query's attention is spread."""
    logits = torch.bmm(queries, keys.mT)
    logits[..., -mask.shape[1] :] += mask
    return torch.softmax(logits, dim=-1)


def _rows(tensor: Tensor, part: Tile) -> Tensor:
    """The part (H_kv, rows · G, D) of (H_kv, L, G, D), which shares its memory."""
    return tensor[:, part.rows].view(len(tensor), -1, tensor.shape[-1])


def _columns(tensor: Tensor, part: Tile) -> Tensor:
    """(H_kv, seen + own, D) of (H_kv, L, D)."""
    if part.seen.stop == part.own.start:
        return tensor[:, part.seen.start : part.own.stop]
    return torch.cat((tensor[:, part.seen], tensor[:, part.own]), dim=1)


def _add_columns(total: Tensor, part: Tile, values: Tensor) -> None:
    """Add (H_kv, seen + own, D) at the tile's keys to (H_kv, L, D)."""
    size = part.seen.stop - part.seen.start
    total[:, part.seen] += values[:, :size]
    total[:, part.own] += values[:, size:]


class _TiledAttention(torch.autograd.Function):
    """(H_kv, L, G, D), (H_kv, L, D), (H_kv, L, D) → (H_kv, L, G, D)."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, tiling: Tiling) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.tiling = tiling
        return attend(query, key, value, tiling)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value = ctx.saved_tensors
        d_query, d_key, d_value = attend_backward(grad.contiguous(), query, key, value, ctx.tiling)
        return d_query, d_key.to(key.dtype), d_value.to(value.dtype), None


def register() -> None:
    """Make the attention known to transformers under `NAME`; calls without a tiling behave as "sdpa"."""
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
    tiling: Tiling | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention function in the sense of transformers' AttentionInterface.

    Args:
        module: the attention layer.
        query: (1, H, L, D).
        key: (1, H_kv, L, D).
        value: (1, H_kv, L, D).
        attention_mask: unused where a tiling is given.
        scaling: factor on the logits; by default 1/√D.
        dropout: must be 0 where a tiling is given.
        tiling: of the packed row; None for ordinary inputs.
        **kwargs: what else the model passes on.

    Returns:
        (1, L, H, D), and None for the attention weights.

    Raises:
        NotImplementedError: a tiling is given to a model whose attention is not plain softmax attention.
    """
    if tiling is None:
        plain: Tensor = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )[0]
        return plain, None
    if dropout or query.device.type != "cpu" or any(kwargs.get(name) is not None for name in UNSUPPORTED):
        raise NotImplementedError("this attention is not computed in tiles")
    scaled = query[0] * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        scaled, key, value = scaled.to(dtype), key.to(dtype), value.to(dtype)
    by_key_head = scaled.view(key.shape[1], -1, *scaled.shape[1:]).transpose(1, 2).contiguous()
    out: Tensor = _TiledAttention.apply(by_key_head, key[0], value[0], tiling)  # type: ignore[no-untyped-call]
    return out.transpose(0, 1).flatten(1, 2)[None].contiguous(), None
