"""`slack-docebo undo`: the inverse of a run or a plan, as a plan that is looked at and then applied."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from slack_docebo.cli.output import Json, note
from slack_docebo.cli.plan_runs import apply_plan, conclude
from slack_docebo.cli.plans import show
from slack_docebo.cli.session import open_changing_session
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.writing.left_behind import settle_sent_by
from slack_docebo.errors import PlanNotApplicable

Of = Annotated[str, Parameter(name="run", help="Id of the plan or of the flow run that is undone.")]
DeactivateCreated = Annotated[bool, Parameter(negative="", help="Deactivate the accounts that were created.")]
Apply = Annotated[bool, Parameter(negative="", help="Apply the plan at once instead of only showing it.")]


def undo(of: Of, /, *, deactivate_created: DeactivateCreated = False, apply: Apply = False, json: Json = False) -> int:
    """Save the inverse of a run as a plan, and show or apply it; return the exit code."""
    if not of.strip():
        raise PlanNotApplicable(
            "nothing says what to undo: give the id of a plan, as its summary or `slack-docebo plan list` shows it, or of a"
            " flow run"
        )
    return asyncio.run(_undo(of, deactivate_created=deactivate_created, apply=apply, json=json))


async def _undo(of: str, *, deactivate_created: bool, apply: bool, json: bool) -> int:
    async with open_changing_session() as runtime:
        await settle_sent_by(runtime, of)
        plan_id = plan_undo(runtime, of, deactivate_created=deactivate_created)
        if apply:
            applied = await apply_plan(runtime, plan_id)
            return conclude(runtime.store, runtime.settings.report_dir, applied, json=json)
    show(plan_id, json=json)
    note(f"Nothing was written. Apply it with: slack-docebo plan apply {plan_id}")
    return 0
