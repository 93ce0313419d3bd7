"""The managers' page that takes data in: choose a source, see what it holds and what is wrong in it, import it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import streamlit as st

from labeler import import_jobs, jobs, meaning, uploads
from labeler.app import account, import_preview, language
from labeler.app.session import require_manager, services
from labeler.cleaning import Cleaning
from labeler.entities import Project, User
from labeler.errors import ProductError
from labeler.formats import FORMATS
from labeler.import_jobs import CHECK, STORE, Choice, Source
from labeler.jobs import Job
from labeler.label_schema import Task
from labeler.languages import mark, t
from labeler.uploads import ENDINGS

TASKS: dict[Task, str] = {
    "rank": mark("Rank"),
    "rate": mark("Rate, then rank"),
    "pair": mark("Choose of a pair"),
    "demonstrate": mark("Demonstrate: write the ideal answer"),
}
STAGES = {
    "read": mark("Reading"),
    "clean": mark("Cleaning"),
    "store": mark("Storing"),
    "embed": mark("Comparing meanings"),
}
OUR_COLUMNS = (
    *("prompt", "completion_a", "completion_b", "completion_c", "completion_d", "winner", "chosen", "rejected"),
    *("completion", "rank", "score", "annotator", "id", "model", "model_a", "model_b", "source", "split", "margin"),
)
"""The names that a column of a table may be given."""
MAPPED_COLUMNS = 24
NEW = mark("A new project")
READABLE = sorted(name for name, form in FORMATS.items() if form.parse or form.merge)
FOUND_NOT = mark(
    "Found are e-mail addresses, telephone and card numbers, IBANs, IP addresses and US social security numbers. "
    "Names, postal addresses and whatever is written out in words are not found. What is masked is kept nowhere."
)


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header(t("Import"), anchor=False)
    source = import_jobs.latest(services().runs, me)
    if source is None:
        _choose_source(me)
        return
    projects = services().store.projects(me.id)
    job = import_jobs.latest_job(source)
    if job is not None and job.kind == STORE:
        _stored(source, job)
        return
    _source_line(source)
    _settings(me, source, projects, job)
    if job is not None:
        _checked(source, job)


# Where it comes from


def _choose_source(me: User) -> None:
    st.caption(
        t(
            "Prompts with completions to rank, rankings made elsewhere, demonstrations: JSON Lines, JSON, CSV, TSV or "
            "Parquet, up to 100 MB, the text ones also gzipped. Larger files: labeler import FILE --project NAME."
        )
    )
    given = st.file_uploader(t("A file"), type=[ending.removeprefix(".") for ending in ENDINGS], key="import-file")
    place = "hf:NAME[:CONFIG][/SPLIT]"
    hint = t("{place}, or a path on the server", place=place) if me.role == "admin" else place
    with st.form("import-place"):
        place = st.text_input(t("Or a data set on the Hugging Face Hub"), placeholder=hint, key="import-place-name")
        go = st.form_submit_button(t("Look at it"))
    try:
        if given is not None:
            import_jobs.upload(services().runs, me, given.name, given)
        elif go and place.strip():
            import_jobs.named(services().runs, me, place.strip())
        else:
            return
    except ProductError as error:
        st.error(str(error))
        return
    st.rerun()


def _source_line(source: Source) -> None:
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        language.strong(t("Source"))
    left.text(source.name)
    if right.button(t("Take another"), key=f"away-{source.folder.name}"):
        import_jobs.put_away(source)
        st.rerun()


# How


def _settings(me: User, source: Source, projects: tuple[Project, ...], job: Job | None) -> None:
    """The form; without a check so far it begins one with what is usual."""
    key = source.folder.name
    may_make = not services().store.memberships(me.id)
    names = [project.name for project in projects] + ([NEW] if may_make else [])
    if not names:
        st.info(t("You have no project to import into."))
        return
    before = Choice.of(job) if job else None
    usual = before.project if before and before.project in names else names[0]
    if before and before.project not in names and may_make:
        usual = NEW
    name = st.selectbox(
        t("Into the project"), names, index=names.index(usual), key=f"project-{key}", format_func=_project_title
    )
    with st.form(f"how-{key}"):
        project, task = (name, None) if name != NEW else _new_project(key, before)
        left, middle, right = st.columns(3)
        overlap = left.number_input(
            t("People for each task"), 1, 1000, before.overlap if before else None, key=f"overlap-{key}",
            placeholder=t("as in the project"), help=t("Rankings that come along count."),
        )  # fmt: skip
        priority = middle.number_input(
            t("Priority"), 0, 100, before.priority if before else None, key=f"priority-{key}", placeholder="0",
            help=t("100 comes first. A group's own meta.priority stays."),
        )  # fmt: skip
        formats = ["auto", *READABLE]
        chosen = right.selectbox(
            t("Format"), formats, index=formats.index(before.format if before else "auto"), key=f"format-{key}",
            help=t("auto looks at the first rows."),
        )  # fmt: skip
        columns = _columns(key, job, before)
        skip_bad = st.checkbox(
            t("Leave bad rows out"), before.skip_bad if before else False, key=f"bad-{key}",
            help=t("They are in a file that you can download. Otherwise one bad row stops the import."),
        )  # fmt: skip
        skip_known = st.checkbox(
            t("Leave out what the project has already"), before.skip_known if before else False, key=f"known-{key}"
        )
        cleaning = _cleaning(key, before.cleaning if before else Cleaning())
        go = st.form_submit_button(t("Check"), type="secondary" if job else "primary")
    if not go:
        return
    if not project:
        st.error(t("Give the new project a name."))
        return
    try:
        choice = Choice(
            project=project, task=task, format=chosen, columns=columns, overlap=overlap, priority=priority,
            skip_bad=skip_bad, skip_known=skip_known, cleaning=Cleaning(**cleaning),
        )  # fmt: skip
        import_jobs.start(services().store, source, choice, CHECK)
    except ProductError as error:
        st.error(str(error))
    else:
        st.rerun()


def _project_title(name: str) -> str:
    return t(NEW) if name == NEW else name


def _new_project(key: str, before: Choice | None) -> tuple[str, str]:
    left, right = st.columns(2)
    known = {project.name for project in services().store.projects()}
    said = before.project if before and before.project not in known else ""
    name = left.text_input(t("Its name"), said, max_chars=100, key=f"name-{key}")
    tasks = list(TASKS)
    asked = tasks.index(before.task) if before and before.task in tasks else 0
    task = right.selectbox(t("Task"), tasks, index=asked, format_func=lambda one: t(TASKS[one]), key=f"task-{key}")
    return name.strip(), task


def _columns(key: str, job: Job | None, before: Choice | None) -> dict[str, str]:
    """What the columns of a table are; a table is known by its first check."""
    found = import_jobs.report(job) if job else None
    if found is None or not found.columns:
        return dict(before.columns) if before else {}
    given = {theirs: ours for ours, theirs in before.columns.items()} if before else {}
    columns: dict[str, str] = {}
    with st.expander(t("What the columns are"), expanded=found.format is None):
        places = st.columns(3)
        for number, name in enumerate(found.columns[:MAPPED_COLUMNS]):
            options = ["", *OUR_COLUMNS]
            usual = options.index(given[name]) if given.get(name) in options else 0
            said = places[number % 3].selectbox(
                name,
                options,
                index=usual,
                format_func=lambda one: one or t("as it is called"),
                key=f"column-{key}-{name}",
            )
            if said:
                columns[said] = name
    return columns


def _cleaning(key: str, before: Cleaning) -> dict[str, Any]:
    with st.expander(t("Cleaning before people label it"), expanded=before != Cleaning()):
        unique = st.checkbox(t("Leave out prompts that were there before"), before.unique, key=f"unique-{key}")
        left, right = st.columns(2)
        prefix = left.number_input(
            t("… or that begin with the same so many characters"), 1, None, before.unique_prefix, key=f"prefix-{key}",
            placeholder=t("off; 200 is usual"),
            help=t("InstructGPT's long common prefix; system messages are not counted."),
        )  # fmt: skip
        cosine = None
        if meaning.available():
            cosine = right.number_input(
                t("… or that mean the same, by cosine"), 0.5, 1.0, before.unique_meaning, 0.01, key=f"meaning-{key}",
                placeholder=t("off; 0.95 is strict"), help=t("Of embeddings made by reward embed; takes a while."),
            )  # fmt: skip
        most = left.number_input(
            t("At most so many prompts of one author"), 1, None, before.per_author, key=f"author-{key}",
            placeholder=t("off; InstructGPT took 200"), help=t("The author stands in meta.author."),
        )  # fmt: skip
        split = st.checkbox(
            t("Put all prompts of an author into one split"), before.split_by_author, key=f"split-{key}",
            help=t("Train, validation or test, as InstructGPT split by user."),
        )  # fmt: skip
        mask = st.checkbox(t("Mask personal data"), before.mask_pii, key=f"mask-{key}", help=t(FOUND_NOT))
        region = right.text_input(
            t("Country of telephone numbers without a country code"),
            before.phone_region,
            max_chars=2,
            key=f"region-{key}",
        )
    return {
        "unique": unique,
        "unique_prefix": prefix,
        "unique_meaning": cosine,
        "per_author": most,
        "split_by_author": split,
        "mask_pii": mask,
        "phone_region": region.strip().upper() or "US",
    }


# What the check found


def _checked(source: Source, job: Job) -> None:
    if jobs.is_running(job):
        _watch(job)
        return
    st.subheader(t("What is in it"), anchor=False)
    found = import_jobs.report(job)
    if found is None:
        _failed(source, job, t("The check failed."))
        return
    choice = Choice.of(job)
    import_preview.facts(found)
    import_preview.problems(found, job, source)
    if found.counts is not None:
        import_preview.cleaned(found)
        import_preview.first(found)
    ready = import_jobs.is_ready(found, choice)
    if found.bad and found.counts is not None and not choice.skip_bad:
        st.info(t("Mend the file, or tick “Leave bad rows out” and check again."))
    if st.button(t("Import"), type="primary", disabled=not ready, key=f"import-{job.folder.name}"):
        try:
            import_jobs.start(services().store, source, choice, STORE)
        except ProductError as error:
            st.error(str(error))
        else:
            st.rerun()


# How it goes


@language.fragment(run_every=0.5)
def _watch(job: Job) -> None:
    """Progress of a job, drawn anew twice a second; when it ends, the whole page is."""
    if not jobs.is_running(job):
        st.rerun()
    last = next(reversed(list(jobs.events(job))), None)
    title = t(STAGES.get(last.stage, last.stage)) if last else t("Starting")
    if last and last.total and last.step:
        st.progress(
            min(last.step / last.total, 1.0),
            text=t("{stage}: {done} of {all}", stage=title, done=last.step, all=last.total),
        )
    else:
        rows = last.step if last else 0
        st.progress(0.0, text=t("{stage}, {rows} rows so far …", stage=title, rows=rows) if rows else f"{title} …")
    if st.button(t("Cancel"), key=f"cancel-{job.folder.name}"):
        with suppress(ProductError):
            jobs.cancel(job)
        st.rerun()


def _stored(source: Source, job: Job) -> None:
    if jobs.is_running(job):
        st.text(source.name)
        _watch(job)
        return
    found, outcome = import_jobs.report(job), jobs.outcome(job)
    if found is not None and found.counts is not None and outcome.state == "done":
        counts = found.counts
        st.success(
            t(
                "Imported into {project}: {groups} groups, {rankings} rankings, {demonstrations} demonstrations.",
                project=Choice.of(job).project,
                groups=counts.groups,
                rankings=counts.judgments,
                demonstrations=counts.demonstrations,
            )
        )
        import_preview.problems(found, job, source)
        import_preview.cleaned(found)
    else:
        _failed(source, job, t("Nothing was imported."))
        if st.button(t("Back to the settings"), key=f"back-{job.folder.name}"):
            uploads.forget(job.folder)
            st.rerun()
    if st.button(t("Import something else"), type="primary", key=f"again-{source.folder.name}"):
        import_jobs.put_away(source)
        st.rerun()


def _failed(source: Source, job: Job, title: str) -> None:
    if jobs.outcome(job).state == "cancelled":
        st.info(t("This was cancelled; nothing was imported."))
        return
    st.error(title)
    st.code(import_jobs.failure(job, source), language=None, wrap_lines=True)
