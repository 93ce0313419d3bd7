"""An import in short steps: claimed, staged out of everybody's sight, published at once.

On SQLite labelers wait for whoever writes, so nothing may write for long. The rows of an import are written some at a
time under its number in `imports`, which keeps them from being `visible`; the step that publishes them takes the number
off that list and adds to the counters, however large the import is. An import that fails takes its rows with it; one
that was killed leaves them unseen, and whoever imports next, or serves, sweeps them away.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labeler import content, directory, events, pools, tallies
from labeler.content import Batch
from labeler.database import Database
from labeler.entities import ImportCounts, Project
from labeler.errors import ConflictError, UsageError
from labeler.label_schema import LabelSchema
from labeler.records import Demonstration, Group
from labeler.schema import demonstrations, guidelines, imports, judgments, label_schemas, projects, tasks
from labeler.tallies import EVER, NOBODY, Answer

AT_ONCE = 200
"""Groups, or demonstrations, in one transaction: some milliseconds."""
SILENT_SECONDS = 60.0
"""An import that has not said for so long that it lives is taken for dead."""
WAIT_SECONDS, LOOK_SECONDS = 600.0, 0.2
"""How long an import waits for another one into the same project, and how often it looks."""
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported; see `labeler.store.Store.import_into`."""

    name: str
    groups: Iterable[Group]
    demonstrations: Iterable[Demonstration]
    schema: LabelSchema | None = None
    overlap: int | None = None
    guidelines: str | None = None
    skip_known: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to import into a project, which nobody else has meanwhile; ``creates``: the project is staged too."""

    id: int
    project: Project
    creates: bool


def run(database: Database, clock: Clock, order: Order) -> tuple[Project, ImportCounts]:
    """Check everything, then stage and publish it: all or nothing."""
    sweep(database, clock)
    with database.read() as connection:
        known = directory.find_project(connection, order.name)
    if known and order.schema and order.schema != known.schema:
        raise UsageError(
            f"{order.name!r} asks for something else (task {known.task}); change it with: labeler project set"
        )
    first = 1 if order.overlap is None else order.overlap
    rules = known or Project(0, order.name, order.schema or LabelSchema(), overlap=first)
    people = rules.overlap if order.overlap is None else order.overlap
    batch = content.prepare(order.groups, order.demonstrations, project=rules, overlap=people, now=clock())
    if order.dry_run:
        return rules, _new(database, known, batch, order).counts
    claim = _claim(database, clock, rules, known)
    try:
        batch = _new(database, known, batch, order)
        _stage(database, clock, claim, batch)
        project = _publish(database, clock, claim, batch, order.guidelines)
    except BaseException:
        abandon(database, claim.id)
        raise
    return project, batch.counts


def _new(database: Database, known: Project | None, batch: Batch, order: Order) -> Batch:
    """What the project does not have already, its gold items outside the queue if the project hides them."""
    if known is None:
        return batch
    with database.read() as connection:
        new = content.new_only(connection, known, batch, skip_known=order.skip_known)
        hides_gold = pools.rules_of(connection, known.id).share > 0
    return replace(new, tasks=pools.placed(new.tasks), hides_gold=True) if hides_gold else new


def _claim(database: Database, clock: Clock, rules: Project, known: Project | None) -> Claim:
    """Wait for other imports into the project, then claim it; it is made if there is none."""
    directory.check_name(rules.name, "project name")
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            with database.write() as connection:
                claim = _claimed(connection, rules, known, clock())
        except exc.IntegrityError as error:
            raise _meanwhile(rules.name) from error
        if claim is not None:
            return claim
        time.sleep(LOOK_SECONDS)
        sweep(database, clock)
    raise ConflictError(f"another import into {rules.name!r} is still running; try again when it is done")


def _claimed(connection: sa.Connection, rules: Project, known: Project | None, now: float) -> Claim | None:
    """The claim, if nobody else has it."""
    held = sa.select(projects.c.id).where(projects.c.name == rules.name).with_for_update(key_share=True)
    there = connection.execute(held).scalar()
    if connection.execute(sa.select(imports.c.id).where(imports.c.project_id == there)).first():
        return None
    project = directory.find_project(connection, rules.name)
    if (project and (project.id, project.schema_version)) != (known and (known.id, known.schema_version)):
        raise _meanwhile(rules.name)
    creates = project is None
    project = project or directory.add_project(connection, rules, now)
    row = {"project_id": project.id, "creates": creates, "beat": now}
    number = connection.execute(sa.insert(imports).values(**row).returning(imports.c.id)).scalar_one()
    return Claim(number, project, creates)


def _meanwhile(name: str) -> ConflictError:
    return ConflictError(f"somebody else imported into {name!r} meanwhile, or changed it; nothing was imported")


def _stage(database: Database, clock: Clock, claim: Claim, batch: Batch) -> None:
    """Write the rows some at a time, and leave at least as much time to others on SQLite."""
    ours = {"project_id": claim.project.id, "import_id": claim.id}
    steps: list[tuple[sa.Table, list[dict[str, Any]]]] = [
        (table, [row | ours for row in chunk])
        for table, rows in ((tasks, batch.tasks), (demonstrations, batch.demonstrations))
        for chunk in content.chunks(rows, AT_ONCE)
    ]
    for table, rows in steps:
        began = time.monotonic()
        with database.write() as connection:
            _beat(connection, claim, clock())
            if table is tasks:
                _stage_tasks(connection, claim, rows, batch)
            else:
                connection.execute(sa.insert(demonstrations), rows)
        if database.sqlite:
            time.sleep(time.monotonic() - began)


def _stage_tasks(connection: sa.Connection, claim: Claim, rows: list[dict[str, Any]], batch: Batch) -> None:
    added = connection.execute(sa.insert(tasks).returning(tasks.c.id, tasks.c.group_id), rows).all()
    answers = [
        answer | {"project_id": claim.project.id, "task_id": row.id}
        for row in added
        for answer in batch.answers.get(row.group_id, ())
    ]
    if answers:
        connection.execute(sa.insert(judgments), answers)


def _beat(connection: sa.Connection, claim: Claim, now: float) -> None:
    """Say that the import lives, if nobody has taken it for dead."""
    alive = sa.update(imports).where(imports.c.id == claim.id, imports.c.beat > 0).values(beat=now)
    if connection.execute(alive).rowcount == 0:
        raise ConflictError("the import was silent for so long that it was taken for dead; nothing was imported")


def _publish(database: Database, clock: Clock, claim: Claim, batch: Batch, guidelines: str | None) -> Project:
    """Let everybody see what was staged."""
    change = _contribution(batch)
    with database.write() as connection:
        directory.lock_project(connection, claim.project.id)
        _beat(connection, claim, clock())
        connection.execute(sa.delete(imports).where(imports.c.id == claim.id))
        project = directory.project_by_id(connection, claim.project.id)
        hides_gold = pools.rules_of(connection, project.id).share > 0
        if (project.schema_version, hides_gold) != (claim.project.schema_version, batch.hides_gold):
            raise _meanwhile(project.name)
        if guidelines is not None:
            project = directory.set_guidelines(connection, project.id, guidelines, clock())
        events.imported(connection, project, batch.counts, clock())
        tallies.add(connection, project.id, change)
        return project


def _contribution(batch: Batch) -> dict[tallies.Key, float]:
    """What the batch adds to the project's counters."""
    change: dict[tallies.Key, float] = defaultdict(float)
    change[NOBODY, EVER, "demonstrations"] += len(batch.demonstrations)
    for row in batch.tasks:
        answers = [
            Answer(number, answer["annotator"], answer["kind"], answer["seconds"], answer["at"], None)
            for number, answer in enumerate(batch.answers.get(row["group_id"], ()))
        ]
        slots = (row["overlap"], row["remaining"])
        for key, amount in tallies.contribution(NOBODY, *slots, answers, queued=row["pool"] == "queue").items():
            change[key] += amount
    return change


