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
from slack_docebo.domain.planning import Kind, Operation, shielded
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.targets import MANAGER, manager_column
from slack_docebo.engine.planning.afterwards import look_at_accounts, rule_for, store_plan, values_of
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind

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
    rule = rule_for(runtime, MANAGER)
    if rule is None or runtime.manager_type is None:
        return None, Counter()
    relations = await to_completion(_relations, runtime, workspace, listed, rule)
    if not relations.changed:
        return None, relations.problems
    operations = _operations(runtime, workspace, relations, await _accounts(runtime, relations))
    if not operations:
        return None, relations.problems
    plan_id = await to_completion(store_plan, runtime, workspace, PlanKind.MANAGERS, operations)
    return plan_id, relations.problems


def _relations(runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, rule: AttributeRule) -> Relations:
    scope = runtime.behaviour.policy(workspace.team).scope
    directory, named = Directory(), values_of(runtime, workspace, listed, rule)
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


async def _accounts(runtime: Runtime, relations: Relations) -> Accounts:
    """Return the accounts of those who change and of their managers, of then and now."""
    changed = relations.changed
    managers = {*changed.values(), *(relations.placed.get(one, NOBODY) for one in changed)} - {NOBODY}
    return await look_at_accounts(runtime, {*changed, *managers})


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
