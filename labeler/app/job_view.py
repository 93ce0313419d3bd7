"""A running job on a page, drawn anew every second: its progress, whatever the page adds, and a button that ends it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit as st

from labeler import jobs
from labeler.app import language
from labeler.errors import ProductError
from labeler.jobs import Event, Job
from labeler.languages import figure, t

Drawing = Callable[[list[Event]], None]


@language.fragment(run_every=1.0)
def watch(job: Job, draw: Drawing | None = None) -> None:
    """Progress of a running job; when it ends, the whole page is drawn anew."""
    if jobs.outcome(job).state != "running":
        st.rerun()
    reported = list(jobs.events(job))
    last = reported[-1] if reported else None
    share = min(last.step / last.total, 1.0) if last and last.total else 0.0
    st.progress(
        share,
        text=t("{stage}: {done} of {all}", stage=last.stage, done=last.step, all=last.total or 0)
        if last
        else t("starting …"),
    )
    if draw is not None:
        draw(reported)
    if st.button(t("Cancel"), key=f"cancel-{job.folder.name}"):
        with suppress(ProductError):
            jobs.cancel(job)
        st.rerun()


def ended(job: Job, *, failed: str, cancelled: str) -> bool:
    """Whether a job that has ended is done; says why where it is not.

    Args:
        failed: what the page says of a failure. cancelled: of an end that somebody wanted.
    """
    outcome = jobs.outcome(job)
    if outcome.state == "failed":
        st.error(failed)
        st.code(outcome.message, language=None, wrap_lines=True)
    if outcome.state == "cancelled":
        st.info(cancelled)
    return outcome.state == "done"


def lacking() -> bool:
    """Whether the ``reward`` command cannot run here, which the page then says."""
    names = jobs.missing()
    if names:
        st.warning(t("This needs packages that are not installed here:"))
        st.code(" ".join(names), language=None)
    return bool(names)


def model_title(job: Job) -> str:
    """A trained model by what it was made of and when, by a mark that no other has: a choice is told by its text."""
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created))
    number = f"#{job.folder.name[-6:]}"
    return t(
        "{number} {base}, {judgments} judgments, {day}",
        number=number,
        base=job.about["base"],
        judgments=job.about["judgments"],
        day=day,
    )


def number(value: object) -> str:
    """A figure as a table has it."""
    if isinstance(value, float):
        return figure(value, ".3f")
    return "–" if value is None else str(value)


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file; empty where it is not there."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
