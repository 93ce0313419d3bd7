"""What programs elsewhere are to be told.

An event is written in the transaction of what it tells, so that neither is without the other, and delivered later.
An endpoint gets its deliveries one after the other. Whoever delivers holds the endpoint's lease, so that of several
server processes one works on it at a time; a lease of a process that died runs out. The first pending delivery is
tried until it is accepted or given up, then comes the next. Every function runs inside a transaction of the caller.
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from labeler import ledger
from labeler.entities import EventType
from labeler.schema import deliveries, webhooks

State = Literal["pending", "delivered", "failed"]
KEPT_SECONDS = 30 * 86400.0
"""How long a delivery stays visible after its last try."""
GONE = 410
"""An endpoint that answers this wants to hear nothing more."""

_LISTENERS = (
    sa.select(webhooks.c.id, webhooks.c.events, webhooks.c.texts)
    .where(webhooks.c.active, webhooks.c.project_id.is_(None) | (webhooks.c.project_id == sa.bindparam("project")))
    .with_for_update(read=True, key_share=True)  # none is removed before its deliveries are written
)
_PENDING = sa.exists().where(deliveries.c.webhook_id == webhooks.c.id, deliveries.c.state == "pending")
_DUE = (
    sa.select(webhooks.c.id)
    .where(webhooks.c.active, webhooks.c.next_try <= sa.bindparam("now"))
    .where(webhooks.c.leased_until <= sa.bindparam("now"), _PENDING)
    .order_by(webhooks.c.next_try)
    .limit(1)
)
_FIRST = (
    sa.select(deliveries, webhooks.c.url, webhooks.c.secret)
    .join(webhooks)
    .where(webhooks.c.id == sa.bindparam("webhook"), webhooks.c.active, deliveries.c.state == "pending")
    .order_by(deliveries.c.id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long after each other a delivery is tried.

    Attributes:
        tries: after so many it is given up.
        first_seconds: wait after the first failure, less up to a half by chance.
        growth: factor from one wait to the next.
        longest_seconds: no wait is longer.
    """

    tries: int = 10
    first_seconds: float = 5.0
    growth: float = 4.0
    longest_seconds: float = 6 * 3600.0

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures: exponential, and random so that many do not come back together."""
        longest = min(self.first_seconds * self.growth ** (failures - 1), self.longest_seconds)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery in the hands of one deliverer.

    Attributes:
        holder: names the lease.
        tries: before this one.
    """

    webhook_id: int
    delivery_id: int
    holder: str
    url: str
    secret: str
    message_id: str
    body: str
    tries: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a try led to: the HTTP status, None where there was no answer; `answer` is its beginning, or the reason."""

    status: int | None
    answer: str

    @property
    def accepted(self) -> bool:
        """Any 2xx."""
        return self.status is not None and 200 <= self.status < 300


# Telling


def wanted(connection: sa.Connection, project_id: int, kind: EventType) -> bool:
    """Whether any endpoint listens to this."""
    return bool(_listeners(connection, project_id, kind))


def tell(
    connection: sa.Connection,
    kind: EventType,
    project_id: int,
    now: float,
    data: Mapping[str, Any],
    *,
    texts: Callable[[], Mapping[str, Any]] = dict,
    message_id: str | None = None,
) -> None:
    """Put an event into the outbox, once for each endpoint that listens; nothing where none does.

    Args:
        kind: what happened.
        project_id: where.
        now: when.
        data: about it, without any text of prompts and outputs.
        texts: those, for endpoints that asked for them.
        message_id: names the event where it might be told twice; by default a new one.
    """
    message = message_id or f"msg_{secrets.token_hex(16)}"
    for listener in _listeners(connection, project_id, kind):
        said = {**data, **texts()} if listener.texts else dict(data)
        body = json.dumps({"type": kind, "timestamp": ledger.rfc3339(now), "data": said}, ensure_ascii=False)
        known = sa.select(deliveries.c.id).where(
            deliveries.c.webhook_id == listener.id, deliveries.c.message_id == message
        )
        if message_id is None or connection.execute(known).first() is None:
            row = {"webhook_id": listener.id, "message_id": message, "type": kind, "body": body, "created": now}
            connection.execute(sa.insert(deliveries).values(**row, state="pending", tries=0))


def _listeners(connection: sa.Connection, project_id: int, kind: EventType) -> list[Any]:
    return [row for row in connection.execute(_LISTENERS, {"project": project_id}) if kind in row.events]


# Delivering


def is_due(connection: sa.Connection, now: float) -> bool:
    """Whether `claim` would find something; only reads."""
    return connection.execute(_DUE, {"now": now}).first() is not None


def claim(connection: sa.Connection, now: float, lease_seconds: float) -> Parcel | None:
    """Lease the endpoint that has waited longest and take its first delivery; None where nothing is due."""
    endpoint = connection.execute(_DUE.with_for_update(skip_locked=True, key_share=True), {"now": now}).scalar()
    if endpoint is None:
        return None
    holder = secrets.token_hex(16)
    return _take(connection, endpoint, holder, now + lease_seconds)


def _take(connection: sa.Connection, webhook_id: int, holder: str, leased_until: float) -> Parcel | None:
    """The first pending delivery under a lease; without one the lease ends."""
    row = connection.execute(_FIRST, {"webhook": webhook_id}).first()
    lease = {"leased_until": leased_until, "leased_by": holder} if row else {"leased_until": 0.0, "leased_by": None}
    connection.execute(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(**lease))
    if row is None:
        return None
    return Parcel(webhook_id, row.id, holder, row.url, row.secret, row.message_id, row.body, row.tries)


def record(
    connection: sa.Connection, parcel: Parcel, outcome: Outcome, *, now: float, lease_seconds: float, patience: Patience
) -> Parcel | None:
    """Write down what became of a delivery and take the endpoint's next one; None where this deliverer has to stop.

    A deliverer that has lost its lease meanwhile (it was slower than that lasts) writes nothing.
    """
    mine = (webhooks.c.id == parcel.webhook_id, webhooks.c.leased_by == parcel.holder)
    if connection.execute(sa.select(webhooks.c.id).where(*mine).with_for_update(key_share=True)).first() is None:
        return None
    tries = parcel.tries + 1
    given_up = not outcome.accepted and (tries >= patience.tries or outcome.status == GONE)
    state: State = "delivered" if outcome.accepted else "failed" if given_up else "pending"
    values = {"state": state, "tries": tries, "status": outcome.status, "answer": outcome.answer, "last_try": now}
    connection.execute(sa.update(deliveries).where(deliveries.c.id == parcel.delivery_id).values(**values))
    if outcome.status == GONE:
        connection.execute(sa.update(webhooks).where(*mine).values(active=False, leased_until=0.0, leased_by=None))
        return None
    if state == "pending":
        retry = {"next_try": now + patience.wait(tries), "leased_until": 0.0, "leased_by": None}
        connection.execute(sa.update(webhooks).where(*mine).values(**retry))
        return None
    return _take(connection, parcel.webhook_id, parcel.holder, now + lease_seconds)


def release(connection: sa.Connection, parcel: Parcel) -> None:
    """Give an endpoint back without having tried, so that another process need not wait for the lease to run out."""
    mine = (webhooks.c.id == parcel.webhook_id, webhooks.c.leased_by == parcel.holder)
    connection.execute(sa.update(webhooks).where(*mine).values(leased_until=0.0, leased_by=None))


def tidy(connection: sa.Connection, now: float) -> None:
    """Forget what was delivered or given up long ago."""
    old = (deliveries.c.state != "pending", deliveries.c.last_try < now - KEPT_SECONDS)
    connection.execute(sa.delete(deliveries).where(*old))
