"""Where the time of a run went: seconds of each stage in each round, from its ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STAGES = {
    "fine-tune": ("sft",),
    "sample": ("prompts", "pool", "policy-"),
    "select": ("ask",),
    "label": ("labels", "snapshot", "people"),
    "train": ("model", "judge"),
    "evaluate": ("evaluation",),
    "improve": ("policy", "best", "shown"),
    "compare": ("answers", "comparison", "overoptimisation"),
}
"""Stage → first names of its steps; a number after a dash is left aside."""
BEFORE, AFTER = "before the rounds", "after the rounds"
_ROUND = re.compile(r"round-(\d+)/(.*)")


@dataclass
class Span:
    """One round, or what comes before and after all of them: seconds worked in each stage that it has."""

    name: str
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Of all stages."""
        return round(sum(self.stages.values()), 1)


def spans(rows: Iterable[Mapping[str, Any]]) -> list[Span]:
    """Seconds by round and stage, in the order in which they were worked.

    Args:
        rows: of the ledger. Time in which the process was stopped is not in their seconds.
    """
    found: dict[str, Span] = {}
    for row in rows:
        name, stage = place_of(row["step"])
        span = found.setdefault(name, Span(name))
        span.stages[stage] = round(span.stages.get(stage, 0.0) + float(row["seconds"]), 1)
    return list(found.values())


def totals(spans: Iterable[Span]) -> dict[str, float]:
    """Seconds of each stage over all rounds."""
    found: dict[str, float] = {}
    for span in spans:
        for stage, seconds in span.stages.items():
            found[stage] = found.get(stage, 0.0) + seconds
    return found


def place_of(step: str) -> tuple[str, str]:
    """(round, stage) of a step by its name.

    Raises:
        KeyError: no stage has such a step.
    """
    matched = _ROUND.fullmatch(step)
    part = matched[2] if matched else step.partition("/")[0]
    stages = {each: stage for stage, parts in STAGES.items() for each in parts}
    stage = stages[re.sub(r"-\d+$", "-", part)]
    if matched:
        return f"round {matched[1]}", stage
    return (AFTER if stage == "compare" else BEFORE), stage
