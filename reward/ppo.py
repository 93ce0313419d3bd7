"""``reward ppo``: a better policy by proximal policy optimisation against a reward model; read it from top to bottom.

One iteration (Ziegler et al. 2019, arXiv 1909.08593; InstructGPT, arXiv 2203.02155, section 3.5 and appendix C.4):

1. Take the next prompts and draw completions of them from the policy.
2. Score each completion with the reward model: (raw − mean) / std of its artifact.
3. Read the completions with policy, reference and value function. Every token is charged β (log π − log π_ref), the
   last one is also paid the score; from that come advantages (GAE), which are whitened, and returns. The value function
   is put on the scale of the rewards by the first batch, and corrected by the other completions of the same prompt.
4. Per minibatch, descend the clipped surrogate, the clipped value loss and, where asked for, the language-model loss of
   other texts (PPO-ptx).

Several processes under ``accelerate launch`` share the prompts of a batch and sum their gradients; every one holds the
whole models. What an iteration draws depends on its number, the seed and the weights alone, so a killed run goes on
bit by bit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from labeler.errors import DataError
from labeler.records import Group
from reward import checkpoint, rl
from reward.actors import Actors, load_actors
from reward.artifact import whole_folder
from reward.config.ppo import PpoConfig
from reward.held_out import Answer, answer, summary
from reward.manifest import sha256_of_groups
from reward.ppo_outcome import manifest, write_outcome
from reward.ppo_state import Average, Row, State, load, save
from reward.ppo_step import TOLD, Run, descend, lay_out, measure, read_batch, teach
from reward.precision import pick_precision
from reward.progress import Progress, Stage, tell
from reward.prompts import read_prompts
from reward.ptx import read_mix
from reward.rollouts import Drawing, Question, batch, draw, endless
from reward.sampling import end_tokens
from reward.splits import split_groups

WARMUP = 10
"""Iterations in which the learning rate rises from a tenth of its peak (InstructGPT, appendix C.4)."""


def run(config: PpoConfig) -> None:
    """The command ``reward ppo``."""
    with Progress(config.progress) as progress:
        state = ppo(config, progress)
    if PartialState().is_main_process:
        last = state.rows("evaluation")[-1]
        tell(
            f"Held-out reward {last['reward']:+.3f}, {last['gain'] or 0:+.3f} since the start, at {last['kl']:.1f} "
            f"nats per completion from it, after {state.iteration} iterations in {state.seconds / 60:.1f} minutes.",
            f"The policy is in {config.out}; open {config.out / 'report.html'}",
        )


def ppo(config: PpoConfig, progress: Progress | None = None) -> State:
    """Train a policy as the configuration says and save it with its report.

    Raises:
        UsageError: something stands in ``config.out``, or the device is not there.
        DataError: prompts cannot be read, or do not fit.
        ModelError: a model cannot be found or used.
        TrainingError: numbers are no longer finite.
    """
    progress = progress or Progress(quiet=True)
    splits = split_groups(read_prompts(config.prompts), read_prompts(config.valid) if config.valid else None)
    if not splits.valid:
        raise DataError("leaves no prompt to evaluate on; give some with --valid", file=config.prompts)
    held_out = splits.valid[: config.evaluate_prompts]
    precision = pick_precision(config.precision, config.device)
    settings = run_settings(config, splits.train, held_out, precision)
    accelerator = Accelerator(mixed_precision="bf16" if precision == "bfloat16" else "no", cpu=config.device == "cpu")
    if not accelerator.is_main_process:
        progress = Progress(quiet=True)
    try:
        last = None
        if accelerator.is_main_process:
            last = checkpoint.begin(config.out, settings, resume=config.resume, overwrite=config.overwrite)
        accelerator.wait_for_everyone()
        last = last or checkpoint.latest(checkpoint.work_folder(config.out))
        actors = load_actors(config, precision)
        for note in actors.notes:
            progress.say(note)
        how = Drawing(_ends(actors), config.max_new_tokens, config.temperature)
        mix = read_mix(config.ptx_data, actors.policy, how.ends[0]) if config.ptx_data else None
        practice, asked = (_questions(part, actors, config) for part in (splits.train, held_out))
        course = Run(config, actors, practice, asked, how, mix, accelerator)
        state, average = train(course, last, progress)
        if accelerator.is_main_process:
            with whole_folder(config.out, overwrite=config.overwrite) as scratch:
                with average.applied():
                    actors.save(scratch, config.policy)
                write_outcome(scratch, manifest(settings, state, actors, splits.rule), state, held_out)
            checkpoint.forget(config.out)
        accelerator.wait_for_everyone()
        return state
    finally:
        AcceleratorState._reset_state()  # the next run in this process may use another precision


def train(run: Run, last: Path | None, progress: Progress) -> tuple[State, Average]:
    """All iterations; returns the course of the run and the policy's weights to save."""
    config, actors, main = run.config, run.actors, run.accelerator.is_main_process
    learned = {f"policy.{k}": p for k, p in actors.learned.items()}
    learned |= {f"value.{k}": p for k, p in actors.learned_values.items()}
    optimizer = make_optimizer(actors, config)
    average = Average(actors.weights, config.ema if config.save == "ema" else 0.0)
    state = load(last, learned, average, optimizer) if last else State(beta=config.kl_coef)
    actors.spread()
    work = checkpoint.work_folder(config.out)
    total = -(-config.episodes // config.batch)
    per_batch = config.batch // config.samples_per_prompt
    questions = endless(run.practice, config.seed, state.iteration * per_batch)
    with progress.stage("ppo", total=total, done=state.iteration) as stage:
        if not state.curves and main:
            evaluate(run, state, average, stage)
        while not state.done:
            started = time.monotonic()
            row = iterate(run, list(islice(questions, per_batch)), state, optimizer)
            average.update()
            state.iteration += 1
            state.seconds += time.monotonic() - started
            state.done = state.iteration >= total or _stop(run, state, row)
            state.curves.append(row | {"seconds": round(state.seconds, 3)})
            shown = ("reward", "kl", "entropy", "length", "clip_fraction", "value_loss")
            stage.step(state.iteration, **{name: row[name] for name in shown})
            if main and (state.done or state.iteration % config.evaluate_every == 0):
                evaluate(run, state, average, stage)
            if main and (state.done or state.iteration % config.checkpoint_every == 0):
                save(work, state, learned, average, optimizer)
            run.accelerator.wait_for_everyone()
    return state, average


def iterate(run: Run, questions: Sequence[Question], state: State, optimizer: torch.optim.Optimizer) -> Row:
    """One iteration: draw, score, read, descend; returns its row of the curves."""
    config, actors, accelerator = run.config, run.actors, run.accelerator
    mine = questions[accelerator.process_index :: accelerator.num_processes]
    with actors.sampling() as model:
        rollouts = draw(model, mine, config.samples_per_prompt, run.how, config.seed * 1_000_003 + state.iteration)
    with accelerator.autocast(), torch.no_grad():
        scores = actors.scores([each.written(actors.policy.tokenizer) for each in rollouts])
        drawn = batch(rollouts, scores, config.max_new_tokens, accelerator.device)
        minibatches = lay_out(run, rollouts)
        read = read_batch(run, drawn, [page for pages in minibatches for page in pages])
    lesson = teach(run, drawn, read, state.beta, first=state.iteration == 0)

    share = min(1.0, 0.1 + 0.9 * state.iteration / WARMUP)
    for parameters, peak in zip(optimizer.param_groups, (config.lr, config.value_lr), strict=True):
        parameters["lr"] = share * peak
    told = torch.zeros(len(TOLD), dtype=torch.float64, device=accelerator.device)
    steps = 0
    for epoch in range(config.inner_epochs):
        shuffler = np.random.default_rng([config.seed, state.iteration, epoch])
        for place in shuffler.permutation(len(minibatches)).tolist():
            texts = run.mix.take(config.ptx_batch, (state.iteration, epoch, place)) if run.mix else []
            told += descend(run, minibatches[place], lesson, texts, optimizer)
            steps += 1
    row = measure(run, drawn, lesson, state) | dict(zip(TOLD, (told / steps).tolist(), strict=True))
    if config.kl_target:
        state.beta = rl.adapt(state.beta, row["kl"], config.kl_target)
    return row | {"lr": share * config.lr}


def evaluate(run: Run, state: State, average: Average, stage: Stage) -> None:
    """Judge the policy that would be saved now on held-out prompts, into the curves and samples."""
    started = time.monotonic()
    config = run.config
    with average.applied(), run.accelerator.autocast():
        answers = answer(
            run.actors,
            run.held_out,
            config.evaluate_samples,
            run.how,
            seed=config.seed,
            budget=config.tokens_per_batch,
        )
    begun = [{k: v for k, v in row.items() if k != "iteration"} for row in state.samples if row["iteration"] == 0]
    found = summary(answers, [Answer(**row) for row in begun] or None, seed=config.seed)
    state.seconds += time.monotonic() - started
    place = {"kind": "evaluation", "iteration": state.iteration, "seconds": round(state.seconds, 3)}
    state.curves.append(place | found.to_json())
    state.samples += [{"iteration": state.iteration} | asdict(each) for each in answers]
    stage.step(state.iteration, held_out_reward=found.reward, held_out_kl=found.kl)


def make_optimizer(actors: Actors, config: PpoConfig) -> torch.optim.Optimizer:
    """Adam without decay, for the policy and for the value function at rates of their own."""
    groups = [
        {"params": list(actors.learned.values()), "lr": config.lr},
        {"params": list(actors.learned_values.values()), "lr": config.value_lr},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), weight_decay=0.0, fused=True)


