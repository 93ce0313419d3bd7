"""The project's own group format, one JSON object a line.

::

    {"id": "g1", "prompt": [{"role": "user", "content": "Name a prime."}],
     "completions": [{"id": "c0", "text": "7", "model": "m1"}, {"id": "c1", "text": "9", "model": null}],
     "rankings": [{"annotator": "ann", "ranks": [1, 2], "strength": 4}], "source": "demo", "meta": {}}

A string prompt is one user message, ranks may have any spacing, and null stands for an absent optional field. Unknown
fields are refused: a misspelt ``rankngs`` must not read as "nobody ranked this"; free-form data belongs under ``meta``.
Beside its flags per completion a ranking may have ``prompt_flags``, names of flags of the prompt, and ``top_only``:
only the best were asked for, and those in the last rank were left over, not compared with each other. Programs that
know neither lose nothing else by passing them over.

What ``reward rerank`` adds to a group (``ranking`` and ``best``, ``score`` and ``rank`` of its completions) is passed
over, so that its output can be labelled or reranked again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labeler.errors import DataError
from labeler.formats import fields
from labeler.formats.fields import Row
from labeler.records import SCENARIO, Completion, Demonstration, Group, Prompt, Ranking, Ranks

GROUP_FIELDS = frozenset({"id", "prompt", "completions", "rankings", "source", "split", "meta"})
DEMONSTRATION_FIELDS = frozenset({"id", "prompt", "completion", "annotator", "source", "meta"})
COMPLETION_FIELDS = frozenset({"id", "text", "model"})
RERANKED_FIELDS = frozenset({"ranking", "best"})
SCORED_FIELDS = COMPLETION_FIELDS | {"score", "rank"}
RANKING_FIELDS = frozenset(Ranking.__dataclass_fields__)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def parse_group(row: Mapping[str, Any]) -> Group:
    """A native row as a group.

    Raises:
        DataError: with the path of the field at fault, e.g. ``rankings[0].ranks[2]``.
    """
    reranked = row.keys() >= RERANKED_FIELDS
    fields.only(row, GROUP_FIELDS | RERANKED_FIELDS if reranked else GROUP_FIELDS)
    known = SCORED_FIELDS if reranked else COMPLETION_FIELDS
    completions = fields.items(fields.required(row, "completions"), "completions")
    rankings = fields.items(row.get("rankings") or (), "rankings")
    return Group(
        id=fields.text(row, "id"),
        prompt=_prompt(row),
        completions=tuple(_completion(item, f"completions[{i}]", known) for i, item in enumerate(completions)),
        rankings=tuple(parse_ranking(item, f"rankings[{i}]") for i, item in enumerate(rankings)),
        source=fields.optional_text(row, "source") or "",
        split=fields.optional_text(row, "split"),
        meta=fields.meta(row),
    )


def _prompt(row: Row) -> Prompt:
    """The prompt; an empty one where a scenario stands in its place, see `labeler.records.SCENARIO`."""
    given = fields.required(row, "prompt")
    return () if given == [] and SCENARIO in fields.meta(row) else fields.prompt(given)


def _completion(value: object, where: str, known: frozenset[str]) -> Completion:
    row = fields.mapping(value, where)
    fields.only(row, known, f"{where}.")
    dot = f"{where}."
    try:
        return Completion(
            fields.text(row, "id", dot), fields.text(row, "text", dot), fields.optional_text(row, "model", dot)
        )
    except DataError as error:
        raise _placed(error, where) from error


def parse_ranking(value: object, where: str) -> Ranking:
    """The object of one ranking; its length is checked where the group is built."""
    row = fields.mapping(value, where)
    fields.only(row, RANKING_FIELDS, f"{where}.")
    dot = f"{where}."
    extras: dict[str, Any] = {
        name: _OPTIONAL[name](row[name], dot + name) for name in row if name in _OPTIONAL and row[name] is not None
    }
    try:
        return Ranking(
            fields.text(row, "annotator", dot), _ranks(fields.required(row, "ranks", dot), f"{dot}ranks"), **extras
        )
    except DataError as error:
        raise _placed(error, where) from error


def _placed(error: DataError, where: str) -> DataError:
    return error if (error.field or "").startswith(where) else fields.inside(error, where)


def _ranks(value: object, where: str) -> Ranks:
    ranks = fields.items(value, where)
    return tuple(
        rank if type(rank) is int or rank is None else fields.whole(rank, f"{where}[{i}]", "a whole number or null")
        for i, rank in enumerate(ranks)
    )


def _strength(value: object, where: str) -> int:
    return fields.whole(value, where, "1, 2, 3 or 4")


def _flags(value: object, where: str) -> tuple[tuple[str, ...], ...]:
    return tuple(_texts(names or (), f"{where}[{i}]") for i, names in enumerate(fields.items(value, where)))


def _texts(value: object, where: str) -> tuple[str, ...]:
    return tuple(_text(item, f"{where}[{i}]") for i, item in enumerate(fields.items(value, where)))


def _text(value: object, where: str) -> str:
    return value if isinstance(value, str) else fields.refuse(value, where, "a string")


def _flag(value: object, where: str) -> bool:
    return value if isinstance(value, bool) else fields.refuse(value, where, "true or false")


def _moment(value: object, where: str) -> str:
    moment = _text(value, where)
    try:
        if not _RFC3339.fullmatch(moment):
            raise ValueError(moment)
        datetime.fromisoformat(moment.upper())
    except ValueError as error:
        problem = f"is {moment[:40]!r}; write the time as RFC 3339, e.g. 2025-01-31T12:00:00Z"
        raise DataError(problem, field=where) from error
    return moment


_OPTIONAL = {
    "strength": _strength,
    "ratings": _ranks,
    "flags": _flags,
    "all_bad": _flag,
    "note": _text,
    "seconds": fields.number,
    "order": _texts,
    "at": _moment,
    "weight": fields.number,
    "prompt_flags": _texts,
    "top_only": _flag,
}


def group_to_row(group: Group) -> dict[str, Any]:
    """A group as a native row: keys in a fixed order, ranks dense, absent optional fields left out."""
    row: dict[str, Any] = {
        "id": group.id,
        "prompt": prompt_rows(group.prompt),
        "completions": [{"id": c.id, "text": c.text, "model": c.model} for c in group.completions],
        "rankings": [ranking_row(ranking) for ranking in group.rankings],
        "source": group.source,
    }
    if group.split is not None:
        row["split"] = group.split
    row["meta"] = dict(group.meta)
    return row


def prompt_cell(prompt: Prompt) -> str | list[dict[str, str]]:
    """A prompt as its one user message's text where it is no more than that, else as message objects."""
    single = len(prompt) == 1 and prompt[0].role == "user"
    return prompt[0].content if single else prompt_rows(prompt)


