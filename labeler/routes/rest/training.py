"""Training reward models over the REST API."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Container
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labeler import jobs, trainings
from labeler.api.training import NewTraining, Training
from labeler.entities import Project
from labeler.errors import NotFoundError
from labeler.jobs import Job
from labeler.routes.rest.declare import Archive, Call, operation
from labeler.routes.rest.job_info import job_info

TRAINING = "Training"


@operation("GET", "/trainings", tag=TRAINING, least="manager")
def list_trainings(call: Call) -> tuple[Training, ...]:
    """Trainings of your projects, latest first."""
    current = _current(call)
    return tuple(_training(job, current) for job in _own(call))


@operation("POST", "/projects/{project}/trainings", tag=TRAINING, least="manager")
def start_training(call: Call, project: Project, body: NewTraining) -> Training:
    """Train a reward model on the judgments as they are now and evaluate it; one at a time."""
    jobs.require()
    return _training(trainings.start(call.store, call.services.runs, project, body.base, body.epochs), _current(call))


@operation("GET", "/trainings/{training}", tag=TRAINING, least="manager")
def get_training(call: Call, training: str) -> Training:
    """How far a training is, and what its evaluation found."""
    return _training(_find(call, training), _current(call))


@operation("POST", "/trainings/{training}/cancel", tag=TRAINING, least="manager")
def cancel_training(call: Call, training: str) -> Training:
    """End a training that runs."""
    job = _find(call, training)
    jobs.cancel(job)
    return _training(job, _current(call))


@operation("GET", "/trainings/{training}/report", tag=TRAINING, least="manager")
def get_training_report(call: Call, training: str) -> Archive:
    """The report of a training's evaluation, one HTML file."""
    report = _find(call, training).folder / "report" / "report.html"
    if not report.is_file():
        raise NotFoundError(f"the training {training!r} has no report")
    return Archive(Path(shutil.copy(report, tempfile.mkdtemp(prefix="labeler-report-"))), report.name)


def _own(call: Call) -> tuple[Job, ...]:
    return trainings.trainings(call.services.runs, call.store.projects(call.user.id))


def _find(call: Call, name: str) -> Job:
    found = next((job for job in _own(call) if job.folder.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no training {name!r}")
    return found


def _current(call: Call) -> set[str]:
    """Folders of the trainings whose models are used, one a project."""
    found = (trainings.current(call.services.runs, project) for project in call.store.projects(call.user.id))
    return {job.folder.name for job in found if job}


def _training(job: Job, current: Container[str]) -> Training:
    about = {name: job.about[name] for name in ("project", "base", "judgments")}
    return Training(
        **about,
        **asdict(job_info(job)),
        metrics=_metrics(job, trainings.REPORT),
        held_out=_metrics(job, trainings.REPORT_HELD_OUT),
        current=job.folder.name in current,
    )


def _metrics(job: Job, report: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((job.folder / report / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
