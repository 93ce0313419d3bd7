"""One page about a run of rounds: what became better by whose judgment, and what everything was made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labeler.formats import read
from labeler.formats.files import replacing
from reward.config.rounds import RoundsConfig
from reward.pages import fill
from reward.report import interval_text, percent
from reward.rounds.ledger import Ledger
from reward.rounds.places import Places
from reward.rounds.simulate import Annotator

DIGITS = 12
"""Of a digest, enough to compare by eye."""


def write_report(config: RoundsConfig, at: Places, ledger: Ledger, people: Sequence[Annotator]) -> None:
    """Write the page from the files of a finished run."""
    found = json.loads((at.comparison / "metrics.json").read_text(encoding="utf-8"))
    page = fill(
        "rounds",
        config=config,
        judges=[judge["name"] for judge in found["judges"]],
        policies=list(policies(found)),
        rounds=[one_round(config, at, number) for number in range(1, config.rounds + 1)],
        people=people,
        half=(len(people) + 1) // 2,
        steps=list(steps(ledger)),
        minutes=sum(float(row["seconds"]) for row in ledger.rows.values()) / 60,
        prompts=found["prompts"],
    )
    with replacing(at.report) as temporary:
        temporary.write_text(page, encoding="utf-8")


def policies(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row per policy: its mean reward by each judge with the interval, and whether it improves on the last."""
    for place, name in enumerate(found["names"]):
        cells = []
        for judge in found["judges"]:
            mean = judge["means"][place] if judge["means"] else {"value": None, "ci95": None}
            outcome = next(
                (s["outcome"] for s in judge["steps"] if s["policy"] == name and s["figure"] == judge["figure"]), ""
            )
            cells.append({"mean": _number(mean["value"]), "interval": _interval(mean["ci95"]), "outcome": outcome})
        length = found["length"][place]["value"] if found["length"] else None
        yield {"name": name, "cells": cells, "length": "–" if length is None else f"{length:.0f}"}


def one_round(config: RoundsConfig, at: Places, number: int) -> dict[str, Any]:
    """What was asked, and how well the reward model learned it, by people that it did not learn from."""
    rankings = read(str(at.round(number, "rankings.jsonl"))).groups
    row = {
        "number": number,
        "asked": len(read(str(at.round(number, "ask.jsonl"))).groups),
        "rankings": sum(len(group.rankings) for group in rankings),
        "method": "all" if number == 1 else config.method,
        "accuracy": "–",
        "pairs": 0,
    }
    path = at.round(number, "evaluation") / "metrics.json"
    if path.exists():
        metrics = json.loads(path.read_text(encoding="utf-8"))
        interval = interval_text(metrics["accuracy_ci95"])
        row |= {"accuracy": f"{percent(metrics['accuracy'])} ({interval})", "pairs": metrics["comparisons"]}
    return row


def steps(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """A row per step of the ledger, in the order in which they were done."""
    for row in ledger.rows.values():
        (output, digest), *_ = row["output"].items()
        yield {
            "name": row["step"],
            "seconds": f"{row['seconds']:.0f}",
            "inputs": [Path(name).as_posix() for name in row["inputs"]],
            "output": output,
            "digest": digest[:DIGITS],
            "commit": (row["commit"] or "–")[:DIGITS],
        }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _interval(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{_number(interval[0])} to {_number(interval[1])}"
