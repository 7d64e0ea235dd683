"""Flow *Undo*: what a run or a plan has done, the other way round."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.reporting.summary import Summary
from tasks.attended import require_a_person
from tasks.forms import PlanOrRun, titled
from tasks.hooks import ON_TROUBLE
from tasks.list_plans import list_undoable
from tasks.map_user_details import map_user_details
from tasks.plan_inverse import plan_inverse
from tasks.process_user_details import process_user_details
from tasks.recheck_plan import recheck_plan
from tasks.report_outcome import report_outcome
from tasks.retrieve_accounts import retrieve_accounts
from tasks.run import concluded, open_resources, open_run
from tasks.run_names import undo_run
from tasks.validate_connection import validate_connection


@flow(name="undo", flow_run_name=undo_run, **ON_TROUBLE)
@concluded
async def undo(
    of: Annotated[PlanOrRun, titled("Plan or run")] = "",
    deactivate_created: Annotated[bool, titled("Deactivate what was created")] = False,
    dry_run: Annotated[bool, titled("Dry run")] = True,
) -> Summary | str:
    """Bring back accounts and mappings as they were before a run. What has changed since is skipped, with the reason.

    Args:
        of: Id of the plan, as its summary says, or of the flow run, as its page's address ends. Empty: list the
            plans that can be undone.
        deactivate_created: Accounts that were created are never deleted. On, they are deactivated; off, they stay.
        dry_run: Plan and show the undoing, write nothing. The plan is saved, and its summary links to the form that
            applies it.
    """
    await require_a_person()
    if not of:
        async with open_resources() as runtime:
            return await list_undoable(runtime)
    async with open_run() as runtime:
        workspace = await validate_connection(runtime)
        plan_id = await plan_inverse(runtime, of, deactivate_created=deactivate_created)
        try:
            if not dry_run:
                await recheck_plan(runtime, workspace, plan_id, await retrieve_accounts(runtime, plan_id))
                await process_user_details(runtime, plan_id)
                await map_user_details(runtime, plan_id)
        finally:
            summary = await report_outcome(runtime, plan_id)
        return summary
