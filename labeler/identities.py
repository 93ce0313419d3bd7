"""Who may come in with an OpenID provider: sign-ins on their way, identities linked to accounts, addresses let in.

A sign-in is finished once, by the browser that began it, within ten minutes, at whichever server process it comes back
to. Somebody whose identity is linked comes in as that account. A first time, the provider's verified e-mail address
decides: that of an account links the two; one of an allowed domain makes an account; anybody else is refused.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import exc

from labeler import directory
from labeler.entities import User
from labeler.errors import ConflictError, PermissionDeniedError, UsageError
from labeler.schema import emails, identities, sign_ons, users
from labeler.sign_on_settings import SignOnSettings
from labeler.store import Store

MINUTES = 10
STALE = (
    f"this sign-in was used already, took longer than {MINUTES} minutes or was begun in another browser; start again"
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in on its way.

    Attributes:
        state: comes back from the provider.
        browser: kept by the browser that began it.
        nonce: comes back inside the provider's token.
        verifier: proves to the provider that who fetches the token is who began (PKCE, RFC 7636).
        link_to: id of the account that asked to be linked, None to sign in.
    """

    state: str
    browser: str
    nonce: str
    verifier: str
    link_to: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom a provider has recognised; the address is in lower case."""

    issuer: str
    subject: str
    email: str | None
    verified: bool


class Identities:
    """A companion of the `Store`, on the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def begin(self, link_to: int | None = None) -> Pending:
        """Remember a new sign-in."""
        state, browser, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(4))
        now = self.store.clock()
        row = {"state_hash": _digest(state), "browser_hash": _digest(browser), "nonce": nonce, "verifier": verifier}
        with self.store.database.write() as connection:
            connection.execute(sa.delete(sign_ons).where(sign_ons.c.expires <= now))
            connection.execute(sa.insert(sign_ons).values(**row, link_to=link_to, expires=now + MINUTES * 60))
        return Pending(state, browser, nonce, verifier, link_to)

    def finish(self, state: str, browser: str) -> Pending:
        """The sign-in of a state, which is used up by this.

        Raises:
            PermissionDeniedError: it is unknown, used, too old, or another browser's.
        """
        used = sa.delete(sign_ons).where(sign_ons.c.state_hash == _digest(state)).returning(sign_ons)
        with self.store.database.write() as connection:
            row = connection.execute(used).first()
        if row is None or row.expires <= self.store.clock() or row.browser_hash != _digest(browser):
            raise PermissionDeniedError(STALE)
        return Pending(state, browser, row.nonce, row.verifier, row.link_to)

    def recognise(self, person: Person, settings: SignOnSettings) -> User:
        """The account of a person, which is linked or made the first time.

        Raises:
            PermissionDeniedError: they may not come in; says why and what to do.
        """
        try:
            with self.store.database.write() as connection:
                user = self._linked(connection, person) or self._first_time(connection, person, settings)
        except exc.IntegrityError as error:
            raise ConflictError("you signed in twice at the same moment; try again") from error
        if user.disabled:
            raise PermissionDeniedError(f"the account {user.name!r} is closed")
        return user

    def link(self, person: Person, user_id: int) -> None:
        """Let a person come in as an account from now on."""
        with self.store.database.write() as connection:
            known = self._linked(connection, person)
            if known is None:
                self._link(connection, person, user_id)
            elif known.id != user_id:
                raise ConflictError(f"this identity is linked to the account {known.name!r} already")

    def let_in(self, name: str, address: str) -> None:
        """Let whoever has a verified e-mail address come in as an account."""
        with self.store.database.write() as connection:
            user = directory.user_by_name(connection, name)
            add_email(connection, user, address)

    def unlink(self, name: str) -> None:
        """Forget an account's addresses and identities; its password still works."""
        with self.store.database.write() as connection:
            user = directory.user_by_name(connection, name)
            for table in (emails, identities):
                connection.execute(sa.delete(table).where(table.c.user_id == user.id))

    def addresses(self) -> dict[int, tuple[str, ...]]:
        """Every account's addresses, by its id."""
        found: dict[int, tuple[str, ...]] = {}
        with self.store.database.read() as connection:
            for row in connection.execute(sa.select(emails).order_by(emails.c.address)):
                found[row.user_id] = (*found.get(row.user_id, ()), row.address)
        return found

    def is_linked(self, user_id: int) -> bool:
        """Whether an account has an identity at a provider."""
        with self.store.database.read() as connection:
            mine = sa.select(identities.c.subject).where(identities.c.user_id == user_id)
            return connection.execute(mine.limit(1)).first() is not None

    def _linked(self, connection: sa.Connection, person: Person) -> User | None:
        known = sa.select(identities.c.user_id).where(
            identities.c.issuer == person.issuer, identities.c.subject == person.subject
        )
        user_id = connection.execute(known).scalar()
        return None if user_id is None else directory.user_by_id(connection, user_id)

    def _first_time(self, connection: sa.Connection, person: Person, settings: SignOnSettings) -> User:
        if person.email is None:
            raise PermissionDeniedError(f"{settings.name} does not tell your e-mail address; ask a manager for a link")
        if not person.verified:
            raise PermissionDeniedError(f"{settings.name} has not verified the address {person.email}; verify it there")
        invited = sa.select(emails.c.user_id).where(emails.c.address == person.email)
        user_id = connection.execute(invited).scalar()
        local, _, domain = person.email.rpartition("@")
        if user_id is not None:
            user = directory.user_by_id(connection, user_id)
            _check_first(connection, user, person)
        elif local and domain in {allowed.lower() for allowed in settings.domains}:
            name = _free_name(connection, local)
            user = directory.add_user(connection, name, settings.role, settings.projects, self.store.clock())
            add_email(connection, user, person.email)
        else:
            raise PermissionDeniedError(f"the address {person.email} is not known here; ask a manager to add it")
        self._link(connection, person, user.id)
        return user

    def _link(self, connection: sa.Connection, person: Person, user_id: int) -> None:
        row = {"issuer": person.issuer, "subject": person.subject, "user_id": user_id, "linked": self.store.clock()}
        connection.execute(sa.insert(identities).values(**row))


