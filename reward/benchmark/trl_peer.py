"""TRL's side of a comparison: its own RewardTrainer and collator, unmodified, at settings that suit it.

It gets the token ids of both sequences of every comparison (a data set with ``chosen_ids`` and ``rejected_ids``, which
it takes as tokenized), the same base with float32 weights, bfloat16 autocast where this product uses it, no gradient
checkpointing, fused AdamW with the same betas, and nothing to log or save. Of its samplers it gets whichever pads less,
random order or grouped by length. It has no padding-free mode for reward models (version 1.16).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from transformers import PreTrainedModel, TrainerCallback, set_seed
from trl import RewardConfig, RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from labeler.errors import TrainingError
from reward.base import load_tokenizer, quiet
from reward.benchmark.child import Measured, Trial, try_batches
from reward.benchmark.flops import Reading, is_causal, model_flops, reading_of_rows
from reward.benchmark.machine import device_name, dtype_of, forget_peak, matmul_peak, now, peak_bytes, pick_device
from reward.benchmark.workload import Workload
from reward.config.common import Device, Precision
from reward.model import head_name, load_classifier
from reward.tokenizer import prepare_tokenizer

STRATEGIES = ("random", "group_by_length")
SAMPLE = 8
"""Pairs on which a batch size is tried at least."""

Comparison = tuple[list[int], list[int]]


class CountingCollator:
    """TRL's collator, with a count of what it makes."""

    def __init__(self, pad_id: int, *, causal: bool) -> None:
        self.reading, self._causal = Reading(), causal
        self._collate = DataCollatorForPreference(pad_token_id=pad_id)

    def __call__(self, examples: list[dict[str, Any]]) -> Mapping[str, Any]:
        """The padded batch: ``input_ids`` and ``attention_mask`` (2 · examples, longest), chosen first."""
        batch: Mapping[str, Any] = self._collate(examples)
        self.reading += reading_of_rows(*batch["input_ids"].shape, causal=self._causal)
        return batch


class Clock(TrainerCallback):  # type: ignore[misc] # transformers is not typed
    """When the first step began and the last one ended, seconds in the optimizer, and the most memory until then."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.started, self.ended, self.optimizer, self.peak = math.nan, math.nan, 0.0, 0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Keep the beginning of the first step."""
        if math.isnan(self.started):
            self.started = now(self._device)

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Count seconds of the optimizer from here."""
        self.optimizer -= now(self._device)

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Count them up to here."""
        self.optimizer += now(self._device)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Keep the end of the latest step."""
        self.ended, self.peak = now(self._device), peak_bytes(self._device)


@dataclass(frozen=True)
class Bench:
    """What all runs of the peer in one process share; ``settings`` are further ones of TRL's RewardConfig."""

    model: PreTrainedModel
    tokenizer: Any
    max_length: int
    precision: Precision
    place: torch.device
    seed: int
    scratch: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def trainer(
        self, pairs: Sequence[Comparison], batch: int, accumulation: int, strategy: str, clock: Clock | None = None
    ) -> RewardTrainer:
        """A trainer over these pairs, for one epoch unless the settings say otherwise.

        Raises:
            TrainingError: it dropped pairs.
        """
        rows = [{"chosen_ids": a, "rejected_ids": b, "length": max(len(a), len(b))} for a, b in pairs]
        fields: dict[str, Any] = {
            "output_dir": self.scratch,
            "per_device_train_batch_size": batch,
            "gradient_accumulation_steps": accumulation,
            "num_train_epochs": 1,
            "learning_rate": 2e-5,
            "weight_decay": 0.01,
            "adam_beta2": 0.95,
            "max_length": self.max_length,
            "bf16": self.precision == "bfloat16",
            "gradient_checkpointing": False,
            "train_sampling_strategy": strategy,
            "remove_unused_columns": False,  # else it would not see the lengths
            "dataloader_pin_memory": self.place.type == "cuda",
            "use_cpu": self.place.type == "cpu",
            "seed": self.seed,
            "logging_strategy": "no",
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
        }
        trainer = RewardTrainer(
            model=self.model,
            args=RewardConfig(**fields | dict(self.settings)),
            train_dataset=Dataset.from_list(rows),
            processing_class=self.tokenizer,
            data_collator=CountingCollator(self.tokenizer.pad_token_id, causal=is_causal(self.model)),
            callbacks=[clock] if clock else None,
        )
        if len(trainer.train_dataset) != len(pairs):
            dropped = len(pairs) - len(trainer.train_dataset)
            raise TrainingError(f"TRL drops {dropped} of {len(pairs)} pairs as too long; raise --max-length")
        return trainer

    def run(self, pairs: Sequence[Comparison], batch: int, accumulation: int, strategy: str) -> Run:
        """Train on the pairs, timed from the first step to the end of the last."""
        clock = Clock(self.place)
        trainer = self.trainer(pairs, batch, accumulation, strategy, clock)
        forget_peak(self.place)
        trainer.train()
        trainer.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)  # else every trainer wraps it once more
        seconds, steps = clock.ended - clock.started, trainer.state.global_step
        return Run(seconds, clock.optimizer, clock.peak, steps, trainer.data_collator.reading)

    def planned(self, pairs: Sequence[Comparison], batch: int, accumulation: int, strategy: str) -> Reading:
        """What TRL's batches of these pairs hold, without training on them."""
        trainer = self.trainer(pairs, batch, accumulation, strategy)
        set_seed(self.seed)
        for _ in trainer.get_train_dataloader():
            pass
        reading: Reading = trainer.data_collator.reading
        return reading

    def best_strategy(self, pairs: Sequence[Comparison], batch: int, accumulation: int) -> tuple[str, Reading]:
        """The sampler whose batches hold fewer tokens, and what they hold."""
        plans = [(name, self.planned(pairs, batch, accumulation, name)) for name in STRATEGIES]
        return min(plans, key=lambda plan: plan[1].tokens)


