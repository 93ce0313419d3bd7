"""Projects, their content and their results over the REST API."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import fields
from pathlib import Path

from labeler.agreement import reliability
from labeler.api import typed
from labeler.api.common import Page, PageQuery
from labeler.api.content import Imported, ImportProblem, ImportQuery, LeftOutInfo, Priorities, TaskInfo
from labeler.api.insight import SampleQuery
from labeler.api.projects import Guidelines, NewProject, ProjectInfo, Rules, Settings
from labeler.api.results import ExportQuery, JudgmentInfo, JudgmentQuery, RankingInfo, SnapshotQuery, Stats, TaskDetail
from labeler.cleaning import Cleaning
from labeler.entities import ImportCounts, Judgment, Project
from labeler.errors import PermissionDeniedError
from labeler.exporting import data_files, export
from labeler.importing import Report, Wanted, bring_in
from labeler.label_schema import LabelSchema, schema_from, schema_row
from labeler.rating_report import rating_report
from labeler.records import Ranking
from labeler.routes.rest.declare import Archive, Call, Upload, operation
from labeler.routes.rest.paging import after, page_of
from labeler.selection import Export, Selection
from labeler.snapshot import freeze
from labeler.writing_report import writing_report

PROJECTS, CONTENT, RESULTS = "Projects", "Content", "Results"
_ARCHIVES = {"zip": "zip", "tar.gz": "gztar"}


@operation("GET", "/projects", tag=PROJECTS, least="labeler")
def list_projects(call: Call, query: PageQuery) -> Page[ProjectInfo]:
    """The projects that you may work in."""
    found = [project for project in call.store.projects(call.user.id) if project.id > after(query.cursor)]
    items = [_info(project, call) for project in found[: query.limit + 1]]
    return page_of(items, query.limit, lambda project: project.id)


@operation("POST", "/projects", tag=PROJECTS, least="manager")
def add_project(call: Call, body: NewProject) -> ProjectInfo:
    """Make a project. Who is restricted to some projects cannot."""
    if call.store.memberships(call.user.id):
        raise PermissionDeniedError(f"{call.user.name!r} is restricted to some projects and cannot make others")
    rules = {name: getattr(body, name) for name in ("guidelines", "overlap", "dwell_seconds", "lease_seconds")}
    return _info(call.store.add_project(body.name, schema=_schema(body.settings), **rules), call)


@operation("GET", "/projects/{project}", tag=PROJECTS, least="labeler")
def get_project(call: Call, project: Project) -> ProjectInfo:
    """One project, with its settings and guidelines."""
    return _info(project, call)


@operation("PUT", "/projects/{project}/settings", tag=PROJECTS, least="manager")
def set_settings(call: Call, project: Project, body: Settings) -> ProjectInfo:
    """Ask something else from now on; judgments keep the version that they were made under."""
    return _info(call.store.set_schema(project.id, _schema(body)), call)


@operation("PATCH", "/projects/{project}/rules", tag=PROJECTS, least="manager")
def set_rules(call: Call, project: Project, body: Rules) -> ProjectInfo:
    """Change how many people judge each task, the dwell time, or how long a task stays reserved."""
    changed = call.store.set_rules(
        project.id, overlap=body.overlap, dwell_seconds=body.dwell_seconds, lease_seconds=body.lease_seconds
    )
    return _info(changed, call)


@operation("PUT", "/projects/{project}/guidelines", tag=PROJECTS, least="manager")
def set_guidelines(call: Call, project: Project, body: Guidelines) -> ProjectInfo:
    """Publish a new version of the guidelines."""
    return _info(call.store.set_guidelines(project.id, body.text), call)


@operation("POST", "/projects/{project}/import", tag=CONTENT, least="manager")
def import_groups(call: Call, project: Project, query: ImportQuery, upload: Upload) -> Imported:
    """Add prompts with completions, rankings made elsewhere, and demonstrations; all or nothing.

    Send JSON lines, JSON, CSV, TSV or Parquet as the body, or a form with one file.
    """
    given = {field.name: getattr(query, field.name) for field in fields(Cleaning) if hasattr(query, field.name)}
    wanted = Wanted(
        source=str(upload.path),
        name=upload.name,
        project=project.name,
        format=query.format,
        overlap=query.overlap,
        priority=query.priority,
        skip_bad=upload.path.with_name(".bad") if query.skip_bad else None,
        skip_known=query.skip_known,
        cleaning=Cleaning(**given),
    )
    return _imported(bring_in(call.store, wanted, dry_run=query.dry_run))


def _imported(done: Report) -> Imported:
    counts = done.counts or ImportCounts(0, 0, 0)
    return Imported(
        format=done.format,
        groups=counts.groups,
        judgments=counts.judgments,
        demonstrations=counts.demonstrations,
        bad=done.bad,
        problems=tuple(ImportProblem(**one) for one in done.problems),
        repeated=done.repeated,
        left_out=tuple(LeftOutInfo(**one) for one in done.left_out),
        reasons=dict(done.reasons),
        masked=dict(done.kinds),
        splits=dict(done.splits),
        dry_run=done.dry_run,
    )


@operation("GET", "/projects/{project}/tasks", tag=CONTENT, least="manager")
def list_tasks(call: Call, project: Project, query: PageQuery) -> Page[TaskInfo]:
    """Tasks in the order of import, with the models of their completions."""
    found = call.store.task_page(project.id, after=after(query.cursor), limit=query.limit + 1)
    items = [TaskInfo(task.id, task.row, task.overlap, task.remaining, task.priority) for task in found]
    return page_of(items, query.limit, lambda task: task.id)


@operation("GET", "/projects/{project}/tasks/{task}", tag=CONTENT, least="manager")
def get_task(call: Call, project: Project, task: int) -> TaskDetail:
    """One task with everything that was said of it and stands."""
    with call.store.frozen(project.id) as frozen:
        judgments = sorted(frozen.task(task)[1], key=lambda judgment: judgment.id)
    (found,) = call.store.task_page(project.id, after=task - 1, limit=1)
    state = TaskInfo(found.id, found.row, found.overlap, found.remaining, found.priority)
    return TaskDetail(state, tuple(_judgment(judgment, stands=True) for judgment in judgments))


@operation("PUT", "/projects/{project}/priorities", tag=CONTENT, least="manager")
def set_priorities(call: Call, project: Project, body: Priorities) -> None:
    """Say which tasks come first; all or nothing."""
    call.store.set_priorities(project.id, body.priorities)


@operation("GET", "/projects/{project}/judgments", tag=RESULTS, least="manager")
def list_judgments(call: Call, project: Project, query: JudgmentQuery) -> Page[JudgmentInfo]:
    """Judgments in the order in which they were recorded."""
    found = call.store.judgment_page(
        project.id, after=after(query.cursor), limit=query.limit + 1, standing=query.standing
    )
    items = [_judgment(judgment, stands=stands) for judgment, stands in found]
    return page_of(items, query.limit, lambda judgment: judgment.id)


@operation("GET", "/projects/{project}/stats", tag=RESULTS, least="manager")
def get_stats(call: Call, project: Project, query: SampleQuery) -> Stats:
    """How the project stands and how far its annotators agree, with intervals over tasks."""
    with call.store.frozen(project.id) as frozen:
        counts, annotators = frozen.counts(), frozen.annotator_counts()
        (judged, complete), schemas = frozen.sample(query.sample), frozen.label_schemas()
    agreement, marks = reliability(group for group, _ in judged), rating_report(judged, schemas)
    return Stats(counts, annotators, len(judged), complete, agreement, marks, writing_report(judged))


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


def _schema(settings: Settings) -> LabelSchema:
    row = {name: value for name, value in typed.to_json(settings).items() if value is not None}
    return schema_from(row)


def _info(project: Project, call: Call) -> ProjectInfo:
    schema = schema_row(project.schema)
    if call.user.role == "labeler":
        schema["suggest"] = None  # who only labels does not learn which model it is
    return ProjectInfo(
        project.id,
        project.name,
        typed.from_json(Settings, typed.to_json(schema)),
        project.schema_version,
        project.guidelines,
        project.guidelines_version,
        project.overlap,
        project.dwell_seconds,
        project.lease_seconds,
    )


def _judgment(judgment: Judgment, *, stands: bool) -> JudgmentInfo:
    return JudgmentInfo(
        id=judgment.id,
        task=judgment.task_id,
        group=judgment.group_id,
        annotator=judgment.annotator,
        origin=judgment.origin,
        kind=judgment.kind,
        ranking=_ranking(judgment.ranking) if judgment.ranking else None,
        edit=judgment.edit,
        written=judgment.written,
        dialogue=judgment.dialogue,
        reason=judgment.reason,
        note=judgment.note or (judgment.ranking.note if judgment.ranking else None),
        seconds=judgment.seconds,
        order=judgment.order,
        at=judgment.at,
        settings_version=judgment.schema_version,
        guidelines_version=judgment.guidelines_version,
        supersedes=judgment.supersedes,
        stands=stands,
    )


def _ranking(ranking: Ranking) -> RankingInfo:
    return RankingInfo(**{field.name: getattr(ranking, field.name) for field in fields(RankingInfo)})
