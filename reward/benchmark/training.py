"""``reward bench train``: one epoch over the same groups, by this product and by TRL, one after the other in turns.

1. Draw the groups from the training split and turn them into token ids, once for both sides.
2. Find the peer's best batch size on a small sample.
3. In turns, each time in a new process: load the model, warm up, then time the steps of an epoch (forward, backward,
   optimizer) and, right after, what a matrix product reaches on this machine.
4. Compare the medians.

Every pair of a group that people decided goes to TRL as chosen and rejected. Its gradient accumulation is set so that
its epoch has as nearly as can be as many optimizer steps as ours; both numbers are reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from labeler.errors import UsageError
from labeler.formats import read
from reward.artifact import Scorer
from reward.base import resolve
from reward.benchmark.child import Measured, Trial, call
from reward.benchmark.workload import Workload, choose, refuse_too_long
from reward.config.bench import BenchTrainConfig
from reward.config.common import Precision
from reward.manifest import versions
from reward.model import new_reward_model
from reward.precision import pick_precision
from reward.progress import Progress
from reward.splits import split_groups

BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""Pairs at once that are tried for the peer."""


@dataclass(frozen=True)
class Comparison:
    """All runs of both sides, and how the peer's batch was found."""

    ours: Sequence[Measured]
    peer: Sequence[Measured]
    trials: Sequence[Trial]
    peer_batch: int


def bench_train(config: BenchTrainConfig, progress: Progress) -> dict[str, Any]:
    """Run the comparison and return what the command prints as its last line.

    Raises:
        UsageError: TRL is not installed. DataError: nothing to compare, or a sequence that is too long.
        TrainingError: a side failed.
    """
    require("trl")
    folder = resolve(config.base)
    precision = pick_precision(config.precision, config.device)
    work = prepare(config, folder)
    with TemporaryDirectory(prefix="reward-bench-") as scratch:
        file = Path(scratch) / "work.json"
        work.save(file)
        compared = compare(config, precision, {"base": str(folder), "work": str(file)}, work, progress)
    return report(config, precision, work, compared)


def require(package: str) -> None:
    """Raise `UsageError` unless the peer is installed."""
    if find_spec(package) is None:
        raise UsageError(f"--against {package}: it is not installed; run `pip install 'reward-labeler[bench]'`")


def prepare(config: BenchTrainConfig, folder: Path) -> Workload:
    """The groups to train on, encoded as ``reward train`` encodes them."""
    groups = [group for source in config.data for group in read(source).groups]
    chosen = choose(split_groups(groups).train, config.groups, config.seed)
    model, tokenizer = new_reward_model(folder, seed=config.seed, max_length=config.max_length)
    scorer = Scorer(model, tokenizer)
    refuse_too_long(scorer.encoder, chosen)
    encoded, _ = scorer.encode(chosen)
    return Workload(tuple(encoded), model.max_length)


def compare(
    config: BenchTrainConfig, precision: Precision, place: dict[str, str], work: Workload, progress: Progress
) -> Comparison:
    """Both sides in turns, each run in a new process."""
    steps = math.ceil(len(work.groups) / config.batch)
    shared = place | {"precision": precision, "device": config.device, "seed": config.seed}
    trials: list[Trial] = []
    ours, peer = [], []
    with progress.stage("bench", total=2 * config.repeats + 1) as stage:
        if config.peer_batch == "auto":
            trials = [Trial(**t) for t in call("search-trl", **shared, sizes=sizes(work, steps), steps=steps)]
            batch = min(trials, key=lambda t: t.estimate).batch
        else:
            batch = config.peer_batch
        stage.step(peer_batch=batch)
        for _ in range(config.repeats):
            own = {"batch": config.batch, "tokens_per_batch": config.tokens_per_batch}
            ours.append(Measured(**call("train-ours", **shared, **own)))
            stage.step(ours_seconds=ours[-1].seconds)
            theirs = {"batch": batch, "steps": steps, "only_pairs": config.peer_pairs}
            peer.append(Measured(**call("train-trl", **shared, **theirs)))
            stage.step(peer_seconds=peer[-1].seconds)
    return Comparison(ours, peer, trials, batch)


def sizes(work: Workload, steps: int) -> list[int]:
    """Batch sizes to try: not more pairs than an optimizer step has."""
    most = math.ceil(len(work.comparisons()) / steps)
    return [size for size in BATCHES if size <= most]


def scaled_seconds(run: Measured) -> float:
    """Seconds of the peer for all pairs, from those of the pairs that it ran.

    Forward and backward grow with the tokens; the optimizer grows with its steps, of which a few pairs have more each.
    """
    more_tokens = float(run.details["all_tokens"]) / run.tokens
    more_steps = float(run.details["all_steps"]) / run.steps
    optimizer = float(run.details["optimizer_seconds"])
    return (run.seconds - optimizer) * more_tokens + optimizer * more_steps


def report(config: BenchTrainConfig, precision: Precision, work: Workload, compared: Comparison) -> dict[str, Any]:
    """Everything that was found, for the last line of the output."""
    ours, peer = compared.ours, compared.peer
    ours_seconds, peer_seconds = median(r.seconds for r in ours), median(scaled_seconds(r) for r in peer)
    details = peer[0].details
    return {
        "bench": "train",
        "against": config.against,
        "ratio": peer_seconds / ours_seconds,
        "ours_seconds": ours_seconds,
        "peer_seconds": peer_seconds,
        "ours_all_seconds": [r.seconds for r in ours],
        "peer_all_seconds": [scaled_seconds(r) for r in peer],
        "groups": len(work.groups),
        "pairs": details["all_pairs"],
        "tokens": ours[0].tokens,
        "peer_tokens": details["all_tokens"],
        "token_ratio": details["all_tokens"] / ours[0].tokens,
        "ours_steps": ours[0].steps,
        "peer_batch": compared.peer_batch,
        "peer_accumulation": details["accumulation"],
        "peer_steps": details["all_steps"],
        "peer_sampling": details["sampling"],
        "peer_batch_search": [
            {"batch": t.batch, "sample_seconds": t.seconds, "sample_tokens": t.tokens, "epoch_estimate": t.estimate}
            for t in compared.trials
        ],
        "peer_extrapolated": details["pairs"] < details["all_pairs"],
        "peer_pairs_run": details["pairs"],
        "peer_tokens_run": peer[0].tokens,
        "peer_seconds_run": [r.seconds for r in peer],
        "peer_optimizer_seconds_run": [r.details["optimizer_seconds"] for r in peer],
        "ours_reads": ours[0].details["reads"],
        "max_length": work.max_length,
        "base": config.base,
        "seed": config.seed,
        **machine(ours, peer, precision),
        "versions": versions() | {"trl": version("trl")},
    }


def machine(ours: Sequence[Measured], peer: Sequence[Measured], precision: Precision) -> dict[str, Any]:
    """Memory, and speed beside what a matrix product reached in these very runs."""
    peak = max(r.matmul_flops for r in (*ours, *peer))
    return {
        "ours_peak_bytes": max(r.peak_bytes for r in ours),
        "peer_peak_bytes": max(r.peak_bytes for r in peer),
        "matmul_peak_flops": peak,
        "matmul_all_flops": [r.matmul_flops for pair in zip(ours, peer, strict=True) for r in pair],
        "ours_fraction_of_peak": median(r.flops / r.seconds for r in ours) / peak,
        "peer_fraction_of_peak": median(r.flops / r.seconds for r in peer) / peak,
        "device": ours[0].device,
        "threads": ours[0].threads,
        "precision": precision,
    }
