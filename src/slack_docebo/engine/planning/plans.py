"""Making a plan: the rules applied to everybody who was read, kept in the store before anything is written."""

from collections import Counter
from collections.abc import AsyncIterable, Collection, Iterable, Sequence
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.branches import to_be_made
from slack_docebo.domain.dialect import MOST_ROWS
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.people import Known, SourceUser
from slack_docebo.domain.planning import Planner
from slack_docebo.domain.profiles import Coverage
from slack_docebo.domain.rules import NO_BRANCH, Shortfall
from slack_docebo.domain.targets import BRANCH, USERNAME
from slack_docebo.engine.planning.absences import Absences, not_planned
from slack_docebo.engine.planning.drafts import Draft, close_plan
from slack_docebo.engine.planning.limits import count_people
from slack_docebo.engine.planning.people import (
    as_decided,
    in_grace,
    keep_met,
    keep_observations,
    note_names,
    plan_people,
)
from slack_docebo.engine.planning.reopening import reopened
from slack_docebo.engine.reading.connection import Workspace, recall_other_ids, unknown_levels
from slack_docebo.engine.reading.organisation import learn_who_is_forgotten
from slack_docebo.engine.reading.profiles import fields_wanted
from slack_docebo.engine.reading.sides import check_first_list, record_reads
from slack_docebo.engine.reading.snapshot import Restarted, SourceSnapshot
from slack_docebo.engine.reporting.files import (
    branches_file,
    orphan_file,
    values_file,
    write_branches,
    write_orphans,
    write_values,
)
from slack_docebo.engine.reporting.orphans import OrphanSearch
from slack_docebo.errors import Halted, LockLost, PlatformMismatch, StorageError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import (
    COVERAGE,
    READ_SINCE,
    Facts,
    PlanKind,
)
from slack_docebo.storage.statements import chunks

EVERYBODYS = (Halted, LockLost, PlatformMismatch)  # errors that are no single person's
NOBODY_PLANNED = 20  # people for whom it may fail one after the other before it succeeds for anybody


