"""Typed access to the values of an outside row; every refusal names the field and the fix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from labeler.errors import DataError
from labeler.records import Message, Prompt, check_text

Row = Mapping[str, Any]
_NAMES = {"NoneType": "null", "str": "a string", "bool": "true/false", "int": "a number", "float": "a number"}


def kind(value: object) -> str:
    """What a JSON value is, in words for people: ``a list``, ``null``, ``a number``."""
    name = type(value).__name__
    return _NAMES.get(name) or ("a list" if isinstance(value, list | tuple) else "an object")


def refuse(value: object, where: str, wanted: str) -> NoReturn:
    """Raise the error for a value of the wrong type."""
    shown = "" if value is None or isinstance(value, list | tuple | Mapping) else f" ({str(value)[:40]!r})"
    raise DataError(f"is {kind(value)}{shown}; it must be {wanted}", field=where)


def required(row: Row, name: str, where: str = "") -> Any:
    """The value of a field that must be there."""
    if name not in row:
        there = ", ".join(map(str, row)) or "none"
        raise DataError(f"is missing; add it (the fields here are: {there})", field=f"{where}{name}")
    return row[name]


def text(row: Row, name: str, where: str = "") -> str:
    """A required string."""
    value = row.get(name)
    if type(value) is str and value.isascii():  # nearly every text: no more to check
        return value
    value = required(row, name, where)
    if not isinstance(value, str):
        refuse(value, f"{where}{name}", "a string")
    return check_text(value, f"{where}{name}")


def optional_text(row: Row, name: str, where: str = "") -> str | None:
    """A string, or None where it is missing or null."""
    return None if row.get(name) is None else text(row, name, where)


def whole(value: object, where: str, wanted: str = "a whole number") -> int:
    """An integer; 1.0 counts as 1, true and "1" do not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(value, where, wanted)
    return value


def number(value: object, where: str) -> float:
    """A finite float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(value, where, "a number")
    try:
        result = float(value)
    except OverflowError as error:
        raise DataError("is too large for a number; correct it", field=where) from error
    if not math.isfinite(result):
        raise DataError(f"is {result}; it must be a finite number", field=where)
    return result


def items(value: object, where: str) -> list[Any]:
    """A list."""
    if isinstance(value, list | tuple):
        return list(value)
    refuse(value, where, "a list")


def mapping(value: object, where: str) -> Row:
    """An object."""
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101  # asking for dict first is far quicker
        return value
    refuse(value, where, "an object")


def only(row: Row, known: frozenset[str], where: str = "") -> None:
    """Refuse a field that the format does not have, so that a misspelt one is not silently lost."""
    if row.keys() <= known:
        return
    unknown = next((name for name in row if name not in known and row[name] is not None), None)
    if unknown is not None:  # a table has a column for every row: null says nothing
        problem = f"is not a field here; put it under meta, or correct its name to one of {', '.join(sorted(known))}"
        raise DataError(problem, field=f"{where}{unknown}")


def plain(value: Any, where: str) -> Any:
    """A copy of free-form JSON (``meta``): finite numbers, string keys, lists for tuples. Records check the texts."""
    if isinstance(value, float):
        return number(value, where)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise DataError(f"is a {type(value).__name__}, which JSON cannot hold; turn it into text", field=where)


def _key(key: object, where: str) -> str:
    return key if isinstance(key, str) else refuse(key, where, "an object whose keys are strings")


def meta(row: Row, where: str = "meta") -> dict[str, Any]:
    """The free-form ``meta`` object of a row; missing and null read as empty."""
    value = row.get("meta")
    return dict(plain(mapping(value, where), where)) if value else {}


def rest(row: Row, used: frozenset[str]) -> dict[str, Any]:
    """What a format did not use, kept as meta so that an import loses nothing; nulls and NaN are dropped."""
    return {name: _loose(value) for name, value in row.items() if name not in used and not _nothing(value)}


def _nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _loose(value: Any) -> Any:
    """Free-form JSON of a value that nobody checks: what JSON cannot hold (dates, bytes, surrogates) becomes text."""
    if isinstance(value, Mapping):
        return {_loose(str(key)): _loose(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_loose(item) for item in value]
    if isinstance(value, bool | int):
        return value
    if _nothing(value) or isinstance(value, float):
        return None if _nothing(value) else value
    return str(value).encode(errors="replace").decode()


def cell(value: object) -> object:
    """A cell of a table: an empty one is None."""
    return None if value == "" else value


def cell_number(value: object, where: str) -> float:
    """A finite number from a cell, also one written as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            refuse(value, where, "a number")
    return number(value, where)


def cell_whole(value: object, where: str) -> int:
    """A whole number from a cell, also one written as text."""
    if isinstance(value, str):
        value = cell_number(value, where)
    return whole(value, where)


def messages(value: object, where: str) -> Prompt:
    """A list of ``{"role", "content"}`` objects as messages."""
    return tuple(_message(item, f"{where}[{index}]") for index, item in enumerate(items(value, where)))


def _message(value: object, where: str) -> Message:
    row = mapping(value, where)
    extra = next((name for name in row if name not in ("role", "content") and row[name] is not None), None)
    if extra is not None:
        raise DataError("is not a field of a message; only role and content are read", field=f"{where}.{extra}")
    role, content = text(row, "role", f"{where}."), text(row, "content", f"{where}.")
    try:
        return Message(role, content)  # type: ignore[arg-type]  # Message checks the role itself
    except DataError as error:
        raise inside(error, where) from error


def prompt(value: object, where: str = "prompt") -> Prompt:
    """A prompt: a list of messages, or a string, which is one user message."""
    if isinstance(value, str):
        return (Message("user", check_text(value, where)),)
    if not isinstance(value, list | tuple):
        refuse(value, where, "a string or a list of messages")
    if not value:
        raise DataError("is empty; give at least one message", field=where)
    return messages(value, where)


def inside(error: DataError, where: str) -> DataError:
    """The error of a nested record, its field path prefixed with where that record stands."""
    return DataError(error.problem, field=f"{where}.{error.field}" if error.field else where)
