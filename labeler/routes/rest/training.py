"""Training reward models over the REST API."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from labeler import jobs, trainings
from labeler.api.training import NewTraining, Training
from labeler.entities import Project
from labeler.errors import NotFoundError
from labeler.jobs import Job
from labeler.routes.rest.declare import Call, operation
from labeler.routes.rest.job_info import job_info

TRAINING = "Training"


@operation("GET", "/trainings", tag=TRAINING, least="manager")
def list_trainings(call: Call) -> tuple[Training, ...]:
    """Trainings of your projects, latest first."""
    return tuple(map(_training, _own(call)))


@operation("POST", "/projects/{project}/trainings", tag=TRAINING, least="manager")
def start_training(call: Call, project: Project, body: NewTraining) -> Training:
    """Train a reward model on the judgments as they are now and evaluate it; one at a time."""
    return _training(trainings.start(call.store, call.services.runs, project, body.base, body.epochs))


@operation("GET", "/trainings/{training}", tag=TRAINING, least="manager")
def get_training(call: Call, training: str) -> Training:
    """How far a training is, and what its evaluation found."""
    return _training(_find(call, training))


@operation("POST", "/trainings/{training}/cancel", tag=TRAINING, least="manager")
def cancel_training(call: Call, training: str) -> Training:
    """End a training that runs."""
    job = _find(call, training)
    jobs.cancel(job)
    return _training(job)


def _own(call: Call) -> tuple[Job, ...]:
    return trainings.trainings(call.services.runs, call.store.projects(call.user.id))


def _find(call: Call, name: str) -> Job:
    found = next((job for job in _own(call) if job.folder.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no training {name!r}")
    return found


def _training(job: Job) -> Training:
    about = {name: job.about[name] for name in ("project", "base", "judgments")}
    return Training(**about, **asdict(job_info(job)), metrics=_metrics(job))


def _metrics(job: Job) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((job.folder / "report" / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
