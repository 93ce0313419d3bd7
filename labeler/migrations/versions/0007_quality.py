"""Gold items and exams have pools of their own beside the queue; reviews, comments and decisions on candidates.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

OUTSIDE = sa.text("pool <> 'queue'")


def upgrade() -> None:
    """Add the tables; every task so far is in the queue."""
    op.add_column("tasks", sa.Column("pool", sa.Text, nullable=False, server_default="queue"))
    columns = ["project_id", "pool", "shuffle"]
    op.create_index("ix_tasks_pool", "tasks", columns, sqlite_where=OUTSIDE, postgresql_where=OUTSIDE)
    _gold()
    _reviews()
    _comments()
    _exams()


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def _gold() -> None:
    op.create_table(
        "gold_rules",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("feedback", sa.Text, nullable=False),
        sa.Column("threshold", sa.Float),
        sa.Column("least", sa.Integer, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="pk_gold_rules"),
        _reference("gold_rules", "project_id", "projects"),
    )
    op.create_table(
        "pauses",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("accuracy", sa.Float, nullable=False),
        sa.Column("items", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("lifted_by", sa.Integer),
        sa.Column("lifted", sa.Float),
        sa.PrimaryKeyConstraint("id", name="pk_pauses"),
        _reference("pauses", "project_id", "projects"),
        _reference("pauses", "user_id", "users"),
        _reference("pauses", "lifted_by", "users"),
    )
    op.create_index("ix_pauses_user", "pauses", ["user_id", "project_id"])


def _reviews() -> None:
    op.create_table(
        "reviewers",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "project_id", name="pk_reviewers"),
        _reference("reviewers", "user_id", "users"),
        _reference("reviewers", "project_id", "projects"),
    )
    op.create_table(
        "reviews",
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("judgments", sa.Integer, nullable=False),
        sa.Column("disagreement", sa.Float, nullable=False),
        sa.Column("flagged", sa.Boolean, nullable=False),
        sa.Column("skipped", sa.Boolean, nullable=False),
        sa.Column("all_bad", sa.Boolean, nullable=False),
        sa.Column("noted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="pk_reviews"),
        _reference("reviews", "task_id", "tasks"),
        _reference("reviews", "project_id", "projects"),
    )
    op.create_index("ix_reviews_order", "reviews", ["project_id", sa.text("disagreement DESC"), "task_id"])
    op.create_table(
        "review_marks",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("judgment_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="pk_review_marks"),
        _reference("review_marks", "project_id", "projects"),
    )
    op.create_table(
        "sent_back",
        sa.Column("judgment_id", sa.Integer, nullable=False),
        sa.Column("by_id", sa.Integer, nullable=False),
        sa.Column("comment", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("judgment_id", name="pk_sent_back"),
        _reference("sent_back", "judgment_id", "judgments"),
        _reference("sent_back", "by_id", "users"),
    )


def _comments() -> None:
    op.create_table(
        "comments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("labeler_id", sa.Integer, nullable=False),
        sa.Column("author_id", sa.Integer, nullable=False),
        sa.Column("text", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_comments"),
        _reference("comments", "task_id", "tasks"),
        _reference("comments", "labeler_id", "users"),
        _reference("comments", "author_id", "users"),
    )
    op.create_index("ix_comments_labeler", "comments", ["labeler_id", "id"])
    op.create_index("ix_comments_task", "comments", ["task_id", "labeler_id", "id"])
    op.create_table(
        "comment_reads",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("labeler_id", sa.Integer, nullable=False),
        sa.Column("comment_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "task_id", "labeler_id", name="pk_comment_reads"),
        _reference("comment_reads", "user_id", "users"),
        _reference("comment_reads", "task_id", "tasks"),
        _reference("comment_reads", "labeler_id", "users"),
    )


def _exams() -> None:
    op.create_table(
        "exams",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="pk_exams"),
        _reference("exams", "project_id", "projects"),
    )
    op.create_table(
        "candidates",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("began", sa.Float, nullable=False),
        sa.Column("areas", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", name="pk_candidates"),
        _reference("candidates", "project_id", "projects"),
        _reference("candidates", "user_id", "users"),
    )
    op.create_table(
        "exam_answers",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("prompt", sa.JSON, nullable=False),
        sa.Column("text", sa.JSON, nullable=False),
        sa.Column("saved", sa.Float, nullable=False),
        sa.Column("grade", sa.Integer),
        sa.Column("graded_by", sa.Integer),
        sa.PrimaryKeyConstraint("project_id", "user_id", "attempt", "number", name="pk_exam_answers"),
        _reference("exam_answers", "project_id", "projects"),
        _reference("exam_answers", "user_id", "users"),
        _reference("exam_answers", "graded_by", "users"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("by_id", sa.Integer, nullable=False),
        sa.Column("note", sa.JSON, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        _reference("decisions", "project_id", "projects"),
        _reference("decisions", "user_id", "users"),
        _reference("decisions", "by_id", "users"),
    )
    op.create_index("ix_decisions_user", "decisions", ["user_id", "project_id"])
