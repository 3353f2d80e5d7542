"""Runs the revisions on the connection that store.database.migrate opened, in that connection's transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # Dagster keeps an alembic_version of its own in schema public of the same database.
    version_table_schema="sync",
)
context.run_migrations()
