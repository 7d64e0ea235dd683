"""Inquiry: Slack is asked before a saved plan is applied, as no event may have told what changed since.

The questions are whether the people for whom it creates accounts, and those it makes managers, are still there; who has
the addresses that it gives to accounts, or that the accounts of leavers show; and whether the accounts that it changes
are still to get these values, branch and manager included, also where custom profile fields or SCIM give them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.attributes import same, wanted
from slack_docebo.domain.decisions import NEVER, is_for_never
from slack_docebo.domain.disputes import may_be_theirs, seen_on
from slack_docebo.domain.effects import is_of_returner, managers_of, people_of
from slack_docebo.domain.exclusion import FORGOTTEN
from slack_docebo.domain.formulas import OneSource
from slack_docebo.domain.grace import is_of_leaver
from slack_docebo.domain.managers import Directory
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.operations import CONTENDED, Kind, Operation, Outcome
from slack_docebo.domain.people import Applied, SourceUser
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.rules import AttributeRule, reads_scim
from slack_docebo.domain.targets import MANAGER, USERNAME, is_manager
from slack_docebo.engine.planning.moving import ANOTHER_BRANCH
from slack_docebo.engine.planning.returners import contenders_among
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_people, check_calls, reserve_calls
from slack_docebo.engine.reading.profiles import (
    check_fields_left_out,
    fields_wanted,
    keep_fields_shown,
    with_fields_known,
)
from slack_docebo.engine.reading.roll_call import Roll, asks_each, call_roll
from slack_docebo.engine.reading.scim import read_scim, with_scim
from slack_docebo.engine.writing.leavers import MADE_BY_RULES, NO_ACCOUNT_BY_NOW, holders_before
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

OPERATIONS_AT_ONCE = 500
ANOTHER_ADDRESS = "the person has another address in Slack by now: plan again"
OTHERWISE = "Slack gives the person another"
NONE_BY_NOW = "Slack gives the person no"
TOO_MANY_TO_ASK = "custom fields may hold other values by now, and EVIDENCE_CALLS allows no call to ask for them: raise it for one run"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Slack's answers about one plan, and by what they are held against it."""

    roll: Roll
    accounts: Accounts
    policy: Policy  # the present one
    planned_by: Policy  # the one by which the plan was made
    undoes: bool
    managers: Mapping[int, str]  # the Slack ids of those whom the plan makes managers, by their accounts
    # Addresses that accounts bear, and that nobody has noted as theirs, or that the plan takes back.
    edited: Mapping[int, str]
    rules: Collection[AttributeRule]  # by which what Slack says now can be held against the plan
    untouchable: Mapping[str, str]  # why nothing is done about people, by Slack id
    had: Mapping[str, Applied]  # which account, that nobody else has, newcomers had before, by Slack id
    left_behind: Mapping[int, str]  # the addresses that the accounts of leavers show, by account
    contenders: Mapping[str, str]  # who may have returned with the address of such an account, by the leaver's id

    def reason_against(self, operation: Operation) -> str:
        """Return why *operation* must not be carried out, by Slack's answers, or ""."""
        if untouchable := self.untouchable.get(operation.slack_id):
            return untouchable
        if operation.kind is Kind.CREATE:
            return self._reason_against_newcomer(operation)
        return (
            self._reason_by_manager(operation)
            or self._reason_by_bearer(operation)
            or self._reason_by_values(operation)
            or self._reason_by_stranger(operation)
            or self._reason_by_contender(operation)
        )

    def _reason_by_contender(self, operation: Operation) -> str:
        """Return who may have returned to the account of a leaver under a new id, of whom no run has heard yet, or ""."""
        address = self.left_behind.get(operation.docebo_id or 0, "")
        if not address or not is_of_leaver(operation.kind, operation.reason):
            return ""
        if isinstance(bearer := self.roll.bearers.get(address), Unknown):
            return bearer.why
        contender = next(filter(None, map(self.contenders.get, people_of([operation]))), "")
        return f"{contender}{CONTENDED}" if contender else ""

    def _reason_by_stranger(self, operation: Operation) -> str:
        """Return to whom the account may belong, if its address is not on record as its own or is taken back, or "".

        When a plan by rules was made nobody in Slack had that address, so somebody had edited it by hand. Without the address
        that an undo takes back, nobody would know whose the account is.
        """
        match self.roll.bearers.get(self.edited.get(operation.docebo_id or 0, "")):
            case Present(user) if operation.slack_id not in user.ids:
                return f"the account shows the address of {user.slack_id} in Slack by now{'' if self.undoes else ': plan again'}"
            case Unknown(why):
                return why
        return ""

    def _reason_by_manager(self, operation: Operation) -> str:
        if self.undoes or not any(map(is_manager, operation.changes)):
            return ""
        directory = Directory()
        for account in managers_of(operation):
            if account not in self.managers:
                return "the manager's account is nobody's by now"
            match self.roll.people[self.managers[account]]:
                case Present(user) if against := self.policy.scope.reason_against(user):
                    return f"the manager is not looked after by now: {against}"
                case Present(user):
                    directory.add([user])
                case Gone():
                    return "the manager has left Slack by now"
                case Unknown(why):
                    return why
        return self._reason_by_name(operation, directory)

    def _reason_by_name(self, operation: Operation, given: Directory) -> str:
        """Return why the managers *given* are not those that Slack names now, or ""."""
        rule = next((rule for rule in self.rules if rule.target == MANAGER), None)
        match self.roll.people.get(operation.slack_id):
            case Unknown(why) if rule:
                return why
            case Present(user) if rule and not user.deactivated:
                named = rule.value(self.policy.scope.as_member(user))
                if named is None or not (named or rule.clear):
                    return f"{NONE_BY_NOW} {MANAGER} by now: plan again"
                if bool(named) is not bool(given.people) or (named and not given.find(named)):
                    return f"{OTHERWISE} {MANAGER} by now: plan again"
        return ""

    def _reason_against_newcomer(self, operation: Operation) -> str:
        scope = self.policy.scope
        match self.roll.people[operation.slack_id]:
            case Present(user):
                if against := scope.reason_against(user) or scope.kind_in_doubt(user):
                    return f"{NO_ACCOUNT_BY_NOW}{against}"
                before = self.had.get(user.slack_id)
                account = self.accounts.get(before.docebo_id) if before else None
                if before and account and may_be_theirs(account, user, before.seen):
                    return f"account {account.docebo_id}, which the person had before, exists by now"
                return "" if _gets_present_address(user, operation, self.planned_by.rules) else ANOTHER_ADDRESS
            case Gone():
                return "the person has left Slack by now"
            case Unknown(why):
                return why

    def _reason_by_values(self, operation: Operation) -> str:
        compared = {rule.target for rule in self.rules}.intersection(operation.changes)
        if not _is_by_rules(operation) or not compared:
            return ""
        match self.roll.people.get(operation.slack_id):
            case Unknown(why):
                return why
            case Present(user) if not user.deactivated:
                now = self._given_now(operation.kind, self.policy.scope.as_member(user))
                other = [
                    name
                    for name, value in operation.changes.items()
                    if name in now and not same(name, now[name], str(value))
                ]
                if other:
                    return f"{OTHERWISE} {', '.join(other)} by now: plan again"
                none = [name for name in operation.changes if name in compared and name not in now]
                return f"{NONE_BY_NOW} {', '.join(none)} by now: plan again" if none else ""
        return ""

    def _given_now(self, kind: Kind, user: SourceUser) -> dict[str, str]:
        """Return what operations of *kind* give to *user*, as Slack shows the person now."""
        if kind is Kind.MOVE:
            return {rule.target: value for rule in self.rules if rule.moves and (value := rule.value(user))}
        return wanted(user, self.rules, creating=False)

    def _reason_by_bearer(self, operation: Operation) -> str:
        """Return to whom the address that *operation* gives to its account belongs by now, or ""."""
        if not operation.email:
            return ""
        bearing = self.accounts.with_email(operation.email)
        others = [one.docebo_id for one in bearing if one.docebo_id != operation.docebo_id]
        if self.undoes and others:
            return f"the address is that of account {others[0]} by now"
        match self.roll.bearers.get(operation.email):
            case Present(user) if operation.slack_id not in user.ids:
                return f"the address is that of {user.slack_id} in Slack by now"
            case Unknown(why):
                return why
            case None if not self.undoes and _is_slack_address("email", self.planned_by.rules):
                return ANOTHER_ADDRESS
        return ""


