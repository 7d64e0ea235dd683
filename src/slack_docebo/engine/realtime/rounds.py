"""One round of the real-time sync: claim the waiting events, bring Docebo in line with them, note them as done.

Outcomes are recorded before the events are finished. A run that dies in between leaves the events open; the next run
looks at them again and finds nothing left to do.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.dialect import MOST_ROWS
from slack_docebo.domain.guards import Change
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.planner import Planner
from slack_docebo.engine.reading.connection import Workspace, recall_other_ids
from slack_docebo.engine.reading.organisation import learn_who_is_named
from slack_docebo.engine.reading.profiles import check_fields_left_out, keep_fields_shown
from slack_docebo.engine.reading.user_groups import read_user_groups
from slack_docebo.engine.realtime.case_reader import CaseReader
from slack_docebo.engine.realtime.holding import are_let_through
from slack_docebo.engine.realtime.managers import plan_managers_of
from slack_docebo.engine.realtime.merging import Case, joined, merge
from slack_docebo.engine.realtime.round_plans import plan_cases, store_round_plan, to_be_read, withdraw_unsent
from slack_docebo.engine.realtime.serve_result import Became, ServeResult
from slack_docebo.engine.realtime.settling import Settlement
from slack_docebo.engine.realtime.sorting import Sorter
from slack_docebo.engine.writing.applying import apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.engine.writing.left_behind import settle_for
from slack_docebo.errors import ChangeLimitExceeded, told
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
        self._reader = CaseReader(runtime, workspace, self._planner, self._settlement, is_over=lambda: self._is_over)

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
            read = await self._reader.read_people(to_read)
            await check_fields_left_out(self._runtime.slack)
            todo = [*todo, *read]
            if await learn_who_is_named(self._runtime, self._workspace, [case.person for case in todo]):
                self._planner.policy = self._runtime.behaviour.policy(self._team)
            todo = await self._reader.under_both_ids(todo)
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

    async def _settle_what_was_sent(self, cases: list[Case]) -> None:
        """Find out what became of rows that a run has sent for these people and not recorded; if it cannot, the round goes on."""
        try:
            await settle_for(self._runtime, [case.slack_id for case in cases])
        except Exception as error:
            await self._reader.docebo.check(error)
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
            await self._reader.docebo.check(error)
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
        self._reader.docebo.passed()

    @property
    def _is_over(self) -> bool:
        return time.monotonic() - self._begun >= LONGEST_SECONDS

    async def _serve(self, part: _Part, let_through: frozenset[Change]) -> list[_Part]:
        """Bring the people of *part* in line; return those who are still to be served, in parts.

        Where no plan can be made, these are the halves, until the person it fails for is alone. Those who would exceed a
        limit are held back, unless somebody has *let* them *through* that one. Those of `to_be_read` are read from Slack
        first.
        Where an import has learned meanwhile whom the settings name under another id, all are planned for again.
        """
        cases, accounts = part.cases, part.accounts
        if part.unread:
            cases = await self._reader.read_people(cases)
        if accounts is None:
            with self._served.timed("read Docebo"):
                cases, accounts = await self._reader.read_accounts(cases)
        if not cases:
            return []
        try:
            with self._served.timed("plan"):
                planner, operations = await plan_cases(self._runtime, self._planner.policy, cases, accounts)
                while await self._learns_other_ids():
                    planner, operations = await plan_cases(self._runtime, self._planner.policy, cases, accounts)
                unread: list[Case] = []
                if not part.unread:
                    unread = await to_completion(to_be_read, self._runtime, planner, cases, operations)
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
            await self._reader.docebo.check(error)
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
            await self._reader.docebo.failed(error)
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
