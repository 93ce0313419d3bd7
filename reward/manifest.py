"""reward.json: where a reward model came from, so that its figures can be judged and its training repeated."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

from labeler.formats import dumps, group_to_row, prompt_key
from labeler.records import Group
from reward.artifact import Scorer
from reward.checkpoint import State
from reward.config.common import Precision
from reward.config.sft import SftConfig
from reward.config.train import TrainConfig
from reward.data import EncodingReport
from reward.evaluate import Metrics
from reward.splits import Splits

PACKAGES = ("reward-labeler", "torch", "transformers", "tokenizers", "accelerate", "safetensors", "numpy")
KEY_CHARACTERS = 16
"""Of a prompt's key, enough to tell prompts apart and too few to guess a prompt from."""


def manifest(
    *,
    settings: Mapping[str, Any],
    base: Mapping[str, Any],
    splits: Splits,
    scorer: Scorer,
    metrics: Mapping[str, Metrics],
    state: State,
    report: EncodingReport,
    seconds: float,
    centred_on: str,
    likelihood: Mapping[str, Any],
) -> dict[str, Any]:
    """What reward.json says, ready for JSON.

    Args:
        settings: flags and digests of the data.
        base: identity of the base model.
        splits: what was trained and measured on.
        scorer: the trained model.
        metrics: by split.
        state: the course of the run.
        report: what encoding the training groups did to them.
        seconds: wall time of training.
        centred_on: what the mean and the standard deviation are of.
        likelihood: what was learned beside the model: tie parameter, position bias, reliability of annotators.
    """
    flags = {name: value for name, value in settings.items() if name not in ("data_sha256", "seed")}
    parts = {name: getattr(splits, name) for name in ("train", "valid", "test")}
    return {
        "schema": 1,
        "base": dict(base),
        "data": {
            "sha256": settings["data_sha256"],
            "groups": {name: len(part) for name, part in parts.items()},
            "split": splits.rule,
            "encoding": asdict(report),
        },
        "config": flags,
        "seed": settings["seed"],
        "reads": scorer.model.mode,
        "steps": state.step,
        "seconds": round(seconds, 1),
        "centred_on": centred_on,
        "mean": scorer.mean,
        "std": scorer.std,
        "likelihood": dict(likelihood),
        "metrics": {name: each.to_json() for name, each in metrics.items()},
        "history": {
            "steps": state.steps,
            "losses": state.losses,
            "valid": [[step, accuracy] for step, accuracy, _ in state.valid],
        },
        "versions": versions(),
        "git_commit": git_commit(),
        "seen_prompts": sorted({prompt_key(g.prompt)[:KEY_CHARACTERS] for g in chain(splits.train, splits.valid)}),
    }


def run_settings(config: TrainConfig | SftConfig, splits: Splits, precision: Precision) -> dict[str, Any]:
    """Everything that decides the result of a training: flags, and digests of the data."""
    aside = ("out", "progress", "debug", "resume", "overwrite", "checkpoint_every")
    flags = {name: value for name, value in asdict(config).items() if name not in aside}
    digests = {name: sha256_of_groups(getattr(splits, name)) for name in ("train", "valid", "test")}
    return flags | {"data": list(config.data), "precision": precision, "data_sha256": digests}


def sha256_of_groups(groups: Iterable[Group]) -> str:
    """Hex digest of the groups' content in the native format, whatever file or format they came in."""
    digest = hashlib.sha256()
    for group in groups:
        digest.update(dumps(group_to_row(group)).encode() + b"\n")
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The commit of the checkout that this package runs from; None where it is installed."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
            ["git", "-C", str(here), "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
