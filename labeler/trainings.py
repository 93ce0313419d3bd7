"""Trainings of reward models on a project's judgments, as jobs; the page and the REST API start and read them here."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from labeler import jobs
from labeler.entities import Project
from labeler.errors import ConflictError, UsageError
from labeler.jobs import Job
from labeler.snapshot import freeze
from labeler.store import Store

KIND = "train"
POINTS, BATCH = 4, 8
"""How often a training is validated on its way, about; groups per step, the default of ``reward train --batch``."""


def trainings(runs: Path, projects: tuple[Project, ...]) -> tuple[Job, ...]:
    """Every training of these projects, latest first."""
    names = {project.name for project in projects}
    return tuple(job for job in jobs.all_jobs(runs, KIND) if job.about["project"] in names)


def start(store: Store, runs: Path, project: Project, base: str, epochs: int) -> Job:
    """Freeze the judgments as they are now, then train on them and evaluate in a process of its own.

    Raises:
        UsageError: nothing has been ranked yet, or never is.
        ConflictError: another training runs.
    """
    if project.schema.writes:
        problem = f"in {project.name!r} answers are written and none ranked; a policy learns from them: reward sft"
        raise UsageError(problem)
    judgments = store.counts(project.id).judgments
    if not judgments:
        raise UsageError(f"nothing has been ranked in {project.name!r} yet")
    if any(map(jobs.is_running, jobs.all_jobs(runs, KIND))):
        raise ConflictError("one training runs at a time; wait for its end or cancel it")
    folder = jobs.new_folder(runs, KIND)
    splits = freeze(store, project, folder / "data")["splits"]
    paths = {name: str(folder / name) for name in ("data", "model", "report", "progress.jsonl")}
    reported = ("--progress", paths["progress.jsonl"])
    every = evaluate_every(splits["train"]["groups"], epochs)
    on_the_way = ("--evaluate-every", str(every)) if splits["valid"]["groups"] else ()
    train = ("train", "--data", paths["data"], "--out", paths["model"], "--base", base, "--epochs", str(epochs))
    evaluate = ("evaluate", "--model", paths["model"], "--data", paths["data"], "--out", paths["report"])
    about = {"project": project.name, "base": base, "judgments": judgments}
    commands = [(*jobs.REWARD, *train, *on_the_way, *reported), (*jobs.REWARD, *evaluate, *reported)]
    return jobs.start(folder, KIND, about, commands)


def evaluate_every(groups: int, epochs: int) -> int:
    """Steps from one validation to the next, so that the curve has about `POINTS` before the training ends."""
    steps = ceil(groups / BATCH) * epochs
    return max(1, round(steps / (POINTS + 1)))
