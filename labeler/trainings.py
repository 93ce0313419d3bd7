"""Trainings of reward models on a project's judgments, as jobs; the page and the REST API start and read them here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any

from labeler import directory, events, jobs
from labeler.entities import Project
from labeler.errors import ConflictError, NotFoundError, UsageError
from labeler.formats import parse_group, prompt_key
from labeler.formats.files import replacing
from labeler.jobs import Job
from labeler.records import Group
from labeler.snapshot import GROUPS, HELD_OUT, freeze
from labeler.store import Store

KIND = "train"
CURRENT = "current-models.json"
"""Project → folder of the training whose model is the current one."""
TOLD = "told"
"""File in the folder of a training whose end webhooks have been told of."""
REPORT, REPORT_HELD_OUT = "report", "report-held-out"
"""Folders of an evaluation: on prompts that were not trained on, and on the rankings of held-out raters alone."""
POINTS, BATCH = 4, 8
"""How often a training is validated on its way, about; groups per step, the default of ``reward train --batch``."""


def trainings(runs: Path, projects: tuple[Project, ...]) -> tuple[Job, ...]:
    """Every training of these projects, latest first."""
    names = {project.name for project in projects}
    return tuple(job for job in jobs.all_jobs(runs, KIND) if job.about["project"] in names)


def models(runs: Path, project: Project) -> tuple[Job, ...]:
    """The trainings of a project that gave a model, latest first."""
    return tuple(job for job in trainings(runs, (project,)) if jobs.outcome(job).state == "done" and has_model(job))


def has_model(job: Job) -> bool:
    """Whether the training wrote a whole model."""
    return (model_of(job) / "config.json").is_file()


def model_of(job: Job) -> Path:
    """The folder of the model that a training gives."""
    return job.folder / "model"


def current(runs: Path, project: Project) -> Job | None:
    """The model that tries, orders and comparisons use: the one that was made current, else the latest."""
    found = models(runs, project)
    chosen = _currents(runs).get(project.name)
    return next((job for job in found if job.folder.name == chosen), found[0] if found else None)


def make_current(runs: Path, project: Project, job: Job) -> None:
    """Use this training's model from now on."""
    told = {**_currents(runs), project.name: job.folder.name}
    with replacing(runs / CURRENT) as temporary:
        temporary.write_text(json.dumps(told), encoding="utf-8")


def _currents(runs: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((runs / CURRENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


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
    with jobs.alone(runs, KIND):
        if any(map(jobs.is_running, jobs.all_jobs(runs, KIND))):
            raise ConflictError("one training runs at a time; wait for its end or cancel it")
        return _start(store, runs, project, {"project": project.name, "base": base, "judgments": judgments}, epochs)


def _start(store: Store, runs: Path, project: Project, about: dict[str, Any], epochs: int) -> Job:
    folder = jobs.new_folder(runs, KIND)
    splits = freeze(store, project, folder / "data")["splits"]
    paths = {name: str(folder / name) for name in ("data", "model", "progress.jsonl")}
    reported = ("--progress", paths["progress.jsonl"])
    every = evaluate_every(splits["train"]["groups"], epochs)
    on_the_way = ("--evaluate-every", str(every)) if splits["valid"]["groups"] else ()
    given = ("--data", paths["data"], "--out", paths["model"], "--base", about["base"], "--epochs", str(epochs))
    commands = [(*jobs.REWARD, "train", *given, *on_the_way, *reported)]
    judged_by = {REPORT: folder / "data"}
    if decides(folder / "data"):
        judged_by[REPORT_HELD_OUT] = folder / "data" / HELD_OUT
    for report, data in judged_by.items():
        evaluate = ("evaluate", "--model", paths["model"], "--data", str(data), "--out", str(folder / report))
        commands.append((*jobs.REWARD, *evaluate, *reported))
    return jobs.start(folder, KIND, about, commands)


def decides(data: Path) -> bool:
    """Whether a snapshot's held-out raters prefer anything where an evaluation looks.

    It looks at prompts that were not trained on, or where nothing of those was compared at all prompts.
    """
    if not (data / HELD_OUT).is_file():
        return False
    learned = {prompt_key(group.prompt) for group in _groups(data / GROUPS) if group.split != "test"}
    everything, fresh = [], []
    for group in _groups(data / HELD_OUT):
        said = [tally.majority != 0 for tally in group.tallies()]
        everything += said
        fresh += [] if prompt_key(group.prompt) in learned else said
    return any(fresh or everything)


def _groups(path: Path) -> Iterator[Group]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield parse_group(json.loads(line))


def tell_ended(store: Store, runs: Path) -> None:
    """Put each training that has ended into the outbox of webhooks, once: a mark in its folder says that it is there.

    Servers that share the folder may both do so; the event's id, made of the folder's name, is told once all the same.
    """
    for folder in runs.glob(f"{KIND}-*"):
        if (folder / TOLD).exists():
            continue
        with suppress(NotFoundError):  # it is being started, or its project is gone
            job = jobs.load(folder)
            outcome = jobs.outcome(job)
            if outcome.state != "running":
                _tell(store, job, outcome)
                (folder / TOLD).touch()


def _tell(store: Store, job: Job, outcome: jobs.Outcome) -> None:
    facts = {name: value for name, value in job.about.items() if name != "project"}
    with store.database.write() as connection:
        project = directory.project_by_name(connection, job.about["project"])
        said = {"state": outcome.state, "message": outcome.message, **facts}
        events.training_ended(connection, project, job.folder.name, said, store.clock())


def evaluate_every(groups: int, epochs: int) -> int:
    """Steps from one validation to the next, so that the curve has about `POINTS` before the training ends."""
    steps = ceil(groups / BATCH) * epochs
    return max(1, round(steps / (POINTS + 1)))
