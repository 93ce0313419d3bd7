"""Long work (training, sampling) as child processes, each with a folder of its own that says all about it.

A job's folder::

    job.json         what it is and the commands that it runs, one after the other
    progress.jsonl   what the commands report (JSON lines, see reward --progress)
    log.txt          what they print
    lock             held by the process for as long as it lives, whatever becomes of the server that started it
    outcome.json     how it ended: {"state": "done"}, {"state": "failed", "message": "…"} or {"state": "cancelled"}

So a job survives a reload of the page and a restart of the server, and its state is read, never remembered.
``python -m labeler.jobs FOLDER`` is the process itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Literal

from labeler.errors import ConflictError, NotFoundError, UsageError

State = Literal["running", "done", "failed", "cancelled"]
REWARD = (sys.executable, "-m", "reward")
"""How the ``reward`` command is called: in a process of its own, since the app stays free of torch."""
NEEDED = ("reward", "torch", "transformers")
"""Packages without which it cannot run."""
GRACE_SECONDS = 5.0
"""How long a cancelled job may take to end by itself."""
LOG_TAIL = 4000
"""Bytes of the log that are searched for the reason of a failure."""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of long work.

    Attributes:
        folder: everything about it.
        kind: what sort of work, e.g. train.
        about: what the page shows of it, such as project and base.
        commands: run one after the other; the first that fails ends the job.
        created: seconds since 1970.
        pid: of the process that runs the commands, leader of its own process group.
    """

    folder: Path
    kind: str
    about: Mapping[str, Any]
    commands: tuple[tuple[str, ...], ...]
    created: float
    pid: int | None = None

    @property
    def progress(self) -> Path:
        """The file that the commands report to."""
        return self.folder / "progress.jsonl"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a progress file; ``facts`` is everything else on it, such as the loss."""

    event: str
    stage: str
    step: int
    total: int
    seconds: float
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a job is; ``message`` says why it failed."""

    state: State
    message: str = ""


def missing() -> tuple[str, ...]:
    """Packages that the ``reward`` command needs and this installation lacks, found without loading any."""
    return tuple(name for name in NEEDED if find_spec(name) is None)


def require() -> None:
    """Go on only where the ``reward`` command can run.

    Raises:
        UsageError: packages that it needs are missing.
    """
    if names := missing():
        raise UsageError(f"this needs packages that the server lacks; install {' '.join(names)} there")


def new_folder(root: Path, kind: str) -> Path:
    """A fresh folder for a job; names sort by time, also of two within a second."""
    folder = root / f"{kind}-{datetime.now().strftime('%Y%m%d-%H%M%S-%f')}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True)
    return folder


@contextmanager
def alone(root: Path, kind: str) -> Iterator[None]:
    """Keep others, in whichever process on this machine, from starting a job of a kind meanwhile.

    Raises:
        ConflictError: somebody else is starting one.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".starting-{kind}").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("somebody else is starting one just now; wait for its end or cancel it") from None
        yield


def start(
    folder: Path,
    kind: str,
    about: Mapping[str, Any],
    commands: Sequence[Sequence[str]],
    *,
    environment: Mapping[str, str] | None = None,
) -> Job:
    """Start the commands in a process of their own, which outlives this one.

    Args:
        folder: of the job.
        kind: of it.
        about: what the page shows of it.
        commands: run one after the other.
        environment: variables to set beside this process's own; they are written down nowhere, as secrets need.
    """
    job = Job(folder, kind, dict(about), tuple(tuple(command) for command in commands), time.time())
    _write(folder / "job.json", _row(job))
    with (folder / "log.txt").open("ab") as log, (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-m", "labeler.jobs", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock.fileno(),),
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that no zombie stays
    started = Job(job.folder, job.kind, job.about, job.commands, job.created, process.pid)
    _write(folder / "job.json", _row(started))
    return started


def load(folder: Path) -> Job:
    """The job in a folder."""
    try:
        row = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        commands = tuple(tuple(command) for command in row["commands"])
        return Job(folder, row["kind"], row["about"], commands, row["created"], row["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        raise NotFoundError(f"there is no job in {folder}") from None


def all_jobs(root: Path, kind: str) -> tuple[Job, ...]:
    """Every job of a kind, latest first; of every kind where it is ``*``."""
    folders = sorted(root.glob(f"{kind}-*"), reverse=True) if root.is_dir() else []
    found = []
    for folder in folders:
        with suppress(NotFoundError):
            found.append(load(folder))
    return tuple(found)


def outcome(job: Job) -> Outcome:
    """Where the job is now."""
    running = is_running(job)
    try:
        return Outcome(**json.loads((job.folder / "outcome.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return Outcome("running") if running else Outcome("failed", last_words(job.folder / "log.txt"))


def is_running(job: Job) -> bool:
    """Whether its process lives: it holds the lock, also after a restart of the server."""
    try:
        with (job.folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def cancel(job: Job) -> None:
    """End the job's own processes and no others.

    Raises:
        ConflictError: it has ended already.
    """
    if job.pid is None or not is_running(job):
        raise ConflictError("this job has ended already")
    for deadly in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(job.pid, deadly)
        patience = time.monotonic() + GRACE_SECONDS
        while is_running(job) and time.monotonic() < patience:
            time.sleep(0.05)
    _write(job.folder / "outcome.json", asdict(Outcome("cancelled")))


def events(job: Job) -> Iterator[Event]:
    """What the job reported so far; a line that is being written is left for the next time."""
    try:
        lines = job.progress.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            row = json.loads(line)
            event, stage = str(row.pop("event")), str(row.pop("stage"))
            step, total, seconds = (row.pop(name, 0) or 0 for name in ("step", "total", "seconds"))
            yield Event(event, stage, int(step), int(total), float(seconds), row)


def run(folder: Path) -> int:
    """The process of a job: its commands one after the other, then how it ended."""
    job = load(folder)
    for command in job.commands:
        code = subprocess.run(command, check=False, cwd=folder, stdin=subprocess.DEVNULL).returncode  # noqa: S603
        if code:
            _write(folder / "outcome.json", asdict(Outcome("failed", last_words(folder / "log.txt"))))
            return code
    _write(folder / "outcome.json", asdict(Outcome("done")))
    return 0


def last_words(log: Path) -> str:
    """The last line of the log, where a command says why it failed."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_TAIL))
        lines = file.read().decode("utf-8", "replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "the process ended without a word"


def _row(job: Job) -> dict[str, Any]:
    row = asdict(job)
    row.pop("folder")
    return row


def _write(path: Path, row: Mapping[str, Any]) -> None:
    """Whole or not at all: a reader never sees half a file."""
    part: IO[str]
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with temporary.open("w", encoding="utf-8") as part:
        json.dump(row, part, ensure_ascii=False)
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
