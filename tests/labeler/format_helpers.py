"""Small helpers of the format tests: save rows, read the one group in them, say what it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labeler.formats import read
from labeler.records import Group

HI = {"role": "user", "content": "Hi"}
QUESTION = {"role": "user", "content": "Name a prime."}
SEVEN, NINE = {"role": "assistant", "content": "7"}, {"role": "assistant", "content": "9"}


def save(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def one(tmp_path: Path, row: Any, *, as_format: str = "auto", expect: str | None = None, **options: Any) -> Group:
    found = read(save(tmp_path / "rows.jsonl", row), format=as_format, **options)
    assert found.format == (expect or as_format)
    (group,) = found.groups
    return group


def says(group: Group) -> tuple[list[tuple[str, str]], list[str], list[tuple[int | None, ...]]]:
    return (
        [(m.role, m.content) for m in group.prompt],
        [c.text for c in group.completions],
        [r.ranks for r in group.rankings],
    )
