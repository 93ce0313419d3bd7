"""``reward train``: rankings → reward model, a recipe to read from top to bottom.

1. Read the groups and split them by prompt; a prompt is in one split only. They wait on disk, not in memory.
2. Take the base model, give it a scalar head, and turn every group into token ids, on disk as well.
3. Per step, take ``batch`` groups, read each prompt once for all its completions, and descend the mean loss of the
   groups: −log σ(r_better − r_worse), averaged over the pairs of a group (InstructGPT, arXiv 2203.02155, eq. 1).
4. Shift the scores so that demonstrations (or the training completions) have mean 0, fit the temperature that turns
   gaps into probabilities on the validation split, measure on validation and test, and save.

Runs on one CPU, one GPU, or many processes under ``accelerate launch``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from labeler.errors import TrainingError
from labeler.records import Group
from reward import checkpoint
from reward.artifact import Scorer, save_artifact
from reward.auxiliary import Auxiliary
from reward.base import cache_folder, identity, resolve
from reward.calibrate import centre, compared, finish
from reward.card import model_card
from reward.config.common import Precision
from reward.config.train import TrainConfig
from reward.data import EncodedGroup
from reward.evaluate import Metrics
from reward.examples import encode, load, read_ahead
from reward.frozen import Store
from reward.lora import Adapters
from reward.manifest import manifest, run_settings
from reward.measure import Choice, measure
from reward.model import RewardModel, new_reward_model
from reward.optimize import adamw, due, rate, schedule
from reward.precision import pick_precision
from reward.progress import Progress, Stage, tell
from reward.splits import Splits
from reward.step import Batch, backward


@dataclass(frozen=True)
class TrainResult:
    """What a training run gives.

    Attributes:
        folder: the artifact.
        scorer: the trained model, ready to score.
        metrics: by split, "valid" and "test", where the split has compared pairs.
        state: the course of the run.
        seconds: wall time of the optimizer steps of this process.
    """

    folder: Path
    scorer: Scorer
    metrics: dict[str, Metrics]
    state: checkpoint.State
    seconds: float


def run(config: TrainConfig) -> None:
    """The command ``reward train``."""
    with Progress(config.progress) as progress:
        result = train(config, progress)
    if not PartialState().is_main_process:
        return
    held_out = result.metrics.get("test") or result.metrics.get("valid")
    if held_out:
        tell(f"Accuracy on held-out prompts: {held_out.accuracy:.3f} over {held_out.comparisons} pairs.")
    tell(f"The reward model is in {result.folder}")


def train(config: TrainConfig, progress: Progress | None = None) -> TrainResult:
    """Train a reward model as the configuration says and save it.

    Raises:
        UsageError: something stands in ``config.out``, or the device is not there.
        DataError: the rankings cannot be read, or there is nothing to compare.
        ModelError: the base cannot be found or used.
        TrainingError: the loss is no longer finite; names the group.
    """
    progress = progress or Progress(quiet=True)
    splits, demonstrations = load(config)
    base = resolve(config.base)
    precision = pick_precision(config.precision, config.device)
    settings = run_settings(config, splits, precision)
    accelerator = Accelerator(mixed_precision="bf16" if precision == "bfloat16" else "no", cpu=config.device == "cpu")
    if not accelerator.is_main_process:
        progress = Progress(quiet=True)
    try:
        work, last = begin(config, settings, accelerator)
        model, tokenizer = new_reward_model(base, seed=config.seed, max_length=config.max_length)
        adapters = pick_weights(model, config, precision, base)
        scorer = Scorer(model, tokenizer)
        examples, report = encode(scorer.encoder, splits.train, config, config.out.parent, progress)
        progress.say(
            f"{len(examples)} groups to train on, {len(splits.valid)} to validate, {len(splits.test)} to test."
        )
        for line in report.lines():
            progress.say(line)

        started = time.monotonic()
        auxiliary = Auxiliary(config, examples, accelerator.device)
        course = Course(config, scorer, examples, compared(splits.valid), auxiliary, last, work)
        state = fit(course, accelerator, progress)
        seconds = time.monotonic() - started
        if adapters:
            adapters.merge()
        metrics = {}
        if accelerator.is_main_process:
            with accelerator.autocast():
                centred_on = centre(scorer, demonstrations, splits.train)
            metrics = finish(scorer, splits, state, progress)
            scorer.manifest = manifest(
                settings=settings,
                base=identity(config.base, base).to_json(),
                splits=splits,
                scorer=scorer,
                metrics=metrics,
                state=state,
                report=report,
                seconds=seconds,
                centred_on=centred_on,
                likelihood=auxiliary.report(),
            )
            keep(config, scorer, splits, progress)
        accelerator.wait_for_everyone()
        return TrainResult(config.out, scorer, metrics, state, seconds)
    finally:
        AcceleratorState._reset_state()  # the next run in this process may use another precision


def begin(config: TrainConfig, settings: Mapping[str, Any], accelerator: Accelerator) -> tuple[Path, Path | None]:
    """The folder for checkpoints, made ready by one of the processes, and the one to go on from."""
    last = None
    if accelerator.is_main_process:
        last = checkpoint.begin(config.out, settings, resume=config.resume, overwrite=config.overwrite)
    accelerator.wait_for_everyone()
    work = checkpoint.work_folder(config.out)
    return work, last or checkpoint.latest(work)


def pick_weights(model: RewardModel, config: TrainConfig, precision: Precision, base: Path) -> Adapters | None:
    """Decide which weights learn and what is kept of the activations; returns the adapters where these learn."""
    if config.checkpoint_activations:
        model.checkpoint_activations()
    if config.train_layers:
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        model.train_last(config.train_layers, Store(cache_folder(), repr(identity(config.base, base)), dtype))
    return Adapters(model, config.lora, config.seed) if config.lora else None


def keep(config: TrainConfig, scorer: Scorer, splits: Splits, progress: Progress) -> None:
    """Save the finished model; what it took to get there goes."""
    lower, scorer.model.lower = scorer.model.lower, None
    save_artifact(config.out, scorer, model_card(config.out.name, scorer.manifest), overwrite=config.overwrite)
    checkpoint.forget(config.out)
    if lower:
        read_ahead(scorer.encoder, splits, lower, progress)


@dataclass(frozen=True)
class Course:
    """What `fit` needs: settings, model in its scorer, groups to train on, compared ones to validate, and the loss.

    ``last`` is the checkpoint to go on from, and ``work`` the folder for new ones; without it none are kept.
    """

    config: TrainConfig
    scorer: Scorer
    examples: Sequence[EncodedGroup]
    valid: Sequence[Group]
    auxiliary: Auxiliary
    last: Path | None = None
    work: Path | None = None


def fit(course: Course, accelerator: Accelerator, progress: Progress) -> checkpoint.State:
    """The optimizer steps; leaves the trained weights in the scorer's model."""
    config, examples, plain, auxiliary = course.config, course.examples, course.scorer.model, course.auxiliary
    optimizer = adamw(plain, config.lr, config.weight_decay)
    state = checkpoint.load(course.last, plain, optimizer, auxiliary) if course.last else checkpoint.State()
    model, optimizer = accelerator.prepare(plain, optimizer)
    per_epoch = math.ceil(len(examples) / config.batch)
    total = config.epochs * per_epoch
    world, rank, main = accelerator.num_processes, accelerator.process_index, accelerator.is_main_process
    hold = (lambda: accelerator.no_sync(model)) if world > 1 else nullcontext

    with progress.stage("train", total=total, done=state.step) as stage:
        order = schedule(examples, epochs=config.epochs, batch=config.batch, seed=config.seed, start=state.step)
        for step, groups in order:
            started = time.monotonic()
            for parameters in optimizer.param_groups:
                parameters["lr"] = config.lr * rate(step, total, config.warmup)

            mine = list(groups[rank::world]) or list(groups[:1])  # every process must take part in the exchange
            weight = world / len(groups) if rank < len(groups) else 0.0
            inputs = [each.to(accelerator.device) for each in plain.inputs(mine, config.tokens_per_batch)]
            batch = Batch(mine, [weight] * len(mine), inputs)
            losses = backward(model, batch, auxiliary.likelihood, accelerator.backward, hold)
            check_finite(losses, mine)
            norm = accelerator.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
            optimizer.zero_grad()
            auxiliary.step(rate(step, total, config.warmup), accelerator.reduce, counts=weight > 0)

            mean = float(accelerator.reduce((losses.sum() * weight).to(accelerator.device), "mean"))
            state.step = step + 1
            state.steps.append(state.step)
            state.losses.append(mean)
            speed = sum(each.tokens for each in inputs) / (time.monotonic() - started)
            stage.step(
                state.step,
                epoch=step // per_epoch,
                loss=mean,
                lr=parameters["lr"],
                gradient_norm=float(norm),
                tokens_per_second=round(speed, 1),
            )
            end_of_epoch = state.step % per_epoch == 0
            if main and state.step < total and (end_of_epoch or due(state.step, config.evaluate_every)):
                with accelerator.autocast():
                    validate(course, state, progress, stage)
            if main and course.work and (end_of_epoch or due(state.step, config.checkpoint_every)):
                checkpoint.save(course.work, plain, optimizer, state, auxiliary)
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    vars(plain).pop("_is_accelerate_prepared", None)  # else another fit would run without autocast
    return state


def check_finite(losses: torch.Tensor, groups: Sequence[EncodedGroup]) -> None:
    """Raise `TrainingError` naming the first group whose loss (of B) is NaN or infinite."""
    bad = torch.nonzero(~torch.isfinite(losses)).flatten().tolist()
    if bad:
        raise TrainingError(
            f"the loss of group {groups[bad[0]].id!r} is {float(losses[bad[0]])}; lower --lr or try --precision float32"
        )


def validate(course: Course, state: checkpoint.State, progress: Progress, stage: Stage) -> None:
    """Note the accuracy on the validation groups in the state and report it."""
    if not course.valid:
        return
    metrics, _, _ = measure(course.scorer, Choice(course.valid), progress)
    stage.step(state.step, accuracy=metrics.accuracy, validation_loss=metrics.log_loss)
    state.valid.append((state.step, metrics.accuracy, metrics.log_loss))
