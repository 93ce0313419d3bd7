"""Exports and snapshots that the page makes: a job each, in a process of its own, with its files in its folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labeler import jobs, uploads
from labeler.entities import Project, User
from labeler.errors import ConflictError
from labeler.exporting import data_files
from labeler.finals import Finals
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
    """
    earlier = latest(runs, user)
    if earlier and jobs.is_running(earlier):
        raise ConflictError("your last export is still being made; wait for its end or cancel it")
    folder = jobs.new_folder(runs, KIND)
    what = wanted.to if wanted else "snapshot"
    name = uploads.safe_name(f"{project.name}.{what}").replace(".", "-")
    given: dict[str, Any] = {"ranks_from_ratings": ranks_from_ratings, "adjudicated": adjudicated}
    if wanted:
        given = {name: value for name, value in asdict(wanted).items() if name != "selection"}
        given |= {"push": push, **asdict(wanted.selection)}
    command = (*LABELER, "export" if wanted else "snapshot", f"--project={project.name}", f"--out={folder / name}")
    about = {"user": user.id, "project": project.name, "what": what, "name": name, "push": push}
    commands = [(*command, *_flags(given)), (*ZIP, f"{name}.zip", name)]
    job = jobs.start(folder, KIND, about, commands, environment={"LABELER_DB": store.database.address})
    if earlier:
        uploads.forget(earlier.folder)
    return job


def _flags(given: Mapping[str, Any]) -> Sequence[str]:
    flags: list[str] = []
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, tuple):
            flags += [flag, *value] if value else []
        elif value is not None and value is not False:
            flags.append(flag if value is True else f"{flag}={value}")
    return flags


def latest(runs: Path, user: User) -> Job | None:
    """The export that a user made last."""
    return next((job for job in jobs.all_jobs(runs, KIND) if job.about["user"] == user.id), None)


def made(job: Job) -> Path:
    """The folder that a job wrote."""
    return job.folder / str(job.about["name"])


def download(job: Job) -> Path:
    """The one file of an export, or everything packed where there are more, as in a snapshot."""
    files = data_files(made(job))
    packed = job.folder / f"{job.about['name']}.zip"
    return files[0] if len(files) == 1 and job.about["what"] != "snapshot" else packed
