"""Making a plan: the rules applied to everybody who was read, kept in the store before anything is written."""

from collections import Counter
from collections.abc import AsyncIterable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.branches import NewBranch, to_be_made
from slack_docebo.domain.decisions import Decisions, about, respecting, under_other_ids
from slack_docebo.domain.dialect import MOST_ROWS
from slack_docebo.domain.effects import hurts, people_of
from slack_docebo.domain.grace import hold
from slack_docebo.domain.leavers import is_leaver
from slack_docebo.domain.matching import Accounts, FoundBy
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Applied, Known, Mapping, PeopleShown, SourceUser
from slack_docebo.domain.planning import Findings, Planner
from slack_docebo.domain.profiles import Coverage
from slack_docebo.domain.rules import NO_BRANCH
from slack_docebo.domain.targets import BRANCH, USERNAME
from slack_docebo.domain.texts import without_numbers
from slack_docebo.engine.planning.absences import Absences, not_planned
from slack_docebo.engine.planning.limits import Measure, count_people, measure
from slack_docebo.engine.reading.connection import Workspace, recall_other_ids, unknown_levels
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
    LET_THROUGH,
    NO_FACTS,
    READ_SINCE,
    Facts,
    Plan,
    PlanKind,
    PlanState,
    new_plan_id,
)
from slack_docebo.storage.statements import chunks
from slack_docebo.storage.tables import Tables

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
) -> str:
    """Plan for everybody in *people*, page by page, hold the whole against the limits, and return the plan's id.

    The pages may still be coming: the plan is whole, and can be applied, when they have ended.

    *listed* says that *people* is the whole source; None says that it is only some people. Of the whole source, who is
    left alone for the reason that stood before gets no row and is counted. What would follow from somebody, or from a
    mapped account, not being listed is held back until the list is whole; then each side is asked once for each of
    them. Whose claim to an account somebody else's has outdone is planned again at the end.

    *trusting* takes the target to be as it was last written, for people whose attributes have not changed since, and
    concludes nothing about those who have left. Otherwise it is also noted what does not fit together: in numbers with
    the plan, one by one in a file.

    Raises IncompleteRead if Slack shows somebody whom its list left out, or if to ask would take more calls than
    EVIDENCE_CALLS.
    """
    facts: dict[str, object] = {READ_SINCE: runtime.begun.isoformat()}
    is_read, wanted = False, fields_wanted(runtime)
    while not is_read:
        unmatched, coverage = runtime.behaviour.unmatched(), Coverage()
        draft = _Draft(runtime, workspace, kind, tells_changes_only=listed is not None)
        planner = Planner(runtime.behaviour.policy(workspace.team), accounts)
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
        await to_completion(absences.look_for_missing, runtime, workspace, planner, accounts, listed, trusting)
    else:
        absences.to_ask = sorted(set(planner.returns.contested.values()))
    await absences.ask(runtime, workspace, planner, accounts, listed)
    again = planner.returns.settle(absences.seen) | absences.shown_otherwise.keys()
    planner.returns.of_holder |= absences.shown_otherwise
    if absences.shown_otherwise:
        recall_other_ids(runtime, workspace.team)
        planner.policy = runtime.behaviour.policy(workspace.team)
    again |= set() if listed is None else listed.shown_again
    await to_completion(_plan_absent, runtime, planner, draft, absences, trusting, orphans)
    await to_completion(_plan_again, runtime, planner, draft, listed or read, accounts, again, trusting)
    if listed is not None:
        newcomers = await to_completion(_newcomers, runtime, draft.plan_id)
        await check_first_list(runtime, workspace.team, accounts, newcomers)
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
        file = orphan_file(runtime.settings.report_dir, draft.plan_id)
        facts["orphans"], facts["orphan_fault"] = await to_completion(write_orphans, orphans.found(), file)
    if planner.found.shortfalls and kind is not PlanKind.REALTIME_SYNC:  # which is about a few, again and again
        file = values_file(runtime.settings.report_dir, draft.plan_id)
        found, titles = chain.from_iterable(planner.found.shortfalls.values()), runtime.field_titles
        facts["shortfalls"], facts["shortfall_fault"] = await to_completion(write_values, found, titles, file)
        if new := _branches_to_make(runtime, planner):
            file = branches_file(runtime.settings.report_dir, draft.plan_id)
            facts["missing_branches"] = len(new)
            facts["missing_branches_fault"] = await to_completion(write_branches, new, file)
    facts |= {"forgotten": planner.found.forgotten, "hurting": draft.hurting}
    looked_after = planner.found.people
    if listed is None:  # a limit is a share of everybody, not of some
        with runtime.store.reading() as tables:
            looked_after = count_people(runtime, tables, workspace.team, at_least=planner.found.people)
    close_plan(runtime, draft.plan_id, looked_after=looked_after, facts=facts)
    return draft.plan_id


