"""Endpoints of programs elsewhere: added, listed and removed; their deliveries seen and sent again."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from labeler import directory
from labeler.entities import EVENT_TYPES, EventType, User
from labeler.errors import NotFoundError, PermissionDeniedError, UsageError
from labeler.outbox import State
from labeler.schema import deliveries, projects, webhooks
from labeler.store import Store

MOST_WEBHOOKS = 100
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint without its secret; times in seconds since 1970.

    Attributes:
        project: name of the project that it hears of, null for every project.
        events: what it hears of.
        texts: whether it is sent prompts and outputs too.
        active: false once it has answered 410 (gone); remove it and add it again.
        pending: deliveries that it has not accepted yet.
        next_try: when the first of them is tried again, after a failure.
    """

    id: int
    project: str | None
    url: str
    events: tuple[EventType, ...]
    texts: bool
    active: bool
    created: float
    pending: int
    next_try: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint.

    Attributes:
        message: the id that it carries, the same in every try.
        state: failed: it was given up.
        status: HTTP status of the last answer, null where there was none.
        answer: how that began, or why there was none.
        body: what is sent.
    """

    id: int
    message: str
    type: str
    state: State
    tries: int
    status: int | None
    answer: str | None
    created: float
    last_try: float | None
    body: str


class Webhooks:
    """A companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(
        self, url: str, *, project: str | None = None, events: Sequence[EventType] = EVENT_TYPES, texts: bool = False
    ) -> tuple[Webhook, str]:
        """A new endpoint and the secret that its deliveries are signed with; this is the only time that it is shown.

        Args:
            url: where deliveries are posted to.
            project: name of the project to hear of; None: of every project.
            events: what to hear of.
            texts: whether to be sent prompts and outputs too.
        """
        check_url(url)
        unknown = [event for event in events if event not in EVENT_TYPES]
        if unknown or not events:
            raise UsageError(f"there is no event {''.join(unknown[:1])!r}; name some of {', '.join(EVENT_TYPES)}")
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
        chosen = [event for event in EVENT_TYPES if event in events]
        with self.store.database.write() as connection:
            if connection.execute(sa.select(sa.func.count()).select_from(webhooks)).scalar_one() >= MOST_WEBHOOKS:
                raise UsageError(f"there are {MOST_WEBHOOKS} webhooks already; remove one first")
            project_id = None if project is None else directory.project_by_name(connection, project).id
            row = {"project_id": project_id, "url": url, "events": chosen, "texts": texts, "secret": secret}
            clocks = {"created": self.store.clock(), "next_try": 0.0, "leased_until": 0.0}
            added = sa.insert(webhooks).values(**row, **clocks, active=True).returning(webhooks.c.id)
            (found,) = _webhooks(connection, webhooks.c.id == connection.execute(added).scalar_one())
            return found, secret

    def all(self) -> tuple[Webhook, ...]:
        """Every endpoint, in the order in which they were added."""
        with self.store.database.read() as connection:
            return _webhooks(connection)

    def of(self, user: User) -> tuple[Webhook, ...]:
        """The endpoints that a manager may see and change: those of their projects."""
        own = self.store.memberships(user.id)
        return tuple(found for found in self.all() if not own or found.project in own)

    def find(self, user: User, webhook_id: int) -> Webhook:
        """One of them."""
        found = next((webhook for webhook in self.of(user) if webhook.id == webhook_id), None)
        if found is None:
            raise NotFoundError(f"there is no webhook {webhook_id}")
        return found

    def check_may(self, user: User, project: str | None) -> None:
        """Raise unless a manager may add an endpoint that hears of a project (None: of every project)."""
        own = self.store.memberships(user.id)
        if own and project not in own:
            raise PermissionDeniedError(f"{user.name!r} is restricted to some projects; name one of {', '.join(own)}")

    def remove(self, webhook_id: int) -> None:
        """Remove an endpoint; what it has not accepted yet is not sent any more."""
        with self.store.database.write() as connection:
            locked = sa.select(webhooks.c.id).where(webhooks.c.id == webhook_id).with_for_update()
            if connection.execute(locked).first() is None:
                raise NotFoundError(f"there is no webhook {webhook_id}")
            connection.execute(sa.delete(deliveries).where(deliveries.c.webhook_id == webhook_id))
            connection.execute(sa.delete(webhooks).where(webhooks.c.id == webhook_id))

    def deliveries(self, webhook_id: int, limit: int = 100, *, before: int | None = None) -> tuple[Delivery, ...]:
        """An endpoint's deliveries, latest first; where asked those before a delivery's id."""
        query = sa.select(deliveries).where(deliveries.c.webhook_id == webhook_id)
        if before is not None:
            query = query.where(deliveries.c.id < before)
        with self.store.database.read() as connection:
            rows = connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit)).all()
        return tuple(map(_delivery, rows))

    def redeliver(self, webhook_id: int, delivery_id: int) -> Delivery:
        """Send a delivery again, from the first try on, and before all others of its endpoint."""
        mine = (deliveries.c.id == delivery_id, deliveries.c.webhook_id == webhook_id)
        with self.store.database.write() as connection:
            # The endpoint first, as whoever delivers does it: in another order each would wait for the other.
            connection.execute(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(next_try=0.0))
            changed = sa.update(deliveries).where(*mine).values(state="pending", tries=0).returning(deliveries)
            row = connection.execute(changed).first()
            if row is None:
                raise NotFoundError(f"the webhook {webhook_id} has no delivery {delivery_id}")
            return _delivery(row)


def check_url(url: str) -> None:
    """Raise `UsageError` unless deliveries can be posted there."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.username is None
    except ValueError:
        good = False
    if not good or not url.isascii() or not url.isprintable() or " " in url or len(url) > 2000:
        raise UsageError(f"{url!r} is no address to post to; give https://HOST/PATH without a name and password")


def _webhooks(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> tuple[Webhook, ...]:
    pending = sa.select(sa.func.count()).where(
        deliveries.c.webhook_id == webhooks.c.id, deliveries.c.state == "pending"
    )
    columns = sa.select(webhooks, projects.c.name, pending.scalar_subquery().label("pending"))
    rows = connection.execute(columns.outerjoin(projects).where(*conditions).order_by(webhooks.c.id))
    return tuple(map(_webhook, rows))


def _webhook(row: sa.Row[Any]) -> Webhook:
    return Webhook(
        row.id, row.name, row.url, tuple(row.events), row.texts, row.active, row.created, row.pending, row.next_try
    )


def _delivery(row: sa.Row[Any]) -> Delivery:
    named = ("id", "message_id", "type", "state", "tries", "status", "answer", "created", "last_try", "body")
    return Delivery(*(getattr(row, name) for name in named))
