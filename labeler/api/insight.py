"""What the managers' pages show, as figures on the wire; days are written 2026-01-31."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from labeler.agreement_slices import Slice
from labeler.api.typed import Limit
from labeler.leaderboard import Duel, Standing
from labeler.quality import HourOfWork, PersonQuality
from labeler.tallies import Pace


@dataclass(frozen=True, slots=True)
class SampleQuery:
    """How much to look at.

    Attributes:
        sample: at most so many judged tasks, a random sample that stays the same.
    """

    sample: Annotated[int, Limit(1, 20_000)] = 1000


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """How far people agree, with 95 % intervals over tasks.

    Attributes:
        tasks: judged tasks that were looked at.
        complete: whether these are all.
        everything: altogether; null where nothing was judged by two people.
        categories: by kind of prompt (meta.use_case), where there are several.
        days: by day of a task's last ranking.
    """

    tasks: int
    complete: bool
    everything: Slice | None
    categories: tuple[Slice, ...]
    days: tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class PersonReport:
    """One person's work.

    Attributes:
        verdict: in plain words.
    """

    verdict: str
    figures: PersonQuality


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Everybody's work.

    Attributes:
        tasks: judged tasks that were looked at.
        complete: whether these are all.
        typical_agreement: of two people, whoever they are.
        people: by name.
        hours: the course of their days, everybody's first.
    """

    tasks: int
    complete: bool
    typical_agreement: float | None
    people: tuple[PersonReport, ...]
    hours: tuple[HourOfWork, ...]


@dataclass(frozen=True, slots=True)
class LeaderboardReport:
    """How the models stand: Bradley–Terry with ties over all pairs within each ranking.

    Attributes:
        tasks: judged tasks that were looked at.
        complete: whether these are all.
        standings: from the best down.
        duels: every two that were compared, both ways.
        tie_parameter: readiness to call a tie, null where no two models were compared.
    """

    tasks: int
    complete: bool
    standings: tuple[Standing, ...]
    duels: tuple[Duel, ...]
    tie_parameter: float | None


@dataclass(frozen=True, slots=True)
class ThroughputReport:
    """How fast rankings come in, and when the queue will be done.

    Attributes:
        left: rankings still wanted.
        per_day: mean of the days looked at.
        days: how many days that was.
        done: the day when nothing will be left, null where nothing was ranked or it is too far off to say.
        early: the beginning of its likely range.
        late: the end of its likely range.
        hours: rankings by hour and person.
    """

    left: int
    per_day: float
    days: int
    done: str | None
    early: str | None
    late: str | None
    hours: tuple[Pace, ...]
