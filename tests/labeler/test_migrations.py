"""The migrations build the tables that the program means, from nothing, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from store_helpers import ask, check_counters, people, project, ranking

from labeler import schema
from labeler.database import Database
from labeler.label_schema import LabelSchema
from labeler.store import Store


def test_from_empty_to_what_the_program_means(empty_database_url: str):
    store = Store.create(empty_database_url)
    with store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        indexes = {index["name"] for index in sa.inspect(connection).get_indexes("tasks")}
        assert {"ix_tasks_open", "ix_tasks_project"} <= indexes
    store.close()


def test_creating_twice_changes_nothing(empty_database_url: str):
    for _ in range(2):
        store = Store.create(empty_database_url)
        assert store.database.revision() == schema.REVISION
        store.close()


def test_the_program_asks_for_the_newest_revision():
    config = Config()
    config.set_main_option("script_location", "labeler:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.REVISION]


def test_the_queue_reads_its_index(tmp_path, clock):
    """No statement of the labeling flow may read all tasks or judgments of a project."""
    store = Store.create(f"sqlite:///{tmp_path / 'plan.db'}", clock)
    essays = project(store, groups=50, overlap=2)
    (ann,) = people(store, "ann")
    statements = []
    sa.event.listen(
        store.database.engine,
        "before_cursor_execute",
        lambda c, cursor, text, values, *_: statements.append((text, values)),
    )
    for _ in range(3):
        task = ask(store, essays, ann)
        store.save_draft(ann.id, task.task_id, {}, 1)
        store.submit(ann.id, ranking(task))
    plans = set()
    with store.database.read() as connection:
        for text, values in statements[: len(statements)]:  # asking for plans adds to the list
            if not text.startswith(("BEGIN", "INSERT")):
                plans |= {row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)}
    store.close()
    assert any("ix_tasks_open" in plan for plan in plans)
    assert [plan for plan in plans if plan.startswith("SCAN") and plan != "SCAN imports"] == []  # those that run now


def test_an_older_database_keeps_its_judgments_and_learns_what_was_asked(empty_database_url: str):
    database = Database(empty_database_url)
    config = Config()
    config.set_main_option("script_location", "labeler:migrations")
    config.set_main_option("path_separator", "os")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in OLD:
            connection.exec_driver_sql(statement)
    database.close()
    store = Store.create(empty_database_url)
    essays = store.project("essays")
    assert (essays.schema, essays.schema_version, essays.overlap) == (LabelSchema(), 1, 2)
    found = sorted((item.annotator, item.schema_version) for item in store.judgments(essays.id))
    assert found == [("ann", 1), ("ann", 1), ("other", None), ("zoe", None)]
    check_counters(store, essays)
    with pytest.raises(DBAPIError, match="append-only"), store.database.write() as connection:
        connection.exec_driver_sql("UPDATE judgments SET seconds = 1")
    store.close()


OLD = (
    "INSERT INTO users (id, name, role, disabled, created) VALUES (1, 'ann', 'labeler', FALSE, 0)",
    "INSERT INTO projects (id, name, task, overlap, dwell_seconds, lease_seconds, seed, created) "
    "VALUES (1, 'essays', 'rank', 2, 0, 60, 0, 5)",
    "INSERT INTO guidelines (project_id, version, text, created) VALUES (1, 1, '', 0)",
    "INSERT INTO tasks (id, project_id, group_id, content, overlap, priority, remaining, stage, shuffle) VALUES (1, 1, "
    '\'g\', \'{"id": "g", "prompt": "?", "completions": [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}]}\', '
    "2, 0, 0, 0, 0)",
    "INSERT INTO tasks (id, project_id, group_id, content, overlap, priority, remaining, stage, shuffle) VALUES (2, 1, "
    '\'h\', \'{"id": "h", "prompt": "!", "completions": [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}]}\', '
    "2, 0, 1, 1, 0)",
    "INSERT INTO judgments (id, project_id, task_id, user_id, annotator, origin, kind, answer, seconds, at, created) "
    "VALUES (1, 1, 1, 1, 'ann', 'app', 'skip', '{\"reason\": \"?\"}', 5, '2026-01-31T08:59:00Z', 0)",
    "INSERT INTO judgments "
    "(id, project_id, task_id, user_id, annotator, origin, kind, answer, seconds, at, supersedes, created) "
    "VALUES (2, 1, 1, 1, 'ann', 'app', 'rank', '{\"ranks\": [1, 2]}', 2.5, '2026-01-31T09:00:00Z', 1, 0)",
    "INSERT INTO judgments (id, project_id, task_id, user_id, annotator, origin, kind, answer, seconds, created) "
    "VALUES (3, 1, 2, 1, 'ann', 'app', 'skip', '{\"reason\": \"?\"}', 1, 0)",
    "INSERT INTO judgments (id, project_id, task_id, annotator, origin, kind, answer, created) "
    "VALUES (4, 1, 1, 'other', 'import', 'rank', '{\"ranks\": [2, 1]}', 0)",
    "INSERT INTO judgments (id, project_id, task_id, annotator, origin, kind, answer, created) "
    "VALUES (5, 1, 2, 'zoe', 'import', 'rank', '{\"ranks\": [2, 1]}', 0)",
)
"""What the first version of the program kept."""