def _newcomers(runtime: Runtime, plan_id: str) -> list[str]:
    """Return the addresses of some for whom the plan makes an account."""
    with runtime.store.reading() as tables:
        created = tables.operations.pending(plan_id, Kind.CREATE, MOST_ROWS)
    return [str(operation.changes.get("email") or operation.changes[USERNAME]) for _, operation in created]


def _branches_to_make(runtime: Runtime, planner: Planner) -> list[NewBranch]:
    """Return the branches that rules give and that Docebo does not have."""
    found = chain.from_iterable(planner.found.shortfalls.values())
    wanted = Counter(one.value for one in found if one.target == BRANCH and one.why == NO_BRANCH)
    return [] if runtime.branches is None else to_be_made(wanted, runtime.branches)


class _Draft:
    """A plan that is being written."""

    def __init__(self, runtime: Runtime, workspace: Workspace, kind: PlanKind, *, tells_changes_only: bool) -> None:
        self.docebo = runtime.settings.docebo_url
        self.team = workspace.team
        self._begun = runtime.now()
        self.plan_id = open_plan(runtime, workspace, kind)
        self.left_as_before = Counter[str]()  # by reason, without the ids in it
        self.hurting = 0  # operations of which the account may have to be asked for right before
        self.planned = 0
        self.not_planned = set[str]()  # Slack ids of those for whom it failed
        self._tells_changes_only = tells_changes_only
        self._rows = 0

    @property
    def state(self) -> tuple[int, Counter[str]]:
        """What it counts, to go back to where a transaction was not carried out."""
        return self._rows, self.left_as_before.copy()

    @state.setter
    def state(self, before: tuple[int, Counter[str]]) -> None:
        self._rows, self.left_as_before = before

    def add(self, tables: Tables, operations: Sequence[Operation]) -> None:
        """Store *operations*, but for those who are left alone as before: they are counted."""
        news = operations
        if self._tells_changes_only:
            left = [operation.slack_id for operation in operations if operation.kind is Kind.LEAVE]
            # What real time has brought about meanwhile stood not yet when the plan was begun: it gets a row.
            known = tables.standings.of(self.docebo, self.team, left, begun_by=self._begun)
            news = []
            for operation in operations:
                standing = known.get(operation.slack_id)
                if standing and standing.covers(operation):
                    self.left_as_before[without_numbers(operation.reason)] += 1
                else:
                    news.append(operation)
        self.hurting += sum(map(hurts, news))
        tables.operations.add(self.plan_id, self._rows, news)
        self._rows += len(news)

    def withdraw(self, tables: Tables, slack_ids: Collection[str]) -> None:
        """Take back what was planned for these people, or counted of them."""
        counted = set(slack_ids) - tables.operations.withdraw(self.plan_id, slack_ids)
        known = tables.standings.of(self.docebo, self.team, counted, begun_by=self._begun)
        self.left_as_before -= Counter(without_numbers(standing.reason) for standing in known.values())


def open_plan(runtime: Runtime, workspace: Workspace, kind: PlanKind) -> str:
    """Store the header of a plan that is not whole yet, and return its id."""
    plan_id = new_plan_id()
    with runtime.store.transaction() as tables:
        tables.plans.create(
            Plan(
                id=plan_id,
                kind=kind,
                created_at=runtime.now(),
                flow_run=runtime.run_id,
                docebo=runtime.settings.docebo_url,
                slack_team=workspace.team,
                slack_team_name=workspace.name,
                state=PlanState.PLANNING,
                settings=runtime.behaviour.written,
            )
        )
    return plan_id


