"""Rechecking a saved plan: an operation is skipped if its account or its mapping has changed since."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace

from slack_docebo.domain.branches import Branches
from slack_docebo.domain.changed_rules import reason_by_rules
from slack_docebo.domain.disputes import bears_new_address, dispute, is_same, look
from slack_docebo.domain.effects import (
    TO_ACCOUNTS,
    account_of,
    accounts_of,
    differs,
    holds,
    is_carried_out,
    is_looked_for,
    managers_of,
    mapping_of,
    people_of,
)
from slack_docebo.domain.grace import HAS_LEFT, IS_BACK
from slack_docebo.domain.managers import IN_DOUBT, NOT_THEIRS
from slack_docebo.domain.matching import Accounts, MatchBy
from slack_docebo.domain.operations import SENT_BEFORE, UNLISTED, Kind, Operation, Outcome, Value
from slack_docebo.domain.people import Account, LastSeen, Mapping
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.targets import BRANCH, USERNAME, field_id_of, is_manager, is_never_shown, manager_type_of
from slack_docebo.engine.reading.attribute_fields import know_fields
from slack_docebo.engine.reading.branches import branches_of
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import reserve_calls
from slack_docebo.engine.reading.sides import are_few, ask_for_unlisted, note_first_sight, read_target
from slack_docebo.engine.writing.inquiry import Inquiry, inquire
from slack_docebo.engine.writing.recording import record
from slack_docebo.errors import ConfigurationError, PlanNotApplicable
from slack_docebo.integration_settings import IntegrationSettings, read_written
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind, PlanState
from slack_docebo.storage.tables import Tables

OPERATIONS_AT_ONCE = 500
LINK_TO_UNDO = (
    ". If it is this person's all the same, link the two, with MAP_SLACK_USER_DATA on (the form Decide about people on the"
    " status page), import, and undo again"
)
NOT_KEPT = "nobody kept what the account bore when this was planned: plan again"
SAVED = frozenset(PlanKind) - {PlanKind.RESET_MAPPINGS}


@dataclass(frozen=True, slots=True)
class Situation:
    """The account and the mappings that an operation would change, as they are today."""

    accounts: Accounts
    policy: Policy
    planned_by: Policy  # the rules that the plan was made by
    undoes: bool = False  # the plan takes back what we did
    branches: Branches | None = None  # None: not known
    # In which of them those accounts are that no rule moves, as far as their own pages were asked for and show it
    places: MappingType[int, Collection[int]] = field(default_factory=dict)
    # Who reports to whom, by manager, as far as Docebo was asked and shows it.
    reports: MappingType[int, Collection[int]] = field(default_factory=dict)
    mapping: Mapping | None = None  # of the operation's Slack user
    holder: str = ""  # Slack id to whom the operation's account is mapped
    seen: MappingType[int, LastSeen] = field(default_factory=dict)  # of the operation's account, and of managers
    branch: int | None = None  # to which we have brought that account last
    other_ids: Collection[str] = ()  # under which Slack knows the person besides
    # By type, the accounts that we have made its managers; 0 for removed.
    managers: MappingType[int, int] = field(default_factory=dict)

    def seen_of(self, docebo_id: int | None) -> LastSeen:
        """Return what this account last showed."""
        return self.seen.get(docebo_id or 0, LastSeen())


async def read_for(runtime: Runtime, plan_id: str) -> Accounts:
    """Return all accounts, with the fields that the saved plan changes, even if no present rule names them."""
    with runtime.store.reading() as tables:
        names = tables.operations.attributes_to_change(plan_id)
    await know_fields(runtime, {field_id for name in names if (field_id := field_id_of(name))})
    return await read_target(runtime)


async def recheck(runtime: Runtime, workspace: Workspace, plan_id: str, accounts: Accounts) -> int:
    """Mark each operation that must not be applied today as skipped, and return their number.

    Where *accounts* lack some that Docebo had listed before, these are asked for before an account is made for anybody. What
    Slack is asked first, `inquire` says.
    Operations that a run carried out and did not record, because it was cut off, are recorded now. Raises PlanNotApplicable
    if the plan does not exist, was applied before, is for another workspace or Docebo, or is at odds with the settings,
    and IncompleteRead where to ask Slack for those who have left, are back or are new takes more calls than EVIDENCE_CALLS.
    """
    with runtime.store.reading() as tables:
        plan = tables.plans.read(plan_id)
        pending = {kind for kind in Kind if tables.operations.pending(plan_id, kind, 1)}
        sent = tables.intents.sent(plan_id)
    _check_applicable(runtime, workspace, plan, pending)
    policy = runtime.behaviour.policy(workspace.team)
    planned_by = planned_behaviour(runtime, plan).policy(workspace.team)
    inquiry = await inquire(runtime, workspace, plan, accounts, policy, planned_by)
    runtime.managers.planned |= inquiry.managers
    with runtime.store.reading() as tables:
        unseen = tables.mappings(runtime.settings.docebo_url).unseen(workspace.team)
    note_first_sight(runtime, [account for one in unseen if (account := accounts.get(one))])
    undoes, branches = plan.kind is PlanKind.UNDO, runtime.org_chart.branches
    places = await _places(runtime, plan) if Kind.MOVE in pending else {}
    reports = await _reports(runtime, plan) if undoes else {}
    of_all = Situation(accounts, policy, planned_by, undoes=undoes, branches=branches, places=places, reports=reports)
    skipped = 0
    for kind in pending:
        after = -1
        while True:
            with runtime.store.reading() as tables:
                some = tables.operations.pending(plan_id, kind, OPERATIONS_AT_ONCE, after=after)
                today = _situations(tables, runtime.settings.docebo_url, workspace.team, some, of_all)
            if not some:
                break
            after = some[-1][0]
            if kind is Kind.CREATE:
                await ask_for_unlisted(runtime, accounts, [operation.email for _, operation in some])
            managing = map(accounts.get, _managers_in(some))
            runtime.managers.usernames |= {account.docebo_id: account.username for account in managing if account}
            results = [
                outcome
                for seq, operation in some
                if (outcome := _outcome(seq, operation, today[seq], inquiry, was_sent=seq in sent))
            ]
            record(runtime, plan_id, some, results)
            skipped += sum(result.outcome is Outcome.SKIPPED for result in results)
    return skipped


async def _places(runtime: Runtime, plan: Plan) -> dict[int, frozenset[int]]:
    """Return the branches of accounts that the *plan* moves by no rule; none if they are many."""
    with runtime.store.reading() as tables:
        moved = {
            row.docebo_id
            for row in tables.operations.told(plan.id, Kind.MOVE)
            if row.outcome == Outcome.PLANNED and (plan.kind is PlanKind.UNDO or row.reason in {HAS_LEFT, IS_BACK})
        }
    return await branches_of(runtime, moved if are_few(runtime, len(moved)) else ())


async def _reports(runtime: Runtime, plan: Plan) -> dict[int, set[int]]:
    """Return who reports to those whom the undo *plan* takes back as managers, as far as Docebo tells it.

    It is asked for a few, a call each; of many nobody asks.
    """
    with runtime.store.reading() as tables:
        rows = tables.operations.told(plan.id, Kind.UPDATE)
        managers = {one for row in rows if row.outcome == Outcome.PLANNED for one in _taken_back(row.before).values()}
    if not managers or not are_few(runtime, len(managers)) or not reserve_calls(runtime, accounts=len(managers)):
        return {}
    asked = {one: await runtime.docebo.subordinates(one) for one in sorted(managers)}
    return {one: reports for one, reports in asked.items() if reports is not None}


def _taken_back(before: MappingType[str, Value]) -> dict[str, int]:
    """Return the managers among what an undo takes back, by the names of their attributes."""
    return {name: int(value) for name, value in before.items() if is_manager(name) and value}


def _situations(
    tables: Tables, docebo: str, team: str, some: Sequence[tuple[int, Operation]], of_all: Situation
) -> dict[int, Situation]:
    """Return the situation of each of *some* operations, by number: its own beside what holds *of_all*."""
    mappings = tables.mappings(docebo)
    rows = mappings.of(team, people_of(operation for _, operation in some))
    ids = accounts_of(operation for _, operation in some)
    holders = mappings.holders(team, ids)
    seen = tables.accounts_at(docebo).last_seen(_managers_in(some).union(ids))
    branches, managers = _given(tables, docebo, ids)
    other_ids = _other_ids(tables, team, [operation.slack_id for _, operation in some])
    return {
        seq: replace(
            of_all,
            mapping=mapping_of(operation, rows),
            holder="" if operation.docebo_id is None else holders.get(operation.docebo_id, ""),
            seen=seen,
            branch=branches.get(operation.docebo_id or 0),
            other_ids=other_ids.get(operation.slack_id, ()),
            managers=managers.get(operation.docebo_id or 0, {}),
        )
        for seq, operation in some
    }


def _managers_in(some: Iterable[tuple[int, Operation]]) -> set[int]:
    """Return the accounts that *some* operations make managers."""
    return {one for _, operation in some for one in managers_of(operation)}


def _outcome(
    seq: int, operation: Operation, today: Situation, inquiry: Inquiry, *, was_sent: bool
) -> RowOutcome | None:
    """Return the outcome of an operation that is not applied any more, or was before; None if it is to be applied."""
    reason = reason_to_skip(operation, today) or inquiry.reason_against(
        operation, today.accounts, today.policy, today.planned_by
    )
    if not reason:
        return None
    if was_sent and (docebo_id := _carried_out(operation, today)):
        return RowOutcome(seq, Outcome.APPLIED, docebo_id)
    doubt = SENT_BEFORE if was_sent else ""
    return RowOutcome(seq, Outcome.SKIPPED, error=f"{reason}{doubt}", in_doubt=was_sent and is_looked_for(operation))


def reason_to_skip(operation: Operation, now: Situation) -> str:
    """Return why *operation* must not be carried out any more, or ""."""
    if reason := reason_by_mapping(operation, now.mapping, now.holder):
        return reason
    if not now.undoes:  # what went wrong is undone whatever the rules are
        account = account_of(now.accounts, operation)
        address = operation.email or operation.username or (account.email if account else "")
        if reason := reason_by_rules(operation, address, now.planned_by, now.policy, other_ids=now.other_ids):
            return reason
    if operation.kind is Kind.UNMAP:
        return ""
    if reason := (
        reason_by_given(operation, now.branch, now.managers)
        or reason_by_place(operation, now.places)
        or reason_by_reports(operation, now.reports)
    ):
        return reason
    if now.undoes and (reason := reason_by_branch(operation, now.branches)):  # all is undone of a person, or nothing
        return reason
    managing = {one: now.accounts.get(one) for one in managers_of(operation)}
    if not all(managing.values()):
        return "the manager's account is gone"
    if any(_may_be_handed_over(account, now.seen_of(one)) for one, account in managing.items() if account):
        return NOT_THEIRS
    if operation.kind is Kind.CREATE and now.accounts.may_lack(operation.email):
        return UNLISTED
    seen = now.seen_of(operation.docebo_id)
    return reason_by_sight(operation, now.accounts, seen, undoes=now.undoes) or reason_by_account(
        operation, now.accounts, now.policy, undoes=now.undoes
    )


def reason_by_sight(operation: Operation, accounts: Accounts, seen: LastSeen, *, undoes: bool) -> str:
    """Return why the account of *operation* may be somebody else's by now, or "".

    The judgement is the same wherever an account is read again.

    It has to show what it showed when this was planned or, where that is not known, as for an undo, what was last
    *seen* of it. Whoever hands an account over may leave the username: only a new plan finds out whose another address
    is. Where no mapping says whose it is, only what it was found by, the username has to be the same as well.
    """
    account = None if operation.docebo_id is None else accounts.get(operation.docebo_id)
    is_found = not undoes and operation.kind in {Kind.MAP, Kind.UPDATE} and _is_new(operation)
    if account is None or not (is_found or operation.kind in TO_ACCOUNTS):
        return ""
    now, then = look(account), operation.seen
    if then == LastSeen():
        if is_found and operation.kind is Kind.UPDATE:
            return NOT_KEPT  # a dry run may have noted since what it bears by now
        then = seen
    if not is_found and not is_same(now, then):
        return dispute(account.docebo_id)
    changed = []
    if is_found and USERNAME not in operation.changes and then.username not in {"", now.username}:
        changed.append(USERNAME)
    if _bears_another_address(operation, account, then, is_found=is_found):
        changed.append("email")
    advice = LINK_TO_UNDO if undoes and "email" not in operation.changes else ""
    return f"changed in Docebo since: {', '.join(changed)}{advice}" if changed else ""


def _may_be_handed_over(account: Account, seen: LastSeen) -> bool:
    """Tell whether *account* may belong to somebody else than when last *seen*; only a new plan can find out."""
    return not is_same(look(account), seen) or bears_new_address(account, seen)


def _is_new(operation: Operation) -> bool:
    """Tell whether no mapping gives the account to the person of *operation* yet."""
    return operation.prior is None or operation.mapped_as != operation.slack_id


def _bears_another_address(operation: Operation, account: Account, then: LastSeen, *, is_found: bool) -> bool:
    """Tell whether *account* shows neither the address of *then* nor its new one.

    One that *is_found* without a mapping counts as well if it shows no address.
    """
    if "email" in operation.changes:
        before, given = operation.before.get("email", ""), operation.changes["email"]
        return bool(before) and differs(account, "email", before) and not holds(account, "email", given)
    is_shown = bool(account.email) or is_found
    return is_shown and "email" not in account.unshown and then.address not in {"", look(account).address}


def reason_by_given(operation: Operation, branch: int | None, managers: MappingType[int, int]) -> str:
    """Return why *operation* rests on another *branch* or other *managers* than we last gave the account, or "".

    No list shows them; so nobody knows what somebody else has made of them.
    """
    if operation.kind is Kind.CREATE:
        return ""
    given = {
        name: managers.get(manager_type_of(name)) if is_manager(name) else branch
        for name in operation.changes
        if is_never_shown(name)
    }
    changed = [name for name, now in given.items() if str(now or "") != operation.before.get(name, "")]
    return f"changed by us since: {', '.join(changed)}" if changed else ""


def reason_by_place(operation: Operation, places: MappingType[int, Collection[int]]) -> str:
    """Return the reason if the account of *operation* is neither in its former branch nor in its new one, or "".

    *places* are the present branches by account. A rule moves an account from wherever somebody has put it by hand,
    once it gives another branch than before.
    """
    known = {int(branches[BRANCH]) for branches in (operation.before, operation.changes) if BRANCH in branches}
    is_elsewhere = BRANCH in operation.before and known.isdisjoint(places.get(operation.docebo_id or 0, known))
    return f"changed in Docebo since: {BRANCH}" if is_elsewhere else ""


def reason_by_reports(operation: Operation, reports: MappingType[int, Collection[int]]) -> str:
    """Return that the account of *operation* reports no more to whom we had made its manager, or ""; *reports* are by manager."""
    changed = [
        name
        for name, manager in _taken_back(operation.before).items()
        if operation.docebo_id not in reports.get(manager, {operation.docebo_id})
    ]
    return f"changed in Docebo since: {', '.join(changed)}" if changed else ""


def reason_by_branch(operation: Operation, branches: Branches | None) -> str:
    """Return why nobody can be put into the branch of *operation*, or "".

    A row names the branch by its present code, title or path: a former one may name another branch.
    """
    branch = str(operation.changes.get(BRANCH, ""))
    if not branch or operation.kind not in {Kind.CREATE, Kind.MOVE}:
        return ""
    if operation.kind is Kind.MOVE:
        is_there = branches is None or branch in branches.all_ids  # the call takes the id
    else:
        is_there = branches is not None and branch in branches.columns
    return "" if is_there else f"branch {branch} is gone from Docebo since, or nothing tells it from others: plan again"


def reason_by_mapping(operation: Operation, mapping: Mapping | None, holder: str) -> str:
    """Return why *operation* contradicts the present mappings, or "".

    *mapping* is that of its Slack user, *holder* the Slack id to which its account is mapped.
    """
    rests_on_mapping = operation.maps or operation.kind is Kind.UNMAP or operation.prior is not None
    # What gives a person attributes does so, too, where no mapping was kept: somebody may be linked by hand since.
    if (rests_on_mapping or operation.fingerprint) and _row(mapping) != _row(operation.prior):
        return "the mapping has changed since"
    if operation.maps and operation.kind is not Kind.CREATE and holder not in {"", *people_of([operation])}:
        return f"the account belongs to {holder} by now"
    return ""


def reason_by_account(
    operation: Operation,
    accounts: Accounts,
    policy: Policy,
    *,
    undoes: bool,
    attributes: Collection[str] | None = None,
) -> str:
    """Return why *operation* contradicts its account as *accounts* show it, or "".

    It does where an attribute (one of *attributes*, if given) is not as it was when the operation was planned. An
    operation that *undoes* may change an account that is protected only because of what it takes back.
    """
    account = account_of(accounts, operation)
    if operation.kind is Kind.CREATE:
        email = operation.email
        namesakes = accounts.with_email(email) if email and policy.match_by is not MatchBy.USERNAME else []
        back = accounts.get(operation.prior.docebo_id) if operation.prior else None  # it was gone when this was planned
        found = account or next(iter(namesakes), back)
        docebo_id = found.docebo_id if found else accounts.hidden(email)
        return "" if docebo_id is None else f"account {docebo_id} exists by now"
    if account is None:
        return "the account is gone"
    judged = _as_undone(account, operation) if undoes else account
    if operation.kind in TO_ACCOUNTS and (shield := shielded(judged, policy.protected)):
        return shield
    before = ((name, value) for name, value in operation.before.items() if attributes is None or name in attributes)
    if changed := [name for name, value in before if differs(account, name, value)]:
        return f"changed in Docebo since: {', '.join(changed)}"
    return ""


def _as_undone(account: Account, operation: Operation) -> Account:
    """Return *account* with the username and the address that *operation* gives back."""
    changes = operation.changes
    username, email = (str(changes.get(name, getattr(account, name))) for name in ("username", "email"))
    return replace(account, username=username, email=email)


def _other_ids(tables: Tables, team: str, slack_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the other Slack ids of these people."""
    found: dict[str, list[str]] = {}
    for other, slack_id in tables.people.other_ids(team, slack_ids).items():
        found.setdefault(slack_id, []).append(other)
    return found


