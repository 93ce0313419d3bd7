"""``reward bench accuracy``: whether a model trained here orders held-out pairs as well as one trained by TRL.

1. Hold out prompts, and draw the groups to train on; both are the same for every training.
2. Train here with every seed, then with TRL, each side in a process of its own, and score the held-out groups.
3. Compare pair by pair: per seed, and over all seeds with an interval for other prompts and other seeds
   (`reward.crossed`).

Every training leaves its scores under OUT as soon as it is done, and is not run again by the same command.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from labeler.formats import read
from reward.artifact import Scorer
from reward.base import identity, resolve
from reward.benchmark.child import call
from reward.benchmark.held_out import choose_parts, difference, fitting, outcome
from reward.benchmark.learn import Kept, Learned, Parts
from reward.benchmark.training import require
from reward.benchmark.workload import decided
from reward.config.studies import BenchAccuracyConfig
from reward.data import Encoder, compared_pairs
from reward.manifest import versions
from reward.model import new_reward_model
from reward.pairs import collect_pairs, correctness
from reward.precision import pick_precision
from reward.progress import Progress

SIDES = ("ours", "trl")


def bench_accuracy(config: BenchAccuracyConfig, progress: Progress) -> dict[str, Any]:
    """Run the comparison and return what the command prints as its last line.

    Raises:
        UsageError: TRL is not installed. DataError: nothing to train on or to measure on.
        TrainingError: a side failed.
    """
    require("trl")
    folder = resolve(config.base)
    model, tokenizer = new_reward_model(folder, seed=0, max_length=config.max_length)
    parts, left_out = pick(config, Scorer(model, tokenizer).encoder)
    shared = {
        "epochs": config.epochs,
        "lr": config.lr,
        "batch": config.batch,
        "max_length": model.max_length,
        "precision": pick_precision(config.precision, config.device),
        "device": config.device,
    }
    own = {"ours": {"tokens_per_batch": config.tokens_per_batch}, "trl": {"peer_batch": config.peer_batch}}
    made_of = {"base": identity(config.base, folder).to_json(), "data": parts.sha256}
    found: dict[str, list[Learned]] = {}
    with TemporaryDirectory(prefix="reward-bench-") as scratch, progress.stage("bench", len(SIDES)) as stage:
        parts.save(Path(scratch))
        for side in SIDES:
            settings = shared | own[side]
            kept = Kept(config.out, side, settings | made_of)
            known = [kept.find(seed) for seed in range(config.seeds)]
            if None in known:
                place = {"base": str(folder), "parts": scratch, "folder": str(config.out)}
                more = {"name": side, "about": kept.about, "seeds": config.seeds}
                call(f"learn-{side}", **place, **more, **settings)
            found[side] = [one for seed in range(config.seeds) if (one := kept.find(seed))]
            stage.step(side=side, accuracy=float(outcome(parts.test, found[side]).right.mean()))
    return report(config, parts, found, shared) | {"left_out": left_out}


def pick(config: BenchAccuracyConfig, encoder: Encoder) -> tuple[Parts, int]:
    """The groups with a pair that both sides can use, divided; and how many of them were too long."""
    groups = [group for source in config.data for group in read(source).groups]
    usable = [g for g in groups if any(decided(compared_pairs(g, range(len(g.completions)))))]
    short = fitting(usable, encoder)
    parts = choose_parts(short, config)
    return Parts(parts.train, (), parts.test), len(usable) - len(short)


def report(
    config: BenchAccuracyConfig, parts: Parts, found: dict[str, list[Learned]], shared: dict[str, Any]
) -> dict[str, Any]:
    """Everything that was found, for the last line of the output."""
    ours, peer = (outcome(parts.test, found[side]) for side in SIDES)
    gap = difference(ours.cluster, ours.right, peer.right)
    lengths = collect_pairs(parts.test, found["ours"][0].scores).decided()
    return {
        "bench": "accuracy",
        "against": config.against,
        "ours_accuracy": ours.right.mean(axis=1).tolist(),
        "peer_accuracy": peer.right.mean(axis=1).tolist(),
        "ours_mean": float(ours.right.mean()),
        "peer_mean": float(peer.right.mean()),
        "difference": gap.mean,
        "difference_ci95": gap.ci95,
        "length_only_accuracy": float(correctness(lengths.length_gap, lengths.majority).mean()),
        "seeds": config.seeds,
        "groups": len(parts.train),
        "pairs": len(ours.cluster),
        "prompts": len(np.unique(ours.cluster)),
        "ours_steps": found["ours"][0].steps,
        "peer_steps": found["trl"][0].steps,
        "base": config.base,
        **shared,
        "versions": versions() | {"trl": version("trl")},
    }


def in_words(result: dict[str, Any]) -> list[str]:
    """The comparison for people: a line per seed, and the difference."""
    rows = zip(result["ours_accuracy"], result["peer_accuracy"], strict=True)
    lines = [f"seed {seed}: {100 * a:.1f} % here, {100 * b:.1f} % with TRL" for seed, (a, b) in enumerate(rows)]
    span = "no interval, since all pairs are of one prompt"
    if result["difference_ci95"]:
        low, high = (points(bound) for bound in result["difference_ci95"])
        over = f"{result['seeds']} seeds and {result['prompts']} prompts" if result["seeds"] > 1 else "prompts"
        span = f"95 % interval over {over} {low} to {high}"
    said = (
        f"{100 * result['ours_mean']:.1f} % of {result['pairs']} held-out pairs here, "
        f"{100 * result['peer_mean']:.1f} % with TRL: {points(result['difference'])} points, {span}."
    )
    return [*lines, said]


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")
