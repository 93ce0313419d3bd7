"""Steps that are done once, in order, whatever kills the program between them, and a record of what each was made from.

A step names the files it reads and the one file or folder that it leaves. When it is done, one line goes into the
ledger::

    {"step": "round-1/train", "seconds": 93.1, "stopped": 0.0, "settings": {…},
     "inputs": {"round-1/snapshot": "sha256"}, "output": {"round-1/model": "sha256"}, "commit": "…", "versions": {…}}

Begun again, done steps are left alone after a look at their digests: what was changed by hand since is refused, since
everything after it was made from something else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeler.errors import DataError, UsageError
from reward.manifest import git_commit, versions
from reward.rounds.stopwatch import Stopwatch

BLOCK = 1 << 20


@dataclass(frozen=True)
class Step:
    """One step of a plan.

    Attributes:
        name: unique in its plan.
        output: the file or folder that is there, whole, when the step is done.
        work: does it; after a kill it is called again and must cope with what it left half done.
        grows: the output is there before it is whole; else one that is there is finished and needs no work.
        inputs: files and folders it reads that other steps or people made.
        settings: what else decides the output, ready for JSON.
    """

    name: str
    output: Path
    work: Callable[[], object]
    inputs: Sequence[Path] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    grows: bool = False


class Ledger:
    """The record of the steps done under one folder.

    Args:
        folder: paths inside it are written relative to it, so that the folder can be moved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "ledger.jsonl"
        self.rows = {row["step"]: row for row in _read(self.path)}

    def do(self, step: Step) -> bool:
        """Do a step unless it is done; returns whether there was something to do.

        Raises:
            UsageError: its inputs or its output changed since it was done.
            DataError: an input is missing, or the step did not leave its output.
        """
        inputs = {self._name(path): digest(path) for path in step.inputs}
        row = self.rows.get(step.name)
        if row is not None and step.output.exists():
            self._refuse_changes(row, inputs | {self._name(step.output): digest(step.output)})
            return False
        with Stopwatch(self.folder / "clock.json", step.name) as clock:
            if step.grows or not step.output.exists():
                step.work()
        if not step.output.exists():
            raise DataError(f"was not made by the step {step.name}; run again", file=str(step.output))
        row = {
            "step": step.name,
            "seconds": round(clock.seconds, 1),
            "stopped": round(clock.stopped, 1),
            "settings": dict(step.settings),
            "inputs": inputs,
            "output": {self._name(step.output): digest(step.output)},
            "commit": git_commit(),
            "versions": versions(),
        }
        self._append(row)
        clock.forget()
        return True

    def seconds(self, name: str) -> float:
        """How long a step worked that is done."""
        return float(self.rows[name]["seconds"])

    def _refuse_changes(self, row: Mapping[str, Any], now: Mapping[str, str]) -> None:
        before = {**row["inputs"], **row["output"]}
        for name, value in now.items():
            if before.get(name, value) != value:  # one that is not recorded was not looked at then
                raise UsageError(
                    f"{self.folder / name} was changed after the step {row['step']} was done; what follows was made "
                    "from the earlier one: put that back, or start in another folder"
                )

    def _append(self, row: dict[str, Any]) -> None:
        self.rows[row["step"]] = row
        with self.path.open("ab") as file:
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())

    def _name(self, path: Path) -> str:
        whole, folder = path.resolve(), self.folder.resolve()
        return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(path)


def there(*sources: str) -> list[Path]:
    """Those sources that are files or folders, and not names of models."""
    return [Path(source) for source in sources if Path(source).exists()]


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of everything in a folder, as hex digits.

    Raises:
        DataError: there is nothing.
    """
    if path.is_file():
        return _digest(path)
    if not path.is_dir():
        raise DataError("is missing; an earlier step made it, put it back or start in another folder", file=str(path))
    whole = hashlib.sha256()
    for part in sorted(part for part in path.rglob("*") if part.is_file()):
        whole.update(f"{part.relative_to(path).as_posix()}\0{_digest(part)}\n".encode())
    return whole.hexdigest()


def _digest(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            whole.update(block)
    return whole.hexdigest()


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a ledger; half a line at its end, from a kill, is cut off."""
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise DataError("is not a record of steps; start in another folder", file=str(path)) from error
