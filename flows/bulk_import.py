"""Flow *Bulk User Import - Slack to Docebo*; on a schedule it is the reconciliation."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.summary import Summary
from tasks.carry_out import carry_out
from tasks.follow_ups import apply_follow_ups
from tasks.forms import OurId, titled
from tasks.hooks import ON_TROUBLE
from tasks.mail_report import mail_report
from tasks.read_and_plan import read_and_plan
from tasks.recheck_plan import recheck_plan
from tasks.retrieve_accounts import retrieve_accounts
from tasks.run import concluded, continued, open_run
from tasks.run_names import bulk_import_run
from tasks.validate_connection import validate_connection


@flow(name="bulk-import", flow_run_name=bulk_import_run, **ON_TROUBLE)
@continued
@concluded
async def bulk_import(
    dry_run: Annotated[bool, titled("Dry run")] = True,
    plan_id: Annotated[OurId, titled("Saved plan")] = "",
    verify_target: Annotated[bool, titled("Compare with Docebo's users of today")] = True,
) -> list[Summary] | str:
    """Bring Docebo's users and the mapping in line with Slack, everybody at once.

    Args:
        dry_run: Plan and report, write nothing. The plan is saved and can be applied later by its id.
        plan_id: Take exactly this saved plan instead of making a new one: report it again or, with dry run off, apply
            it. What has changed in Docebo since is skipped.
        verify_target: Off: trust that they are as last written, and read only Slack, and the accounts of those who have
            changed there; much faster when little has.
    """
    with SourceSnapshot() as people:
        async with open_run() as runtime:
            workspace = await validate_connection(runtime)
            is_saved = bool(plan_id)
            if is_saved and not dry_run:
                await recheck_plan(runtime, workspace, plan_id, await retrieve_accounts(runtime, plan_id))
            elif not is_saved:
                plan_id = await read_and_plan(runtime, workspace, people, verify_target=verify_target)
            summaries = [await carry_out(runtime, plan_id, dry_run=dry_run)]
            if dry_run:
                return summaries[0].line  # whoever looks has done well, whatever became of the plan
            await mail_report(runtime, summaries[0])  # what comes after it may be refused, or take an hour
            if not is_saved:
                summaries += await apply_follow_ups(runtime, workspace, people)
            return summaries
