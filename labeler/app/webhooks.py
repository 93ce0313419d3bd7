"""The managers' page of webhooks: endpoints of programs elsewhere, and what became of their deliveries."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from labeler.app import account, language
from labeler.app.session import require_manager, services
from labeler.entities import EVENT_TYPES, User
from labeler.errors import ProductError
from labeler.languages import mark, t
from labeler.webhooks import Delivery, Webhook, Webhooks

SECRET = "webhook-secret"  # noqa: S105  (a key of the page's state)
EVERY = mark("every project")
ABOUT = mark(
    "A server posts events to these addresses as JSON, signed as [Standard Webhooks](https://www.standardwebhooks.com) "
    "has it. What is not accepted is tried again for about 15 hours, in order."
)
SHOWN_ONCE = mark("Copy this secret now; it is not shown again. Receivers check signatures with it.")
SENT_AGAIN = mark("It is sent again.")

STATES = {"pending": mark("pending"), "delivered": mark("delivered"), "failed": mark("failed")}


def draw() -> None:
    """The page."""
    me = require_manager()
    account.draw(me)
    st.header(t("Webhooks"), anchor=False)
    st.markdown(t(ABOUT))
    _show_secret()
    found = Webhooks(services().store).of(me)
    if found:
        language.table([_row(webhook) for webhook in found])
    left, right = st.columns(2, gap="large")
    with left:
        _add(me)
    with right:
        _remove(me, found)
    if found:
        _deliveries(me, found)


def _show_secret() -> None:
    """A new secret, shown once: the next run of the page does not have it any more."""
    secret = st.session_state.pop(SECRET, None)
    if secret:
        st.success(t(SHOWN_ONCE))
        st.code(secret, language=None, wrap_lines=True)


def _row(webhook: Webhook) -> dict[str, str | int]:
    return {
        mark("id"): webhook.id,
        mark("address"): webhook.url,
        mark("hears of"): webhook.project or t(EVERY),
        mark("events"): ", ".join(webhook.events),
        mark("texts"): t("sent") if webhook.texts else t("not sent"),
        mark("state"): t("on") if webhook.active else t("gone (answered 410)"),
        mark("pending"): webhook.pending,
    }


def _add(me: User) -> None:
    own = services().store.memberships(me.id)
    projects = list(own) or [EVERY, *(project.name for project in services().store.projects())]
    with st.form("add-webhook", clear_on_submit=True):
        st.subheader(t("Add an endpoint"), anchor=False)
        url = st.text_input(t("Address"), max_chars=2000, placeholder="https://example.org/labels")
        project = st.selectbox(t("Project"), projects, format_func=lambda name: t(EVERY) if name == EVERY else name)
        events = st.multiselect(
            t("Events"), EVENT_TYPES, placeholder=t(language.ANY), help=t("None chosen: all of them.")
        )
        texts = st.checkbox(t("Send prompts and outputs too"))
        if not st.form_submit_button(t("Add it"), type="primary"):
            return
    webhooks, chosen = Webhooks(services().store), None if project == EVERY else project
    try:
        webhooks.check_may(me, chosen)
        _, st.session_state[SECRET] = webhooks.add(
            url.strip(), project=chosen, events=tuple(events) or EVENT_TYPES, texts=texts
        )
    except ProductError as error:
        st.error(str(error))
    else:
        st.rerun()


def _remove(me: User, found: tuple[Webhook, ...]) -> None:
    names = {webhook.id: f"{webhook.id}: {webhook.url}" for webhook in found}
    with st.form("remove-webhook", clear_on_submit=True):
        st.subheader(t("Remove an endpoint"), anchor=False)
        chosen = st.selectbox(
            t("Endpoint"), names, index=None, format_func=names.__getitem__, placeholder=t("Choose one")
        )
        remove = st.form_submit_button(t("Remove it"), help=t("What it has not accepted yet is not sent any more."))
    if not (remove and chosen):
        return
    webhooks = Webhooks(services().store)
    try:
        webhooks.remove(webhooks.find(me, chosen).id)
    except ProductError as error:
        st.error(str(error))
    else:
        st.rerun()


def _deliveries(me: User, found: tuple[Webhook, ...]) -> None:
    st.subheader(t("Deliveries"), anchor=False)
    names = {webhook.id: f"{webhook.id}: {webhook.url}" for webhook in found}
    chosen = st.selectbox(t("Endpoint"), names, format_func=names.__getitem__, key="deliveries-of")
    webhooks = Webhooks(services().store)
    sent = webhooks.deliveries(chosen)
    if not sent:
        st.text(t("Nothing has happened yet that it wants to hear of."))
        return
    picked = language.table(
        [_delivery(delivery) for delivery in sent],
        on_select="rerun",
        selection_mode="single-row",
        key=f"deliveries-{chosen}",
    )
    st.caption(t("The last hundred, latest first. Choose a row to see what is sent."))
    rows = picked["selection"]["rows"]
    if not rows or rows[0] >= len(sent):
        return
    delivery = sent[rows[0]]
    st.code(delivery.body, language="json", wrap_lines=True)
    if st.button(t("Send it again"), key=f"redeliver-{delivery.id}"):
        try:
            webhooks.redeliver(webhooks.find(me, chosen).id, delivery.id)
        except ProductError as error:
            st.error(str(error))
        else:
            st.success(t(SENT_AGAIN))


def _delivery(delivery: Delivery) -> dict[str, str | int | None]:
    return {
        mark("id"): delivery.id,
        mark("at"): _moment(delivery.created),
        mark("event"): delivery.type,
        mark("state"): t(STATES[delivery.state]),
        mark("tries"): delivery.tries,
        mark("last try"): _moment(delivery.last_try) if delivery.last_try else "",
        mark("status"): delivery.status,
        mark("answer"): delivery.answer or "",
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
