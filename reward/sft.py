"""``reward sft``: demonstrations and dialogues → policy, a recipe to read from top to bottom.

1. Read the demonstrations and split them by how they open; a prompt is in one split only.
2. Take the base model (or its architecture with new weights) and turn conversations into token ids, all in one chat
   format, with loss on the assistant's turns (InstructGPT, arXiv 2203.02155, section 3.5; dialogues as for ChatGPT).
3. Per step, take ``batch`` conversations, packed side by side, and descend the mean −log P of their answers' tokens.
4. After each epoch take the loss of held-out conversations and answer held-out prompts; keep the epoch whose answers a
   reward model likes best, or without one that with the lowest loss.

Runs on one CPU, one GPU, or many processes under ``accelerate launch``.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from labeler.errors import TrainingError
from reward import checkpoint
from reward.artifact import let_all_read, save_tokenizer, whole_folder
from reward.base import identity, quiet
from reward.chat import ChatRow, EncodedChat, loss_weight
from reward.config.common import Sampling
from reward.config.sft import SftConfig
from reward.demonstrations import read_splits
from reward.held_out_chats import mean_loss, mean_reward, score_answers, write_answers
from reward.lora import plain_copy
from reward.manifest import run_settings
from reward.optimize import adamw, due, rate, schedule
from reward.policy import Policy
from reward.precision import pick_precision
from reward.progress import Progress, Stage, tell
from reward.sft_course import Course, introduce, prepare
from reward.sft_outcome import Outcome, write_outcome
from reward.sft_state import Answer, Epoch, State, best_folder, choose, forget_worse, load, save


@dataclass(frozen=True)
class SftResult:
    """What a fine-tuning gives: the policy's folder, and the course of the run."""

    folder: Path
    state: State

    @property
    def chosen(self) -> Epoch:
        """The epoch that was kept."""
        return choose(self.state.epochs)[0]


def run(config: SftConfig) -> None:
    """The command ``reward sft``."""
    with Progress(config.progress) as progress:
        result = fine_tune(config, progress)
    if not PartialState().is_main_process:
        return
    base, (chosen, why) = result.state.epochs[0], choose(result.state.epochs)
    if chosen.loss is not None and base.loss is not None:
        tell(f"Validation loss: {base.loss:.4f} before, {chosen.loss:.4f} nats per token after.")
    tell(f"Kept epoch {chosen.number} of {config.epochs}: {why}.")
    tell(f"The policy is in {result.folder}; open {result.folder / 'report.html'}")


def fine_tune(config: SftConfig, progress: Progress | None = None) -> SftResult:
    """Fine-tune a policy as the configuration says and save it.

    Raises:
        UsageError: something stands in ``config.out``, or the device is not there.
        DataError: the data cannot be read, or holds no demonstration to learn from.
        ModelError: the base or the reward model cannot be found or used.
        TrainingError: the loss is no longer finite; names the conversations.
    """
    progress = progress or Progress(quiet=True)
    splits = read_splits(config.data, config.weights, config.valid)
    splits = replace(splits, train=splits.train[: config.limit])
    precision = pick_precision(config.precision, config.device)
    judge = None if config.reward is None else identity(str(config.reward), config.reward).to_json()
    settings = run_settings(config, splits, precision) | {"reward": judge}
    accelerator = Accelerator(mixed_precision="bf16" if precision == "bfloat16" else "no", cpu=config.device == "cpu")
    if not accelerator.is_main_process:
        progress = Progress(quiet=True)
    try:
        if accelerator.is_main_process:
            checkpoint.begin(config.out, settings, resume=config.resume, overwrite=config.overwrite)
        accelerator.wait_for_everyone()
        course = prepare(config, settings, splits, accelerator)
        introduce(course, progress)
        started = time.monotonic()
        state = fit(course, accelerator, progress)
        if accelerator.is_main_process:
            conclude(course, state, time.monotonic() - started)
        accelerator.wait_for_everyone()
        return SftResult(config.out, state)
    finally:
        AcceleratorState._reset_state()  # the next run in this process may use another precision