async def make_plan(
    runtime: Runtime,
    workspace: Workspace,
    people: AsyncIterable[list[SourceUser]],
    accounts: Accounts,
    *,
    kind: PlanKind,
    listed: SourceSnapshot | None = None,
    trusting: bool = False,
    is_trial: bool = False,
) -> str:
    """Plan for everybody in *people*, page by page, hold the whole against the limits, and return the plan's id.

    The pages may still be coming: the plan is whole, and can be applied, when they have ended.

    *listed* is given where *people* is the whole source. Then whoever is left alone for the reason that stood before gets
    no row and is counted, and nothing is concluded about people and mapped accounts that no list shows until both lists
    are whole and each side was asked for them. Who loses an account to a better claim is planned for again at the end.

    *trusting* takes the target to be as it was last written, for people whose attributes have not changed since, and
    concludes nothing about those who have left. Without it, what does not fit together is noted as well: in numbers with
    the plan, one by one in a file.

    While it *is_trial*, of settings that are not saved, nothing is kept of what was seen: by other settings it is nothing.

    Raises IncompleteRead if Slack shows somebody whom its list left out, or if to ask would take more calls than
    EVIDENCE_CALLS.
    """
    facts: dict[str, object] = {READ_SINCE: runtime.begun.isoformat()}
    is_read, wanted = False, fields_wanted(runtime)
    while not is_read:
        unmatched, coverage = runtime.behaviour.unmatched(), Coverage()
        draft = Draft(runtime, workspace, kind, tells_changes_only=listed is not None, is_trial=is_trial)
        planner = Planner(runtime.behaviour.policy(workspace.team), accounts)
        if listed is not None and not trusting:
            planner.reopened = await to_completion(reopened, runtime, workspace.team, planner.policy, accounts)
        orphans = None if listed is None or trusting else OrphanSearch(accounts, planner.claims)
        absences = Absences()
        read: list[list[SourceUser]] = []  # of a whole source it is in *listed*
        try:
            async for page in people:
                if listed is None:
                    read.append(page)
                else:
                    unmatched.see_people(page)
                    coverage.see(page, planner.policy.scope, wanted)
                await to_completion(_plan_some, runtime, planner, draft, page, trusting, absences, orphans)
            is_read = True
        except Restarted:
            pass  # what was planned so far stays unfinished: nobody can apply it
    if listed is not None:
        await to_completion(absences.look_for_missing, runtime, workspace, planner, listed, trusting)
    else:
        absences.to_ask = sorted(set(planner.returns.contested.values()))
    await absences.ask(runtime, workspace, planner, listed)
    again = planner.returns.settle(absences.seen) | absences.shown_otherwise.keys()
    planner.returns.of_holder |= absences.shown_otherwise
    if absences.shown_otherwise:
        recall_other_ids(runtime, workspace.team)
        planner.policy = runtime.behaviour.policy(workspace.team)
    again |= set() if listed is None else listed.shown_again
    again |= await learn_who_is_forgotten(runtime, workspace, chain.from_iterable(listed or read))
    await to_completion(_plan_absent, runtime, planner, draft, absences, trusting, orphans)
    await to_completion(_plan_again, runtime, planner, draft, listed or read, accounts, again, trusting)
    if not is_trial:
        await to_completion(_keep_met, runtime, planner, draft)
    if listed is not None:
        newcomers = await to_completion(_newcomers, runtime, draft.plan_id)
        await check_first_list(runtime, workspace.team, accounts, newcomers)
        if not is_trial:
            await to_completion(record_reads, runtime, workspace, listed, accounts, absences.hidden)
        listed.to_compare = planner.found.to_read_first
        facts["left_as_before"] = draft.left_as_before
        unmatched.see_accounts(accounts)
        if told := unknown_levels(runtime.docebo.levels.in_doubt):
            facts["unknown_levels"] = told
        if wanted:
            facts[COVERAGE] = [coverage.known, coverage.people]
        facts["remarks"] = [*runtime.behaviour.remarks, *unmatched.remarks(with_accounts=not trusting)]
    if orphans:
        facts |= await to_completion(_tell_orphans, runtime, draft, orphans)
    if planner.found.shortfalls and kind is not PlanKind.REALTIME_SYNC:  # which is about a few, again and again
        facts |= await to_completion(_tell_shortfalls, runtime, draft, list(chain(*planner.found.shortfalls.values())))
    facts |= {"forgotten": planner.found.forgotten, "hurting": draft.hurting}
    looked_after = planner.found.people
    if listed is None:  # a limit is a share of everybody, not of some
        with runtime.store.reading() as tables:
            looked_after = count_people(runtime, tables, workspace.team, at_least=planner.found.people)
    close_plan(runtime, draft.plan_id, looked_after=looked_after, facts=facts)
    return draft.plan_id


def _keep_met(runtime: Runtime, planner: Planner, draft: Draft) -> None:
    for some in chunks(planner.found.met.items()):  # so that nobody waits for long
        with runtime.store.transaction() as tables:
            keep_met(tables, draft.docebo, draft.team, dict(some), now=runtime.now())


def _newcomers(runtime: Runtime, plan_id: str) -> list[str]:
    """Return the addresses of some for whom the plan makes an account."""
    with runtime.store.reading() as tables:
        created = tables.operations.pending(plan_id, Kind.CREATE, MOST_ROWS)
    return [str(operation.changes.get("email") or operation.changes[USERNAME]) for _, operation in created]


def _tell_orphans(runtime: Runtime, draft: Draft, orphans: OrphanSearch) -> Facts:
    """Write the file of what does not fit together; return its numbers, and why it could not be written."""
    file = orphan_file(runtime.settings.report_dir, draft.plan_id)
    found, fault = write_orphans(orphans.found(), file)
    return {"orphans": found, "orphan_fault": fault}


def _tell_shortfalls(runtime: Runtime, draft: Draft, shortfalls: Sequence[Shortfall]) -> Facts:
    """Write the files of the values that have no place, and of the branches to make for them; return what `_tell_orphans` does."""
    file = values_file(runtime.settings.report_dir, draft.plan_id)
    found, fault = write_values(shortfalls, runtime.field_titles, file)
    facts: dict[str, object] = {"shortfalls": found, "shortfall_fault": fault}
    wanted = Counter(one.value for one in shortfalls if one.target == BRANCH and one.why == NO_BRANCH)
    if runtime.branches and (new := to_be_made(wanted, runtime.branches)):
        file = branches_file(runtime.settings.report_dir, draft.plan_id)
        facts |= {"missing_branches": len(new), "missing_branches_fault": write_branches(new, file)}
    return facts


