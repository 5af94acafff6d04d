"""Alembic's entry: runs the steps on the connection that `underkeel.store.schema` hands over."""

from alembic import context

from underkeel.store.schema import VERSION_TABLE
from underkeel.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # SQLite too: its transaction is begun by us, not by the driver
)
context.run_migrations()
