"""Sensitive tasks can be left out by a person for a while, and a draft knows which opening of a correction it is of.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SENSITIVE = {
    "sqlite": "json_type(content, '$.meta.sensitive') = 'true'",
    "postgresql": "CAST(content #> '{meta,sensitive}' AS text) = 'true'",
}
"""That ``meta.sensitive`` of a task is true."""


def upgrade() -> None:
    """Add the columns and the table; tasks learn from their content whether they are sensitive."""
    op.add_column("tasks", sa.Column("sensitive", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(f"UPDATE tasks SET sensitive = true WHERE {SENSITIVE[op.get_bind().dialect.name]}")  # noqa: S608
    op.create_index(
        "ix_tasks_sensitive",
        "tasks",
        ["project_id", "id"],
        sqlite_where=sa.text("sensitive = 1 AND remaining > 0"),
        postgresql_where=sa.text("sensitive AND remaining > 0"),
    )
    op.add_column("drafts", sa.Column("opening", sa.Text))
    op.create_table(
        "opt_outs",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "project_id", name="pk_opt_outs"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_opt_outs_user_id_users"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_opt_outs_project_id_projects"),
    )
