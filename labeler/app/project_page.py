"""What a manager's page about one project starts with."""

from __future__ import annotations

import streamlit as st

from labeler.app import account, language
from labeler.app.session import require_manager, services
from labeler.entities import Project
from labeler.languages import t


def head(title: str) -> Project | None:
    """Draw the title and the choice of a project; the chosen one, None where there is none to choose.

    Args:
        title: in the language of the page.
    """
    me = require_manager()
    account.draw(me)
    st.header(title, anchor=False)
    projects = services().store.projects(me.id)
    if not projects:
        st.info(t(language.NO_PROJECT))
        return None
    name = st.selectbox(t("Project"), [project.name for project in projects])
    return next(project for project in projects if project.name == name)
