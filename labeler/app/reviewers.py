"""Who beside the managers may review a project; a part of the page of people."""

from __future__ import annotations

import streamlit as st

from labeler.app.session import services
from labeler.entities import User
from labeler.errors import ProductError
from labeler.languages import t
from labeler.review_desk import ReviewDesk


def draw(me: User) -> None:
    """A form for one project."""
    store = services().store
    projects = store.projects(me.id)
    if not projects:
        return
    desk = ReviewDesk(store)
    with st.container(border=True):
        st.subheader(t("Reviewers"), anchor=False)
        name = st.selectbox(t("Project to review"), [project.name for project in projects])
        project = next(project for project in projects if project.name == name)
        now = desk.reviewers(project.id)
        people = [user.name for user in store.users() if user.role == "labeler" and not user.disabled]
        members = [
            name for name in people if project.name in (store.memberships(store.user(name).id) or (project.name,))
        ]
        chosen = st.multiselect(
            t("Labelers who may review it"),
            sorted({*members, *now}),
            now,
            placeholder=t("managers only"),
            help=t("They see everybody's judgments of the project and may decide tasks."),
            key=f"reviewers-{project.id}",
        )
        if st.button(t("Save reviewers"), key=f"save-reviewers-{project.id}", disabled={*chosen} == {*now}):
            try:
                for person in {*chosen} ^ {*now}:
                    desk.set_reviewer(project.id, person, may=person in chosen)
            except ProductError as error:
                st.error(str(error))
            else:
                st.rerun()
