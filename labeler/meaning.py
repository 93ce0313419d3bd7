"""Prompts that mean the same, found by ``reward embed`` in a process of its own: this one stays free of torch."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labeler.errors import DataError, UsageError
from labeler.formats import dumps
from labeler.jobs import REWARD
from labeler.records import Prompt

LAST_WORDS = 500


def available() -> bool:
    """Whether the command is installed; looks without importing it."""
    return importlib.util.find_spec("reward") is not None


def firsts(prompts: Sequence[Prompt], cosine: float, progress: Path | None = None) -> list[int]:
    """For each prompt the place of the first one that means the same.

    Args:
        prompts: the earliest first.
        cosine: of two vectors that count as the same, directly or by steps.
        progress: file to which the command reports.

    Raises:
        UsageError: the command is not installed.
        DataError: it failed; says with which words.
    """
    if not available():
        raise UsageError("--unique-meaning needs the reward package, which is not installed")
    with tempfile.TemporaryDirectory(prefix="labeler-meaning-") as folder:
        data, output = Path(folder, "prompts.jsonl"), Path(folder, "prompts.parquet")
        with data.open("w", encoding="utf-8") as file:
            for place, prompt in enumerate(prompts):
                turns = [{"role": message.role, "content": message.content} for message in prompt]
                file.write(dumps({"id": str(place), "prompt": turns}) + "\n")
        command = [*REWARD, "embed", "--data", str(data), "--output", str(output), "--duplicates", str(cosine)]
        command += ["--progress", str(progress)] if progress else []
        done = subprocess.run(  # noqa: S603  (our own interpreter and module)
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
        if done.returncode:
            raise DataError(f"reward embed failed: {done.stderr.strip()[-LAST_WORDS:] or 'without a word'}")
        return _read(output)


def _read(path: Path) -> list[int]:
    import pyarrow.parquet as pq  # noqa: PLC0415  # half a second that is not always needed

    table = pq.read_table(path, columns=["id", "first"])
    first = dict(zip(table.column("id").to_pylist(), table.column("first").to_pylist(), strict=True))
    return [int(first[str(place)]) for place in range(len(first))]
