"""``reward embed-queries``: a process that stays and turns texts into vectors as they come, for whoever searches.

One JSON line in, one out, in their order, until the input ends or nothing came for a while::

    {"text": "prime numbers"}
    {"vector": [0.012, -0.044, …]}

The vectors are those that `reward embed` writes with the same settings, so their product with a vector of its file is a
cosine. The first line out is ``{"ready": …}`` with the recipe that the file's metadata holds too.
"""

from __future__ import annotations

import json
import sys
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TextIO

from labeler.errors import DataError
from reward.config.embed import EmbedQueriesConfig
from reward.encoder import TextEncoder
from reward.progress import Progress


def run(config: EmbedQueriesConfig) -> None:
    """The whole command, on the process' own input and output."""
    encoder = TextEncoder.load(config.base, pooling=config.pooling, max_length=config.max_length, device=config.device)
    answer_all(encoder, sys.stdin, sys.stdout, idle_seconds=config.idle_seconds)


def answer_all(encoder: TextEncoder, questions: TextIO, answers: TextIO, *, idle_seconds: float) -> None:
    """Answer every line until the input ends or is silent for so long.

    Raises:
        DataError: a line is not a query.
    """
    _write(answers, {"ready": encoder.recipe})
    lines: SimpleQueue[str] = SimpleQueue()
    Thread(target=_read, args=(questions, lines), daemon=True).start()
    try:
        while line := lines.get(timeout=idle_seconds):
            vector = encoder.embed([_text(line)], Progress(quiet=True))[0]
            _write(answers, {"vector": [round(float(value), 6) for value in vector]})
    except Empty:
        return


def _read(questions: TextIO, lines: SimpleQueue[str]) -> None:
    """Every line as it comes, then an empty one."""
    for line in questions:
        lines.put(line)
    lines.put("")


def _text(line: str) -> str:
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError('a query must be a line of JSON like {"text": "prime numbers"}') from error
    return str(text)


def _write(answers: TextIO, row: dict[str, Any]) -> None:
    answers.write(json.dumps(row) + "\n")
    answers.flush()
