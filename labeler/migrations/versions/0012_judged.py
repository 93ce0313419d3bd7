"""How many people judged a task, beside how many it still wants.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

COUNTED = """
UPDATE tasks SET judged = (
    SELECT COUNT(DISTINCT annotator) FROM judgments
    WHERE judgments.task_id = tasks.id AND kind NOT IN ('skip', 'adjudicate')
    AND NOT EXISTS (SELECT 1 FROM judgments AS later WHERE later.supersedes = judgments.id)
)
"""


def upgrade() -> None:
    """Add the column and count what is there."""
    op.add_column("tasks", sa.Column("judged", sa.Integer, nullable=False, server_default="0"))
    op.execute(COUNTED)
