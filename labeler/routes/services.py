"""What the routes work with, and how an error becomes an answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.responses import JSONResponse

from labeler.accounts import Accounts
from labeler.errors import (
    ConflictError,
    DataError,
    NotFoundError,
    PermissionDeniedError,
    ProductError,
    UsageError,
)
from labeler.offers import TooManyError
from labeler.provider import Provider
from labeler.store import Store
from labeler.suggest import SuggestError
from labeler.tokens import Tokens

COOKIE = "labeler_session"

STATUS: dict[type[ProductError], int] = {
    UsageError: 400,
    DataError: 400,
    PermissionDeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    TooManyError: 429,
    SuggestError: 502,
}


@dataclass(frozen=True, slots=True)
class Services:
    """The database and the accounts in it.

    Attributes:
        runs: where training and sampling keep their folders.
        one_click: links under ``/signin/`` sign in without a password; only the demo has them.
        provider: whom people may sign in with beside passwords.
    """

    store: Store
    accounts: Accounts
    runs: Path
    one_click: bool = False
    provider: Provider | None = None

    @property
    def provider_name(self) -> str | None:
        """What the provider is called on pages."""
        return self.provider.settings.name if self.provider else None

    @property
    def tokens(self) -> Tokens:
        """The tokens of people's programs."""
        return Tokens(self.store)


def refusal(status: int, sentence: str) -> JSONResponse:
    """An error as the page reads it."""
    return JSONResponse({"error": sentence}, status_code=status)


def answer_for(error: ProductError) -> JSONResponse:
    """The answer for an error of ours; what is nobody's mistake (a busy database) is 503 and may be tried again."""
    sentence = str(error)
    return refusal(STATUS.get(type(error), 503), sentence[:1].upper() + sentence[1:])
