"""The managers' page of what a project asks of its labelers: task, flags, scales and guidelines, all in versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import streamlit as st

from labeler.app import account, chat_settings
from labeler.app.session import require_manager, services
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.label_schema import OUTPUT_FLAGS, PROMPT_FLAGS, Flag, LabelSchema, Task, preset, schema_from, schema_row
from labeler.settings_file import settings_text

KINDS: dict[str, tuple[Task, bool]] = {
    "Rank": ("rank", True),
    "Rate, then rank": ("rate", True),
    "Rate only": ("rate", False),
    "Choose of a pair": ("pair", True),
    "Write dialogues": ("chat", True),
}
"""What a task is called on the page; `LabelSchema.task` and `.ranking`."""
COLUMNS = ("name", "text", "key", "about")
SAVED = "settings-saved"


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header("Project settings", anchor=False)
    projects = services().store.projects(me.id)
    if not projects:
        st.info("There is no project yet. Make one with: labeler import FILE --project NAME --db URL")
        return
    name = st.selectbox("Project", [project.name for project in projects])
    project = next(project for project in projects if project.name == name)
    if saved := st.session_state.pop(SAVED, None):
        st.success(saved)
    st.text(f"This is {_version(project)}.")
    _form(project)
    _versions(project)


def _version(project: Project) -> str:
    return f"version {project.schema_version} of the settings, version {project.guidelines_version} of the guidelines"


def _start(schema: LabelSchema, key: str) -> LabelSchema:
    """What the form starts from: the project's own settings or, for another task, what is usual for that."""
    own = (schema.task, schema.ranking)
    kind = st.selectbox("Task", list(KINDS), index=list(KINDS.values()).index(own), key=f"kind-{key}")
    task, ranking = KINDS[kind]
    if (task, ranking) == own:
        return schema
    st.caption("Not saved yet. Below is what is usual for this task.")
    usual = preset(task, ranking=ranking)
    if "chat" in (task, schema.task):
        return usual
    flags, prompt_flags = schema.flags or usual.flags, schema.prompt_flags or usual.prompt_flags
    return replace(usual, all_bad=schema.all_bad, flags=flags, prompt_flags=prompt_flags)


def _form(project: Project) -> None:
    """Widgets are keyed by version, so that a newer one that somebody else saved is shown and not overwritten."""
    key = f"{project.id}-{project.schema_version}-{project.guidelines_version}"
    schema = _start(project.schema, key)
    key += f"-{schema.task}-{schema.ranking}"
    if schema.task == "chat":
        _chat_form(project, schema, key)
        return
    with st.form(f"settings-{key}"):
        left, right = st.columns(2)
        top = left.number_input(
            "Rank only the best", min_value=0, value=schema.top or 0, help="0: all of them", key=f"top-{key}"
        )
        with right:
            strength = st.checkbox("Of two, ask how much better", schema.strength, key=f"strength-{key}")
            all_bad = st.checkbox("Allow “all bad” instead of a ranking", schema.all_bad, key=f"bad-{key}")
        flags = _flag_editor("Flags of each completion", schema.flags, OUTPUT_FLAGS, f"flags-{key}")
        prompt_flags = _flag_editor("Flags of the prompt", schema.prompt_flags, PROMPT_FLAGS, f"prompt-{key}")
        guidelines = st.text_area("Guidelines", project.guidelines, height=240, key=f"guidelines-{key}")
        if st.form_submit_button("Save as a new version", type="primary"):
            asked = {"task": schema.task, "ranking": schema.ranking, "strength": strength, "all_bad": all_bad}
            _save(project, {**asked, "top": int(top) or None, "flags": flags, "prompt_flags": prompt_flags}, guidelines)


def _chat_form(project: Project, schema: LabelSchema, key: str) -> None:
    with st.form(f"settings-{key}"):
        asked = chat_settings.fields(schema, key)
        guidelines = st.text_area("Guidelines", project.guidelines, height=240, key=f"guidelines-{key}")
        saves = st.form_submit_button("Save as a new version", type="primary")
        tries = st.form_submit_button("Ask the model once")
    if tries:
        chat_settings.trial(asked)
    if saves:
        _save(project, {"task": "chat", **asked}, guidelines)


def _flag_editor(title: str, flags: Sequence[Flag], usual: Sequence[Flag], key: str) -> list[dict[str, str]]:
    """A table to which rows can be added; the usual flags that are missing are offered below it."""
    st.markdown(f"**{title}**")
    columns = {name: pa.array([getattr(flag, name) for flag in flags], pa.string()) for name in COLUMNS}
    width = {name: st.column_config.TextColumn(name, width="medium") for name in COLUMNS[:2]}
    width |= {
        "key": st.column_config.TextColumn("key", max_chars=1, width="small", help="Its letter; empty: one is found."),
        "about": st.column_config.TextColumn("the whole question", width="large"),
    }
    edited = st.data_editor(
        pa.table(columns), num_rows="dynamic", column_config=width, hide_index=True, width="stretch", key=key
    )
    known = {flag.name for flag in flags}
    missing = [flag.name for flag in usual if flag.name not in known]
    added = st.multiselect("Add of InstructGPT's", missing, key=f"add-{key}") if missing else []
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
    st.session_state[SAVED] = f"Saved: {_version(after)}."
    st.rerun()


def _versions(project: Project) -> None:
    store = services().store
    schemas = store.label_schemas(project.id)
    file = f"{project.name}-settings.json"
    st.download_button("Download as a settings file", settings_text(project.schema), file, "application/json")
    with st.expander(f"All {len(schemas)} versions of the settings"):
        for version, schema in reversed(schemas.items()):
            st.text(f"Version {version}: {_summary(schema)}")
            st.json(schema_row(schema), expanded=False)
    texts = store.guideline_versions(project.id)
    with st.expander(f"All {len(texts)} versions of the guidelines"):
        for version, text in reversed(texts.items()):
            st.text(f"Version {version}")
            st.code(text, language=None, wrap_lines=True)


def _summary(schema: LabelSchema) -> str:
    kind = next(name for name, value in KINDS.items() if value == (schema.task, schema.ranking))
    parts = (
        kind,
        f"the best {schema.top}" if schema.top else "",
        "with strength" if schema.strength else "",
        f"{len(schema.flags)} flags" if schema.flags else "",
        f"{len(schema.prompt_flags)} flags of the prompt" if schema.prompt_flags else "",
        f"suggestions of {schema.suggest.model}" if schema.suggest else "",
        f"{schema.replies} replies ranked at each turn" if schema.replies else "",
    )
    return ", ".join(filter(None, parts))
