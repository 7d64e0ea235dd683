"""One round of the real-time sync: claim the waiting events, bring Docebo in line with them, note them as done.

Outcomes are recorded before the events are finished. A run that dies in between leaves the events open; the next run
looks at them again and finds nothing left to do.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.dialect import MOST_ROWS
from slack_docebo.domain.guards import Change
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.scope import STATUS_NOT_KNOWN
from slack_docebo.domain.stamps import believed
from slack_docebo.engine.reading.accounts import are_few, ask_for_unlisted, check_first_list, look_up, read_target
from slack_docebo.engine.reading.bearers import find_bearers
from slack_docebo.engine.reading.connection import Workspace, recall_other_ids
from slack_docebo.engine.reading.evidence import ask_for_accounts, observe_person
from slack_docebo.engine.reading.organisation import find_former_ids, learn_who_is_named, strangers
from slack_docebo.engine.reading.outages import OutageWatch, ping_docebo, ping_slack
from slack_docebo.engine.reading.overtaken import ANSWERS_LAG, is_behind
from slack_docebo.engine.reading.profiles import check_fields_left_out, keep_fields_shown
from slack_docebo.engine.reading.user_groups import read_user_groups
from slack_docebo.engine.realtime.holding import are_let_through
from slack_docebo.engine.realtime.managers import plan_managers_of
from slack_docebo.engine.realtime.merging import Case, joined, merge
from slack_docebo.engine.realtime.round_plans import plan_cases, store_round_plan, withdraw_unsent
from slack_docebo.engine.realtime.serve_result import Became, ServeResult
from slack_docebo.engine.realtime.settling import Settlement
from slack_docebo.engine.realtime.sorting import Sorter
from slack_docebo.engine.writing.applying import apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.engine.writing.left_behind import settle_for
from slack_docebo.errors import ChangeLimitExceeded, IncompleteRead, Rejected, TransientError, told
from slack_docebo.runtime import Runtime
from slack_docebo.storage.events import MEMBERS_CHANGED, InboxEntry
from slack_docebo.storage.store import Store

logger = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 10_000
LONGEST_SECONDS = 600.0  # of a round: whoever came meanwhile is claimed by the next
NOTHING: frozenset[Change] = frozenset()
SMALLER = 5  # a batch is so many times smaller after each failed attempt: one person must not keep failing others


async def serve_round(runtime: Runtime, workspace: Workspace, served: ServeResult) -> int:
    """Claim the events that are due, apply them, add what became of them to *served*, and return their number.

    If one person fails, that person's events are tried again later, or parked. An error that would meet everybody is
    raised: the claimed events that are not done then wait as before.
    """
    with served.timed("claim"):
        entries = await to_completion(_claim, runtime)
    if not entries:
        return 0
    served.rounds += 1
    served.take(entries)
    is_done = False
    try:
        names_no_group = all(entry.event.kind != MEMBERS_CHANGED for entry in entries)
        await read_user_groups(runtime, workspace.team, if_older=names_no_group)
        await to_completion(recall_other_ids, runtime, workspace.team)  # an import may have learned some meanwhile
        is_done = await _Round(runtime, workspace, served).work(*merge(entries))
    finally:
        if not is_done:
            await to_completion(release_claims, runtime.store, runtime.run_id)
            served.drop_unfinished()
    return len(entries)


def release_claims(store: Store, run: str) -> int:
    """Let the events that *run* has claimed and not finished wait for another round; return how many there are."""
    with store.transaction() as tables:
        return tables.inbox.release(run=run)


def _claim(runtime: Runtime) -> list[InboxEntry]:
    left = runtime.budget.part_left()
    with runtime.store.transaction() as tables:
        return tables.inbox.claim(runtime.run_id, CLAIMED_AT_ONCE, runtime.now(), left=left)


@dataclass(frozen=True)
class _Part:
    """People of one group who are brought in line together."""

    cases: list[Case]
    accounts: Accounts | None = None  # that may be theirs; None: to be read
    unread: bool = False  # Slack is to be asked for them first


class _Round:
    """Serves the people of one round: `work` lists the stages through which they pass."""

    def __init__(self, runtime: Runtime, workspace: Workspace, served: ServeResult) -> None:
        self._runtime = runtime
        self._team = workspace.team
        self._workspace = workspace
        self._served = served
        self._planner = Planner(runtime.behaviour.policy(workspace.team), Accounts())
        self._settlement = Settlement(runtime, workspace.team, served)
        self._sorter = Sorter(runtime, workspace.team, self._planner, self._settlement)
        self._begun = time.monotonic()
        self._slack = OutageWatch(partial(ping_slack, runtime.slack))
        self._docebo = OutageWatch(partial(ping_docebo, runtime.docebo))

    async def work(self, cases: list[Case], superseded: list[str]) -> bool:
        """Serve everybody; return False if the round was over before that, so that some are left for another one."""
        await self._settle_what_was_sent(cases)
        with self._served.timed("look at"):
            cases = await to_completion(self._sorter.without_forgotten, joined(cases))
            todo, to_read = await to_completion(self._sorter.sort_out, cases, superseded)
        if todo or to_read:
            await self._read_and_compare(todo, to_read)
        with self._served.timed("managers"):
            await self._write_managers([case for case in self._settlement.done if self._tells_of_now(case)])
        return not self._is_over

    async def _read_and_compare(self, todo: list[Case], to_read: list[Case]) -> None:
        """Ask Slack for those *to_read*, and bring everybody in line, group by group, until the round is over."""
        with self._served.timed("read Slack"):
            read = await self._each(to_read, self._read_again, self._slack)
            await check_fields_left_out(self._runtime.slack)
            todo = [*todo, *read]
            if await learn_who_is_named(self._runtime, self._workspace, [case.person for case in todo]):
                self._planner.policy = self._runtime.behaviour.policy(self._team)
            todo = await self._under_both_ids(todo)
            todo = await to_completion(self._sorter.not_in_line, joined(todo))
            await to_completion(keep_fields_shown, self._runtime, self._team, [case.person for case in todo])
        with self._runtime.store.reading() as tables:
            through = are_let_through(tables, {case.incident for case in todo if case.incident})
        for group in _groups(todo, through, last_attempt=len(self._runtime.behaviour.realtime_retry_delays)):
            parts = [_Part(group)]
            while parts:
                parts[:0] = await self._serve(parts.pop(0), through.get(group[0].incident, NOTHING))
            if self._is_over:
                break

    async def _under_both_ids(self, cases: list[Case]) -> list[Case]:
        """Return *cases*, in which whoever was known by another id, before the company joined an organisation, has both.

        Such a person would get a second account before an import has read everybody. Where Slack does not answer, or
        EVIDENCE_CALLS does not allow to ask, whoever may be one is tried again later.
        """
        new = await strangers(self._runtime, self._workspace, [case.person for case in cases])
        try:
            found = await find_former_ids(self._runtime, self._workspace, new)
        except (TransientError, IncompleteRead) as error:
            await self._slack.check(error)
            doubtful = [case for case in cases if case.known is None and case.person.slack_id in new]
            await to_completion(self._settlement.fail, doubtful, told(error))
            return [case for case in cases if case.known is not None or case.person.slack_id not in new]
        return [
            self._as_known(replace(case, user=user)) if (user := found.get(case.person.slack_id)) else case
            for case in cases
        ]

    def _as_known(self, case: Case) -> Case:
        """Return *case* with the account that the person has, or had, under any of the ids that Slack shows."""
        with self._runtime.store.reading() as tables:
            known = tables.mappings(self._runtime.settings.docebo_url).known_of_people(self._team, [case.person])
        return replace(case, slack_id=case.person.slack_id, known=known.get(case.person.slack_id))

    async def _settle_what_was_sent(self, cases: list[Case]) -> None:
        """Find out what became of rows that a run has sent for these people and not recorded; if it cannot, the round goes on."""
        try:
            await settle_for(self._runtime, [case.slack_id for case in cases])
        except Exception as error:
            await self._docebo.check(error)
            logger.warning("What was sent before stays in doubt: %s", told(error))

    def _tells_of_now(self, case: Case) -> bool:
        """Tell whether *case* is new enough to write managers by it: a custom field may change without an event."""
        oldest = self._runtime.now() - timedelta(minutes=self._runtime.behaviour.evidence_minutes)
        return case.user is not None and (case.read or case.newest.event.received_at >= oldest)

    async def _write_managers(self, cases: list[Case]) -> None:
        """Write the managers that these events change; if that fails, the next import writes them."""
        tried, plan_id = self._served.managers_tried, None
        try:
            people = [case.person for case in cases]
            plan_id = await plan_managers_of(self._runtime, self._workspace, people, tried)
            if plan_id is None:
                return
            self._served.plans.append(plan_id)
            await self._apply(plan_id)
        except Exception as error:
            await self._docebo.check(error)
            logger.warning("Managers wait for the next import: %s", told(error))
        finally:
            if plan_id:
                finish(self._runtime, plan_id)
        if plan_id:
            await to_completion(self._settlement.note_managers, plan_id, cases)

    async def _learns_other_ids(self) -> bool:
        """Go by what an import has learned meanwhile: other ids of people whom the scope names; return False if it is nothing."""
        before = self._planner.policy.scope
        await to_completion(recall_other_ids, self._runtime, self._team)
        self._planner.policy = self._runtime.behaviour.policy(self._team)
        return self._planner.policy.scope != before

    async def _apply(self, plan_id: str) -> None:
        begin(self._runtime, plan_id)
        await apply_accounts(self._runtime, plan_id, _no_progress)
        await apply_mappings(self._runtime, plan_id)
        self._docebo.passed()

    @property
    def _is_over(self) -> bool:
        return time.monotonic() - self._begun >= LONGEST_SECONDS

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
            if self._is_over:
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

    async def _read_accounts(self, cases: list[Case]) -> tuple[list[Case], Accounts]:
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
                await self._docebo.check(error)
                await to_completion(self._settlement.fail, unclear[MOST_ROWS:], told(error))
                unclear, one_by_one = unclear[:MOST_ROWS], True

        async def read(case: Case) -> Case:
            if one_by_one:
                await look_up(self._runtime, [(case.person, case.known)], accounts)
            else:
                await find_bearers(self._runtime, [(case.person, case.known)], accounts)
            self._check_shown(case, accounts)
            return case

        return [*clear, *await self._each(unclear, read, self._docebo)], accounts

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

    async def _serve(self, part: _Part, let_through: frozenset[Change]) -> list[_Part]:
        """Bring the people of *part* in line; return those who are still to be served, in parts.

        Where no plan can be made, these are the halves, until the person it fails for is alone. Those who would exceed a
        limit are held back, unless somebody has *let* them *through* that one. Who turns out to be known under another
        id is read from Slack first: something newer than the event may have been applied under that one.
        Where an import has learned meanwhile whom the settings name under another id, all are planned for again.
        """
        cases, accounts = part.cases, part.accounts
        if part.unread:
            cases = await self._each(cases, self._read_again, self._slack)
        if accounts is None:
            with self._served.timed("read Docebo"):
                cases, accounts = await self._read_accounts(cases)
        if not cases:
            return []
        try:
            with self._served.timed("plan"):
                planner, operations = await plan_cases(self._runtime, self._planner.policy, cases, accounts)
                while await self._learns_other_ids():
                    planner, operations = await plan_cases(self._runtime, self._planner.policy, cases, accounts)
                unread = [case for case in cases if case.slack_id in planner.returns.newly_identified and not case.read]
                plan_id, held = None, {case.slack_id for case in unread}
                if not held:
                    store = partial(
                        store_round_plan,
                        planner=planner,
                        operations=operations,
                        served=self._served,
                        let_through=let_through,
                    )
                    plan_id, held = await to_completion(store, self._runtime, self._workspace, cases)
        except Exception as error:
            await self._docebo.check(error)
            if len(cases) == 1:
                await to_completion(self._settlement.fail, cases, told(error))
                return []
            middle = len(cases) // 2
            return [_Part(cases[:middle], accounts), _Part(cases[middle:], accounts)]
        if held:
            others = [case for case in cases if case.slack_id not in held]
            return [part for part in (_Part(others, accounts), _Part(unread, unread=True)) if part.cases]
        if plan_id is None:
            await to_completion(partial(self._settlement.finish, cases, became=Became.LEFT))
            return []
        unsent = await self._write(plan_id, cases)
        return [_Part(unsent)] if unsent else []

    async def _write(self, plan_id: str, cases: list[Case]) -> list[Case]:
        """Apply the plan for *cases*, and settle them; return those to be planned anew: another run has used a limit up."""
        reason, unsent = "the run ended before this was done", set[str]()
        try:
            with self._served.timed("write"):
                await self._apply(plan_id)
        except ChangeLimitExceeded as error:
            reason, unsent = told(error), await to_completion(withdraw_unsent, self._runtime.store, plan_id)
        except Exception as error:
            await self._docebo.failed(error)
            reason = told(error)
        finally:
            with self._served.timed("record"):
                finish(self._runtime, plan_id)
        with self._served.timed("record"):
            await to_completion(self._settlement.settle, plan_id, cases, reason)
        return [case for case in cases if case.slack_id in unsent]


def _groups(
    cases: Iterable[Case], through: Mapping[str, frozenset[Change]], *, last_attempt: int
) -> Iterator[list[Case]]:
    """Yield *cases* in groups, each for one plan: first attempts all together, further ones in ever smaller groups.

    Each person's last attempt is made alone. People whose incident somebody has let *through* are in groups of their own.
    """
    alike: dict[tuple[int, frozenset[Change]], list[Case]] = {}
    for case in cases:
        alike.setdefault((case.attempts, through.get(case.incident, NOTHING)), []).append(case)
    for (attempts, _), group in sorted(alike.items(), key=lambda one: one[0][0]):
        if not attempts:
            size = len(group)
        elif attempts < last_attempt:
            size = max(1, MOST_ROWS // SMALLER**attempts)
        else:
            size = 1
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _no_progress(_rows: int) -> None:
    """Show no progress: a round is short."""