async def inquire(
    runtime: Runtime, workspace: Workspace, plan: Plan, *, accounts: Accounts, policy: Policy, planned_by: Policy
) -> Inquiry:
    """Ask Slack for the people whom the *plan* changes or makes managers, and who has the addresses it gives.

    *policy* is the present one, *planned_by* the one by which the plan was made.

    They are asked for one by one or read from Slack's list, whichever takes fewer calls. No list shows custom profile
    fields or SCIM: people to whom the plan gives something by these are asked for one by one, as long as EVIDENCE_CALLS
    allows it; beyond that, their fields as last read are believed, unless they are outdated.

    Raises IncompleteRead, before anything is asked, where these calls are more than EVIDENCE_CALLS. Calls that follow
    later, right before somebody leaves, is let in, or gets another person's mapping or account, are counted with them.
    """
    of_rules = plan.kind in MADE_BY_RULES
    rules = _compared(policy, planned_by) if of_rules else []
    field_rules = [rule for rule in rules if rule.is_custom or reads_scim([rule])]  # no list shows what they read
    with runtime.store.reading() as tables:
        newcomers = tables.operations.people_planned(plan.id, {Kind.CREATE})
        changed, given, managers = _updated(tables, plan, {rule.target for rule in rules})
        by_fields = _updated(tables, plan, {rule.target for rule in field_rules})[0] if field_rules else set[str]()
        if reads_scim(field_rules) and any(rule.target == MANAGER for rule in rules):  # an employee number may name one
            by_fields.update(managers.values())
        calls_later = _calls_later(tables, plan) if of_rules else 0
        edited = _edited(tables, plan, accounts) if of_rules else _taken_back(tables, plan, accounts)
        left_behind = _left_behind(tables, plan, accounts) if of_rules else {}
    given.update(edited.values(), left_behind.values())
    people = dict.fromkeys([*newcomers, *changed, *managers.values()])

    def calls(questions: int) -> int:
        return calls_later + (questions if asks_each(runtime.store, workspace, questions) else 0)

    others = [slack_id for slack_id in people if slack_id not in by_fields]
    calls_alone = len(by_fields) * _calls_with_values(field_rules)
    if by_fields and reserve_calls(runtime, people=calls_alone + calls(len(others) + len(given))):
        roll = await call_roll(runtime, workspace, others, given) if others or given else Roll({}, {})
        answers = await ask_for_people(runtime, workspace.team, by_fields, with_values=True)
        await check_fields_left_out(runtime.slack)
        # Else the next import would write what was read before once more: not every stamp moves with a field.
        shown = [answer.value for answer in answers.values() if isinstance(answer, Present)]
        await to_completion(keep_fields_shown, runtime, workspace.team, shown)
        roll = replace(roll, people={**roll.people, **answers})
    else:
        questions = len(people) + len(given)
        check_calls(runtime, people=calls(questions))
        roll = await call_roll(runtime, workspace, people, given) if questions else Roll({}, {})
        if by_fields:
            roll = replace(roll, people={**roll.people, **await _as_read_last(runtime, workspace, roll, by_fields)})
    untouchable = await to_completion(_untouchable, runtime.store, workspace, roll)
    had = await to_completion(_former_accounts, runtime.store, plan, [roll.people[slack_id] for slack_id in newcomers])
    bearers = [seen.value for one in set(left_behind.values()) if isinstance(seen := roll.bearers.get(one), Present)]
    contenders = await contenders_among(runtime, policy, accounts, bearers)
    return Inquiry(
        roll,
        accounts,
        policy,
        planned_by,
        undoes=plan.kind is PlanKind.UNDO,
        managers=managers,
        edited=edited,
        rules=rules,
        untouchable=untouchable,
        had=had,
        left_behind=left_behind,
        contenders=contenders,
    )


