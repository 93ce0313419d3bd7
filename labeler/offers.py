"""Suggestions of models as the database keeps them: asked for, answered, and counted against those who ask too often.

A row is written before the model is asked, so that all server processes together let a person have only one request
under way and only so many a minute, failed ones included.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from labeler import claims
from labeler.chat import Offer, offer_of, offer_row
from labeler.claims import Seeker
from labeler.endpoint_settings import Endpoint
from labeler.errors import ConflictError, PermissionDeniedError, UsageError
from labeler.records import Prompt
from labeler.schema import drafts, offers

MOST_A_MINUTE = 20
"""Requests that one person may make."""
ASKED, ANSWERED, FAILED = "asked", "answered", "failed"
SPARE_SECONDS = 10.0
"""A request that is so much older than the longest wait was lost with its server."""

_MINE = sa.select(offers).where(offers.c.user_id == sa.bindparam("user"))
_RECENT = _MINE.where(offers.c.created > sa.bindparam("since"))
_ANSWERED = _MINE.where(offers.c.task_id == sa.bindparam("task"), offers.c.state == ANSWERED).order_by(offers.c.id)


class TooManyError(ConflictError):
    """This person has asked for enough for now."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked.

    Attributes:
        offer_id: of the offer that is to come of it.
        messages: the dialogue so far.
        count: how many replies are wanted.
    """

    offer_id: int
    messages: Prompt
    endpoint: Endpoint
    count: int


def begin(connection: sa.Connection, seeker: Seeker, task_id: int, messages: Prompt) -> Request:
    """Note that a model is asked to go on from a dialogue.

    Raises:
        UsageError: the project has no model to ask.
        PermissionDeniedError: the task was not given to this person.
        TooManyError: they have a request under way, or had too many within a minute.
    """
    _check_held(connection, seeker, task_id)
    schema = seeker.project.schema
    if schema.suggest is None:
        raise UsageError("this project has no model that makes suggestions; write the turn yourself")
    longest = schema.suggest.timeout + SPARE_SECONDS
    values = {"user": seeker.user.id, "since": seeker.now - max(60.0, longest)}
    recent = connection.execute(_RECENT, values).all()
    if any(row.state == ASKED and row.created > seeker.now - longest for row in recent):
        raise TooManyError("your last suggestions are still being written; go on by yourself, or try again in a moment")
    if sum(row.created > seeker.now - 60.0 for row in recent) >= MOST_A_MINUTE:
        raise TooManyError(f"you asked {MOST_A_MINUTE} times within a minute; go on by yourself, or try again later")
    row = {
        "user_id": seeker.user.id,
        "task_id": task_id,
        "state": ASKED,
        "content": {"messages": [asdict(message) for message in messages]},
        "created": seeker.now,
    }
    offer_id = int(connection.execute(sa.insert(offers).values(**row).returning(offers.c.id)).scalar_one())
    return Request(offer_id, messages, schema.suggest, schema.offered)


def _check_held(connection: sa.Connection, seeker: Seeker, task_id: int) -> None:
    held = claims.lease(connection, seeker.user.id, task_id) is not None
    own = sa.select(drafts.c.task_id).where(drafts.c.user_id == seeker.user.id, drafts.c.task_id == task_id)
    if not held and connection.execute(own).first() is None:
        raise PermissionDeniedError(f"task {task_id} was not given to {seeker.user.name}; ask for the next task")


def end(connection: sa.Connection, offer_id: int, offer: Offer | None) -> None:
    """Keep what the model answered; None: nothing."""
    values = {"state": FAILED} if offer is None else {"state": ANSWERED, "content": offer_row(offer)}
    connection.execute(sa.update(offers).where(offers.c.id == offer_id).values(**values))


def given(connection: sa.Connection, user_id: int, task_id: int) -> dict[int, Offer]:
    """Every offer that a person was given for a task, by id, in the order in which they asked."""
    rows = connection.execute(_ANSWERED, {"user": user_id, "task": task_id})
    return {row.id: offer_of(row.content) for row in rows}
