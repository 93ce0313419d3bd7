"""Models side by side on the page: each with its own held-out accuracy, and two of them on the same pairs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from labeler import jobs, model_jobs, trainings
from labeler.agreement import Estimate
from labeler.app import job_view, tables
from labeler.app.charts import interval_row, intervals
from labeler.app.job_view import model_title, number, read_json
from labeler.app.session import services
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.jobs import Job
from labeler.languages import figure, mark, t

CHANCE = 0.5
SURE = 0.05


def draw(project: Project, model: Job) -> None:
    """All models of a project, and the comparison of two."""
    models = trainings.models(services().runs, project)
    titles = {job.folder.name: model_title(job) for job in models}
    st.altair_chart(
        intervals(
            [interval_row(titles[job.folder.name], _own(job)) for job in models],
            t("accuracy"),
            marks={t("coin toss"): CHANCE},
        ),
        width="stretch",
    )
    st.caption(
        t("Accuracy of each model on the pairs that were held out when it was trained; these differ from run to run.")
    )
    tables.table([_row(job, titles[job.folder.name], current=job.folder == model.folder) for job in models], "trained")
    if len(models) < 2:
        st.write(t("Train a second model to compare it with this one on the same pairs."))
        return
    runs = model_jobs.all_of(services().runs, model_jobs.COMPARE, project)
    _form(project, model, titles, busy=bool(runs) and jobs.is_running(runs[0]))
    if not runs:
        return
    if jobs.outcome(runs[0]).state == "running":
        job_view.watch(runs[0])
        return
    job_view.ended(runs[0], failed=t("The comparison failed."), cancelled=t("The comparison was cancelled."))
    for run in runs:
        if found := read_json(run.folder / "report" / "metrics.json").get("against"):
            _comparison(run, found, titles)


def _own(job: Job) -> Estimate:
    metrics = read_json(job.folder / "report" / "metrics.json")
    low, high = metrics.get("accuracy_ci95") or (None, None)
    return Estimate(metrics.get("accuracy"), low, high, int(metrics.get("comparisons") or 0))


def _row(job: Job, title: str, *, current: bool) -> dict[str, Any]:
    own = _own(job)
    return {
        mark("model"): tables.named(job.folder.name, title),
        mark("current"): current,
        mark("accuracy"): tables.share(own),
        mark("comparisons"): own.comparisons,
        mark("epochs"): _flag(job, "--epochs"),
    }


def _flag(job: Job, name: str) -> str | None:
    command = list(job.commands[0])
    return command[command.index(name) + 1] if name in command else None


def _form(project: Project, model: Job, titles: dict[str, str], *, busy: bool) -> None:
    names = list(titles)
    with st.form("compare"):
        left, right = st.columns(2)
        first = left.selectbox(t("Model"), names, index=names.index(model.folder.name), format_func=titles.__getitem__)
        others = [name for name in names if name != model.folder.name]
        second = right.selectbox(t("Against"), names, index=names.index(others[0]), format_func=titles.__getitem__)
        go = st.form_submit_button(t("Compare on the same pairs"), type="primary", disabled=busy)
    if not go:
        return
    chosen = {job.folder.name: job for job in trainings.models(services().runs, project)}
    try:
        model_jobs.compare(services().store, services().runs, project, chosen[first], chosen[second])
    except ProductError as error:
        st.error(str(error))
    else:
        st.rerun()


def _comparison(run: Job, found: dict[str, Any], titles: dict[str, str]) -> None:
    """One comparison: a sentence, a picture, the figures."""
    first, second = (titles.get(run.about[side], run.about[side]) for side in ("first", "second"))
    rows = [
        interval_row(first, _share(found, "accuracy")),
        interval_row(second, _share(found, "other_accuracy")),
    ]
    st.subheader(t("On the same pairs"), anchor=False)
    st.text(verdict(first, second, found))
    st.altair_chart(intervals(rows, t("accuracy on the same pairs"), marks={t("coin toss"): CHANCE}), width="stretch")
    st.caption(
        t(
            "{pairs} decided pairs of {prompts} prompts that neither model learned from; only the first orders {first} "
            "of them right, only the second {second}. p by an exact sign-flip test over prompts.",
            pairs=found["comparisons"],
            prompts=found["prompts"],
            first=found["only_model"],
            second=found["only_other"],
        )
    )


def _share(found: dict[str, Any], name: str) -> Estimate:
    low, high = found.get(f"{name}_ci95") or (None, None)
    return Estimate(found[name], low, high, found["comparisons"])


def verdict(first: str, second: str, found: dict[str, Any]) -> str:
    """Which is better, in a sentence."""
    low, high = (100 * bound for bound in found.get("difference_ci95") or (float("nan"), float("nan")))
    figures = {
        "first_share": figure(100 * found["accuracy"], ".1f"),
        "second_share": figure(100 * found["other_accuracy"], ".1f"),
        "difference": _signed(100 * found["difference"]),
        "low": _signed(low),
        "high": _signed(high),
        "p": number(float(found["p_value"])),
    }
    if found["p_value"] >= SURE:
        return t(
            "No difference is shown between {first} and {second}: {first_share} % against {second_share} %, difference "
            "{difference} points ({low} to {high}), p = {p}.",
            first=first,
            second=second,
            **figures,
        )
    better, worse = (first, second) if found["difference"] > 0 else (second, first)
    return t(
        "{better} is better than {worse}: {first_share} % against {second_share} %, difference {difference} points "
        "({low} to {high}), p = {p}.",
        better=better,
        worse=worse,
        **figures,
    )


def _signed(points: float) -> str:
    return figure(points, "+.1f").replace("-", "−")
