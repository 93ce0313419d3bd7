"""The ways in which a model reads packed rows, and which of them is right for it, found by trying.

Whoever wraps a model (a reward model, a language model, the roles of PPO) chooses here: it brings how it is switched
and what it makes of a made-up probe, and gets the first way that agrees with reading every sequence for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from reward import attention, fused
from reward.chat import ChatRow
from reward.data import EncodedGroup
from reward.packing import PackedRow, dense_mask

Mode = Literal["fused", "tiles", "dense", "padded"]
"""Fused layers, stock layers with attention in tiles, with a dense mask, or every sequence for itself."""
HERE: tuple[Mode, ...] = ("fused", "tiles", "dense")
"""What is tried on a CPU, fastest first; other devices have their own kernels for a dense mask."""
TOLERANCE = 1e-4
"""What a self-check compares may differ by so much between two ways of reading, relative to its size."""
ROUGH = 0.1
"""The same in half precision."""
WHOLE = 10**9
"""A budget of tokens that nothing exceeds."""


def switch(model: PreTrainedModel, before: Mode, mode: Mode) -> None:
    """Make a model ready to read in another way.

    Raises:
        NotImplementedError: "fused", and the layers are not of the kind that is known.
    """
    if before == "fused":
        fused.unfuse(model)
    if mode == "fused":
        fused.fuse(model)
    model.set_attn_implementation(attention.NAME if mode in ("fused", "tiles") else "sdpa")


def choose(
    model: PreTrainedModel,
    longest: int,
    use: Callable[[Mode], None],
    read: Callable[[], Tensor],
    *,
    hooks: bool = False,
) -> None:
    """Put a model into the first way of reading that gives what separate sequences give; "padded" always does.

    Tried on a small made-up probe rather than looked up by the model's name. A sliding window that the longest sequence
    exceeds would not show there, so it is asked for.

    Args:
        model: what reads; a decoder.
        longest: tokens of the longest sequence that it will be given.
        use: puts it into a way of reading.
        read: what it makes of the probe in its present way, of any shape.
        hooks: its layers must run hooks, which fused ones do not.
    """
    text = model.config.get_text_config()
    window = getattr(text, "sliding_window", None) if getattr(text, "use_sliding_window", True) else None
    use("padded")
    if window and window < longest:
        return
    attention.register()
    modes = HERE if model.device.type == "cpu" else HERE[-1:]
    tolerance = TOLERANCE if model.dtype == torch.float32 else ROUGH
    with torch.no_grad():
        expected = read()
        if not any(_agrees(mode, use, read, expected, tolerance) for mode in modes if not (hooks and mode == "fused")):
            use("padded")


def _agrees(
    mode: Mode, use: Callable[[Mode], None], read: Callable[[], Tensor], expected: Tensor, tolerance: float
) -> bool:
    """Whether this way gives the probe what is expected; the model is in it then."""
    try:
        use(mode)
        found = read()
    except torch.OutOfMemoryError:
        raise
    except (NotImplementedError, RuntimeError, ValueError, TypeError, AttributeError):  # how models refuse such inputs
        return False
    return close(found, expected, tolerance)


def read_row(model: PreTrainedModel, mode: Mode, row: PackedRow) -> Tensor:
    """(1, L, d) what the backbone makes of a row; "padded" reads it as one plain sequence."""
    return _last_states(model, row, mask_of(mode, row))


def read_states(model: PreTrainedModel, mode: Mode, row: PackedRow, read_at: Tensor) -> Tensor:
    """(P, d) what the backbone makes of a row at P places; fused layers compute nothing else in the last one."""
    if mode != "fused":
        return read_row(model, mode, row)[0, read_at]
    asked, place = torch.unique(read_at, return_inverse=True)
    mask = mask_of(mode, row)
    hidden = _last_states(model, row, mask | {"tiling": attention.ask(mask["tiling"], asked)})[0]
    return hidden[place if len(hidden) == len(asked) else read_at]  # a model may have lost its last layer since


def _last_states(model: PreTrainedModel, row: PackedRow, mask: dict[str, Any]) -> Tensor:
    backbone = getattr(model, model.base_model_prefix)
    hidden: Tensor = backbone(
        input_ids=row.input_ids, position_ids=row.position_ids, use_cache=False, **mask
    ).last_hidden_state
    return hidden


def mask_of(mode: Mode, row: PackedRow | ChatRow) -> dict[str, Any]:
    """What tells a model in this way of reading which tokens see which."""
    if mode == "padded":
        return {}
    if mode == "dense":
        return {"attention_mask": dense_mask(row)}
    # A mask of four axes is passed on as it is; an empty one keeps transformers from building one.
    return {"attention_mask": row.input_ids.new_empty(1, 1, 0, 0), "tiling": attention.tile(row.blocks)}


def close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether values (any shape) are the expected ones up to a tolerance, relative where they are over 1."""
    return bool((found - expected).abs().max() <= tolerance * max(1.0, float(expected.abs().max())))


def probe_group(vocabulary: int, pad_id: int) -> EncodedGroup:
    """A made-up group of a prefix and three tails of different lengths."""
    ids = np.random.default_rng(0).integers(0, vocabulary, size=27).astype(np.int32)
    ids[ids == pad_id] = (pad_id + 1) % vocabulary
    return EncodedGroup("probe", (0, 1, 2), ids[:11], (ids[11:18], ids[18:19], ids[19:27]), (), ())
