"""Best of n on the page: answers of a policy, or pasted ones, in the order of the current reward model."""

from __future__ import annotations

import streamlit as st

from labeler import jobs, model_jobs
from labeler.app import job_view
from labeler.app.job_view import number, read_json
from labeler.app.session import services
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.jobs import Job
from labeler.languages import mark, t

POLICY = "smollm2-135m"
BORDER = "---"
SAMPLED, PASTED = mark("of a policy"), mark("pasted")


def draw(project: Project, model: Job) -> None:
    """The form, and what the last try gave."""
    tries = model_jobs.all_of(services().runs, model_jobs.TRY, project)
    _form(project, model, busy=bool(tries) and jobs.is_running(tries[0]))
    if not tries:
        return
    if jobs.outcome(tries[0]).state == "running":
        job_view.watch(tries[0])
    elif job_view.ended(tries[0], failed=t("The try failed."), cancelled=t("The try was cancelled.")):
        _answers(tries[0])


def _form(project: Project, model: Job, *, busy: bool) -> None:
    way = st.radio(t("Answers"), [SAMPLED, PASTED], horizontal=True, key="try-way", format_func=t)
    policy, n, pasted = POLICY, 2, ""
    with st.form("try"):
        prompt = st.text_area(t("Prompt"), max_chars=8000)
        if way == SAMPLED:
            left, right = st.columns(2)
            policy = left.text_input(
                t("Policy"), POLICY, help=t("What writes the answers: a folder or a model's name.")
            )
            n = right.number_input(t("Number of answers"), min_value=2, max_value=64, value=4)
        else:
            pasted = st.text_area(t("Answers, with a line of --- between them"), height=240, max_chars=60_000)
        text = t("Sample and rank") if way == SAMPLED else t("Rank them")
        go = st.form_submit_button(text, type="primary", disabled=busy)
    if not go or not prompt.strip() or (way == SAMPLED and not policy.strip()):
        return
    try:
        if way == SAMPLED:
            model_jobs.sample(services().runs, project, model, prompt, policy=policy.strip(), n=int(n))
        else:
            model_jobs.order_answers(services().runs, project, model, prompt, answers_in(pasted))
    except ProductError as error:
        st.error(str(error))
    else:
        st.rerun()


def answers_in(text: str) -> list[str]:
    """The answers of a text in which lines of ``---`` stand between them; empty ones are left out."""
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == BORDER:
            parts.append([])
        else:
            parts[-1].append(line)
    found = ("\n".join(part).strip("\n") for part in parts)
    return [answer for answer in found if answer.strip()]


def _answers(job: Job) -> None:
    st.text(t("Prompt"))
    st.code(job.about["prompt"], language=None, wrap_lines=True)
    last = float("inf")
    found = read_json(job.folder / "output.jsonl").get("completions", [])
    for answer in sorted(found, key=lambda c: (c.get("rank") or last, -(c.get("score") or -last))):
        score = answer.get("score")
        shown = number(None if score is None else float(score))
        st.text(t("{rank}.   score {score}", rank=answer.get("rank", "–"), score=shown))
        st.code(answer["text"], language=None, wrap_lines=True)
