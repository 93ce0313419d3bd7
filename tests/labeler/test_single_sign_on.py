"""Who may come in with an OpenID provider, which of its tokens are believed, and the settings file."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey, RSAKey

from labeler import provider
from labeler.accounts import Accounts
from labeler.errors import ConflictError, DataError, PermissionDeniedError, UsageError
from labeler.identities import Identities, Person
from labeler.sign_on_settings import SignOnSettings, read_sign_on
from labeler.store import Store

ISSUER = "https://sso.example.org"
SETTINGS = SignOnSettings(
    f"{ISSUER}/.well-known/openid-configuration",
    "labeler",
    "secret",
    "Example",
    ("corp.example",),
    projects=("essays",),
)
OWN, OTHER = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
CLAIMS = {"iss": ISSUER, "sub": "1", "aud": "labeler", "exp": 300, "iat": 0, "nonce": "n"}
"""Times in seconds from now."""


def dated(claims: dict[str, object]) -> dict[str, object]:
    now = int(time.time())
    return {name: value + now if name in ("exp", "iat", "nbf") else value for name, value in claims.items()}  # type: ignore[operator]


def verified(claims: dict[str, object], key: object = OWN, alg: str = "RS256") -> dict[str, object]:
    token = jwt.encode({"alg": alg, "kid": OWN.ensure_kid() or OWN.kid}, dated(claims), key, algorithms=[alg])  # type: ignore[arg-type]
    metadata = {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
    known = provider._Known(metadata, KeySet([RSAKey.import_key(OWN.as_dict(private=False))]), 0.0)
    return provider._verified(token, known, SETTINGS, "n")


def test_a_token_is_believed_if_everything_is_right():
    assert verified(CLAIMS)["sub"] == "1"
    assert verified({**CLAIMS, "aud": ["labeler", "other"], "azp": "labeler"})["sub"] == "1"
    assert verified({**CLAIMS, "exp": -30})["sub"] == "1"  # clocks differ a little


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"aud": ["labeler", "other"]},
        {"aud": ["labeler", "other"], "azp": "other"},
        {"azp": "other"},
        {"exp": -120},
        {"iat": 120},
        {"nbf": 120},
        {"nonce": "m"},
        {"nonce": None},
        {"sub": ""},
        {"exp": None},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_not(wrong: dict[str, object]):
    claims = {name: value for name, value in {**CLAIMS, **wrong}.items() if value is not None}
    with pytest.raises((JoseError, ValueError)):
        verified(claims)


def test_a_token_with_another_signature_is_not():
    with pytest.raises(JoseError):
        verified(CLAIMS, OTHER)
    with pytest.raises(JoseError):  # a signature that a shared secret makes
        verified(CLAIMS, OctKey.import_key("a shared secret of many bytes, 32 or more"), "HS256")
    unsigned = "eyJhbGciOiJub25lIn0." + jwt.encode({"alg": "RS256"}, dated(CLAIMS), OWN).split(".")[1] + "."
    known = provider._Known({"id_token_signing_alg_values_supported": ["none"]}, KeySet([OWN]), 0.0)
    with pytest.raises(JoseError):
        provider._verified(unsigned, known, SETTINGS, "n")


def person(subject: str = "1", email: str | None = "ann@corp.example", verified: bool = True) -> Person:
    return Person(ISSUER, subject, email, verified)


def test_the_first_time_the_address_decides_and_later_the_identity(store: Store):
    store.add_project("essays")
    store.add_user("labeler-1", "manager")
    identities = Identities(store)
    identities.let_in("labeler-1", " Ann@Corp.example ")
    assert identities.addresses() == {1: ("ann@corp.example",)}
    assert identities.recognise(person(), SETTINGS).name == "labeler-1"
    assert identities.recognise(person(email="moved@elsewhere.org", verified=False), SETTINGS).name == "labeler-1"
    with pytest.raises(PermissionDeniedError, match="another identity before"):  # the address was given away
        identities.recognise(person("2"), SETTINGS)
    identities.unlink("labeler-1")
    assert identities.recognise(person("2"), SETTINGS).name == "ann"
    with pytest.raises(PermissionDeniedError, match="not known here"):
        identities.recognise(person("3", "x@evil.example"), SETTINGS)
    with pytest.raises(PermissionDeniedError, match="not known here"):
        identities.recognise(person("3", "@corp.example"), SETTINGS)
    with pytest.raises(PermissionDeniedError, match="does not tell"):
        identities.recognise(person("3", None), SETTINGS)


def test_a_closed_account_stays_closed(store: Store):
    store.add_user("labeler-1", "labeler")
    identities = Identities(store)
    identities.link(person(), 1)
    Accounts(store).disable("labeler-1")
    with pytest.raises(PermissionDeniedError, match="is closed"):
        identities.recognise(person(), SETTINGS)
    with pytest.raises(PermissionDeniedError, match="disabled"):
        Accounts(store).start_session(1)


def test_an_identity_and_an_address_belong_to_one_account(store: Store):
    store.add_user("ann", "labeler")
    store.add_user("bob", "labeler")
    identities = Identities(store)
    identities.link(person(), 1)
    identities.link(person(), 1)
    with pytest.raises(ConflictError, match="'ann' already"):
        identities.link(person(), 2)
    identities.let_in("ann", "a@x.org")
    with pytest.raises(ConflictError, match="another account"):
        identities.let_in("bob", "a@x.org")
    for bad in ("", "a", "a@b", "a b@x.org", "@x.org"):
        with pytest.raises(UsageError, match="no e-mail"):
            identities.let_in("bob", bad)


def test_ten_tabs_that_come_in_at_once_make_one_account(store: Store):
    store.add_project("essays")

    def come_in(_: int) -> str | None:
        try:
            return Identities(store).recognise(person(), SETTINGS).name
        except ConflictError:
            return None

    with ThreadPoolExecutor(10) as pool:
        names = set(pool.map(come_in, range(10)))
    assert names - {None} == {"ann"}
    assert len(store.users()) == 1


def test_a_sign_in_is_finished_once_by_one_of_many(store: Store, clock):
    identities = Identities(store)
    pending = identities.begin()

    def finish(_: int) -> bool:
        try:
            return identities.finish(pending.state, pending.browser) == pending
        except PermissionDeniedError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(finish, range(8))) == 1
    late = identities.begin(None)
    clock.now += 601
    with pytest.raises(PermissionDeniedError, match="start again"):
        identities.finish(late.state, late.browser)


GOOD = 'discovery = "https://a.example/.well-known/openid-configuration"\nclient_id = "x"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD, "client_secret: is missing, here or in the environment as LABELER_OIDC_SECRET"),
        (f'{GOOD}client_secret = "s"\nrole = "admin"', "role: cannot be admin"),
        (f'{GOOD}client_secret = "s"\nrole = "boss"', "role: must be one of labeler, manager, admin"),
        (f'{GOOD}client_secret = "s"\ndomains = "a.org"', "domains: must be a list of texts"),
        (f'{GOOD}client_secret = "s"\nclient = "y"', "client: is no setting"),
        (f"{GOOD}client_secret = 5", "client_secret: must be a text"),
        (f'{GOOD.replace("https", "http")}client_secret = "s"', "discovery: must begin with https"),
        ('discovery = "https://a.example"\nclient_id = "x"\nclient_secret = "s"', "discovery: must end in"),
        ("discovery =", "is no TOML"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, text: str, said: str):
    file = tmp_path / "oidc.toml"
    file.write_text(text)
    with pytest.raises(DataError) as refused:
        read_sign_on(file, {})
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(file))


def test_the_secret_may_be_in_the_environment(tmp_path: Path):
    file = tmp_path / "oidc.toml"
    file.write_text(GOOD)
    found = read_sign_on(file, {"LABELER_OIDC_SECRET": "s"})
    assert (found.client_secret, found.issuer) == ("s", "https://a.example")
    with pytest.raises(UsageError, match="is not there"):
        read_sign_on(tmp_path / "none.toml", {})
