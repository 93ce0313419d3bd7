"""Who looks at the page, and the store that it reads. Script threads share one process and this one set of services."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from labeler import languages
from labeler.entities import User
from labeler.languages import t
from labeler.routes.guard import MANAGERS
from labeler.routes.services import COOKIE, Services

_services: list[Services] = []


def use(services: Services) -> None:
    """Give the pages their services; called once, before the first page."""
    _services[:] = [services]


def services() -> Services:
    """The database and the accounts."""
    return _services[0]


def session_token() -> str | None:
    """The session that the browser opened this page with."""
    return st.context.cookies.get(COOKIE)


def current_user() -> User:
    """Whose session this is; asked anew on every run of a page, so that a closed account is out at once.

    From here on the run speaks their language.
    """
    token = session_token()
    user = services().accounts.user_for(token) if token else None
    accepted = st.context.headers.get("Accept-Language") or ""
    languages.use(languages.choose(user.language if user else None, accepted))
    return user or _stop(t("You are signed out. Load the page again to sign in."))


def require_manager() -> User:
    """The user of a page that only managers may see; stops the page for everybody else."""
    user = current_user()
    return user if user.role in MANAGERS else _stop(t("This page is for managers."))


def _stop(sentence: str) -> NoReturn:
    st.error(sentence)
    st.stop()
