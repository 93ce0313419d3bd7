"""A small self-contained page that shows what a reward model picks: each prompt with its best and worst candidate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reward.pages import fill


def render(rows: Iterable[Mapping[str, Any]], *, title: str, lines: Sequence[str] = ()) -> str:
    """The page as one string without any outside reference; texts are shown exactly as they are.

    Args:
        rows: lines of what `reward rerank` writes.
        title: heading. lines: sentences under it.
    """
    return fill("best_of_n", title=title, lines=list(lines), groups=[_shown(row) for row in rows])


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    turns = row["prompt"]
    alone = len(turns) == 1
    prompt = turns[0]["content"] if alone else "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
    known = {completion["id"]: completion for completion in row["completions"]}
    ordered = [known[name] for name in row["ranking"]]
    candidates = [{"text": each["text"], "score": _score(each["score"])} for each in ordered]
    return {"id": row["id"], "prompt": prompt, "candidates": candidates}


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:+.2f}".replace("-", "−")
