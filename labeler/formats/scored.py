"""Lists of completions with scores or ranks (UltraFeedback, Nectar), unlabelled lists, and bare prompts.

Real rows, shortened::

    {"instruction": "Name a prime.", "completions": [{"model": "m", "response": "7", "overall_score": 9.0}, …]}
    {"prompt": "Name a prime.", "answers": [{"answer": "7", "model": "m", "rank": 1}, …]}
    {"prompt": "Name a prime.", "responses": ["7", "9"], "scores": [9.0, 2.0]}
    {"prompt": "Name a prime."}
"""

from __future__ import annotations

from typing import Any

from labeler.errors import DataError
from labeler.formats import fields
from labeler.formats.fields import Row
from labeler.formats.spec import Place, annotator, build_group, completions, ranks_of_scores
from labeler.records import Group, Prompt, Ranking, Ranks

PROMPTS = ("prompt", "instruction", "question", "input", "conversation")
"""The names under which outside rows keep their prompt, the likeliest first."""
BESIDE = ("system", "system_prompt", "context", "title", "reference", "category", "status")
"""Texts of a record that are neither its prompt nor a completion."""
_LISTS = ("completions", "responses", "answers", "generations")
_TEXTS = ("response", "text", "answer", "completion", "content")
_SCORES = ("overall_score", "score", "rating")
_NOT_PROMPTS = frozenset({"completion", "completions", "chosen", "rejected", "messages", "rankings", "fields", "data"})


def find_prompt(row: Row) -> tuple[str, Prompt]:
    """The field that holds the prompt, and the prompt.

    Raises:
        DataError: there is none under a name that we know.
    """
    name = next((name for name in PROMPTS if row.get(name) is not None), None)
    if name is None:
        problem = f"there is no {', '.join(PROMPTS)} here, only {', '.join(map(str, row))}; say which, e.g. prompt=text"
        raise DataError(problem, field="prompt")
    return name, fields.prompt(row[name], name)


def _list_name(row: Row) -> str | None:
    return next((name for name in _LISTS if isinstance(row.get(name), list | tuple) and row[name]), None)


def is_scored(row: Row) -> bool:
    """A list of answers that is not our own ``completions`` (which have an id and no score)."""
    name = _list_name(row)
    if name is None or "rankings" in row or "annotations" in row or isinstance(row.get("fields"), dict):
        return False
    first = row[name][0]
    if isinstance(first, str):
        return True
    return isinstance(first, dict) and not {"id", "text"} <= first.keys()


def parse_scored(row: Row, place: Place) -> Group:
    """A scored list; equal scores tie, answers without one are not ranked, and the scores are kept in meta."""
    name = _list_name(row) or _LISTS[0]
    answers = fields.items(fields.required(row, name), name)
    rows = [_answer(answer, f"{name}[{i}]") for i, answer in enumerate(answers)]
    prompt_name, prompt = find_prompt(row)
    scores = _scores(row, rows, name)
    ranks = _ranks(rows, name) or ranks_of_scores(scores)
    judged = any(rank is not None for rank in ranks)
    texts = [_text(answer, f"{name}[{i}]") for i, answer in enumerate(rows)]
    models = [fields.optional_text(answer, "model", f"{name}[{i}].") for i, answer in enumerate(rows)]
    if any(score is not None for score in scores):
        row = {**row, "scores": scores}
    return build_group(
        row,
        place,
        prompt=prompt,
        answers=completions(texts, models),
        rankings=(Ranking(annotator(row), ranks),) if judged else (),
        used=frozenset({name, prompt_name, "models"}),
    )


def _answer(value: Any, where: str) -> Row:
    return {"text": value} if isinstance(value, str) else fields.mapping(value, where)


def _text(answer: Row, where: str) -> str:
    name = next((name for name in _TEXTS if name in answer), _TEXTS[0])
    return fields.text(answer, name, f"{where}.")


def _scores(row: Row, answers: list[Row], name: str) -> list[float | None]:
    """One score per answer, from the answers or from a list beside them; NaN in a table reads as missing."""
    beside = row.get("scores")
    if beside is None:
        found = [next(((n, a[n]) for n in _SCORES if a.get(n) is not None), ("", None)) for a in answers]
        places = [f"{name}[{i}].{key}" for i, (key, _) in enumerate(found)]
        values = [value for _, value in found]
    else:
        values = fields.items(beside, "scores")
        places = [f"scores[{i}]" for i in range(len(values))]
    if len(values) != len(answers):
        problem = f"has {len(values)} entries for {len(answers)} answers; give one per answer, or null"
        raise DataError(problem, field="scores")
    return [None if v is None else fields.cell_number(v, where) for v, where in zip(values, places, strict=True)]


def _ranks(answers: list[Row], name: str) -> Ranks | None:
    """The ranks that the answers state, if any does."""
    if all(answer.get("rank") is None for answer in answers):
        return None
    ranks = [answer.get("rank") for answer in answers]
    return tuple(None if r is None else fields.whole(r, f"{name}[{i}].rank") for i, r in enumerate(ranks))


def is_prompt(row: Row) -> bool:
    """A prompt and nothing that answers it."""
    return any(name in row for name in PROMPTS) and not _NOT_PROMPTS & row.keys() and _list_name(row) is None
