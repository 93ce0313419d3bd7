"""The state of a training run on disk, so that a killed run continues bit by bit where its last checkpoint stood.

A checkpoint is a folder with the weights that learn, the optimizer's tensors and the position; frozen weights come from
the base again. It appears whole, and only then does the one before go. Nothing random is saved: the order of the groups
is a function of seed and epoch, and there is no dropout. No pickle is involved.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from labeler.errors import TrainingError, UsageError
from reward.artifact import whole_folder
from reward.auxiliary import Auxiliary

STATE, WEIGHTS, OPTIMIZER, SETTINGS = "state.json", "weights.safetensors", "optimizer.safetensors", "run.json"
LIKELIHOOD = "likelihood.safetensors"


@dataclass
class State:
    """Where a run stands.

    Attributes:
        step: optimizer steps that are done.
        steps, losses: the training loss (mean of the step's groups, in nats) after each of them.
        valid: (step, accuracy, loss) of each validation.
    """

    step: int = 0
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    valid: list[tuple[int, float, float]] = field(default_factory=list)


def work_folder(out: Path) -> Path:
    """Where the checkpoints of the run for ``out`` lie: beside it, so that ``out`` appears only when it is whole."""
    return out.parent / f".{out.name}.training"


def begin(out: Path, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> Path | None:
    """Make the work folder ready.

    Args:
        out: where the reward model will stand.
        settings: everything that decides the result; a run continues only with the same.
        resume: continue an unfinished run.
        overwrite: forget an unfinished run, and a finished one.

    Returns:
        The checkpoint to continue from, or None to start.

    Raises:
        UsageError: something stands in the way; says which flag helps.
    """
    work = work_folder(out)
    if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out} is there already; choose another, or replace it with --overwrite")
    last = latest(work)
    if last is not None and resume:
        _same(json.loads((work / SETTINGS).read_text(encoding="utf-8")), settings)
        return last
    if last is not None and not overwrite:
        raise UsageError(
            f"--out {out} has an unfinished run ({last.name}); continue it with --resume or start over with --overwrite"
        )
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        (work / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {error.strerror}; choose another place") from error
    return None


def latest(work: Path) -> Path | None:
    """The last whole checkpoint in a work folder."""
    found = sorted(work.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))
    return found[-1] if found else None


def save(
    work: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: State, auxiliary: Auxiliary | None = None
) -> Path:
    """Write a checkpoint and remove those before it."""
    with replacing_last(work, state.step) as scratch:
        save_file(_learned(model), scratch / WEIGHTS)
        save_file(optimizer_tensors(optimizer), scratch / OPTIMIZER)
        if auxiliary is not None:
            save_file(auxiliary.tensors(), scratch / LIKELIHOOD)
        (scratch / STATE).write_text(json.dumps(asdict(state)), encoding="utf-8")
    return work / f"step-{state.step}"


@contextmanager
def replacing_last(work: Path, step: int) -> Iterator[Path]:
    """A scratch folder that becomes the checkpoint of a step; only then do those before it go."""
    target = work / f"step-{step}"
    with whole_folder(target, overwrite=True) as scratch:
        yield scratch
    for old in work.glob("step-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What an optimizer remembers of every parameter, by number and name."""
    return {
        f"{index}.{name}": tensor.contiguous()
        for index, values in optimizer.state_dict()["state"].items()
        for name, tensor in values.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    restored: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        restored.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": restored, "param_groups": optimizer.state_dict()["param_groups"]})


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, auxiliary: Auxiliary | None = None) -> State:
    """Put weights, optimizer and likelihood back as they were; returns the position.

    Raises:
        TrainingError: the checkpoint is damaged.
    """
    try:
        _put_back(model, load_file(folder / WEIGHTS))
        tensors = load_file(folder / OPTIMIZER)
        if auxiliary is not None:
            auxiliary.restore(load_file(folder / LIKELIHOOD))
        fields = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise TrainingError(f"the checkpoint {folder} cannot be read ({error}); start over with --overwrite") from error
    restore_optimizer(optimizer, tensors)
    fields["valid"] = [tuple(entry) for entry in fields["valid"]]
    return State(**fields)


def _learned(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that learn, by name; one that is used in two places comes once."""
    return {name: p.detach().contiguous() for name, p in model.named_parameters() if p.requires_grad}


@torch.no_grad()
def _put_back(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Set what `_learned` gave.

    Raises:
        ValueError: these are the weights of another model.
    """
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if {name: p.shape for name, p in learned.items()} != {name: t.shape for name, t in tensors.items()}:
        raise ValueError("it holds other weights than this run learns")
    for name, parameter in learned.items():
        parameter.copy_(tensors[name])


def _same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = [key for key in now if before.get(key) != json.loads(json.dumps(now[key]))]
    if changed:
        told = ", ".join(f"{key} was {before.get(key)!r} and is {now[key]!r}" for key in changed[:3])
        raise UsageError(f"--resume continues a run with the same settings only: {told}; set them back or --overwrite")


def forget(out: Path) -> None:
    """Remove the checkpoints of the run for ``out``, which is whole now."""
    shutil.rmtree(work_folder(out), ignore_errors=True)
