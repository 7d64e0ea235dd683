"""Inquiry: what Slack is asked before a saved plan is applied, for no event may have told of it since the plan was made.

That is whether those for whom it makes accounts are still there, and whose the addresses are by now that an undo gives back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from slack_docebo.domain.grace import is_of_leaver
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.policy import Policy
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import check_calls
from slack_docebo.engine.reading.roll_call import asks_each, bearers, call_roll
from slack_docebo.engine.writing.leavers import OF_THE_RULES
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.tables import Tables

OPERATIONS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What Slack has answered."""

    newcomers: Mapping[str, Observation[SourceUser]]  # by Slack id
    given_back: Collection[str]  # addresses
    bearers: Mapping[str, Observation[SourceUser]]  # by address

    def reason_against(self, operation: Operation, accounts: Accounts, policy: Policy) -> str:
        """Return why *operation* must not be carried out by what Slack has answered, or ""."""
        if operation.kind is Kind.CREATE:
            return _reason_by_absence(self.newcomers[operation.slack_id], policy)
        address = _address_of(operation)
        if address not in self.given_back:
            return ""
        if others := [one.docebo_id for one in accounts.with_email(address) if one.docebo_id != operation.docebo_id]:
            return f"the address is that of account {others[0]} by now"
        match self.bearers.get(address):
            case Present(user) if operation.slack_id not in user.ids:
                return f"the address is that of {user.slack_id} in Slack by now"
            case Unknown(why):
                return why
        return ""


async def inquire(runtime: Runtime, workspace: Workspace, plan: Plan) -> Inquiry:
    """Ask Slack what the *plan* rests on, one by one or by its list, whichever takes fewer calls.

    Raises IncompleteRead, before anything is asked, where that and asking for each who has left, or is back, right before
    something is done takes more calls than EVIDENCE_CALLS.
    """
    undoes = plan.kind is PlanKind.UNDO
    with runtime.store.reading() as tables:
        newcomers = tables.operations.people_planned(plan.id, {Kind.CREATE})
        given_back = _given_back(tables, plan) if undoes else set()
        leavers_and_returners = tables.operations.still_to_activate(plan.id) + sum(
            n
            for kind, reason, outcome, n in tables.operations.tally(plan.id)
            if is_of_leaver(kind, reason) and outcome is Outcome.PLANNED
        )
    to_ask = leavers_and_returners if plan.kind in OF_THE_RULES else 0
    to_ask += sum(len(one) for one in (newcomers, given_back) if asks_each(runtime, workspace, len(one)))
    check_calls(runtime, people=to_ask)
    return Inquiry(
        await call_roll(runtime, workspace, newcomers) if newcomers else {},
        given_back,
        await bearers(runtime, workspace, given_back) if given_back else {},
    )


def _given_back(tables: Tables, plan: Plan) -> set[str]:
    """Return the addresses that the plan gives back to accounts."""
    found, after = set[str](), -1
    while some := tables.operations.pending(plan.id, Kind.UPDATE, OPERATIONS_AT_ONCE, after=after):
        after = some[-1][0]
        found |= {address for _, operation in some if (address := _address_of(operation))}
    return found


def _address_of(operation: Operation) -> str:
    return str(operation.changes.get("email", ""))


def _reason_by_absence(seen: Observation[SourceUser], policy: Policy) -> str:
    """Return why nobody makes an account for a person of whom Slack says what was *seen*, or ""."""
    match seen:
        case Present(user):
            against = policy.scope.reason_against(user)
            return f"the person is not to have an account by now: {against}" if against else ""
        case Gone():
            return "the person has left Slack by now"
        case Unknown(why):
            return why
