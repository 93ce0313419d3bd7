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
class InsightQuery(SampleQuery):
    """What of it to look at; filters that say nothing leave nothing out.

    Attributes:
        annotator: only rankings and skips of these people.
        category: only tasks of these kinds (meta.use_case; ``none`` where it says nothing).
        model: only tasks with a completion of one of these (``unknown model`` where it has none).
        since: only rankings and skips of this day (YYYY-MM-DD) or later.
        until: only those of this day or earlier.
    """

    annotator: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class ThroughputQuery:
    """Whose rankings to count.

    Attributes:
        annotator: only these people's; of everybody where nothing is said.
    """

    annotator: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """How far people agree, with 95 % intervals over tasks.

    Attributes:
        tasks: judged tasks that the filters left.
        complete: whether all judged tasks were looked at.
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
        tasks: judged tasks that the filters left.
        complete: whether all judged tasks were looked at.
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
        tasks: judged tasks that the filters left.
        complete: whether all judged tasks were looked at.
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
    """How fast rankings come in, and when the queue will be done, by those alone who were asked for.

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
