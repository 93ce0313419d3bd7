"""Small building blocks for store tests."""

from __future__ import annotations

import itertools

from labeler.records import Completion, Group, Message, Ranking
from labeler.store import Assignment, Project, Store, Submission, User

_submission_numbers = itertools.count()


def group(number: int, k: int = 3, rankings: tuple[Ranking, ...] = (), split: str | None = None) -> Group:
    prompt = (Message("user", f"Question {number}?"),)
    completions = tuple(Completion(f"c{i}", f"Answer {i} to {number}.", f"model-{i}") for i in range(k))
    return Group(f"g{number}", prompt, completions, rankings, source="test", split=split)


def project(store: Store, groups: int = 5, overlap: int = 1, dwell_seconds: float = 0.0, k: int = 3) -> Project:
    added = store.add_project("essays", overlap=overlap, dwell_seconds=dwell_seconds)
    store.import_groups(added.id, [group(number, k) for number in range(groups)])
    return added


def people(store: Store, *names: str) -> list[User]:
    return [store.add_user(name, "labeler") for name in names]


def ranking(task: Assignment, **changes: object) -> Submission:
    """The shown order taken as the ranking."""
    ranks = {shown.completion_id: place for place, shown in enumerate(task.completions, start=1)}
    values = {"submission_id": f"s{next(_submission_numbers)}", "task_id": task.task_id, "kind": "rank", "ranks": ranks}
    return Submission(**(values | changes))  # type: ignore[arg-type]


def skip(task: Assignment, reason: str = "unclear") -> Submission:
    return Submission(f"s{next(_submission_numbers)}", task.task_id, "skip", reason=reason)


def ask(store: Store, project: Project, user: User) -> Assignment:
    task = store.next_task(project.id, user.id)
    assert task is not None
    return task
