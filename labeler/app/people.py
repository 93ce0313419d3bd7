"""The managers' page of accounts: add people, hand out invitation links, close accounts."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import streamlit as st

from labeler.app import account, language, reviewers
from labeler.app.session import require_manager, services
from labeler.entities import MAY_MANAGE, User, UserRole
from labeler.errors import PermissionDeniedError, ProductError
from labeler.identities import Identities
from labeler.languages import mark, t
from labeler.raters import Raters

LINK = "invitation-link"
ROLES: dict[UserRole, str] = {"labeler": mark("labeler"), "manager": mark("manager"), "admin": mark("admin")}
ABOUT_EMAIL = mark("With this address, verified by the sign-in provider, they come in without a password.")


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header(t("People"), anchor=False)
    _show_link()
    _list(me)
    left, right = st.columns(2, gap="large")
    with left:
        _add(me)
        _assign(me)
    with right:
        _change(me)
        reviewers.draw(me)


def _show_link() -> None:
    """An invitation link, shown once: the next run of the page does not have it any more."""
    name, link = st.session_state.pop(LINK, (None, None))
    if link:
        st.success(t("Send this link to {name}. It works once, for seven days, and is not shown again.", name=name))
        st.code(link, language=None, wrap_lines=True)


def _list(me: User) -> None:
    store = services().store
    addresses = Identities(store).addresses()
    rows = [
        {
            mark("name"): user.name,
            mark("role"): t(ROLES[user.role]),
            mark("projects"): ", ".join(store.memberships(user.id)) or t("all"),
            mark("account"): t("closed") if user.disabled else t("open"),
            **({mark("e-mail"): ", ".join(addresses.get(user.id, ()))} if services().provider else {}),
        }
        for user in store.users()
    ]
    language.table(rows)


def _add(me: User) -> None:
    own = services().store.memberships(me.id)
    names = list(own) or [project.name for project in services().store.projects()]
    with st.form("add", clear_on_submit=True):
        st.subheader(t("Add a person"), anchor=False)
        name = st.text_input(t("Name"), max_chars=100, help=t("A pseudonym is enough: it is what goes into the data."))
        role = st.selectbox(t("Role"), MAY_MANAGE[me.role], format_func=lambda role: t(ROLES[role]))
        projects = st.multiselect(
            t("Projects"), names, placeholder=t(language.ANY), help=t("None chosen: all of yours.")
        )
        email = st.text_input(t("E-mail"), max_chars=254, help=t(ABOUT_EMAIL)) if services().provider else ""
        if st.form_submit_button(t("Add and make an invitation link"), type="primary"):
            add = services().accounts.add
            _invite(name.strip(), lambda: add(name.strip(), role, projects or own, email=email.strip() or None))


def _change(me: User) -> None:
    store = services().store
    others = [
        user for user in store.users() if user.id != me.id and not user.disabled and user.role in MAY_MANAGE[me.role]
    ]
    with st.form("change", clear_on_submit=True):
        st.subheader(t("Change an account"), anchor=False)
        name = st.selectbox(t("Person"), [user.name for user in others], index=None, placeholder=t("Choose a person"))
        again = st.form_submit_button(t("New invitation link"), help=t("For a forgotten password: sets a new one."))
        close = st.form_submit_button(t("Close the account"), help=t("Signs them out for good; their judgments stay."))
    if again and name:
        _invite(name, lambda: _invite_again(me, name))
    if close and name:
        try:
            _check_may(me, name)
            services().accounts.disable(name)
        except ProductError as error:
            st.error(str(error))
        else:
            st.rerun()


def _assign(me: User) -> None:
    """Which projects an account is for, from now on."""
    store = services().store
    people = {user.name: user.id for user in store.users() if not user.disabled and user.role in MAY_MANAGE[me.role]}
    with st.container(border=True):
        st.subheader(t("Who works on what"), anchor=False)
        name = st.selectbox(t("Account"), list(people), index=None, placeholder=t("Choose a person"), key="assign")
        if name is None:
            return
        now = store.memberships(people[name])
        names = sorted({*(project.name for project in store.projects(me.id)), *now})
        chosen = st.multiselect(
            t("Projects of {name}", name=name), names, now, placeholder=t(language.ANY), key=f"assign-{people[name]}"
        )
        if st.button(t("Save projects"), disabled={*chosen} == {*now}):
            mine = store.memberships(me.id)
            try:
                Raters(store).assign(me, name, [each for each in chosen if not mine or each in mine])
            except ProductError as error:
                st.error(str(error))
            else:
                st.rerun()


def _invite(name: str, make: Callable[[], str | None]) -> None:
    """Make an invitation and show its link, or say why not."""
    try:
        token = make()
    except ProductError as error:
        st.error(str(error))
        return
    url = urlsplit(str(st.context.url))
    st.session_state[LINK] = (name, f"{url.scheme}://{url.netloc}/invite/{token}")
    st.rerun()


def _invite_again(me: User, name: str) -> str:
    _check_may(me, name)
    return services().accounts.invite(name)


def _check_may(me: User, name: str) -> None:
    if services().store.user(name).role not in MAY_MANAGE[me.role]:
        raise PermissionDeniedError(f"only an admin may change the account {name!r}")
