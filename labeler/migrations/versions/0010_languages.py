"""People choose the language of the interface.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; without a choice the browser's languages decide."""
    op.add_column("users", sa.Column("language", sa.Text))
