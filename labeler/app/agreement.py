"""The managers' page of agreement: altogether, by kind of prompt, over time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from labeler.agreement import INSTRUCTGPT_HELD_OUT, INSTRUCTGPT_TRAINING, Estimate
from labeler.agreement_slices import Slice, parts
from labeler.app import insight, tables
from labeler.app.charts import band, interval_row, intervals
from labeler.app.insight import HELD_OUT, TRAINING, View, called, percent
from labeler.app.session import services
from labeler.comparisons import comparisons
from labeler.languages import figure, mark, t
from labeler.prompt_rows import CATEGORY
from labeler.raters import Raters
from labeler.sample_filters import Choice, chosen

PAPER = {
    mark("InstructGPT, training labelers"): INSTRUCTGPT_TRAINING,
    mark("InstructGPT, held-out labelers"): INSTRUCTGPT_HELD_OUT,
}
"""Agreement in Ouyang et al. 2022, section 3.4."""


def draw() -> None:
    """The page."""
    view = insight.open_page(t("Agreement"))
    if view is None:
        return
    with st.spinner(t("Counting …")):
        everything, kinds, days = _figures(view.key, view)
        raters = _by_raters(view.key, Raters(services().store).held_out(view.project.id), view)
    if not everything:
        st.write(t("Nothing has been judged by two people yet."))
        return
    found = everything[0]
    rows = [interval_row(t("all verdicts"), found.agreement), interval_row(t("ties dropped"), found.decided)]
    rows += [interval_row(called(part.name), part.agreement) for part in (*raters, *kinds)]
    st.altair_chart(
        intervals(
            rows,
            t("share of equal verdicts of two people"),
            domain=(0, 1),
            marks={t(name): value for name, value in PAPER.items()},
        ),
        width="stretch",
    )
    said = t(
        "Two people say the same of **{all}** of pairs, and of {decided} where both prefer a side.",
        all=percent(found.agreement),
        decided=percent(found.decided),
    )
    st.markdown(said)
    st.markdown(t(insight.INSTRUCTGPT))
    for column, (name, estimate) in zip(st.columns(3), _coefficients(found), strict=True):
        column.metric(t(name), "–" if estimate.value is None else figure(estimate.value, ".2f"))
        column.caption(t("95 % interval {span}", span=insight.span(estimate)))
    if len(days) > 1:
        st.subheader(t("Over time"), anchor=False)
        st.altair_chart(
            band([interval_row(day.name, day.agreement) for day in days], "name", t("equal verdicts"), ".0%"),
            width="stretch",
        )
    st.subheader(t("Figures"), anchor=False)
    tables.table([_row(part) for part in (*everything, *raters, *kinds, *days)], "agreement")
    st.caption(
        t("Categories are the groups' {field}; days are those of a task's last ranking.", field=f"meta.{CATEGORY}")
    )


@st.cache_data(max_entries=64, show_spinner="Counting …")
def _figures(key: tuple[object, ...], _view: View) -> tuple[list[Slice], list[Slice], list[Slice]]:
    return parts([group for group, _ in _view.judged], _view.table)


@st.cache_data(max_entries=64, show_spinner="Counting …")
def _by_raters(key: tuple[object, ...], held: tuple[str, ...], _view: View) -> list[Slice]:
    """How well those agree among themselves of whom models learn, and those of whom none does; none held out: none."""
    people = {answer.annotator for _, answers in _view.judged for answer in answers}
    named = {TRAINING: tuple(people - {*held}), HELD_OUT: tuple(people & {*held})}
    return [part for name, some in named.items() if held and some for part in _among(some, name, _view)]


def _among(people: tuple[str, ...], name: str, view: View) -> list[Slice]:
    groups = [group for group, _ in chosen(view.judged, Choice(people=people))]
    everything, _, _ = parts(groups, comparisons(groups))
    return [replace(part, name=name) for part in everything]


def _coefficients(part: Slice) -> list[tuple[str, Estimate]]:
    return [
        (mark("Fleiss' κ"), part.kappa),
        (mark("Krippendorff's α, ordinal"), part.alpha),
        (mark("Kendall's τ-b"), part.tau),
    ]


def _row(part: Slice) -> dict[str, Any]:
    return {
        mark("of"): tables.named(part.name, called(part.name)),
        mark("equal verdicts"): tables.share(part.agreement),
        mark("ties dropped"): tables.share(part.decided),
        mark("comparisons"): part.agreement.comparisons,
        **{name: tables.number(estimate) for name, estimate in _coefficients(part)},
    }
