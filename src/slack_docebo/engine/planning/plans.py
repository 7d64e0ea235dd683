"""Making a plan: the rules are applied to everybody who was read, and stored before anything is written to Docebo."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.dialect import MOST_ROWS
from slack_docebo.domain.disputes import other_bearers
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Account, Known, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.profiles import Coverage
from slack_docebo.engine.planning.absences import Absences, not_planned
from slack_docebo.engine.planning.attachments import tell_orphans, tell_shortfalls
from slack_docebo.engine.planning.drafts import Draft, close_plan
from slack_docebo.engine.planning.limits import count_people
from slack_docebo.engine.planning.people import (
    as_decided,
    in_grace,
    keep_found_accounts,
    keep_observations,
    note_names,
    plan_people,
)
from slack_docebo.engine.planning.reopening import reopened
from slack_docebo.engine.planning.returners import ask_for_leavers, leavers_of_newcomers, look_for_returners
from slack_docebo.engine.reading.accounts import check_first_list, record_accounts
from slack_docebo.engine.reading.bearers import ask_for_other_bearers
from slack_docebo.engine.reading.connection import Workspace, recall_other_ids, unknown_levels
from slack_docebo.engine.reading.organisation import learn_who_is_forgotten
from slack_docebo.engine.reading.profiles import fields_wanted
from slack_docebo.engine.reading.slack_list import record_list
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.orphans import OrphanSearch
from slack_docebo.errors import Halted, LockLost, PlatformMismatch, StorageError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import COVERAGE, READ_SINCE, Facts, PlanKind
from slack_docebo.storage.statements import chunks

EVERYBODYS = (Halted, LockLost, PlatformMismatch)  # errors that are no single person's
TO_BEARERS = frozenset({Kind.UPDATE, Kind.MAP, Kind.DEACTIVATE})  # what would be done to whoever bears the address
NOBODY_PLANNED = 20  # people for whom it may fail one after the other before it succeeds for anybody


async def make_plan(
    runtime: Runtime,
    workspace: Workspace,
    people: SourceSnapshot | AsyncIterable[list[SourceUser]],
    accounts: Accounts,
    *,
    kind: PlanKind,
    listed: SourceSnapshot | None = None,
    heard: SourceSnapshot | None = None,
    trusting: bool = False,
    is_trial: bool = False,
) -> str:
    """Plan for everybody in *people*, page by page, compare the plan with the limits, and return its id.

    The pages may still be coming: the plan is whole, and can be applied, when they have ended. Where Slack's list begins
    again, so does the plan; what was planned so far stays unfinished, so that nobody can apply it.

    *listed* is given if *people* is the whole source. Then somebody who is left alone for the same reason as before
    gets no row and is only counted. Nothing is concluded about people and mapped accounts that no list shows until both
    lists are whole and each side was asked for them. Somebody who loses an account to a better claim is planned for
    again at the end.

    *heard* is given if *people* are some of the people in that list: it tells whether somebody else has the address or
    name that their accounts show.

    *trusting* assumes that the target is as it was last written for people whose attributes have not changed since, and
    concludes nothing about leavers. Without it, orphans are reported as well: as numbers with the plan, one by one in a
    file.

    If the plan *is_trial*, for settings that are not saved, nothing that was seen is stored, for it holds only with
    these settings.

    Raises IncompleteRead if Slack shows somebody whom its list left out, or if the questions would take more calls than
    EVIDENCE_CALLS.
    """
    async for pages in people.listings() if isinstance(people, SourceSnapshot) else _once(people):
        making = _Making(
            runtime, workspace, accounts, kind=kind, listed=listed, heard=heard, trusting=trusting, is_trial=is_trial
        )
        await making.plan_pages(pages)
    await making.ask_for_absent()
    await making.plan_held_back()
    await making.ask_for_bearers()
    await to_completion(making.plan_absent)
    await making.plan_again()
    if listed is not None:
        await making.check_and_record_reads(listed)
    return await making.close()


async def _once(pages: AsyncIterable[list[SourceUser]]) -> AsyncIterator[AsyncIterable[list[SourceUser]]]:
    yield pages


class _Making:
    """A plan in the making: everybody passes through the stages that `make_plan` lists."""

    def __init__(
        self,
        runtime: Runtime,
        workspace: Workspace,
        accounts: Accounts,
        *,
        kind: PlanKind,
        listed: SourceSnapshot | None,
        heard: SourceSnapshot | None,
        trusting: bool,
        is_trial: bool,
    ) -> None:
        self._runtime = runtime
        self._workspace = workspace
        self._kind = kind
        self._listed = listed
        self._heard = heard
        self._trusting = trusting
        self._draft = Draft(runtime, workspace, kind, tells_changes_only=listed is not None, is_trial=is_trial)
        self._planner = Planner(runtime.behaviour.policy(workspace.team), accounts)
        self._absences = Absences()
        self._compares_all = listed is not None and not trusting
        self._orphans = OrphanSearch(accounts, self._planner.claims) if self._compares_all else None
        self._some: list[list[SourceUser]] = []  # the pages that were read, where they are not *listed*
        self._unmatched = runtime.behaviour.unmatched()
        self._unused = runtime.behaviour.unused_tables()
        self._coverage = Coverage()
        self._fields = fields_wanted(runtime.behaviour)
        self._again = set[str]()  # Slack ids of people of whom more became known after they had been planned for
        self._settled = set[tuple[int, str]]()  # suspects of which it is known whether somebody else has the address

    @property
    def _pages(self) -> Iterable[list[SourceUser]]:
        return self._some if self._listed is None else self._listed

    async def plan_pages(self, pages: AsyncIterable[list[SourceUser]]) -> None:
        """Plan for the people on *pages* as they come."""
        planner = self._planner
        if self._compares_all:
            planner.reopened = await to_completion(reopened, self._runtime, planner.policy, planner.accounts)
        async for page in pages:
            if self._listed is None:
                self._some.append(page)
            else:
                self._unmatched.see_people(page)
                if self._unused.looks:
                    self._unused.see(user for user in page if not planner.policy.scope.reason_against(user))
                self._coverage.see(page, planner.policy.scope, self._fields)
            await to_completion(self._plan, page, self._absences)

    async def ask_for_absent(self) -> None:
        """Ask each side for people and accounts that its list does not show, if something would be done about them."""
        runtime, workspace, planner, absences = self._runtime, self._workspace, self._planner, self._absences
        listed = self._listed
        left = await to_completion(leavers_of_newcomers, runtime, workspace.team, self._planned(Kind.CREATE))
        await ask_for_leavers(runtime, planner, left)
        if planner.returns.knows_leavers:
            await to_completion(self._contest_newcomers)
        if listed is None:
            await look_for_returners(runtime, planner, await to_completion(self._shutting))
            absences.to_ask = sorted(planner.returns.holders)
        else:
            look = partial(absences.look_for_missing, trusting=self._trusting)
            await to_completion(look, runtime, workspace, planner, listed)
        await absences.ask(runtime, workspace, planner, listed)
        self._again |= planner.returns.settle(absences.seen) | absences.shown_otherwise.keys()
        planner.returns.of_holder |= absences.shown_otherwise
        if absences.shown_otherwise:
            recall_other_ids(runtime, workspace.team)
            planner.policy = runtime.behaviour.policy(workspace.team)
        if listed is not None:
            self._again |= listed.shown_again
        self._again |= await learn_who_is_forgotten(runtime, workspace, chain.from_iterable(self._pages))

    async def plan_held_back(self) -> None:
        """Plan for the people whose accounts Docebo was asked for."""
        for users in chunks(user for user, _ in self._absences.held_back):
            await to_completion(self._plan, users)

    async def ask_for_bearers(self) -> None:
        """Find out to whom accounts belong that seem to be somebody's, but for another address, which they show.

        Somebody in the list may have it. For the others to whom something would be done Slack is asked, because a list
        may leave somebody out.
        """
        planner, missing = self._planner, self._absences.missing
        if not self._trusting:
            self._absences.note_suspects(planner)
        suspects = [one for one in planner.suspects if _key(one) not in self._settled]
        if not suspects:
            return
        listed = self._heard or self._pages
        others = await to_completion(other_bearers, suspects, chain.from_iterable(listed))
        if listed is not self._some:  # about some people alone, `find_bearers` has asked before
            with self._runtime.store.reading() as tables:
                changed = tables.operations.people_planned(self._draft.plan_id, TO_BEARERS)
            to_change = {*changed, *missing}
            unlisted = [one for one in suspects if one[1] in to_change and _key(one) not in others]
            others |= await ask_for_other_bearers(self._runtime, unlisted)
            self._settled |= set(map(_key, unlisted))
        self._settled |= others.keys()
        for (docebo_id, slack_id), bearer in others.items():
            self._again.add(slack_id)
            if bearer:
                planner.accounts.note_bearer(docebo_id, bearer)
            else:
                planner.accounts.note_unknown_bearer(docebo_id)

    def plan_absent(self) -> None:
        """Plan for the absent people, by the answers about them."""
        runtime, planner, draft, absences = self._runtime, self._planner, self._draft, self._absences
        with runtime.store.transaction() as tables:
            left = list(absences.operations(planner, trusting=self._trusting))
            back, now = absences.back(planner.policy), runtime.now()
            absent = in_grace(tables, planner, left, now=now, read_since=runtime.begun, back=back)
            draft.add(tables, as_decided(tables, draft.team, absent))
            if not draft.is_trial:
                keep_observations(tables, draft.docebo, draft.team, planner.found, now=now)
        if self._orphans:
            self._orphans.look_at_gone(absences.missing.values())

    async def plan_again(self) -> None:
        """Plan again for people of whom more became known after they had been planned for; store whose accounts are.

        These are people who have lost a claim to somebody listed later, people who were given an account by its
        username although somebody else has its address, people who have returned under a new id, and people
        whom the list has shown again. Some of them are known as the holders of their accounts only now, so that only now
        one may seem to have been handed over: then it is found out to whom, and they are planned for once more.
        """
        while await to_completion(self._plan_again):
            await self.ask_for_bearers()
        if not self._draft.is_trial:
            await to_completion(self._keep_found_accounts)

    async def check_and_record_reads(self, listed: SourceSnapshot) -> None:
        """Raise IncompleteRead if the first list of accounts left one out; else record both lists, to check later ones.

        A trial records nothing.
        """
        runtime, accounts = self._runtime, self._planner.accounts
        newcomers = await to_completion(self._newcomers)
        await check_first_list(runtime, self._workspace.team, accounts, newcomers)
        if not self._draft.is_trial:
            await to_completion(self._record_reads, listed)
        listed.to_compare = self._planner.found.to_read_first

    async def close(self) -> str:
        """Compare the plan with the limits, and return its id."""
        runtime, found = self._runtime, self._planner.found
        facts = await to_completion(self._facts)
        looked_after = found.people
        if self._listed is None:  # a limit is a share of everybody, not of some
            with runtime.store.reading() as tables:
                looked_after = count_people(
                    tables, runtime.settings.docebo_url, self._workspace.team, at_least=found.people
                )
        close_plan(runtime, self._draft.plan_id, looked_after=looked_after, facts=facts)
        return self._draft.plan_id

    def _plan(self, users: Sequence[SourceUser], absences: Absences | None = None) -> None:
        """Plan for *users* and store the operations; *absences*, if given, gets people for whom Docebo has to be asked.

        If planning fails, it is done in halves, until the person for whom it fails is alone; that person is left alone,
        with the error as the reason. Raises the error if it would hit everybody.
        """
        runtime, draft, found = self._runtime, self._draft, self._planner.found
        before = draft.state, found.people, found.forgotten
        held_back: list[tuple[SourceUser, Known | None]] | None = None if absences is None else []
        try:
            with runtime.store.transaction() as tables:
                operations = plan_people(
                    tables,
                    draft.docebo,
                    self._planner,
                    users,
                    now=runtime.now(),
                    read_since=runtime.begun,
                    trusting=self._trusting,
                    orphans=None if absences is None else self._orphans,
                    held_back=held_back,
                )
                draft.add(tables, operations)
                if not draft.is_trial:
                    keep_observations(tables, draft.docebo, draft.team, found, now=runtime.now())
                    note_names(tables, draft.team, users, runtime.behaviour.people_shown)
        except EVERYBODYS:
            raise
        except Exception as error:
            draft.state, found.people, found.forgotten = before
            if isinstance(error, StorageError):
                with runtime.store.transaction(durable=False) as tables:  # raises where nothing at all can be stored
                    tables.plans.read(draft.plan_id)
            if len(users) > 1:
                middle = len(users) // 2
                for half in (users[:middle], users[middle:]):
                    self._plan(half, absences)
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

    def _contest_newcomers(self) -> None:
        """Note who would get a new account and has the address with which Slack shows somebody who has left."""
        for creations in self._planned(Kind.CREATE):
            self._planner.returns.contest_newcomers(creations)

    def _shutting(self) -> list[Operation]:
        return list(chain.from_iterable(self._planned(Kind.DEACTIVATE)))

    def _planned(self, kind: Kind) -> Iterator[list[Operation]]:
        """Yield the operations of this *kind* that are planned so far, page by page."""
        after = -1
        while True:
            with self._runtime.store.reading() as tables:
                page = tables.operations.pending(self._draft.plan_id, kind, MOST_ROWS, after=after)
            if not page:
                return
            yield [operation for _, operation in page]
            after = page[-1][0]

    def _plan_again(self) -> bool:
        """Plan again for those of whom more became known since the last time; tell whether there are any."""
        planner, draft = self._planner, self._draft
        # The missing were planned for last, and are on no page.
        settled = draft.not_planned | self._absences.missing.keys()
        again = (planner.claims.outdone | self._again) - settled
        self._again, is_anybody = set(), bool(again)
        looked_after = planner.found.people  # counted when they were planned first
        while again:  # one of them may have a better claim than another
            planner.claims.outdone.clear()
            with self._runtime.store.transaction() as tables:
                draft.withdraw(tables, again)
            for users in chunks(user for user in chain.from_iterable(self._pages) if again.intersection(user.ids)):
                self._plan(users)
            again = planner.claims.outdone - settled - draft.not_planned
        planner.found.people = looked_after
        return is_anybody

    def _keep_found_accounts(self) -> None:
        draft = self._draft
        for some in chunks(self._planner.found.accounts.items()):  # so that nobody waits for long
            with self._runtime.store.transaction() as tables:
                keep_found_accounts(tables, draft.docebo, draft.team, dict(some), now=self._runtime.now())

    def _record_reads(self, listed: SourceSnapshot) -> None:
        """Record both lists, now that everything was asked that could disprove them."""
        runtime = self._runtime
        with runtime.store.transaction() as tables:
            record_list(runtime, tables, self._workspace, listed, hidden=self._absences.hidden)
            record_accounts(runtime, tables, self._planner.accounts)

    def _newcomers(self) -> list[str]:
        """Return the addresses of some people for whom the plan creates an account."""
        with self._runtime.store.reading() as tables:
            created = tables.operations.pending(self._draft.plan_id, Kind.CREATE, MOST_ROWS)
        return [operation.email or operation.username for _, operation in created]

    def _facts(self) -> Facts:
        """Write the files that go with the plan, and return the facts to store with it."""
        runtime, found, draft = self._runtime, self._planner.found, self._draft
        facts: dict[str, object] = {READ_SINCE: runtime.begun.isoformat()}
        if self._listed is not None:
            self._unmatched.see_accounts(self._planner.accounts)
            remarks = self._unmatched.remarks(with_accounts=not self._trusting)
            facts |= {
                "left_as_before": draft.left_as_before,
                "remarks": [*runtime.behaviour.remarks, *remarks, *self._unused.remarks],
            }
            if told := unknown_levels(runtime.docebo.levels.in_doubt):
                facts["unknown_levels"] = told
            if self._fields:
                facts[COVERAGE] = [self._coverage.known, self._coverage.people]
        if self._orphans:
            facts |= tell_orphans(runtime, draft.plan_id, self._orphans)
        if found.shortfalls and self._kind is not PlanKind.REALTIME_SYNC:  # which is about a few, again and again
            facts |= tell_shortfalls(runtime, draft.plan_id, list(chain(*found.shortfalls.values())))
        return facts | {"forgotten": found.forgotten, "hurting": draft.risky}


def _key(suspect: tuple[Account, str]) -> tuple[int, str]:
    """Return by which key `other_bearers` tells who has the address of *suspect*."""
    account, slack_id = suspect
    return account.docebo_id, slack_id
