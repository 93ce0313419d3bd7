"""Everybody's page of their own account: the tokens of their programs, and other ways to sign in."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from labeler.app import account, language
from labeler.app.session import current_user, services
from labeler.entities import User
from labeler.errors import ProductError
from labeler.identities import Identities
from labeler.languages import LANGUAGES, mark, t
from labeler.tokens import ApiToken

FRESH = "fresh-token"
LINKED = mark("Your account is linked to this provider: you may sign in with it.")
NOT_LINKED = mark("[Link it to your account](/oidc/link), to sign in with it from now on.")
LASTING = {mark("30 days"): 30.0, mark("90 days"): 90.0, mark("a year"): 365.0, mark("for ever"): None}


def draw() -> None:
    """The page."""
    me = current_user()
    account.draw(me)
    st.header(t("Account"), anchor=False)
    st.markdown(t("[Back to labeling](/)"))
    _language(me)
    st.subheader(t("Tokens"), anchor=False)
    st.markdown(t("With a token a program works through the [REST API](/api/docs) in your name."))
    _show_fresh()
    tokens = services().tokens.of(me.id)
    if tokens:
        language.table([_row(token) for token in tokens])
    left, right = st.columns(2, gap="large")
    with left:
        _add(me)
    with right:
        _revoke(me, tokens)
    if provider := services().provider_name:
        st.subheader(t("Sign-in"), anchor=False)
        linked = Identities(services().store).is_linked(me.id)
        st.text(provider)
        st.markdown(t(LINKED if linked else NOT_LINKED))


def _language(me: User) -> None:
    """The choice of the language, which counts from the next run on."""
    codes = [None, *LANGUAGES]
    chosen = st.selectbox(
        t("Language"),
        codes,
        index=codes.index(me.language),
        format_func=lambda code: LANGUAGES[code] if code else t("as the browser asks"),
        key="language",
    )
    if chosen != me.language:
        services().accounts.set_language(me.id, chosen)
        st.rerun()


def _show_fresh() -> None:
    """A new token, shown once: the next run of the page does not have it any more."""
    token = st.session_state.pop(FRESH, None)
    if token:
        st.success(t("Copy this token now; it is not shown again. Whoever has it can do what you can do."))
        st.code(token, language=None, wrap_lines=True)


def _row(token: ApiToken) -> dict[str, str]:
    ended = token.expires is not None and token.expires <= services().store.clock()
    until = _day(token.expires) if token.expires else t("for ever")
    until = t("{day} (over)", day=until) if ended else until
    return {
        mark("token"): token.name,
        mark("made"): _day(token.created),
        mark("works until"): until,
        mark("last used"): _day(token.last_used) if token.last_used else t("never"),
    }


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def _add(me: User) -> None:
    with st.form("add-token", clear_on_submit=True):
        name = st.text_input(t("What is it for?"), max_chars=100)
        lasting = st.selectbox(t("It works"), LASTING, index=1, format_func=language.translated(LASTING))
        if not st.form_submit_button(t("Make a token"), type="primary"):
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
        chosen = st.selectbox(
            t("Token"), names, index=None, format_func=lambda key: names[key], placeholder=t("Choose one")
        )
        revoke = st.form_submit_button(t("Revoke it"), help=t("Programs that use it are refused from now on."))
    if not (revoke and chosen):
        return
    try:
        services().tokens.revoke(me.id, chosen)
    except ProductError as error:
        st.error(str(error))
    else:
        st.rerun()
