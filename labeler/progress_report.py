"""What a project's managers look at: how far it is, how fast, and how well its people agree. Pure, from groups."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from labeler.agreement import Estimate, pairwise_agreement
from labeler.comparisons import Resamples, comparisons
from labeler.entities import Judgment
from labeler.records import Group
from labeler.tallies import Pace


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


def throughput(pace: Iterable[Pace]) -> tuple[Throughput, ...]:
    """Rankings per day and person, from those by hour."""
    found: Counter[tuple[str, str]] = Counter()
    for part in pace:
        found[part.hour[:10], part.annotator] += part.rankings
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
    table = comparisons(judged)
    equal, others = table.with_others()
    draws = Resamples(table.tasks, seed=seed)
    people = draws.ratios(table.task[table.pair], table.person, equal, others, len(table.people))
    decided = pairwise_agreement(judged, ties="drop", seed=seed)
    everybody = pairwise_agreement(judged, seed=seed)
    return AgreementReport(everybody, decided, dict(zip(table.people, people, strict=True)))
