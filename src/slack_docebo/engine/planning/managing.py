"""Planning who is whose manager, once all accounts exist: for those for whom that is another than we set last."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.managers import (
    IN_A_CIRCLE,
    NO_ACCOUNT,
    NOT_ALONE,
    NOT_KNOWN,
    SEVERAL,
    Directory,
    in_circles,
)
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.planning import Kind, Operation, shielded
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.scope import Scope
from slack_docebo.domain.targets import MANAGER, manager_column
from slack_docebo.engine.planning.limits import count_people
from slack_docebo.engine.planning.plans import close_plan, open_plan
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import observe_account
from slack_docebo.engine.reading.sides import are_few, read_target
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.statements import chunks

NOBODY = 0  # in the place of a manager's account, for one whom we have removed


@dataclass(slots=True)
class Relations:
    """Who is to have which manager, by Docebo ids."""

    managers: dict[int, int] = field(default_factory=dict)  # NOBODY for who is to have none any more
    people: dict[int, str] = field(default_factory=dict)  # Slack id, by account
    placed: dict[int, int] = field(default_factory=dict)  # whom we set last
    problems: Counter[str] = field(default_factory=Counter)  # people by why their manager cannot be written

    @property
    def changed(self) -> dict[int, int]:
        """Those who are to have another manager than we set last."""
        return {one: manager for one, manager in self.managers.items() if self.placed.get(one, NOBODY) != manager}


async def plan_managers(
    runtime: Runtime, workspace: Workspace, listed: SourceSnapshot
) -> tuple[str | None, Counter[str]]:
    """Return the id of the stored plan, None where nothing is to be changed, and the problems, by how many people have them."""
    rule = next((rule for rule in runtime.behaviour.attributes if rule.target == MANAGER), None)
    if rule is None or runtime.manager_type is None or not runtime.behaviour.provision_slack_user_data:
        return None, Counter()
    relations = await to_completion(_relations, runtime, workspace, listed, rule)
    if not relations.changed:
        return None, relations.problems
    accounts = await _accounts(runtime, relations)
    operations = _operations(runtime, workspace, relations, accounts)
    if not operations:
        return None, relations.problems
    return await to_completion(_store, runtime, workspace, operations), relations.problems


def _relations(runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, rule: AttributeRule) -> Relations:
    scope = runtime.behaviour.policy(workspace.team).scope
    directory, named = Directory(), _named(runtime, scope, listed, rule)
    for page in listed:
        directory.add(user for user in page if not scope.reason_against(user))
    found = Relations()
    with runtime.store.reading() as tables:
        docebo_ids = {
            one.slack_id: one.docebo_id for one in tables.mappings(runtime.settings.docebo_url).all(workspace.team)
        }
        platform_id = tables.platforms.find(runtime.settings.docebo_url)
        if platform_id is not None:
            found.placed = tables.accounts(platform_id).managers()
    for slack_id, manager in named.items():
        account = docebo_ids.get(slack_id)
        if account is None:
            continue
        if not manager:
            if found.placed.get(account):
                found.managers[account], found.people[account] = NOBODY, slack_id
            continue
        whom = directory.find(manager)
        if whom is None or whom == SEVERAL:
            found.problems[NOT_KNOWN if whom is None else NOT_ALONE] += 1
        elif whom not in docebo_ids:
            found.problems[NO_ACCOUNT] += 1
        else:
            found.managers[account], found.people[account] = docebo_ids[whom], slack_id
    for account in in_circles({one: manager for one, manager in found.managers.items() if manager != NOBODY}):
        del found.managers[account]
        found.problems[IN_A_CIRCLE] += 1
    return found


def _named(runtime: Runtime, scope: Scope, listed: SourceSnapshot, rule: AttributeRule) -> dict[str, str]:
    """Return, by Slack id, how the manager of each person in scope is named; "" only where the rule clears."""
    named = {}
    for page in listed:
        with runtime.store.reading() as tables:
            excluded = tables.exclusions.all()
        for user in page:
            value = rule.value(scope.as_member(user))
            if (value or (value is not None and rule.clear)) and not (
                scope.reason_against(user) or excluded.cover(user)
            ):
                named[user.slack_id] = value
    return named


async def _accounts(runtime: Runtime, relations: Relations) -> Accounts:
    """Return the accounts of those who change and of their managers, of then and now."""
    changed = relations.changed
    managers = {*changed.values(), *(relations.placed.get(one, NOBODY) for one in changed)} - {NOBODY}
    wanted = {*changed, *managers}
    if not are_few(runtime, len(wanted)):
        return await read_target(runtime)
    seen = [await observe_account(runtime, docebo_id) for docebo_id in sorted(wanted)]
    return Accounts(one.value for one in seen if isinstance(one, Present))


def _operations(runtime: Runtime, workspace: Workspace, relations: Relations, accounts: Accounts) -> list[Operation]:
    policy = runtime.behaviour.policy(workspace.team)
    column = manager_column(runtime.manager_type or 0)
    operations = []
    for docebo_id, manager_id in relations.changed.items():
        account, manager = accounts.get(docebo_id), accounts.get(manager_id)
        if account is None or shielded(account, policy.protected):
            continue
        if manager is None and manager_id != NOBODY:
            relations.problems[NO_ACCOUNT] += 1
            continue
        former = accounts.get(relations.placed.get(docebo_id, NOBODY))
        operations.append(
            Operation(
                relations.people[docebo_id],
                workspace.team,
                "",
                Kind.UPDATE,
                "another manager",
                docebo_id,
                {column: manager.username if manager else ""},
                {column: former.username} if former else _no_manager(relations.placed, docebo_id, column),
            )
        )
    return operations


def _no_manager(placed: Mapping[int, int], docebo_id: int, column: str) -> dict[str, str]:
    """Return that there was none where we have removed the last; else nobody knows whom somebody else had set."""
    return {column: ""} if placed.get(docebo_id) == NOBODY else {}


def _store(runtime: Runtime, workspace: Workspace, operations: list[Operation]) -> str:
    plan_id = open_plan(runtime, workspace, PlanKind.MANAGERS)
    with runtime.store.transaction() as tables:
        seq = 0
        for some in chunks(operations):
            tables.operations.add(plan_id, seq, some)
            seq += len(some)
        looked_after = count_people(runtime, tables, workspace.team, at_least=len(operations))
    close_plan(runtime, plan_id, looked_after=looked_after)
    return plan_id
