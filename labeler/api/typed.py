"""Dataclasses ↔ JSON ↔ JSON Schema (2020-12), by their annotations. Pure.

An annotation may be str, int, float, bool, Any (any JSON), a Literal, ``X | None``, ``tuple[X, ...]``,
``dict[str, X]``, a dataclass (also a generic one), or any of them as ``Annotated[X, Limit(…)]``.
"""

from __future__ import annotations

import inspect
import math
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from labeler.errors import DataError

Json = dict[str, Any]
T = TypeVar("T")
_PLAIN: dict[Any, tuple[str, tuple[type, ...]]] = {
    str: ("string", (str,)),
    int: ("integer", (int,)),
    float: ("number", (int, float)),
    bool: ("boolean", (bool,)),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds of a value: `low` and `high` of a number, or of the length of a text or list."""

    low: int | None = None
    high: int | None = None


def hints(kind: Any) -> dict[str, Any]:
    """The annotations of a dataclass by field, of a generic one with its argument in place."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    found = _hints(origin)
    if not arguments:
        return found
    inside = dict(zip(origin.__parameters__, arguments, strict=True))
    return {name: _filled(hint, inside) for name, hint in found.items()}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    known = get_type_hints(kind, include_extras=True)
    return {field.name: known[field.name] for field in fields(kind)}


def _filled(hint: Any, inside: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return inside[hint]
    item = get_args(hint)[0] if get_origin(hint) is tuple else None
    return types.GenericAlias(tuple, (inside[item], ...)) if item in inside else hint


def is_record(kind: Any) -> bool:
    """Whether an annotation is a dataclass, possibly a generic one with its argument."""
    return is_dataclass(get_origin(kind) or kind)


def to_json(value: Any) -> Any:
    """A dataclass as JSON."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: to_json(item) for name, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, list | tuple) else value


def to_query(value: Any) -> dict[str, str | list[str]]:
    """A dataclass as a query string's values; what is not said is left out, a list's items come one by one."""
    given = {name: item for name, item in to_json(value).items() if item is not None}
    return {name: [*map(_text, item)] if isinstance(item, list) else _text(item) for name, item in given.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def from_json(kind: type[T], value: Any, *, where: str = "", strict: bool = True) -> T:
    """JSON as what an annotation says.

    Args:
        kind: the annotation.
        value: what was parsed.
        where: the path to it, for errors.
        strict: refuse fields that the dataclass does not have; otherwise they are passed over.

    Raises:
        DataError: it is something else; names the field.
    """
    found: T = _read(kind, value, where, strict)
    return found


def _read(kind: Any, value: Any, where: str, strict: bool) -> Any:  # noqa: PLR0911  (one for each sort of annotation)
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Annotated:
        return _within(_read(arguments[0], value, where, strict), arguments[1], where)
    if origin in (Union, types.UnionType):
        inner = next(part for part in arguments if part is not type(None))
        return None if value is None else _read(inner, value, where, strict)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise DataError(f"must be one of {', '.join(map(str, arguments))}", field=where)
        return value
    if is_record(kind):
        return _record(kind, value, where, strict)
    if origin is tuple:
        items = enumerate(_of_kind(value, list, "a list", where))
        return tuple(_read(arguments[0], item, f"{where}[{index}]", strict) for index, item in items)
    if origin is dict:
        entries = _of_kind(value, dict, "an object", where).items()
        return {name: _read(arguments[1], item, f"{where}.{name}", strict) for name, item in entries}
    return _plain(kind, value, where)


def _of_kind(value: Any, kind: type, name: str, where: str) -> Any:
    if not isinstance(value, kind):
        raise DataError(f"must be {name}", field=where or "body")
    return value


def _plain(kind: Any, value: Any, where: str) -> Any:
    name, allowed = _PLAIN[kind]
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise DataError(f"must be a {name}" if name != "integer" else "must be a whole number", field=where)
    if kind is not float:
        return value
    number = float(cast(float, value))
    if not math.isfinite(number):
        raise DataError("must be a finite number", field=where)
    return number


def _within(value: Any, limit: Limit, where: str) -> Any:
    if value is None:
        return None
    number = isinstance(value, int | float)
    size, unit = (value, "") if number else (len(value), " characters long" if isinstance(value, str) else " long")
    if limit.low is not None and size < limit.low:
        raise DataError(f"must be at least {limit.low}{unit}", field=where)
    if limit.high is not None and size > limit.high:
        raise DataError(f"must be at most {limit.high}{unit}", field=where)
    return value


def _record(kind: Any, value: Any, where: str, strict: bool) -> Any:
    given = _of_kind(value, dict, "an object", where)
    known = hints(kind)
    prefix = f"{where}." if where else ""
    for name in given if strict else ():
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none'}"
            raise DataError(f"is no field here; {hint}", field=f"{prefix}{name}")
    values = {
        name: _read(hint, given[name], f"{prefix}{name}", strict) for name, hint in known.items() if name in given
    }
    origin = get_origin(kind) or kind
    missing = [field.name for field in fields(origin) if field.name not in values and is_required(field)]
    if missing:
        raise DataError("is missing", field=f"{prefix}{missing[0]}")
    return origin(**values)


def is_required(field: Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def name_of(kind: Any) -> str:
    """The name of a dataclass in the document, as ``TaskPage`` for ``Page[Task]``."""
    origin = get_origin(kind) or kind
    return "".join(name_of(argument) for argument in get_args(kind)) + str(origin.__name__)


def schema_of(kind: Any) -> Json:  # noqa: PLR0911  (likewise)
    """The JSON Schema of an annotation; dataclasses are references into the document's components."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if origin is Annotated:
        return schema_of(arguments[0]) | _bounds(arguments[0], arguments[1])
    if origin in (Union, types.UnionType):
        inner = next(part for part in arguments if part is not type(None))
        return {"anyOf": [schema_of(inner), {"type": "null"}]}
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if is_record(kind):
        return {"$ref": f"#/components/schemas/{name_of(kind)}"}
    if origin is tuple:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    return {"type": _PLAIN[kind][0]}


def _bounds(kind: Any, limit: Limit) -> Json:
    core = next((part for part in get_args(kind) if part is not type(None)), kind)
    if core in (int, float):
        low, high = "minimum", "maximum"
    elif core is str:
        low, high = "minLength", "maxLength"
    elif get_origin(kind) is dict:
        low, high = "minProperties", "maxProperties"
    else:
        low, high = "minItems", "maxItems"
    return {name: value for name, value in ((low, limit.low), (high, limit.high)) if value is not None}


def record_schema(kind: Any, *, answer: bool) -> Json:
    """The JSON Schema of a dataclass, described by its docstring.

    Args:
        kind: the dataclass.
        answer: only the server sends it, and it leaves no field out.
    """
    origin = get_origin(kind) or kind
    summary, about = described(origin)
    properties, required = {}, []
    for field in fields(origin):
        hint = hints(kind)[field.name]
        entry = schema_of(hint)
        if about.get(field.name):
            entry = entry | {"description": about[field.name]}
        if not answer and field.default not in (MISSING, None, ()):
            entry = entry | {"default": field.default}
        properties[field.name] = entry
        if answer or is_required(field):
            required.append(field.name)
    shape: Json = {"type": "object", "description": summary, "properties": properties, "required": required}
    return shape | {"additionalProperties": False}


def records_in(kind: Any) -> Iterator[Any]:
    """Every dataclass within an annotation, itself included, once or more."""
    if is_record(kind):
        yield kind
        for hint in hints(kind).values():
            yield from records_in(hint)
    else:
        for argument in get_args(kind):
            if not isinstance(argument, Limit | str):
                yield from records_in(argument)


def described(thing: Any) -> tuple[str, dict[str, str]]:
    """A docstring's text, and what it says of each attribute or argument; of a dataclass's bases too."""
    text = inspect.getdoc(thing) or ""
    before, _, after = re.sub(r"\n(Attributes|Args):\n", "\0", text).partition("\0")
    after = re.split(r"\n(?=\S)", after)[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", after, re.MULTILINE)
    flat = re.split(r"\n(?:Raises|Returns):\n", before)[0]
    about = {name: _line(said) for name, said in entries}
    for base in getattr(thing, "__bases__", ()):
        about = (described(base)[1] if is_dataclass(base) else {}) | about
    return _line(flat), about


def _line(text: str) -> str:
    return " ".join(text.split()).replace("`", "")
