"""Where a supervised fine-tuning stands, on disk; what each epoch gave, and which epoch is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn

from labeler.errors import TrainingError
from reward.checkpoint import OPTIMIZER, STATE, WEIGHTS, optimizer_tensors, replacing_last, restore_optimizer


@dataclass(frozen=True)
class Answer:
    """What the policy wrote to one validation prompt.

    Attributes:
        finished: it ended by itself, not because it was cut.
        tokens: its length.
        reward: what the reward model gives it; None without one, or where it does not fit.
    """

    text: str
    finished: bool
    tokens: int
    reward: float | None = None


@dataclass(frozen=True)
class Epoch:
    """What was measured after an epoch; number 0 is the model before the first step.

    Attributes:
        step: optimizer steps done then.
        loss, test_loss: mean −log P of a token of held-out answers, in nats; None without such answers.
        reward, reward_error: mean reward of the answers and its standard error over prompts.
        answers: to the validation prompts, the same ones each time.
    """

    number: int
    step: int
    loss: float | None = None
    test_loss: float | None = None
    reward: float | None = None
    reward_error: float | None = None
    answers: tuple[Answer, ...] = ()

    def figures(self) -> dict[str, Any]:
        """Everything but the answers, and of these what share ended and how long they are."""
        told = {name: value for name, value in asdict(self).items() if name != "answers"}
        if self.answers:
            told["finished"] = sum(each.finished for each in self.answers) / len(self.answers)
            told["tokens"] = sum(each.tokens for each in self.answers) / len(self.answers)
        return told


@dataclass
class State:
    """Where a run stands: optimizer steps done, the training loss (nats per token) after each, and the epochs."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> State:
        """Back from the file."""
        epochs = [
            Epoch(**each | {"answers": tuple(Answer(**answer) for answer in each["answers"])}) for each in row["epochs"]
        ]
        return cls(row["step"], row["losses"], epochs)


def choose(epochs: Sequence[Epoch]) -> tuple[Epoch, str]:
    """The epoch to keep, and why: the best mean reward, else the lowest validation loss, else the last.

    Number 0, the model before the first step, is no candidate. Of equals the earlier one is kept.
    """
    trained = [each for each in epochs if each.number > 0]
    rewards = {each.number: each.reward for each in trained if each.reward is not None}
    losses = {each.number: each.loss for each in trained if each.loss is not None}
    if rewards:
        number = max(rewards, key=lambda n: (rewards[n], -n))
        why = f"the highest mean reward of its answers to validation prompts, {rewards[number]:.3f}"
    elif losses:
        number = min(losses, key=lambda n: (losses[n], n))
        why = f"the lowest validation loss, {losses[number]:.4f} nats per token"
    else:
        number, why = trained[-1].number, "the last one; nothing was held out to choose by"
    return next(each for each in trained if each.number == number), why


def save(work: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: State) -> None:
    """Write a checkpoint and remove those before it."""
    with replacing_last(work, state.step) as scratch:
        save_model(model, str(scratch / WEIGHTS))
        save_file(optimizer_tensors(optimizer), scratch / OPTIMIZER)
        (scratch / STATE).write_text(json.dumps(state.to_json()), encoding="utf-8")


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Put weights and optimizer back as they were; returns the position.

    Raises:
        TrainingError: the checkpoint is damaged.
    """
    try:
        load_model(model, folder / WEIGHTS)
        restore_optimizer(optimizer, load_file(folder / OPTIMIZER))
        return State.from_json(json.loads((folder / STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise TrainingError(f"the checkpoint {folder} cannot be read ({error}); start over with --overwrite") from error


def best_folder(work: Path, epoch: Epoch) -> Path:
    """Where the weights of the best epoch lie until the run ends."""
    return work / f"best-{epoch.number}"


def forget_worse(work: Path, state: State) -> None:
    """Remove the weights of epochs that were the best once; a checkpoint says now that another one is."""
    trained = [epoch for epoch in state.epochs if epoch.number]
    if trained:
        best = best_folder(work, choose(state.epochs)[0])
        for folder in work.glob("best-*"):
            if folder != best:
                shutil.rmtree(folder, ignore_errors=True)