def fit(course: Course, accelerator: Accelerator, progress: Progress) -> State:
    """The optimizer steps, and what is done after each epoch."""
    config, plain = course.config, course.model
    optimizer = adamw(plain, config.lr, config.weight_decay)
    last = checkpoint.latest(course.work)
    state = load(last, plain, optimizer) if last else State()
    model, optimizer = accelerator.prepare(plain, optimizer)
    per_epoch = math.ceil(len(course.chats) / config.batch)
    total = config.epochs * per_epoch
    main = accelerator.is_main_process
    if main and not state.epochs:
        finish_epoch(course, state, 0, accelerator, progress)

    with progress.stage("train", total=total, done=state.step) as stage:
        order = schedule(course.chats, epochs=config.epochs, batch=config.batch, seed=config.seed, start=state.step)
        for step, chats in order:
            for parameters in optimizer.param_groups:
                parameters["lr"] = config.lr * rate(step, total, config.warmup)
            take_step(
                course,
                model=model,
                optimizer=optimizer,
                chats=chats,
                state=state,
                accelerator=accelerator,
                stage=stage,
            )
            end_of_epoch = state.step % per_epoch == 0
            if main and end_of_epoch:
                finish_epoch(course, state, state.step // per_epoch, accelerator, progress)
            if main and (end_of_epoch or due(state.step, config.checkpoint_every)):
                save(course.work, plain, optimizer, state)
                forget_worse(course.work, state)
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    return state


def take_step(
    course: Course,
    *,
    model: torch.nn.Module,
    optimizer: Any,
    chats: Sequence[EncodedChat],
    state: State,
    accelerator: Accelerator,
    stage: Stage,
) -> None:
    """One optimizer step: the mean −log P over the answers' tokens of all chats of the step, whoever reads them."""
    config, started = course.config, time.monotonic()
    world, rank = accelerator.num_processes, accelerator.process_index
    mine = list(chats[rank::world]) or list(chats[:1])  # every process must take part in the exchange
    scale = world / loss_weight(chats) if rank < len(chats) else 0.0
    rows = course.model.rows(mine, config.tokens_per_batch)
    found = 0.0
    with course.model.dropout.dropping((config.seed * 1_000_003 + state.step) * world + rank):
        for number, row in enumerate(rows):
            hold = accelerator.no_sync(model) if world > 1 and number + 1 < len(rows) else nullcontext()
            with hold:
                found += descend(model, row.to(accelerator.device), scale, accelerator, mine)
    norm = accelerator.clip_grad_norm_(model.parameters(), config.clip)
    optimizer.step()
    optimizer.zero_grad()

    loss = float(accelerator.reduce(torch.tensor(found, device=accelerator.device), "mean"))
    state.step += 1
    state.losses.append(loss)
    stage.step(
        state.step,
        loss=loss,
        lr=optimizer.param_groups[0]["lr"],
        gradient_norm=float(norm),
        tokens_per_second=round(sum(row.tokens for row in rows) / (time.monotonic() - started), 1),
    )


def descend(
    model: torch.nn.Module, row: ChatRow, scale: float, accelerator: Accelerator, chats: Sequence[EncodedChat]
) -> float:
    """Add the gradients of scale · Σ weight · (−log P) over a row's targets; returns this loss."""
    loss = (model(row) * row.weights).sum() * scale
    if not torch.isfinite(loss):
        names = ", ".join(repr(chats[owner].id) for owner in row.owners[:3])
        raise TrainingError(
            f"the loss of the row with {names} is {float(loss.detach())}; lower --lr or try --precision float32"
        )
    accelerator.backward(loss)
    return float(loss.detach())


def finish_epoch(course: Course, state: State, number: int, accelerator: Accelerator, progress: Progress) -> None:
    """Measure the model on what is held out, note it in the state, and keep its weights if it is the best so far."""
    config, out = course.config, course.held_out
    with progress.stage(f"epoch {number}", total=1) as stage, accelerator.autocast():
        losses = [mean_loss(course.model, part, config.tokens_per_batch) for part in (out.valid, out.test)]
        answers = answer(course) if out.prompts else []
        reward, error = mean_reward(answers)
        epoch = Epoch(number, state.step, losses[0], losses[1], reward, error, tuple(answers))
        state.epochs.append(epoch)
        told = {name: epoch.figures()[name] for name in ("loss", "reward", "finished") if name in epoch.figures()}
        stage.step(1, **{name: value for name, value in told.items() if value is not None})
    if number and choose(state.epochs)[0] is epoch:
        with whole_folder(best_folder(course.work, epoch), overwrite=True) as scratch:
            save_policy(course, scratch)


def answer(course: Course) -> list[Answer]:
    """The present policy's answers to the held-out prompts, sampled as ``reward generate`` would, with rewards."""
    config, out = course.config, course.held_out
    sampling = Sampling(temperature=config.temperature, max_new_tokens=config.max_new_tokens, seed=config.seed)
    network = plain_copy(course.model, course.adapters, course.dtype)
    policy = Policy(network, course.tokenizer, "sft", course.origin, course.model.max_length)
    with torch.autocast(course.model.device.type, enabled=False):
        answers = write_answers(policy, out.prompts, sampling)
        return answers if out.scorer is None else score_answers(out.scorer, out.prompts, answers)


def conclude(course: Course, state: State, seconds: float) -> None:
    """Make the folder of the policy from the best epoch's weights."""
    config = course.config
    chosen, why = choose(state.epochs)
    outcome = Outcome(
        settings=course.settings,
        base=course.origin.to_json(),
        splits=course.splits,
        encoding=course.encoding,
        state=state,
        chosen=chosen,
        why=why,
        prompts=course.held_out.prompts,
        max_length=course.model.max_length,
        seconds=seconds,
    )
    with whole_folder(config.out, overwrite=config.overwrite) as scratch:
        shutil.copytree(best_folder(course.work, chosen), scratch, dirs_exist_ok=True)
        write_outcome(scratch, config.out.name, outcome)
        let_all_read(scratch)
    checkpoint.forget(config.out)


def save_policy(course: Course, folder: Path) -> None:
    """The present policy as a plain folder."""
    with quiet():
        plain_copy(course.model, course.adapters, torch.float32).save_pretrained(folder)
    save_tokenizer(course.tokenizer, folder)
