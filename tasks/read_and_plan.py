"""Both sides read side by side, and a plan made of the difference."""

from slack_docebo.concurrency import side_by_side
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.writing.left_behind import left_behind
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind
from tasks.plan_changes import plan_changes
from tasks.retrieve_accounts import retrieve_accounts, retrieve_changed_accounts
from tasks.retrieve_all_user_details import retrieve_all_user_details
from tasks.settle_left_behind import settle_what_was_left_behind


async def read_and_plan(
    runtime: Runtime, workspace: Workspace, people: SourceSnapshot, *, verify_target: bool, is_trial: bool = False
) -> str:
    """Read everybody into *people* and return the id of the plan; without *verify_target* only Slack is read.

    While it *is_trial*, of settings that are not saved, nothing but the plan is kept.
    """

    async def compare() -> str:
        """Plan page by page, while the later pages of Slack are still being read."""
        if verify_target:
            accounts = await retrieve_accounts(runtime)
        else:
            accounts = await retrieve_changed_accounts(runtime, workspace, people)
        return await plan_changes(runtime, workspace, people, accounts, trusting=not verify_target, is_trial=is_trial)

    if left_behind(runtime, PlanKind.BULK_IMPORT):
        await settle_what_was_left_behind(runtime)
    _, plan_id = await side_by_side(retrieve_all_user_details(runtime, workspace, people), compare())
    return plan_id
