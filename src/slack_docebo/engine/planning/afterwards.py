"""What plans need that are made once that of everybody is applied, of one rule: its values, accounts, a place in the store."""

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.planning import Operation
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.engine.planning.limits import count_people
from slack_docebo.engine.planning.plans import close_plan, open_plan
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import observe_account
from slack_docebo.engine.reading.sides import are_few, read_target
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.statements import chunks


def rule_for(runtime: Runtime, target: str) -> AttributeRule | None:
    """Return the rule that fills *target*, if accounts are provisioned and there is one."""
    if not runtime.behaviour.provision_slack_user_data:
        return None
    return next((rule for rule in runtime.behaviour.attributes if rule.target == target), None)


def values_of(runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, rule: AttributeRule) -> dict[str, str]:
    """Return the values that *rule* gives for those in scope, by Slack id; "" only where it clears."""
    scope = runtime.behaviour.policy(workspace.team).scope
    values = {}
    for page in listed:
        with runtime.store.reading() as tables:
            excluded = tables.exclusions.all()
        for user in page:
            value = rule.value(scope.as_member(user))
            is_said = bool(value) or (value is not None and rule.clear)
            if value is not None and is_said and not (scope.reason_against(user) or excluded.cover(user)):
                values[user.slack_id] = value
    return values


async def look_at_accounts(runtime: Runtime, docebo_ids: set[int]) -> Accounts:
    """Return these accounts: asked for one by one, or listed with all others where that takes fewer calls."""
    if not are_few(runtime, len(docebo_ids)):
        return await read_target(runtime)
    seen = [await observe_account(runtime, docebo_id) for docebo_id in sorted(docebo_ids)]
    return Accounts(one.value for one in seen if isinstance(one, Present))


def store_plan(runtime: Runtime, workspace: Workspace, kind: PlanKind, operations: list[Operation]) -> str:
    """Store a plan of these *operations*, measured against the limits, and return its id."""
    plan_id, seq = open_plan(runtime, workspace, kind), 0
    with runtime.store.transaction() as tables:
        for some in chunks(operations):
            tables.operations.add(plan_id, seq, some)
            seq += len(some)
        looked_after = count_people(runtime, tables, workspace.team, at_least=len(operations))
    close_plan(runtime, plan_id, looked_after=looked_after)
    return plan_id