def _given(
    tables: Tables, docebo: str, docebo_ids: Collection[int]
) -> tuple[dict[int, int], dict[int, dict[int, int]]]:
    """Return the branch into which we moved each account, and the managers we surely set, by type."""
    accounts = tables.accounts_at(docebo)
    managers: dict[int, dict[int, int]] = {}
    for (docebo_id, type_id), manager_id in accounts.managers(docebo_ids).items():
        if manager_id != IN_DOUBT:
            managers.setdefault(docebo_id, {})[type_id] = manager_id
    return accounts.placed(docebo_ids), managers


def planned_behaviour(runtime: Runtime, plan: Plan) -> IntegrationSettings:
    """Return the settings that the plan was made with; raise PlanNotApplicable if they can no longer be read."""
    if plan.settings in ({}, runtime.behaviour.written):
        return runtime.behaviour
    try:
        planned = read_written({key: str(value) for key, value in plan.settings.items()})
    except ConfigurationError as error:
        raise PlanNotApplicable(
            f"plan {plan.id} was made with settings that this version does not read: make a new one ({error})"
        ) from None
    try:
        return planned.with_members_as(runtime.behaviour) if planned.reads_user_groups else planned
    except ValueError as error:
        raise PlanNotApplicable(f"plan {plan.id}: {error}; make a new one") from None


