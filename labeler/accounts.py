"""Passwords, invitations and sessions.

Passwords are kept as argon2id hashes, tokens (256 random bits) as SHA-256 hashes: what lies in the database opens
nothing. An account starts without a password; it gets one from its manager or by a one-time invitation link.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache
from hashlib import sha256

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from labeler import directory, throttle
from labeler.entities import User, UserRole
from labeler.errors import NotFoundError, PermissionDeniedError, UsageError
from labeler.identities import add_email
from labeler.languages import LANGUAGES, mark, t
from labeler.schema import api_tokens, invitations, leases, sessions, users
from labeler.store import Store

PASSWORD_LENGTH = range(8, 1025)
SESSION_SECONDS = 14 * 86400.0
INVITATION_DAYS = 7.0
TOO_MANY = mark("too many failed sign-ins for this name; try again in {seconds} seconds")

_SESSION = (
    sa.select(users.c.id, users.c.name, users.c.role, users.c.disabled, users.c.language)
    .join(sessions)
    .where(sessions.c.token_hash == sa.bindparam("token"), sessions.c.expires > sa.bindparam("now"))
    .where(users.c.disabled.is_(False))
)


class Accounts:
    """Who may come in; a companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106 for little memory

    def add(
        self,
        name: str,
        role: UserRole,
        projects: Sequence[str] = (),
        password: str | None = None,
        *,
        email: str | None = None,
    ) -> str | None:
        """Add an account with a password, or, without one, return the token of an invitation to set it.

        Args:
            name: what they sign in with.
            role: what they may do.
            projects: names of the projects that they may work in; none: every project.
            password: 8 characters or more.
            email: verified by an OpenID provider, it lets them in without a password.
        """
        hashed = None if password is None else self._hash(password)
        with self.store.database.write() as connection:
            user = directory.add_user(connection, name, role, projects, self.store.clock())
            if email:
                add_email(connection, user, email)
            if hashed is None:
                return self._invite(connection, user, INVITATION_DAYS)
            self._set_password(connection, user, hashed)
            return None

    def set_password(self, name: str, password: str) -> None:
        """Give an account a new password; its sessions and open invitations end."""
        hashed = self._hash(password)
        with self.store.database.write() as connection:
            self._set_password(connection, directory.user_by_name(connection, name), hashed)

    def set_language(self, user_id: int, language: str | None) -> None:
        """The language in which somebody reads the interface; None for what their browser asks for."""
        if language is not None and language not in LANGUAGES:
            raise UsageError(f"the language is {language!r}; it must be one of {', '.join(LANGUAGES)}")
        with self.store.database.write() as connection:
            connection.execute(sa.update(users).where(users.c.id == user_id).values(language=language))

    def invite(self, name: str, days: float = INVITATION_DAYS) -> str:
        """A new one-time token for ``/invite/TOKEN``; earlier ones of this account stop working."""
        if days <= 0:
            raise UsageError("an invitation must last longer than 0 days")
        with self.store.database.write() as connection:
            return self._invite(connection, directory.user_by_name(connection, name), days)

    def invited(self, token: str) -> User:
        """Whom an invitation is for, without using it up; `NotFoundError` if it is used, expired or unknown."""
        with self.store.database.read() as connection:
            return self._invited(connection, token)

    def accept(self, token: str, password: str) -> User:
        """Use an invitation up: set the account's password.

        Raises:
            NotFoundError: the invitation is used, expired or unknown.
            UsageError: the password is too short; the invitation stays good.
        """
        hashed = self._hash(password)
        with self.store.database.write() as connection:
            user = self._invited(connection, token)
            self._set_password(connection, user, hashed)
            return user

    def enter(self, token: str) -> str:
        """Use an invitation up for a session at once, without setting a password; for links that sign in by one click.

        Raises:
            NotFoundError: the invitation is used, expired or unknown.
        """
        with self.store.database.write() as connection:
            user = self._invited(connection, token)
            connection.execute(sa.delete(invitations).where(invitations.c.user_id == user.id))
            return self._new_session(connection, user)

    def sign_in(self, name: str, password: str) -> str:
        """A session token for the right name and password.

        Raises:
            PermissionDeniedError: wrong; the same words, and the same time taken, whether the name is known or not.
                After several failures for a name it says how long to wait.
        """
        hashed = self._attempt(name)
        if not self._verify(hashed or _nobodys_hash(self._hasher), password) or hashed is None:
            raise PermissionDeniedError(t("the name or the password is wrong"))
        with self.store.database.write() as connection:
            user = directory.user_by_name(connection, name)
            throttle.forget(connection, name)
            return self._new_session(connection, user)

    def start_session(self, user_id: int) -> str:
        """A session token for somebody whom an OpenID provider has recognised."""
        with self.store.database.write() as connection:
            user = directory.user_by_id(connection, user_id)
            _check_enabled(user)
            return self._new_session(connection, user)

    def user_for(self, token: str) -> User | None:
        """The account of a session; None if it is unknown, over, or the account is disabled."""
        with self.store.database.read() as connection:
            row = connection.execute(_SESSION, {"token": _digest(token), "now": self.store.clock()}).first()
            return None if row is None else User(*row)

    def sign_out(self, token: str) -> None:
        """End a session."""
        with self.store.database.write() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.token_hash == _digest(token)))

    def disable(self, name: str) -> None:
        """Close an account: its sessions, tokens, invitations and leases end, its judgments stay."""
        with self.store.database.write() as connection:
            user = directory.user_by_name(connection, name)
            connection.execute(sa.update(users).where(users.c.id == user.id).values(disabled=True))
            for table in (sessions, api_tokens, invitations, leases):
                connection.execute(sa.delete(table).where(table.c.user_id == user.id))

    def _hash(self, password: str) -> str:
        if len(password) not in PASSWORD_LENGTH:
            raise UsageError(
                t(
                    "the password must have {least} to {most} characters",
                    least=str(PASSWORD_LENGTH.start),
                    most=str(PASSWORD_LENGTH.stop - 1),
                )
            )
        return self._hasher.hash(_bytes(password))

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _bytes(password))
        except (VerifyMismatchError, InvalidHashError):
            return False

    def _invite(self, connection: sa.Connection, user: User, days: float) -> str:
        _check_enabled(user)
        token = secrets.token_urlsafe(32)
        connection.execute(sa.delete(invitations).where(invitations.c.user_id == user.id))
        row = {"token_hash": _digest(token), "user_id": user.id, "expires": self.store.clock() + days * 86400}
        connection.execute(sa.insert(invitations).values(**row))
        return token

    def _set_password(self, connection: sa.Connection, user: User, hashed: str) -> None:
        _check_enabled(user)
        connection.execute(sa.update(users).where(users.c.id == user.id).values(password_hash=hashed))
        for table in (sessions, invitations):
            connection.execute(sa.delete(table).where(table.c.user_id == user.id))

    def _invited(self, connection: sa.Connection, token: str) -> User:
        good = sa.select(invitations.c.user_id).where(
            invitations.c.token_hash == _digest(token), invitations.c.expires > self.store.clock()
        )
        user_id = connection.execute(good.with_for_update()).scalar()
        if user_id is None:
            raise NotFoundError(t("this invitation was used already or has expired; ask for a new one"))
        return directory.user_by_id(connection, user_id)

    def _attempt(self, name: str) -> str | None:
        """Count a try before it is checked, so that parallel ones cannot slip past; the hash to check, if any."""
        name = name[:200].replace("\0", "�").encode(errors="replace").decode()  # bounded, and storable
        with self.store.database.write() as connection:
            throttle.count_try(connection, name, self.store.clock(), TOO_MANY)
            hashed = sa.select(users.c.password_hash).where(users.c.name == name, users.c.disabled.is_(False))
            return connection.execute(hashed).scalar()

    def _new_session(self, connection: sa.Connection, user: User) -> str:
        token, now = secrets.token_urlsafe(32), self.store.clock()
        connection.execute(sa.delete(sessions).where(sessions.c.expires <= now))
        row = {"token_hash": _digest(token), "user_id": user.id, "expires": now + SESSION_SECONDS}
        connection.execute(sa.insert(sessions).values(**row))
        return token


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _digest(token: str) -> str:
    return sha256(_bytes(token)).hexdigest()


@cache
def _nobodys_hash(hasher: PasswordHasher) -> str:
    """A hash to check against where there is no account, so that the answer takes as long."""
    return hasher.hash(secrets.token_hex(16))


def _check_enabled(user: User) -> None:
    if user.disabled:
        raise PermissionDeniedError(f"the account {user.name!r} is disabled")
