"""The ways in which a model reads packed rows, and what is needed to try whether one of them is right."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from reward import attention, fused
from reward.data import EncodedGroup
from reward.packing import PackedRow, dense_mask

Mode = Literal["fused", "tiles", "dense", "padded"]
"""Fused layers, stock layers with attention in tiles, with a dense mask, or every sequence for itself."""
TOLERANCE = 1e-4
"""What a self-check compares may differ by so much between two ways of reading, relative to its size."""
ROUGH = 0.1
"""The same in half precision."""


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


def read_row(model: PreTrainedModel, mode: Mode, row: PackedRow) -> Tensor:
    """(1, L, d) what the backbone makes of a row; "padded" reads it as one plain sequence."""
    backbone = getattr(model, model.base_model_prefix)
    hidden: Tensor = backbone(
        input_ids=row.input_ids, position_ids=row.position_ids, use_cache=False, **_mask(mode, row)
    ).last_hidden_state
    return hidden


def _mask(mode: Mode, row: PackedRow) -> dict[str, Any]:
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
