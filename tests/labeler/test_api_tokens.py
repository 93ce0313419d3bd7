"""Personal tokens, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from labeler.accounts import Accounts
from labeler.cli import main
from labeler.errors import NotFoundError, UsageError
from labeler.schema import api_tokens
from labeler.store import Store
from labeler.throttle import FREE_TRIES, WaitError
from labeler.tokens import MOST_TOKENS, NOTED_EVERY_SECONDS, Tokens


@pytest.fixture
def tokens(store: Store) -> Tokens:
    store.add_user("ann", "labeler")
    return Tokens(store)


def wrong(token: str) -> str:
    return f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}"


def test_a_token_opens_its_owners_account_and_no_part_of_the_secret_is_kept(tokens: Tokens, store: Store):
    token = tokens.add("ann", "nightly export")
    assert tokens.user_for(token) == store.user("ann")
    with store.database.read() as connection:
        kept = " ".join(map(str, connection.execute(sa.select(api_tokens)).one()))
    secret = token.removeprefix("labeler_")[17:]
    assert len(secret) == 43
    assert secret not in kept
    assert secret[:16] not in kept


@pytest.mark.parametrize("made_up", ["", "x", "labeler__", "labeler_0123456789abcdef_" + "x" * 43, "\0", "ü" * 70])
def test_what_is_no_token_opens_nothing(tokens: Tokens, made_up: str):
    assert tokens.user_for(made_up) is None


def test_a_token_ends_when_it_expires_is_revoked_or_the_account_closes(tokens: Tokens, store: Store, clock):
    ann = store.user("ann")
    short, revoked, last = tokens.add("ann", "short", 1), tokens.add("ann", "revoked"), tokens.add("ann", "last")
    tokens.revoke(ann.id, tokens.of(ann.id)[1].id)
    assert tokens.user_for(revoked) is None
    clock.now += 86399
    assert tokens.user_for(short) == ann
    clock.now += 1
    assert tokens.user_for(short) is None
    assert tokens.user_for(last) == ann
    Accounts(store).disable("ann")
    assert tokens.user_for(last) is None
    assert tokens.of(ann.id) == ()


def test_nobody_revokes_anothers_token(tokens: Tokens, store: Store):
    token, eve = tokens.add("ann", "mine"), store.add_user("eve", "admin")
    with pytest.raises(NotFoundError):
        tokens.revoke(eve.id, tokens.of(store.user("ann").id)[0].id)
    assert tokens.user_for(token)


def test_the_last_use_is_known_to_the_minute(tokens: Tokens, store: Store, clock):
    token, ann = tokens.add("ann", "mine"), store.user("ann")
    assert tokens.of(ann.id)[0].last_used is None
    first = clock.now
    for passed in (0.0, NOTED_EVERY_SECONDS - 1):
        clock.now = first + passed
        tokens.user_for(token)
        assert tokens.of(ann.id)[0].last_used == first
    clock.now = first + NOTED_EVERY_SECONDS
    tokens.user_for(token)
    assert tokens.of(ann.id)[0].last_used == clock.now


def test_guessing_has_to_wait_and_so_has_who_guesses_right_meanwhile(tokens: Tokens, clock):
    token, other = tokens.add("ann", "mine"), tokens.add("ann", "other")
    for _ in range(FREE_TRIES):
        assert tokens.user_for(wrong(token)) is None
    for guess in (wrong(token), token):
        with pytest.raises(WaitError, match="try again in 1 seconds"):
            tokens.user_for(guess)
    assert tokens.user_for(other)
    clock.now += 1
    assert tokens.user_for(token)
    assert tokens.user_for(wrong(token)) is None  # counted anew


def test_bad_wishes_are_refused(tokens: Tokens):
    for name, days in (("", None), (" x", None), ("x", 0.0), ("x", -1.0), ("x", float("nan"))):
        with pytest.raises(UsageError):
            tokens.add("ann", name, days)
    for number in range(MOST_TOKENS):
        tokens.add("ann", f"t{number}")
    with pytest.raises(UsageError, match="revoke one first"):
        tokens.add("ann", "one more")


def test_the_command_prints_a_token_that_works(tokens: Tokens, store: Store, database_url: str, capsys):
    assert main(["users", "token", "ann", "--label", "backup", "--days", "3", "--db", database_url]) == 0
    token = Tokens(Store.open(database_url))
    printed = capsys.readouterr().out.strip()
    assert token.user_for(printed) == store.user("ann")
    token.store.close()
    kept = tokens.of(store.user("ann").id)[0]
    assert kept.name == "backup"
    assert kept.expires is not None
    assert kept.expires - kept.created == 3 * 86400
    assert main(["users", "token", "nobody", "--db", database_url]) == 1
