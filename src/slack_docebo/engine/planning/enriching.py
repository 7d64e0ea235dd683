"""Planning for people whose custom fields were read after the plan for everybody was made."""

from collections.abc import AsyncIterator, Collection

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.planning.few import plan_few
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import are_few, read_target
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.profiles import with_fields_read_before
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind


async def plan_enriched(
    runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, slack_ids: Collection[str]
) -> str:
    """Compare the *listed* people with these *slack_ids* with their accounts, and return the id of the stored plan.

    People about whom an event was applied since this run began are left out: the list is older, and the next import
    compares them.
    """
    with runtime.store.reading() as tables:
        slack_ids = set(slack_ids) - tables.inbox.applied_since(runtime.begun, workspace.team, slack_ids)
    people = _pages_with(runtime, workspace, listed, slack_ids)
    if not are_few(runtime, len(slack_ids)):
        accounts = await read_target(runtime)
        return await make_plan(runtime, workspace, people, accounts, kind=PlanKind.CUSTOM_FIELDS, heard=listed)
    few = [user async for page in people for user in page]
    return await plan_few(runtime, workspace, few, kind=PlanKind.CUSTOM_FIELDS)


async def _pages_with(
    runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, slack_ids: Collection[str]
) -> AsyncIterator[list[SourceUser]]:
    for page in listed:
        some = [user for user in page if user.slack_id in slack_ids]
        if some:
            yield await to_completion(with_fields_read_before, runtime, workspace.team, some)
