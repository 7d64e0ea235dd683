"""The end of a run: how it ended and what it used stand in the journal."""

from slack_docebo.domain.planning import Outcome
from slack_docebo.engine.report import Summary, summary
from slack_docebo.engine.standing import conclude
from slack_docebo.runtime import Runtime
from slack_docebo.storage.inbox import InboxRepository
from slack_docebo.storage.plans import PlanKind, PlanRepository, PlanState


def finish(runtime: Runtime, plan_id: str) -> Summary:
    """Note how the run with this plan ended and what it used, and return it in numbers."""
    now = runtime.now()
    with runtime.store.transaction() as connection:
        plans = PlanRepository(connection)
        plan = plans.read(plan_id)
        state = plan.state
        if state is PlanState.APPLYING:
            outcomes = {outcome for _, _, outcome, _ in plans.tally(plan_id)}
            whole = outcomes <= {Outcome.APPLIED, Outcome.LEFT}
            state = PlanState.APPLIED if whole else PlanState.PARTLY_APPLIED
        if plan.state in {PlanState.APPLYING, PlanState.REFUSED}:
            conclude(connection, plan, now=now)
        facts = {**plan.facts, "calls": runtime.calls, "seconds": round((now - runtime.begun).total_seconds(), 1)}
        plans.set_state(plan_id, state, facts=facts, finished_at=now)
        if plan.kind is PlanKind.BULK_IMPORT:
            # It may have read Slack before, and written after, an event that was applied meanwhile.
            InboxRepository(connection).look_again(since=runtime.begun, now=now)
    return summary(runtime.store, plan_id)