def close_plan(
    runtime: Runtime, plan_id: str, *, looked_after: int, let_through: bool = False, facts: Facts = NO_FACTS
) -> Measure:
    """Note that the plan is whole and how large it is, and return that; percentages are of the people *looked_after*.

    *let_through* says that somebody has let it exceed the limits.
    """
    with runtime.store.transaction() as tables:
        measured = measure(runtime, tables, plan_id, looked_after=looked_after)
        told = {"looked_after": looked_after, **measured.facts, **facts}
        if let_through and measured.over:
            told[LET_THROUGH] = True
        tables.plans.set_state(plan_id, PlanState.PLANNED, facts=told)
    return measured


def plan_people(
    tables: Tables,
    docebo: str,
    team: str,
    planner: Planner,
    users: Sequence[SourceUser],
    *,
    now: datetime,
    trusting: bool = False,
    orphans: OrphanSearch | None = None,
    held_back: list[tuple[SourceUser, Known | None]] | None = None,
) -> list[Operation]:
    """Return the operation for each of *users*. Mappings are looked up for them alone: a whole table is large.

    Those for whom Docebo has to be asked before are added to *held_back* instead, where that is given. The forgotten get
    none.
    """
    excluded = tables.exclusions.all()
    forgotten = [user for user in users if excluded.cover(user)]
    if forgotten:
        users = [user for user in users if user not in forgotten]
    planner.found.forgotten += len(forgotten)
    repository = tables.mappings(docebo)
    of_holder = planner.returns.of_holder
    users = [replace(one, local_id=of_holder[one.slack_id]) if one.slack_id in of_holder else one for one in users]
    known = repository.known_of_people(team, users)
    mappings = {slack_id: one for slack_id, one in known.items() if isinstance(one, Mapping)}
    applied = {slack_id: one for slack_id, one in known.items() if isinstance(one, Applied)}
    matches = {user.slack_id: planner.match(user, known.get(user.slack_id)) for user in users}
    by_username = [m.account.docebo_id for m in matches.values() if m.account and m.by is FoundBy.USERNAME]
    if by_username:
        given = tables.applied(docebo).given(by_username)
        matches = {
            user.slack_id: planner.match_again(user, known.get(user.slack_id), matches[user.slack_id], given)
            for user in users
        }
    found = [
        match.account.docebo_id
        for slack_id, match in matches.items()
        if match.account and match.by is not FoundBy.MAPPING
    ]
    other_ids = tables.people.other_ids(team, applied)
    mapped_otherwise = {other_ids[one]: mapping for one, mapping in repository.of(team, other_ids).items()}
    holders = repository.of_accounts(team, found)
    shut_by_us = tables.accounts_at(docebo).deactivated(found).keys() - holders.keys()
    back = {slack_id for user in users if not is_leaver(user, planner.policy) for slack_id in user.ids}
    shut = {one.slack_id for slack_id, one in mappings.items() if one.deactivated and slack_id in back}
    shut |= {slack_id for slack_id, one in applied.items() if one.deactivated and slack_id in back}
    shut |= {one.slack_id for one in holders.values() if one.deactivated}
    planner.ended |= tables.journal.ended(docebo, shut)
    operations = []
    for user in users:
        mapping, one = mappings.get(user.slack_id), known.get(user.slack_id)
        operation = planner.plan_trusting(user, mapping) if trusting else None
        if operation is None:
            match = matches[user.slack_id]
            if held_back is not None and (
                (one and planner.asks_for_account(user, one)) or planner.awaits_unlisted(user, match)
            ):
                held_back.append((user, one))
                continue
            account = match.account.docebo_id if match.account else 0
            holder, last = holders.get(account), applied.get(user.slack_id)
            # Whose mapping is gone, too, gets an account back that we have shut.
            if account in shut_by_us and not (last and last.deactivated and last.docebo_id == account):
                last = Applied(account, deactivated=True)
            operation = planner.plan(user, mapping, match, holder, last, mapped_otherwise.get(user.slack_id))
        operations.append(operation)
    if orphans:
        orphans.look(users, mappings)
        orphans.look_away(forgotten)
    return as_decided(tables, team, in_grace(tables, team, planner, operations, now=now, back=back), users)


