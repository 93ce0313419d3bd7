"""Passwords, invitations, sessions."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from store_helpers import ask, people, project

from labeler import schema
from labeler.accounts import INVITATION_DAYS, SESSION_SECONDS, Accounts
from labeler.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError
from labeler.store import Store
from labeler.throttle import FREE_TRIES

PASSWORD = "correct horse"


@pytest.fixture
def accounts(store: Store) -> Accounts:
    return Accounts(store)


def dump(store: Store) -> str:
    with store.database.read() as connection:
        return repr([connection.execute(sa.select(table)).all() for table in schema.metadata.sorted_tables])


def test_a_password_lets_in_and_nothing_else_does(accounts: Accounts, store: Store):
    assert accounts.add("ann", "labeler", password=PASSWORD) is None
    token = accounts.sign_in("ann", PASSWORD)
    assert accounts.user_for(token) == store.user("ann")
    assert accounts.user_for(token + "x") is None
    accounts.sign_out(token)
    assert accounts.user_for(token) is None
    errors = []
    nobody = ("nobody", "x\0y", "\ud800")
    for name, password in (("ann", "wrong password"), *((name, PASSWORD) for name in nobody), ("ann", "")):
        with pytest.raises(PermissionDeniedError) as raised:
            accounts.sign_in(name, password)
        errors.append(str(raised.value))
    assert set(errors) == {"the name or the password is wrong"}


def test_no_secret_lies_in_the_database(accounts: Accounts, store: Store):
    accounts.add("ann", "labeler", password=PASSWORD)
    session = accounts.sign_in("ann", PASSWORD)
    invitation = accounts.invite("ann")
    content = dump(store)
    assert "$argon2id$" in content
    for secret in (PASSWORD, session, invitation):
        assert secret not in content


def test_an_account_starts_without_a_password(accounts: Accounts, store: Store):
    store.add_user("ann", "labeler")
    for guess in ("", "ann", "password", "None"):
        with pytest.raises(PermissionDeniedError):
            accounts.sign_in("ann", guess)


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025])
def test_the_length_of_a_password(accounts: Accounts, store: Store, password: str):
    with pytest.raises(UsageError, match="8 to 1024 characters"):
        accounts.add("ann", "labeler", password=password)
    assert store.users() == ()


def test_an_invitation_works_once(accounts: Accounts):
    token = accounts.add("ann", "labeler")
    assert token is not None
    assert accounts.invited(token).name == "ann"
    with pytest.raises(UsageError, match="8 to 1024"):
        accounts.accept(token, "short")
    assert accounts.accept(token, PASSWORD).name == "ann"
    for use in (
        lambda: accounts.accept(token, PASSWORD),
        lambda: accounts.invited(token),
        lambda: accounts.enter(token),
    ):
        with pytest.raises(NotFoundError, match="used already or has expired"):
            use()
    accounts.sign_in("ann", PASSWORD)


def test_an_invitation_expires_and_a_newer_one_replaces_it(accounts: Accounts, clock):
    old = accounts.add("ann", "labeler")
    assert old is not None
    new = accounts.invite("ann")
    with pytest.raises(NotFoundError):
        accounts.invited(old)
    clock.now += INVITATION_DAYS * 86400
    with pytest.raises(NotFoundError):
        accounts.accept(new, PASSWORD)
    with pytest.raises(UsageError, match="longer than 0"):
        accounts.invite("ann", days=0)


def test_a_new_password_ends_sessions(accounts: Accounts):
    accounts.add("ann", "labeler", password=PASSWORD)
    session = accounts.sign_in("ann", PASSWORD)
    accounts.set_password("ann", "another horse")
    assert accounts.user_for(session) is None


def test_sessions_expire(accounts: Accounts, clock):
    accounts.add("ann", "labeler", password=PASSWORD)
    session = accounts.sign_in("ann", PASSWORD)
    clock.now += SESSION_SECONDS - 1
    assert accounts.user_for(session) is not None
    clock.now += 1
    assert accounts.user_for(session) is None


def test_guessing_is_slowed_per_name(accounts: Accounts, clock):
    accounts.add("ann", "labeler", password=PASSWORD)
    accounts.add("bob", "labeler", password=PASSWORD)
    for _ in range(FREE_TRIES):
        with pytest.raises(PermissionDeniedError, match="is wrong"):
            accounts.sign_in("ann", "guess")
    with pytest.raises(PermissionDeniedError, match="too many failed sign-ins"):
        accounts.sign_in("ann", PASSWORD)  # also the right one has to wait
    accounts.sign_in("bob", PASSWORD)
    clock.now += 1
    with pytest.raises(PermissionDeniedError, match="is wrong"):
        accounts.sign_in("ann", "guess")
    clock.now += 1
    with pytest.raises(PermissionDeniedError, match="try again in 1 seconds"):
        accounts.sign_in("ann", PASSWORD)
    clock.now += 1
    accounts.sign_in("ann", PASSWORD)
    with pytest.raises(PermissionDeniedError, match="is wrong"):
        accounts.sign_in("ann", "guess")  # counting began anew


def test_a_disabled_account_is_out_at_once_and_frees_its_tasks(accounts: Accounts, store: Store):
    essays = project(store, groups=1)
    ann, bob = people(store, "ann", "bob")
    accounts.set_password("ann", PASSWORD)
    session, invitation = accounts.sign_in("ann", PASSWORD), accounts.invite("ann")
    ask(store, essays, ann)
    accounts.disable("ann")
    assert accounts.user_for(session) is None
    with pytest.raises(NotFoundError):
        accounts.accept(invitation, PASSWORD)
    with pytest.raises(PermissionDeniedError, match="name or the password"):
        accounts.sign_in("ann", PASSWORD)
    for refused in (lambda: accounts.invite("ann"), lambda: store.next_task(essays.id, ann.id)):
        with pytest.raises(PermissionDeniedError, match="disabled"):
            refused()
    assert ask(store, essays, bob).group_id == "g0"
    with pytest.raises(ConflictError):
        accounts.add("ann", "labeler")
