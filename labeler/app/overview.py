"""The managers' overview: pictures first, each with its numbers below."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import altair as alt
import streamlit as st

from labeler.agreement import INSTRUCTGPT_HELD_OUT, INSTRUCTGPT_TRAINING, Estimate
from labeler.app import account, insight, language, ratings, tables, writing
from labeler.app.charts import chart, tip
from labeler.app.session import require_manager, services
from labeler.entities import Project, ProjectCounts
from labeler.languages import figure, mark, t
from labeler.progress_report import AgreementReport, Throughput, agreement_report, median_seconds, throughput
from labeler.rating_report import RatingReport, rating_report
from labeler.writing_report import WritingReport, writing_report

PAPER = {
    mark("InstructGPT, training labelers"): INSTRUCTGPT_TRAINING,
    mark("InstructGPT, held-out labelers"): INSTRUCTGPT_HELD_OUT,
}
"""Agreement in Ouyang et al. 2022, section 3.4."""
SAMPLED = mark(
    "Agreement, ratings, lengths and median seconds are of a random sample of {sample} judged tasks; all else counts "
    "everything."
)
RANKINGS = (mark("Rankings per day"), mark("rankings"), mark("No rankings with a date yet."))
ANSWERS = (mark("Answers per day"), mark("answers"), mark("No answers with a date yet."))
"""Titles of the picture of throughput, of its axis, and what stands in its place."""
NOTHING = Estimate(None, None, None, 0)
"""What is known of somebody who judged nothing that others did."""
STATES = {mark("finished"): "#3f73d1", mark("started"): "#9dbcf0", mark("open"): "#b3b6b0"}


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header(t("Overview"), anchor=False)
    projects = services().store.projects(me.id)
    if not projects:
        st.info(t(language.NO_PROJECT))
        return
    counts = {project.name: services().store.counts(project.id) for project in projects}
    _progress(counts)
    names = [project.name for project in projects]
    name = st.selectbox(t("Project"), names) if len(names) > 1 else names[0]
    project = next(project for project in projects if project.name == name)
    database, stamp = services().store.database.url.render_as_string(), insight.fresh(project)
    with st.spinner(t("Counting …")):
        agreement, seconds, marks, written = _figures(database, project.id, stamp)
        judged, complete = insight.sample(database, project.id, stamp)
    if not complete:
        st.caption(t(SAMPLED, sample=len(judged)))
    left, right = st.columns(2, gap="large")
    with left:
        if project.schema.writes:
            writing.lengths(written)
        else:
            _agreement(agreement)
    with right:
        _throughput(_days(project), *map(t, ANSWERS if project.schema.writes else RANKINGS))
    ratings.draw(marks)
    writing.edits(written)
    _people(project, agreement, seconds)


def prepare(project: Project) -> None:
    """Compute what the page keeps in memory."""
    _figures(services().store.database.url.render_as_string(), project.id, insight.fresh(project))


def _progress(counts: dict[str, ProjectCounts]) -> None:
    rows = [
        {"project": name, "state": t(state), "tasks": tasks, "order": order}
        for name, count in counts.items()
        for order, (state, tasks) in enumerate(_states(count).items())
    ]
    bars = (
        chart(rows)
        .mark_bar(size=18)
        .encode(
            x=alt.X("tasks:Q", title=t("tasks"), axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("project:N", title=None, sort=list(counts), axis=alt.Axis(labelLimit=260, labelOverlap=False)),
            color=alt.Color(
                "state:N",
                title=None,
                scale=alt.Scale(domain=[t(state) for state in STATES], range=list(STATES.values())),
                legend=alt.Legend(orient="top"),
            ),
            order="order:Q",
            tooltip=[tip("project:N"), tip("state:N"), tip("tasks:Q")],
        )
    )
    st.altair_chart(bars.properties(height=130 + 34 * len(counts)), width="stretch")
    table = [
        {
            mark("project"): name,
            mark("tasks"): count.tasks,
            **_states(count),
            mark("rankings"): count.judgments,
            mark("skips"): count.skips,
            mark("corrections"): count.corrections,
            mark("in hand"): count.live_leases,
            mark("demonstrations"): count.demonstrations,
        }
        for name, count in counts.items()
    ]
    tables.table(table, "projects")


def _states(count: ProjectCounts) -> dict[str, int]:
    open_tasks = count.tasks - count.finished - count.started
    return dict(zip(STATES, (count.finished, count.started, open_tasks), strict=True))


@st.cache_data(max_entries=32, show_spinner=False)
def _figures(
    database: str, project_id: int, stamp: int
) -> tuple[AgreementReport, dict[str, float], RatingReport, WritingReport]:
    """Kept until enough is new, see `labeler.app.insight.fresh`."""
    found, _ = insight.sample(database, project_id, stamp)
    schemas = services().store.label_schemas(project_id)
    seconds = median_seconds(judgment for _, items in found for judgment in items)
    agreement = agreement_report(group for group, _ in found)
    return agreement, seconds, rating_report(found, schemas), writing_report(found)


def _days(project: Project) -> tuple[Throughput, ...]:
    with services().store.frozen(project.id) as frozen:
        return throughput(frozen.pace())


def _agreement(report: AgreementReport) -> None:
    st.subheader(t("Agreement"), anchor=False)
    if report.everybody.value is None:
        st.write(t("Nothing has been judged by two people yet."))
        return
    rows = [_interval_row(t("everybody"), report.everybody), _interval_row(t("ties dropped"), report.decided)]
    rows += [_interval_row(name, estimate) for name, estimate in report.people.items()]
    paper = [{"who": t(name), "value": value} for name, value in PAPER.items()]
    percent = alt.Axis(format="%")
    x = alt.X("low:Q", title=t("share of equal verdicts, 95 % interval"), axis=percent, scale=alt.Scale(domain=[0, 1]))
    y = alt.Y("who:N", title=None, sort=[row["who"] for row in rows], axis=alt.Axis(labelLimit=180, labelOverlap=False))
    base = chart(rows)
    tips = [tip("who:N"), tip("value:Q", ".1%"), tip("comparisons:Q")]
    layers = alt.layer(
        chart(paper)
        .mark_rule(strokeDash=[4, 3])
        .encode(
            x="value:Q",
            color=alt.Color("who:N", title=None, legend=alt.Legend(orient="top", columns=1, labelLimit=260)),
        ),
        base.mark_rule(color="#4d82e0", strokeWidth=2).encode(x=x, x2="high:Q", y=y),
        base.mark_point(color="#4d82e0", filled=True, size=70, opacity=1).encode(x="value:Q", y=y, tooltip=tips),
    )
    st.altair_chart(layers.properties(height=150 + 28 * len(rows)), width="stretch")
    st.text(
        t(
            "Everybody: {share} over {comparisons} comparisons.",
            share=_percent(report.everybody),
            comparisons=report.everybody.comparisons,
        )
    )
    st.text(t("Where both preferred one side: {share}.", share=_percent(report.decided)))
    st.text(t(insight.INSTRUCTGPT))


def _interval_row(who: str, estimate: Estimate) -> dict[str, Any]:
    return {"who": who, **asdict(estimate)}


def _percent(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "–"
    value, low, high = (figure(100 * share, ".1f") for share in (estimate.value, estimate.low, estimate.high))
    return t("{value} % ({low} to {high})", value=value, low=low, high=high)


def _throughput(days: tuple[Throughput, ...], title: str, what: str, none: str) -> None:
    st.subheader(title, anchor=False)
    if not days:
        st.write(none)
        return
    bars = (
        chart([asdict(item) for item in days])
        .mark_bar(size=max(3, min(32, 480 // len({item.day for item in days}))))
        .encode(
            x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("judgments:Q", title=what, axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("annotator:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[tip("day:O"), tip("annotator:N"), tip("judgments:Q")],
        )
    )
    st.altair_chart(bars.properties(height=320), width="stretch")


def _people(project: Project, report: AgreementReport, seconds: dict[str, float]) -> None:
    st.subheader(t("Annotators"), anchor=False)
    rows = [
        {
            mark("annotator"): count.annotator,
            mark("rankings"): count.judgments,
            mark("skips"): count.skips,
            mark("corrections"): count.corrections,
            mark("median seconds"): _seconds(seconds.get(count.annotator)),
            mark("hours"): round(count.seconds / 3600, 2),
            mark("agrees with the others"): _agrees(report.people.get(count.annotator, NOTHING)),
        }
        for count in services().store.annotator_counts(project.id)
    ]
    if rows:
        tables.table(rows, "annotators")
    else:
        st.write(t("Nobody has judged anything yet."))


def _seconds(value: float | None) -> tables.Cell:
    return tables.named(value, "–" if value is None else figure(value, ".1f"))


def _agrees(estimate: Estimate) -> tables.Cell:
    return tables.estimated(estimate, _percent(estimate))
