"""What Alembic runs: the migrations, on the connection that `spotter.database.migrate` hands over."""

from __future__ import annotations

from alembic import context

import spotter.database.figure_tables
import spotter.database.people_tables  # noqa: F401 - its tables belong to the metadata
from spotter.database.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
