"""What a project asks is kept in versions, and a judgment knows the version that it was made under.

Revision ID: 0002
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

RANK: dict[str, object] = {
    "ranking": True,
    "top": None,
    "strength": False,
    "all_bad": True,
    "flags": [],
    "prompt_flags": [],
}
"""What every project asked for before, beside its task."""


def upgrade() -> None:
    """Move the task of each project into the first version of its schema; what was judged here was judged under it."""
    op.create_table(
        "label_schemas",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "version", name="pk_label_schemas"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_label_schemas_project_id_projects"),
    )
    connection = op.get_bind()
    add = sa.text("INSERT INTO label_schemas (project_id, version, text, created) VALUES (:id, 1, :text, :created)")
    for project in connection.execute(sa.text("SELECT id, task, created FROM projects")).all():
        text = json.dumps({"task": project.task, **RANK})
        connection.execute(add, {"id": project.id, "text": text, "created": project.created})
    op.add_column("judgments", sa.Column("schema_version", sa.Integer))
    _fill("UPDATE judgments SET schema_version = 1 WHERE origin = 'app'")
    op.drop_column("projects", "task")


def _fill(statement: str) -> None:
    """Change judgments, which the triggers of the first migration refuse to everybody else."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER judgments_no_update")
        op.execute(statement)
        op.execute(
            "CREATE TRIGGER judgments_no_update BEFORE UPDATE ON judgments "
            "BEGIN SELECT RAISE(ABORT, 'judgments are append-only'); END"
        )
    else:
        op.execute("ALTER TABLE judgments DISABLE TRIGGER judgments_no_change")
        op.execute(statement)
        op.execute("ALTER TABLE judgments ENABLE TRIGGER judgments_no_change")
