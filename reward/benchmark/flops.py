"""How much a model was given to read, and how many floating-point operations that takes at least.

A token costs two operations per matrix weight in the forward pass; a query that sees a key costs two products as long
as all heads are wide, one for the score and one for the value; the backward pass takes twice the forward pass::

    forward            2 N T + 4 L d A
    forward, backward  6 N T + 12 L d A

T tokens read, padding included; A visible (query, key) pairs; N weights of trained matrices outside the embeddings; L
trained layers; d = heads · head size. This is Kaplan et al. 2020 (arXiv 2001.08361, section 2.1 and eq. 2.2), where a
causal sequence of n tokens has A ≈ n²/2, and Chowdhery et al. 2022 (PaLM, arXiv 2204.02311, appendix B), which writes
12 L H Q per token and key and does not halve it. What is computed twice to save memory counts once; norms, activations
and the head, which is read at one token only, do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from reward.model import RewardModel, head, head_name
from reward.packing import Inputs, PackedRow


@dataclass(frozen=True)
class Reading:
    """What a model read: sequences with a score of their own, tokens (padding included), visible (query, key) pairs."""

    sequences: int = 0
    tokens: int = 0
    visible: int = 0

    def __add__(self, other: Reading) -> Reading:
        return Reading(self.sequences + other.sequences, self.tokens + other.tokens, self.visible + other.visible)


def reading_of_rows(rows: int, width: int, *, causal: bool) -> Reading:
    """A padded batch of ``rows`` sequences of ``width`` tokens each; padding counts as if it were text."""
    return Reading(rows, rows * width, rows * (triangle(width) if causal else width * width))


def reading_of_inputs(inputs: Inputs, *, causal: bool) -> Reading:
    """One input of this product's model: packed rows hold each prefix once."""
    if not isinstance(inputs, PackedRow):
        return reading_of_rows(*inputs.input_ids.shape, causal=causal)
    visible = sum(
        triangle(b.prefix) + sum(triangle(tail) for tail in b.tails) + b.prefix * sum(b.tails) for b in inputs.blocks
    )
    return Reading(len(inputs.owners), inputs.tokens, visible)


def triangle(tokens: int) -> int:
    """Visible pairs of a causal sequence: every token sees itself and all before it."""
    return tokens * (tokens + 1) // 2


class Meter:
    """Adds up what a reward model really reads while it is attached.

    Args:
        model: to listen to.
        gradients_only: leave out forward passes without a graph, such as those that prepare a group that is cut.
    """

    def __init__(self, model: RewardModel, *, gradients_only: bool) -> None:
        self.reading = Reading()
        self._causal, self._gradients_only = is_causal(model.classifier), gradients_only
        self._handle: RemovableHandle = model.register_forward_pre_hook(self._count)

    def _count(self, _: nn.Module, arguments: tuple[Any, ...]) -> None:
        if torch.is_grad_enabled() or not self._gradients_only:
            self.reading += reading_of_inputs(arguments[0], causal=self._causal)

    def detach(self) -> Reading:
        """Stop counting; returns what was read."""
        self._handle.remove()
        return self.reading


def is_causal(classifier: PreTrainedModel) -> bool:
    """Whether a token sees only what stands before it."""
    return head_name(classifier) == "score"


def trained_matrix_weights(classifier: PreTrainedModel) -> int:
    """Weights of matrices that learn, without embeddings (which are looked up) and the head (read once a sequence)."""
    looked_up = {id(p) for m in classifier.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    aside = looked_up | {id(p) for p in head(classifier).parameters()}
    return sum(p.numel() for p in classifier.parameters() if p.requires_grad and p.ndim == 2 and id(p) not in aside)


def trained_layers(classifier: PreTrainedModel) -> int:
    """Layers of the backbone with weights that learn."""
    count = classifier.config.get_text_config().num_hidden_layers
    stack = next(m for m in classifier.modules() if isinstance(m, nn.ModuleList) and len(m) == count)
    return sum(any(p.requires_grad for p in layer.parameters()) for layer in stack)


def attention_width(classifier: PreTrainedModel) -> int:
    """All heads together: heads · head size."""
    config = classifier.config.get_text_config()
    heads = int(config.num_attention_heads)
    return heads * int(getattr(config, "head_dim", None) or config.hidden_size // heads)


def model_flops(classifier: PreTrainedModel, reading: Reading, *, backward: bool) -> float:
    """Floating-point operations that the reading takes at least, see the formula above.

    Args:
        classifier: what read.
        reading: how much it read.
        backward: with the backward pass; frozen matrices and layers then count neither forward nor backward.
    """
    products = 2 * trained_matrix_weights(classifier) * reading.tokens
    attention = 4 * trained_layers(classifier) * attention_width(classifier) * reading.visible
    return float((products + attention) * (3 if backward else 1))
