"""Vectors and clusters of a project's prompts, made by ``reward embed`` as a job, and categories from a few examples.

A project's folder beside the trainings::

    prompts-3/prompts.parquet    what reward embed wrote last; a new run reads new prompts only
    prompts-3/examples.csv       id and label of prompts that a manager named, as reward embed --classify reads them
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isqrt
from pathlib import Path

from labeler import jobs
from labeler.entities import Project
from labeler.errors import ConflictError, UsageError
from labeler.formats import dumps
from labeler.formats.files import replacing
from labeler.jobs import Job
from labeler.prompt_rows import PromptRow
from labeler.store import Store

KIND = "embed"
BASE = "minilm-l6"
DUPLICATES = 0.95
"""Prompts with at least this cosine are near-duplicates."""
MOST_CLUSTERS = 100
SAID = "Labels: "
"""How the line of ``reward embed`` begins that says how good learned categories are."""
EXAMPLES_NEEDED = 2
"""So many prompts of each of so many categories must be named before others can be learned."""


def place(runs: Path, project: Project) -> Path:
    """The project's folder."""
    return runs / f"prompts-{project.id}"


def vectors(runs: Path, project: Project) -> Path:
    """The file of vectors, which may not be there yet."""
    return place(runs, project) / "prompts.parquet"


def all_runs(runs: Path, project: Project) -> tuple[Job, ...]:
    """Every run for this project, latest first."""
    return tuple(job for job in jobs.all_jobs(runs, KIND) if job.about["project"] == project.name)


def usual_clusters(prompts: int) -> int:
    """How many clusters of so many prompts are handy: √(N/2), at least two."""
    return max(2, min(MOST_CLUSTERS, isqrt(prompts // 2)))


def start(store: Store, runs: Path, project: Project, *, clusters: int, base: str = BASE) -> Job:
    """Make the vectors of all prompts, near-duplicates, clusters and, from examples, categories.

    Raises:
        UsageError: the project has fewer than two prompts.
        ConflictError: another such run goes on.
    """
    with store.frozen(project.id) as frozen:
        rows = frozen.prompts()
    if len(rows) < EXAMPLES_NEEDED:
        raise UsageError(f"{project.name!r} has fewer than two prompts")
    with jobs.alone(runs, KIND):
        if any(map(jobs.is_running, all_runs(runs, project))):
            raise ConflictError("the vectors are being made already; wait for the end or cancel it")
        return _start(runs, project, rows, clusters, base)


def _start(runs: Path, project: Project, rows: Sequence[PromptRow], clusters: int, base: str) -> Job:
    folder = jobs.new_folder(runs, KIND)
    place(runs, project).mkdir(parents=True, exist_ok=True)
    source, progress = folder / "prompts.jsonl", folder / "progress.jsonl"
    with source.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(dumps({"id": row.group_id, "prompt": row.text}) + "\n" for row in rows)
    output = vectors(runs, project)
    command = [*jobs.REWARD, "embed", "--data", str(source), "--output", str(output), "--base", base]
    command += ["--duplicates", str(DUPLICATES), "--clusters", str(min(clusters, len(rows)))]
    command += ["--progress", str(progress)]
    if can_learn(examples(runs, project)):
        command += ["--classify", str(_examples(runs, project))]
    return jobs.start(folder, KIND, {"project": project.name, "base": base, "prompts": len(rows)}, [command])


def can_learn(named: Mapping[str, str]) -> bool:
    """Whether the examples, prompt → category, are enough to learn from."""
    counts = Counter(named.values())
    return len(counts) >= EXAMPLES_NEEDED and min(counts.values()) >= EXAMPLES_NEEDED


def examples(runs: Path, project: Project) -> dict[str, str]:
    """Prompt → category, as managers named them."""
    try:
        with _examples(runs, project).open(encoding="utf-8", newline="") as file:
            return {row["id"]: row["label"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}


def name_prompts(runs: Path, project: Project, category: str, ids: Iterable[str]) -> None:
    """Say that these prompts are of a category; an empty one takes back what was said of them."""
    named = examples(runs, project)
    for name in ids:
        named.pop(name, None)
        if category:
            named[name] = category
    place(runs, project).mkdir(parents=True, exist_ok=True)
    with replacing(_examples(runs, project)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "label"))
        rows.writerows(named.items())


def quality(runs: Path, project: Project) -> str | None:
    """What the last run said of how good the learned categories are."""
    done = all_runs(runs, project)
    try:
        said = (done[0].folder / "log.txt").read_text(encoding="utf-8", errors="replace") if done else ""
    except OSError:
        return None
    return next((line for line in said.splitlines() if line.startswith(SAID)), None)


def _examples(runs: Path, project: Project) -> Path:
    return place(runs, project) / "examples.csv"
