"""Queries as vectors, by ``reward embed-queries``: a child process that stays while it is asked.

The app itself stays free of torch. Loading the model takes seconds, answering milliseconds, so the child is started
with the first query and lives until nobody asked for ten minutes, or until the server ends.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from threading import Lock
from typing import IO, Any, cast

import numpy as np

from labeler import jobs
from labeler.errors import ModelError
from labeler.prompt_map import PromptMap
from labeler.prompt_search import Vectors

PATIENCE_SECONDS = 120.0
"""How long the child may take to load its model, which it may have to fetch first, or to answer."""


@dataclass(frozen=True, slots=True)
class _Child:
    """The process, and its ends of the pipes."""

    process: subprocess.Popen[str]
    questions: IO[str]
    answers: IO[str]


class Embedder:
    """Vectors of queries as those of a file of prompts; threads may share it.

    Args:
        prompts: what is searched; says how its vectors were made.
        log: file for what the child says of errors.
    """

    def __init__(self, prompts: PromptMap, log: Path) -> None:
        self.recipe = dict(prompts.recipe)
        how = ("--pooling", str(self.recipe["pooling"]), "--max-length", str(self.recipe["max_length"]))
        self.command = (*jobs.REWARD, "embed-queries", "--base", prompts.base, *how)
        self.log = log
        self._turn = Lock()
        self._child: _Child | None = None

    def ask(self, text: str) -> Vectors:
        """(d) the vector of a query, of length 1.

        Raises:
            ModelError: the child failed; says why.
        """
        with self._turn:
            child = self._running()
            try:
                child.questions.write(json.dumps({"text": text}) + "\n")
            except OSError as error:
                raise ModelError("the search by meaning ended a moment ago; search again") from error
            return np.asarray(self._answer(child)["vector"], dtype=np.float32)

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child:
            child.process.terminate()
            child.process.wait()
            with suppress(OSError):  # what was not yet written has nobody to read it
                child.questions.close()
            child.answers.close()

    def _running(self) -> _Child:
        if self._child is None or self._child.process.poll() is not None:
            self.close()
            with self.log.open("wb") as log:
                process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                    self.command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    bufsize=1,
                    cwd=self.log.parent,
                )
            self._child = _Child(process, cast(IO[str], process.stdin), cast(IO[str], process.stdout))
            if self._answer(self._child)["ready"] != self.recipe:
                self.close()
                raise ModelError("the model that reads queries is not the one that made the vectors; make them again")
        return self._child

    def _answer(self, child: _Child) -> dict[str, Any]:
        ready, _, _ = select([child.answers], [], [], PATIENCE_SECONDS)
        line = child.answers.readline() if ready else ""
        if not line:
            self.close()
            said = jobs.last_words(self.log) if ready else "no answer in time"
            raise ModelError(f"the search by meaning failed: {said}")
        found: dict[str, Any] = json.loads(line)
        return found
