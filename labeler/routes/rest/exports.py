"""Snapshots and exports over the REST API: at once, or as on the page in the background, one a person at a time."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from labeler import export_jobs, jobs
from labeler.api.exchange import ExportRun, ExportWanted, NewExport, NewSnapshot
from labeler.api.results import ExportQuery, SnapshotQuery
from labeler.entities import Project
from labeler.errors import NotFoundError
from labeler.exporting import data_files, export, preview
from labeler.jobs import Job
from labeler.routes.rest.declare import Archive, Call, operation
from labeler.routes.rest.job_info import job_info
from labeler.routes.rest.projects import RESULTS
from labeler.selection import Export, Selection
from labeler.snapshot import freeze

_ARCHIVES = {"zip": "zip", "tar.gz": "gztar"}


@operation("GET", "/projects/{project}/snapshot", tag=RESULTS, least="manager")
def get_snapshot(call: Call, project: Project, query: SnapshotQuery) -> Archive:
    """The project's judgments frozen as of now: groups.jsonl, demonstrations.jsonl and manifest.json, packed."""
    folder = Path(tempfile.mkdtemp(prefix="labeler-snapshot-"))
    try:
        freeze(
            call.store,
            project,
            folder / "snapshot",
            ranks_from_ratings=query.ranks_from_ratings,
            adjudicated=query.adjudicated,
        )
        packed = shutil.make_archive(str(folder / "packed"), _ARCHIVES[query.archive], folder / "snapshot")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Archive(Path(packed), f"snapshot-{project.id}.{query.archive}")


@operation("GET", "/projects/{project}/export", tag=RESULTS, least="manager")
def get_export(call: Call, project: Project, query: ExportQuery) -> Archive:
    """Judgments in another program's format: one file, or a zip where there are several."""
    selection = Selection(
        query.schema_version,
        (query.annotator,) if query.annotator else (),
        query.since,
        query.until,
        query.min_overlap,
        (query.split,) if query.split else (),
    )
    wanted = Export(
        to=query.to,
        ties=query.ties,
        ranks_from_ratings=query.ranks_from_ratings,
        adjudicated=query.adjudicated,
        selection=selection,
    )
    folder = Path(tempfile.mkdtemp(prefix="labeler-export-"))
    try:
        export(call.store, project, wanted, folder / "export")
        files = data_files(folder / "export")
        if len(files) == 1:
            path = files[0].rename(folder / files[0].name)
        else:
            path = Path(shutil.make_archive(str(folder / "packed"), "zip", folder / "export"))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Archive(path, path.name if len(files) == 1 else f"{query.to}-{project.id}.zip")


@operation("POST", "/projects/{project}/exports/preview", tag=RESULTS, least="manager")
def preview_export(call: Call, project: Project, body: ExportWanted) -> tuple[dict[str, Any], ...]:
    """The first rows of an export, as the format has them."""
    return tuple(preview(call.store, project, _wanted(body)))


@operation("POST", "/projects/{project}/exports", tag=RESULTS, least="manager")
def start_export(call: Call, project: Project, body: NewExport) -> ExportRun:
    """Make an export in the background, and push it to the Hub if wanted; your earlier one is removed."""
    return _run(
        export_jobs.start(
            call.store,
            call.services.runs,
            call.user,
            project,
            _wanted(body),
            push=body.push,
        )
    )


@operation("POST", "/projects/{project}/snapshots", tag=RESULTS, least="manager")
def start_snapshot(call: Call, project: Project, body: NewSnapshot) -> ExportRun:
    """Make a snapshot in the background, which is an export like the others from then on."""
    return _run(
        export_jobs.start(
            call.store,
            call.services.runs,
            call.user,
            project,
            None,
            ranks_from_ratings=body.ranks_from_ratings,
            adjudicated=body.adjudicated,
        )
    )


@operation("GET", "/exports", tag=RESULTS, least="manager")
def list_exports(call: Call) -> tuple[ExportRun, ...]:
    """Your own export that was started last, if there is one."""
    return tuple(map(_run, export_jobs.own(call.services.runs, call.user)))


@operation("GET", "/exports/{export}", tag=RESULTS, least="manager")
def get_export_run(call: Call, export: str) -> ExportRun:
    """How far an export of yours is."""
    return _run(_find(call, export))


@operation("POST", "/exports/{export}/cancel", tag=RESULTS, least="manager")
def cancel_export(call: Call, export: str) -> ExportRun:
    """End an export that is being made."""
    job = _find(call, export)
    jobs.cancel(job)
    return _run(job)


@operation("GET", "/exports/{export}/file", tag=RESULTS, least="manager")
def download_export_file(call: Call, export: str) -> Archive:
    """The file of an export that is done: one, or a zip where there are several, as in a snapshot."""
    job = _find(call, export)
    if _run(job).file is None:
        raise NotFoundError(f"the export {export!r} has no file; wait for its end, or make it again")
    path = export_jobs.download(job)
    return Archive(Path(shutil.copy(path, tempfile.mkdtemp(prefix="labeler-export-"))), path.name)


def _wanted(body: ExportWanted) -> Export:
    selection = Selection(
        body.schema_version, body.annotators, body.since, body.until, body.min_overlap, tuple(body.splits)
    )
    return Export(
        to=body.to,
        ties=body.ties,
        ranks_from_ratings=body.ranks_from_ratings,
        adjudicated=body.adjudicated,
        selection=selection,
    )


def _find(call: Call, name: str) -> Job:
    found = next((job for job in export_jobs.own(call.services.runs, call.user) if job.folder.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no export {name!r} of yours")
    return found


def _run(job: Job) -> ExportRun:
    state = job_info(job)
    found = export_jobs.manifest(job) if state.state == "done" else None
    return ExportRun(
        project=job.about["project"],
        what=job.about["what"],
        push=job.about["push"],
        job=replace(state, message=export_jobs.failure(job)) if state.state == "failed" else state,
        counts=found["counts"] if found else None,
        file=export_jobs.download(job).name if found else None,
    )
