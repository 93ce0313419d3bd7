"""What a PPO run carries from iteration to iteration: the averaged policy, the position, and both on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from labeler.errors import TrainingError
from reward.checkpoint import OPTIMIZER, STATE, WEIGHTS, optimizer_tensors, replacing_last, restore_optimizer

Row = dict[str, Any]


class Average:
    """Exponential moving average of parameters, for the policy that is evaluated and saved.

    The decay after t updates is min(decay, (1 + t) / (10 + t)), as in TensorFlow's ExponentialMovingAverage: with the
    full decay from the start, the average of a run of a hundred iterations would be mostly where the run began.

    Args:
        parameters: by name.
        decay: of a long run.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self.parameters, self.decay, self.updates = dict(parameters), decay, 0
        self.means = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the parameters' present values in."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, mean in self.means.items():
            mean.lerp_(self.parameters[name], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the parameters have their averaged values."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, parameter in self.parameters.items():
            parameter.data, self.means[name] = self.means[name], parameter.data


@dataclass
class State:
    """Where a run stands.

    Attributes:
        iteration: iterations that are done.
        beta: weight of the KL penalty in the next one.
        seconds: wall time spent in iterations and evaluations, also before an interruption.
        curves: a row per iteration and per evaluation.
        samples: held-out completions of every evaluation.
        done: the last iteration is done; a run killed after it only has its result to write.
    """

    iteration: int = 0
    beta: float = 0.0
    seconds: float = 0.0
    curves: list[Row] = field(default_factory=list)
    samples: list[Row] = field(default_factory=list)
    done: bool = False

    def rows(self, kind: str) -> list[Row]:
        """The curve of "batch" or "evaluation"."""
        return [row for row in self.curves if row["kind"] == kind]


def save(
    work: Path, state: State, learned: Mapping[str, nn.Parameter], average: Average, optimizer: torch.optim.Optimizer
) -> None:
    """Write a checkpoint of everything that learns, and remove those before it."""
    weights = {f"now.{name}": p.detach() for name, p in learned.items()}
    weights |= {f"mean.{name}": mean for name, mean in average.means.items()}
    with replacing_last(work, state.iteration) as scratch:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, scratch / WEIGHTS)
        save_file(optimizer_tensors(optimizer), scratch / OPTIMIZER)
        facts = asdict(state) | {"updates": average.updates}
        (scratch / STATE).write_text(json.dumps(facts), encoding="utf-8")


def load(
    folder: Path, learned: Mapping[str, nn.Parameter], average: Average, optimizer: torch.optim.Optimizer
) -> State:
    """Put everything back as it was; returns the position.

    Raises:
        TrainingError: the checkpoint is damaged.
    """
    try:
        weights = load_file(folder / WEIGHTS)
        tensors = load_file(folder / OPTIMIZER)
        facts = json.loads((folder / STATE).read_text(encoding="utf-8"))
        with torch.no_grad():
            for name, parameter in learned.items():
                parameter.copy_(weights[f"now.{name}"])
            for name, mean in average.means.items():
                mean.copy_(weights[f"mean.{name}"])
        average.updates = facts.pop("updates")
        restore_optimizer(optimizer, tensors)
        return State(**facts)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise TrainingError(f"the checkpoint {folder} cannot be read ({error}); start over with --overwrite") from error
