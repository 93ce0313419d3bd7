"""The managers' page of what a project asks of its labelers: task, flags, scales and guidelines, all in versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import streamlit as st

from labeler.app import chat_settings, language, project_page
from labeler.app.session import services
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.label_schema import (
    OUTPUT_FLAGS,
    PROMPT_FLAGS,
    Editing,
    Flag,
    LabelSchema,
    Task,
    preset,
    schema_from,
    schema_row,
)
from labeler.languages import mark, t, tn
from labeler.settings_file import settings_text

KINDS: dict[str, tuple[Task, bool]] = {
    mark("Rank"): ("rank", True),
    mark("Rate, then rank"): ("rate", True),
    mark("Rate only"): ("rate", False),
    mark("Choose of a pair"): ("pair", True),
    mark("Write dialogues"): ("chat", True),
    mark("Demonstrate: write the ideal answer"): ("demonstrate", False),
}
"""What a task is called on the page; `LabelSchema.task` and `.ranking`."""
EDITING: dict[str, Editing | None] = {
    mark("No"): None,
    mark("Labelers may"): "optional",
    mark("Labelers must"): "required",
}
"""What `LabelSchema.edit` is called on the page."""
EDITED: dict[Editing, str] = {
    "optional": mark("improving the best is optional"),
    "required": mark("improving the best is required"),
}
"""What it is called in the list of versions."""
COLUMNS = (mark("name"), mark("text"), "key", "about")
ABOUT_WARNING = mark(
    "Shown before the first task of a sitting. Who then says “not today” gets no task whose meta.sensitive is true "
    "until the end of their day."
)
ABOUT_OVERLAP = mark(
    "For every task, those that are done among them: with more, they come back for others; no answer is ever lost."
)
SAVED = "settings-saved"


def draw() -> None:
    """The page."""
    project = project_page.head(t("Project settings"))
    if project is None:
        return
    if saved := st.session_state.pop(SAVED, None):
        st.success(saved)
    st.text(t("This is {version}.", version=_version(project)))
    _form(project)
    _rules(project)
    _versions(project)


def _version(project: Project) -> str:
    return t(
        "version {settings} of the settings, version {guidelines} of the guidelines",
        settings=project.schema_version,
        guidelines=project.guidelines_version,
    )


def _start(schema: LabelSchema, key: str) -> LabelSchema:
    """What the form starts from: the project's own settings or, for another task, what is usual for that."""
    own = (schema.task, schema.ranking)
    kind = st.selectbox(t("Task"), list(KINDS), index=list(KINDS.values()).index(own), key=f"kind-{key}", format_func=t)
    task, ranking = KINDS[kind]
    if (task, ranking) == own:
        return schema
    st.caption(t("Not saved yet. Below is what is usual for this task."))
    usual = preset(task, ranking=ranking)
    if "chat" in (task, schema.task):
        return usual
    kept = replace(
        usual,
        prompt_flags=schema.prompt_flags or usual.prompt_flags,
        content_warning=schema.content_warning,
        break_minutes=schema.break_minutes,
    )
    if usual.writes or schema.writes:
        return kept
    return replace(kept, all_bad=schema.all_bad, flags=schema.flags or usual.flags)


def _form(project: Project) -> None:
    """Widgets are keyed by version, so that a newer one that somebody else saved is shown and not overwritten."""
    key = f"{project.id}-{project.schema_version}-{project.guidelines_version}"
    schema = _start(project.schema, key)
    key += f"-{schema.task}-{schema.ranking}"
    if schema.task == "chat":
        _chat_form(project, schema, key)
        return
    with st.form(f"settings-{key}"):
        asked = {} if schema.writes else _of_completions(schema, key)
        prompt_flags = _flag_editor(t("Flags of the prompt"), schema.prompt_flags, PROMPT_FLAGS, f"prompt-{key}")
        guidelines = st.text_area(t("Guidelines"), project.guidelines, height=240, key=f"guidelines-{key}")
        care = _care(schema, key)
        if st.form_submit_button(t("Save as a new version"), type="primary"):
            task = {"task": schema.task, "ranking": schema.ranking, "prompt_flags": prompt_flags}
            _save(project, task | asked | care, guidelines)


def _of_completions(schema: LabelSchema, key: str) -> dict[str, Any]:
    """What is asked of completions, as settings."""
    left, right = st.columns(2)
    top = left.number_input(
        t("Rank only the best"), min_value=0, value=schema.top or 0, help=t("0: all of them"), key=f"top-{key}"
    )
    editing = None
    if schema.ranking:
        named = left.selectbox(
            t("Improve the best completion"),
            list(EDITING),
            list(EDITING.values()).index(schema.edit),
            format_func=t,
            help=t("After the ranking; the improved text is exported as one more completion, above the best."),
            key=f"edit-{key}",
        )
        editing = EDITING[named]
    with right:
        strength = st.checkbox(t("Of two, ask how much better"), schema.strength, key=f"strength-{key}")
        all_bad = st.checkbox(t("Allow “all bad” instead of a ranking"), schema.all_bad, key=f"bad-{key}")
    flags = _flag_editor(t("Flags of each completion"), schema.flags, OUTPUT_FLAGS, f"flags-{key}")
    return {"top": int(top) or None, "strength": strength, "all_bad": all_bad, "edit": editing, "flags": flags}


def _care(schema: LabelSchema, key: str) -> dict[str, Any]:
    """The settings that look after the labelers."""
    warning = st.text_area(t("Content warning"), schema.content_warning, help=t(ABOUT_WARNING), key=f"warning-{key}")
    minutes = st.number_input(
        t("Suggest a break after so many minutes of attention"),
        min_value=0,
        value=schema.break_minutes or 0,
        help=t("0: never"),
        key=f"break-{key}",
    )
    return {"content_warning": warning.strip(), "break_minutes": int(minutes) or None}


