"""What is done with trained models over the REST API: made current, compared, tried, asked what to label next."""

from __future__ import annotations

from typing import get_args

from labeler import jobs, model_jobs, model_results, trainings
from labeler.api.training import CompareModels, CurrentModel, FindDisagreement, ModelRun, OrderQueue, RunKind, TryModel
from labeler.entities import Project
from labeler.errors import DataError, NotFoundError, UsageError
from labeler.jobs import Job
from labeler.routes.rest.declare import Call, operation
from labeler.routes.rest.job_info import job_info
from labeler.routes.rest.training import TRAINING

KINDS: dict[str, RunKind] = {kind: kind for kind in get_args(RunKind)}


@operation("PUT", "/projects/{project}/current-model", tag=TRAINING, least="manager")
def make_model_current(call: Call, project: Project, body: CurrentModel) -> None:
    """Use the model of this training from now on; without this the latest one is used."""
    trainings.make_current(call.services.runs, project, _model(call, project, body.training, "training"))


@operation("POST", "/projects/{project}/model-runs/compare", tag=TRAINING, least="manager")
def compare_models(call: Call, project: Project, body: CompareModels) -> ModelRun:
    """Hold two models against each other on the same pairs, which neither learned from."""
    jobs.require()
    first, second = _model(call, project, body.first, "first"), _model(call, project, body.second, "second")
    return _run(call, project, model_jobs.compare(call.store, call.services.runs, project, first, second))


@operation("POST", "/projects/{project}/model-runs/try", tag=TRAINING, least="manager")
def try_model(call: Call, project: Project, body: TryModel) -> ModelRun:
    """Let the current model put answers to a prompt in order: a policy's, or those that are sent."""
    model, runs = _current(call, project), call.services.runs
    if body.answers:
        job = model_jobs.order_answers(runs, project, model, body.prompt, body.answers)
    else:
        job = model_jobs.sample(runs, project, model, body.prompt, policy=body.policy, n=body.n)
    return _run(call, project, job)


@operation("POST", "/projects/{project}/model-runs/order", tag=TRAINING, least="manager")
def order_queue(call: Call, project: Project, body: OrderQueue) -> ModelRun:
    """Let the current model give the tasks that nobody has judged their priority, by what they would teach it."""
    model = _current(call, project)
    job = model_jobs.order_queue(call.store, call.services.runs, project, model, most=body.most, method=body.method)
    return _run(call, project, job)


@operation("POST", "/projects/{project}/model-runs/disagree", tag=TRAINING, least="manager")
def find_disagreement(call: Call, project: Project, body: FindDisagreement) -> ModelRun:
    """Find the pairs on which the current model and the people disagree most."""
    model = _current(call, project)
    job = model_jobs.find_disagreement(call.store, call.services.runs, project, model, body.most)
    return _run(call, project, job)


@operation("GET", "/projects/{project}/model-runs", tag=TRAINING, least="manager")
def list_model_runs(call: Call, project: Project) -> tuple[ModelRun, ...]:
    """Comparisons, tries, orderings and searches for disagreement, latest first; what they found has each by itself."""
    return tuple(ModelRun(KINDS[job.kind], dict(job.about), job_info(job)) for job in _all(call, project))


@operation("GET", "/projects/{project}/model-runs/{run}", tag=TRAINING, least="manager")
def get_model_run(call: Call, project: Project, run: str) -> ModelRun:
    """How far one of these is, and what it found."""
    return _run(call, project, _find(call, project, run))


@operation("POST", "/projects/{project}/model-runs/{run}/cancel", tag=TRAINING, least="manager")
def cancel_model_run(call: Call, project: Project, run: str) -> ModelRun:
    """End one of these that runs."""
    job = _find(call, project, run)
    jobs.cancel(job)
    return _run(call, project, job)


def _current(call: Call, project: Project) -> Job:
    jobs.require()
    found = trainings.current(call.services.runs, project)
    if found is None:
        raise UsageError(f"no model has been trained yet in {project.name!r}")
    return found


def _model(call: Call, project: Project, name: str, field: str) -> Job:
    found = next((job for job in trainings.models(call.services.runs, project) if job.folder.name == name), None)
    if found is None:
        raise DataError(f"is {name!r}, which is no training of this project that gave a model", field=field)
    return found


def _all(call: Call, project: Project) -> list[Job]:
    found = [job for kind in KINDS for job in model_jobs.all_of(call.services.runs, kind, project)]
    return sorted(found, key=lambda job: job.created, reverse=True)


def _find(call: Call, project: Project, name: str) -> Job:
    found = next((job for job in _all(call, project) if job.folder.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no run {name!r} in {project.name!r}")
    return found


def _run(call: Call, project: Project, job: Job) -> ModelRun:
    """The run, with what it found where it is done."""
    about, state = dict(job.about), job_info(job)
    if state.state != "done":
        return ModelRun(KINDS[job.kind], about, state)
    if job.kind == model_jobs.COMPARE:
        return ModelRun("compare", about, state, comparison=model_results.comparison(job))
    if job.kind == model_jobs.TRY:
        return ModelRun("try", about, state, answers=model_results.answers(job))
    if job.kind == model_jobs.ORDER:
        return ModelRun("order", about, state, order=model_results.order(job))
    model = jobs.load(call.services.runs / job.about["model"])
    return ModelRun("disagree", about, state, disagreement=model_results.disagreement(job, model))
