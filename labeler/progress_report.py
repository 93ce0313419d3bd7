"""What a project's managers look at: how far it is, how fast, and how well its people agree. Pure, from groups."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from labeler.agreement import Estimate, pairwise_agreement, ratio_interval, verdicts_by_pair
from labeler.entities import Judgment
from labeler.records import Group


@dataclass(frozen=True, slots=True)
class Throughput:
    """Standing rankings of one person on one day (UTC, ``2026-01-31``)."""

    day: str
    annotator: str
    judgments: int


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Agreement of everybody (``decided``: ties dropped), and of each person with the others, by name."""

    everybody: Estimate
    decided: Estimate
    people: dict[str, Estimate]


def throughput(judgments: Iterable[Judgment]) -> tuple[Throughput, ...]:
    """Rankings per day and person; those without a time (some imports) are left out."""
    found = Counter((item.at[:10], item.annotator) for item in judgments if item.kind == "rank" and item.at)
    return tuple(Throughput(day, annotator, count) for (day, annotator), count in sorted(found.items()))


def median_seconds(judgments: Iterable[Judgment]) -> dict[str, float]:
    """Median attention time of each person's rankings, where it is known."""
    times: dict[str, list[float]] = defaultdict(list)
    for item in judgments:
        if item.kind == "rank" and item.seconds:
            times[item.annotator].append(item.seconds)
    return {annotator: float(np.median(values)) for annotator, values in times.items()}


def agreement_report(groups: Iterable[Group], *, seed: int = 0) -> AgreementReport:
    """Share of equal verdicts between everybody and between each person and the others, with intervals over tasks."""
    judged = [group for group in groups if len({ranking.annotator for ranking in group.rankings}) > 1]
    names = sorted({ranking.annotator for group in judged for ranking in group.rankings})
    people = {name: _with_others(judged, name, seed) for name in names}
    decided = pairwise_agreement(judged, ties="drop", seed=seed)
    return AgreementReport(pairwise_agreement(judged, seed=seed), decided, people)


def _with_others(groups: Iterable[Group], name: str, seed: int) -> Estimate:
    per_task = []
    for group in groups:
        equal = [
            a == b
            for verdicts in verdicts_by_pair(group)
            for (first, a), (second, b) in combinations(verdicts.items(), 2)
            if name in (first, second)
        ]
        per_task.append((sum(equal), len(equal)))
    return ratio_interval(np.array(per_task, dtype=float).reshape(-1, 2), seed=seed)
