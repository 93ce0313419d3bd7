"""The managers' page of throughput: rankings by day and hour, and when the queue will be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime

import altair as alt
import streamlit as st

from labeler.app import insight, language, project_page, tables
from labeler.app.charts import BLUE, chart, tip
from labeler.app.session import services
from labeler.forecast import DAYS, RULE, Forecast, by_day, forecast
from labeler.languages import figure, mark, t
from labeler.tallies import Pace


def draw() -> None:
    """The page; it counts every ranking, without a sample."""
    project = project_page.head(t("Throughput"))
    if project is None:
        return
    with st.spinner(t("Counting …")):
        rows, left = _figures(services().store.database.url.render_as_string(), project.id, insight.fresh(project))
    people = st.multiselect(t("Labelers"), sorted({row.annotator for row in rows}), placeholder=t(language.ANY))
    rows = [row for row in rows if not people or row.annotator in people]
    if not rows:
        st.write(t("No rankings with a date yet."))
        return
    _forecast(
        forecast(by_day([(row.hour, row.rankings) for row in rows]), left, datetime.now(UTC).date()), bool(people)
    )
    _days(rows)
    _hours(rows)
    st.caption(t("Counted: every dated ranking that stands."))
    tables.table(
        [
            {
                mark("hour"): row.hour,
                mark("labeler"): row.annotator,
                mark("rankings"): row.rankings,
                mark("minutes"): round(row.seconds / 60, 1),
            }
            for row in rows
        ],
        "throughput",
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _figures(database: str, project_id: int, stamp: int) -> tuple[list[Pace], int]:
    with services().store.frozen(project_id) as frozen:
        return frozen.pace(), frozen.slots_left()


def _forecast(found: Forecast, some: bool) -> None:
    columns = st.columns(3)
    columns[0].metric(t("Rankings still wanted"), figure(found.left))
    columns[1].metric(t("A day, over the last {days}", days=found.days), figure(found.per_day, ",.1f"))
    columns[2].metric(t("Done by those chosen alone on") if some else t("Done on"), _written(found.done))
    if found.done and found.left:
        st.markdown(
            t("Likely between **{early}** and **{late}**.", early=_written(found.early), late=_written(found.late))
        )
    st.caption(t(RULE, days=DAYS))


def _written(day: date | None) -> str:
    return t("not at this pace") if day is None else day.isoformat()


def _days(rows: Sequence[Pace]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        counts[row.hour[:10], row.annotator] += row.rankings
    few = len({who for _, who in counts}) <= 10
    if not few:
        counts = _together(counts)
    st.subheader(t("Rankings per day"), anchor=False)
    bars = chart([{"day": day, "labeler": who, "rankings": n} for (day, who), n in sorted(counts.items())]).mark_bar()
    bars = bars.encode(
        x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("rankings:Q", title=t("rankings"), axis=alt.Axis(tickMinStep=1)),
        color=alt.Color("labeler:N", title=None, legend=alt.Legend(orient="top")) if few else alt.value(BLUE),
        tooltip=[tip("day:O"), tip("labeler:N"), tip("rankings:Q")],
    )
    st.altair_chart(bars.properties(height=280), width="stretch")


def _together(counts: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for (day, _), number in counts.items():
        found[day, t("everybody")] += number
    return found


def _hours(rows: Sequence[Pace]) -> None:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.hour[11:13]] += row.rankings
    st.subheader(t("Rankings by hour of the day"), anchor=False)
    bars = chart([{"hour": f"{hour:02d}", "rankings": counts[f"{hour:02d}"]} for hour in range(24)]).mark_bar(
        color=BLUE
    )
    bars = bars.encode(
        x=alt.X(
            "hour:O", title=t("hour (as in the judgments' times, UTC for this app's own)"), axis=alt.Axis(labelAngle=0)
        ),
        y=alt.Y("rankings:Q", title=t("rankings"), axis=alt.Axis(tickMinStep=1)),
        tooltip=[tip("hour:O"), tip("rankings:Q")],
    )
    st.altair_chart(bars.properties(height=220), width="stretch")
