"""Argilla exports, of version 1 and 2, nested or flat.

A real record of Argilla 2, shortened::

    {"id": "r1", "fields": {"prompt": "…", "response-1": "…", "response-2": "…"},
     "responses": {"preference": [{"value": ["response-2", "response-1"], "user_id": "…"}]}}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeler.errors import DataError
from labeler.formats import fields
from labeler.formats.fields import Row
from labeler.formats.scored import BESIDE, PROMPTS, find_prompt
from labeler.formats.spec import Place, build_group, completions, person
from labeler.records import Group, Message, Prompt, Ranking, check_text

_PREFERENCE = re.compile("prefer|better|best|choice|choose|rank|winner|compar", re.IGNORECASE)
_TIES = frozenset({"tie", "equal", "same", "both", "draw", "none", "neither"})


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
    data = {k: v for k, v in row.items() if "." not in k and k != "id"} if flat else row["fields"]
    responses = list(_flat_responses(row) if flat else _responses(row.get("responses")))
    prompt_name, prompt, names = _layout(data)
    options = {option for response in responses for option in _options(response.value)}
    ranked = [name for name in names if any(_same(option, name) for option in options)]
    names = ranked if len(ranked) >= 2 else names
    rankings = tuple(ranking for response in responses for ranking in _argilla_ranking(response, names))
    if responses and not rankings:
        asked = ", ".join(sorted({response.question for response in responses}))
        problem = f"no ranking of, or choice between, {', '.join(names)} among the questions {asked}; export one"
        raise DataError(problem, field="responses")
    texts = [fields.text(data, name, "" if flat else "fields.") for name in names]
    leftover = {k: v for k, v in data.items() if k not in names}
    leftover |= dict(fields.mapping(row.get("metadata") or {}, "metadata"))
    return build_group(
        {"id": row.get("id") or row.get("external_id"), **leftover},
        place,
        prompt=prompt,
        answers=completions(texts),
        rankings=rankings,
        used=frozenset({prompt_name, "system", "system_prompt", "_server_id", "status"}),
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
