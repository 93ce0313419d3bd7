"""The managers' overview: pictures first, each with its numbers below."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import altair as alt
import streamlit as st

from labeler.agreement import INSTRUCTGPT_HELD_OUT, INSTRUCTGPT_TRAINING, Estimate
from labeler.app import account, insight, ratings
from labeler.app.charts import chart
from labeler.app.session import require_manager, services
from labeler.entities import Project, ProjectCounts
from labeler.progress_report import AgreementReport, Throughput, agreement_report, median_seconds, throughput
from labeler.rating_report import RatingReport, rating_report

PAPER = {"InstructGPT, training labelers": INSTRUCTGPT_TRAINING, "InstructGPT, held-out labelers": INSTRUCTGPT_HELD_OUT}
"""Agreement in Ouyang et al. 2022, section 3.4."""
SAMPLED = (
    "Agreement, ratings and median seconds are of a random sample of {:,} judged tasks; all else counts everything."
)
STATES = {"finished": "#3f73d1", "started": "#9dbcf0", "open": "#b3b6b0"}


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header("Overview", anchor=False)
    projects = services().store.projects(me.id)
    if not projects:
        st.info("There is no project yet. Make one with: labeler import FILE --project NAME --db URL")
        return
    counts = {project.name: services().store.counts(project.id) for project in projects}
    _progress(counts)
    names = [project.name for project in projects]
    name = st.selectbox("Project", names) if len(names) > 1 else names[0]
    project = next(project for project in projects if project.name == name)
    database, stamp = services().store.database.url.render_as_string(), insight.fresh(project)
    agreement, seconds, marks = _figures(database, project.id, stamp)
    judged, complete = insight.sample(database, project.id, stamp)
    if not complete:
        st.caption(SAMPLED.format(len(judged)))
    left, right = st.columns(2, gap="large")
    with left:
        _agreement(agreement)
    with right:
        _throughput(_days(project))
    ratings.draw(marks)
    _people(project, agreement, seconds)


def _progress(counts: dict[str, ProjectCounts]) -> None:
    rows = [
        {"project": name, "state": state, "tasks": tasks, "order": order}
        for name, count in counts.items()
        for order, (state, tasks) in enumerate(_states(count).items())
    ]
    bars = (
        chart(rows)
        .mark_bar(size=18)
        .encode(
            x=alt.X("tasks:Q", title="tasks", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("project:N", title=None, sort=list(counts), axis=alt.Axis(labelLimit=260, labelOverlap=False)),
            color=alt.Color(
                "state:N",
                title=None,
                scale=alt.Scale(domain=list(STATES), range=list(STATES.values())),
                legend=alt.Legend(orient="top"),
            ),
            order="order:Q",
            tooltip=["project:N", "state:N", "tasks:Q"],
        )
    )
    st.altair_chart(bars.properties(height=130 + 34 * len(counts)), width="stretch")
    table = [
        {
            "project": name,
            "tasks": count.tasks,
            **_states(count),
            "rankings": count.judgments,
            "skips": count.skips,
            "corrections": count.corrections,
            "in hand": count.live_leases,
            "demonstrations": count.demonstrations,
        }
        for name, count in counts.items()
    ]
    st.dataframe(table, hide_index=True, width="stretch")


def _states(count: ProjectCounts) -> dict[str, int]:
    open_tasks = count.tasks - count.finished - count.started
    return dict(zip(STATES, (count.finished, count.started, open_tasks), strict=True))


@st.cache_data(max_entries=32, show_spinner="Counting …")
def _figures(database: str, project_id: int, stamp: int) -> tuple[AgreementReport, dict[str, float], RatingReport]:
    """Kept until enough is new, see `labeler.app.insight.fresh`."""
    found, _ = insight.sample(database, project_id, stamp)
    schemas = services().store.label_schemas(project_id)
    seconds = median_seconds(judgment for _, items in found for judgment in items)
    return agreement_report(group for group, _ in found), seconds, rating_report(found, schemas)


def _days(project: Project) -> tuple[Throughput, ...]:
    with services().store.frozen(project.id) as frozen:
        return throughput(frozen.pace())


def _agreement(report: AgreementReport) -> None:
    st.subheader("Agreement", anchor=False)
    if report.everybody.value is None:
        st.write("Nothing has been judged by two people yet.")
        return
    rows = [_interval_row("everybody", report.everybody), _interval_row("ties dropped", report.decided)]
    rows += [_interval_row(name, estimate) for name, estimate in report.people.items()]
    paper = [{"who": name, "value": value} for name, value in PAPER.items()]
    percent = alt.Axis(format="%")
    x = alt.X("low:Q", title="share of equal verdicts, 95 % interval", axis=percent, scale=alt.Scale(domain=[0, 1]))
    y = alt.Y("who:N", title=None, sort=[row["who"] for row in rows], axis=alt.Axis(labelOverlap=False))
    base = chart(rows)
    tips = ["who:N", alt.Tooltip("value:Q", format=".1%"), "comparisons:Q"]
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
    st.text(f"Everybody: {_percent(report.everybody)} over {report.everybody.comparisons} comparisons.")
    st.text(f"Where both preferred one side: {_percent(report.decided)}.")
    st.text("InstructGPT: 72.6 ± 1.5 % (training labelers), 77.3 ± 1.3 % (held-out labelers).")


def _interval_row(who: str, estimate: Estimate) -> dict[str, Any]:
    return {"who": who, **asdict(estimate)}


def _percent(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return "–"
    return f"{100 * estimate.value:.1f} % ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def _throughput(days: tuple[Throughput, ...]) -> None:
    st.subheader("Rankings per day", anchor=False)
    if not days:
        st.write("No rankings with a date yet.")
        return
    bars = (
        chart([asdict(item) for item in days])
        .mark_bar(size=max(3, min(32, 480 // len({item.day for item in days}))))
        .encode(
            x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("judgments:Q", title="rankings", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("annotator:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=["day:O", "annotator:N", "judgments:Q"],
        )
    )
    st.altair_chart(bars.properties(height=320), width="stretch")


def _people(project: Project, report: AgreementReport, seconds: dict[str, float]) -> None:
    st.subheader("Annotators", anchor=False)
    rows = [
        {
            "annotator": count.annotator,
            "rankings": count.judgments,
            "skips": count.skips,
            "corrections": count.corrections,
            "median seconds": f"{seconds[count.annotator]:.1f}" if count.annotator in seconds else "–",
            "hours": round(count.seconds / 3600, 2),
            "agrees with the others": _percent(report.people.get(count.annotator)),
        }
        for count in services().store.annotator_counts(project.id)
    ]
    if rows:
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.write("Nobody has judged anything yet.")
