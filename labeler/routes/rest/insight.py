"""What the managers' pages show, as figures over the REST API."""

from __future__ import annotations

from datetime import UTC, date, datetime

from labeler.agreement import pairwise_agreement
from labeler.agreement_slices import parts
from labeler.api.insight import (
    AgreementReport,
    InsightQuery,
    LeaderboardReport,
    PersonReport,
    QualityReport,
    ThroughputQuery,
    ThroughputReport,
)
from labeler.comparisons import Comparisons, comparisons
from labeler.entities import Project
from labeler.errors import DataError
from labeler.forecast import by_day, forecast
from labeler.leaderboard import leaderboard
from labeler.own_work import LIMIT, OwnWork, own_work
from labeler.quality import Judged, quality, skipping, verdict
from labeler.routes.rest.declare import Call, operation
from labeler.sample_filters import Choice, chosen

INSIGHT = "Insight"


@operation("GET", "/projects/{project}/agreement", tag=INSIGHT, least="manager")
def get_agreement(call: Call, project: Project, query: InsightQuery) -> AgreementReport:
    """How far people agree: altogether, by kind of prompt, over time."""
    judged, table, complete = _sample(call, project, query)
    everything, kinds, days = parts([group for group, _ in judged], table)
    whole = everything[0] if everything else None
    return AgreementReport(len(judged), complete, whole, tuple(kinds), tuple(days))


@operation("GET", "/projects/{project}/quality", tag=INSIGHT, least="manager")
def get_quality(call: Call, project: Project, query: InsightQuery) -> QualityReport:
    """How well each person labels: agreement, gold, speed, biases, consistency, reliability, and their days' course."""
    judged, table, complete = _sample(call, project, query)
    found, typical = quality(judged, table), pairwise_agreement([group for group, _ in judged]).value
    people = tuple(PersonReport(verdict(person, typical), person) for person in found.people)
    return QualityReport(len(judged), complete, typical, people, found.hours)


@operation("GET", "/projects/{project}/leaderboard", tag=INSIGHT, least="manager")
def get_leaderboard(call: Call, project: Project, query: InsightQuery) -> LeaderboardReport:
    """Which models write the better completions, with intervals, and every two against each other."""
    judged, table, complete = _sample(call, project, query)
    board = leaderboard(table)
    return LeaderboardReport(len(judged), complete, board.standings, board.duels, board.tie_parameter)


@operation("GET", "/projects/{project}/throughput", tag=INSIGHT, least="manager")
def get_throughput(call: Call, project: Project, query: ThroughputQuery) -> ThroughputReport:
    """Rankings by hour and person, and when the queue will be done."""
    with call.store.frozen(project.id) as frozen:
        everybody, left = frozen.pace(), frozen.slots_left()
        today = datetime.fromtimestamp(frozen.now, UTC).date()
    hours = [row for row in everybody if not query.annotator or row.annotator in query.annotator]
    found = forecast(by_day([(row.hour, row.rankings) for row in hours]), left, today)
    done, early, late = map(_written, (found.done, found.early, found.late))
    return ThroughputReport(found.left, found.per_day, found.days, done, early, late, tuple(hours))


@operation("GET", "/projects/{project}/my-work", tag=INSIGHT, least="labeler")
def get_my_work(call: Call, project: Project) -> OwnWork:
    """Your own pace, and how often others say the same as you."""
    with call.store.frozen(project.id) as frozen:
        return own_work(frozen.own_work(call.user.id, LIMIT), call.user.name)


def _sample(call: Call, project: Project, query: InsightQuery) -> tuple[Judged, Comparisons, bool]:
    since, until = _day(query.since, "since"), _day(query.until, "until")
    with call.store.frozen(project.id) as frozen:
        judged, complete = frozen.sample(query.sample)
    left = chosen(judged, Choice(query.annotator, query.category, query.model, since, until))
    return left, comparisons([group for group, _ in left], skipping(left)), complete


def _day(text: str | None, field: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise DataError(f"is {text!r}, which is no day; write it as 2026-01-31", field=field) from None


def _written(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
