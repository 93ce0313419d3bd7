"""The managers' page of labelers: everybody's measures with a plain verdict, and one labeler's own page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from labeler.agreement import Estimate, pairwise_agreement
from labeler.app import insight
from labeler.app.charts import band, interval_row, intervals
from labeler.app.insight import View, percent, span, written
from labeler.quality import HourOfWork, PersonQuality, Quality, quality, verdict

MOST = 40
"""People drawn in the picture; the table has everybody."""
SHARES = {
    "agrees": "agreement",
    "gold": "gold",
    "reliability": "reliability",
    "first on top": "first_on_top",
    "longer than others": "length_bias",
    "consistent": "consistency",
    "ties": "ties",
    "too fast": "too_fast",
}
"""Titles of shares and their fields."""


def draw() -> None:
    """The page."""
    view = insight.open_page("Labelers")
    if view is None:
        return
    found, typical = _figures(view.key, view)
    people = sorted(found.people, key=lambda person: -person.judgments)
    left, right = st.columns(2, gap="large")
    busiest = people[:MOST]
    with left:
        rows = [interval_row(person.annotator, person.reliability) for person in busiest]
        st.altair_chart(intervals(rows, "reliability", marks={"coin toss": 0.5}), width="stretch")
    with right:
        rows = [interval_row(person.annotator, person.agreement) for person in busiest]
        marks = {"everybody": typical} if typical is not None else None
        st.altair_chart(intervals(rows, "agreement with the others", marks=marks), width="stretch")
    if len(people) > MOST:
        st.caption(f"The pictures show the {MOST} with most rankings, the table everybody.")
    st.caption("Reliability is the chance to name the better of two, whoever is right being inferred from everybody.")
    picked = insight.table(
        [_row(person, typical) for person in people],
        "labelers",
        on_select="rerun",
        selection_mode="single-row",
        key="labelers",
        column_config={title: st.column_config.NumberColumn(format="%.1f %%") for title in SHARES},
    )
    st.caption("Choose a row for that labeler's own figures.")
    chosen = picked["selection"]["rows"]
    if chosen and chosen[0] < len(people):
        _one(people[chosen[0]], found.hours, typical)
    else:
        _day(None, found.hours)


@st.cache_data(max_entries=32, show_spinner="Counting …")
def _figures(key: tuple[object, ...], _view: View) -> tuple[Quality, float | None]:
    typical = pairwise_agreement([group for group, _ in _view.judged]).value
    return quality(_view.judged, _view.table), typical


def _row(person: PersonQuality, typical: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "labeler": person.annotator,
        "verdict": verdict(person, typical),
        "rankings": person.judgments,
        "skips": person.skips,
    }
    for title, name in SHARES.items():
        estimate: Estimate = getattr(person, name)
        row[title] = None if estimate.value is None else 100 * estimate.value
        row[f"{title}, interval"] = span(estimate, 100, ".0f")
    row["first by chance"] = None if person.first_expected is None else round(100 * person.first_expected, 1)
    row["p, first"] = person.first_p
    row["median seconds"] = person.seconds.value
    row["seconds, interval"] = span(person.seconds, 1, ".0f")
    return row


def _one(person: PersonQuality, hours: tuple[HourOfWork, ...], typical: float | None) -> None:
    """One labeler: the verdict in words, every measure with its interval, and the course of their days."""
    st.subheader(person.annotator.replace("\n", " "), anchor=False)
    st.text(f"{verdict(person, typical)}: {person.judgments:,} rankings and {person.skips:,} skips looked at.")
    p = (
        ""
        if person.first_p is None
        else f"; by chance {100 * (person.first_expected or 0):.0f} %, p = {person.first_p:.2g}"
    )
    lines = [
        ("equal verdicts with the others", percent(person.agreement)),
        ("right on gold tasks", percent(person.gold)),
        ("reliability (one half is a coin toss)", written(person.reliability)),
        ("seconds of attention a ranking (median)", written(person.seconds, 1, ".1f")),
        ("seconds a completion (median)", written(person.seconds_each, 1, ".1f")),
        ("too fast to have read", percent(person.too_fast)),
        ("first shown put on top", percent(person.first_on_top) + p),
        ("prefers the longer of two", percent(person.longer)),
        ("… more than the others on the same pairs", percent(person.length_bias)),
        ("same answer to the same question again", percent(person.consistency)),
        ("ties", percent(person.ties)),
    ]
    st.dataframe([{"measure": name, "value": value} for name, value in lines], hide_index=True, width="stretch")
    _day(person.annotator, hours)


def _day(name: str | None, hours: tuple[HourOfWork, ...]) -> None:
    ours = [hour for hour in hours if hour.annotator == name]
    if len(ours) < 2:
        return
    st.subheader("Over the day", anchor=False)
    left, right = st.columns(2, gap="large")
    titles = (("agreement", "equal verdicts with the others", ".0%"), ("seconds", "median seconds a ranking", ".0f"))
    for column, (field, title, form) in zip((left, right), titles, strict=True):
        rows = [interval_row(str(hour.hour), getattr(hour, field)) | {"hour of work": hour.hour} for hour in ours]
        column.altair_chart(band([row for row in rows if row["value"] is not None], "hour of work", title, form))
    st.caption("Hours count from a person's first answer of a day (UTC).")
