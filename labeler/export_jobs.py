"""Exports and snapshots that the page makes: a job each, in a process of its own, with its files in its folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labeler import hub_push, jobs, uploads
from labeler.entities import Project, User
from labeler.errors import ConflictError, DataError, PermissionDeniedError
from labeler.exporting import data_files
from labeler.finals import Finals
from labeler.folders import MANIFEST
from labeler.jobs import Job
from labeler.selection import Export
from labeler.store import Store

KIND = "export"
LABELER = (sys.executable, "-m", "labeler.cli")
ZIP = (sys.executable, "-m", "zipfile", "-c")


def start(
    store: Store,
    runs: Path,
    user: User,
    project: Project,
    wanted: Export | None,
    *,
    push: str | None = None,
    ranks_from_ratings: bool = False,
    adjudicated: Finals = "only",
) -> Job:
    """Make an export, or without one a snapshot; the user's earlier one is removed.

    Args:
        store: where the judgments are.
        runs: where jobs have their folders.
        user: who may download it.
        project: of which.
        wanted: the export; None for a snapshot.
        push: a data set on the Hub to which it goes as well.
        ranks_from_ratings: of a snapshot.
        adjudicated: likewise.

    Raises:
        ConflictError: the user's earlier one is still being made.
        PermissionDeniedError: somebody who is no admin wants to push; the Hub is written to with the server's token.
        UsageError: it cannot be pushed, see `labeler.hub_push.check`.
        DataError: an annotator or split cannot be named.
    """
    if push is not None and wanted is not None:
        _check_push(user, wanted, push)
    earlier = latest(runs, user)
    if earlier and jobs.is_running(earlier):
        raise ConflictError("your last export is still being made; wait for its end or cancel it")
    what = wanted.to if wanted else "snapshot"
    name = uploads.safe_name(f"{project.name}.{what}").replace(".", "-")
    given: dict[str, Any] = {"ranks_from_ratings": ranks_from_ratings, "adjudicated": adjudicated}
    if wanted:
        given = {name: value for name, value in asdict(wanted).items() if name != "selection"}
        given |= {"push": push, **asdict(wanted.selection)}
    flags = _flags(given)
    folder = jobs.new_folder(runs, KIND)
    command = (*LABELER, "export" if wanted else "snapshot", f"--project={project.name}", f"--out={folder / name}")
    about = {"user": user.id, "project": project.name, "what": what, "name": name, "push": push}
    commands = [(*command, *flags), (*ZIP, f"{name}.zip", name)]
    job = jobs.start(folder, KIND, about, commands, environment={"LABELER_DB": store.database.address})
    if earlier:
        uploads.forget(earlier.folder)
    return job


def _check_push(user: User, wanted: Export, name: str) -> None:
    if user.role != "admin":
        raise PermissionDeniedError("only an admin may push to the Hub: it is written to with the server's own token")
    hub_push.check(wanted.to, name)
    hub_push.required_token()


def _flags(given: Mapping[str, Any]) -> Sequence[str]:
    flags: list[str] = []
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, tuple):
            if any(item.startswith("-") for item in value):  # the command would take it for a flag
                raise DataError("no name that begins with a dash can be chosen", field=name)
            flags += [flag, *value] if value else []
        elif value is not None and value is not False:
            flags.append(flag if value is True else f"{flag}={value}")
    return flags


def own(runs: Path, user: User) -> tuple[Job, ...]:
    """The exports of a user, the last one first; an earlier one is there until the next is started."""
    return tuple(job for job in jobs.all_jobs(runs, KIND) if job.about["user"] == user.id)


def latest(runs: Path, user: User) -> Job | None:
    """The export that a user made last."""
    return next(iter(own(runs, user)), None)


def failure(job: Job) -> str:
    """Why a job failed."""
    return jobs.outcome(job).message.removeprefix("labeler: ")


def manifest(job: Job) -> dict[str, Any] | None:
    """What a job that is done wrote of its files; None where these are gone."""
    path = made(job) / MANIFEST
    if not (path.is_file() and download(job).is_file()):
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def made(job: Job) -> Path:
    """The folder that a job wrote."""
    return job.folder / str(job.about["name"])


def download(job: Job) -> Path:
    """The one file of an export, or everything packed where there are more, as in a snapshot."""
    files = data_files(made(job))
    packed = job.folder / f"{job.about['name']}.zip"
    return files[0] if len(files) == 1 and job.about["what"] != "snapshot" else packed
