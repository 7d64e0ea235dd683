"""Finishing a run: how it ended, and what it used, are written to the journal."""

from slack_docebo.domain.operations import Outcome
from slack_docebo.domain.stamps import UNSTAMPED
from slack_docebo.engine.reporting.summary import Summary, summary
from slack_docebo.engine.writing.standing import note_standings_of_left_alone
from slack_docebo.runtime import Runtime
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.plans import PlanKind, PlanState


def finish(runtime: Runtime, plan_id: str) -> Summary:
    """Write to the journal how the run with this plan ended and what it used; return the summary."""
    now = runtime.now()
    with runtime.store.transaction() as tables:
        plan = tables.plans.read(plan_id)
        state = plan.state
        if state is PlanState.APPLYING:
            outcomes = {outcome for _, _, outcome, _ in tables.operations.tally(plan_id)}
            whole = outcomes <= {Outcome.APPLIED, Outcome.LEFT}
            state = PlanState.APPLIED if whole else PlanState.PARTLY_APPLIED
            # Who applies a saved plan has not looked at everybody: those who joined since are still missing.
            of_everybody = plan.kind is PlanKind.BULK_IMPORT and not plan.is_part and plan.flow_run == runtime.run_id
            if of_everybody and Outcome.PLANNED not in outcomes:
                tables.milestones.reach(plan.docebo, Milestone.IMPORT, now=now)
        if plan.state in {PlanState.APPLYING, PlanState.REFUSED}:
            note_standings_of_left_alone(tables, plan, now=now)
        if plan.state is PlanState.APPLYING and plan.kind is PlanKind.REALTIME_SYNC and plan.read_since:
            # Of those who were asked for by name, Slack is asked again before what is older than that is applied.
            people = [operation.slack_id for operation in tables.operations.left_alone(plan_id)]
            tables.applied(plan.docebo).advance(plan.slack_team, dict.fromkeys(people, UNSTAMPED), now=now)
        facts = {
            **plan.facts,
            "calls": runtime.calls,
            "evidence_calls": runtime.evidence.calls,
            "evidence_calls_at_most": runtime.evidence.at_most,
            "seconds": round((now - runtime.begun).total_seconds(), 1),
        }
        tables.plans.set_state(plan_id, state, facts=facts, finished_at=now)
    return summary(runtime.store, plan_id)