def _calls_with_values(rules: Sequence[AttributeRule]) -> int:
    """Return how many calls it takes to ask for one person, and for what no list shows and *rules* read."""
    for_custom_fields = 1 if any(rule.is_custom for rule in rules) else 0
    for_scim = 1 if reads_scim(rules) else 0
    return 1 + for_custom_fields + for_scim


def _former_accounts(store: Store, plan: Plan, newcomers: Iterable[Observation[SourceUser]]) -> dict[str, Applied]:
    """Return which account each of *newcomers* was given before, by Slack id, if it is unmapped by now."""
    shown = [seen.value for seen in newcomers if isinstance(seen, Present)]
    with store.reading() as tables:
        had = tables.applied(plan.docebo).of_people(plan.slack_team, shown)
        mapped = tables.mappings(plan.docebo).of_accounts(plan.slack_team, [one.docebo_id for one in had.values()])
    return {slack_id: one for slack_id, one in had.items() if one.docebo_id not in mapped}


def _untouchable(store: Store, workspace: Workspace, roll: Roll) -> dict[str, str]:
    """Return the people in *roll*, by Slack id, who were forgotten or are never to be touched, under any id."""
    with store.reading() as tables:
        excluded, decisions = tables.exclusions.all(), tables.binding(workspace.team)
    shown = {slack_id: seen.value for slack_id, seen in roll.people.items() if isinstance(seen, Present)}
    forgotten = {slack_id: FORGOTTEN for slack_id, user in shown.items() if excluded.cover(user)}
    return forgotten | {slack_id: NEVER for slack_id, user in shown.items() if is_for_never(decisions, user.ids)}


