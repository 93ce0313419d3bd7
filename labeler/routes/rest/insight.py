"""What the managers' pages show, as figures over the REST API."""

from __future__ import annotations

from datetime import UTC, date, datetime

from labeler.agreement import pairwise_agreement
from labeler.agreement_slices import parts
from labeler.api.insight import (
    AgreementReport,
    LeaderboardReport,
    PersonReport,
    QualityReport,
    SampleQuery,
    ThroughputReport,
)
from labeler.comparisons import Comparisons, comparisons
from labeler.entities import Project
from labeler.forecast import by_day, forecast
from labeler.leaderboard import leaderboard
from labeler.quality import Judged, quality, skipping, verdict
from labeler.routes.rest.declare import Call, operation

INSIGHT = "Insight"


@operation("GET", "/projects/{project}/agreement", tag=INSIGHT, least="manager")
def get_agreement(call: Call, project: Project, query: SampleQuery) -> AgreementReport:
    """How far people agree: altogether, by kind of prompt, over time."""
    judged, table, complete = _sample(call, project, query)
    everything, kinds, days = parts([group for group, _ in judged], table)
    whole = everything[0] if everything else None
    return AgreementReport(len(judged), complete, whole, tuple(kinds), tuple(days))


@operation("GET", "/projects/{project}/quality", tag=INSIGHT, least="manager")
def get_quality(call: Call, project: Project, query: SampleQuery) -> QualityReport:
    """How well each person labels: agreement, gold, speed, biases, consistency, reliability, and their days' course."""
    judged, table, complete = _sample(call, project, query)
    found, typical = quality(judged, table), pairwise_agreement([group for group, _ in judged]).value
    people = tuple(PersonReport(verdict(person, typical), person) for person in found.people)
    return QualityReport(len(judged), complete, typical, people, found.hours)


@operation("GET", "/projects/{project}/leaderboard", tag=INSIGHT, least="manager")
def get_leaderboard(call: Call, project: Project, query: SampleQuery) -> LeaderboardReport:
    """Which models write the better completions, with intervals, and every two against each other."""
    judged, table, complete = _sample(call, project, query)
    board = leaderboard(table)
    return LeaderboardReport(len(judged), complete, board.standings, board.duels, board.tie_parameter)


@operation("GET", "/projects/{project}/throughput", tag=INSIGHT, least="manager")
def get_throughput(call: Call, project: Project) -> ThroughputReport:
    """Rankings by hour and person, and when the queue will be done."""
    with call.store.frozen(project.id) as frozen:
        hours, left = frozen.pace(), frozen.slots_left()
        today = datetime.fromtimestamp(frozen.now, UTC).date()
    found = forecast(by_day([(row.hour, row.rankings) for row in hours]), left, today)
    done, early, late = map(_written, (found.done, found.early, found.late))
    return ThroughputReport(found.left, found.per_day, found.days, done, early, late, tuple(hours))


def _sample(call: Call, project: Project, query: SampleQuery) -> tuple[Judged, Comparisons, bool]:
    with call.store.frozen(project.id) as frozen:
        judged, complete = frozen.sample(query.sample)
    return judged, comparisons([group for group, _ in judged], skipping(judged)), complete


def _written(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
