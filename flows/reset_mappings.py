"""Flow *Reset Slack user mappings*."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.mappings.resetting import deletion_step
from slack_docebo.engine.reporting.summary import Summary
from tasks.attended import require_a_person
from tasks.delete_mappings import delete_mappings
from tasks.forms import SlackIds, titled
from tasks.hooks import ON_TROUBLE
from tasks.plan_reset import plan_reset
from tasks.report_outcome import report_outcome
from tasks.run import concluded, open_run
from tasks.run_names import reset_mappings_run
from tasks.validate_connection import validate_connection


@flow(name="reset-mappings", flow_run_name=reset_mappings_run, **ON_TROUBLE)
@concluded
async def reset_mappings(
    slack_ids: Annotated[SlackIds, titled("Slack users")] = [],  # noqa: B006  (Prefect's form wants a list)
    dry_run: Annotated[bool, titled("Dry run")] = True,
    confirm: Annotated[str, titled("Name of the workspace, to delete them")] = "",
) -> Summary:
    """Delete the mappings between Slack users and Docebo users. Docebo accounts stay, and a backup is written first.

    Args:
        slack_ids: Ids of the Slack users whose mappings are deleted, like U012AB3CD; a list may be pasted into one
            field. Empty: those of everybody.
        dry_run: Plan and report, delete nothing.
        confirm: To delete for real, type the name of the Slack workspace, like Acme; to delete those of everybody, type
            everybody of Acme.
    """
    await require_a_person()
    async with open_run() as runtime:
        workspace = await validate_connection(runtime)
        plan_id = await plan_reset(runtime, workspace, slack_ids, dry_run=dry_run, confirm=confirm)
        if dry_run:
            return await report_outcome(runtime, plan_id, steps=[deletion_step(workspace, slack_ids)])
        await delete_mappings(runtime, workspace, plan_id, slack_ids)
        return await report_outcome(runtime, plan_id)
