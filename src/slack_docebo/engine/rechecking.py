"""Rechecking a saved plan: what has changed since it was made is skipped, never overwritten."""

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.planning import Kind, Operation, Outcome
from slack_docebo.engine.applying import account_of, holds, record
from slack_docebo.engine.connection import Workspace
from slack_docebo.errors import PlanNotApplicable
from slack_docebo.runtime import Runtime
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.plans import PlanRepository, PlanState, Result

CHUNK = 500
APPLICABLE = frozenset({PlanState.PLANNED, PlanState.REFUSED, PlanState.APPLYING, PlanState.PARTLY_APPLIED})


def recheck(runtime: Runtime, workspace: Workspace, plan_id: str, accounts: Accounts) -> int:
    """Mark each operation of the plan that the target of today rules out as skipped; return how many there were.

    Raises PlanNotApplicable if the plan does not exist, was applied before, or is for another workspace or Docebo.
    """
    with runtime.store.reading() as connection:
        plan = PlanRepository(connection).read(plan_id)
    if plan.state not in APPLICABLE:
        raise PlanNotApplicable(f"plan {plan_id} is {plan.state}: make a new one with a dry run")
    if (plan.docebo, plan.slack_team) != (runtime.settings.docebo_url, workspace.team):
        raise PlanNotApplicable(f"plan {plan_id} was made for workspace {plan.slack_team} and {plan.docebo}")
    skipped = 0
    for kind in (Kind.CREATE, Kind.UPDATE, Kind.DEACTIVATE, Kind.MAP):
        after = -1
        while True:
            with runtime.store.reading() as connection:
                pending = PlanRepository(connection).pending(plan_id, kind, CHUNK, after=after)
                teams = {operation.slack_team for _, operation in pending}
                ids = [operation.docebo_id for _, operation in pending if operation.docebo_id is not None]
                mappings = MappingRepository(connection)
                holders = {team: mappings.holders(team, ids) for team in teams}
            if not pending:
                break
            after = pending[-1][0]
            results = [
                Result(seq, Outcome.SKIPPED, error=reason)
                for seq, operation in pending
                if (reason := reason_to_skip(operation, accounts, holders[operation.slack_team]))
            ]
            record(runtime, plan_id, pending, results)
            skipped += len(results)
    return skipped


def reason_to_skip(operation: Operation, accounts: Accounts, holders: dict[int, str]) -> str:
    """Return why *operation* must not be carried out any more, or ""."""
    account = account_of(accounts, operation)
    if operation.kind is Kind.CREATE:
        return f"account {account.docebo_id} exists by now" if account else ""
    if account is None:
        return "the account is gone"
    if operation.kind in {Kind.UPDATE, Kind.DEACTIVATE} and account.administrator:
        return "administrator account, never touched"
    if operation.maps and holders.get(account.docebo_id, operation.slack_id) != operation.slack_id:
        return f"the account belongs to {holders[account.docebo_id]} by now"
    if changed := [name for name, value in operation.before.items() if not holds(account, name, value)]:
        return f"changed in Docebo since: {', '.join(changed)}"
    return ""
