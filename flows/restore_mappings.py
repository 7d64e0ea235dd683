"""Flow *Restore mappings*: what a reset has deleted is brought back from its backup."""

from typing import Annotated

from prefect import flow

from tasks.attended import require_a_person
from tasks.forms import OurId, titled
from tasks.hooks import ON_TROUBLE
from tasks.restore_backup import list_backups, restore_mappings_of
from tasks.run import concluded, open_resources, open_run
from tasks.run_names import restore_mappings_run
from tasks.validate_connection import validate_connection


@flow(name="restore-mappings", flow_run_name=restore_mappings_run, **ON_TROUBLE)
@concluded
async def restore_mappings(
    backup: Annotated[OurId, titled("Backup")] = "",
    dry_run: Annotated[bool, titled("Dry run")] = True,
    confirm: Annotated[int, titled("Number of mappings, to restore them", ge=0)] = 0,
) -> str:
    """Bring back the mappings that a reset has deleted, exactly as they were. Those of other people stay.

    Args:
        backup: Id of the backup, which is that of the reset's plan. Empty: list the backups there are.
        dry_run: Check everything and say how many mappings would be written, write nothing.
        confirm: To restore for real, type how many mappings are written, as the dry run says.
    """
    await require_a_person()
    if not backup:
        async with open_resources() as runtime:
            return await list_backups(runtime)
    async with open_run() as runtime:
        workspace = await validate_connection(runtime)
        return await restore_mappings_of(runtime, workspace, backup, dry_run=dry_run, confirm=confirm)
