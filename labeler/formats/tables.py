"""Flat tables: two or more completions side by side in a row (wide), or one completion a row (long).

Real rows::

    prompt,completion_a,completion_b,model_a,model_b,winner,annotator        wide
    Name a prime.,7,9,m1,m2,a,ann

    id,prompt,completion,model,annotator,rank                long: rows of one id (or prompt) are a group
    g1,Name a prime.,7,m1,ann,1
    g1,Name a prime.,9,m2,ann,2
    g1,Name a prime.,7,m1,bob,1

The long table that we write holds everything that the native format holds: the rarer fields of a judgment and ``meta``
stand as JSON in one cell each. CSV cannot tell an empty string from null, so an empty ``model`` reads as null.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from labeler.errors import DataError
from labeler.formats import fields, native
from labeler.formats.fields import Row
from labeler.formats.keys import dumps
from labeler.formats.scored import find_prompt
from labeler.formats.spec import (
    ANONYMOUS,
    Place,
    annotator,
    build_group,
    completions,
    own_id,
    own_split,
    ranks_of_scores,
)
from labeler.records import Completion, Group, Ranking, check_json

_SIDE = re.compile(r"(?:completion|response|answer|output)_([a-z]|\d{1,2})")
_VERDICTS = ("preference", "winner", "choice", "label")
_TEXTS = ("completion", "response", "answer", "output")
_MARKS = ("completion_id", "rank", "score", "model")
_STRENGTH = ("strength", "all_bad")
_CHATS = frozenset({"prompt", "chosen", "rejected"})
_NESTED = frozenset(
    {"messages", "completions", "rankings", "meta", "judgment", "fields", "responses", "data", "annotations"}
)
_LONG = frozenset(
    {"id", "prompt", "completion_id", *_TEXTS, "model", "annotator", "rank", "score", "judgment", "source", "meta"}
)


def is_wide(row: Row) -> bool:
    """Completions side by side, ``completion_a`` and ``completion_b`` or more."""
    return len(_sides(row)) >= 2


def _sides(row: Row) -> dict[str, str]:
    """Column of each side, by its letter or number."""
    matches = ((name, _SIDE.fullmatch(name)) for name in row if isinstance(name, str))
    return {match[1]: name for name, match in matches if match}


def parse_wide(row: Row, place: Place) -> Group:
    """Completions side by side; the judgment is a verdict (``winner=a``, ``tie``) or a rank column per side."""
    sides = _sides(row)
    if len(sides) < 2:
        problem = f"there are no columns completion_a and completion_b here, only {', '.join(map(str, row))}"
        raise DataError(f"{problem}; name them, e.g. completion_a=answer1", field="completion_a")
    prompt_name, prompt = find_prompt(row)
    models = [fields.cell(row.get(f"model_{side}")) for side in sides]
    named = [fields.optional_text({"model": model}, "model") for model in models]
    ranks, all_bad = _side_ranks(row, list(sides))
    judged = any(rank is not None for rank in ranks)
    extra = _strength(row) | ({"all_bad": True} if all_bad else {})
    used = {prompt_name, *sides.values(), *_VERDICTS, *_STRENGTH}
    used |= {f"{name}_{side}" for name in ("model", "rank") for side in sides}
    return build_group(
        row,
        place,
        prompt=prompt,
        answers=completions([fields.text(row, name) for name in sides.values()], named),
        rankings=(Ranking(annotator(row), ranks, **extra),) if judged else (),
        used=frozenset(used),
    )


def _side_ranks(row: Row, sides: list[str]) -> tuple[tuple[int | None, ...], bool]:
    """The rank of each side, and whether the verdict called both bad."""
    cells = {side: fields.cell(row.get(f"rank_{side}")) for side in sides}
    if any(cell is not None for cell in cells.values()):
        return tuple(None if c is None else fields.cell_whole(c, f"rank_{s}") for s, c in cells.items()), False
    name = next((name for name in _VERDICTS if fields.cell(row.get(name)) is not None), None)
    if name is None:
        return (None,) * len(sides), False
    verdict = str(row[name]).strip().lower()
    if verdict.startswith("tie") or verdict in ("both", "equal", "draw", "both_bad"):
        return (1,) * len(sides), "bad" in verdict
    winner = re.sub(r"^(completion|response|answer|output|model)[ _-]?", "", verdict)
    if winner not in sides:
        problem = f"is {verdict!r}; it must be one of {', '.join(sides)} or tie"
        raise DataError(problem, field=name)
    return tuple(1 if side == winner else 2 for side in sides), False


def is_long(row: Row) -> bool:
    """One completion a row: a text with a rank, a score, a model or an id of its own."""
    return any(name in row for name in _TEXTS) and any(name in row for name in _MARKS) and "label" not in row


def long_key(row: Row) -> str:
    """What the rows of one group share: their id, else their prompt."""
    name = "id" if fields.cell(row.get("id")) is not None else find_prompt(row)[0]
    return f"{name}:{row[name]}"


def merge_long(rows: Sequence[tuple[int, Row]], place: Place) -> Group:
    """The rows of one group: distinct completions in order of appearance, one ranking per annotator."""
    head = rows[0][1]
    prompt_name, prompt = find_prompt(head)
    answers: dict[str, Completion] = {}
    judgments: dict[tuple[str, str], dict[str, Row]] = {}
    for line, row in rows:
        try:
            if find_prompt(row)[1] != prompt:
                problem = "differs from the first row with this id; give every prompt its own id"
                raise DataError(problem, field=prompt_name)
            _add_row(row, answers, judgments)
        except DataError as error:
            raise error.at(line=line) from error
    source = head.get("source")
    return Group(
        id=own_id(head, place),
        prompt=prompt,
        completions=tuple(answers.values()),
        rankings=tuple(_long_ranking(name, judged, list(answers)) for (name, _), judged in judgments.items()),
        source=place.source if source is None else fields.text(head, "source"),
        split=own_split(head, place),
        meta=fields.meta(head) | fields.rest(head, _LONG | {prompt_name, "split", *_STRENGTH}),
    )


def _add_row(row: Row, answers: dict[str, Completion], judgments: dict[tuple[str, str], dict[str, Row]]) -> None:
    """Take in one row of a group: its completion, and its cell of a judgment."""
    answer = _long_answer(row, answers)
    if answer is None:
        return
    answers[answer.id] = answer
    for name, convert in (("rank", fields.cell_whole), ("score", fields.cell_number)):
        if fields.cell(row.get(name)) is not None:
            convert(row[name], name)
    if any(fields.cell(row.get(name)) is not None for name in ("annotator", "rank", "score")):
        check_json(row.get("judgment"), "judgment")
        key = (
            str(fields.cell(row.get("annotator")) or ANONYMOUS),
            dumps({"": fields.plain(row.get("judgment"), "judgment")}),
        )
        if judgments.setdefault(key, {}).setdefault(answer.id, row) is not row:
            raise DataError(f"{key[0]!r} judged {answer.id!r} in an earlier row too; keep one", field="annotator")


def _long_answer(row: Row, known: dict[str, Completion]) -> Completion | None:
    """The completion of a row; one without an id is told by its text and model. None: the group has none."""
    name = next((name for name in _TEXTS if name in row), _TEXTS[0])
    own = fields.cell(row.get("completion_id"))
    if own is None and "completion_id" in row and fields.cell(row.get(name)) is None:
        return None
    text = fields.text(row, name)
    model = fields.optional_text({"model": fields.cell(row.get("model"))}, "model")
    if own is None:
        same = (c.id for c in known.values() if (c.text, c.model) == (text, model))
        own = next(same, f"c{len(known)}")
    answer = Completion(str(own), text, model)
    if known.get(answer.id, answer) != answer:
        problem = f"completion {answer.id!r} has another text or model in an earlier row; give it its own completion_id"
        raise DataError(problem, field=name)
    return answer


def _long_ranking(name: str, judged: dict[str, Row], ids: Sequence[str]) -> Ranking:
    """One annotator's ranking, from ranks, or from scores (higher is better) where nothing is ranked."""
    cells = {key: [fields.cell(judged[i].get(key)) if i in judged else None for i in ids] for key in ("rank", "score")}
    if any(cell is not None for cell in cells["rank"]):
        ranks = tuple(None if cell is None else fields.cell_whole(cell, "rank") for cell in cells["rank"])
    else:
        scores = [None if cell is None else fields.cell_number(cell, "score") for cell in cells["score"]]
        ranks = ranks_of_scores(scores)
    head = next(iter(judged.values()))
    stored = dict(fields.mapping(fields.cell(head.get("judgment")) or {}, "judgment"))
    stored.pop("repeat", None)
    return native.parse_ranking({**stored, **_strength(head), "annotator": name, "ranks": ranks}, "judgment")


