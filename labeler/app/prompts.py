"""The managers' page of prompts: found by words or meaning, near-duplicates, clusters, and what to do with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from labeler import jobs, prompt_jobs
from labeler.app import account, job_view, language, prompt_clusters, prompt_lists, task_view
from labeler.app.prompt_lists import Look
from labeler.app.session import require_manager, services
from labeler.entities import Project
from labeler.errors import DataError, ProductError
from labeler.languages import mark, t
from labeler.prompt_map import PromptMap
from labeler.prompt_rows import PromptRow, TaskWork
from labeler.prompt_search import Ints

STATES = (mark("waiting"), mark("started"), mark("finished"), mark("aside"))
CLUSTERS = mark("Clusters")
VIEWS = {
    CLUSTERS: prompt_clusters.draw,
    mark("Search"): prompt_lists.search,
    mark("Near-duplicates"): prompt_lists.duplicates,
}


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header(t("Prompts"), anchor=False)
    projects = services().store.projects(me.id)
    if not projects:
        st.info(t(language.NO_PROJECT))
        return
    names = [project.name for project in projects]
    asked = st.query_params.get("project")
    name = st.selectbox(t("Project"), names, index=names.index(asked) if asked in names else 0)
    project = next(project for project in projects if project.name == name)
    if task := st.query_params.get("task"):
        task_view.draw(project, task)
        return
    with st.spinner(t("Reading …")):
        look = _look(project)
    if not look.rows:
        st.write(t("The project has no prompts yet."))
        return
    if said := st.session_state.pop(prompt_lists.DONE, None):
        st.success(said)
    whole, look = look, _filtered(look)
    _vectors(whole)
    if not look.rows:
        st.write(t("The filters leave nothing."))
        return
    view = st.segmented_control(
        t("View"), list(VIEWS), default=CLUSTERS, format_func=t, label_visibility="collapsed", key="view"
    )
    VIEWS[view or CLUSTERS](look)


# What there is


def prepare(project: Project) -> None:
    """Read what the page keeps in memory."""
    _prompts(*_key(project))


def _key(project: Project) -> tuple[str, int, tuple[int, int]]:
    """What the prompts are kept under: the database, the project, and what changes when there are other prompts."""
    store = services().store
    with store.frozen(project.id) as frozen:
        return store.database.url.render_as_string(), project.id, frozen.prompts_stamp()


def _look(project: Project) -> Look:
    key = _key(project)
    rows, lowered = _prompts(*key)
    file = prompt_jobs.vectors(services().runs, project)
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    found = _map(file, changed)
    work = prompt_lists.task_work(*key[:2])
    missing = TaskWork(0, 1, 1, 0)  # a task that came between two readings
    place = _places(file, changed, key, found, rows)
    return Look(project, rows, lowered, [work.get(row.task_id, missing) for row in rows], place, found)


@st.cache_resource(max_entries=4, show_spinner=False)
def _prompts(database: str, project_id: int, stamp: tuple[int, int]) -> tuple[list[PromptRow], list[str]]:
    with services().store.frozen(project_id) as frozen:
        rows = frozen.prompts()
    return rows, [row.text.casefold() for row in rows]


@st.cache_resource(max_entries=4, show_spinner=False)
def _map(file: Path, changed: int) -> PromptMap:
    """The file as it was last changed; empty where it is missing or cannot be read, so that it can be made again."""
    try:
        return PromptMap.load(file)
    except DataError:
        return PromptMap.empty()


@st.cache_resource(max_entries=4, show_spinner=False)
def _places(file: Path, changed: int, prompts: tuple[object, ...], _map: PromptMap, _rows: list[PromptRow]) -> Ints:
    """(N) place of each prompt in the map, −1 for one that came later."""
    known = {name: place for place, name in enumerate(_map.ids)}
    return np.array([known.get(row.group_id, -1) for row in _rows], dtype=np.int64)


def _filtered(look: Look) -> Look:
    """What the filters leave."""
    columns = st.columns(3)
    with columns[0]:
        kinds = st.multiselect(t("Use case"), sorted({row.category for row in look.rows}), placeholder=t(language.ANY))
    with columns[1]:
        sources = st.multiselect(t("Source"), sorted({row.source for row in look.rows}), placeholder=t(language.ANY))
    with columns[2]:
        states = st.multiselect(t("State"), STATES, format_func=t, placeholder=t(language.ANY))
    if not (kinds or sources or states):
        return look
    return look.at(
        [
            n
            for n, (row, work) in enumerate(zip(look.rows, look.work, strict=True))
            if (not kinds or row.category in kinds)
            and (not sources or row.source in sources)
            and (not states or work.state in states)
        ]
    )


# Vectors


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form says."""

    clusters: int
    base: str


def _vectors(look: Look) -> None:
    """How the vectors stand, and the form that makes them."""
    runs = prompt_jobs.all_runs(services().runs, look.project)
    if runs and jobs.is_running(runs[0]):
        job_view.watch(runs[0])
        return
    if runs:
        job_view.ended(
            runs[0],
            failed=t("Making the vectors failed."),
            cancelled=t("Making the vectors was cancelled; what was read is kept."),
        )
    new = int((look.place < 0).sum())
    if look.map.ids:
        st.caption(t("{prompts} prompts have vectors by {base}.", prompts=len(look.map.ids), base=look.map.base))
        if new:
            st.caption(t("{new} came later; make the vectors again to include them.", new=new))
    with st.expander(t("Vectors, clusters and categories"), expanded=not look.map.ids):
        if not look.map.ids:
            st.write(t("Search by meaning, near-duplicates and clusters need a vector of each prompt."))
        if job_view.lacking():
            return
        if wish := _form(look):
            try:
                prompt_jobs.start(
                    services().store, services().runs, look.project, clusters=wish.clusters, base=wish.base
                )
            except ProductError as error:
                st.error(str(error))
            else:
                st.rerun()


def _form(look: Look) -> Wish | None:
    usual = prompt_jobs.usual_clusters(len(look.rows))
    with st.form("vectors"):
        left, right = st.columns([1, 2])
        clusters = left.number_input(t("Clusters"), min_value=2, max_value=1000, value=usual)
        base = right.text_input(
            t("Model"), prompt_jobs.BASE, help=t("What reads the prompts: minilm-l6, a folder, or a name on the Hub.")
        )
        go = st.form_submit_button(t("Make vectors again") if look.map.ids else t("Make vectors"), type="primary")
    return Wish(int(clusters), base.strip()) if go and base.strip() else None
