"""Managers that events name: they are found by mappings and addresses, for there is no list of everybody.

A manager is written only if an import would write the same, and only if it is certain who is meant. All others wait for
the next import.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.managers import MayHave, may_have
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import SLACK_ID, SourceUser
from slack_docebo.domain.people import Mapping as Link
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.targets import MANAGER
from slack_docebo.engine.planning.follow_ups import rule_for, wishes_for
from slack_docebo.engine.planning.managing import Relations, plan_relations
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import observe_person
from slack_docebo.engine.reading.profiles import fields_wanted, keep_fields_shown, with_fields_read_before
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store


async def plan_managers_of(
    runtime: Runtime, workspace: Workspace, users: Collection[SourceUser], tried: dict[int, str]
) -> str | None:
    """Store a plan for those of *users* whose manager has changed, and return its id, None if nobody's has.

    If nobody's manager has changed, no call is made. Otherwise Slack is asked for each new manager, once, and Docebo
    for the accounts. A manager waits for the next import who has no mapping yet, who is named by employee number, or
    whom Slack does not show in scope with the address that names them. *tried* has, by account, the name of the manager
    that this run has tried: it is not tried again, and names that are tried now are added.
    """
    rule = rule_for(runtime.behaviour, MANAGER)
    if rule is None or runtime.managers.type_id is None:
        return None
    telling = [user for user in users if rule.value(user) is not None]
    if rule.is_custom:  # custom fields of an event are stored only if it shows all of them
        telling = [user for user in telling if fields_wanted(runtime.behaviour) <= (user.custom or {}).keys()]
    if not telling:
        return None
    relations = await to_completion(
        partial(_relations, rule=rule, type_id=runtime.managers.type_id), runtime, workspace, telling
    )
    if not relations.changed:
        return None
    names = {account: relations.wishes.values[account] for account in relations.changed}
    for account, name in names.items():
        if tried.get(account) == name:
            del relations.managers[account]
    tried |= names
    there = {slack_id: user for user in users for slack_id in user.ids}
    confirmed: dict[tuple[str, str], bool] = {}
    for account, manager in relations.changed.items():
        if manager:
            whom = manager.slack_id, names[account]
            if whom not in confirmed:
                confirmed[whom] = await _is_named_so(runtime, workspace, *whom, there=there)
            if not confirmed[whom]:
                del relations.managers[account]
    store, docebo = runtime.store, runtime.settings.docebo_url
    for account in relations.circled(await to_completion(_may_have_as, store, docebo, runtime.managers.type_id)):
        del relations.managers[account]
    return await plan_relations(runtime, workspace, relations, kind=PlanKind.REALTIME_SYNC)


def _relations(
    runtime: Runtime, workspace: Workspace, users: Sequence[SourceUser], *, rule: AttributeRule, type_id: int
) -> Relations:
    """Return the managers that the events name, as far as these managers are mapped."""
    store, docebo = runtime.store, runtime.settings.docebo_url
    wishes = wishes_for(runtime, workspace, users, rule)
    with store.reading() as tables:
        managers = tables.managers(docebo)
        placed = managers.of_type(type_id, wishes.mappings)
        found = Relations(wishes, placed, may_have(placed, managers.in_doubt_as(type_id, wishes.mappings)))
    named = _mapped_as(store, docebo, workspace.team, set(found.wishes.values.values()))
    for account, name in found.wishes.values.items():
        if not found.wishes.mappings[account].fingerprint:
            continue  # an administrator's, say: nothing is ever written to it
        if name in named:
            found.managers[account] = named[name]
        elif not name and found.placed.get(account):
            found.managers[account] = None
    if rule.is_custom and found.changed:
        _forget_outdated(runtime, workspace, found, users=users, rule=rule)
    return found


def _may_have_as(store: Store, docebo: str, type_id: int) -> MayHave:
    with store.reading() as tables:
        return tables.managers(docebo).may_have_as(type_id)


def _mapped_as(store: Store, docebo: str, team: str, names: Iterable[str]) -> Mapping[str, Link]:
    """Return the mappings of managers by their *names*, Slack ids or addresses, if exactly one person has the name."""
    ids = {name for name in names if SLACK_ID.fullmatch(name)}
    addresses = {name for name in names if "@" in name}
    with store.reading() as tables:
        mappings = tables.mappings(docebo)
        found: dict[str, Link] = dict(mappings.of(team, ids))
        bearing = tables.sightings(docebo).with_addresses(addresses)
        of_accounts = mappings.of_accounts(team, {one for accounts in bearing.values() for one in accounts})
    for address, accounts in bearing.items():
        theirs = [of_accounts[one] for one in accounts if one in of_accounts]
        if len(theirs) == 1:
            found[address] = theirs[0]
    return found


def _forget_outdated(
    runtime: Runtime, workspace: Workspace, found: Relations, *, users: Sequence[SourceUser], rule: AttributeRule
) -> None:
    """Store the custom fields of people whose manager changes, as imports do; drop those read later than the event."""
    changed = {found.wishes.mappings[account].slack_id for account in found.changed}
    theirs = [user for user in users if not changed.isdisjoint(user.ids)]
    keep_fields_shown(runtime, workspace.team, theirs)
    newest = wishes_for(runtime, workspace, with_fields_read_before(runtime, workspace.team, theirs), rule)
    for account in list(found.changed):
        if newest.values.get(account) != found.wishes.values[account]:
            del found.managers[account]


async def _is_named_so(
    runtime: Runtime, workspace: Workspace, slack_id: str, name: str, *, there: Mapping[str, SourceUser]
) -> bool:
    """Tell whether Slack shows this person in scope and, if *name* is an address, with that address.

    *there* are people whom Slack has shown just now, by every id.
    """
    user = there.get(slack_id)
    if user is None:
        seen = await observe_person(runtime, slack_id, with_values=False)
        if not isinstance(seen, Present):
            return False
        user = seen.value
    if runtime.behaviour.policy(workspace.team).scope.reason_against(user):
        return False
    return "@" not in name or (not user.unconfirmed and mailbox(user.email) == mailbox(name))
