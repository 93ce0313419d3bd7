"""A person's own work as they may see it: their pace, and how often others say the same. Nobody else is named. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from labeler.agreement import Estimate
from labeler.comparisons import comparisons
from labeler.quality import Judged, quality
from labeler.writing_report import Writer, writing_report

LIMIT = 1000
"""So many of a person's latest tasks are looked at."""
FEWEST = 20
"""Comparisons with others from which on agreement is shown: of one or two tasks it would tell what others said."""


@dataclass(frozen=True, slots=True)
class Day:
    """How much somebody ranked on a day (2026-01-31)."""

    day: str
    rankings: int


@dataclass(frozen=True, slots=True)
class OwnWork:
    """What somebody did, from the latest `LIMIT` of their tasks.

    Attributes:
        rankings: how many stand.
        seconds: attention time of a ranking, the median; None where it is never known.
        agreement: share of equal verdicts with the others; None before there are `FEWEST` comparisons.
        days: the days on which they ranked.
        written: what they wrote, where a project asks for that.
    """

    rankings: int
    seconds: float | None
    agreement: Estimate | None
    days: tuple[Day, ...]
    written: Writer | None


def own_work(judged: Judged, name: str) -> OwnWork:
    """What a person did.

    Args:
        judged: their tasks, with everybody's rankings.
        name: theirs.
    """
    groups = [group for group, _ in judged]
    rankings = [ranking for group in groups for ranking in group.rankings if ranking.annotator == name]
    days = Counter(ranking.at[:10] for ranking in rankings if ranking.at)
    mine = next((person for person in quality(judged, comparisons(groups)).people if person.annotator == name), None)
    enough = mine is not None and mine.agreement.comparisons >= FEWEST
    return OwnWork(
        mine.judgments if mine else 0,
        mine.seconds.value if mine else None,
        mine.agreement if mine and enough else None,
        tuple(Day(*item) for item in sorted(days.items())),
        next((person for person in writing_report(judged).people if person.annotator == name), None),
    )
