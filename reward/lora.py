"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) through peft, merged into the weights at the end."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers.pytorch_utils import Conv1D

from reward.model import RewardModel, choose_mode, head, head_name

SCALE = 2
"""Updates are multiplied by α / rank with α = SCALE · rank, so the learning rate does not depend on the rank."""


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
        with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):
            torch.manual_seed(seed)
            settings = LoraConfig(r=rank, lora_alpha=SCALE * rank, lora_dropout=0.0, target_modules=targets)
            self.peft = get_peft_model(classifier, settings)
        self.peft.eval()
        head(classifier).requires_grad_(True)
        model.use(choose_mode(model))

    def merge(self) -> None:
        """Add the adapters to the weights and remove them: the model is a plain one again."""
        self.model.use("padded")
        self.peft.merge_and_unload()
        self.model.use(choose_mode(self.model))
