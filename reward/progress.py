"""Progress of long commands: a bar on a terminal, plain lines otherwise, and JSON lines for programs that watch.

One line of the file that ``--progress FILE`` names::

    {"event": "step", "stage": "train", "step": 3, "total": 120, "seconds": 1.2, "loss": 0.652}

``event`` is start, step, done or error; ``seconds`` counts from the start of the stage; everything else is a number
(or a text) that the stage has to tell, null where it is not finite. Every line is flushed, so a reader may follow the
file while it grows.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from labeler.errors import UsageError

Fact = int | float | str | bool | None
PLAIN_SECONDS = 5.0
"""Between two plain lines at least so much time passes, so that a log stays readable."""


class Progress:
    """Reports the stages of one command; use it as a context manager.

    >>> with Progress(None) as progress, progress.stage("train", total=2) as stage:      # doctest: +SKIP
    ...     stage.step(1, loss=0.69)

    Args:
        path: file for the JSON lines, or None. It is appended to, so a resumed command continues it.
        quiet: no bar and no plain lines.
        stream: where bar and lines go; standard error unless given, so that standard output stays for results.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, path: Path | None = None, *, quiet: bool = False, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._file = _open(path) if path else None
        self._bar: Bar | None = None
        if not quiet and self._stream.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[facts]}"),
                console=Console(file=self._stream),
            )

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        if self._file:
            self._file.close()

    @contextmanager
    def stage(self, name: str, total: int, done: int = 0) -> Iterator[Stage]:
        """A stage of ``total`` steps, ``done`` of them done before; an exception in it is reported as an error."""
        task = self._bar.add_task(name, total=total, completed=done, facts="") if self._bar else None
        stage = Stage(self, name, total, done, task)
        stage.emit("start")
        try:
            yield stage
        except BaseException as error:
            stage.emit("error", message=str(error) or type(error).__name__)
            raise
        stage.emit("done")

    def say(self, line: str) -> None:
        """One line for people, above the bar where there is one."""
        if self._quiet:
            return
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self._stream, flush=True)

    def write(self, row: dict[str, Fact]) -> None:
        """One line of the JSON file."""
        if self._file:
            finite = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in row.items()}
            self._file.write(json.dumps(finite, ensure_ascii=False) + "\n")
            self._file.flush()

    def draw(self, task: TaskID | None, step: int, facts: str) -> None:
        """Move the bar."""
        if self._bar and task is not None:
            self._bar.update(task, completed=step, facts=facts)

    @property
    def plain(self) -> bool:
        """True where steps are to be told in plain lines."""
        return self._bar is None and not self._quiet


class Stage:
    """One stage of a command; made by `Progress.stage`."""

    def __init__(self, progress: Progress, name: str, total: int, done: int, task: TaskID | None) -> None:
        self._progress, self._name, self._total, self._step, self._task = progress, name, total, done, task
        self._started = time.monotonic()
        self._told = float("-inf")

    def step(self, step: int | None = None, **facts: Fact) -> None:
        """Say that ``step`` steps are done (by default one more), with figures such as ``loss=0.5``."""
        self._step = self._step + 1 if step is None else step
        self.emit("step", **facts)

    def emit(self, event: str, **facts: Fact) -> None:
        """Report an event to the file and to people."""
        seconds = time.monotonic() - self._started
        row: dict[str, Fact] = {"event": event, "stage": self._name, "step": self._step, "total": self._total}
        self._progress.write(row | {"seconds": round(seconds, 3)} | facts)
        text = " ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in facts.items()
        )
        self._progress.draw(self._task, self._step, text)
        due = seconds - self._told >= PLAIN_SECONDS or event != "step" or self._step == self._total
        if self._progress.plain and due:
            self._told = seconds
            self._progress.say(f"{self._name} {event} {self._step}/{self._total} {seconds:.1f} s {text}".rstrip())


def tell(*lines: str) -> None:
    """The result of a command for people, on standard output; call it when no bar is drawn any more."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--progress {path} cannot be written: {error.strerror}") from error
