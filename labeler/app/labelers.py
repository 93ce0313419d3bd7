"""The managers' page of labelers: everybody's measures with a plain verdict, and one labeler's own page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from labeler.agreement import Estimate, pairwise_agreement
from labeler.app import insight, language, tables
from labeler.app.charts import band, interval_row, intervals
from labeler.app.insight import View, percent, span, written
from labeler.languages import figure, in_source, mark, t
from labeler.quality import HourOfWork, PersonQuality, Quality, quality, verdict

MOST = 40
"""People drawn in the picture; the table has everybody."""
SHARES = {
    mark("agrees"): "agreement",
    mark("gold"): "gold",
    mark("reliability"): "reliability",
    mark("first on top"): "first_on_top",
    mark("longer than others"): "length_bias",
    mark("consistent"): "consistency",
    mark("ties"): "ties",
    mark("too fast"): "too_fast",
}
"""Titles of shares and their fields."""


def draw() -> None:
    """The page."""
    view = insight.open_page(t("Labelers"))
    if view is None:
        return
    with st.spinner(t("Counting …")):
        found, typical = _figures(view.key, view)
    people = sorted(found.people, key=lambda person: -person.judgments)
    left, right = st.columns(2, gap="large")
    busiest = people[:MOST]
    with left:
        rows = [interval_row(person.annotator, person.reliability) for person in busiest]
        st.altair_chart(intervals(rows, t("reliability"), marks={t("coin toss"): 0.5}), width="stretch")
    with right:
        rows = [interval_row(person.annotator, person.agreement) for person in busiest]
        marks = {t("everybody"): typical} if typical is not None else None
        st.altair_chart(intervals(rows, t("agreement with the others"), marks=marks), width="stretch")
    if len(people) > MOST:
        st.caption(t("The pictures show the {most} with most rankings, the table everybody.", most=MOST))
    st.caption(
        t("Reliability is the chance to name the better of two, whoever is right being inferred from everybody.")
    )
    picked = tables.table(
        [_row(person, typical) for person in people],
        "labelers",
        on_select="rerun",
        selection_mode="single-row",
        key="labelers",
        column_config=_columns(),
    )
    st.caption(t("Choose a row for that labeler's own figures."))
    chosen = picked["selection"]["rows"]
    if chosen and chosen[0] < len(people):
        _one(people[chosen[0]], found.hours, typical)
    else:
        _day(None, found.hours)


@st.cache_data(max_entries=32, show_spinner=False)
def _figures(key: tuple[object, ...], _view: View) -> tuple[Quality, float | None]:
    typical = pairwise_agreement([group for group, _ in _view.judged]).value
    return quality(_view.judged, _view.table), typical


def _columns() -> dict[str, Any]:
    """How the shares are shown, and what their intervals are called."""
    shown: dict[str, Any] = {title: st.column_config.NumberColumn(format="%.1f %%") for title in SHARES}
    return shown | {f"{title}, interval": {"label": t("{measure}, interval", measure=t(title))} for title in SHARES}


def _row(person: PersonQuality, typical: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        mark("labeler"): person.annotator,
        mark("verdict"): tables.named(in_source(verdict, person, typical), verdict(person, typical)),
        mark("rankings"): person.judgments,
        mark("skips"): person.skips,
    }
    for title, name in SHARES.items():
        estimate: Estimate = getattr(person, name)
        row[title] = tables.estimated(estimate, _in_percent(estimate.value))
        row[f"{title}, interval"] = tables.Cell(span(estimate, 100, ".0f"), {})
    row[mark("first by chance")] = tables.Cell(_in_percent(person.first_expected), {"": person.first_expected})
    row[mark("p, first")] = person.first_p
    row[mark("median seconds")] = tables.estimated(person.seconds, person.seconds.value)
    row[mark("seconds, interval")] = tables.Cell(span(person.seconds, 1, ".0f"), {})
    return row


def _in_percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 1)


def _one(person: PersonQuality, hours: tuple[HourOfWork, ...], typical: float | None) -> None:
    """One labeler: the verdict in words, every measure with its interval, and the course of their days."""
    st.subheader(person.annotator.replace("\n", " "), anchor=False)
    st.text(
        t(
            "{verdict}: {rankings} rankings and {skips} skips looked at.",
            verdict=verdict(person, typical),
            rankings=person.judgments,
            skips=person.skips,
        )
    )
    p = (
        ""
        if person.first_p is None
        else t(
            "; by chance {share} %, p = {p}",
            share=figure(100 * (person.first_expected or 0), ".0f"),
            p=figure(person.first_p, ".2g"),
        )
    )
    lines = [
        (t("equal verdicts with the others"), percent(person.agreement)),
        (t("right on gold tasks"), percent(person.gold)),
        (t("reliability (one half is a coin toss)"), written(person.reliability)),
        (t("seconds of attention a ranking (median)"), written(person.seconds, 1, ".1f")),
        (t("seconds a completion (median)"), written(person.seconds_each, 1, ".1f")),
        (t("too fast to have read"), percent(person.too_fast)),
        (t("first shown put on top"), percent(person.first_on_top) + p),
        (t("prefers the longer of two"), percent(person.longer)),
        (t("… more than the others on the same pairs"), percent(person.length_bias)),
        (t("same answer to the same question again"), percent(person.consistency)),
        (t("ties"), percent(person.ties)),
    ]
    language.table([{mark("measure"): name, mark("value"): value} for name, value in lines])
    _day(person.annotator, hours)


def _day(name: str | None, hours: tuple[HourOfWork, ...]) -> None:
    ours = [hour for hour in hours if hour.annotator == name]
    if len(ours) < 2:
        return
    st.subheader(t("Over the day"), anchor=False)
    left, right = st.columns(2, gap="large")
    titles = (
        ("agreement", t("equal verdicts with the others"), ".0%"),
        ("seconds", t("median seconds a ranking"), ".0f"),
    )
    for column, (field, title, form) in zip((left, right), titles, strict=True):
        rows = [interval_row(str(hour.hour), getattr(hour, field)) | {"hour of work": hour.hour} for hour in ours]
        column.altair_chart(band([row for row in rows if row["value"] is not None], mark("hour of work"), title, form))
    st.caption(t("Hours count from a person's first answer of a day (UTC)."))
