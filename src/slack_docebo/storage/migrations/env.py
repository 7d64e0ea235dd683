"""Run by Alembic: migrates over the connection it is handed."""

from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import delete, insert

from slack_docebo.storage.schema import metadata, schema_contract


def note_oldest(ctx: MigrationContext, step: MigrationInfo, *_: Any, **__: Any) -> None:
    """Write down which code can work on what *step* leaves: the `oldest` that its file names."""
    for revision in step.destination_revision_ids:
        script = context.script.get_revision(revision)
        oldest = script and getattr(script.module, "oldest", None)  # the files before the table name none
        if oldest and ctx.connection:
            ctx.connection.execute(delete(schema_contract))
            ctx.connection.execute(insert(schema_contract).values(oldest=oldest))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller holds one transaction around everything
    on_version_apply=note_oldest,
)
context.run_migrations()
