"""Score groups that people ranked, and judge the scores."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labeler.records import Group
from reward.artifact import BUDGET, Scorer
from reward.bootstrap import Floats
from reward.data import EncodedGroup, EncodingReport
from reward.evaluate import Metrics, evaluate
from reward.features import score_and_features
from reward.progress import Progress
from reward.splits import scored_only

CHUNK = 16
"""Groups that are scored together, between two steps of the progress."""


@dataclass(frozen=True)
class Choice:
    """Which groups are evaluated, and what a reader must know about the choice."""

    groups: Sequence[Group]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model says of some groups.

    Attributes:
        scores: a raw score per completion of every group, NaN where it does not fit the context.
        features: per group what was made of the features of its kept completions, in the order in which
            `reward.splits.scored_only` keeps them; empty if that was not asked for.
        report: what encoding did. tokens: read by the model. seconds: wall time.
    """

    scores: list[list[float]]
    features: list[Floats]
    report: EncodingReport
    tokens: int
    seconds: float


def score_all(
    scorer: Scorer,
    groups: Sequence[Group],
    progress: Progress,
    *,
    stage: str = "evaluate",
    digest: Callable[[Floats], Floats] | None = None,
) -> Reading:
    """Score groups in one pass.

    Args:
        scorer: the model.
        groups: G groups.
        progress: gets a stage of G steps. stage: its name.
        digest: makes of the features (K, d) of a group's kept completions what is worth keeping; None keeps nothing.
    """
    started = time.monotonic()
    scores: list[list[float]] = []
    kept: list[Floats] = []
    report, tokens = EncodingReport(), 0
    with progress.stage(stage, total=len(groups)) as bar:
        for start in range(0, len(groups), CHUNK):
            part = groups[start : start + CHUNK]
            encoded, told = scorer.encode(part)
            values, features = _read(scorer, encoded, digest)
            kept += features
            scores += [spread(*row) for row in zip(part, encoded, values, strict=True)]
            report, tokens = report + told, tokens + sum(group.tokens for group in encoded)
            bar.step(start + len(part))
    return Reading(scores, kept, report, tokens, time.monotonic() - started)


def _read(
    scorer: Scorer, part: Sequence[EncodedGroup], digest: Callable[[Floats], Floats] | None
) -> tuple[list[list[float]], list[Floats]]:
    if digest is None:
        return scorer.score_encoded(part), []
    values, features = score_and_features(scorer.model, part, BUDGET)
    return values, [digest(rows) for rows in features]


def judge(scorer: Scorer, groups: Sequence[Group], reading: Reading, *, seed: int = 0) -> Metrics:
    """The metrics of what the scorer's model said of these groups."""
    return evaluate(
        *scored_only(groups, reading.scores),
        temperature=scorer.calibration.temperature,
        seed=seed,
        tokens=reading.tokens,
        wall_seconds=reading.seconds,
    )


def measure(
    scorer: Scorer, choice: Choice, progress: Progress, *, seed: int = 0
) -> tuple[Metrics, list[list[float]], list[str]]:
    """Score the chosen groups and judge the scores.

    Returns:
        The metrics; a raw score per completion of every group, NaN where it does not fit the context; and notes.
    """
    reading = score_all(scorer, choice.groups, progress)
    metrics = judge(scorer, choice.groups, reading, seed=seed)
    return metrics, reading.scores, [*choice.notes, *reading.report.lines()]


def spread(group: Group, encoded: EncodedGroup, values: Sequence[float]) -> list[float]:
    """One score per completion of the group, from those of the kept ones; NaN for the others."""
    known = dict(zip(encoded.kept, values, strict=True))
    return [known.get(k, math.nan) for k in range(len(group.completions))]
