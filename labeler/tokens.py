"""Personal tokens: programs work through the REST API in the name of the person who made them.

A token reads ``labeler_NAME_SECRET``. The public part finds its row, and failed tries are counted by it as failed
sign-ins are by name; of the secret (256 random bits) only the SHA-256 hash is kept.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from labeler import directory, throttle
from labeler.entities import User
from labeler.errors import NotFoundError, PermissionDeniedError, UsageError
from labeler.schema import api_tokens
from labeler.store import Store

FORM = re.compile(r"labeler_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
NOTED_EVERY_SECONDS = 60.0
"""How exactly the last use is known: writing it at every request would make reading a project a writer."""
FAILURES = "too many failed tries of this token; try again in {seconds} seconds"
MOST_TOKENS = 100
"""Of one account."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its secret; times in seconds since 1970.

    Attributes:
        name: what its owner calls it.
        expires: when it stops working, None for never.
        last_used: to the minute.
    """

    id: int
    name: str
    created: float
    expires: float | None
    last_used: float | None


class Tokens:
    """A companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, user: str, name: str, days: float | None = None) -> str:
        """A new token of an account; this is the only time that it can be seen.

        Args:
            user: whose.
            name: what it is for.
            days: how long it works, None for ever.
        """
        directory.check_name(name, "token name")
        if days is not None and not 0 < days <= 36500:
            raise UsageError("a token must last longer than 0 days and at most 36500")
        public, secret, now = secrets.token_hex(8), secrets.token_urlsafe(32), self.store.clock()
        with self.store.database.write() as connection:
            owner = directory.user_by_name(connection, user)
            if owner.disabled:
                raise PermissionDeniedError(f"the account {user!r} is disabled")
            if len(_of(connection, owner.id)) >= MOST_TOKENS:
                raise UsageError(f"{user!r} has {MOST_TOKENS} tokens already; revoke one first")
            row = {"user_id": owner.id, "name": name, "public": public, "secret_hash": _digest(secret), "created": now}
            expires = None if days is None else now + days * 86400
            connection.execute(sa.insert(api_tokens).values(**row, expires=expires))
        return f"labeler_{public}_{secret}"

    def of(self, user_id: int) -> tuple[ApiToken, ...]:
        """The tokens of an account, in the order in which they were made; those that expired are among them."""
        with self.store.database.read() as connection:
            return _of(connection, user_id)

    def revoke(self, user_id: int, token_id: int) -> None:
        """End one of the account's tokens at once."""
        mine = (api_tokens.c.id == token_id, api_tokens.c.user_id == user_id)
        with self.store.database.write() as connection:
            if connection.execute(sa.delete(api_tokens).where(*mine)).rowcount == 0:
                raise NotFoundError(f"there is no token {token_id} of this account")

    def user_for(self, token: str) -> User | None:
        """Whose token this is; None if it is unknown, over, or the account is disabled.

        Raises:
            throttle.WaitError: the public part is known and its secret was guessed wrongly too often.
        """
        parts = FORM.fullmatch(token)
        if parts is None:
            return None
        public, secret = parts.groups()
        with self.store.database.read() as connection:
            row = connection.execute(sa.select(api_tokens).where(api_tokens.c.public == public)).first()
            if row is None:
                return None
            failed = throttle.check(connection, public, self.store.clock(), FAILURES)
            user = directory.user_by_id(connection, row.user_id)
        if not hmac.compare_digest(row.secret_hash, _digest(secret)):
            with self.store.database.write() as connection:
                throttle.count_try(connection, public, self.store.clock(), FAILURES)
            return None
        if user.disabled or (row.expires is not None and row.expires <= self.store.clock()):
            return None
        self._note_use(row, failed=failed)
        return user

    def _note_use(self, row: sa.Row[Any], *, failed: bool) -> None:
        now = self.store.clock()
        stale = row.last_used is None or now - row.last_used >= NOTED_EVERY_SECONDS
        if not (stale or failed):
            return
        with self.store.database.write() as connection:
            throttle.forget(connection, row.public)
            connection.execute(sa.update(api_tokens).where(api_tokens.c.id == row.id).values(last_used=now))


def _of(connection: sa.Connection, user_id: int) -> tuple[ApiToken, ...]:
    found = connection.execute(sa.select(api_tokens).where(api_tokens.c.user_id == user_id).order_by(api_tokens.c.id))
    return tuple(ApiToken(row.id, row.name, row.created, row.expires, row.last_used) for row in found)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
