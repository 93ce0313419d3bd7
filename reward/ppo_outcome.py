"""What a PPO run leaves beside the weights: the manifest, the curves, the samples, the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labeler.records import Group
from reward.actors import Actors
from reward.base import sha256_of
from reward.manifest import git_commit, versions
from reward.ppo_report import render
from reward.ppo_state import Row, State

PPO, CURVES, SAMPLES, REPORT = "ppo.json", "curves.jsonl", "samples.jsonl", "report.html"


def write_outcome(folder: Path, told: Mapping[str, Any], state: State, held_out: Sequence[Group]) -> None:
    """Write ppo.json, curves.jsonl, samples.jsonl and report.html into the folder of the policy.

    Args:
        folder: where the weights are.
        told: the manifest.
        state: the course of the run.
        held_out: prompts of the evaluation.
    """
    (folder / PPO).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    prompts = {group.id: group for group in held_out}
    asked = {name: [{"role": m.role, "content": m.content} for m in group.prompt] for name, group in prompts.items()}
    write_rows(folder / CURVES, state.curves)
    write_rows(folder / SAMPLES, [row | {"messages": asked[row["prompt"]]} for row in state.samples])
    (folder / REPORT).write_text(render(told, state, prompts), encoding="utf-8")


def manifest(settings: Mapping[str, Any], state: State, actors: Actors, rule: str) -> dict[str, Any]:
    """What ppo.json says: policy, reward model, prompts, settings, course and versions."""
    weights = sorted(Path(settings["reward"]).glob("*.safetensors"))
    trained = actors.scorer.manifest
    return {
        "schema": 1,
        "policy": actors.policy.origin.to_json(),
        "reward_model": {
            "name": Path(settings["reward"]).resolve().name,
            "sha256": {file.name: sha256_of(file) for file in weights},
            "mean": actors.scorer.mean,
            "std": actors.scorer.std,
            "manifest": {key: trained[key] for key in ("base", "data", "git_commit") if key in trained},
        },
        "prompts": {"sha256": settings["prompts_sha256"], "split": rule},
        "config": {name: value for name, value in settings.items() if name not in ("prompts_sha256", "seed")},
        "seed": settings["seed"],
        "sharing": list(actors.notes),
        "iterations": state.iteration,
        "seconds": round(state.seconds, 1),
        "evaluations": state.rows("evaluation"),
        "versions": versions(),
        "git_commit": git_commit(),
    }


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """JSON lines; numbers that are not finite become null."""
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
            stream.write(json.dumps(finite, ensure_ascii=False) + "\n")
