"""Flow *Apply plan*: a saved plan, or a part of it."""

from typing import Annotated, Literal

from prefect import flow

from slack_docebo.domain.operations import Kind
from slack_docebo.engine.planning.parting import PartChoice
from slack_docebo.engine.reporting.summary import Summary
from tasks.attended import require_a_person
from tasks.carry_out import carry_out
from tasks.forms import OurId, SlackIds, titled
from tasks.hooks import ON_TROUBLE
from tasks.list_plans import list_saved
from tasks.part_plan import show_part, take_part_of_plan
from tasks.recheck_plan import recheck_plan
from tasks.retrieve_accounts import retrieve_accounts
from tasks.run import concluded, open_resources, open_run
from tasks.run_names import apply_plan_run
from tasks.validate_connection import validate_connection

Doing = Literal["create", "update", "move", "deactivate", "map", "unmap"]


@flow(name="apply-plan", flow_run_name=apply_plan_run, **ON_TROUBLE)
@concluded
async def apply_plan(
    plan_id: Annotated[OurId, titled("Saved plan")] = "",
    first: Annotated[int, titled("Only the first so many people", ge=0)] = 0,
    operations: Annotated[list[Doing], titled("Only these operations")] = [],  # noqa: B006  (nobody changes it)
    slack_ids: Annotated[SlackIds, titled("Only these Slack users")] = [],  # noqa: B006  (nobody changes it)
    dry_run: Annotated[bool, titled("Dry run")] = True,
    confirm: Annotated[str, titled("Number of people, to apply it", max_length=30)] = "",
    page: Annotated[int, titled("Page of a dry run, of 5,000 people each", ge=1)] = 1,
) -> Summary | str:
    """Apply a saved plan, or a part of it; the rest stays planned, to be applied later: twenty first, then everybody.

    Args:
        plan_id: Id of the plan, as the summary of the run that made it says. Empty: list the plans that can be applied.
        first: In the plan's order. 0: everybody who is chosen.
        operations: People for whom one of these is planned. None: all of them.
        slack_ids: Ids of the Slack users, like U012AB3CD; a list may be pasted into one field. None: all of them.
        dry_run: Show who is chosen and what would be done, write nothing.
        confirm: To apply it for real, type how many people are chosen of how many, like 20 of 300, as the dry run says.
        page: The first, unless more people are chosen than one table holds.
    """
    await require_a_person()
    if not plan_id:
        async with open_resources() as runtime:
            return await list_saved(runtime)
    choice = PartChoice(tuple(slack_ids), tuple(map(Kind, operations)), first)
    async with open_run() as runtime:
        workspace = await validate_connection(runtime)
        if dry_run:
            return await show_part(runtime, plan_id, choice, page)
        accounts = await retrieve_accounts(runtime, plan_id)
        part = await take_part_of_plan(runtime, plan_id, choice, confirm)
        await recheck_plan(runtime, workspace, part, accounts)
        return await carry_out(runtime, part)
