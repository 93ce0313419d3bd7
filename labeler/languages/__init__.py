"""The languages of the interface: which one somebody reads, and what a text says in it.

English is the source. Its texts stand in the code where they are used, as arguments of `t` and `tn` (of those in
``language.js`` too). Every other language is one gettext catalog beside this file, ``de.po``; the command
``python -m labeler.languages.update`` brings these up to date with the code. Messages of errors, of the REST API and of
the command line stay English.
"""

from __future__ import annotations

import gettext
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import ParamSpec

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import get_decimal_symbol, get_group_symbol

SOURCE = "en"
LANGUAGES = {SOURCE: "English", "de": "Deutsch", "es": "Español"}
"""Codes (ISO 639-1) and what each language calls itself."""
FOLDER = Path(__file__).parent

Parameters = ParamSpec("Parameters")

_current: ContextVar[str] = ContextVar("language", default=SOURCE)


def use(language: str) -> None:
    """Speak this language for the rest of the request or of the run of a page."""
    _current.set(language)


def current() -> str:
    """The language that is spoken now."""
    return _current.get()


def in_source(said: Callable[Parameters, str], *args: Parameters.args, **options: Parameters.kwargs) -> str:
    """What a function says in English, whatever is spoken: for files."""
    spoken = _current.set(SOURCE)
    try:
        return said(*args, **options)
    finally:
        _current.reset(spoken)


# Whose language


def choose(own: str | None, accept_language: str) -> str:
    """A person's own choice, else the best of what their browser accepts, else English."""
    if own in LANGUAGES:
        return own
    return next((code for code in accepted(accept_language) if code in LANGUAGES), SOURCE)


def accepted(header: str) -> list[str]:
    """The languages of an Accept-Language header (RFC 9110, 12.5.4) without their regions, the most wanted first."""
    found = sorted(_ranges(header), key=lambda item: -item[1])
    return [code for code, weight in found if weight > 0]


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(","):
        name, _, parameter = part.partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
        except ValueError:
            continue
        yield name.strip().partition("-")[0].lower(), weight


# What a text says


def t(text: str, **values: object) -> str:
    """A text in the current language, with its ``{named}`` values in place; whole numbers are grouped."""
    return _filled(_translations(current()).gettext(text), values) if text else ""


def tn(one: str, many: str, count: int, **values: object) -> str:
    """A text that depends on a number, which is its ``{count}``, in the current language."""
    return _filled(_translations(current()).ngettext(one, many, count), {"count": count, **values})


def mark(text: str) -> str:
    """The text itself: where it stands it is only named, and translated where it is shown."""
    return text


def figure(value: float, form: str = ",") -> str:
    """A number in a format of Python's (``.1f``), with the signs of the current language."""
    return f"{value:{form}}".translate(_signs(current()))


def _filled(text: str, values: dict[str, object]) -> str:
    shown = {name: figure(value) if type(value) is int else value for name, value in values.items()}
    return text.format(**shown) if shown else text


@cache
def _signs(language: str) -> dict[int, str]:
    return {ord(","): get_group_symbol(language), ord("."): get_decimal_symbol(language)}


# Catalogs


def read(language: str) -> Catalog:
    """The catalog of a language other than English."""
    with (FOLDER / f"{language}.po").open(encoding="utf-8") as file:
        return read_po(file, locale=language)


@cache
def _translations(language: str) -> gettext.NullTranslations:
    if language == SOURCE:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, read(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def for_browser(language: str) -> str:
    """``catalog.js`` in a language: a module with the texts of the JavaScript and gettext's plural rule, which is C."""
    catalog = read(language)
    texts = {_key(message.id): message.string for message in catalog if message.id and _is_in_script(message)}
    return (
        f"export const language = {json.dumps(language)};\n"
        f"export const messages = {json.dumps(texts, ensure_ascii=False)};\n"
        f"export const plural = (n) => Number({catalog.plural_expr});\n"
    )


def _is_in_script(message: Message) -> bool:
    return any(name.endswith(".js") for name, _ in message.locations)


def _key(identity: str | Sequence[str]) -> str:
    return identity if isinstance(identity, str) else identity[0]