def _check_applicable(runtime: Runtime, workspace: Workspace, plan: Plan, pending: set[Kind]) -> None:
    plan.check_open()
    if plan.kind not in SAVED:
        raise PlanNotApplicable(f"plan {plan.id} is a {plan.kind}: run the flow of that name")
    if plan.kind is PlanKind.REALTIME_SYNC and plan.state is PlanState.APPLYING:
        raise PlanNotApplicable(f"plan {plan.id} may be at work in realtime-sync: run a bulk import instead")
    if (plan.docebo, plan.slack_team) != (runtime.settings.docebo_url, workspace.team):
        raise PlanNotApplicable(f"plan {plan.id} was made for workspace {plan.slack_team} and {plan.docebo}")
    if plan.kind is PlanKind.UNDO:
        return  # what went wrong is undone with everything switched off
    if pending.intersection(TO_ACCOUNTS) and not runtime.behaviour.provision_slack_user_data:
        raise PlanNotApplicable(f"plan {plan.id} changes accounts, but PROVISION_SLACK_USER_DATA is off by now")
    if pending & {Kind.MAP, Kind.UNMAP} and _is_mapping_off_since(runtime, plan):
        raise PlanNotApplicable(f"plan {plan.id} changes mappings, but MAP_SLACK_USER_DATA is off by now")


def _is_mapping_off_since(runtime: Runtime, plan: Plan) -> bool:
    """Tell whether mapping was switched off since the plan: while it is off, earlier mappings may still pass on."""
    return planned_behaviour(runtime, plan).map_slack_user_data and not runtime.behaviour.map_slack_user_data


def _carried_out(operation: Operation, now: Situation) -> int | None:
    """Return the account if it shows the effect of *operation*, which was sent, and is nobody else's by now."""
    account = account_of(now.accounts, operation) if operation.kind in TO_ACCOUNTS else None
    if account is None or not is_carried_out(operation, account):
        return None
    is_theirs = operation.docebo_id is None or is_same(look(account), now.seen_of(operation.docebo_id))
    at_odds = reason_by_mapping(operation, now.mapping, now.holder)
    return account.docebo_id if is_theirs and not at_odds else None


def _row(mapping: Mapping | None) -> tuple[str, int, str, bool] | None:
    return None if mapping is None else (mapping.slack_id, mapping.docebo_id, mapping.fingerprint, mapping.deactivated)
