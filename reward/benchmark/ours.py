"""This side of a comparison: the very functions of ``reward train`` and `Scorer`, timed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate import Accelerator
from torch.optim.optimizer import register_optimizer_step_post_hook

from labeler.formats import read
from reward.artifact import Scorer
from reward.auxiliary import Auxiliary
from reward.benchmark.child import Measured
from reward.benchmark.flops import Meter, model_flops
from reward.benchmark.machine import device_name, dtype_of, forget_peak, matmul_peak, now, peak_bytes, pick_device
from reward.benchmark.workload import Workload
from reward.config.common import Device, Precision
from reward.config.train import TrainConfig
from reward.data import EncodedGroup
from reward.model import new_reward_model
from reward.progress import Progress
from reward.train import Course, fit


def train(*, base: str, work: str, precision: Precision, device: Device, **settings: Any) -> Measured:
    """One epoch over the workload as ``reward train`` does it, timed from the first step to the end of the last.

    Args:
        base: resolved folder.
        work: file of the workload.
        precision: number format of matrix products.
        device: where to train.
        settings: further fields of `TrainConfig`.
    """
    workload, place = Workload.load(Path(work)), pick_device(device)
    accelerator = Accelerator(mixed_precision="bf16" if precision == "bfloat16" else "no", cpu=place.type == "cpu")
    model, tokenizer = new_reward_model(Path(base), seed=settings["seed"], max_length=workload.max_length)
    scorer = Scorer(model, tokenizer)
    peaks: list[int] = []
    with TemporaryDirectory(prefix="reward-bench-") as scratch:

        def course(name: str, examples: Sequence[EncodedGroup], **changed: Any) -> Course:
            fields = settings | changed | {"precision": precision, "device": device}
            config = TrainConfig(data=(work,), base=base, out=Path(scratch) / name, **fields)
            return Course(config, scorer, examples, (), Auxiliary(config, examples, accelerator.device))

        with Progress(quiet=True) as silent:
            fit(course("warm", smallest_and_largest(workload.groups), batch=1), accelerator, silent)
        forget_peak(place)
        meter = Meter(model, gradients_only=True)
        hook = register_optimizer_step_post_hook(lambda *_: peaks.append(peak_bytes(place)))
        told = Path(scratch) / "progress.jsonl"
        with Progress(told, quiet=True) as progress:
            state = fit(course("timed", workload.groups), accelerator, progress)
        hook.remove()
        reading = meter.detach()
        seconds = seconds_of_steps(told)
    return Measured(
        seconds=seconds,
        sequences=reading.sequences,
        tokens=reading.tokens,
        flops=model_flops(model.classifier, reading, backward=True),
        peak_bytes=peaks[-1],
        matmul_flops=matmul_peak(dtype_of(precision), place),
        threads=torch.get_num_threads(),
        device=device_name(place),
        steps=state.step,
        details={"reads": model.mode, "loss": sum(state.losses) / len(state.losses)},
    )


def smallest_and_largest(groups: Sequence[EncodedGroup]) -> list[EncodedGroup]:
    """The groups with the fewest and the most tokens, to warm up on both."""
    ordered = sorted(groups, key=lambda g: g.tokens)
    return [ordered[0], ordered[-1]]


def seconds_of_steps(progress: Path) -> float:
    """Seconds from the start of the stage "train" to the end of its last step."""
    rows = [json.loads(line) for line in progress.read_text(encoding="utf-8").splitlines()]
    return float(max(row["seconds"] for row in rows if (row["event"], row["stage"]) == ("step", "train")))


def score(*, model: str, groups: str, precision: Precision, device: Device) -> Measured:
    """Score all completions of a group file with `Scorer`, tokenizing included; the scores are in the details.

    Args:
        model: folder of the reward model.
        groups: group file.
        precision: number format of the weights.
        device: where to score.
    """
    place, rows = pick_device(device), read(groups).groups
    scorer = Scorer.from_pretrained(model, place, dtype_of(precision))
    scorer.score_groups(rows[:2], raw=True)
    forget_peak(place)
    meter = Meter(scorer.model, gradients_only=False)
    started = now(place)
    scores = scorer.score_groups(rows, raw=True)
    seconds = now(place) - started
    most, reading = peak_bytes(place), meter.detach()
    return Measured(
        seconds=seconds,
        sequences=reading.sequences,
        tokens=reading.tokens,
        flops=model_flops(scorer.model.classifier, reading, backward=False),
        peak_bytes=most,
        matmul_flops=matmul_peak(dtype_of(precision), place),
        threads=torch.get_num_threads(),
        device=device_name(place),
        steps=0,
        details={"scores": [value for values in scores for value in values], "reads": scorer.model.mode},
    )
