"""``reward bench score``: every completion of the data, by `Scorer` and by stock transformers, in turns.

Timed is the way from groups to scores on both sides: rendering, tokenizing, reading. The peer reads padded batches
sorted by length at its best batch size. Their scores must agree, or the comparison is void.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from labeler.errors import DataError, TrainingError
from labeler.formats import read, write_groups
from labeler.records import Group
from reward.artifact import Scorer, save_artifact
from reward.base import resolve
from reward.benchmark.child import Measured, Trial, call
from reward.benchmark.training import machine
from reward.benchmark.workload import refuse_too_long
from reward.config.bench import BenchScoreConfig
from reward.config.common import Precision
from reward.manifest import versions
from reward.model import new_reward_model
from reward.precision import pick_precision
from reward.progress import Progress

BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""Texts at once that are tried for the peer."""
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}
"""How far two scores may differ, relative to the largest where that is above 1."""


def bench_score(config: BenchScoreConfig, progress: Progress) -> dict[str, Any]:
    """Run the comparison and return what the command prints as its last line.

    Raises:
        DataError: nothing to score, or a sequence that is too long. TrainingError: a side failed, or the scores differ.
    """
    precision = pick_precision(config.precision, config.device)
    with TemporaryDirectory(prefix="reward-bench-") as scratch:
        folder = config.model or untrained(config, Path(scratch) / "model")
        groups = pick(config, folder)
        file = Path(scratch) / "groups.jsonl"
        write_groups(groups, file)
        shared = {"model": str(folder), "groups": str(file), "precision": precision, "device": config.device}
        ours, peer, trials, batch = compare(config, shared, progress)
    return report(config, precision, groups, ours, peer) | {
        "peer_batch": batch,
        "peer_batch_search": [
            {"batch": t.batch, "sample_seconds": t.seconds, "epoch_estimate": t.estimate} for t in trials
        ],
        "versions": versions(),
    }


def untrained(config: BenchScoreConfig, folder: Path) -> Path:
    """A reward model with a fresh head: as fast as a trained one."""
    model, tokenizer = new_reward_model(resolve(config.base), seed=config.seed, max_length=config.max_length)
    save_artifact(folder, Scorer(model, tokenizer), "An untrained model, to measure speed.\n")
    return folder


def pick(config: BenchScoreConfig, folder: Path) -> list[Group]:
    """The first so many groups with completions, all of which fit the model."""
    groups = [group for source in config.data for group in read(source).groups if group.completions][: config.groups]
    if not groups:
        raise DataError("no group has completions to score", file=", ".join(config.data))
    refuse_too_long(Scorer.from_pretrained(folder, "cpu").encoder, groups)
    return groups


def compare(
    config: BenchScoreConfig, shared: dict[str, str], progress: Progress
) -> tuple[list[Measured], list[Measured], list[Trial], int]:
    """Both sides in turns, each run in a new process; then the trials and the batch size of the peer."""
    trials: list[Trial] = []
    ours, peer = [], []
    with progress.stage("bench", total=2 * config.repeats + 1) as stage:
        batch = config.peer_batch
        if batch == "auto":
            trials = [Trial(**t) for t in call("search-transformers", **shared, sizes=list(BATCHES), seed=config.seed)]
            batch = min(trials, key=lambda t: t.estimate).batch
        stage.step(peer_batch=batch)
        for _ in range(config.repeats):
            ours.append(Measured(**call("score-ours", **shared)))
            stage.step(ours_seconds=ours[-1].seconds)
            peer.append(Measured(**call("score-transformers", **shared, batch=batch)))
            stage.step(peer_seconds=peer[-1].seconds)
    return ours, peer, trials, batch


def largest_difference(ours: Sequence[float], peer: Sequence[float], precision: Precision) -> float:
    """The largest difference of two scores of the same text.

    Raises:
        TrainingError: they differ more than the number format explains.
    """
    found = max(abs(a - b) for a, b in zip(ours, peer, strict=True))
    scale = max(1.0, *(abs(value) for value in peer))
    if not found <= TOLERANCE[precision] * scale:
        raise TrainingError(
            f"the scores of both sides differ by up to {found:.3g} in {precision}, so that their times say nothing; "
            "report it with the base model's name"
        )
    return found


def report(
    config: BenchScoreConfig,
    precision: Precision,
    groups: Sequence[Group],
    ours: Sequence[Measured],
    peer: Sequence[Measured],
) -> dict[str, Any]:
    """Everything that was found, for the last line of the output."""
    ours_seconds, peer_seconds = median(r.seconds for r in ours), median(r.seconds for r in peer)
    return {
        "bench": "score",
        "against": config.against,
        "ratio": peer_seconds / ours_seconds,
        "ours_seconds": ours_seconds,
        "peer_seconds": peer_seconds,
        "ours_all_seconds": [r.seconds for r in ours],
        "peer_all_seconds": [r.seconds for r in peer],
        "groups": len(groups),
        "completions": sum(len(g.completions) for g in groups),
        "tokens": ours[0].tokens,
        "peer_tokens": peer[0].tokens,
        "token_ratio": peer[0].tokens / ours[0].tokens,
        "max_difference": largest_difference(ours[0].details["scores"], peer[0].details["scores"], precision),
        "ours_reads": ours[0].details["reads"],
        "model": str(config.model or f"{config.base}, untrained head"),
        **machine(ours, peer, precision),
    }