def run_settings(
    config: PpoConfig, practice: Sequence[Group], held_out: Sequence[Group], precision: str
) -> dict[str, Any]:
    """Everything that decides the result: flags, and digests of the prompts."""
    aside = ("out", "progress", "debug", "resume", "overwrite", "checkpoint_every")
    flags = {name: value for name, value in asdict(config).items() if name not in aside}
    digests = {"practice": sha256_of_groups(practice), "held_out": sha256_of_groups(held_out)}
    return flags | {"reward": str(config.reward), "precision": precision, "prompts_sha256": digests}


def _stop(run: Run, state: State, row: Row) -> bool:
    """Whether the time is over or the policy far enough away, in the eyes of any process."""
    config = run.config
    over = config.minutes is not None and state.seconds >= 60 * config.minutes
    far = config.max_kl > 0 and row["kl"] >= config.max_kl
    return bool(run.total(torch.tensor(float(over or far), device=run.accelerator.device)) > 0)


def _questions(groups: Sequence[Group], actors: Actors, config: PpoConfig) -> list[Question]:
    found = []
    for group in groups:
        try:
            ids = actors.policy.encode(group.prompt, config.max_new_tokens)
        except DataError as error:
            raise DataError(error.problem, field=f"prompt {group.id}") from error
        found.append(Question(group, tuple(ids)))
    return found


def _ends(actors: Actors) -> tuple[int, ...]:
    """Tokens that end a completion, that of the chat format first."""
    main = actors.policy.tokenizer.eos_token_id
    return (main, *(token for token in end_tokens(actors.policy.model, actors.policy.tokenizer) if token != main))
