"""Reading for the cases of a round: Slack is asked for people, and Docebo for the accounts that may be theirs."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.dialect import MOST_ROWS
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.scope import STATUS_NOT_KNOWN
from slack_docebo.domain.stamps import believed
from slack_docebo.engine.reading.accounts import are_few, ask_for_unlisted, check_first_list, look_up, read_target
from slack_docebo.engine.reading.bearers import find_bearers
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_accounts, observe_person
from slack_docebo.engine.reading.organisation import find_former_ids, strangers
from slack_docebo.engine.reading.outages import OutageWatch, ping_docebo, ping_slack
from slack_docebo.engine.reading.overtaken import ANSWERS_LAG, is_behind
from slack_docebo.engine.realtime.merging import Case
from slack_docebo.engine.realtime.settling import Settlement
from slack_docebo.errors import IncompleteRead, Rejected, TransientError, told
from slack_docebo.runtime import Runtime


class CaseReader:
    """Asks Slack and Docebo about the cases of one round; `slack` and `docebo` watch whether a side is down.

    Events of people for whom a question fails are tried again later. An error that would meet everybody is raised: an
    outage, or that our grant is refused. Nothing more is asked once the round *is_over*.
    """

    def __init__(
        self,
        runtime: Runtime,
        workspace: Workspace,
        planner: Planner,
        settlement: Settlement,
        *,
        is_over: Callable[[], bool],
    ) -> None:
        self._runtime = runtime
        self._workspace = workspace
        self._team = workspace.team
        self._planner = planner
        self._settlement = settlement
        self._is_over = is_over
        self.slack = OutageWatch(partial(ping_slack, runtime.slack))
        self.docebo = OutageWatch(partial(ping_docebo, runtime.docebo))

    async def read_people(self, cases: Iterable[Case]) -> list[Case]:
        """Return the *cases* for which Slack could be asked, each with the profile that Slack has now."""
        return await self._each(cases, self._read_again, self.slack)

    async def under_both_ids(self, cases: list[Case]) -> list[Case]:
        """Return *cases*, in which whoever was known by another id, before the company joined an organisation, has both.

        Such a person would get a second account before an import has read everybody. Where Slack does not answer, or
        EVIDENCE_CALLS does not allow to ask, whoever may be one is tried again later.
        """
        new = await strangers(self._runtime, self._workspace, [case.person for case in cases])
        try:
            found = await find_former_ids(self._runtime, self._workspace, new)
        except (TransientError, IncompleteRead) as error:
            await self.slack.check(error)
            doubtful = [case for case in cases if case.known is None and case.person.slack_id in new]
            await to_completion(self._settlement.fail, doubtful, told(error))
            return [case for case in cases if case.known is not None or case.person.slack_id not in new]
        return [
            self._as_known(replace(case, user=user)) if (user := found.get(case.person.slack_id)) else case
            for case in cases
        ]

    async def read_accounts(self, cases: list[Case]) -> tuple[list[Case], Accounts]:
        """Return the *cases* for which Docebo could be read, and the accounts that may be theirs.

        If its list cannot be read as a whole, people are looked up one by one, as many as a call may write.
        """
        clear: list[Case] = []
        unclear: list[Case] = []
        for case in cases:
            if self._planner.plan_trusting(*case.pair) is None:
                unclear.append(case)
            else:
                clear.append(case)
        accounts, one_by_one = Accounts(), are_few(self._runtime, len(unclear))
        if not one_by_one:
            try:
                accounts = await self._read_all(unclear)
            except Exception as error:
                await self.docebo.check(error)
                await to_completion(self._settlement.fail, unclear[MOST_ROWS:], told(error))
                unclear, one_by_one = unclear[:MOST_ROWS], True

        async def read(case: Case) -> Case:
            if one_by_one:
                await look_up(self._runtime, [(case.person, case.known)], accounts)
            else:
                await find_bearers(self._runtime, [(case.person, case.known)], accounts)
            self._check_shown(case, accounts)
            return case

        return [*clear, *await self._each(unclear, read, self.docebo)], accounts

    async def _each(
        self, cases: Iterable[Case], step: Callable[[Case], Awaitable[Case]], side: OutageWatch
    ) -> list[Case]:
        """Take *step* for each of *cases* and return the results; events of people for whom it fails are tried again later.

        Cases that are not reached before the round is over are left out. Raises an error that would meet everybody: an
        outage of *side*, or that our grant is refused.
        """
        passed = []
        for case in cases:
            try:
                result = await step(case)
            except Exception as error:  # whatever it is, it must not keep others waiting
                await side.failed(error)
                await to_completion(self._settlement.fail, [case], told(error))
            else:
                side.passed()
                passed.append(result)
            if self._is_over():
                break
        return passed

    async def _read_again(self, case: Case) -> Case:
        """Return *case* with the profile that Slack has now."""
        provisions = self._runtime.behaviour.provision_slack_user_data
        seen = await observe_person(self._runtime, case.slack_id, with_values=provisions)
        if not isinstance(seen, Present):
            raise Rejected("users.info", f"Slack does not show {case.slack_id} any more")
        user = seen.value
        if self._planner.policy.scope.reason_against_kind(user) == STATUS_NOT_KNOWN:
            raise IncompleteRead(f"{STATUS_NOT_KNOWN}: {case.slack_id}")
        if case.user and case.user.email and not (user.email or user.hidden):
            raise IncompleteRead(f"Slack, asked for {case.slack_id}, does not show the address that the event shows")
        if self._is_overtaken(user, case):
            raise IncompleteRead(f"Slack, asked for {case.slack_id}, still shows what was before the event")
        case = replace(
            case, user=user, updated=max(case.updated, believed(user.updated, self._runtime.now())), read=True
        )
        if case.slack_id == user.slack_id and not user.local_id:
            return case
        return self._as_known(case)  # the event may have borne an older, local id

    def _is_overtaken(self, user: SourceUser, case: Case) -> bool:
        """Tell whether *user*, Slack's answer, is older than the newest event of *case*, which came lately.

        The stamp of an event from another workspace says nothing of that: each workspace has its own stamps.
        """
        now, told = self._runtime.now(), case.user
        is_ours = told is None or told.may_be_member_of(self._team)
        return is_ours and case.newest.event.received_at > now - ANSWERS_LAG and is_behind(user, case.updated, now)

    def _as_known(self, case: Case) -> Case:
        """Return *case* with the account that the person has, or had, under any of the ids that Slack shows."""
        with self._runtime.store.reading() as tables:
            known = tables.mappings(self._runtime.settings.docebo_url).known_of_people(self._team, [case.person])
        return replace(case, slack_id=case.person.slack_id, known=known.get(case.person.slack_id))

    async def _read_all(self, cases: list[Case]) -> Accounts:
        """Return all accounts, and what Docebo says of those of *cases* that its list does not show."""
        accounts = await read_target(self._runtime)
        planner = Planner(self._planner.policy, accounts)
        pairs = [(case.person, case.known) for case in cases]
        unlisted = {one.docebo_id: [user.email] for user, one in pairs if one and planner.asks_for_account(user, one)}
        await ask_for_accounts(self._runtime, accounts, unlisted)
        newcomers = [user.email for user, one in pairs if planner.awaits_unlisted(user, planner.match(user, one))]
        await ask_for_unlisted(self._runtime, accounts, newcomers)
        without = [user.email for user, one in pairs if planner.match(user, one).account is None]
        await check_first_list(self._runtime, self._team, accounts, without)
        return accounts

    def _check_shown(self, case: Case, accounts: Accounts) -> None:
        """Raise IncompleteRead if the person's account may exist although Docebo does not show it."""
        known = case.known
        if known and Planner(self._planner.policy, accounts).lacks_account(case.person, known):
            raise IncompleteRead(f"account {known.docebo_id} may be there, but Docebo does not list it")
