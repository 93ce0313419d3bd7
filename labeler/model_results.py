"""What the jobs of `labeler.model_jobs` found, read from their folders for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeler.disagreement import Verdict, verdicts
from labeler.formats import parse_group
from labeler.jobs import Job
from labeler.trainings import model_of


@dataclass(frozen=True, slots=True)
class RankedAnswer:
    """An answer with its place among the others; null where the model could not score it."""

    text: str
    rank: int | None
    score: float | None


@dataclass(frozen=True, slots=True)
class PlacedTask:
    """A task that was given a priority.

    Attributes:
        group: id of the group.
        method: how it was placed; some are placed at random, which keeps an unbiased estimate possible.
        score: by that method, where it has one.
    """

    group: str
    priority: int
    method: str
    score: float | None


@dataclass(frozen=True, slots=True)
class DisagreementInfo:
    """A pair that most people decided, and what the model says of it.

    Attributes:
        group: id of the group.
        preferred: id of the completion that most people prefer.
        other: id of the other one.
        votes: how many people prefer the first.
        against: how many prefer the other.
        ties: how many neither.
        margin: by how much the model scores the other above the preferred one; below 0 it agrees with the people.
        learned: the model was trained or tuned on this prompt.
    """

    group: str
    preferred: str
    other: str
    votes: int
    against: int
    ties: int
    margin: float
    learned: bool


def comparison(job: Job) -> dict[str, Any]:
    """What two models did on the same pairs."""
    found: dict[str, Any] = _json(job.folder / "report" / "metrics.json")["against"]
    return found


def answers(job: Job) -> tuple[RankedAnswer, ...]:
    """The answers of a try, the best first."""
    found = next(_lines(job.folder / "output.jsonl"))["completions"]
    ranked = [RankedAnswer(one["text"], one.get("rank"), one.get("score")) for one in found]
    return tuple(sorted(ranked, key=lambda one: (one.rank is None, one.rank or 0)))


def order(job: Job) -> tuple[PlacedTask, ...]:
    """The tasks that were ordered, the first to be handed out first."""
    return tuple(_placed(row) for row in _lines(job.folder / "next.jsonl"))


def _placed(row: dict[str, Any]) -> PlacedTask:
    reason = row["meta"]["select"]
    return PlacedTask(row["id"], row["meta"]["priority"], reason["method"], reason.get("score"))


def disagreement(job: Job, model: Job) -> tuple[DisagreementInfo, ...]:
    """Every decided pair, those first where the model is most against the people.

    Args:
        job: that scored them.
        model: the training whose model it was.
    """
    rows = list(_lines(job.folder / "output.jsonl"))
    scores = [[_score(completion) for completion in row["completions"]] for row in rows]
    seen = frozenset(_json(model_of(model) / "reward.json").get("seen_prompts", ()))
    return tuple(map(_pair, verdicts([parse_group(row) for row in rows], scores, seen)))


def _pair(one: Verdict) -> DisagreementInfo:
    sides = (one.group.id, one.preferred.id, one.other.id)
    return DisagreementInfo(*sides, one.votes, one.against, one.ties, one.margin, one.learned)


def _score(completion: dict[str, Any]) -> float:
    score = completion.get("score")
    return float("nan") if score is None else float(score)


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)
