"""Runs the migrations inside the transaction that `labeler.database.Database.upgrade` opened."""

from alembic import context

from labeler.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
