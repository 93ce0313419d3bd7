"""Webhooks over the REST API: endpoints, and what became of their deliveries."""

from __future__ import annotations

from labeler.api.common import Page, PageQuery
from labeler.api.webhooks import AddedWebhook, NewWebhook
from labeler.entities import EVENT_TYPES
from labeler.routes.rest.declare import Call, operation
from labeler.routes.rest.paging import after, page_of
from labeler.webhooks import Delivery, Webhook, Webhooks

WEBHOOKS = "Webhooks"


@operation("GET", "/webhooks", tag=WEBHOOKS, least="manager")
def list_webhooks(call: Call) -> tuple[Webhook, ...]:
    """The endpoints of your projects, and for those who may work in every project those of every project too."""
    return Webhooks(call.store).of(call.user)


@operation("POST", "/webhooks", tag=WEBHOOKS, least="manager")
def add_webhook(call: Call, body: NewWebhook) -> AddedWebhook:
    """Add an endpoint that events are posted to, signed as Standard Webhooks has it."""
    webhooks = Webhooks(call.store)
    webhooks.check_may(call.user, body.project)
    events = body.events or EVENT_TYPES
    return AddedWebhook(*webhooks.add(body.url, project=body.project, events=events, texts=body.texts))


@operation("DELETE", "/webhooks/{webhook}", tag=WEBHOOKS, least="manager")
def remove_webhook(call: Call, webhook: int) -> None:
    """Remove an endpoint; what it has not accepted yet is not sent any more."""
    webhooks = Webhooks(call.store)
    webhooks.remove(webhooks.find(call.user, webhook).id)


@operation("GET", "/webhooks/{webhook}/deliveries", tag=WEBHOOKS, least="manager")
def list_deliveries(call: Call, webhook: int, query: PageQuery) -> Page[Delivery]:
    """What an endpoint was sent and what it answered, latest first; kept for 30 days."""
    webhooks = Webhooks(call.store)
    found = webhooks.deliveries(
        webhooks.find(call.user, webhook).id, query.limit + 1, before=after(query.cursor) or None
    )
    return page_of(found, query.limit, lambda delivery: delivery.id)


@operation("POST", "/webhooks/{webhook}/deliveries/{delivery}/redeliver", tag=WEBHOOKS, least="manager")
def redeliver(call: Call, webhook: int, delivery: int) -> Delivery:
    """Send a delivery again, from the first try on."""
    webhooks = Webhooks(call.store)
    return webhooks.redeliver(webhooks.find(call.user, webhook).id, delivery)
