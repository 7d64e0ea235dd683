"""Holding events back: people whose changes would exceed a limit wait as one incident, until somebody lets it through.

The incident has the id of the plan that was refused first; people who would exceed the same limit later wait with it.
People who would exceed another limit wait with another incident: whoever lets one through was told of its limit only.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from slack_docebo.domain.guards import Change
from slack_docebo.engine.realtime.merging import Case
from slack_docebo.errors import ConfigurationError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import LET_THROUGH, Plan, PlanKind, PlanState
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables


def hold(runtime: Runtime, plan_id: str, cases: Collection[Case], over: Iterable[str]) -> str:
    """Refuse the plan, hold the events of *cases* back, and return the incident with which they wait."""
    now = runtime.now()
    with runtime.store.transaction() as tables:
        inbox = tables.inbox
        plan = tables.plans.read(plan_id)
        before = {case.incident for case in cases if case.incident}
        incident = next((other.id for other in _open(tables, before) if _takes(other, plan)), plan_id)
        state = PlanState.REFUSED if incident == plan_id else PlanState.ABANDONED
        tables.plans.set_state(plan_id, state, finished_at=now)
        error = (
            f"{'; '.join(over)}. Look at plan {incident}; if it is right, let everybody who waits with it through, by the"
            f" link on the status page or with `slack-docebo events let-through {incident}`"
        )
        event_ids = [event_id for case in cases for event_id in case.event_ids]
        inbox.hold(event_ids, incident, error, now, run=runtime.run_id)
    return incident


def let_through(store: Store, incident: str, now: datetime) -> set[str]:
    """Let the events that are held back with *incident* be applied over the limit; return their ids.

    They are planned anew, and the refused plan cannot be applied any more. Raises ConfigurationError where no event is held
    back with the incident.
    """
    with store.transaction() as tables:
        event_ids = tables.inbox.parked_ids(None, incident)
        if not event_ids:
            raise ConfigurationError(
                f"no event is held back with {incident}: the form Replay or drop parked events shows what is"
            )
        plan = tables.plans.read(incident)
        tables.inbox.replay(event_ids, now)
        facts = {**plan.facts, LET_THROUGH: True}
        tables.plans.set_state(
            incident, PlanState.ABANDONED if plan.state is PlanState.REFUSED else plan.state, facts=facts
        )
    return event_ids


def are_let_through(tables: Tables, incidents: Collection[str]) -> dict[str, frozenset[Change]]:
    """Return which of *incidents* somebody has let through, and in what they exceed the limits."""
    plans = [plan for plan in map(tables.plans.get, incidents) if plan and plan.is_let_through]
    return {plan.id: plan.let_through for plan in plans}


def _open(tables: Tables, before: Collection[str]) -> list[Plan]:
    """Return the incidents that nobody has let through, as plans: those that hold events back, and those of *before*."""
    plans = map(tables.plans.get, sorted({*before, *tables.inbox.incidents()}))
    return [plan for plan in plans if plan and plan.state is PlanState.REFUSED and plan.kind is PlanKind.REALTIME_SYNC]


def _takes(incident: Plan, plan: Plan) -> bool:
    """Tell whether the people of *plan* may wait with *incident*: it is of the same workspace, and exceeds the same limits.

    For a plan that exceeds MAX_ACCOUNTS only, which nobody lets through, `over` is empty.
    """
    is_alike = (incident.docebo, incident.slack_team) == (plan.docebo, plan.slack_team)
    is_over_no_other = plan.over <= incident.over if plan.over else not incident.over
    return is_alike and is_over_no_other and incident.id != plan.id
