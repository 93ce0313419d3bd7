"""What people wrote, on the managers' overview: the length of answers, and how often the best is improved."""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from labeler.app.charts import BLUE, chart, tip
from labeler.languages import figure, mark, t, tn
from labeler.writing_report import Spread, Writer, WritingReport

EVERYBODY = mark("everybody")


def lengths(report: WritingReport) -> None:
    """How long answers are, by person; the place of agreement, of which there is none here."""
    st.subheader(t("Length of answers"), anchor=False)
    st.caption(t("Labelers write answers here and judge none, so there is nothing to agree on."))
    if report.words is None or report.characters is None:
        st.write(t("Nothing has been written yet."))
        return
    rows = [_row(t(EVERYBODY), report.answers, report.words)]
    rows += [_row(person.annotator, person.answers, person.words) for person in report.people]
    names = [row["who"] for row in rows]
    y = alt.Y("who:N", title=None, sort=names, axis=alt.Axis(labelLimit=180, labelOverlap=False))
    x = alt.X("low:Q", title=t("words of an answer: median, lowest and highest tenth"), axis=alt.Axis(tickMinStep=1))
    tips = [tip(field) for field in ("who:N", "median:Q", "low:Q", "high:Q", "answers:Q")]
    base = chart(rows)
    layers = alt.layer(
        base.mark_rule(color=BLUE, strokeWidth=2).encode(x=x, x2="high:Q", y=y),
        base.mark_point(color=BLUE, filled=True, size=60, opacity=1).encode(x="median:Q", y=y, tooltip=tips),
    )
    st.altair_chart(layers.properties(height=70 + 28 * len(rows)), width="stretch")
    st.text(
        tn(
            "{count} answer, words: {words}; characters: {characters}.",
            "{count} answers, words: {words}; characters: {characters}.",
            report.answers,
            words=_told(report.words),
            characters=_told(report.characters),
        )
    )


def _told(spread: Spread) -> str:
    return t(
        "median {median} (a tenth below {low}, a tenth above {high})",
        median=figure(spread.median, ",.0f"),
        low=figure(spread.low, ",.0f"),
        high=figure(spread.high, ",.0f"),
    )


def _row(who: str, answers: int, words: Spread) -> dict[str, Any]:
    return {"who": who, "answers": answers, "median": words.median, "low": words.low, "high": words.high}


def edits(report: WritingReport) -> None:
    """How often the best completion was improved; nothing where it never was."""
    if report.edits is None:
        return
    found = report.edits
    st.subheader(t("Better texts than the best"), anchor=False)
    columns = st.columns(3)
    columns[0].metric(t("Rankings with one"), t("{part} of {all}", part=found.edited, all=found.rankings))
    columns[1].metric(t("Written anew, all being bad"), figure(found.anew))
    columns[2].metric(
        t("Words added (median)"), "–" if found.words_added is None else figure(found.words_added.median, "+,.0f")
    )


def own(person: Writer) -> None:
    """A labeler's own figures."""
    columns = st.columns(3)
    columns[0].metric(t("Answers"), figure(person.answers))
    columns[1].metric(
        t("Seconds an answer (median)"), "–" if person.seconds is None else figure(person.seconds.median, ",.0f")
    )
    columns[2].metric(t("Words an answer (median)"), figure(person.words.median, ",.0f"))
