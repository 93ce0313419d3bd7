"""The managers' page of gold items: how many are mixed in, what people are told, how they do, who is paused."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from labeler.app import project_page, tables
from labeler.app.charts import interval_row, intervals
from labeler.app.insight import percent
from labeler.app.session import require_manager, services
from labeler.entities import Project, User
from labeler.errors import ProductError
from labeler.gold import MOST, GoldRules, When
from labeler.gold_desk import GoldDesk, GoldPerson, GoldReport
from labeler.languages import figure, mark, t

TOLD: dict[When, str] = {
    "none": mark("nothing"),
    "each": mark("the right ranks, after each gold item"),
    "wrong": mark("the right ranks, only when wrong"),
}
SAVED = "gold-saved"


def draw() -> None:
    """The page."""
    project = project_page.head(t("Gold items"))
    if project is None:
        return
    if saved := st.session_state.pop(SAVED, None):
        st.success(saved)
    report = GoldDesk(services().store).report(project.id)
    st.caption(
        t(
            "Tasks whose meta.gold_ranks holds the right ranks. Mixed in, they leave the queue: everybody meets them, "
            "whatever the overlap, nobody twice, and nothing on the labeler's page tells them from other tasks."
        )
    )
    left, right = st.columns(2, gap="large")
    with left:
        _form(project, report.rules)
    with right:
        _paused(require_manager(), project, report)
        _people(report)
    _items(report)


def _form(project: Project, rules: GoldRules) -> None:
    key = f"{project.id}-{hash(rules)}"
    with st.form(f"gold-{key}"):
        share = st.slider(
            t("Gold items among a labeler's tasks"),
            0,
            round(100 * MOST),
            round(100 * rules.share),
            format="%d %%",
            key=f"share-{key}",
        )
        told = st.selectbox(
            t("What the labeler is told"),
            get_args(When),
            index=get_args(When).index(rules.feedback),
            format_func=lambda when: t(TOLD[when]),
            key=f"told-{key}",
        )
        threshold = st.number_input(
            t("Pause a labeler below this share of right comparisons (%, 0: nobody)"),
            0,
            100,
            round(100 * (rules.threshold or 0)),
            key=f"threshold-{key}",
        )
        least = st.number_input(t("… from this many gold items on"), 1, 50, rules.least, key=f"least-{key}")
        if st.form_submit_button(t("Save"), type="primary"):
            _save(project, share, told, threshold, least)


def _save(project: Project, share: int, told: When, threshold: int, least: int) -> None:
    try:
        rules = GoldRules(share / 100, told, threshold / 100 if threshold else None, least)
        GoldDesk(services().store).set_rules(project.id, rules)
    except ProductError as error:
        st.error(str(error))
        return
    st.session_state[SAVED] = t("Saved. It holds from the next task on.")
    st.rerun()


def _paused(me: User, project: Project, report: GoldReport) -> None:
    for person in report.people:
        if person.pause is None:
            continue
        text, button = st.columns([3, 2], vertical_alignment="center")
        text.warning(t("{name} is paused: {share} right.", name=person.name, share=percent(person.right)))
        if button.button(t("Let {name} go on", name=person.name), key=f"lift-{person.pause}"):
            try:
                GoldDesk(services().store).lift(project.id, person.pause, me.id)
            except ProductError as error:
                st.error(str(error))
            else:
                st.rerun()


def _people(report: GoldReport) -> None:
    seen = [person for person in report.people if person.seen]
    if not seen:
        st.write(t("Nobody has answered a gold item yet."))
        return
    marks = {t("pause below"): report.rules.threshold} if report.rules.threshold else None
    st.altair_chart(
        intervals([interval_row(person.name, person.right) for person in seen], t("right comparisons"), marks=marks),
        width="stretch",
    )
    tables.table([_row(person) for person in report.people], "gold-people")


def _row(person: GoldPerson) -> dict[str, object]:
    state = mark("working") if person.pause is None else mark("paused")
    return {
        mark("labeler"): person.name,
        mark("gold items"): person.seen,
        mark("right"): tables.share(person.right),
        mark("state"): tables.named(state, t(state)),
    }


def _items(report: GoldReport) -> None:
    st.subheader(t("The items"), anchor=False)
    if not report.items:
        st.write(t("None are mixed in now."))
        return
    st.caption(t("Least agreed with first: where everybody is wrong, the known answer may be."))
    tables.table(
        [
            {
                mark("group"): item.group_id,
                mark("prompt"): item.prompt,
                mark("answers"): item.answers,
                mark("right comparisons"): _right(item.right),
                mark("explanation"): item.note or "",
            }
            for item in report.items
        ],
        "gold-items",
    )


def _right(share: float | None) -> tables.Cell:
    return tables.named(share, "" if share is None else figure(share, ".0%"))
