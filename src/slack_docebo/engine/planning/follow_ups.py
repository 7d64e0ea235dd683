"""Follow-ups: what the plans for managers and for branches share, each of one rule, once everybody has an account."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from itertools import chain

from slack_docebo.domain.decisions import is_for_never
from slack_docebo.domain.disputes import bears_new_address, is_same, other_bearers, seen_on
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Operation, Value
from slack_docebo.domain.people import Account, Mapping, SourceUser
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.engine.planning.drafts import close_plan, open_plan
from slack_docebo.engine.planning.limits import count_people
from slack_docebo.engine.reading.bearers import ask_for_other_bearers
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import counted
from slack_docebo.engine.reading.profiles import with_fields_read_before
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import NO_FACTS, Facts, PlanKind
from slack_docebo.storage.statements import chunks


@dataclass(slots=True)
class Wishes:
    """The values that a rule gives for mapped people, by the Docebo ids of their accounts."""

    values: dict[int, str] = field(default_factory=dict)  # "" only where the rule clears
    mappings: dict[int, Mapping] = field(default_factory=dict)


def rule_for(behaviour: IntegrationSettings, target: str) -> AttributeRule | None:
    """Return the rule that fills *target*, if accounts are provisioned and there is one."""
    if not behaviour.provision_slack_user_data:
        return None
    return next((rule for rule in behaviour.attributes if rule.target == target), None)


def wishes_of(runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, rule: AttributeRule) -> Wishes:
    """Return the values that *rule* gives for the *listed* people who are in scope and mapped.

    These people are left out: those whom somebody has decided never to touch; those about whom an event was applied
    since this run began, because the list is older; and those whose custom field has to be read again before it is
    believed.
    """
    found = Wishes()
    for page in listed:
        users = page
        if rule.is_custom:
            others = [user for user in page if user.slack_id not in listed.with_fields]
            known = with_fields_read_before(runtime, workspace.team, others)
            users = [user for user in page if user.slack_id in listed.with_fields]
            users += [user for user in known if not user.outdated]
        with runtime.store.reading() as tables:
            ids = chain.from_iterable(user.ids for user in users)
            served = tables.inbox.applied_since(runtime.begun, workspace.team, ids)
        some = wishes_for(runtime, workspace, [user for user in users if served.isdisjoint(user.ids)], rule)
        found.values |= some.values
        found.mappings |= some.mappings
    return found


def wishes_for(runtime: Runtime, workspace: Workspace, users: Collection[SourceUser], rule: AttributeRule) -> Wishes:
    """Return the values that *rule* gives for those of *users* who are in scope, mapped, and may be touched."""
    found = Wishes()
    scope, docebo = runtime.behaviour.policy(workspace.team).scope, runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        excluded, decisions = tables.exclusions.all(), tables.binding(workspace.team)
        mappings = tables.mappings(docebo).of_people(workspace.team, users)
    for user in users:
        mapping, value = mappings.get(user.slack_id), rule.value(scope.as_member(user))
        if mapping is None or value is None or not (value or rule.clear):
            continue
        if not (scope.reason_against(user) or excluded.cover(user) or is_for_never(decisions, user.ids)):
            found.values[mapping.docebo_id], found.mappings[mapping.docebo_id] = value, mapping
    return found


async def still_theirs(
    runtime: Runtime, accounts: Accounts, mappings: Iterable[Mapping], listed: SourceSnapshot | None
) -> dict[int, Account]:
    """Return the accounts of *mappings* that exist and still belong to the same people, by Docebo id.

    An account that shows another address than the one last seen may be another person's. With *listed*, it is left out
    if somebody else in the list, or whom Slack finds, has its address or, failing that, somebody in the list its name.
    Without *listed*, Slack is asked for the address, one call each, and the account is left out unless Slack finds the
    mapped person.
    """
    theirs = {
        mapping.docebo_id: (account, mapping)
        for mapping in mappings
        if (account := accounts.get(mapping.docebo_id)) and is_same(seen_on(account), mapping.seen)
    }
    suspects = [(account, mapping) for account, mapping in theirs.values() if bears_new_address(account, mapping.seen)]
    if listed is not None:
        former = [(account, mapping.slack_id) for account, mapping in suspects]
        found = other_bearers(former, chain.from_iterable(listed) if former else ())
        unlisted = [(account, slack_id) for account, slack_id in former if (account.docebo_id, slack_id) not in found]
        others = {docebo_id for docebo_id, _ in found | await ask_for_other_bearers(runtime, unlisted)}
    else:
        others = {one.docebo_id for one, mapping in suspects if not await _is_address_of(runtime, one, mapping)}
    return {docebo_id: account for docebo_id, (account, _) in theirs.items() if docebo_id not in others}


def changeable(theirs: MappingType[int, Account], protected: Sequence[str]) -> dict[int, Account]:
    """Return those of the accounts *theirs* that `shielded` gives no reason against changing."""
    return {docebo_id: account for docebo_id, account in theirs.items() if not shielded(account, protected)}


async def _is_address_of(runtime: Runtime, account: Account, mapping: Mapping) -> bool:
    """Tell whether Slack says that the address of *account* belongs to the person of *mapping*."""
    with counted(runtime):
        found = await runtime.slack.find_user(account.email)
    return found is not None and mapping.slack_id in found.ids


def operation_on(
    account: Account, mapping: Mapping, kind: Kind, reason: str, *, changes: dict[str, Value], before: dict[str, Value]
) -> Operation:
    """Return the operation on the *account* of *mapping*; it is not carried out if the mapping has changed by then."""
    return Operation(
        mapping.slack_id,
        mapping.slack_team,
        mapping.slack_name,
        kind,
        reason=reason,
        docebo_id=mapping.docebo_id,
        changes=changes,
        before=before,
        prior=mapping,
        seen=seen_on(account),
    )


def store_plan(
    runtime: Runtime, workspace: Workspace, kind: PlanKind, operations: list[Operation], *, facts: Facts = NO_FACTS
) -> str:
    """Store a plan of these *operations*, measured against the limits, and return its id."""
    plan_id, seq = open_plan(runtime, workspace, kind), 0
    with runtime.store.transaction() as tables:
        for some in chunks(operations):
            tables.operations.add(plan_id, seq, some)
            seq += len(some)
        looked_after = count_people(tables, runtime.settings.docebo_url, workspace.team, at_least=len(operations))
    close_plan(runtime, plan_id, looked_after=looked_after, facts=facts)
    return plan_id
