"""Flow *Plan people*: everybody of a plan, and why; nothing is written, and neither side is asked."""

from typing import Annotated, Literal

from prefect import flow

from tasks.forms import OurId, titled
from tasks.hooks import ON_TROUBLE
from tasks.list_people import list_people
from tasks.run import concluded, open_resources

What = Literal["left alone", "created", "updated", "moved", "deactivated", "mapped", "unmapped"]


@flow(name="plan-people", flow_run_name="everybody of a plan: {what}", **ON_TROUBLE)
@concluded
async def plan_people(
    what: Annotated[What, titled("What was or would be done")] = "left alone",
    reason: Annotated[str, titled("Only for this reason", max_length=400)] = "",
    plan_id: Annotated[OurId, titled("Plan")] = "",
    page: Annotated[int, titled("Page, of 5,000 people each", ge=1)] = 1,
) -> str:
    """List everybody to whom a plan does one thing, or whom it leaves alone, with the reason of each, in a table of this run.

    Args:
        what: left alone: also those who were so before, whom an import's own tables leave out.
        reason: As the summary of an import says it, or some words of it. Empty: everybody who is not in line.
        plan_id: Id of the plan. Empty: the newest import or dry run.
        page: The first, unless there are more people than one table holds.
    """
    async with open_resources() as runtime:
        return await list_people(runtime, plan_id, what, reason, page)
