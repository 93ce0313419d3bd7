"""Rows of published benchmarks for reward models: RewardBench (1 and 2) and RM-Bench.

A real row of each, shortened::

    {"prompt": "…", "chosen": "right", "chosen_model": "m1", "rejected": "wrong", "rejected_model": "m2",
     "subset": "refusals-dangerous", "id": 7}                                                            RewardBench 1
    {"id": "tied:3", "prompt": "Name a color.", "chosen": ["Red", "Blue"], "rejected": ["Seven", "Up"],
     "num_correct": 2, "num_incorrect": 2, "total_completions": 4, "models": ["m", …], "subset": "Ties",
     "additional_metadata": {…}}                                                                         RewardBench 2
    {"id": "chat/12", "prompt": "…", "chosen": ["concise", "detailed", "detailed, Markdown"],
     "rejected": ["concise", "detailed", "detailed, Markdown"], "domain": "chat"}                        RM-Bench

Each becomes a group whose one ranking puts every chosen answer (rank 1) above every rejected one (rank 2), in the order
of the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labeler.errors import DataError
from labeler.formats import fields
from labeler.formats.fields import Row
from labeler.formats.pairs import judged, plain_prompt
from labeler.formats.spec import Place, own_id
from labeler.records import Group

_PAIR = frozenset({"chosen", "rejected"})
STYLES = 3
"""Answers on each side of an RM-Bench row."""


def is_rm_bench(row: Row) -> bool:
    """An RM-Bench row: two lists of answers and a domain."""
    return row.keys() >= _PAIR | {"domain"} and all(isinstance(row[name], list | tuple) for name in _PAIR)


def is_rewardbench(row: Row) -> bool:
    """A RewardBench row: version 2 has lists of answers, version 1 names the two models."""
    chosen = row.get("chosen")
    listed = isinstance(chosen, list | tuple) and bool(chosen) and isinstance(chosen[0], str)
    return row.keys() >= _PAIR and (listed or "chosen_model" in row or "rejected_model" in row)


def parse_rm_bench(row: Row, place: Place) -> Group:
    """An RM-Bench row; answers stay in the order concise, detailed, detailed with Markdown."""
    better, worse = (_answers(row, name) for name in ("chosen", "rejected"))
    for name, answers in (("chosen", better), ("rejected", worse)):
        if len(answers) != STYLES:
            problem = f"has {len(answers)} answers; RM-Bench has one for each of its {STYLES} styles"
            raise DataError(problem, field=name)
    fields.text(row, "domain")
    return judged(row, place, fields.prompt(fields.required(row, "prompt")), better=better, worse=worse)


def parse_rewardbench(row: Row, place: Place) -> Group:
    """A RewardBench row: every chosen answer above every rejected one; ids are unique only within a subset."""
    better, worse = (_answers(row, name) for name in ("chosen", "rejected"))
    models = row.get("models") or [row.get("chosen_model")] * len(better) + [row.get("rejected_model")] * len(worse)
    named = [fields.optional_text({"model": model}, "model") for model in fields.items(models, "models")]
    if len(named) != len(better) + len(worse):
        named = []
    subset = fields.optional_text(row, "subset")
    if subset and row.get("id") is not None:
        row = {**row, "id": f"{subset}-{own_id(row, place)}"}
    prompt = fields.prompt(fields.required(row, "prompt"))
    used = frozenset({"models", "chosen_model", "rejected_model"} if named else ())
    return judged(row, place, prompt, better=better, worse=worse, used=used, models=named or None)


def _answers(row: Row, name: str) -> list[str]:
    value = fields.required(row, name)
    answers = [value] if isinstance(value, str) else fields.items(value, name)
    if not answers:
        raise DataError("is empty; give at least one answer", field=name)
    return [fields.text({f"{name}[{i}]": answer}, f"{name}[{i}]") for i, answer in enumerate(answers)]


def write_rm_bench(group: Group) -> Iterator[dict[str, Any]]:
    """An RM-Bench row; the group must have three answers on each side."""
    row = _row(group)
    if {len(row["chosen"]), len(row["rejected"])} != {STYLES} or "domain" not in group.meta:
        problem = f"needs {STYLES} chosen and {STYLES} rejected answers and a domain to be an RM-Bench row"
        raise DataError(problem, field=f"group {group.id}")
    yield {"id": group.id, **row, **group.meta}


def write_rewardbench(group: Group) -> Iterator[dict[str, Any]]:
    """A RewardBench 2 row, with the counts that it states."""
    row = _row(group)
    counts = {
        "num_correct": len(row["chosen"]),
        "num_incorrect": len(row["rejected"]),
        "total_completions": len(group.completions),
    }
    models = [completion.model for completion in group.completions]
    named = {"models": models} if any(model is not None for model in models) else {}
    subset = group.meta.get("subset")
    name = group.id.removeprefix(f"{subset}-") if subset else group.id
    yield {"id": name, **row, **counts, **named, **group.meta}


def _row(group: Group) -> dict[str, Any]:
    """Prompt, chosen and rejected answers of a group that one judgment divides into good and bad."""
    ranks = group.rankings[0].ranks if len(group.rankings) == 1 else ()
    if set(ranks) != {1, 2}:
        problem = "needs one ranking with every answer at rank 1 or 2 to be a row of a benchmark"
        raise DataError(problem, field=f"group {group.id}")
    texts = [completion.text for completion in group.completions]
    chosen, rejected = ([text for text, rank in zip(texts, ranks, strict=True) if rank == wanted] for wanted in (1, 2))
    return {"prompt": plain_prompt(group.prompt, group.id), "chosen": chosen, "rejected": rejected}
