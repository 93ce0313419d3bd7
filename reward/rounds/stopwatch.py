"""How long a step worked, whatever interrupted it.

A thread beats every few seconds and writes down the seconds up to now. After a kill the step goes on from there, with
what was worked before counted in. A beat that comes far too late, with hardly any processor time spent since the last
one, means that the whole process was stopped (SIGSTOP, a frozen container), and that time is counted apart.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from labeler.errors import DataError
from labeler.formats.files import replacing

BEAT = 2.0
"""Seconds between two beats; at most so much is lost by a kill."""
LATE = 10.0
"""A process that runs, even on a busy machine, does not let so many seconds pass between two beats…"""
IDLE = 0.05
"""…while it uses less than this share of them."""


def was_stopped(elapsed: float, processor: float) -> bool:
    """Whether a process did not run between two beats, by the seconds that passed and those of the processor."""
    return elapsed > LATE and processor < IDLE * elapsed


class Stopwatch:
    """Measures the block that it is the context of.

    Args:
        path: where the seconds up to now are kept.
        step: what is measured; seconds that the file has for it are counted in.

    Attributes:
        seconds: worked. stopped: in which the process was stopped.
    """

    def __init__(self, path: Path, step: str) -> None:
        told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        known = told if told.get("step") == step else {"seconds": 0.0, "stopped": 0.0}
        self.path, self.step = path, step
        self.seconds, self.stopped = float(known["seconds"]), float(known["stopped"])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stopwatch", daemon=True)
        self._last, self._used = time.monotonic(), time.process_time()

    def __enter__(self) -> Stopwatch:
        self._last, self._used = time.monotonic(), time.process_time()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._beat()

    def forget(self) -> None:
        """Remove the file, once what it says is written elsewhere."""
        self.path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._ended.wait(BEAT):
            self._beat()

    def _beat(self) -> None:
        now, used = time.monotonic(), time.process_time()
        elapsed = now - self._last
        if was_stopped(elapsed, used - self._used):
            self.stopped += elapsed
        else:
            self.seconds += elapsed
        self._last, self._used = now, used
        told = {"step": self.step, "seconds": self.seconds, "stopped": self.stopped}
        with suppress(DataError), replacing(self.path) as temporary:  # a full disk stops the step itself, not its clock
            temporary.write_text(json.dumps(told) + "\n", encoding="utf-8")
