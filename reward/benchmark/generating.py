"""``reward bench generate``: samples of one prompt, by `sample` and by ``generate`` of transformers, in turns.

Both write exactly as many tokens, whatever ends a completion otherwise, from the same weights: the peer with
``num_return_sequences`` in the number format that it is faster in. Timed is the way from token ids to token ids, here
with everything that is prepared for each call. Both sides stay in one process and are loaded before, so that runs
follow each other closely; beside wall time stands processor time, which other programs on the machine sway less.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import PreTrainedModel

from reward.base import load_causal, resolve
from reward.benchmark.machine import device_name, now
from reward.config.bench import BenchGenerateConfig
from reward.config.common import Precision
from reward.decode import choose_decoder
from reward.manifest import versions
from reward.policy import pick_device, pick_dtype
from reward.progress import Progress
from reward.sampling import sample

TRIED: tuple[Precision, ...] = ("float32", "bfloat16")
"""Number formats that the peer may take."""
TRIAL = 8
"""Tokens on which a number format is tried."""


@dataclass(frozen=True)
class Run:
    """Wall time and processor time of one run."""

    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Task:
    """What both sides do: so many samples of a prompt, of exactly so many tokens each."""

    prompt: tuple[int, ...]
    n: int
    length: int
    seed: int

    def ours(self, model: PreTrainedModel, length: int) -> int:
        """Sample here; returns the tokens written."""
        drawn = sample(
            model, self.prompt, self.n, ends=(), max_new_tokens=length, temperature=1.0, top_p=1.0, seed=self.seed
        )
        return sum(len(each.ids) for each in drawn)

    def peer(self, model: PreTrainedModel, length: int) -> int:
        """Sample with transformers; returns the tokens written."""
        ids = torch.tensor([self.prompt], device=model.device)
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(self.seed)
            out: Any = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                num_return_sequences=self.n,
                max_new_tokens=length,
                min_new_tokens=length,
                temperature=1.0,
                top_p=1.0,
                top_k=0,
            )
        return int(out[:, len(self.prompt) :].numel())


def bench_generate(config: BenchGenerateConfig, progress: Progress) -> dict[str, Any]:
    """Run the comparison and return what the command prints as its last line.

    Raises:
        ModelError: there is no such model. UsageError: there is no such device.
    """
    folder, place = resolve(config.policy), pick_device(config.device)
    models = {name: _load(folder, name, place) for name in _formats(config, place)}
    own = models[_name(pick_dtype(config.precision, place))]
    task = made_up(config, own.config.get_text_config().vocab_size)
    with progress.stage("bench", total=2 * config.repeats + 1) as stage:
        trials = {name: timed(partial(task.peer, model, TRIAL), place) for name, model in models.items()}
        theirs = min(trials, key=lambda name: trials[name].seconds)
        peer_model = models[theirs]
        task.ours(own, TRIAL)
        stage.step(peer_precision=theirs)
        ours, peer = [], []
        for _ in range(config.repeats):
            ours.append(timed(lambda: task.ours(own, task.length), place))
            stage.step(ours_seconds=ours[-1].seconds)
            peer.append(timed(lambda: task.peer(peer_model, task.length), place))
            stage.step(peer_seconds=peer[-1].seconds)
    with torch.no_grad():
        decoder = type(choose_decoder(own, task.prompt)).__name__
    return report(config, task, ours, peer) | {
        "ours_precision": _name(own.dtype),
        "peer_precision": theirs,
        "peer_trials": {name: run.seconds for name, run in trials.items()},
        "decoder": decoder,
        "policy": config.policy,
        "device": device_name(place),
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }


def made_up(config: BenchGenerateConfig, vocabulary: int) -> Task:
    """The task, with random token ids as its prompt."""
    generator = torch.Generator().manual_seed(config.seed)
    prompt = torch.randint(0, vocabulary, (config.prompt,), generator=generator).tolist()
    return Task(tuple(prompt), config.n, config.max_new_tokens, config.seed)


def timed(work: Callable[[], int], place: torch.device) -> Run:
    """One run of something."""
    started, processor = now(place), time.process_time()
    work()
    return Run(now(place) - started, time.process_time() - processor)


def report(config: BenchGenerateConfig, task: Task, ours: Sequence[Run], peer: Sequence[Run]) -> dict[str, Any]:
    """Times and tokens per second of both sides, by the medians."""
    tokens = task.n * task.length
    found: dict[str, Any] = {"bench": "generate", "against": config.against}
    for side, runs in (("ours", ours), ("peer", peer)):
        seconds, processor = median(r.seconds for r in runs), median(r.processor_seconds for r in runs)
        found |= {
            f"{side}_seconds": seconds,
            f"{side}_processor_seconds": processor,
            f"{side}_tokens_per_second": tokens / seconds,
            f"{side}_all_seconds": [r.seconds for r in runs],
            f"{side}_all_processor_seconds": [r.processor_seconds for r in runs],
        }
    return found | {
        "ratio": found["peer_seconds"] / found["ours_seconds"],
        "processor_ratio": found["peer_processor_seconds"] / found["ours_processor_seconds"],
        "groups": 1,
        "samples": task.n,
        "prompt_tokens": len(task.prompt),
        "tokens": tokens,
    }


def _formats(config: BenchGenerateConfig, place: torch.device) -> set[Precision]:
    """Number formats to load: the one of this side, and where nothing else is wished, all that the peer may take."""
    return {_name(pick_dtype(config.precision, place)), *(TRIED if config.precision == "auto" else ())}


def _load(folder: Path, precision: Precision, place: torch.device) -> PreTrainedModel:
    model, _ = load_causal(folder, dtype=getattr(torch, precision))
    return model.to(place).eval()


def _name(dtype: torch.dtype) -> Precision:
    return "bfloat16" if dtype == torch.bfloat16 else "float32"
