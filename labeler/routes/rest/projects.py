"""Projects, their content and their results over the REST API."""

from __future__ import annotations

from dataclasses import fields

from labeler import suggest
from labeler.agreement import reliability
from labeler.api import typed
from labeler.api.common import Page, PageQuery
from labeler.api.content import Moved, Priorities, SetAside, TaskInfo
from labeler.api.insight import SampleQuery
from labeler.api.projects import AskModel, Guidelines, ModelAnswer, NewProject, ProjectInfo, Rules, Settings
from labeler.api.results import JudgmentInfo, JudgmentQuery, RankingInfo, Stats, TaskDetail
from labeler.endpoint_settings import endpoint_from
from labeler.entities import Judgment, Project
from labeler.errors import PermissionDeniedError, UsageError
from labeler.label_schema import LabelSchema, schema_from, schema_row
from labeler.rating_report import rating_report
from labeler.records import Ranking
from labeler.routes.rest.bodies import RefusedError
from labeler.routes.rest.declare import Call, operation
from labeler.routes.rest.paging import after, page_of
from labeler.suggest import SuggestError
from labeler.writing_report import writing_report

PROJECTS, CONTENT, RESULTS = "Projects", "Content", "Results"


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


@operation("POST", "/projects/{project}/settings/ask-model", tag=PROJECTS, least="manager")
async def ask_model(call: Call, project: Project, body: AskModel) -> ModelAnswer:
    """Ask the model that is to write suggestions once, and see what it answers or why it does not."""
    endpoint = endpoint_from(typed.to_json(body.suggest)) if body.suggest else project.schema.suggest
    if endpoint is None:
        raise UsageError("give an address and the name of the model first")
    try:
        return ModelAnswer(await suggest.trial(endpoint))
    except SuggestError as error:
        raise RefusedError(502, f"{error} ({error.detail})") from error


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


@operation("PUT", "/projects/{project}/aside", tag=CONTENT, least="manager")
def set_aside(call: Call, project: Project, body: SetAside) -> Moved:
    """Take tasks out of the queue, such as what everybody skips, or put them back; what was said of them stays."""
    return Moved(call.store.set_aside(project.id, body.groups, aside=body.aside))


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
