"""Who has a part of their own in a project, beside its managers: reviewers, held-out raters; on the page of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from labeler.app.session import services
from labeler.entities import User
from labeler.errors import ProductError
from labeler.languages import mark, t
from labeler.raters import Raters
from labeler.review_desk import ReviewDesk
from labeler.store import Store


@dataclass(frozen=True, slots=True)
class Part:
    """A part that labelers may have in a project, and the texts of its form.

    Attributes:
        key: of its widgets.
        now: names of those who have it in a project.
        give: give it to somebody in a project, or take it back.
    """

    key: str
    title: str
    project: str
    people: str
    nobody: str
    about: str
    save: str
    now: Callable[[Store, int], tuple[str, ...]]
    give: Callable[[Store, int, str, bool], None]


REVIEWERS = Part(
    "reviewers",
    mark("Reviewers"),
    mark("Project to review"),
    mark("Labelers who may review it"),
    mark("managers only"),
    mark("They see everybody's judgments of the project and may decide tasks."),
    mark("Save reviewers"),
    lambda store, project: ReviewDesk(store).reviewers(project),
    lambda store, project, name, may: ReviewDesk(store).set_reviewer(project, name, may=may),
)
HELD_OUT = Part(
    "held-out",
    mark("Held-out raters"),
    mark("Project with held-out raters"),
    mark("Labelers of whom no model learns"),
    mark("nobody"),
    mark(
        "As InstructGPT's held-out labelers. They work as all others do, but no training and no export has their "
        "judgments: a snapshot has them in a file of their own, to see whether a model agrees with them too."
    ),
    mark("Save held-out raters"),
    lambda store, project: Raters(store).held_out(project),
    lambda store, project, name, held: Raters(store).hold_out(project, name, held=held),
)


def draw(me: User) -> None:
    """A form for each part."""
    if services().store.projects(me.id):
        _form(me, REVIEWERS)
        _form(me, HELD_OUT)


def _form(me: User, part: Part) -> None:
    store = services().store
    projects = {project.name: project.id for project in store.projects(me.id)}
    with st.container(border=True):
        st.subheader(t(part.title), anchor=False)
        name = st.selectbox(t(part.project), list(projects))
        now = part.now(store, projects[name])
        chosen = st.multiselect(
            t(part.people),
            sorted({*_labelers(store, name), *now}),
            now,
            placeholder=t(part.nobody),
            help=t(part.about),
            key=f"{part.key}-{projects[name]}",
        )
        if st.button(t(part.save), key=f"save-{part.key}-{projects[name]}", disabled={*chosen} == {*now}):
            try:
                for person in {*chosen} ^ {*now}:
                    part.give(store, projects[name], person, person in chosen)
            except ProductError as error:
                st.error(str(error))
            else:
                st.rerun()


def _labelers(store: Store, project: str) -> list[str]:
    """Open accounts of labelers who may work in a project."""
    people = [user for user in store.users() if user.role == "labeler" and not user.disabled]
    return [user.name for user in people if project in (store.memberships(user.id) or (project,))]
