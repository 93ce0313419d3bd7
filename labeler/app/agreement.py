"""The managers' page of agreement: altogether, by kind of prompt, over time."""

from __future__ import annotations

from typing import Any

import streamlit as st

from labeler.agreement import INSTRUCTGPT_HELD_OUT, INSTRUCTGPT_TRAINING, Estimate
from labeler.agreement_slices import Slice, parts
from labeler.app import insight
from labeler.app.charts import band, interval_row, intervals
from labeler.app.insight import View, percent, written
from labeler.prompt_rows import CATEGORY

PAPER = {"InstructGPT, training labelers": INSTRUCTGPT_TRAINING, "InstructGPT, held-out labelers": INSTRUCTGPT_HELD_OUT}
"""Agreement in Ouyang et al. 2022, section 3.4."""


def draw() -> None:
    """The page."""
    view = insight.open_page("Agreement")
    if view is None:
        return
    everything, kinds, days = _figures(view.key, view)
    if not everything:
        st.write("Nothing has been judged by two people yet.")
        return
    found = everything[0]
    rows = [interval_row("all verdicts", found.agreement), interval_row("ties dropped", found.decided)]
    rows += [interval_row(part.name, part.agreement) for part in kinds]
    st.altair_chart(
        intervals(rows, "share of equal verdicts of two people", domain=(0, 1), marks=PAPER), width="stretch"
    )
    st.markdown(
        f"Two people say the same of **{percent(found.agreement)}** of pairs, and of {percent(found.decided)} where "
        "both prefer a side. InstructGPT: 72.6 ± 1.5 % (training labelers), 77.3 ± 1.3 % (held-out labelers)."
    )
    for column, (name, figure) in zip(st.columns(3), _coefficients(found), strict=True):
        column.metric(name, "–" if figure.value is None else f"{figure.value:.2f}")
        column.caption(f"95 % interval {insight.span(figure)}")
    if len(days) > 1:
        st.subheader("Over time", anchor=False)
        st.altair_chart(
            band([interval_row(day.name, day.agreement) for day in days], "name", "equal verdicts", ".0%"),
            width="stretch",
        )
    st.subheader("Figures", anchor=False)
    insight.table([_row(part) for part in (*everything, *kinds, *days)], "agreement")
    st.caption(f"Categories are the groups' meta.{CATEGORY}; days are those of a task's last ranking.")


@st.cache_data(max_entries=64, show_spinner="Counting …")
def _figures(key: tuple[object, ...], _view: View) -> tuple[list[Slice], list[Slice], list[Slice]]:
    return parts([group for group, _ in _view.judged], _view.table)


def _coefficients(part: Slice) -> list[tuple[str, Estimate]]:
    return [("Fleiss' κ", part.kappa), ("Krippendorff's α, ordinal", part.alpha), ("Kendall's τ-b", part.tau)]


def _row(part: Slice) -> dict[str, Any]:
    return {
        "of": part.name,
        "equal verdicts": percent(part.agreement),
        "ties dropped": percent(part.decided),
        "comparisons": part.agreement.comparisons,
        **{name: written(figure) for name, figure in _coefficients(part)},
    }
