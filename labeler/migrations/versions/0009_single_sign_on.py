"""People may sign in with an OpenID provider.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables of addresses, of identities at providers, and of sign-ins on their way."""
    op.create_table(
        "emails",
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_emails"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_emails_user_id_users"),
    )
    op.create_index("ix_emails_user", "emails", ["user_id"])
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("linked", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_identities_user_id_users"),
    )
    op.create_index("ix_identities_user", "identities", ["user_id"])
    op.create_table(
        "sign_ons",
        sa.Column("state_hash", sa.Text, nullable=False),
        sa.Column("browser_hash", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("verifier", sa.Text, nullable=False),
        sa.Column("link_to", sa.Integer),
        sa.Column("expires", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_sign_ons"),
        sa.ForeignKeyConstraint(["link_to"], ["users.id"], name="fk_sign_ons_link_to_users"),
    )
