"""Flow *Mappings*: which Slack user is which Docebo account, carried in and out; and the fields that show it in Docebo."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.mappings.carrying import MappingAction, MappingRequest
from tasks.attended import require_a_person
from tasks.carry_mappings import carry_mappings, take_table_out_of_the_run
from tasks.forms import OurId, titled
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, open_run
from tasks.run_names import mappings_run


@flow(name="mappings", flow_run_name=mappings_run, **ON_TROUBLE)
@concluded
async def mappings(
    action: Annotated[MappingAction, titled("What to do")] = MappingAction.EXPORT,
    table: Annotated[str, titled("Table, to import")] = "",
    checked: Annotated[OurId, titled("Table that was checked, to import")] = "",
    check_only: Annotated[bool, titled("Check only")] = True,
    confirm: Annotated[int, titled("Number of mappings, to write them", ge=0)] = 0,
) -> str:
    """Export or import mappings, make the fields in Docebo that show them, or bring them back from these fields.

    Args:
        action: export: all mappings to a new file below REPORT_DIR on the worker's disk, which only its owner can read,
            and a table of ids. import: a table of your own, or that of the retired product. make the fields in Docebo:
            those of the setting MIRROR_FIELDS that are missing. rebuild from the fields in Docebo: the mappings as these
            fields say.
        table: Pasted as it is, up to half a megabyte, with the columns slack_id, slack_name, slack_team and user_id in the
            first line. It is taken out of the run at once, and kept in a file for its owner until it is imported.
        checked: Id of a table that was checked, in place of it; the link on that run's page fills it in.
        check_only: Say what would be done, do nothing. A table that is pasted is always checked first.
        confirm: To write for real, type how many mappings are written, as the check says.
    """
    await take_table_out_of_the_run()
    await require_a_person()
    request = MappingRequest(action=action, table=table, checked=checked, check_only=check_only, confirm=confirm)
    async with open_run() as runtime:  # an import would write over what it has read before
        return await carry_mappings(runtime, request)
