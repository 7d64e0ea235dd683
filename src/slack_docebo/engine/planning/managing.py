"""Planning managers, once all accounts exist: for people whose manager is not the one we last wrote."""

from collections import Counter
from collections.abc import Collection
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.managers import (
    IN_A_CIRCLE,
    IN_DOUBT,
    NO_ACCOUNT,
    NOT_ALONE,
    NOT_KNOWN,
    NOT_THEIRS,
    PERHAPS_IN_A_CIRCLE,
    REPORTS_TO_THEM,
    SEVERAL,
    Directory,
    MayHave,
    from_the_top,
    may_have,
    not_writable,
)
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Operation, Value
from slack_docebo.domain.people import Account, Mapping
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.targets import MANAGER, manager_column
from slack_docebo.engine.planning.follow_ups import (
    Wishes,
    changeable,
    operation_on,
    rule_for,
    still_theirs,
    store_plan,
    wishes_of,
)
from slack_docebo.engine.reading.accounts import read_accounts
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import NO_FACTS, READ_SINCE, PlanKind

FEW = 20  # people with a new manager for whom Docebo is asked who reports to them, a call each


@dataclass(slots=True)
class Relations:
    """Who is to have which manager, by Docebo ids."""

    wishes: Wishes
    placed: dict[int, int]  # the manager of this type that we last wrote; 0 if we removed it, IN_DOUBT if unknown
    may_have: MayHave  # the managers of this type that an account may have by what we wrote
    managers: dict[int, Mapping | None] = field(default_factory=dict)  # None if the account is to have none any more
    problems: Counter[str] = field(default_factory=Counter)  # people by why their manager cannot be written

    @property
    def changed(self) -> dict[int, Mapping | None]:
        """The accounts that are to have another manager than we last wrote, superiors first, with that manager."""
        named = self._named
        ordered = from_the_top(named, self.may_have)
        return {one: self.managers[one] for one in ordered if self.placed.get(one, 0) != named[one]}

    def circled(self, possible: MayHave) -> set[int]:
        """Return the accounts that cannot get their manager without a circle, given the *possible* present ones."""
        return not_writable(self._named, possible)

    @property
    def superiors(self) -> set[int]:
        """The accounts that are, by what we wrote, or are to become somebody's manager."""
        return {*self._named.values(), *chain.from_iterable(self.may_have.values())}

    @property
    def _named(self) -> dict[int, int]:
        return {one: manager.docebo_id if manager else 0 for one, manager in self.managers.items()}


async def plan_managers(
    runtime: Runtime, workspace: Workspace, listed: SourceSnapshot
) -> tuple[str | None, Counter[str]]:
    """Return the id of the stored plan, None if nothing is to change, and the number of people by problem."""
    rule = rule_for(runtime.behaviour, MANAGER)
    if rule is None or runtime.managers.type_id is None:
        return None, Counter()
    relations = await to_completion(
        partial(_relations, rule=rule, type_id=runtime.managers.type_id), runtime, workspace, listed
    )
    plan_id = await plan_relations(runtime, workspace, relations, kind=PlanKind.MANAGERS, listed=listed)
    return plan_id, relations.problems


async def plan_relations(
    runtime: Runtime,
    workspace: Workspace,
    relations: Relations,
    *,
    kind: PlanKind,
    listed: SourceSnapshot | None = None,
) -> str | None:
    """Store a plan of the *relations* that have changed, and return its id, None if none has.

    Docebo is read for these accounts. If an import writes older data than an event that was applied since it began to
    read, the event is tried again.
    """
    await _leave_out_who_manages_the_manager(runtime, relations)
    changed = relations.changed
    if not changed or runtime.managers.type_id is None:
        return None
    managers = [one for one in changed.values() if one]
    accounts = await read_accounts(runtime, {*changed, *(one.docebo_id for one in managers)})
    people = [*(relations.wishes.mappings[one] for one in changed), *managers]
    theirs = await still_theirs(runtime, accounts, people, listed)
    column = manager_column(runtime.managers.type_id)
    operations = _operations(runtime, relations, accounts=accounts, theirs=theirs, column=column)
    if not operations:
        return None
    facts = {READ_SINCE: runtime.begun.isoformat()} if kind is PlanKind.MANAGERS else NO_FACTS
    return await to_completion(partial(store_plan, runtime, workspace, kind, operations, facts=facts))


