"""Replies that models offer to people who write dialogues.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "offers",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_offers"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_offers_user_id_users"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_offers_task_id_tasks"),
    )
    op.create_index("ix_offers_user", "offers", ["user_id", "created"])
    op.create_index("ix_offers_task", "offers", ["task_id", "user_id"])
