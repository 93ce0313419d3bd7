"""Webhooks on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from labeler.api.typed import Limit
from labeler.entities import EventType
from labeler.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """An endpoint to be added.

    Attributes:
        url: where events are posted to.
        project: name of the project to hear of, null for every project.
        events: what to hear of; none for everything.
        texts: whether to be sent prompts and outputs too.
    """

    url: Annotated[str, Limit(1, 2000)]
    project: str | None = None
    events: Annotated[tuple[EventType, ...], Limit(high=20)] = ()
    texts: bool = False


@dataclass(frozen=True, slots=True)
class AddedWebhook:
    """A new endpoint.

    Attributes:
        secret: what its deliveries are signed with; it is not shown again.
    """

    webhook: Webhook
    secret: str