@dataclass(frozen=True)
class Run:
    """A timed run: seconds, those of them in the optimizer, most memory, optimizer steps, what was read."""

    seconds: float
    optimizer_seconds: float
    peak: int
    steps: int
    reading: Reading


def accumulation_for(pairs: int, batch: int, steps: int) -> int:
    """Batches per optimizer step with which ``pairs`` take as nearly as can be ``steps`` steps."""
    batches = math.ceil(pairs / batch)
    return min(range(1, batches + 1), key=lambda n: (abs(math.ceil(batches / n) - steps), n))


def train(
    *,
    base: str,
    work: str,
    batch: int,
    steps: int,
    only_pairs: int | None,
    precision: Precision,
    device: Device,
    seed: int,
) -> Measured:
    """One epoch over the comparisons of the workload, or over a random part of them.

    Args:
        base: resolved folder.
        work: file of the workload.
        batch: pairs at once.
        steps: optimizer steps that the whole epoch should take.
        only_pairs: train on so many pairs only.
        precision: number format of matrix products.
        device: where to train.
        seed: of the choice of pairs, the head and the order.
    """
    workload, place = Workload.load(Path(work)), pick_device(device)
    every = workload.comparisons()
    chosen = drawn(every, only_pairs, seed)
    accumulation = accumulation_for(len(every), batch, steps)
    with TemporaryDirectory(prefix="reward-bench-") as scratch:
        bench = prepare(
            base, max_length=workload.max_length, precision=precision, place=place, seed=seed, scratch=scratch
        )
        strategy, plan = bench.best_strategy(every, batch, accumulation)
        ordered = sorted(every, key=lambda pair: max(map(len, pair)))
        bench.run([*ordered[:batch], *ordered[-batch:]], batch, 1, "sequential")  # warm up on short and on long ones
        run = bench.run(chosen, batch, accumulation, strategy)
    return Measured(
        seconds=run.seconds,
        sequences=run.reading.sequences,
        tokens=run.reading.tokens,
        flops=model_flops(bench.model, run.reading, backward=True),
        peak_bytes=run.peak,
        matmul_flops=matmul_peak(dtype_of(precision), place),
        threads=torch.get_num_threads(),
        device=device_name(place),
        steps=run.steps,
        details={
            "pairs": len(chosen),
            "all_pairs": len(every),
            "all_tokens": run.reading.tokens if len(chosen) == len(every) else plan.tokens,
            "all_steps": math.ceil(math.ceil(len(every) / batch) / accumulation),
            "optimizer_seconds": run.optimizer_seconds,
            "accumulation": accumulation,
            "sampling": strategy,
        },
    )


def search(
    *, base: str, work: str, sizes: list[int], steps: int, precision: Precision, device: Device, seed: int
) -> list[Trial]:
    """Try batch sizes on a random sample of the comparisons, each after a step to warm up."""
    workload, place = Workload.load(Path(work)), pick_device(device)
    every = workload.comparisons()
    with TemporaryDirectory(prefix="reward-bench-") as scratch:
        bench = prepare(
            base, max_length=workload.max_length, precision=precision, place=place, seed=seed, scratch=scratch
        )

        def measure(batch: int) -> Trial:
            accumulation = accumulation_for(len(every), batch, steps)
            strategy, plan = bench.best_strategy(every, batch, accumulation)
            sample = drawn(every, min(len(every), math.ceil(SAMPLE / batch) * batch), seed)
            bench.run(sample[:batch], batch, 1, strategy)
            run = bench.run(sample, batch, math.ceil(len(sample) / batch), strategy)
            return Trial(batch, run.seconds, run.reading.tokens, plan.tokens)

        return try_batches(sizes, measure)


def drawn(pairs: list[Comparison], count: int | None, seed: int) -> list[Comparison]:
    """So many of the pairs, drawn without replacement; all of them for None."""
    if count is None or count >= len(pairs):
        return pairs
    return [pairs[i] for i in np.random.default_rng(seed).choice(len(pairs), size=count, replace=False)]


def prepare(base: str, *, max_length: int, precision: Precision, place: torch.device, seed: int, scratch: str) -> Bench:
    """The stock classifier of the base with a new head, and a tokenizer with a padding token."""
    disable_progress_bars()
    set_seed(seed)
    model = load_classifier(Path(base))
    with quiet():
        tokenizer = prepare_tokenizer(load_tokenizer(Path(base)), encoder=head_name(model) != "score")
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return Bench(model, tokenizer, max_length, precision, place, seed, scratch)
