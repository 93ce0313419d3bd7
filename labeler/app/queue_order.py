"""The current model orders the queue on the page: what would teach it most is handed out first."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from labeler import jobs, model_jobs
from labeler.app import job_view, tables
from labeler.app.session import services
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.jobs import Job
from labeler.languages import mark, t

METHODS = {
    "fisher-diverse": mark("most informative together, spread over different prompts"),
    "fisher": mark("most informative together"),
    "variance": mark("makes the model surest about everything left"),
    "disagreement": mark("heads drawn from what is known differ most"),
    "margin": mark("the scores are closest"),
    "random": mark("at random, for a model that is hardly better than chance"),
}
"""Methods of ``reward select``, in words."""
USUAL = 500
SHOWN = 50


def draw(project: Project, model: Job) -> None:
    """The form, and what the last run put first."""
    runs = model_jobs.all_of(services().runs, model_jobs.ORDER, project)
    _form(project, model, busy=bool(runs) and jobs.is_running(runs[0]))
    if not runs:
        return
    if jobs.outcome(runs[0]).state == "running":
        job_view.watch(runs[0])
    elif job_view.ended(
        runs[0], failed=t("Ordering failed; no priority was changed."), cancelled=t("It was cancelled.")
    ):
        _order(runs[0])


def _form(project: Project, model: Job, *, busy: bool) -> None:
    with st.form("order"):
        left, right = st.columns([2, 1])
        method = left.selectbox(t("By"), list(METHODS), format_func=lambda name: f"{name}: {t(METHODS[name])}")
        most = right.number_input(t("Tasks to look at"), min_value=2, max_value=100_000, value=USUAL)
        go = st.form_submit_button(t("Order the queue"), type="primary", disabled=busy)
    st.caption(
        t(
            "Tasks that nobody has judged are read by the model, at most so many, drawn at random; their priority "
            "becomes 100 for the most telling down to 1. One in five is placed at random, so that an unbiased estimate "
            "stays possible. Without a GPU reading takes its time; it goes on when this page is closed."
        )
    )
    if go:
        try:
            model_jobs.order_queue(services().store, services().runs, project, model, most=int(most), method=method)
        except ProductError as error:
            st.error(str(error))
        else:
            st.rerun()


def _order(job: Job) -> None:
    with (job.folder / "next.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(SHOWN), strict=False)]
    st.text(
        t(
            "{tasks} tasks were ordered by {method}. The first of them:",
            tasks=job.about["tasks"],
            method=job.about["method"],
        )
    )
    tables.table([_row(row) for row in rows], "order")


def _row(row: dict[str, Any]) -> dict[str, Any]:
    reason, meta = row["meta"]["select"], row["meta"]
    placed = t("at random") if reason["method"] == "random" else t("by the model")
    return {
        mark("priority"): meta["priority"],
        mark("prompt"): row["prompt"][-1]["content"][:300],
        mark("placed"): tables.named(reason["method"], placed),
        mark("score"): reason.get("score"),
        mark("use case"): meta.get("use_case"),
    }
