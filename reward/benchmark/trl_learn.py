"""TRL's side of ``reward bench accuracy``: its unmodified RewardTrainer, with the settings that this product has."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reward.artifact import Scorer
from reward.benchmark.learn import Kept, Learned, Parts
from reward.benchmark.machine import pick_device
from reward.benchmark.trl_peer import accumulation_for, prepare
from reward.benchmark.workload import Workload
from reward.config.common import Device, Precision
from reward.config.train import TrainConfig
from reward.data import Encoder
from reward.measure import score_all
from reward.model import RewardModel, head, start_head
from reward.optimize import FLOOR
from reward.progress import Progress


def learn_seeds(
    *, base: str, parts: str, folder: str, name: str, about: dict[str, Any], seeds: int, **settings: Any
) -> list[Learned]:
    """The trainings of all seeds in a process of their own; each is kept as soon as it is done.

    Args:
        base: resolved folder of the base model.
        parts: where the groups were saved.
        folder, name, about: of the `Kept`.
        seeds: 0, 1, … up to but without this.
        settings: fields of `Settings`.
    """
    kept, groups = Kept(Path(folder), name, about), Parts.load(Path(parts))
    same = Settings(**settings)
    return [kept.get(seed, partial(learn, base, groups, same, seed)) for seed in range(seeds)]


@dataclass(frozen=True)
class Settings:
    """What both sides share; ``batch`` is in groups and decides the number of steps, ``peer_batch`` pairs at once."""

    epochs: int
    lr: float
    batch: int
    peer_batch: int
    max_length: int
    precision: Precision
    device: Device

    def for_trl(self) -> dict[str, Any]:
        """Fields of TRL's RewardConfig that make it train as this product does by default."""
        return {
            "num_train_epochs": self.epochs,
            "learning_rate": self.lr,
            "weight_decay": TrainConfig.weight_decay,
            "max_grad_norm": TrainConfig.clip,
            "warmup_steps": TrainConfig.warmup,  # under 1 it is a share of the steps
            "lr_scheduler_type": "cosine_warmup_with_min_lr",
            "lr_scheduler_kwargs": {"min_lr_rate": FLOOR},
        }


def learn(base: str, parts: Parts, same: Settings, seed: int) -> Learned:
    """Train on every decided pair, from the head that this product starts from, then score with this product."""
    place, limit = pick_device(same.device), same.max_length
    with TemporaryDirectory(prefix="reward-bench-") as scratch:
        stock = prepare(base, max_length=limit, precision=same.precision, place=place, seed=seed, scratch=scratch)
        bench = replace(stock, settings=same.for_trl())
        start_head(head(bench.model), seed)
        encoded, _ = Encoder(bench.tokenizer, limit).groups(parts.train)
        pairs = Workload(tuple(encoded), limit).comparisons()
        accumulation = accumulation_for(len(pairs), same.peer_batch, math.ceil(len(parts.train) / same.batch))
        run = bench.run(pairs, same.peer_batch, accumulation, "random")
    scorer = Scorer(RewardModel(bench.model, bench.tokenizer.pad_token_id, limit), bench.tokenizer)
    return Learned(score_all(scorer, parts.test, Progress(quiet=True)).scores, run.steps)
