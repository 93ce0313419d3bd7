"""The managers' page that trains reward models on a project's judgments, compares them, and puts one to use."""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from labeler import jobs, trainings
from labeler.app import disagreements, job_view, language, model_compare, playground, project_page, queue_order
from labeler.app.charts import chart, tip
from labeler.app.job_view import model_title, number, read_json
from labeler.app.session import services
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.jobs import Event, Job
from labeler.languages import mark, t
from labeler.trainings import REPORT, REPORT_HELD_OUT

BASES = ("smollm2-135m", "minilm-l6")
ACCURACY = mark("accuracy on held-out pairs")
HELD_OUT = mark("accuracy on held-out labelers' rankings")
METRICS = {
    "accuracy": ACCURACY,
    "judgment_accuracy": mark("accuracy over single judgments"),
    "length_only_accuracy": mark("accuracy of always preferring the longer one"),
    "human_agreement": mark("agreement of people with each other"),
    "comparisons": mark("comparisons"),
    "groups": mark("prompts"),
    "ece": mark("expected calibration error"),
    "brier": mark("Brier score"),
}
TRAIN = mark("Train")
USES = {
    mark("Compare"): model_compare.draw,
    mark("Best of n"): playground.draw,
    mark("Order the queue"): queue_order.draw,
    mark("Disagreement"): disagreements.draw,
}
"""What is done with a model, beside training it."""
STATES = {
    "running": mark("running"),
    "done": mark("done"),
    "failed": mark("failed"),
    "cancelled": mark("cancelled"),
}
"""How a run stands."""
CURVES = {"loss": mark("loss"), "accuracy": mark("accuracy")}


def draw() -> None:
    """The page."""
    project = project_page.head(t("Train & try"))
    if project is None:
        return
    if job_view.lacking():
        return
    model = trainings.current(services().runs, project)
    if model is not None:
        st.text(t("Current model: {model}", model=model_title(model)))
    section = (
        st.segmented_control(
            t("Section"), [TRAIN, *USES], default=TRAIN, format_func=t, label_visibility="collapsed", key="section"
        )
        or TRAIN
    )
    if section == TRAIN:
        _train(project, model)
    elif model is None:
        st.write(t("No model has been trained yet."))
    else:
        USES[section](project, model)


def _train(project: Project, model: Job | None) -> None:
    everywhere = trainings.trainings(services().runs, services().store.projects())
    _start_form(project, busy=any(jobs.is_running(job) for job in everywhere))
    runs = trainings.trainings(services().runs, (project,))
    if not runs:
        st.text(t("No model has been trained yet."))
        return
    titles = {job.folder.name: f"{model_title(job)}: {t(STATES[jobs.outcome(job).state])}" for job in runs}
    chosen = st.selectbox(t("Run"), list(titles), format_func=lambda name: titles[name])
    run = next(job for job in runs if job.folder.name == chosen)
    if jobs.outcome(run).state == "running":
        job_view.watch(run, _curve)
    else:
        _result(project, run, current=model is not None and model.folder == run.folder)


def _start_form(project: Project, *, busy: bool) -> None:
    with st.form("start"):
        left, right = st.columns([3, 1])
        base = left.selectbox(
            t("Base model"), BASES, accept_new_options=True, help=t("One of these, a folder, or a name on the Hub.")
        )
        epochs = right.number_input(t("Epochs"), min_value=1, max_value=20, value=1)
        go = st.form_submit_button(t("Train a reward model"), type="primary", disabled=busy)
    if busy:
        st.caption(t("One training runs at a time."))
    if go and base:
        try:
            trainings.start(services().store, services().runs, project, base, int(epochs))
        except ProductError as error:
            st.error(str(error))
        else:
            st.rerun()


def _curve(reported: list[Event]) -> None:
    """Loss and accuracy by step, as far as the training told them."""
    steps = [event for event in reported if event.event == "step" and event.stage == "train"]
    rows = [
        {"step": event.step, "measure": t(CURVES[name]), "value": event.facts[name]}
        for event in steps
        for name in CURVES
        if isinstance(event.facts.get(name), int | float)
    ]
    if not rows:
        return
    lines = (
        chart(rows)
        .mark_line(point=len(rows) < 100)
        .encode(
            x=alt.X("step:Q", title=t("step"), axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            color=alt.Color("measure:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[tip("step:Q"), tip("measure:N"), tip("value:Q", ".3f")],
        )
    )
    st.altair_chart(lines.properties(height=360), width="stretch")


# Results


def _result(project: Project, job: Job, *, current: bool) -> None:
    done = job_view.ended(job, failed=t("The training failed."), cancelled=t("The training was cancelled."))
    _curve(list(jobs.events(job)))
    if done and trainings.has_model(job):
        if current:
            st.text(t("This is the current model."))
        elif st.button(t("Make it the current model"), type="primary", key=f"current-{job.folder.name}"):
            trainings.make_current(services().runs, project, job)
            st.rerun()
    _metrics(job)


def _metrics(job: Job) -> None:
    metrics, apart = (read_json(job.folder / name / "metrics.json") for name in (REPORT, REPORT_HELD_OUT))
    if metrics:
        found = {ACCURACY: metrics, HELD_OUT: apart} if apart else {ACCURACY: metrics}
        for place, (title, each) in zip(st.columns(len(found)), found.items(), strict=True):
            with place:
                _accuracy(t(title), each)
        language.table(
            [{mark("measure"): t(text), mark("value"): number(metrics.get(name))} for name, text in METRICS.items()]
        )
        with st.expander("metrics.json"):
            st.json(metrics)
    report = job.folder / REPORT / "report.html"
    if report.is_file():
        page = report.read_bytes()
        st.download_button(t("Download report.html"), page, "report.html", "text/html", on_click="ignore")


def _accuracy(title: str, metrics: dict[str, Any]) -> None:
    low, high = metrics.get("accuracy_ci95") or (None, None)
    st.metric(title, number(metrics.get("accuracy")), border=True)
    if low is not None and high is not None:
        st.text(t("95 % interval over prompts: {low} to {high}", low=number(low), high=number(high)))
