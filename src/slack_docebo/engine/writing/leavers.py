"""Leavers of a saved plan: whoever has come back since it was made is left alone."""

from collections.abc import Sequence

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Observation, Present, Unknown
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planning import Kind, Outcome, Planner, Policy
from slack_docebo.engine.reading.evidence import ask_for_people
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind

OF_LEAVERS = frozenset({Kind.DEACTIVATE, Kind.UNMAP})
OF_THE_RULES = frozenset({PlanKind.BULK_IMPORT, PlanKind.REALTIME_SYNC})


async def ask_whether_left(runtime: Runtime, plan: Plan, batch: Sequence[Numbered], policy: Policy) -> list[RowOutcome]:
    """Return who of *batch* is to be skipped, for Slack does not say any more that the person has left.

    Asked, one call each, is for whom a plan would deactivate or unmap that was saved and is applied by its id.
    """
    if plan.kind not in OF_THE_RULES or plan.flow_run == runtime.run_id:
        return []
    leavers = [(seq, operation.slack_id) for seq, operation in batch if operation.kind in OF_LEAVERS]
    if not leavers:
        return []
    planner = Planner(policy, Accounts())
    answers = await ask_for_people(runtime, plan.slack_team, [slack_id for _, slack_id in leavers])
    reasons = {seq: _reason(answers[slack_id], planner) for seq, slack_id in leavers}
    return [RowOutcome(seq, Outcome.SKIPPED, error=reason) for seq, reason in reasons.items() if reason]


def _reason(seen: Observation[SourceUser], planner: Planner) -> str:
    match seen:
        case Present(user) if not planner.is_leaver(user):
            return "the person is in Slack again"
        case Unknown(why):
            return why
    return ""
