"""Which OpenID provider people may sign in with, and whom it lets in: a file that people write (TOML).

::

    name = "Example"                            # on the button
    discovery = "https://sso.example.org/.well-known/openid-configuration"
    client_id = "labeler"
    client_secret = "…"                         # or in the environment: LABELER_OIDC_SECRET
    domains = ["example.org"]                   # whoever has a verified address there gets an account
    role = "labeler"                            # … of this role
    projects = ["answers"]                      # … for these projects; without any, for every project
    public_url = "https://labels.example.org"   # where browsers find this server, behind a proxy
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from labeler.entities import UserRole
from labeler.errors import DataError, UsageError

SECRET = "LABELER_OIDC_SECRET"  # noqa: S105  (the name of a variable)
WELL_KNOWN = "/.well-known/openid-configuration"
LOCAL = ("localhost", "127.0.0.1", "::1")
_LISTS = ("domains", "projects")


@dataclass(frozen=True, slots=True)
class SignOnSettings:
    """See the module; everything is checked."""

    discovery: str
    client_id: str
    client_secret: str
    name: str = "single sign-on"
    domains: tuple[str, ...] = ()
    role: UserRole = "labeler"
    projects: tuple[str, ...] = ()
    public_url: str | None = None

    @property
    def issuer(self) -> str:
        """Whom the provider must say it is."""
        return self.discovery.removesuffix(WELL_KNOWN)


def read_sign_on(path: Path, environment: Mapping[str, str] = os.environ) -> SignOnSettings:
    """The settings in a file.

    Raises:
        UsageError: it is not there.
        DataError: it says something that cannot be; names the field.
    """
    try:
        row = tomllib.loads(path.read_text(encoding="utf-8"))
        return _settings({"client_secret": environment.get(SECRET), **row})
    except FileNotFoundError:
        raise UsageError(f"{path} is not there") from None
    except DataError as error:
        raise error.at(file=str(path)) from error
    except ValueError as error:
        raise DataError(f"is no TOML: {error}", file=str(path)) from error


def _settings(row: Mapping[str, Any]) -> SignOnSettings:
    known = [field.name for field in fields(SignOnSettings)]
    for name, value in row.items():
        if name not in known:
            raise DataError(f"is no setting; there is {', '.join(known)}", field=name)
        if name in _LISTS:
            if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
                raise DataError("must be a list of texts", field=name)
        elif value is not None and (not isinstance(value, str) or not value):
            raise DataError("must be a text", field=name)
    for name in ("discovery", "client_id", "client_secret"):
        if row.get(name) is None:
            also = f", here or in the environment as {SECRET}" if name == "client_secret" else ""
            raise DataError(f"is missing{also}", field=name)
    given: dict[str, Any] = {name: tuple(value) if name in _LISTS else value for name, value in row.items()}
    return _checked(SignOnSettings(**given))


def _checked(found: SignOnSettings) -> SignOnSettings:
    if not found.discovery.endswith(WELL_KNOWN):
        raise DataError(f"must end in {WELL_KNOWN}", field="discovery")
    if found.role not in get_args(UserRole):
        raise DataError(f"must be one of {', '.join(get_args(UserRole))}", field="role")
    if found.role == "admin":
        raise DataError("cannot be admin: a whole domain would be; make admins with: labeler users add", field="role")
    for name, url in (("discovery", found.discovery), ("public_url", found.public_url)):
        parts = urlsplit(url) if url else None
        if parts and not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)):
            raise DataError("must begin with https://", field=name)
    return found
