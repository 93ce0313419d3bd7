"""The first schema.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SQLITE_TRIGGERS = (
    "CREATE TRIGGER judgments_no_update BEFORE UPDATE ON judgments "
    "BEGIN SELECT RAISE(ABORT, 'judgments are append-only'); END",
    "CREATE TRIGGER judgments_no_delete BEFORE DELETE ON judgments "
    "BEGIN SELECT RAISE(ABORT, 'judgments are append-only'); END",
)
POSTGRESQL_TRIGGERS = (
    "CREATE FUNCTION judgments_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'judgments are append-only'; END $$",
    "CREATE TRIGGER judgments_no_change BEFORE UPDATE OR DELETE ON judgments "
    "FOR EACH ROW EXECUTE FUNCTION judgments_append_only()",
    "CREATE TRIGGER judgments_no_truncate BEFORE TRUNCATE ON judgments "
    "FOR EACH STATEMENT EXECUTE FUNCTION judgments_append_only()",
)


def upgrade() -> None:
    """Create every table, index and trigger."""
    _people()
    _content()
    _answers()
    _labeling()
    triggers = SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_TRIGGERS
    for statement in triggers:
        op.execute(statement)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("created", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    for table in ("invitations", "sessions"):
        op.create_table(
            table,
            sa.Column("token_hash", sa.Text, nullable=False),
            sa.Column("user_id", sa.Integer, nullable=False),
            sa.Column("expires", sa.Float, nullable=False),
            sa.PrimaryKeyConstraint("token_hash", name=f"pk_{table}"),
            _reference(table, "user_id", "users"),
        )
        op.create_index(f"ix_{table}_user", table, ["user_id"])
    op.create_table(
        "failures",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("last", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_failures"),
    )


def _content() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("overlap", sa.Integer, nullable=False),
        sa.Column("dwell_seconds", sa.Float, nullable=False),
        sa.Column("lease_seconds", sa.Float, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("name", name="uq_projects_name"),
    )
    op.create_table(
        "guidelines",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "version", name="pk_guidelines"),
        _reference("guidelines", "project_id", "projects"),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "project_id", name="pk_memberships"),
        _reference("memberships", "user_id", "users"),
        _reference("memberships", "project_id", "projects"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("overlap", sa.Integer, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("remaining", sa.Integer, nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("shuffle", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.UniqueConstraint("project_id", "group_id", name="uq_tasks_project_id_group_id"),
        _reference("tasks", "project_id", "projects"),
    )
    wanted = sa.text("remaining > 0")
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["project_id", sa.text("priority DESC"), "stage", "shuffle", "id"],
        sqlite_where=wanted,
        postgresql_where=wanted,
    )
    op.create_index("ix_tasks_wanted", "tasks", ["project_id", "id"], sqlite_where=wanted, postgresql_where=wanted)
    op.create_table(
        "demonstrations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("demonstration_id", sa.Text, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_demonstrations"),
        sa.UniqueConstraint("project_id", "demonstration_id", name="uq_demonstrations_project_id_demonstration_id"),
        _reference("demonstrations", "project_id", "projects"),
    )


def _answers() -> None:
    op.create_table(
        "judgments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("seconds", sa.Float),
        sa.Column("at", sa.Text),
        sa.Column("guidelines_version", sa.Integer),
        sa.Column("supersedes", sa.Integer),
        sa.Column("submission_id", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.Column("created", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_judgments"),
        sa.UniqueConstraint("supersedes", name="uq_judgments_supersedes"),
        sa.UniqueConstraint("submission_id", name="uq_judgments_submission_id"),
        _reference("judgments", "project_id", "projects"),
        _reference("judgments", "task_id", "tasks"),
        _reference("judgments", "user_id", "users"),
        _reference("judgments", "supersedes", "judgments"),
    )
    op.create_index("ix_judgments_annotator", "judgments", ["annotator", "task_id"])
    op.create_index("ix_judgments_user", "judgments", ["user_id", "project_id", "id"])
    op.create_index("ix_judgments_task", "judgments", ["task_id"])
    first = sa.text("supersedes IS NULL")
    op.create_index(
        "uq_judgments_first_answer",
        "judgments",
        ["user_id", "task_id"],
        unique=True,
        sqlite_where=first,
        postgresql_where=first,
    )


def _labeling() -> None:
    op.create_table(
        "leases",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "task_id", name="pk_leases"),
        _reference("leases", "user_id", "users"),
        _reference("leases", "task_id", "tasks"),
    )
    op.create_index("ix_leases_task", "leases", ["task_id", "expires"])
    op.create_table(
        "drafts",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("correction_of", sa.Integer),
        sa.Column("saved", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "task_id", name="pk_drafts"),
        _reference("drafts", "user_id", "users"),
        _reference("drafts", "task_id", "tasks"),
        _reference("drafts", "correction_of", "judgments"),
    )
