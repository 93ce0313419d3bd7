"""Everybody's page of their own account: the tokens of their programs, and other ways to sign in."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from labeler.app import account
from labeler.app.session import current_user, services
from labeler.entities import User
from labeler.errors import ProductError
from labeler.identities import Identities
from labeler.tokens import ApiToken

FRESH = "fresh-token"
LINKED = "Your account is linked to this provider: you may sign in with it."
NOT_LINKED = "[Link it to your account](/oidc/link), to sign in with it from now on."
LASTING = {"30 days": 30.0, "90 days": 90.0, "a year": 365.0, "for ever": None}


def draw() -> None:
    """The page."""
    me = current_user()
    account.draw(me)
    st.header("Account", anchor=False)
    st.markdown("[Back to labeling](/)")
    st.subheader("Tokens", anchor=False)
    st.markdown("With a token a program works through the [REST API](/api/docs) in your name.")
    _show_fresh()
    tokens = services().tokens.of(me.id)
    if tokens:
        st.dataframe([_row(token) for token in tokens], hide_index=True, width="stretch")
    left, right = st.columns(2, gap="large")
    with left:
        _add(me)
    with right:
        _revoke(me, tokens)
    if provider := services().provider_name:
        st.subheader("Sign-in", anchor=False)
        linked = Identities(services().store).is_linked(me.id)
        st.text(provider)
        st.markdown(LINKED if linked else NOT_LINKED)


def _show_fresh() -> None:
    """A new token, shown once: the next run of the page does not have it any more."""
    token = st.session_state.pop(FRESH, None)
    if token:
        st.success("Copy this token now; it is not shown again. Whoever has it can do what you can do.")
        st.code(token, language=None, wrap_lines=True)


def _row(token: ApiToken) -> dict[str, str]:
    ended = token.expires is not None and token.expires <= services().store.clock()
    return {
        "token": token.name,
        "made": _day(token.created),
        "works until": f"{_day(token.expires)}{' (over)' if ended else ''}" if token.expires else "for ever",
        "last used": _day(token.last_used) if token.last_used else "never",
    }


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def _add(me: User) -> None:
    with st.form("add-token", clear_on_submit=True):
        name = st.text_input("What is it for?", max_chars=100)
        lasting = st.selectbox("It works", LASTING, index=1)
        if not st.form_submit_button("Make a token", type="primary"):
            return
    try:
        st.session_state[FRESH] = services().tokens.add(me.name, name.strip(), LASTING[lasting])
    except ProductError as error:
        st.error(str(error))
    else:
        st.rerun()


def _revoke(me: User, tokens: tuple[ApiToken, ...]) -> None:
    names = {token.id: f"{token.name} ({_day(token.created)})" for token in tokens}
    with st.form("revoke-token", clear_on_submit=True):
        chosen = st.selectbox("Token", names, index=None, format_func=lambda key: names[key], placeholder="Choose one")
        revoke = st.form_submit_button("Revoke it", help="Programs that use it are refused from now on.")
    if not (revoke and chosen):
        return
    try:
        services().tokens.revoke(me.id, chosen)
    except ProductError as error:
        st.error(str(error))
    else:
        st.rerun()
