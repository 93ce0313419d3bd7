"""The tables of the labeling database, for SQLite and PostgreSQL alike.

Judgments are append-only: triggers (see the first migration) refuse to change or delete them, and a correction is a new
row that names the one it replaces in `supersedes`. Everything else that the queue needs to be fast is derived from them
and kept on the task: `remaining` (slots still to be judged) and `stage` (see `labeler.queue.stage`). What pages would
have to count is kept in `tallies` and `hours` (see `labeler.tallies`), changed together with what they count.

What an import has staged but not yet published bears the number of a row of `imports`: it is `VISIBLE` to nobody.

The tables change only through `labeler/migrations`; a test compares what the migrations build with what stands here.
"""

from __future__ import annotations

import sqlalchemy as sa

REVISION = "0012"
"""The migration that this version of the program needs."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("language", sa.Text),  # null: as the browser asks
)

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("overlap", sa.Integer, nullable=False),
    sa.Column("dwell_seconds", sa.Float, nullable=False),
    sa.Column("lease_seconds", sa.Float, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
)

guidelines = sa.Table(
    "guidelines",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
)

label_schemas = sa.Table(
    "label_schemas",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),  # JSON, see labeler.label_schema
    sa.Column("created", sa.Float, nullable=False),
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("group_id", sa.Text, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),  # the native row of the group, without its rankings
    sa.Column("overlap", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("remaining", sa.Integer, nullable=False),
    sa.Column("judged", sa.Integer, nullable=False, server_default="0"),  # people whose answer stands
    sa.Column("stage", sa.Integer, nullable=False),
    sa.Column("shuffle", sa.Integer, nullable=False),
    sa.Column("import_id", sa.Integer, nullable=False, server_default="0"),
    sa.Column("sensitive", sa.Boolean, nullable=False, server_default=sa.false()),  # its meta.sensitive is true
    sa.Column("pool", sa.Text, nullable=False, server_default="queue"),  # queue, gold, exam, aside; see labeler.pools
    sa.UniqueConstraint("project_id", "group_id"),
)
IN_QUEUE = tasks.c.pool == sa.literal_column("'queue'")
"""The task is handed out by the queue; gold items and tasks of an exam are drawn from pools of their own."""
WANTED = tasks.c.remaining > sa.literal_column("0")
"""Somebody is still wanted for the task; a literal, so that the database knows that the partial index applies."""
# The queue reads this index from one end: it holds only tasks that somebody is still wanted for.
sa.Index(
    "ix_tasks_open",
    tasks.c.project_id,
    tasks.c.priority.desc(),
    tasks.c.stage,
    tasks.c.shuffle,
    tasks.c.id,
    tasks.c.import_id,
    sqlite_where=WANTED,
    postgresql_where=WANTED,
)
sa.Index(
    "ix_tasks_pool",
    tasks.c.project_id,
    tasks.c.pool,
    tasks.c.shuffle,
    sqlite_where=~IN_QUEUE,
    postgresql_where=~IN_QUEUE,
)
# In the order of import, page by page.
sa.Index("ix_tasks_project", tasks.c.project_id, tasks.c.id)
# Those that some people leave out, to count them.
_WANTED_SENSITIVE = sa.and_(tasks.c.sensitive, WANTED)
sa.Index(
    "ix_tasks_sensitive",
    tasks.c.project_id,
    tasks.c.id,
    sqlite_where=_WANTED_SENSITIVE,
    postgresql_where=_WANTED_SENSITIVE,
)

demonstrations = sa.Table(
    "demonstrations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("demonstration_id", sa.Text, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),  # the native row
    sa.Column("import_id", sa.Integer, nullable=False, server_default="0"),
    sa.UniqueConstraint("project_id", "demonstration_id"),
)

imports = sa.Table(
    "imports",  # those that run, or died; see labeler.staging
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("creates", sa.Boolean, nullable=False),  # the project is staged too
    sa.Column("beat", sa.Float, nullable=False),  # when it last said that it lives
    sqlite_autoincrement=True,  # what was published keeps its number, which must never be given again
)


def visible(table: sa.Table) -> sa.ColumnElement[bool]:
    """True for a task or demonstration that no running import has staged."""
    return table.c.import_id.not_in(sa.select(imports.c.id))


judgments = sa.Table(
    "judgments",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("task_id", sa.ForeignKey("tasks.id"), nullable=False),
    sa.Column("user_id", sa.ForeignKey("users.id")),  # null: came with an import
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),  # app, import
    sa.Column("kind", sa.Text, nullable=False),  # rank, skip, adjudicate
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("seconds", sa.Float),
    sa.Column("at", sa.Text),
    sa.Column("guidelines_version", sa.Integer),
    sa.Column("supersedes", sa.ForeignKey("judgments.id"), unique=True),
    sa.Column("submission_id", sa.Text, unique=True),
    sa.Column("fingerprint", sa.Text),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("schema_version", sa.Integer),
)
sa.Index("ix_judgments_project", judgments.c.project_id, judgments.c.id)
sa.Index("ix_judgments_annotator", judgments.c.annotator, judgments.c.task_id)
sa.Index("ix_judgments_user", judgments.c.user_id, judgments.c.project_id, judgments.c.id)
sa.Index("ix_judgments_task", judgments.c.task_id)
# Whatever the program does, nobody answers a task twice other than by a correction.
sa.Index(
    "uq_judgments_first_answer",
    judgments.c.user_id,
    judgments.c.task_id,
    unique=True,
    sqlite_where=judgments.c.supersedes.is_(None),
    postgresql_where=judgments.c.supersedes.is_(None),
)

COUNTED = (
    "tasks",  # of the queue, as are the next three
    "finished",
    "started",
    "wanted",  # rankings
    "demonstrations",
    "judgments",
    "skips",
    "corrections",
    "answered",  # tasks that still want somebody and that this person has answered
)
tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),  # whose doing it was; empty: an import's
    *(sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in COUNTED),
    sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
)

hours = sa.Table(
    "hours",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("hour", sa.Text, primary_key=True),  # as in the judgments' times: 2026-01-31T09
    sa.Column("judgments", sa.Integer, nullable=False, server_default="0"),
    sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("task_id", sa.ForeignKey("tasks.id"), primary_key=True),
    sa.Column("expires", sa.Float, nullable=False),
    sa.Index("ix_leases_task", "task_id", "expires"),
)

drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("task_id", sa.ForeignKey("tasks.id"), primary_key=True),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("correction_of", sa.ForeignKey("judgments.id")),
    sa.Column("saved", sa.Float, nullable=False),
    sa.Column("opening", sa.Text),  # of a correction: another each time that it is opened
)

offers = sa.Table(
    "offers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("task_id", sa.ForeignKey("tasks.id"), nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # asked, answered, failed
    sa.Column("content", sa.JSON, nullable=False),  # see labeler.chat.Offer; without replies until it is answered
    sa.Column("created", sa.Float, nullable=False),
    sa.Index("ix_offers_user", "user_id", "created"),
    sa.Index("ix_offers_task", "task_id", "user_id"),
)

opt_outs = sa.Table(
    "opt_outs",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("until", sa.Float, nullable=False),
)
"""Who takes no sensitive tasks of a project, and until when."""

invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
    sa.Index("ix_invitations_user", "user_id"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
    sa.Index("ix_sessions_user", "user_id"),
)

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("public", sa.Text, nullable=False, unique=True),
    sa.Column("secret_hash", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("expires", sa.Float),
    sa.Column("last_used", sa.Float),
    sa.Index("ix_api_tokens_user", "user_id"),
)

failures = sa.Table(
    "failures",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("last", sa.Float, nullable=False),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id")),  # null: of every project
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", sa.JSON, nullable=False),
    sa.Column("texts", sa.Boolean, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),  # as it is, since every delivery is signed with it
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    # The first pending delivery waits until `next_try`; whoever delivers holds the lease.
    sa.Column("next_try", sa.Float, nullable=False),
    sa.Column("leased_until", sa.Float, nullable=False),
    sa.Column("leased_by", sa.Text),
    sa.Index("ix_webhooks_project", "project_id"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("webhook_id", sa.ForeignKey("webhooks.id"), nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # the bytes that are signed and sent
    sa.Column("state", sa.Text, nullable=False),  # pending, delivered, failed
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("answer", sa.Text),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("last_try", sa.Float),
    sa.UniqueConstraint("webhook_id", "message_id"),
    sa.Index("ix_deliveries_state", "webhook_id", "state", "id"),
)

emails = sa.Table(
    "emails",
    metadata,
    sa.Column("address", sa.Text, primary_key=True),  # in lower case
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Index("ix_emails_user", "user_id"),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("linked", sa.Float, nullable=False),
    sa.Index("ix_identities_user", "user_id"),
)

sign_ons = sa.Table(
    "sign_ons",
    metadata,
    sa.Column("state_hash", sa.Text, primary_key=True),
    sa.Column("browser_hash", sa.Text, nullable=False),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("link_to", sa.ForeignKey("users.id")),  # the account that asked to be linked
    sa.Column("expires", sa.Float, nullable=False),
)