def _compared(policy: Policy, planned_by: Policy) -> list[AttributeRule]:
    """Return the rules for existing accounts that are written as when the plan was made; their tables may differ."""
    then = set(map(str, planned_by.rules))
    return [rule for rule in policy.rules if str(rule) in then and (rule.moves or not rule.creates_only)]


async def _as_read_last(
    runtime: Runtime, workspace: Workspace, roll: Roll, slack_ids: Collection[str]
) -> dict[str, Observation[SourceUser]]:
    """Return what an import would know of people in *roll* who are too many to ask for; unknown if outdated."""
    listed = {one: seen.value for one in slack_ids if isinstance(seen := roll.people[one], Present)}
    scim = await read_scim(runtime)
    users = list(listed.values()) if scim is None else with_scim(listed.values(), scim)
    fields = fields_wanted(runtime.behaviour)
    known = await to_completion(with_fields_known, runtime, workspace.team, users)
    return {
        slack_id: Unknown(TOO_MANY_TO_ASK)
        if user.outdated or not fields <= (user.custom or {}).keys()
        else Present(user)
        for slack_id, user in zip(listed, known, strict=True)
    }


def _updated(tables: Tables, plan: Plan, compared: Collection[str]) -> tuple[set[str], set[str], dict[int, str]]:
    """Return for whom the *plan* changes one of the *compared* attributes, and the addresses and managers it gives.

    Managers are Slack ids by account. An undo has none: it brings back the former ones, whoever they are.
    """
    changed, given, accounts = set[str](), set[str](), set[int]()
    for some in chain(_pending(tables, plan, Kind.UPDATE), _pending(tables, plan, Kind.MOVE)):
        by_rules = [one for one in some if _is_by_rules(one)]
        changed |= {one.slack_id for one in by_rules if not _targets_of(one).isdisjoint(compared)}
        given |= {one.email for one in some if one.email}
        accounts.update(*map(managers_of, some))
    if plan.kind is PlanKind.UNDO:
        return changed, given, {}
    return changed, given, tables.mappings(plan.docebo).holders(plan.slack_team, accounts)