def as_decided(
    tables: Tables, team: str, operations: Iterable[Operation], users: Collection[SourceUser] = ()
) -> list[Operation]:
    """Return *operations* as they are with what somebody has decided by hand, also under other ids of the people.

    *users* are those whom they are about, where Slack shows them.
    """

    def known(decisions: Decisions) -> Decisions:
        found = about(decisions, users)
        return under_other_ids(found, tables.people.other_ids(team, found))

    binding, acknowledged = tables.decisions.binding(team), tables.decisions.acknowledged(team)
    return respecting(known(binding), known(acknowledged), operations)


def in_grace(
    tables: Tables,
    team: str,
    planner: Planner,
    operations: Sequence[Operation],
    *,
    now: datetime,
    back: Collection[str] = (),
) -> Sequence[Operation]:
    """Return *operations* with leavers left alone who have not been gone for long enough; *planner* keeps who is news.

    *back* are those of whom is known that they have not left.
    """
    known = tables.leavers.since(team, {*people_of(operations), *back})
    held = hold(operations, known, back=back, now=now, grace=planner.policy.grace)
    planner.found.first_seen_leaving += held.first_seen
    planner.found.no_leavers += held.no_leavers
    return held.operations


def keep_observations(tables: Tables, docebo: str, team: str, found: Findings, *, now: datetime) -> None:
    """Keep what was seen of accounts and people while planning: like the proven read, even in a dry run."""
    if found.no_echo:
        tables.applied(docebo).forget_echoes(team, found.no_echo)
        found.no_echo.clear()
    keep_leavers(tables, team, found, now=now)
    if found.renamed:
        tables.people.note_ids(team, found.renamed)
        found.renamed.clear()
    if found.seen:
        platform_id = tables.platforms.take(docebo)
        tables.accounts(platform_id).note_seen(found.seen, now=now)
        found.seen.clear()


def keep_leavers(tables: Tables, team: str, found: Findings, *, now: datetime) -> None:
    """Keep who was seen to have left for the first time, and who is no leaver any more."""
    if found.first_seen_leaving:
        tables.leavers.note(team, found.first_seen_leaving, now=now)
        found.first_seen_leaving.clear()
    if found.no_leavers:
        tables.leavers.clear(team, found.no_leavers)
        found.no_leavers.clear()


def _plan_some(
    runtime: Runtime,
    planner: Planner,
    draft: _Draft,
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
                trusting=trusting,
                orphans=orphans,
                held_back=held_back,
            )
            draft.add(tables, operations)
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


def note_names(runtime: Runtime, tables: Tables, team: str, users: Iterable[SourceUser]) -> None:
    """Keep how *users* are called, where people are shown by their names; not of the forgotten."""
    if runtime.behaviour.people_shown is PeopleShown.NAMES:
        excluded = tables.exclusions.all()
        tables.names.note(team, (user for user in users if not excluded.cover(user)))


def _plan_absent(
    runtime: Runtime,
    planner: Planner,
    draft: _Draft,
    absences: Absences,
    trusting: bool,
    orphans: OrphanSearch | None,
) -> None:
    """Plan and store what follows from the answers about those who were absent."""
    for users in chunks(user for user, _ in absences.held_back):
        _plan_some(runtime, planner, draft, users, trusting)
    with runtime.store.transaction() as tables:
        left = list(absences.operations(planner, draft.team, trusting=trusting))
        absent = in_grace(tables, draft.team, planner, left, now=runtime.now(), back=absences.back(planner.policy))
        draft.add(tables, as_decided(tables, draft.team, absent))
        keep_observations(tables, draft.docebo, draft.team, planner.found, now=runtime.now())
    if orphans:
        orphans.look_at_gone(absences.missing.values())


def _plan_again(
    runtime: Runtime,
    planner: Planner,
    draft: _Draft,
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
