"""What the head of a reward model reads: the last-layer features of completions, caught in the pass that scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reward.bootstrap import Floats
from reward.data import EncodedGroup
from reward.model import RewardModel, head
from reward.packing import Inputs, PackedRow


def score_and_features(
    model: RewardModel, encoded: Sequence[EncodedGroup], budget: int
) -> tuple[list[list[float]], list[Floats]]:
    """Raw scores of the kept completions of each group, and the features (K, d) that they are a linear function of.

    Args:
        model: the reward model.
        encoded: G groups.
        budget: tokens per input.
    """
    scores = [[math.nan] * len(group.kept) for group in encoded]
    width = head(model.classifier).in_features
    features = [np.full((len(group.kept), width), np.nan, dtype=np.float64) for group in encoded]
    with torch.inference_mode(), head_inputs(model) as caught:
        for inputs in model.inputs(encoded, budget):
            values = model(inputs.to(model.device)).tolist()
            rows = at_ends(caught.pop(), inputs).float().cpu().numpy()
            for (group, k), value, row in zip(inputs.owners, values, rows, strict=True):
                scores[group][k], features[group][k] = value, row
    return scores, features


@contextmanager
def head_inputs(model: RewardModel) -> Iterator[list[Tensor]]:
    """A list to which every pass of the model adds what its head was given."""
    caught: list[Tensor] = []

    def catch(_module: torch.nn.Module, given: tuple[Any, ...]) -> None:
        caught.append(given[0])

    handle = head(model.classifier).register_forward_pre_hook(catch)
    try:
        yield caught
    finally:
        handle.remove()


def at_ends(given: Tensor, inputs: Inputs) -> Tensor:
    """(T, d) what the head was given for each completion; a padded decoder gives it every position (T, L, d)."""
    if given.ndim == 2 or isinstance(inputs, PackedRow):
        return given
    last = inputs.attention_mask.sum(dim=1) - 1  # padding is on the right
    return given[torch.arange(len(given), device=given.device), last.to(given.device)]
