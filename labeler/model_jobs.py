"""What is done with trained models, each as a job: compared, tried, asked what to label next, held against people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from labeler import jobs
from labeler.database import Database
from labeler.entities import Project
from labeler.errors import ConflictError, UsageError
from labeler.formats import dumps, group_to_row
from labeler.jobs import Job
from labeler.records import Group
from labeler.snapshot import freeze
from labeler.store import Store
from labeler.trainings import model_of

COMPARE, TRY, ORDER, DISAGREE = "compare", "try", "order", "disagree"
LABELER = (sys.executable, "-m", "labeler.cli")
SEED = 0


def all_of(runs: Path, kind: str, project: Project) -> tuple[Job, ...]:
    """Every job of a kind for a project, latest first."""
    return tuple(job for job in jobs.all_jobs(runs, kind) if job.about["project"] == project.name)


def compare(store: Store, runs: Path, project: Project, first: Job, second: Job) -> Job:
    """Two models on the same pairs: all judged prompts that neither was trained or tuned on.

    Raises:
        UsageError: these are one model. ConflictError: another comparison runs.
    """
    if first.folder == second.folder:
        raise UsageError("choose two different models")
    folder = _folder(runs, COMPARE, project)
    freeze(store, project, folder / "data")
    command = ["evaluate", "--model", str(model_of(first)), "--against", str(model_of(second))]
    command += ["--data", str(folder / "data"), "--out", str(folder / "report")]
    about = {"project": project.name, "first": first.folder.name, "second": second.folder.name}
    return jobs.start(folder, COMPARE, about, [_reward(folder, command)])


def sample(runs: Path, project: Project, model: Job, prompt: str, *, policy: str, n: int) -> Job:
    """Let a policy answer a prompt ``n`` times and order the answers."""
    folder = _folder(runs, TRY, project)
    row = {"id": "prompt", "prompt": [{"role": "user", "content": prompt}]}
    (folder / "input.jsonl").write_text(dumps(row) + "\n", encoding="utf-8")
    about = {"project": project.name, "model": model.folder.name, "prompt": prompt, "policy": policy}
    return jobs.start(folder, TRY, about, [_rerank(folder, model, "--policy", policy, "--n", str(n))])


def order_answers(runs: Path, project: Project, model: Job, prompt: str, answers: Sequence[str]) -> Job:
    """Order answers that somebody brings.

    Raises:
        UsageError: there are fewer than two.
    """
    if len(answers) < 2:
        raise UsageError("give two answers or more")
    folder = _folder(runs, TRY, project)
    completions = [{"id": f"answer-{n}", "text": text} for n, text in enumerate(answers, start=1)]
    row = {"id": "prompt", "prompt": [{"role": "user", "content": prompt}], "completions": completions}
    (folder / "input.jsonl").write_text(dumps(row) + "\n", encoding="utf-8")
    about = {"project": project.name, "model": model.folder.name, "prompt": prompt, "policy": None}
    return jobs.start(folder, TRY, about, [_rerank(folder, model)])


def order_queue(store: Store, runs: Path, project: Project, model: Job, *, most: int, method: str) -> Job:
    """Give tasks that nobody has judged the priority that the model's uncertainty tells, as a job of two commands.

    Args:
        most: at most so many tasks, drawn at random, are looked at; all of these get a new priority.
        method: of ``reward select``.

    Raises:
        UsageError: no task is without a judgment. ConflictError: another such job runs.
    """
    with store.frozen(project.id) as frozen:
        waiting = sorted(task for task, work in frozen.task_work().items() if work.remaining and not work.judgments)
        drawn = np.random.default_rng(SEED).permutation(len(waiting))[:most]
        groups = frozen.tasks([waiting[n] for n in sorted(drawn.tolist())])
    if len(groups) < 2:
        raise UsageError(f"nothing is left in {project.name!r} that nobody has judged")
    folder = _folder(runs, ORDER, project)
    _write(folder / "input.jsonl", groups)
    chosen = folder / "next.jsonl"
    command = ["select", "--model", str(model_of(model)), "--data", str(folder / "input.jsonl")]
    command += ["--budget", str(len(groups)), "--method", method, "--output", str(chosen)]
    prioritize = (*LABELER, "prioritize", str(chosen), "--project", project.name)
    about = {"project": project.name, "model": model.folder.name, "method": method, "tasks": len(groups)}
    secret = {"LABELER_DB": address(store.database)}
    return jobs.start(folder, ORDER, about, [_reward(folder, command), prioritize], environment=secret)


def find_disagreement(store: Store, runs: Path, project: Project, model: Job, most: int) -> Job:
    """Let the model score what people judged.

    Args:
        most: at most so many tasks, a random sample where there are more.

    Raises:
        UsageError: nothing was ranked yet. ConflictError: another such job runs.
    """
    with store.frozen(project.id) as frozen:
        judged, _ = frozen.sample(most)
    groups = [group for group, _ in judged if any(True for _ in group.tallies())]
    if not groups:
        raise UsageError(f"nothing has been ranked in {project.name!r} yet")
    folder = _folder(runs, DISAGREE, project)
    _write(folder / "input.jsonl", groups)
    about = {"project": project.name, "model": model.folder.name, "tasks": len(groups)}
    return jobs.start(folder, DISAGREE, about, [_rerank(folder, model)])


def address(database: Database) -> str:
    """The database's URL for a child that works in another folder."""
    url = database.url
    if database.sqlite:
        url = url.set(database=str(Path(str(url.database)).absolute()))
    return url.render_as_string(hide_password=False)


def _folder(runs: Path, kind: str, project: Project) -> Path:
    """A new job's folder.

    Raises:
        ConflictError: one of the kind runs for the project.
    """
    if any(map(jobs.is_running, all_of(runs, kind, project))):
        raise ConflictError("one of these runs at a time; wait for its end or cancel it")
    return jobs.new_folder(runs, kind)


def _write(path: Path, groups: Iterable[Group]) -> None:
    path.write_text("".join(dumps(group_to_row(group)) + "\n" for group in groups), encoding="utf-8")


def _reward(folder: Path, command: Sequence[str]) -> tuple[str, ...]:
    return (*jobs.REWARD, *command, "--progress", str(folder / "progress.jsonl"))


def _rerank(folder: Path, model: Job, *more: str) -> tuple[str, ...]:
    files = ("--input", str(folder / "input.jsonl"), "--output", str(folder / "output.jsonl"))
    return _reward(folder, ("rerank", "--model", str(model_of(model)), *more, *files))