def _plan_some(
    runtime: Runtime,
    planner: Planner,
    draft: Draft,
    users: Sequence[SourceUser],
    trusting: bool,
    absences: Absences | None = None,
    orphans: OrphanSearch | None = None,
) -> None:
    """Plan and store *users*, without those whom *absences*, where given, are to hold back.

    Where that fails, it is done in halves until the one it fails for is alone, who is left alone with the reason. Raises
    the error where it is everybody's.
    """
    before = draft.state, planner.found.people, planner.found.forgotten
    held_back: list[tuple[SourceUser, Known | None]] | None = None if absences is None else []
    try:
        with runtime.store.transaction() as tables:
            operations = plan_people(
                tables,
                draft.docebo,
                draft.team,
                planner,
                users,
                now=runtime.now(),
                read_since=runtime.begun,
                trusting=trusting,
                orphans=orphans,
                held_back=held_back,
            )
            draft.add(tables, operations)
            if not draft.is_trial:
                keep_observations(tables, draft.docebo, draft.team, planner.found, now=runtime.now())
                note_names(runtime, tables, draft.team, users)
    except EVERYBODYS:
        raise
    except Exception as error:
        draft.state, planner.found.people, planner.found.forgotten = before
        if isinstance(error, StorageError):
            with runtime.store.transaction(durable=False) as tables:  # raises where nothing at all can be stored
                tables.plans.read(draft.plan_id)
        if len(users) > 1:
            middle = len(users) // 2
            for half in (users[:middle], users[middle:]):
                _plan_some(runtime, planner, draft, half, trusting, absences, orphans)
            return
        if not draft.planned and len(draft.not_planned) >= NOBODY_PLANNED:
            raise
        draft.not_planned |= {user.slack_id for user in users}
        with runtime.store.transaction() as tables:
            draft.add(tables, [not_planned(user.slack_id, draft.team, error) for user in users])
    else:
        draft.planned += len(users)
        if absences is not None:
            absences.held_back += held_back or []


def _plan_absent(
    runtime: Runtime,
    planner: Planner,
    draft: Draft,
    absences: Absences,
    trusting: bool,
    orphans: OrphanSearch | None,
) -> None:
    """Plan and store what follows from the answers about those who were absent."""
    for users in chunks(user for user, _ in absences.held_back):
        _plan_some(runtime, planner, draft, users, trusting)
    with runtime.store.transaction() as tables:
        left = list(absences.operations(planner, draft.team, trusting=trusting))
        back, now = absences.back(planner.policy), runtime.now()
        absent = in_grace(tables, draft.team, planner, left, now=now, read_since=runtime.begun, back=back)
        draft.add(tables, as_decided(tables, draft.team, absent))
        if not draft.is_trial:
            keep_observations(tables, draft.docebo, draft.team, planner.found, now=runtime.now())
    if orphans:
        orphans.look_at_gone(absences.missing.values())


def _plan_again(
    runtime: Runtime,
    planner: Planner,
    draft: Draft,
    read: Iterable[list[SourceUser]],
    accounts: Accounts,
    others: Collection[str],
    trusting: bool,
) -> None:
    """Plan again for those of whom more was known after they had been planned.

    These are the ones who have lost a claim to somebody listed later, those who were given an account by its username
    although somebody else in the list bears its address, and *others*, who have returned under a new id, or whom the list
    has shown anew.
    """
    again = planner.claims.outdone.union(others)
    for user in chain.from_iterable(read) if planner.named_after else ():
        if not user.bot and (named := planner.named_after.get(mailbox(user.email))):
            again.update(named)
            for account in accounts.with_email(user.email):
                accounts.note_bearer(account.docebo_id, user.slack_id)
    again -= draft.not_planned
    if not again:
        return
    looked_after = planner.found.people  # counted when they were planned first
    with runtime.store.transaction() as tables:
        draft.withdraw(tables, again)
    for users in chunks(user for user in chain.from_iterable(read) if again.intersection(user.ids)):
        _plan_some(runtime, planner, draft, users, trusting)
    planner.found.people = looked_after
