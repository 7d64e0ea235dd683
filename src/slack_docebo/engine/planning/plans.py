"""Making a plan: the rules are applied to everybody who was read, and stored before anything is written to Docebo."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from functools import partial
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.engine.planning.absences import Absences
from slack_docebo.engine.planning.attachments import tell_orphans, tell_shortfalls
from slack_docebo.engine.planning.drafter import Drafter
from slack_docebo.engine.planning.drafts import Draft, close_plan
from slack_docebo.engine.planning.limits import count_people
from slack_docebo.engine.planning.reopening import reopened
from slack_docebo.engine.planning.returners import look_for_leavers, look_for_returners
from slack_docebo.engine.planning.survey import Survey
from slack_docebo.engine.planning.suspects import Suspects
from slack_docebo.engine.reading.accounts import check_first_list, record_accounts
from slack_docebo.engine.reading.connection import Workspace, recall_other_ids
from slack_docebo.engine.reading.organisation import learn_who_is_forgotten
from slack_docebo.engine.reading.slack_list import record_list
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.orphans import OrphanSearch
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import READ_SINCE, Facts, PlanKind
from slack_docebo.storage.statements import chunks

TO_BEARERS = frozenset({Kind.UPDATE, Kind.MAP, Kind.DEACTIVATE})  # what would be done to whoever bears the address


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
    await making.plan_absent()
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
        self._survey = Survey(runtime)
        self._suspects = Suspects(runtime, self._planner)
        self._drafter = Drafter(runtime, self._draft, self._planner, trusting=trusting, orphans=self._orphans)
        self._again = set[str]()  # Slack ids of people of whom more became known after they had been planned for

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
                self._survey.see(page, planner.policy.scope)
            await to_completion(self._drafter.plan, page, self._absences)

    async def ask_for_absent(self) -> None:
        """Ask each side for people and accounts that its list does not show, if something would be done about them."""
        runtime, workspace, planner, absences = self._runtime, self._workspace, self._planner, self._absences
        listed = self._listed
        await look_for_leavers(runtime, planner, self._draft.operations(Kind.CREATE))
        if listed is None:
            deactivations = chain.from_iterable(self._draft.operations(Kind.DEACTIVATE))
            shutting: list[Operation] = await to_completion(list, deactivations)
            await look_for_returners(runtime, planner, shutting)
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
            await to_completion(self._drafter.plan, users)

    async def ask_for_bearers(self) -> None:
        """Find out to whom accounts belong that seem to be somebody's, but for another address, which they show.

        Somebody in the list may have it. For the others to whom something would be done Slack is asked, because a list
        may leave somebody out.
        """
        if not self._trusting:
            self._absences.note_suspects(self._planner)
        if not self._suspects.unsettled:
            return
        pages, to_ask = self._heard or self._pages, set[str]()
        if pages is not self._some:  # about some people alone, `find_bearers` has asked before
            with self._runtime.store.reading() as tables:
                changed = tables.operations.people_planned(self._draft.plan_id, TO_BEARERS)
            to_ask = {*changed, *self._absences.missing}
        self._again |= await self._suspects.settle(pages, to_ask=to_ask)

    async def plan_absent(self) -> None:
        """Plan for the absent people, by the answers about them."""
        await to_completion(self._drafter.plan_absent, self._absences)

    async def plan_again(self) -> None:
        """Plan again for people of whom more became known after they had been planned for; store whose accounts are.

        These are people who have lost a claim to somebody listed later, people who were given an account by its
        username although somebody else has its address, people who have returned under a new id, and people
        whom the list has shown again. Some of them are known as the holders of their accounts only now, so that only now
        one may seem to have been handed over: then it is found out to whom, and they are planned for once more.
        """
        while await to_completion(self._plan_again):
            await self.ask_for_bearers()
        await to_completion(self._drafter.keep_found_accounts)

    async def check_and_record_reads(self, listed: SourceSnapshot) -> None:
        """Raise IncompleteRead if the first list of accounts left one out; else record both lists, to check later ones.

        A trial records nothing.
        """
        runtime, accounts = self._runtime, self._planner.accounts
        created = await to_completion(next, iter(self._draft.operations(Kind.CREATE)), [])  # some of them
        addresses = [operation.email or operation.username for operation in created]
        await check_first_list(runtime, self._workspace.team, accounts, addresses)
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

    def _plan_again(self) -> bool:
        """Plan again for those of whom more became known since the last time; tell whether there are any."""
        # The missing were planned for last, and are on no page.
        settled = self._draft.not_planned | self._absences.missing.keys()
        again, self._again = (self._planner.claims.outdone | self._again) - settled, set()
        self._drafter.plan_again(again, self._pages, settled=settled)
        return bool(again)

    def _record_reads(self, listed: SourceSnapshot) -> None:
        """Record both lists, now that everything was asked that could disprove them."""
        runtime = self._runtime
        with runtime.store.transaction() as tables:
            record_list(runtime, tables, self._workspace, listed, hidden=self._absences.hidden)
            record_accounts(runtime, tables, self._planner.accounts)

    def _facts(self) -> Facts:
        """Write the files that go with the plan, and return the facts to store with it."""
        runtime, found, draft = self._runtime, self._planner.found, self._draft
        facts: dict[str, object] = {READ_SINCE: runtime.begun.isoformat()}
        if self._listed is not None:
            survey = self._survey.facts(self._planner.accounts, with_accounts=not self._trusting)
            facts |= {"left_as_before": draft.left_as_before, **survey}
        if self._orphans:
            facts |= tell_orphans(runtime, draft.plan_id, self._orphans)
        if found.shortfalls and self._kind is not PlanKind.REALTIME_SYNC:  # which is about a few, again and again
            facts |= tell_shortfalls(runtime, draft.plan_id, list(chain(*found.shortfalls.values())))
        return facts | {"forgotten": found.forgotten, "hurting": draft.risky}
