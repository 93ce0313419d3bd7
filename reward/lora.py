"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) through peft, merged into the weights at the end."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from reward.language import LanguageModel
from reward.model import RewardModel, choose_mode, head, head_name

SCALE = 2
"""Updates are multiplied by α / rank with α = SCALE · rank, so the learning rate does not depend on the rank."""


def attach(network: PreTrainedModel, targets: Sequence[str], rank: int, seed: int) -> PeftModel:
    """Put adapters on the named linear layers of a network, in place; they are what learns then."""
    with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):
        torch.manual_seed(seed)
        settings = LoraConfig(r=rank, lora_alpha=SCALE * rank, lora_dropout=0.0, target_modules=list(targets))
        adapted: PeftModel = get_peft_model(network, settings)
    return adapted.eval()


def adapt_language_model(model: LanguageModel, rank: int, seed: int) -> PeftModel:
    """Put adapters on every linear layer of a language model but the one that gives the logits."""
    with model.stock() as network:
        head = network.get_output_embeddings()
        targets = [
            name
            for name, module in network.named_modules()
            if isinstance(module, (nn.Linear, Conv1D)) and module is not head
        ]
        return attach(network, targets, rank, seed)


def plain_copy(model: LanguageModel, adapters: PeftModel | None, dtype: torch.dtype) -> PreTrainedModel:
    """A stock copy of the network in a number format, adapters merged, while the original goes on learning."""
    with model.stock() as network:
        if adapters is None:
            return copy.deepcopy(network).to(dtype)
        merged: PreTrainedModel = copy.deepcopy(adapters).merge_and_unload()
        return merged.to(dtype)


class Adapters:
    """Adapters on every linear layer of a reward model's backbone; they and the head are what learns then.

    Args:
        model: changed in place.
        rank: of each adapter.
        seed: of the adapters' first weights.
    """

    def __init__(self, model: RewardModel, rank: int, seed: int) -> None:
        self.model = model
        classifier: Any = model.classifier
        outside = f"{head_name(classifier)}."
        targets = [
            name
            for name, module in classifier.named_modules()
            if isinstance(module, (nn.Linear, Conv1D)) and not f"{name}.".startswith(outside)
        ]
        model.use("padded")  # lets go of the layers before they change
        self.peft = attach(classifier, targets, rank, seed)
        head(classifier).requires_grad_(True)
        choose_mode(model)

    def merge(self) -> None:
        """Add the adapters to the weights and remove them: the model is a plain one again."""
        self.model.use("padded")
        self.peft.merge_and_unload()
        choose_mode(self.model)