def _chat_form(project: Project, schema: LabelSchema, key: str) -> None:
    with st.form(f"settings-{key}"):
        asked = chat_settings.fields(schema, key)
        guidelines = st.text_area(t("Guidelines"), project.guidelines, height=240, key=f"guidelines-{key}")
        saves = st.form_submit_button(t("Save as a new version"), type="primary")
        tries = st.form_submit_button(t("Ask the model once"))
    if tries:
        chat_settings.trial(asked)
    if saves:
        _save(project, {"task": "chat", **asked}, guidelines)


def _flag_editor(title: str, flags: Sequence[Flag], usual: Sequence[Flag], key: str) -> list[dict[str, str]]:
    """A table to which rows can be added; the usual flags that are missing are offered below it."""
    language.strong(title)
    columns = {name: pa.array([getattr(flag, name) for flag in flags], pa.string()) for name in COLUMNS}
    width = {name: st.column_config.TextColumn(t(name), width="medium") for name in COLUMNS[:2]}
    width |= {
        "key": st.column_config.TextColumn(
            t("key"), max_chars=1, width="small", help=t("Its letter; empty: one is found.")
        ),
        "about": st.column_config.TextColumn(t("the whole question"), width="large"),
    }
    edited = st.data_editor(
        pa.table(columns), num_rows="dynamic", column_config=width, hide_index=True, width="stretch", key=key
    )
    known = {flag.name for flag in flags}
    missing = [flag.name for flag in usual if flag.name not in known]
    added = (
        st.multiselect(t("Add of InstructGPT's"), missing, placeholder=t("Choose some"), key=f"add-{key}")
        if missing
        else []
    )
    return [*_rows(edited), *({"name": name} for name in added)]


def _rows(edited: pa.Table) -> list[dict[str, str]]:
    """The table as settings; empty rows and cells are left out."""
    given = ({name: value.strip() for name, value in row.items() if value} for row in edited.to_pylist())
    return [row for row in given if row]


def _save(project: Project, settings: Mapping[str, Any], guidelines: str) -> None:
    store = services().store
    try:
        after = store.set_schema(project.id, schema_from(settings))
        after = store.set_guidelines(project.id, guidelines)
    except ProductError as error:
        st.error(str(error))
        return
    st.session_state[SAVED] = t("Saved: {version}.", version=_version(after))
    st.rerun()


def _rules(project: Project) -> None:
    """How the tasks are worked off: no versions, what is saved holds for every task from now on."""
    key = f"{project.id}-{project.overlap}-{project.dwell_seconds}-{project.lease_seconds}"
    with st.form(f"rules-{key}"):
        language.strong(t("How tasks are handed out"))
        left, middle, right = st.columns(3)
        overlap = left.number_input(
            t("Labelers per task"), 1, None, project.overlap, help=t(ABOUT_OVERLAP), key=f"overlap-{key}"
        )
        dwell = middle.number_input(
            t("Seconds between two answers at least"),
            0.0,
            None,
            project.dwell_seconds,
            step=0.1,
            help=t("What comes sooner is taken for a double click."),
            key=f"dwell-{key}",
        )
        lease = right.number_input(
            t("Minutes that a task stays reserved"),
            1.0,
            None,
            max(1.0, project.lease_seconds / 60),
            help=t("Counted from the last change of its draft; then somebody else gets it."),
            key=f"lease-{key}",
        )
        if st.form_submit_button(t("Save how tasks are handed out")):
            _save_rules(project, int(overlap), dwell, 60 * lease)


def _save_rules(project: Project, overlap: int, dwell: float, lease: float) -> None:
    try:
        services().store.set_rules(project.id, overlap=overlap, dwell_seconds=dwell, lease_seconds=lease)
    except ProductError as error:
        st.error(str(error))
        return
    st.session_state[SAVED] = t("Saved how tasks are handed out.")
    st.rerun()


def _versions(project: Project) -> None:
    store = services().store
    schemas = store.label_schemas(project.id)
    file = f"{project.name}-settings.json"
    text = settings_text(project.schema)
    st.download_button(t("Download as a settings file"), text, file, "application/json", on_click="ignore")
    with st.expander(tn("The one version of the settings", "All {count} versions of the settings", len(schemas))):
        for version, schema in reversed(schemas.items()):
            st.text(t("Version {version}: {summary}", version=version, summary=_summary(schema)))
            st.json(schema_row(schema), expanded=False)
    texts = store.guideline_versions(project.id)
    with st.expander(tn("The one version of the guidelines", "All {count} versions of the guidelines", len(texts))):
        for version, text in reversed(texts.items()):
            st.text(t("Version {version}", version=version))
            st.code(text, language=None, wrap_lines=True)


def _summary(schema: LabelSchema) -> str:
    kind = next(name for name, value in KINDS.items() if value == (schema.task, schema.ranking))
    parts = (
        t(kind),
        t("the best {top}", top=schema.top) if schema.top else "",
        t("with strength") if schema.strength else "",
        t(EDITED[schema.edit]) if schema.edit else "",
        tn("{count} flag", "{count} flags", len(schema.flags)) if schema.flags else "",
        tn("{count} flag of the prompt", "{count} flags of the prompt", len(schema.prompt_flags))
        if schema.prompt_flags
        else "",
        t("suggestions of {model}", model=schema.suggest.model) if schema.suggest else "",
        t("{replies} replies ranked at each turn", replies=schema.replies) if schema.replies else "",
    )
    return ", ".join(filter(None, parts))