def _edited(tables: Tables, plan: Plan, accounts: Accounts) -> dict[int, str]:
    """Return the addresses, by account, that the *plan* has seen, that are still there, and that are not on record."""
    found: dict[int, str] = {}
    for some in chain.from_iterable(_pending(tables, plan, kind) for kind in (Kind.UPDATE, Kind.MOVE, Kind.DEACTIVATE)):
        planned = {one.docebo_id: one.seen.address for one in some if one.docebo_id is not None and one.seen.address}
        for docebo_id, noted in tables.sightings(plan.docebo).last_seen(planned).items():
            account = accounts.get(docebo_id)
            if (
                account
                and seen_on(account).address == planned[docebo_id]
                and noted.address not in {"", planned[docebo_id]}
            ):
                found[docebo_id] = account.email
    return found


def _left_behind(tables: Tables, plan: Plan, accounts: Accounts) -> dict[int, str]:
    """Return the addresses, by account, of the accounts that the *plan* shuts or moves as those of leavers."""
    operations = chain.from_iterable(chain(*(_pending(tables, plan, kind) for kind in (Kind.DEACTIVATE, Kind.MOVE))))
    leaving = (one for one in operations if is_of_leaver(one.kind, one.reason))
    shown = (account for one in leaving if (account := accounts.get(one.docebo_id or 0)))
    return {account.docebo_id: account.email for account in shown if account.email and "email" not in account.unshown}


def _taken_back(tables: Tables, plan: Plan, accounts: Accounts) -> dict[int, str]:
    """Return the addresses, by account, that accounts bear and that the *plan*, an undo, takes back."""
    changed = (one for some in _pending(tables, plan, Kind.UPDATE) for one in some if "email" in one.changes)
    bearing = (account for one in changed if (account := accounts.get(one.docebo_id or 0)))
    return {account.docebo_id: account.email for account in bearing if account.email}


def _calls_later(tables: Tables, plan: Plan) -> int:
    """Count the people for whom Slack is asked right before something is done.

    These are leavers, people who are back and, where the plan gives somebody the mapping or the former account of
    another person, both of them.
    """
    found = sum(
        n
        for kind, reason, outcome, n in tables.operations.tally(plan.id)
        if is_of_leaver(kind, reason) and outcome is Outcome.PLANNED
    )
    for kind in (Kind.UPDATE, Kind.MAP, Kind.MOVE):
        for some in _pending(tables, plan, kind):
            holders = holders_before(tables, plan, some)
            found += sum(map(len, holders.values())) + sum(
                is_of_returner(one) or one.slack_id in holders for one in some
            )
    return found


def _pending(tables: Tables, plan: Plan, kind: Kind) -> Iterator[list[Operation]]:
    """Yield the operations of this *kind* that are still planned, in batches."""
    after = -1
    while some := tables.operations.pending(plan.id, kind, OPERATIONS_AT_ONCE, after=after):
        after = some[-1][0]
        yield [operation for _, operation in some]


def _is_by_rules(operation: Operation) -> bool:
    """Tell whether *operation* gives an account what the rules say of its person."""
    return operation.kind is Kind.UPDATE or (operation.kind is Kind.MOVE and operation.reason == ANOTHER_BRANCH)


def _targets_of(operation: Operation) -> set[str]:
    return {MANAGER if is_manager(name) else name for name in operation.changes}


def _gets_present_address(user: SourceUser, operation: Operation, rules: Iterable[AttributeRule]) -> bool:
    """Tell whether the new account gets the present address of *user* wherever it gets Slack's address."""
    return all(
        mailbox(str(operation.changes[name])) == mailbox(user.email)
        for name in (USERNAME, "email")
        if name in operation.changes and _is_slack_address(name, rules)
    )


def _is_slack_address(name: str, rules: Iterable[AttributeRule]) -> bool:
    """Tell whether the attribute *name* is filled with Slack's address, as usernames are where no rule gives them."""
    return all(rule.formula == OneSource("email") for rule in rules if rule.target == name)
