"""Argilla exports, of version 1 and 2, nested or flat.

A real record of Argilla 2, shortened::

    {"id": "r1", "fields": {"prompt": "…", "response-1": "…", "response-2": "…"},
     "responses": {"preference": [{"value": ["response-2", "response-1"], "user_id": "…"}]}}

What we write is a record of Argilla 2 with the question ``ranking``, ranks as its server has them. Annotators become
the user ids that `user_id` makes of their names, which stand in the metadata with all else that a record has no place
for; of a judgment only the ranks are told.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labeler.errors import DataError
from labeler.formats import fields, native
from labeler.formats.fields import Row
from labeler.formats.keys import dumps
from labeler.formats.scored import BESIDE, PROMPTS, find_prompt
from labeler.formats.spec import Place, build_group, completions, person
from labeler.records import Completion, Group, Message, Prompt, Ranking, check_text

_PREFERENCE = re.compile("prefer|better|best|choice|choose|rank|winner|compar", re.IGNORECASE)
_TIES = frozenset({"tie", "equal", "same", "both", "draw", "none", "neither"})


OURS = "labeler"
"""The key of a record's metadata that holds, as JSON text, what our own records have more than Argilla's."""


def user_id(annotator: str) -> str:
    """The user id that stands for an annotator's name: Argilla's are UUIDs."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, annotator))


def is_argilla(row: Row) -> bool:
    """An Argilla record, nested or as its flat ``datasets`` export."""
    nested = isinstance(row.get("fields"), Mapping) and ("responses" in row or "suggestions" in row)
    return nested or any(isinstance(name, str) and name.endswith(".responses") for name in row)


@dataclass(frozen=True, slots=True)
class _Response:
    """One person's answer to one question."""

    question: str
    value: Any
    user: str
    where: str


def parse_argilla(row: Row, place: Place) -> Group:
    """An Argilla record: ranking questions and choices between the completions become rankings."""
    flat = not isinstance(row.get("fields"), Mapping)
    ours = _ours(row)
    data = {k: v for k, v in row.items() if "." not in k and k != "id"} if flat else row["fields"]
    responses = list(_flat_responses(row) if flat else _responses(row.get("responses")))
    prompt_name, prompt, names = _layout(data)
    options = {option for response in responses for option in _options(response.value)}
    ranked = [name for name in names if any(_same(option, name) for option in options)]
    names = ranked if len(ranked) >= 2 and ours is None else names
    rankings = tuple(ranking for response in responses for ranking in _argilla_ranking(response, names))
    if responses and not rankings:
        asked = ", ".join(sorted({response.question for response in responses}))
        problem = f"no ranking of, or choice between, {', '.join(names)} among the questions {asked}; export one"
        raise DataError(problem, field="responses")
    texts = [fields.text(data, name, "" if flat else "fields.") for name in names]
    leftover = {k: v for k, v in data.items() if k not in names}
    leftover |= dict(fields.mapping(row.get("metadata") or {}, "metadata"))
    if ours is not None:
        return _our_group(ours, row, prompt, texts, rankings)
    return build_group(
        {"id": row.get("id") or row.get("external_id"), **leftover},
        place,
        prompt=prompt,
        answers=completions(texts),
        rankings=rankings,
        used=frozenset({prompt_name, "system", "system_prompt", "_server_id", "status"}),
    )


def _ours(row: Row) -> Row | None:
    """What we wrote into a record's metadata, if it is one of ours."""
    written = fields.mapping(row.get("metadata") or {}, "metadata").get(OURS)
    if written is None:
        return None
    try:
        return fields.mapping(json.loads(written), f"metadata.{OURS}")
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError("is not the JSON that was written; export it again", field=f"metadata.{OURS}") from error


def _our_group(ours: Row, row: Row, prompt: Prompt, texts: Sequence[str], rankings: Sequence[Ranking]) -> Group:
    """A record that we wrote, maybe with new responses, as the group that it was."""
    where = f"metadata.{OURS}."
    answers = fields.items(fields.required(ours, "completions", where), f"{where}completions")
    if len(answers) != len(texts):
        raise DataError(f"has {len(answers)} completions, the record {len(texts)}", field=f"{where}completions")
    known = [fields.mapping(answer, f"{where}completions[{i}]") for i, answer in enumerate(answers)]
    people = {user_id(name): name for name in fields.items(ours.get("annotators") or (), f"{where}annotators")}
    return Group(
        id=fields.text({"id": row.get("id")}, "id"),
        prompt=prompt,
        completions=tuple(
            Completion(fields.text(answer, "id", where), text, fields.optional_text(answer, "model", where))
            for answer, text in zip(known, texts, strict=True)
        ),
        rankings=tuple(replace(said, annotator=people.get(said.annotator, said.annotator)) for said in rankings),
        source=fields.optional_text(ours, "source", where) or "",
        split=fields.optional_text(ours, "split", where),
        meta=fields.meta(ours, f"{where}meta"),
    )


def _layout(data: Row) -> tuple[str, Prompt, list[str]]:
    """Which field is the prompt, the prompt itself (with its system message), and which fields are completions."""
    name, prompt = find_prompt(data)
    system = data.get("system") or data.get("system_prompt")
    if isinstance(system, str) and prompt[0].role != "system":
        prompt = (Message("system", check_text(system, "system")), *prompt)
    others = [n for n, v in data.items() if isinstance(v, str) and n not in (*BESIDE, *PROMPTS)]
    return name, prompt, others