def _check_first(connection: sa.Connection, user: User, person: Person) -> None:
    """An address that was given to somebody else must not let them into the account of who had it before."""
    theirs = (identities.c.user_id == user.id, identities.c.issuer == person.issuer)
    others = sa.select(identities.c.subject).where(*theirs, identities.c.subject != person.subject)
    if connection.execute(others.limit(1)).first() is not None:
        raise PermissionDeniedError(
            f"the address {person.email} came with another identity before; ask a manager to unlink it"
        )


def add_email(connection: sa.Connection, user: User, address: str) -> None:
    """Let whoever has a verified e-mail address come in as an account.

    Raises:
        UsageError: it is no address.
        ConflictError: it is another account's.
    """
    address = address.strip().lower()
    local, _, domain = address.rpartition("@")
    if not local or "." not in domain or not address.isprintable() or " " in address or len(address) > 254:
        raise UsageError(f"{address!r} is no e-mail address")
    owner = connection.execute(sa.select(emails.c.user_id).where(emails.c.address == address)).scalar()
    if owner is None:
        connection.execute(sa.insert(emails).values(address=address, user_id=user.id))
    elif owner != user.id:
        raise ConflictError(f"{address} belongs to another account already")


def _free_name(connection: sa.Connection, wanted: str) -> str:
    """The name, with a number behind it where it is taken."""
    wanted = "".join(letter for letter in wanted if letter.isprintable()).strip()[:90] or "person"
    taken = set(connection.execute(sa.select(users.c.name).where(users.c.name.startswith(wanted))).scalars())
    names = (wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
