"""Imports over the REST API: at once from what is sent, or step by step as on the page, also from the Hub."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import fields, replace
from pathlib import Path

from labeler import import_jobs, jobs, uploads
from labeler.api.content import Imported, ImportOptions, ImportProblem, ImportQuery, LeftOutInfo, MaskedInfo
from labeler.api.exchange import ImportChoice, ImportRun, NewImport
from labeler.cleaning import Cleaning
from labeler.entities import ImportCounts, Project
from labeler.errors import ConflictError, NotFoundError, PermissionDeniedError
from labeler.import_jobs import CHECK, STORE, Choice, Source, Step
from labeler.importing import Report, Wanted, bring_in
from labeler.jobs import Job
from labeler.routes.rest.declare import Archive, Call, Upload, operation
from labeler.routes.rest.job_info import job_info
from labeler.routes.rest.projects import CONTENT

STEPS: dict[str, Step] = {step: step for step in (CHECK, STORE)}
NO_MEANING = (
    "comparing meanings takes too long for one request: send the file to /imports/upload, check it with "
    "unique_meaning at /imports/{source}/check, then store it"
)


@operation("POST", "/projects/{project}/import", tag=CONTENT, least="manager")
def import_groups(call: Call, project: Project, query: ImportQuery, upload: Upload) -> Imported:
    """Add prompts with completions, rankings made elsewhere, and demonstrations; all or nothing.

    Send JSON lines, JSON, CSV, TSV or Parquet as the body, or a form with one file. Comparing meanings takes too long
    for one request: with ``unique_meaning``, upload the file as a source, check that and store it.
    """
    if query.unique_meaning is not None:
        raise ConflictError(NO_MEANING)
    wanted = Wanted(
        source=str(upload.path),
        name=upload.name,
        project=project.name,
        format=query.format,
        overlap=query.overlap,
        priority=query.priority,
        skip_bad=upload.path.with_name(".bad") if query.skip_bad else None,
        skip_known=query.skip_known,
        cleaning=_cleaning(query),
    )
    return _imported(bring_in(call.store, wanted, dry_run=query.dry_run))


@operation("GET", "/imports", tag=CONTENT, least="manager")
def list_imports(call: Call) -> tuple[ImportRun, ...]:
    """Your sources that were not put away, the last one first; they are kept for a week."""
    return tuple(map(_run, import_jobs.own(call.services.runs, call.user)))


@operation("POST", "/imports", tag=CONTENT, least="manager")
def add_import(call: Call, body: NewImport) -> ImportRun:
    """Name a data set on the Hub that is to be imported; then have it checked, and stored."""
    return _run(import_jobs.named(call.services.runs, call.user, body.place.strip()))


@operation("POST", "/imports/upload", tag=CONTENT, least="manager")
def upload_import(call: Call, upload: Upload) -> ImportRun:
    """Send a file that is to be imported, as the body or in a form; then have it checked, and stored."""
    name = upload.path.name if upload.name == "body" else upload.name
    unpacked = name[: -len(".gz")] if name.lower().endswith(".gz") else name
    with upload.path.open("rb") as file:
        return _run(import_jobs.upload(call.services.runs, call.user, unpacked, file))


@operation("GET", "/imports/{source}", tag=CONTENT, least="manager")
def get_import(call: Call, source: str) -> ImportRun:
    """How far a source of yours is, and what was found in it or added."""
    return _run(_find(call, source))


@operation("POST", "/imports/{source}/check", tag=CONTENT, least="manager")
def check_import(call: Call, source: str, body: ImportChoice) -> ImportRun:
    """Read and clean a source without storing anything, which tells what is in it and what is wrong."""
    given, last = _find(call, source), _last(call, source)
    _check_project(call, body.project)
    if last and last.kind == STORE and not jobs.is_running(last):
        if jobs.outcome(last).state == "done":
            raise ConflictError("this was imported already; put it away")
        uploads.forget(last.folder)
    choice = Choice(
        project=body.project,
        task=body.task,
        format=body.format,
        columns=body.columns,
        overlap=body.overlap,
        priority=body.priority,
        skip_bad=body.skip_bad,
        skip_known=body.skip_known,
        cleaning=_cleaning(body),
    )
    import_jobs.start(call.store, given, choice, CHECK)
    return _run(given)


@operation("POST", "/imports/{source}/store", tag=CONTENT, least="manager")
def store_import(call: Call, source: str) -> ImportRun:
    """Store a source as it was checked last; all or nothing."""
    given, last = _find(call, source), _last(call, source)
    if last is None or (last.kind == STORE and not jobs.is_running(last)):
        raise ConflictError("this was imported already; put it away" if last and _done(last) else "check it first")
    if not jobs.is_running(last):
        found, choice = import_jobs.report(last), Choice.of(last)
        _check_project(call, choice.project)
        if found is None or not import_jobs.is_ready(found, choice):
            raise ConflictError("it has nothing to store, or bad rows: mend the file, or skip_bad, and check it again")
    import_jobs.start(call.store, given, Choice.of(last), STORE)
    return _run(given)


@operation("POST", "/imports/{source}/cancel", tag=CONTENT, least="manager")
def cancel_import(call: Call, source: str) -> ImportRun:
    """End a check or an import that runs; of an import nothing is stored then."""
    given, last = _find(call, source), _last(call, source)
    if last is None:
        raise ConflictError("this job has ended already")
    jobs.cancel(last)
    return _run(given)


@operation("GET", "/imports/{source}/bad-rows", tag=CONTENT, least="manager")
def get_bad_rows(call: Call, source: str) -> Archive:
    """The rows that cannot be imported with their reasons, as JSON lines."""
    given, last = _find(call, source), _last(call, source)
    rows = import_jobs.bad_rows(last, given) if last else ""
    if not rows:
        raise NotFoundError(f"the import {source!r} has no bad rows")
    path = Path(tempfile.mkdtemp(prefix="labeler-rows-")) / "bad-rows.jsonl"
    try:
        path.write_text(rows, encoding="utf-8")
    except BaseException:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
    return Archive(path, path.name)


@operation("DELETE", "/imports/{source}", tag=CONTENT, least="manager")
def put_import_away(call: Call, source: str) -> None:
    """Forget a source: what was uploaded is removed, work that still runs is ended. What was stored stays."""
    import_jobs.put_away(_find(call, source))


def _cleaning(options: ImportOptions) -> Cleaning:
    return Cleaning(**{field.name: getattr(options, field.name) for field in fields(Cleaning)})


def _check_project(call: Call, name: str) -> None:
    """Whoever is restricted to some projects imports into these alone, and makes none."""
    own = {project.name for project in call.store.projects(call.user.id)}
    if name not in own and call.store.memberships(call.user.id):
        raise PermissionDeniedError(f"{call.user.name!r} is restricted to some projects and cannot make others")


def _find(call: Call, name: str) -> Source:
    own = import_jobs.own(call.services.runs, call.user)
    found = next((source for source in own if source.folder.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no import {name!r} of yours")
    return found


def _last(call: Call, name: str) -> Job | None:
    return import_jobs.latest_job(_find(call, name))


def _done(job: Job) -> bool:
    return jobs.outcome(job).state == "done"


def _run(source: Source) -> ImportRun:
    last = import_jobs.latest_job(source)
    if last is None:
        return ImportRun(source.folder.name, source.name, None, None, None, None, ready=False)
    state = job_info(last)
    if state.state == "running":
        found = None
    else:
        found, state = import_jobs.report(last), replace(state, message=import_jobs.failure(last, source))
    ready = found is not None and last.kind == CHECK and import_jobs.is_ready(found, Choice.of(last))
    return ImportRun(
        id=source.folder.name,
        name=source.name,
        step=STEPS[last.kind],
        choice=dict(last.about["choice"]),
        job=state,
        report=_imported(found) if found else None,
        ready=ready,
    )


def _imported(done: Report) -> Imported:
    counts = done.counts or ImportCounts(0, 0, 0)
    return Imported(
        format=done.format,
        columns=tuple(done.columns),
        groups=counts.groups,
        judgments=counts.judgments,
        demonstrations=counts.demonstrations,
        sizes={str(size): number for size, number in done.sizes.items()},
        first=tuple(dict(row) for row in done.first),
        bad=done.bad,
        problems=tuple(ImportProblem(**one) for one in done.problems),
        repeated=done.repeated,
        left_out=tuple(LeftOutInfo(**one) for one in done.left_out),
        reasons=dict(done.reasons),
        masked=dict(done.kinds),
        masked_in=tuple(MaskedInfo(**one) for one in done.masked),
        splits=dict(done.splits),
        personal=dict(done.seen),
        dry_run=done.dry_run,
    )
