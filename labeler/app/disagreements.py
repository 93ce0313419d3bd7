"""Where the current model and the people disagree most, on the page: pairs with margins, links to their tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import streamlit as st

from labeler import jobs, model_jobs
from labeler.agreement_slices import category
from labeler.app import insight, job_view, language, tables, task_view
from labeler.app.charts import chart
from labeler.app.session import services
from labeler.disagreement import Verdict, verdicts
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.formats import parse_group
from labeler.jobs import Job
from labeler.languages import figure, mark, t

USUAL = 200
SHOWN = 200
CHARACTERS = 300
EVERYTHING, FRESH = mark("all prompts"), mark("prompts that the model did not learn from")


def draw(project: Project, model: Job) -> None:
    """The form, and what the last run found."""
    runs = model_jobs.all_of(services().runs, model_jobs.DISAGREE, project)
    _form(project, model, busy=bool(runs) and jobs.is_running(runs[0]))
    if not runs:
        return
    if jobs.outcome(runs[0]).state == "running":
        job_view.watch(runs[0])
    elif job_view.ended(runs[0], failed=t("Scoring failed."), cancelled=t("Scoring was cancelled.")):
        _found(project, runs[0])


def _form(project: Project, model: Job, *, busy: bool) -> None:
    with st.form("disagree"):
        most = st.number_input(t("Judged tasks to look at"), min_value=1, max_value=insight.LIMIT, value=USUAL)
        go = st.form_submit_button(t("Find where model and people disagree"), type="primary", disabled=busy)
    if go:
        try:
            model_jobs.find_disagreement(services().store, services().runs, project, model, int(most))
        except ProductError as error:
            st.error(str(error))
        else:
            st.rerun()


@st.cache_data(max_entries=8, show_spinner=False)
def _read(folder: str, model: str) -> list[Verdict]:
    runs = services().runs
    lines = (runs / folder / "output.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    scores = [[_score(completion) for completion in row["completions"]] for row in rows]
    manifest = job_view.read_json(runs / model / "model" / "reward.json")
    return verdicts([parse_group(row) for row in rows], scores, frozenset(manifest.get("seen_prompts", ())))


def _score(completion: dict[str, Any]) -> float:
    score = completion.get("score")
    return float("nan") if score is None else float(score)


def _found(project: Project, job: Job) -> None:
    with st.spinner(t("Reading …")):
        everything = _read(job.folder.name, job.about["model"])
    kinds = sorted({category(verdict.group.meta) for verdict in everything})
    left, middle, right = st.columns([2, 2, 1])
    which = left.radio(t("Of"), [EVERYTHING, FRESH], key="disagree-of", format_func=t)
    chosen = middle.multiselect(
        t("Categories"), kinds, placeholder=t(language.ANY), key="disagree-kinds", format_func=insight.called
    )
    least = right.number_input(t("Votes at least"), min_value=1, max_value=20, value=1, key="disagree-votes")
    left_over = [
        verdict
        for verdict in everything
        if (which == EVERYTHING or not verdict.learned)
        and (not chosen or category(verdict.group.meta) in chosen)
        and verdict.votes >= least
    ]
    if not left_over:
        st.write(t("The filters leave nothing."))
        return
    against = [verdict for verdict in left_over if verdict.margin > 0]
    share = len(against) / len(left_over)
    st.text(
        t(
            "On {part} of {all} pairs that people decided ({share}) the model says otherwise.",
            part=len(against),
            all=len(left_over),
            share=figure(share, ".1%"),
        )
    )
    st.altair_chart(_margins(left_over), width="stretch")
    st.caption(
        t("Margin: the model's score of what people put behind, less that of what they preferred, in its own units.")
    )
    _table(project, against)


def _margins(found: Sequence[Verdict]) -> Any:
    """How the margins are spread: right of 0 the model is against the people."""
    names = [t("with the people"), t("against the people")]
    rows = [{"margin": v.margin, "model": names[v.margin > 0]} for v in found]
    colors = alt.Scale(domain=names, range=["#4d82e0", "#c2553d"])
    bars = (
        chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("margin:Q", bin=alt.Bin(maxbins=40), title=t("margin against the people")),
            y=alt.Y("count()", title=t("pairs")),
            color=alt.Color("model:N", title=None, scale=colors, legend=alt.Legend(orient="top")),
        )
    )
    return bars.properties(height=220)


def _table(project: Project, against: Sequence[Verdict]) -> None:
    if not against:
        return
    with services().store.frozen(project.id) as frozen:
        tasks = frozen.task_ids()
    rows = [
        {
            mark("margin"): round(verdict.margin, 3),
            mark("prompt"): verdict.group.prompt[-1].content[:CHARACTERS],
            mark("people prefer"): verdict.preferred.text[:CHARACTERS],
            mark("the model prefers"): verdict.other.text[:CHARACTERS],
            mark("votes"): f"{verdict.votes} : {verdict.against}",
            mark("ties"): verdict.ties,
            mark("learned from"): verdict.learned,
            mark("category"): category(verdict.group.meta),
            mark("task"): task_view.link(project, tasks[verdict.group.id]) if verdict.group.id in tasks else None,
        }
        for verdict in against[:SHOWN]
    ]
    columns = {"task": st.column_config.LinkColumn(display_text=t("show"))}
    tables.table(rows, "disagreement", column_config=columns)
    if len(against) > SHOWN:
        st.caption(t("The {shown} largest margins are listed.", shown=SHOWN))