def sweep(database: Database, clock: Clock) -> None:
    """Remove what killed imports have staged."""
    silent = imports.c.beat < clock() - SILENT_SECONDS
    with database.read() as connection:
        dead = connection.execute(sa.select(imports.c.id).where(silent)).scalars().all()
    for number in dead:
        abandon(database, number)


def abandon(database: Database, import_id: int) -> None:
    """Remove all that an import has staged, some at a time; nobody ever saw it."""
    with database.write() as connection:
        connection.execute(sa.update(imports).where(imports.c.id == import_id).values(beat=0.0))
        row = connection.execute(sa.select(imports).where(imports.c.id == import_id)).first()
    after: int | None = 0
    while row is not None and after is not None:
        with database.write() as connection:
            after = _remove_tasks(connection, row, after)
    with database.write() as connection:
        if row is not None:
            _remove_rest(connection, row)


def _remove_tasks(connection: sa.Connection, row: sa.Row[Any], after: int) -> int | None:
    """Remove some staged tasks; the id of the last, None where there was none left."""
    staged = sa.select(tasks.c.id).where(tasks.c.project_id == row.project_id, tasks.c.import_id == row.id)
    ids = connection.execute(staged.where(tasks.c.id > after).order_by(tasks.c.id).limit(AT_ONCE)).scalars().all()
    connection.execute(sa.delete(judgments).where(judgments.c.task_id.in_(ids)))
    connection.execute(sa.delete(tasks).where(tasks.c.id.in_(ids)))
    return ids[-1] if ids else None


def _remove_rest(connection: sa.Connection, row: sa.Row[Any]) -> None:
    staged = (demonstrations.c.project_id == row.project_id, demonstrations.c.import_id == row.id)
    connection.execute(sa.delete(demonstrations).where(*staged))
    connection.execute(sa.delete(imports).where(imports.c.id == row.id))
    if row.creates:
        for table in (guidelines, label_schemas):
            connection.execute(sa.delete(table).where(table.c.project_id == row.project_id))
        connection.execute(sa.delete(projects).where(projects.c.id == row.project_id))
