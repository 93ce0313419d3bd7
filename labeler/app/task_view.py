"""One task as its manager may see it: prompt, completions with their models, and what everybody said."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import streamlit as st

from labeler.app.language import table
from labeler.app.session import services
from labeler.entities import Judgment, Project
from labeler.errors import ProductError
from labeler.languages import mark, t
from labeler.records import Group


def link(project: Project, task_id: int) -> str:
    """Where the page shows a task."""
    return f"/prompts?project={quote(project.name)}&task={task_id}"


def draw(project: Project, task_id: str) -> None:
    """The task, and the way back to all."""
    if st.button(t("All prompts"), icon=":material/arrow_back:"):
        del st.query_params["task"]
        st.rerun()
    try:
        with services().store.frozen(project.id) as frozen:
            group, judgments = frozen.task(int(task_id))
    except (ProductError, ValueError):
        st.error(t("There is no such task in this project."))
        return
    st.subheader(t("Prompt"), anchor=False)
    for message in group.prompt:
        st.caption(t(message.role))
        st.code(message.content, language=None, wrap_lines=True)
    about = (group.id, group.source or t("no source"), ", ".join(_told(group)) or t("nothing in meta"))
    st.caption(" · ".join(about))
    st.subheader(t("Rankings"), anchor=False)
    if judgments:
        table([_row(group, judgment) for judgment in judgments])
    else:
        st.write(t("Nobody has judged it yet."))
    st.subheader(t("Completions"), anchor=False)
    for number, completion in enumerate(group.completions, start=1):
        model = completion.model or t("unknown model")
        st.text(f"{number}. {model}")
        st.code(completion.text, language=None, wrap_lines=True)


def _told(group: Group) -> list[str]:
    return [f"{name}: {value}" for name, value in group.meta.items() if isinstance(value, str | int | float)]


def _row(group: Group, judgment: Judgment) -> dict[str, Any]:
    """Who said what: a rank for each completion, by its number."""
    ranks = judgment.ranking.ranks if judgment.ranking else (None,) * len(group.completions)
    return {
        mark("annotator"): judgment.annotator,
        **{str(number): rank for number, rank in enumerate(ranks, start=1)},
        mark("skipped"): judgment.reason or "",
        mark("note"): judgment.note or "",
        mark("seconds"): judgment.seconds,
        mark("at"): judgment.at,
    }
