"""An OpenID provider: the authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, section 3.1).

Knows no database: who may come in is said by `labeler.identities`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from labeler.errors import PermissionDeniedError, ProductError
from labeler.identities import Pending, Person
from labeler.sign_on_settings import SignOnSettings

Json = dict[str, Any]
SCOPES = "openid email profile"
KEPT_SECONDS = 3600.0
"""How long what the provider says of itself is kept."""
LEEWAY_SECONDS = 60
"""Clocks may differ by so much."""
SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures with the provider's own key; never one with a shared secret, and never none."""
TIMEOUT_SECONDS = 10.0


class ProviderError(ProductError):
    """The provider cannot be reached or does not keep to the protocol."""


@dataclass(frozen=True, slots=True)
class _Known:
    metadata: Json
    keys: KeySet
    until: float


class Provider:
    """One provider as its settings describe it."""

    def __init__(self, settings: SignOnSettings) -> None:
        self.settings = settings
        self._known: _Known | None = None

    async def sign_in_url(self, pending: Pending, redirect_uri: str) -> str:
        """Where to send a browser to sign in."""
        known = await self._about()
        challenge = base64.urlsafe_b64encode(sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(_url(known.metadata, "authorization_endpoint"), query)

    async def sign_out_url(self, return_to: str) -> str | None:
        """Where to send a browser to end the provider's own session; None where it has no such place."""
        metadata = (await self._about()).metadata
        if "end_session_endpoint" not in metadata:
            return None
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": return_to}
        return _with_query(_url(metadata, "end_session_endpoint"), query)

    async def person(self, code: str, pending: Pending, redirect_uri: str) -> Person:
        """Who has signed in.

        Raises:
            PermissionDeniedError: the code or the token is not good for this sign-in.
            ProviderError: the provider cannot be reached or answers something else than it should.
        """
        known = await self._about()
        tokens = await self._tokens(known.metadata, code, pending.verifier, redirect_uri)
        claims = await self._claims(str(tokens.get("id_token", "")), pending.nonce)
        if "email" not in claims and "userinfo_endpoint" in known.metadata:
            claims = await self._more(known.metadata, str(tokens.get("access_token", "")), claims)
        email = claims.get("email")
        return Person(
            issuer=self.settings.issuer,
            subject=claims["sub"],
            email=email.lower() if isinstance(email, str) else None,
            verified=claims.get("email_verified") is True,
        )

    async def _tokens(self, metadata: Json, code: str, verifier: str, redirect_uri: str) -> Json:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        own = self.settings
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        sent: dict[str, Any] = {"data": form}
        if "client_secret_basic" in methods:  # RFC 6749, section 2.3.1: both are form-encoded first
            sent["auth"] = (quote(own.client_id, safe=""), quote(own.client_secret, safe=""))
        else:
            sent["data"] = {**form, "client_id": own.client_id, "client_secret": own.client_secret}
        answer = await self._ask("POST", _url(metadata, "token_endpoint"), **sent)
        if answer.status_code in (400, 401):
            raise PermissionDeniedError(f"{own.name} did not accept this sign-in; start again")
        return self._json(answer)

    async def _claims(self, id_token: str, nonce: str) -> Json:
        """The checked claims of an ID token (section 3.1.3.7)."""
        try:
            try:
                return _verified(id_token, await self._about(), self.settings, nonce)
            except InvalidKeyIdError:  # the provider has changed its keys
                return _verified(id_token, await self._about(fresh=True), self.settings, nonce)
        except ExpiredTokenError:
            raise PermissionDeniedError("this sign-in has expired; start again") from None
        except (JoseError, ValueError) as error:
            raise PermissionDeniedError(
                f"{self.settings.name} sent a token that is not good for this sign-in; start again"
            ) from error

    async def _more(self, metadata: Json, access_token: str, claims: Json) -> Json:
        """The claims with those of the userinfo endpoint, which must be about the same person."""
        bearer = {"authorization": f"Bearer {access_token}"}
        found = self._json(await self._ask("GET", _url(metadata, "userinfo_endpoint"), headers=bearer))
        return {**found, **claims} if found.get("sub") == claims["sub"] else claims

    async def _about(self, *, fresh: bool = False) -> _Known:
        """The provider's metadata and keys."""
        if self._known is None or fresh or self._known.until < time.monotonic():
            metadata = self._json(await self._ask("GET", self.settings.discovery))
            if metadata.get("issuer") != self.settings.issuer:
                raise ProviderError(
                    f"{self.settings.name} says it is {metadata.get('issuer')!r}, not {self.settings.issuer!r}"
                )
            keys = self._json(await self._ask("GET", _url(metadata, "jwks_uri"))).get("keys", [])
            self._known = _Known(metadata, _key_set(keys), time.monotonic() + KEPT_SECONDS)
        return self._known

    async def _ask(self, method: str, url: str, **request: Any) -> httpx.Response:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                return await client.request(method, url, **request)
        except httpx.HTTPError as error:
            raise ProviderError(f"{self.settings.name} cannot be reached just now; try again later") from error

    def _json(self, answer: httpx.Response) -> Json:
        try:
            found = answer.json() if answer.is_success else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ProviderError(f"{self.settings.name} answered {answer.status_code} where it should have told more")
        return found


def _verified(id_token: str, known: _Known, settings: SignOnSettings, nonce: str) -> Json:
    offered = known.metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    token = jwt.decode(id_token, known.keys, algorithms=[name for name in SIGNED_BY if name in offered])
    jwt.JWTClaimsRegistry(
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": settings.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": settings.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(token.claims)
    audience = token.claims["aud"]
    others = isinstance(audience, list) and len(audience) > 1
    if token.claims.get("azp", None if others else settings.client_id) != settings.client_id:
        raise ValueError("the token was issued to somebody else")
    return dict(token.claims)


def _key_set(rows: list[Any]) -> KeySet:
    """The keys of kinds that are known; others are passed over (RFC 7517, section 5)."""
    keys = []
    for row in rows:
        try:
            keys.append(JWKRegistry.import_key(row))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return KeySet(keys)


def _url(metadata: Mapping[str, Any], name: str) -> str:
    found = metadata.get(name)
    if not isinstance(found, str) or not found.startswith(("https://", "http://")):
        raise ProviderError(f"the provider does not say its {name}")
    return found


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
