"""The managers' page that gives data out: a format, filters, a look at the first rows, a file to download."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from typing import Any

import streamlit as st

from labeler import export_jobs, hub_push, jobs
from labeler.app import account, language
from labeler.app.session import require_manager, services
from labeler.entities import Project, User
from labeler.errors import ProductError
from labeler.exporting import FILES, preview
from labeler.finals import Finals
from labeler.formats import FORMATS
from labeler.jobs import Job
from labeler.languages import figure, mark, t
from labeler.records import SPLITS
from labeler.review_desk import ReviewDesk
from labeler.selection import Export, Format, Selection

SNAPSHOT = "snapshot"
TITLES = {
    SNAPSHOT: mark("Snapshot: everything, to train on"),
    "native": mark("Native (JSON Lines)"),
    "trl": mark("TRL preference pairs"),
    "trl-conversational": mark("TRL preference pairs, conversational"),
    "openrlhf": "OpenRLHF",
    "hh-rlhf": mark("HH-RLHF transcripts"),
    "csv": "CSV",
    "parquet": "Parquet",
    "datasets": mark("Hugging Face datasets folder"),
    "argilla": "Argilla",
    "labelstudio": "Label Studio",
}
FINALS: dict[Finals, str] = {
    "only": mark("Only that"),
    "beside": mark("That beside the labelers' rankings"),
    "ignore": mark("Only the labelers' rankings"),
}
NOTES = {
    SNAPSHOT: mark("All judgments with their splits and a manifest; the same judgments give the same bytes."),
    "native": mark("Our own fields: id, prompt, completions, rankings; demonstrations have one completion."),
    "trl": mark("Prompt, chosen, rejected, margin; demonstrations are prompt and completion."),
    "trl-conversational": mark("The same with lists of messages."),
    "openrlhf": mark("Input or context, chosen, rejected."),
    "hh-rlhf": mark("Chosen and rejected transcripts."),
    "csv": mark("A table with one completion a row, as CSV."),
    "parquet": mark("Our own fields, as Parquet."),
    "datasets": mark("Our own fields, as a folder that the library datasets loads."),
    "argilla": mark("Records of Argilla 2 with the question “ranking”; of each judgment the ranks alone."),
    "labelstudio": mark("Tasks to import, with a labeling interface; names of annotators stand in each result’s meta."),
}


COUNTED = {
    "rows": mark("rows"),
    "groups": mark("groups"),
    "rankings": mark("rankings"),
    "edits": mark("edits"),
    "annotators": mark("annotators"),
    "demonstrations": mark("demonstrations"),
}
"""What a manifest counts."""


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header(t("Export"), anchor=False)
    projects = services().store.projects(me.id)
    if not projects:
        st.info(t("There is no project yet. Make one on the page “Import”."))
        return
    left, right = st.columns(2)
    name = left.selectbox(t("Project"), [project.name for project in projects], key="export-project")
    project = next(project for project in projects if project.name == name)
    to = right.selectbox(t("Format"), list(TITLES), format_func=lambda one: t(TITLES[one]), key="export-format")
    st.caption(t(NOTES[to]))
    try:
        _form(me, project, to)
    except ProductError as error:
        st.error(str(error))
    job = export_jobs.latest(services().runs, me)
    if job is not None:
        _result(job)


def _form(me: User, project: Project, to: str) -> None:
    key = f"{project.id}-{to}"
    ratings = False
    if project.schema.rates and not project.schema.ranking:
        ratings = st.checkbox(
            t("Rank by ratings"), key=f"ratings-{key}", help=t("For projects that ask for ratings alone.")
        )
    finals = _finals(project, key)
    if to == SNAPSHOT:
        if st.button(t("Make it"), type="primary", key=f"make-{key}"):
            export_jobs.start(
                services().store, services().runs, me, project, None, ranks_from_ratings=ratings, adjudicated=finals
            )
            st.rerun()
        return
    form: Format = next(name for name in FILES if name == to)
    ties = FORMATS[to].ties and st.checkbox(
        t("Write ties too"),
        key=f"ties-{key}",
        help=t("In both directions, with the margin 0: equal scores are learned."),
    )
    selection = _selection(project, key)
    wanted = Export(to=form, ties=ties, ranks_from_ratings=ratings, adjudicated=finals, selection=selection)
    _preview(project, wanted)
    push = _push(me, to, key)
    if st.button(t("Make it"), type="primary", key=f"make-{key}"):
        export_jobs.start(services().store, services().runs, me, project, wanted, push=push)
        st.rerun()


def _finals(project: Project, key: str) -> Finals:
    """What is done with final answers; the question is asked where there are any."""
    if not ReviewDesk(services().store).decisions(project.id, after=0, limit=1):
        return "only"
    return st.radio(
        t("Where a reviewer had the last word"),
        list(FINALS),
        format_func=lambda one: t(FINALS[one]),
        horizontal=True,
        key=f"finals-{key}",
    )


def _selection(project: Project, key: str) -> Selection:
    with st.expander(t("Only some of it")):
        people = [person.annotator for person in services().store.annotator_counts(project.id)]
        left, right = st.columns(2)
        annotators = left.multiselect(t("Labelers"), people, placeholder=t(language.ANY), key=f"people-{key}")
        splits = right.multiselect(t("Splits"), SPLITS, placeholder=t(language.ANY), key=f"splits-{key}")
        since = left.date_input(t("From the day"), None, key=f"since-{key}")
        until = right.date_input(t("To the day"), None, key=f"until-{key}")
        versions = [None, *sorted(services().store.label_schemas(project.id), reverse=True)]
        version = left.selectbox(
            t("Version of the settings"),
            versions,
            format_func=lambda one: t("all") if one is None else str(one),
            key=f"version-{key}",
        )
        overlap = right.number_input(t("At least so many labelers"), 0, 1000, 1, key=f"overlap-{key}")
    return Selection(version, tuple(annotators), _day(since), _day(until), int(overlap), tuple(splits))


def _day(picked: Any) -> str | None:
    return picked.isoformat() if isinstance(picked, date) else None


def _preview(project: Project, wanted: Export) -> None:
    language.strong(t("The first rows"))
    rows = preview(services().store, project, wanted)
    if not rows:
        st.write(t("The filters leave nothing."))
    for row in rows:
        st.code(json.dumps(row, ensure_ascii=False, indent=1), language="json", wrap_lines=True, height=200)


def _push(me: User, to: str, key: str) -> str | None:
    """The Hub is written to with the server's own token, so that only admins may."""
    if me.role != "admin" or to not in hub_push.PUSHABLE:
        return None
    there = hub_push.token() is not None
    name = st.text_input(
        t("Also push it to a data set on the Hugging Face Hub"),
        key=f"push-{key}",
        placeholder="ORG/NAME" if there else t("The server has no token: set HF_TOKEN"),
        disabled=not there,
        help=t("A new one is private."),
    )
    return name.strip() or None


