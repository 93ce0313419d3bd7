"""Counters beside what they count, and imports that are staged before they are published.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

COUNTED = (
    "tasks",
    "finished",
    "started",
    "wanted",
    "demonstrations",
    "judgments",
    "skips",
    "corrections",
    "answered",
)
STANDS = "NOT EXISTS (SELECT 1 FROM judgments AS later WHERE later.supersedes = judgments.id)"
OF_ANSWERS = f"""
INSERT INTO tallies (project_id, annotator, judgments, skips, corrections, answered, seconds)
SELECT project_id, annotator,
       SUM(CASE WHEN stands = 1 AND kind = 'rank' THEN 1 ELSE 0 END),
       SUM(CASE WHEN stands = 1 AND kind = 'skip' THEN 1 ELSE 0 END),
       SUM(CASE WHEN supersedes IS NULL THEN 0 ELSE 1 END),
       COUNT(DISTINCT CASE WHEN remaining > 0 THEN task_id END),
       SUM(CASE WHEN stands = 1 THEN COALESCE(seconds, 0) ELSE 0 END)
FROM (SELECT judgments.project_id, judgments.annotator, judgments.kind, judgments.supersedes, judgments.task_id,
             judgments.seconds, tasks.remaining, CASE WHEN {STANDS} THEN 1 ELSE 0 END AS stands
      FROM judgments JOIN tasks ON tasks.id = judgments.task_id) AS answers
GROUP BY project_id, annotator
"""  # noqa: S608  (constants)
OF_CONTENT = """
INSERT INTO tallies (project_id, annotator, tasks, finished, started, wanted, demonstrations)
SELECT projects.id, '',
       (SELECT COUNT(*) FROM tasks WHERE project_id = projects.id),
       (SELECT COUNT(*) FROM tasks WHERE project_id = projects.id AND remaining = 0),
       (SELECT COUNT(*) FROM tasks WHERE project_id = projects.id AND remaining > 0 AND remaining < overlap),
       (SELECT COALESCE(SUM(remaining), 0) FROM tasks WHERE project_id = projects.id),
       (SELECT COUNT(*) FROM demonstrations WHERE project_id = projects.id)
FROM projects
"""
OF_HOURS = f"""
INSERT INTO hours (project_id, annotator, hour, judgments, seconds)
SELECT project_id, annotator, SUBSTR("at", 1, 13), SUM(CASE WHEN kind = 'rank' THEN 1 ELSE 0 END),
       SUM(COALESCE(seconds, 0))
FROM judgments
WHERE "at" IS NOT NULL AND {STANDS}
GROUP BY project_id, annotator, SUBSTR("at", 1, 13)
"""  # noqa: S608  (constants)
STAGED = "SELECT 1 FROM tasks JOIN imports ON imports.id = tasks.import_id WHERE tasks.id = OLD.task_id"
SQLITE_TRIGGERS = (
    "DROP TRIGGER judgments_no_delete",
    f"CREATE TRIGGER judgments_no_delete BEFORE DELETE ON judgments WHEN NOT EXISTS ({STAGED}) "
    "BEGIN SELECT RAISE(ABORT, 'judgments are append-only'); END",
)
POSTGRESQL_TRIGGERS = (
    "CREATE OR REPLACE FUNCTION judgments_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF TG_OP = 'DELETE' THEN IF EXISTS ({STAGED}) THEN RETURN OLD; END IF; END IF; "
    "RAISE EXCEPTION 'judgments are append-only'; END $$",
)
"""Judgments that came with an import which was never published may go with it."""


def upgrade() -> None:
    """Add the tables, fill the counters, and let indexes serve pages instead of counts."""
    _tables()
    for statement in (OF_ANSWERS, OF_CONTENT, OF_HOURS):
        op.execute(statement)
    _indexes()
    for statement in SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def _project(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=f"fk_{table}_project_id_projects")


def _tables() -> None:
    op.create_table(
        "tallies",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in COUNTED),
        sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("project_id", "annotator", name="pk_tallies"),
        _project("tallies"),
    )
    op.create_table(
        "hours",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("hour", sa.Text, nullable=False),
        sa.Column("judgments", sa.Integer, nullable=False, server_default="0"),
        sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("project_id", "annotator", "hour", name="pk_hours"),
        _project("hours"),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("creates", sa.Boolean, nullable=False),
        sa.Column("beat", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        _project("imports"),
        sqlite_autoincrement=True,
    )
    for table in ("tasks", "demonstrations"):
        op.add_column(table, sa.Column("import_id", sa.Integer, nullable=False, server_default="0"))


def _indexes() -> None:
    wanted = sa.text("remaining > 0")
    op.drop_index("ix_tasks_wanted", "tasks")
    op.drop_index("ix_tasks_open", "tasks")
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["project_id", sa.text("priority DESC"), "stage", "shuffle", "id", "import_id"],
        sqlite_where=wanted,
        postgresql_where=wanted,
    )
    op.create_index("ix_tasks_project", "tasks", ["project_id", "id"])
    op.create_index("ix_judgments_project", "judgments", ["project_id", "id"])
