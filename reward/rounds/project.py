"""The labeling project as the cycle sees it: through the ``labeler`` command, as a person at a shell would use it.

The trainer knows nothing of the database; it runs the command in a process of its own and reads what it prints.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labeler.errors import StoreError


@dataclass(frozen=True)
class Standing:
    """How a project stands: ``finished`` of ``tasks`` have all the judgments that they need."""

    tasks: int
    finished: int


@dataclass(frozen=True)
class LabelingProject:
    """A project of a labeling database.

    Attributes:
        db: URL of the database.
        name: of the project.
    """

    db: str
    name: str

    def put(self, groups: Path, overlap: int) -> None:
        """Import groups; those that are there already are left alone."""
        self._labeler("init")
        self._labeler("import", str(groups), "--project", self.name, "--overlap", str(overlap), "--skip-known")

    def standing(self) -> Standing:
        """How the project stands now."""
        counts = json.loads(self._labeler("stats", "--project", self.name, "--json"))["counts"]
        return Standing(counts["tasks"], counts["finished"])

    def wait(self, tell: Callable[[Standing], None], seconds: float) -> Standing:
        """Wait until every task has its judgments, looking and telling every so many seconds."""
        while (now := self.standing()).finished < now.tasks:
            tell(now)
            time.sleep(seconds)
        return now

    def snapshot(self, out: Path) -> None:
        """Freeze the judgments into a folder."""
        self._labeler("snapshot", "--project", self.name, "--out", str(out))

    def _labeler(self, *words: str) -> str:
        """What the command prints.

        Raises:
            StoreError: it failed; with what it said.
        """
        done = subprocess.run(  # noqa: S603 (our own program, no shell)
            [sys.executable, "-m", "labeler.cli", *words, "--db", self.db],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise StoreError(f"labeler {words[0]} failed: {said[-1].removeprefix('labeler: ')}")
        return done.stdout
