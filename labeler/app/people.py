"""The managers' page of accounts: add people, hand out invitation links, close accounts."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import streamlit as st

from labeler.app import account, reviewers
from labeler.app.session import require_manager, services
from labeler.entities import MAY_MANAGE, User
from labeler.errors import PermissionDeniedError, ProductError
from labeler.identities import Identities

LINK = "invitation-link"
ABOUT_EMAIL = "With this address, verified by the sign-in provider, they come in without a password."


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header("People", anchor=False)
    _show_link()
    _list(me)
    left, right = st.columns(2, gap="large")
    with left:
        _add(me)
    with right:
        _change(me)
        reviewers.draw(me)


def _show_link() -> None:
    """An invitation link, shown once: the next run of the page does not have it any more."""
    name, link = st.session_state.pop(LINK, (None, None))
    if link:
        st.success(f"Send this link to {name}. It works once, for seven days, and is not shown again.")
        st.code(link, language=None, wrap_lines=True)


def _list(me: User) -> None:
    store = services().store
    addresses = Identities(store).addresses()
    rows = [
        {
            "name": user.name,
            "role": user.role,
            "projects": ", ".join(store.memberships(user.id)) or "all",
            "account": "closed" if user.disabled else "open",
            **({"e-mail": ", ".join(addresses.get(user.id, ()))} if services().provider else {}),
        }
        for user in store.users()
    ]
    st.dataframe(rows, hide_index=True, width="stretch")


def _add(me: User) -> None:
    own = services().store.memberships(me.id)
    names = list(own) or [project.name for project in services().store.projects()]
    with st.form("add", clear_on_submit=True):
        st.subheader("Add a person", anchor=False)
        name = st.text_input("Name", max_chars=100, help="A pseudonym is enough: it is what goes into the data.")
        role = st.selectbox("Role", MAY_MANAGE[me.role])
        projects = st.multiselect("Projects", names, help="None chosen: all of yours.")
        email = st.text_input("E-mail", max_chars=254, help=ABOUT_EMAIL) if services().provider else ""
        if st.form_submit_button("Add and make an invitation link", type="primary"):
            add = services().accounts.add
            _invite(name.strip(), lambda: add(name.strip(), role, projects or own, email=email.strip() or None))


def _change(me: User) -> None:
    store = services().store
    others = [
        user for user in store.users() if user.id != me.id and not user.disabled and user.role in MAY_MANAGE[me.role]
    ]
    with st.form("change", clear_on_submit=True):
        st.subheader("Change an account", anchor=False)
        name = st.selectbox("Person", [user.name for user in others], index=None, placeholder="Choose a person")
        again = st.form_submit_button("New invitation link", help="For a forgotten password: sets a new one.")
        close = st.form_submit_button("Close the account", help="Signs them out for good; their judgments stay.")
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
