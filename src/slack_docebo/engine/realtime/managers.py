"""Who is whose manager as events say it: found by what is known of people, for there is no list of everybody.

Only what an import would write as well is written, and only where nobody has to be guessed: the others wait for it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.managers import MayHave, may_have
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import SLACK_ID, SourceUser
from slack_docebo.domain.people import Mapping as Link
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.targets import MANAGER
from slack_docebo.engine.planning.afterwards import Wishes, note_wishes, rule_for
from slack_docebo.engine.planning.managing import Relations, plan_relations
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import observe_person
from slack_docebo.engine.reading.profiles import fields_wanted, keep_fields_shown, with_fields_read_before
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind


async def plan_managers_of(
    runtime: Runtime, workspace: Workspace, users: Collection[SourceUser], tried: dict[int, str]
) -> str | None:
    """Return the id of the stored plan for those of *users* who are to have another manager, None where nobody is.

    Where nobody's has changed, no call is made. Else Slack is asked for each new manager, once, and Docebo for the
    accounts. A manager who has no mapping yet, is named by employee number, or whom Slack does not show in scope under
    what names them, waits for the next import. *tried* holds, by account, the manager's name that this run has
    tried: it is not tried again, and what is tried now is added.
    """
    rule = rule_for(runtime, MANAGER)
    if rule is None or runtime.managers.type_id is None:
        return None
    telling = [user for user in users if rule.value(user) is not None]
    if rule.is_custom:  # an event that shows some fields only says nothing that is kept
        telling = [user for user in telling if fields_wanted(runtime) <= (user.custom or {}).keys()]
    if not telling:
        return None
    relations = await to_completion(_relations, runtime, workspace, telling, rule, runtime.managers.type_id)
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
                confirmed[whom] = await _is_named_so(runtime, workspace, *whom, there)
            if not confirmed[whom]:
                del relations.managers[account]
    for account in relations.circled(await to_completion(_may_have_as, runtime, runtime.managers.type_id)):
        del relations.managers[account]
    return await plan_relations(runtime, workspace, relations, PlanKind.REALTIME_SYNC)


def _relations(
    runtime: Runtime, workspace: Workspace, users: Sequence[SourceUser], rule: AttributeRule, type_id: int
) -> Relations:
    """Return which managers the events name, as far as these are mapped."""
    wishes = Wishes()
    note_wishes(wishes, runtime, workspace, users, rule)
    with runtime.store.reading() as tables:
        accounts = tables.accounts_at(runtime.settings.docebo_url)
        placed = accounts.managers_as(type_id, wishes.mappings)
        found = Relations(wishes, placed, may_have(placed, accounts.in_doubt_as(type_id, wishes.mappings)))
    named = _mapped_as(runtime, workspace.team, set(found.wishes.values.values()))
    for account, name in found.wishes.values.items():
        if not found.wishes.mappings[account].fingerprint:
            continue  # an administrator's, say: nothing is ever written to it
        if name in named:
            found.managers[account] = named[name]
        elif not name and found.placed.get(account):
            found.managers[account] = None
    if rule.is_custom and found.changed:
        _forget_outdated(runtime, workspace, found, users, rule)
    return found


def _may_have_as(runtime: Runtime, type_id: int) -> MayHave:
    with runtime.store.reading() as tables:
        return tables.accounts_at(runtime.settings.docebo_url).may_have_as(type_id)


def _mapped_as(runtime: Runtime, team: str, names: Iterable[str]) -> Mapping[str, Link]:
    """Return the mappings of the managers of these *names*, Slack ids or addresses, where exactly one has it."""
    ids = {name for name in names if SLACK_ID.fullmatch(name)}
    addresses = {name for name in names if "@" in name}
    with runtime.store.reading() as tables:
        mappings = tables.mappings(runtime.settings.docebo_url)
        found: dict[str, Link] = dict(mappings.of(team, ids))
        bearing = tables.accounts_at(runtime.settings.docebo_url).with_addresses(addresses)
        of_accounts = mappings.of_accounts(team, {one for accounts in bearing.values() for one in accounts})
    for address, accounts in bearing.items():
        theirs = [of_accounts[one] for one in accounts if one in of_accounts]
        if len(theirs) == 1:
            found[address] = theirs[0]
    return found


def _forget_outdated(
    runtime: Runtime, workspace: Workspace, found: Relations, users: Sequence[SourceUser], rule: AttributeRule
) -> None:
    """Keep the custom fields of those whose manager changes, as imports read them, and drop whose are newer than the event."""
    changed = {found.wishes.mappings[account].slack_id for account in found.changed}
    theirs = [user for user in users if not changed.isdisjoint(user.ids)]
    keep_fields_shown(runtime, workspace.team, theirs)
    newest = Wishes()
    note_wishes(newest, runtime, workspace, with_fields_read_before(runtime, workspace.team, theirs), rule)
    for account in list(found.changed):
        if newest.values.get(account) != found.wishes.values[account]:
            del found.managers[account]


async def _is_named_so(
    runtime: Runtime, workspace: Workspace, slack_id: str, name: str, there: Mapping[str, SourceUser]
) -> bool:
    """Tell whether Slack shows this person in scope, under the address if it is one that names them."""
    user = there.get(slack_id)
    if user is None:
        seen = await observe_person(runtime, slack_id, with_values=False)
        if not isinstance(seen, Present):
            return False
        user = seen.value
    if runtime.behaviour.policy(workspace.team).scope.reason_against(user):
        return False
    return "@" not in name or (not user.unconfirmed and mailbox(user.email) == mailbox(name))
