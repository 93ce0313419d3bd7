"""Raters whose judgments no model learns from.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table; nobody is held out yet."""
    op.create_table(
        "held_out",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "project_id", name="pk_held_out"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_held_out_user_id_users"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_held_out_project_id_projects"),
    )