def _strength(row: Row) -> dict[str, Any]:
    """The cells of a judgment that tables of other people may have."""
    found: dict[str, Any] = {}
    if (strength := fields.cell(row.get("strength"))) is not None:
        found["strength"] = fields.cell_whole(strength, "strength")
    if (all_bad := fields.cell(row.get("all_bad"))) is not None:
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(all_bad).lower() not in known:
            raise DataError(f"is {all_bad!r}; it must be true or false", field="all_bad")
        found["all_bad"] = known[str(all_bad).lower()]
    return found


def write_long(group: Group) -> Iterator[dict[str, Any]]:
    """One row per completion and ranking (one per completion where nobody ranked), as the module's text shows."""
    prompt = native.prompt_cell(group.prompt)
    base = {
        "id": group.id,
        "prompt": prompt if _decoded("prompt", prompt) == prompt else native.prompt_rows(group.prompt),
    }
    last = {"source": group.source, "split": group.split, "meta": dict(group.meta) or None}
    people = Counter(ranking.annotator for ranking in group.rankings)
    rankings: list[tuple[int, Ranking | None]] = [*enumerate(group.rankings)] or [(0, None)]
    for number, ranking in rankings:
        judgment: dict[str, Any] = {} if ranking is None else native.ranking_row(ranking)
        who, ranks = judgment.pop("annotator", None), judgment.pop("ranks", None)
        if people[who] > 1:
            judgment["repeat"] = number  # tells two judgments of one person apart
        for i, answer in enumerate(group.completions or [None]):
            yield {
                **base,
                "completion_id": answer and answer.id,
                "completion": answer and answer.text,
                "model": answer and answer.model,
                "annotator": who,
                "rank": ranks and ranks[i],
                "judgment": judgment or None,
                **last,
            }


def decode_cells(row: Row, *, only_text: bool = False) -> dict[str, Any]:
    """A table's row with the JSON in its cells read.

    Args:
        row: the row as stored.
        only_text: cells are all text (CSV), so that a conversation, too, can only stand as JSON in its cell.
    """
    return {name: _decoded(name, value, only_text) if isinstance(value, str) else value for name, value in row.items()}


def _decoded(name: str, value: Any, chats: bool = True) -> Any:
    """The JSON of a nested column, or of a conversation; any other text, however it looks, stays text."""
    chat = chats and name in _CHATS
    if not isinstance(value, str) or not (chat or name in _NESTED):
        return value
    if name in _NESTED and not value:
        return None
    if not value.startswith("[{" if chat else ("[", "{")):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    is_chat = all(isinstance(turn, dict) and turn.keys() == {"role", "content"} for turn in found)
    return found if is_chat or not chat else value