def _result(job: Job) -> None:
    st.divider()
    st.subheader(t("Your last export"), anchor=False)
    project, what = job.about["project"], job.about["what"]
    st.text(f"{project}: {t(TITLES[what])}")
    outcome = jobs.outcome(job)
    if outcome.state == "running":
        _watch(job)
    elif outcome.state == "cancelled":
        st.info(t("It was cancelled."))
    elif outcome.state == "failed":
        st.error(t("It could not be made."))
        st.code(export_jobs.failure(job), language=None, wrap_lines=True)
    else:
        _made(job)


@language.fragment(run_every=0.5)
def _watch(job: Job) -> None:
    if not jobs.is_running(job):
        st.rerun()
    st.progress(0.0, text=t("Being made …"))
    if st.button(t("Cancel"), key=f"cancel-{job.folder.name}"):
        with suppress(ProductError):
            jobs.cancel(job)
        st.rerun()


def _made(job: Job) -> None:
    found = export_jobs.manifest(job)
    if found is None:
        st.error(t("Its files are gone; make it again."))
        return
    path = export_jobs.download(job)
    st.text(", ".join(f"{figure(number)} {t(COUNTED[what])}" for what, number in found["counts"].items()))
    if job.about["push"]:
        st.success(t("Pushed to {place}.", place=job.about["push"]))
    st.download_button(
        t("Download {name}", name=path.name),
        path.read_bytes(),
        path.name,
        key=f"file-{job.folder.name}",
        on_click="ignore",
    )
    with st.expander(t("Manifest")):
        st.json(found)