def prompt_rows(prompt: Prompt) -> list[dict[str, str]]:
    """Messages as the ``{"role", "content"}`` objects of every chat format."""
    return [{"role": message.role, "content": message.content} for message in prompt]


def ranking_row(ranking: Ranking) -> dict[str, Any]:
    """A ranking as a native object, absent fields left out."""
    row: dict[str, Any] = {"annotator": ranking.annotator, "ranks": list(ranking.ranks)}
    for name in _OPTIONAL:
        value = getattr(ranking, name)
        if value is not None and value is not False:
            row[name] = [list(v) if isinstance(v, tuple) else v for v in value] if isinstance(value, tuple) else value
    return row


def parse_demonstration(row: Mapping[str, Any]) -> Demonstration:
    """A native row as a demonstration.

    Raises:
        DataError: with the path of the field at fault.
    """
    fields.only(row, DEMONSTRATION_FIELDS)
    return Demonstration(
        id=fields.text(row, "id"),
        prompt=fields.prompt(fields.required(row, "prompt")),
        completion=fields.text(row, "completion"),
        annotator=fields.optional_text(row, "annotator"),
        source=fields.optional_text(row, "source") or "",
        meta=fields.meta(row),
    )


def demonstration_to_row(demonstration: Demonstration) -> dict[str, Any]:
    """A demonstration as a native row, keys in a fixed order."""
    return {
        "id": demonstration.id,
        "prompt": prompt_rows(demonstration.prompt),
        "completion": demonstration.completion,
        "annotator": demonstration.annotator,
        "source": demonstration.source,
        "meta": dict(demonstration.meta),
    }


def is_group(row: Row) -> bool:
    """Whether a row is meant as a native group, sound or not."""
    return "completions" in row or "rankings" in row


def is_demonstration(row: Row) -> bool:
    """Whether a row is meant as a native demonstration, sound or not."""
    return "completion" in row and "id" in row and row.keys() <= DEMONSTRATION_FIELDS
