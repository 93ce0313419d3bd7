"""The managers' page that trains a reward model on a project's judgments and tries it out: best of n."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import altair as alt
import streamlit as st

from labeler import jobs, trainings
from labeler.app import account
from labeler.app.charts import chart
from labeler.app.session import require_manager, services
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.formats import dumps
from labeler.jobs import Job

BASES = ("smollm2-135m", "minilm-l6")
POLICY = "smollm2-135m"
STATES = {"running": "running", "done": "done", "failed": "failed", "cancelled": "cancelled"}
METRICS = {
    "accuracy": "accuracy on held-out pairs",
    "judgment_accuracy": "accuracy over single judgments",
    "length_only_accuracy": "accuracy of always preferring the longer one",
    "human_agreement": "agreement of people with each other",
    "comparisons": "comparisons",
    "groups": "prompts",
    "ece": "expected calibration error",
    "brier": "Brier score",
}


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header("Train & try", anchor=False)
    projects = services().store.projects(me.id)
    runs = trainings.trainings(services().runs, projects)
    _start_form(projects, busy=any(jobs.is_running(job) for job in runs))
    if not runs:
        st.text("No model has been trained yet.")
        return
    labels = {job.folder.name: _title(job) for job in runs}
    chosen = st.selectbox("Run", list(labels), format_func=lambda name: labels[name])
    run = next(job for job in runs if job.folder.name == chosen)
    if jobs.outcome(run).state == "running":
        _watch(run)
    else:
        _result(run)


def _title(job: Job) -> str:
    state = STATES[jobs.outcome(job).state]
    return f"{job.about['project']} on {job.about['base']}, {job.about['judgments']} judgments: {state}"


# Starting


def _start_form(projects: tuple[Project, ...], *, busy: bool) -> None:
    with st.form("start"):
        left, middle, right = st.columns([2, 2, 1])
        name = left.selectbox("Project", [project.name for project in projects])
        base = middle.selectbox(
            "Base model", BASES, accept_new_options=True, help="One of these, a folder, or a name on the Hub."
        )
        epochs = right.number_input("Epochs", min_value=1, max_value=20, value=1)
        go = st.form_submit_button("Train a reward model", type="primary", disabled=busy)
    if busy:
        st.caption("One training runs at a time.")
    if go and name and base:
        try:
            project = next(project for project in projects if project.name == name)
            trainings.start(services().store, services().runs, project, base, int(epochs))
        except ProductError as error:
            st.error(str(error))
        else:
            st.rerun()


# Watching


@st.fragment(run_every=1.0)
def _watch(job: Job) -> None:
    """Progress of a running job, drawn anew every second; when it ends, the whole page is."""
    if jobs.outcome(job).state != "running":
        st.rerun()
    reported = list(jobs.events(job))
    last = reported[-1] if reported else None
    share = min(last.step / last.total, 1.0) if last and last.total else 0.0
    st.progress(share, text=f"{last.stage}: {last.step} of {last.total}" if last else "starting …")
    _curve(reported)
    if st.button("Cancel", key=f"cancel-{job.folder.name}"):
        with suppress(ProductError):
            jobs.cancel(job)
        st.rerun()


def _curve(reported: list[jobs.Event]) -> None:
    """Loss and accuracy by step, as far as the training told them."""
    steps = [event for event in reported if event.event == "step" and event.stage == "train"]
    rows = [
        {"step": event.step, "measure": name, "value": event.facts[name]}
        for event in steps
        for name in ("loss", "accuracy")
        if isinstance(event.facts.get(name), int | float)
    ]
    if not rows:
        return
    lines = (
        chart(rows)
        .mark_line(point=len(rows) < 100)
        .encode(
            x=alt.X("step:Q", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            color=alt.Color("measure:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=["step:Q", "measure:N", alt.Tooltip("value:Q", format=".3f")],
        )
    )
    st.altair_chart(lines.properties(height=360), width="stretch")


# Results


def _result(job: Job) -> None:
    outcome = jobs.outcome(job)
    if outcome.state == "failed":
        st.error("The training failed.")
        st.code(outcome.message, language=None, wrap_lines=True)
    if outcome.state == "cancelled":
        st.info("The training was cancelled.")
    _curve(list(jobs.events(job)))
    _metrics(job.folder / "report")
    if (job.folder / "model" / "config.json").is_file() and outcome.state == "done":
        _try(job)


def _metrics(folder: Path) -> None:
    metrics = _json(folder / "metrics.json")
    if metrics:
        low, high = metrics.get("accuracy_ci95") or (None, None)
        st.metric(METRICS["accuracy"], _number(metrics.get("accuracy")), border=True)
        if low is not None and high is not None:
            st.text(f"95 % interval over prompts: {_number(low)} to {_number(high)}")
        rows = [{"measure": text, "value": _number(metrics.get(name))} for name, text in METRICS.items()]
        st.dataframe(rows, hide_index=True, width="stretch")
        with st.expander("metrics.json"):
            st.json(metrics)
    report = folder / "report.html"
    if report.is_file():
        st.download_button("Download report.html", report.read_bytes(), "report.html", "text/html")


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


# Trying: best of n


def _try(run: Job) -> None:
    st.subheader("Best of n", anchor=False)
    tries = jobs.all_jobs(run.folder, "try")
    busy = any(jobs.is_running(job) for job in tries)
    with st.form("try"):
        prompt = st.text_area("Prompt", max_chars=8000)
        left, right = st.columns(2)
        policy = left.text_input("Policy", POLICY, help="What writes the answers: a folder or a model's name.")
        n = right.number_input("Answers", min_value=2, max_value=64, value=4)
        go = st.form_submit_button("Sample and rank", type="primary", disabled=busy)
    if go and prompt.strip() and policy.strip():
        _start_try(run, prompt, policy.strip(), int(n))
        st.rerun()
    if not tries:
        return
    if jobs.outcome(tries[0]).state == "running":
        _watch(tries[0])
    else:
        _answers(tries[0])


def _start_try(run: Job, prompt: str, policy: str, n: int) -> None:
    folder = jobs.new_folder(run.folder, "try")
    paths = {name: str(folder / name) for name in ("input.jsonl", "output.jsonl", "progress.jsonl")}
    row = {"id": "prompt", "prompt": [{"role": "user", "content": prompt}]}
    (folder / "input.jsonl").write_text(dumps(row) + "\n", encoding="utf-8")
    command = (*jobs.REWARD, "rerank", "--model", str(run.folder / "model"), "--policy", policy, "--n", str(n))
    files = ("--input", paths["input.jsonl"], "--output", paths["output.jsonl"], "--progress", paths["progress.jsonl"])
    jobs.start(folder, "try", {"prompt": prompt, "policy": policy, "n": n}, [(*command, *files)])


def _answers(job: Job) -> None:
    outcome = jobs.outcome(job)
    st.text("Prompt")
    st.code(job.about["prompt"], language=None, wrap_lines=True)
    group = _json(job.folder / "output.jsonl")
    if outcome.state != "done" or not group:
        st.error(f"Sampling {outcome.state}.")
        st.code(outcome.message, language=None, wrap_lines=True)
        return
    last = float("inf")
    answers = sorted(group["completions"], key=lambda c: (c.get("rank") or last, -(c.get("score") or -last)))
    for answer in answers:
        score = answer.get("score")
        st.text(f"{answer.get('rank', '–')}.   score {_number(None if score is None else float(score))}")
        st.code(answer["text"], language=None, wrap_lines=True)
