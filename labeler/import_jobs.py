"""Imports that the page starts: a folder for each source, and in it the jobs that check and store it.

::

    import-20250615-…/source.json   whose it is and what it is called
                      files/…       what was uploaded, until it is stored or put away
                      check-…/      a dry run, with report.json and bad.jsonl
                      store-…/      the import itself, likewise

The work is done by ``labeler import`` in a process of its own, so that a large file holds up neither the page nor the
people who label, and survives a reload and a restart of the server.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from labeler import jobs, uploads
from labeler.cleaning import Cleaning
from labeler.errors import ConflictError, DataError, PermissionDeniedError
from labeler.formats.hub import parse_name
from labeler.importing import Report
from labeler.jobs import Job
from labeler.store import Store, User

KIND = "import"
Step = Literal["check", "store"]
CHECK: Step = "check"
STORE: Step = "store"
KEPT_SECONDS = 7 * 86400
"""So long after its last step a source is kept."""
LABELER = (sys.executable, "-m", "labeler.cli")
_HUB_NAME = re.compile(r"hf:[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(:[\w.-]+)?(/\w+(\[[\d:%]+\])?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be imported.

    Attributes:
        folder: everything about it.
        user: id of whom it belongs to.
        name: what they call it.
        place: path or ``hf:`` name that the command reads.
    """

    folder: Path
    user: int
    name: str
    place: str

    @property
    def files(self) -> Path:
        """Where an upload lies."""
        return self.folder / "files"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What the page asks for; see `labeler.commands.Import`."""

    project: str
    task: str | None = None
    format: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    overlap: int | None = None
    priority: int | None = None
    skip_bad: bool = False
    skip_known: bool = False
    cleaning: Cleaning = field(default_factory=Cleaning)

    def __post_init__(self) -> None:
        for name in self.columns:
            if name.startswith("-"):  # the command would take it for a flag
                raise DataError(f"has {name!r}, which is no field", field="columns")

    def flags(self) -> list[str]:
        """As the command takes it, but for ``--skip-bad``."""
        given: dict[str, Any] = {
            "project": self.project,
            "task": self.task,
            "format": self.format,
            "overlap": self.overlap,
            "priority": self.priority,
            "skip_known": self.skip_known,
            **asdict(self.cleaning),
        }
        flags: list[str] = []
        for name, value in given.items():
            flag = f"--{name.replace('_', '-')}"
            if value is not None and value is not False:
                flags.append(flag if value is True else f"{flag}={value}")
        renamed = [f"{ours}={theirs}" for ours, theirs in self.columns.items()]
        return [*flags, *(["--columns", *renamed] if renamed else [])]

    @classmethod
    def of(cls, job: Job) -> Choice:
        """What a job was started with."""
        row = dict(job.about["choice"])
        return cls(**{**row, "cleaning": Cleaning(**row["cleaning"])})


# Sources


def upload(runs: Path, user: User, name: str, stream: IO[bytes]) -> Source:
    """Take a file in.

    Raises:
        DataError: it cannot be imported, see `labeler.uploads.keep`.
    """
    folder = jobs.new_folder(runs, KIND)
    try:
        path = uploads.keep(name, stream, folder / "files")
    except DataError:
        uploads.forget(folder)
        raise
    return _written(Source(folder, user.id, name, str(path)))


def named(runs: Path, user: User, place: str) -> Source:
    """A data set on the Hub, or for admins a path on the server.

    Raises:
        PermissionDeniedError: it is a path, also one that looks like a name, and the user is no admin.
    """
    hub = _HUB_NAME.fullmatch(place) is not None and not Path(parse_name(place)[0]).exists()
    if not hub and user.role != "admin":
        raise PermissionDeniedError(
            "only an admin may name a path on the server; upload the file, or write hf:NAME[:CONFIG][/SPLIT]"
        )
    where = place if hub or place.startswith("hf:") else str(Path(place).absolute())
    return _written(Source(jobs.new_folder(runs, KIND), user.id, place, where))


def _written(source: Source) -> Source:
    _sweep(source.folder.parent)
    row = {"user": source.user, "name": source.name, "place": source.place}
    (source.folder / "source.json").write_text(json.dumps(row), encoding="utf-8")
    return source


def _sweep(runs: Path) -> None:
    """Remove what nobody went on with."""
    for folder in runs.glob(f"{KIND}-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                uploads.forget(folder)


def own(runs: Path, user: User) -> tuple[Source, ...]:
    """The sources of a user that were not put away, the last one first."""
    found = []
    for folder in sorted(runs.glob(f"{KIND}-*"), reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError):
            found.append(Source(folder, **json.loads((folder / "source.json").read_text(encoding="utf-8"))))
    return tuple(source for source in found if source.user == user.id)


def latest(runs: Path, user: User) -> Source | None:
    """The source that a user is importing; None where they begin anew."""
    return next(iter(own(runs, user)), None)


def put_away(source: Source) -> None:
    """Forget a source: what was uploaded is removed; work that still runs is ended."""
    for kind in (CHECK, STORE):
        for job in jobs.all_jobs(source.folder, kind):
            with suppress(ConflictError):
                jobs.cancel(job)
    uploads.forget(source.folder)


# Jobs


def start(store: Store, source: Source, choice: Choice, kind: Step) -> Job:
    """Check a source, or store it.

    Raises:
        ConflictError: it is being checked or stored now.
    """
    before = latest_job(source)
    if before and jobs.is_running(before):
        raise ConflictError("this is being worked on; wait for its end or cancel it")
    folder = jobs.new_folder(source.folder, kind)
    flags = [*choice.flags(), "--report", str(folder / "report.json"), "--progress", str(folder / "progress.jsonl")]
    if kind == CHECK:
        flags.append("--dry-run")
    if kind == CHECK or choice.skip_bad:
        flags += ["--skip-bad", str(folder / "bad.jsonl")]
    commands = [(*LABELER, "import", source.place, *flags)]
    if kind == STORE and source.files.is_dir():
        commands.append(("rm", "-r", "--", str(source.files)))  # stored, maybe masked: the original is not kept
    secret = {"LABELER_DB": store.database.address}
    return jobs.start(folder, kind, {"choice": asdict(choice)}, commands, environment=secret)


def latest_job(source: Source) -> Job | None:
    """The job that was started last; a source that is stored or being stored is not checked any more."""
    found = (*jobs.all_jobs(source.folder, STORE), *jobs.all_jobs(source.folder, CHECK))
    return max(found, key=lambda job: job.created, default=None)


def report(job: Job) -> Report | None:
    """What a job found or did; None until it has ended, and where it failed."""
    return Report.load(job.folder / "report.json")


def is_ready(found: Report, choice: Choice) -> bool:
    """Whether what a check found can be stored as it is: there is something, and no bad row is in its way."""
    some = found.counts is not None and bool(found.counts.groups or found.counts.demonstrations)
    return some and (choice.skip_bad or not found.bad)


def failure(job: Job, source: Source) -> str:
    """Why a job failed, with the source called as its user calls it."""
    return jobs.outcome(job).message.removeprefix("labeler: ").replace(source.place, source.name)


def bad_rows(job: Job, source: Source) -> str:
    """The rows that cannot be imported, as JSON Lines, with the source called as its user calls it."""
    path = job.folder / "bad.jsonl"
    if not path.is_file():
        return ""
    place, name = (json.dumps(text, ensure_ascii=False)[1:-1] for text in (source.place, source.name))
    return path.read_text(encoding="utf-8").replace(f'"file": "{place}"', f'"file": "{name}"')
