"""What follows in an import when everybody is done: custom profile fields, moves to other branches, managers."""

from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.errors import ChangeLimitExceeded
from slack_docebo.runtime import Runtime
from tasks.map_user_details import map_user_details
from tasks.plan_managers import plan_who_manages
from tasks.plan_moves import plan_who_moves
from tasks.process_user_details import process_user_details
from tasks.read_custom_fields import plan_from_custom_fields
from tasks.report_outcome import report_outcome

# In this order, for a branch or a manager may come from a custom field.
PLANS = (plan_from_custom_fields, plan_who_moves, plan_who_manages)


async def apply_follow_ups(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> list[Summary]:
    """Make each follow-up plan for *people* and apply it; return the summaries of those with anything to do.

    A plan over a limit waits for somebody, without keeping the others waiting: ChangeLimitExceeded is raised at the
    end.
    """
    summaries: list[Summary] = []
    refused: list[ChangeLimitExceeded] = []
    for plan in PLANS:
        plan_id = await plan(runtime, workspace, people)
        if plan_id is None:
            continue
        try:
            await process_user_details(runtime, plan_id)
            await map_user_details(runtime, plan_id)
        except ChangeLimitExceeded as error:
            refused.append(error)
        finally:
            summaries.append(await report_outcome(runtime, plan_id))
    if refused:
        raise refused[0]
    return summaries
