"""Flow *Left alone*: who is left alone, and why; nothing is written, and neither side is asked."""

from typing import Annotated

from prefect import flow

from tasks.forms import titled
from tasks.hooks import ON_TROUBLE
from tasks.list_left_alone import list_left_alone
from tasks.run import concluded, open_resources


@flow(name="left-alone", flow_run_name="who is left alone, and why", **ON_TROUBLE)
@concluded
async def left_alone(
    reason: Annotated[str, titled("Only for this reason", max_length=400)] = "",
    plan_id: Annotated[str, titled("Plan", pattern="^[0-9a-z]*$", max_length=8)] = "",
    page: Annotated[int, titled("Page, of 5,000 people each", ge=1)] = 1,
) -> str:
    """List everybody whom an import leaves alone, with the reason of each, in a table of this run.

    Args:
        reason: As the summary of an import says it, or some words of it. Empty: everybody who is not in line.
        plan_id: Id of the plan. Empty: the newest import or dry run.
        page: The first, unless there are more people than one table holds.
    """
    async with open_resources() as runtime:
        return await list_left_alone(runtime, plan_id, reason, page)
