"""The OpenAPI 3.1 document, made from the declarations of the operations. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from labeler.api import typed
from labeler.api.common import Problem
from labeler.api.typed import Json
from labeler.entities import Project
from labeler.routes.rest.bodies import SUFFIXES
from labeler.routes.rest.declare import Archive, Operation
from labeler.routes.rest.problems import PROBLEM_TYPE

ROOT = "/api/v1"
ABOUT = (
    "What the pages do, for programs. Every request carries a personal token, made on the account page or by "
    "“labeler users token NAME”, as “Authorization: Bearer TOKEN”; it may do what its owner may. Cookies are not "
    "looked at. Lists come in pages: send “next” as “cursor”. Errors have one form, Problem."
)


def document(operations: Iterable[Operation]) -> Json:
    """The whole document."""
    operations = tuple(operations)
    paths: dict[str, Json] = defaultdict(dict)
    for operation in operations:
        paths[f"{ROOT}{operation.path}"][operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "labeler", "version": version("reward-labeler"), "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in operations)],
        "paths": dict(paths),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(operations),
            "responses": {
                "Problem": {"description": "What is wrong.", "content": _content(Problem, PROBLEM_TYPE)},
            },
        },
    }


def _operation(operation: Operation) -> Json:
    about, _ = typed.described(operation.action)
    found: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": about.partition(". ")[0].rstrip("."),
        "description": f"{about} Least role: {operation.least}.",
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": {**_success(operation.hints["return"]), **_failures()},
    }
    if "body" in operation.hints:
        found["requestBody"] = {"required": True, "content": _content(operation.hints["body"], "application/json")}
    if "upload" in operation.hints:
        found["requestBody"] = {"required": True, "content": _upload()}
    return found


def _path_parameters(operation: Operation) -> Iterator[Json]:
    for name, kind in operation.in_path.items():
        schema = typed.schema_of(int if kind is Project else kind)
        yield {"name": name, "in": "path", "required": True, "schema": schema, "description": f"Id of the {name}."}


def _query_parameters(operation: Operation) -> Iterator[Json]:
    kind = operation.hints.get("query")
    if kind is None:
        return
    shape = typed.record_schema(kind, answer=False)
    for name, schema in shape["properties"].items():
        about = {"description": schema.pop("description")} if "description" in schema else {}
        yield {"name": name, "in": "query", "required": name in shape["required"], "schema": schema, **about}


def _success(kind: Any) -> Json:
    if kind is type(None):
        return {"204": {"description": "Done."}}
    if kind is Archive:
        return {"200": {"description": "The file.", "content": {"application/octet-stream": {}}}}
    return {"200": {"description": "Done.", "content": _content(kind, "application/json")}}


def _failures() -> Json:
    return {code: {"$ref": "#/components/responses/Problem"} for code in ("4XX", "5XX")}


def _content(kind: Any, media: str) -> Json:
    return {media: {"schema": typed.schema_of(kind)}}


def _upload() -> Json:
    file = {"type": "object", "properties": {"file": {"contentMediaType": "application/octet-stream"}}}
    return {**{media: {} for media in SUFFIXES}, "multipart/form-data": {"schema": {**file, "required": ["file"]}}}


def _schemas(operations: Iterable[Operation]) -> Json:
    """Every dataclass that goes in or out; one that comes in may leave out what has a default."""
    incoming, outgoing = [], [Problem]
    for operation in operations:
        incoming += list(typed.records_in(operation.hints.get("body", str)))
        if operation.hints["return"] is not Archive:
            outgoing += list(typed.records_in(operation.hints["return"]))
    kinds = {typed.name_of(kind): kind for kind in (*incoming, *outgoing)}
    given = {typed.name_of(kind) for kind in incoming}
    return {name: typed.record_schema(kinds[name], answer=name not in given) for name in sorted(kinds)}


# The page


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a table on the page: a parameter or a field, with its type in words."""

    name: str
    kind: str
    about: str
    required: bool


@dataclass(frozen=True, slots=True)
class Section:
    """An operation on the page."""

    name: str
    method: str
    path: str
    about: str
    parameters: tuple[Entry, ...]
    body: str
    answer: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the API on the page."""

    title: str
    sections: tuple[Section, ...]


def chapters(described: Json) -> tuple[Chapter, ...]:
    """The operations of a document by tag, as the page shows them."""
    found: dict[str, list[Section]] = {tag["name"]: [] for tag in described["tags"]}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_section(path, method, operation))
    return tuple(Chapter(title, tuple(sections)) for title, sections in found.items())


def shapes(described: Json) -> dict[str, tuple[str, tuple[Entry, ...]]]:
    """What each object of a document is and has."""
    return {
        name: (shape["description"], tuple(_entries(shape)))
        for name, shape in described["components"]["schemas"].items()
    }


def _section(path: str, method: str, operation: Json) -> Section:
    parameters = tuple(
        Entry(item["name"], in_words(item["schema"]), item.get("description", ""), item["required"])
        for item in operation["parameters"]
    )
    sent = operation.get("requestBody", {}).get("content", {})
    answered = next(iter(operation["responses"].values())).get("content", {})
    body, answer = (_media_in_words(content) for content in (sent, answered))
    return Section(operation["operationId"], method.upper(), path, operation["description"], parameters, body, answer)


def _media_in_words(content: Json) -> str:
    plain = content.get("application/json", {}).get("schema")
    return in_words(plain) if plain else ", ".join(content)


def _entries(shape: Json) -> Iterator[Entry]:
    for name, schema in shape["properties"].items():
        yield Entry(name, in_words(schema), schema.get("description", ""), name in shape["required"])


def in_words(schema: Json) -> str:
    """A schema for people: ``list of Task or null``."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(in_words(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type", "any JSON")
    if kind == "array":
        return f"list of {in_words(schema['items'])}"
    if kind == "object" and schema.get("additionalProperties"):
        return f"object of {in_words(schema['additionalProperties'])}"
    return str(kind)