async def _leave_out_who_manages_the_manager(runtime: Runtime, relations: Relations) -> None:
    """Take out of *relations*, and count, people who are in Docebo a superior of the manager they are to have.

    Somebody may have set that in Docebo by hand, and no list shows it, so it takes a call each. Of more than FEW people
    only those who are managers are asked for. Nobody is asked for if these are more than FEW as well, as when managers
    are written for the first time, or if there are several types of managers, which Docebo does not tell apart.
    """
    asked = [account for account, manager in relations.changed.items() if manager]
    if len(asked) > FEW:
        superiors = relations.superiors
        asked = [account for account in asked if account in superiors]
    if not asked or len(asked) > FEW or runtime.managers.type_id is None or not runtime.managers.has_one_type:
        return
    shown = {
        subordinate: (account,) for account in asked for subordinate in await runtime.docebo.subordinates(account) or ()
    }
    if not shown:
        return
    with runtime.store.reading() as tables:
        possible = tables.managers(runtime.settings.docebo_url).may_have_as(runtime.managers.type_id)
    for account in relations.circled({**possible, **shown}).intersection(asked):
        del relations.managers[account]
        relations.problems[REPORTS_TO_THEM] += 1


def _relations(
    runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, *, rule: AttributeRule, type_id: int
) -> Relations:
    """Return the managers that Slack's list names, without those who cannot be written, which are counted."""
    scope, docebo = runtime.behaviour.policy(workspace.team).scope, runtime.settings.docebo_url
    directory, mapped = Directory(), dict[str, Mapping]()
    with runtime.store.reading() as tables:
        managers = tables.managers(docebo)
        placed, in_doubt = managers.of_type(type_id), managers.in_doubt_as(type_id)
    for page in listed:
        inside = [user for user in page if not scope.reason_against(user)]
        directory.add(inside)
        with runtime.store.reading() as tables:
            mapped |= tables.mappings(docebo).of_people(workspace.team, inside)
    found = Relations(wishes_of(runtime, workspace, listed, rule), placed, may_have(placed, in_doubt))
    for account, named in found.wishes.values.items():
        if not named:
            if placed.get(account):
                found.managers[account] = None
            continue
        whom = directory.find(named)
        if whom is None or whom == SEVERAL:
            found.problems[NOT_KNOWN if whom is None else NOT_ALONE] += 1
        elif whom not in mapped:
            found.problems[NO_ACCOUNT] += 1
        else:
            found.managers[account] = mapped[whom]
    if circled := found.circled(found.may_have):
        surely = found.circled(may_have(placed, {}))
        for account in circled:
            del found.managers[account]
            found.problems[IN_A_CIRCLE if account in surely else PERHAPS_IN_A_CIRCLE] += 1
    return found


def _operations(
    runtime: Runtime,
    relations: Relations,
    *,
    accounts: Accounts,
    theirs: MappingType[int, Account],
    column: str,
) -> list[Operation]:
    """Return the operations, only on accounts that are still *theirs*; *column* is the attribute of this type of manager.

    Managers are named by the ids of their accounts, so that the journal of one person does not show another's address.
    """
    changed, mappings, placed = relations.changed, relations.wishes.mappings, relations.placed
    may_change = changeable(theirs, runtime.behaviour.protected_accounts)
    operations = []
    for docebo_id, manager in changed.items():
        account = may_change.get(docebo_id)
        if account is None:
            continue
        if manager and (problem := _problem_of(manager, accounts, theirs)):
            relations.problems[problem] += 1
            continue
        if manager:
            runtime.managers.usernames[manager.docebo_id] = theirs[manager.docebo_id].username
            runtime.managers.planned[manager.docebo_id] = manager.slack_id
        # Where we have set nobody yet, nobody knows whom somebody else had set.
        is_known = placed.get(docebo_id, IN_DOUBT) != IN_DOUBT
        before: dict[str, Value] = {column: str(placed[docebo_id] or "")} if is_known else {}
        changes: dict[str, Value] = {column: str(manager.docebo_id) if manager else ""}
        operations.append(
            operation_on(account, mappings[docebo_id], Kind.UPDATE, "another manager", changes=changes, before=before)
        )
    return operations


def _problem_of(manager: Mapping, accounts: Accounts, theirs: Collection[int]) -> str:
    """Return why nobody can be given this *manager*, or ""."""
    if accounts.get(manager.docebo_id) is None:
        return NO_ACCOUNT
    return "" if manager.docebo_id in theirs else NOT_THEIRS