def _responses(value: object) -> Iterator[_Response]:
    """Argilla 2 maps questions to answers; Argilla 1 lists people with their answers."""
    if isinstance(value, Mapping):
        for question, answers in value.items():
            for i, item in enumerate(fields.items(answers or (), f"responses.{question}")):
                where = f"responses.{question}[{i}]"
                answer = fields.mapping(item, where)
                yield _Response(question, answer.get("value"), person(answer.get("user_id")), f"{where}.value")
        return
    for i, item in enumerate(fields.items(value or (), "responses")):
        someone = fields.mapping(item, f"responses[{i}]")
        if someone.get("status") not in (None, "submitted"):
            continue
        for question, answer in fields.mapping(someone.get("values") or {}, f"responses[{i}].values").items():
            where = f"responses[{i}].values.{question}"
            chosen = fields.mapping(answer, where).get("value")
            yield _Response(question, chosen, person(someone.get("user_id")), f"{where}.value")


def _flat_responses(row: Row) -> Iterator[_Response]:
    """The columns ``Q.responses``, ``Q.responses.users`` and ``Q.responses.status`` of a flat export."""
    for name, values in row.items():
        if not name.endswith(".responses") or values is None:
            continue
        users, statuses = (fields.items(row.get(f"{name}.{k}") or (), f"{name}.{k}") for k in ("users", "status"))
        for i, value in enumerate(fields.items(values, name)):
            if i >= len(statuses) or statuses[i] in (None, "submitted"):
                user = person(users[i] if i < len(users) else None)
                yield _Response(name.removesuffix(".responses"), value, user, f"{name}[{i}]")


def _options(value: Any) -> list[str]:
    """The options that an answer names, where it is a ranking or a choice."""
    if isinstance(value, list | tuple):
        value = [item.get("value") if isinstance(item, Mapping) else item for item in value]
    else:
        value = [value]
    return [item for item in value if isinstance(item, str)]


def _argilla_ranking(response: _Response, names: Sequence[str]) -> Iterator[Ranking]:
    """The ranking that an answer states, or nothing where it answers some other question."""
    options, value = _options(response.value), response.value
    if isinstance(value, str) and value.lower() in _TIES and len(names) == 2 and _PREFERENCE.search(response.question):
        yield Ranking(response.user, (1, 1))
        return
    places = [_index(option, names) for option in options]
    if not options or None in places:
        return
    if isinstance(value, str) and (len(names) != 2 or all(_plain(value) != _plain(name) for name in names)):
        return  # a comment that happens to end in a number is no choice
    ranks: list[int | None] = [None] * len(names)
    for order, place in enumerate(places):
        entry = value[order] if isinstance(value, list | tuple) else None
        rank = entry.get("rank") if isinstance(entry, Mapping) else None
        ranks[place or 0] = order + 1 if rank is None else fields.whole(rank, f"{response.where}[{order}].rank")
    if isinstance(value, str):  # a choice of one of two: the other one lost
        ranks = [rank or 2 for rank in ranks]
    yield Ranking(response.user, tuple(ranks))


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name.lower())


def _same(option: str, name: str) -> bool:
    """Whether an option means a field: ``Response 1`` and ``response-1`` do, and so do equal last numbers."""
    if _plain(option) == _plain(name):
        return True
    ends = [re.search(r"(\d+)$", text) for text in (option, name)]
    return ends[0] is not None and ends[1] is not None and int(ends[0][1]) == int(ends[1][1])


def _index(option: str, names: Sequence[str]) -> int | None:
    exact = [i for i, name in enumerate(names) if _plain(name) == _plain(option)]
    return next(iter(exact or [i for i, name in enumerate(names) if _same(option, name)]), None)


def write_argilla(group: Group) -> Iterator[dict[str, Any]]:
    """A record; rankings that rank nothing are left out."""
    names = [f"response-{number}" for number in range(1, len(group.completions) + 1)]
    ours = {
        "completions": [{"id": c.id, "model": c.model} for c in group.completions],
        "annotators": list(dict.fromkeys(ranking.annotator for ranking in group.rankings)),
        "source": group.source,
        "split": group.split,
        "meta": dict(group.meta),
    }
    responses = [_response(ranking, names) for ranking in group.rankings if ranking.last is not None]
    yield {
        "id": group.id,
        "fields": {
            "prompt": native.prompt_cell(group.prompt),
            **{name: answer.text for name, answer in zip(names, group.completions, strict=True)},
        },
        "metadata": {OURS: dumps(ours)},
        "suggestions": {},
        "responses": {"ranking": responses} if responses else {},
        "vectors": {},
    }


def _response(ranking: Ranking, names: Sequence[str]) -> dict[str, Any]:
    ranked = sorted((rank, name) for rank, name in zip(ranking.ranks, names, strict=True) if rank is not None)
    value = [{"value": name, "rank": rank} for rank, name in ranked]
    return {"value": value, "user_id": user_id(ranking.annotator), "status": "submitted"}
