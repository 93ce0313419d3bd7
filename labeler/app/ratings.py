"""Ratings and flags on the managers' overview: by model, with intervals, and how well people agree on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import streamlit as st

from labeler.agreement import Estimate
from labeler.app import tables
from labeler.app.charts import chart, tip
from labeler.app.language import strong
from labeler.label_schema import OUTPUT_FLAGS, PROMPT_FLAGS
from labeler.languages import figure, mark, t
from labeler.rating_report import RATING, Mark, MarkAgreement, RatingReport

USUAL = {flag.name: flag.text for flag in (*OUTPUT_FLAGS, *PROMPT_FLAGS)}
"""What the flags of InstructGPT are called."""


def draw(report: RatingReport) -> None:
    """Pictures first, then their numbers; nothing where the project has neither ratings nor flags."""
    if not (report.ratings or report.flags or report.prompt_flags):
        return
    st.subheader(t("Ratings and flags"), anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        _intervals([_row(mark) for mark in report.ratings], t("Mean rating, 95 % interval over tasks"), [1, 7])
    with right:
        _intervals([_row(mark) for mark in report.prompt_flags], t("Share of prompts flagged, 95 % interval"), [0, 1])
    _squares([_row(mark) for mark in report.flags])
    left, right = st.columns(2, gap="large")
    with left:
        _table(report)
    with right:
        _agreement(report.agreement)


def _row(mark: Mark) -> dict[str, Any]:
    estimate, flag = mark.estimate, _called(mark.what)
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high, "asked": estimate.comparisons}
    return {"name": mark.model or flag, "model": mark.model or t("prompts"), "flag": flag, **numbers}


def _tips(form: str) -> list[Any]:
    return [*(tip(f"{name}:Q", form) for name in ("value", "low", "high")), tip("asked:Q")]


def _intervals(rows: Sequence[dict[str, Any]], title: str, domain: list[int]) -> None:
    """A point with its interval for each row."""
    if not rows:
        return
    form = ".0%" if domain[1] == 1 else ".1f"
    axis = alt.Axis(format=form if domain[1] == 1 else "d")
    x = alt.X("low:Q", title=None, axis=axis, scale=alt.Scale(domain=domain))
    names = [row["name"] for row in rows]
    y = alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelLimit=200, labelOverlap=False))
    base = chart(rows)
    layers = alt.layer(
        base.mark_rule(color="#4d82e0", strokeWidth=2).encode(x=x, x2="high:Q", y=y),
        base.mark_point(color="#4d82e0", filled=True, size=70, opacity=1).encode(
            x="value:Q", y=y, tooltip=[tip("name:N"), *_tips(form)]
        ),
    )
    strong(title)
    st.altair_chart(layers.properties(height=60 + 28 * len(rows)), width="stretch")


def _squares(rows: Sequence[dict[str, Any]]) -> None:
    """Flags by model, the darker the more often."""
    if not rows:
        return
    models = list(dict.fromkeys(row["model"] for row in rows))
    flags = list(dict.fromkeys(row["flag"] for row in rows))
    above = alt.Axis(orient="top", labelAngle=-35, labelLimit=140, labelOverlap=False)
    base = chart(rows).encode(
        x=alt.X("model:N", title=None, sort=models, axis=above),
        y=alt.Y("flag:N", title=None, sort=flags, axis=alt.Axis(labelLimit=200, labelOverlap=False)),
        tooltip=[tip("model:N"), tip("flag:N"), *_tips(".1%")],
    )
    shade = alt.Color("value:Q", legend=None, scale=alt.Scale(domain=[0, 1], scheme="blues"))
    ink = alt.condition("datum.value > 0.5", alt.value("white"), alt.value("#1b1c1a"))
    numbers = base.mark_text(fontSize=11).encode(text=alt.Text("value:Q", format=".0%"), color=ink)
    picture = (base.mark_rect().encode(color=shade) + numbers).properties(height=140 + 24 * len(flags))
    strong(t("Share of completions flagged, by model"))
    st.altair_chart(picture, width="stretch")


def _table(report: RatingReport) -> None:
    rows = [
        {
            mark("model"): tables.named(item.model, item.model or t("prompts")),
            mark("rating or flag"): tables.named(item.what, _called(item.what)),
            mark("value"): tables.estimated(item.estimate, _figure(item.what, item.estimate.value)),
            mark("95 % interval"): tables.Cell(_span(item.what, item.estimate), {}),
            mark("asked"): item.estimate.comparisons,
        }
        for item in (*report.ratings, *report.flags, *report.prompt_flags)
    ]
    tables.table(rows, "ratings", height=420)


def _figure(what: str, value: float | None) -> str:
    if value is None:
        return "–"
    return figure(value, ".2f") if what == RATING else f"{figure(100 * value, '.1f')} %"


def _agreement(found: Iterable[MarkAgreement]) -> None:
    rows = [
        {
            mark("agreement on"): tables.named(item.what, _called(item.what)),
            mark("coefficient"): tables.named(item.coefficient, _coefficient(item)),
            mark("same answer"): tables.estimated(
                item.equal, f"{_figure('', item.equal.value)} ({_span('', item.equal)})"
            ),
            mark("completions"): item.completions,
        }
        for item in found
    ]
    if rows:
        tables.table(rows, "agreement-on-ratings")
        st.caption(t("α: Krippendorff's for ordinal ratings; κ: Fleiss'. Over completions that two or more judged."))
    else:
        st.text(t("No completion was rated or flagged by two people yet."))


def _coefficient(item: MarkAgreement) -> str:
    value = "–" if item.coefficient is None else figure(item.coefficient, ".2f")
    return f"{'α' if item.what == RATING else 'κ'} {value}"


def _span(what: str, estimate: Estimate) -> str:
    return t("{low} to {high}", low=_figure(what, estimate.low), high=_figure(what, estimate.high))


def _called(what: str) -> str:
    """The rating, one of the usual flags by its words, or another flag as its manager named it."""
    if what == RATING:
        return t("rating")
    return t(USUAL[what]) if what in USUAL else what.replace("_", " ")
