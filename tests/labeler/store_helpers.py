"""Small building blocks for store tests."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import sqlalchemy as sa

from labeler import schema
from labeler.entities import Edit, Judgment, Written
from labeler.records import Completion, Group, Message, Ranking
from labeler.store import AnnotatorCounts, Assignment, Project, ProjectCounts, Store, Submission, User

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


def table(store: Store, name: str) -> list[sa.Row]:
    with store.database.read() as connection:
        return list(connection.execute(sa.select(schema.metadata.tables[name])))


def check_counters(store: Store, project: Project) -> None:
    """The counters say what reading every row says."""
    ours = {row.id for row in table(store, "tasks") if row.project_id == project.id}
    tasks = [row for row in table(store, "tasks") if row.id in ours and row.pool == "queue"]
    assert not any(row.remaining for row in table(store, "tasks") if row.pool != "queue")
    rows = [row for row in table(store, "judgments") if row.project_id == project.id and row.kind != "adjudicate"]
    replaced = {row.supersedes for row in rows}
    standing = [row for row in rows if row.id not in replaced]
    by_task = Counter(task for task, _ in {(row.task_id, row.annotator) for row in standing if row.kind != "skip"})
    assert {row.id: row.judged for row in table(store, "tasks") if row.judged and row.id in ours} == by_task
    live = [row for row in table(store, "leases") if row.expires > store.clock()]
    shown = [row for row in table(store, "demonstrations") if row.project_id == project.id]
    assert store.counts(project.id) == ProjectCounts(
        tasks=len(tasks),
        finished=sum(task.remaining == 0 for task in tasks),
        started=sum(0 < task.remaining < task.overlap for task in tasks),
        judgments=sum(row.kind != "skip" for row in standing),
        skips=sum(row.kind == "skip" for row in standing),
        corrections=sum(row.supersedes is not None for row in rows),
        demonstrations=len(shown),
        live_leases=len([row for row in live if row.task_id in ours]),
    )
    people = store.annotator_counts(project.id)
    assert [person.annotator for person in people] == sorted({row.annotator for row in rows})
    for person in people:
        mine = [row for row in standing if row.annotator == person.annotator]
        expected = AnnotatorCounts(
            person.annotator,
            sum(row.kind != "skip" for row in mine),
            sum(row.kind == "skip" for row in mine),
            sum(row.supersedes is not None for row in rows if row.annotator == person.annotator),
            sum(row.seconds or 0.0 for row in mine),
        )
        assert _rounded(person) == _rounded(expected)
    by_hour = Counter((row.at[:13], row.annotator) for row in standing if row.kind != "skip" and row.at)
    with store.frozen(project.id) as frozen:
        assert frozen.slots_left() == sum(task.remaining for task in tasks)
        assert {(part.hour, part.annotator): part.rankings for part in frozen.pace()} == by_hour
    if any(row.share for row in table(store, "gold_rules")) or table(store, "candidates"):
        return  # what these people read is made up, see labeler.draws.outlook
    for user in store.users():
        mine = [row for row in standing if row.annotator == user.name]
        done = {row.task_id for row in mine if row.kind != "skip"}
        may_come = {task.id for task in tasks if task.remaining} - {row.task_id for row in mine}
        progress = store.progress(project.id, user.id)
        assert (progress.done, progress.total) == (len(done), len(done | may_come))


def _rounded(counts: AnnotatorCounts) -> AnnotatorCounts:
    return replace(counts, seconds=round(counts.seconds, 6))


def wrote(task: Assignment, text: str = "The answer.", **changes: object) -> Submission:
    """An answer written to a prompt."""
    number = next(_submission_numbers)
    values = {"submission_id": f"s{number}", "task_id": task.task_id, "kind": "write", "written": text}
    return Submission(**(values | changes))  # type: ignore[arg-type]


def said(what: Ranking | Written | None, edit: Edit | None = None, number: int = 1, **known: object) -> Judgment:
    """A judgment as the store gives it, without a store: a ranking, an answer or a skip."""
    who = what.annotator if isinstance(what, Ranking) else "ann"
    values = dict.fromkeys(Judgment.__dataclass_fields__) | {"id": number, "annotator": who, "edit": edit}
    if isinstance(what, Ranking):
        values |= {"kind": "rank", "ranking": what}
    else:
        values |= {"kind": "write" if what else "skip", "written": what}
    return Judgment(**(values | known))  # type: ignore[arg-type]
