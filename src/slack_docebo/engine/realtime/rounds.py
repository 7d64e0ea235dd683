"""One round of the real-time sync: claim the waiting events, bring Docebo in line with them, note them as done.

Outcomes are recorded before the events are finished. A run that dies in between leaves the events open; the next run
looks at them again and finds nothing left to do.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.attributes import AttributeRule
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import Mapping, SourceUser
from slack_docebo.domain.planning import Kind, Outcome, Planner
from slack_docebo.engine.planning.plans import close_plan, keep_observations, open_plan, plan_people
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_accounts, observe_person
from slack_docebo.engine.reading.sides import are_few, find_bearers, look_up, read_target
from slack_docebo.engine.realtime.merging import Case, is_complete, merge, restored
from slack_docebo.engine.reporting.report import DONE
from slack_docebo.engine.writing.applying import BATCH, apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import (
    AccessDenied,
    ChangeLimitExceeded,
    IncompleteRead,
    OutcomeUnknown,
    Rejected,
    RemoteError,
    TooManyRejected,
    TransientError,
)
from slack_docebo.runtime import Runtime
from slack_docebo.storage.applied import AppliedRepository
from slack_docebo.storage.exclusions import ExclusionRepository
from slack_docebo.storage.inbox import Entry, EventState, InboxRepository
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.plans import PlanKind, PlanRepository
from slack_docebo.storage.reads import ReadRepository
from slack_docebo.storage.shares import ShareRepository

CLAIMED_AT_ONCE = 10_000
PLANS_SHOWN = 50
OUTAGE = 3  # people in a row who could not be read: then the other side is down, and the round ends
SMALLER = 5  # a batch is so many times smaller after each failed attempt: one person must not keep failing others


@dataclass(slots=True)
class Served:
    """The result of a run on the inbox: what became of its events, in numbers."""

    events: int = 0
    superseded: int = 0
    in_line: int = 0  # nothing that is mapped has changed
    retried: int = 0
    parked: int = 0
    rounds: int = 0
    elsewhere: str = ""  # who is at work instead, and sees to it
    operations: Counter[Kind] = field(default_factory=Counter)  # people, by what was applied
    plans: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # by stage

    @property
    def line(self) -> str:
        """One line without a name in it, for states, logs and notifications."""
        if self.elsewhere:
            return f"another run is at work and will see to the waiting events: {self.elsewhere}"
        if not self.events:
            return "no event was waiting"
        parts = [f"{people} {DONE[kind]}" for kind, people in sorted(self.operations.items())]
        rest = {"in line": self.in_line, "superseded": self.superseded, "to be retried": self.retried}
        rest["parked"] = self.parked
        parts += [f"{number} {what}" for what, number in rest.items() if number]
        return f"{self.events} events: {', '.join(parts)}"

    def markdown(self) -> str:
        """Return the summary as a page: counts, stages, plans."""
        lines = [f"# {self.line}", "", f"{self.rounds} rounds.", "", "| stage | seconds |", "|---|--:|"]
        lines += [f"| {stage} | {seconds:.2f} |" for stage, seconds in self.seconds.items()]
        if self.plans:
            lines += ["", f"Plans, the last {PLANS_SHOWN} at the most: {', '.join(self.plans[-PLANS_SHOWN:])}"]
        return "\n".join(lines)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of the block under *stage*."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begun


async def serve_round(runtime: Runtime, workspace: Workspace, served: Served) -> int:
    """Claim the events that are due, apply them, add what became of them to *served*, and return their number.

    Where one person fails, that person's events are tried again later, or parked. An error is raised where nobody
    could be served: claimed events that are not done then wait as before.
    """
    with served.timed("claim"):
        entries = await to_completion(_claim, runtime)
    if not entries:
        return 0
    served.rounds += 1
    served.events += len(entries)
    try:
        await _Round(runtime, workspace, served).work(*merge(entries))
    except BaseException:
        await to_completion(release_claims, runtime)
        raise
    return len(entries)


def release_claims(runtime: Runtime) -> None:
    """Let the events that this run claimed and did not finish wait for another run."""
    with runtime.store.transaction() as connection:
        InboxRepository(connection).release(run=runtime.run_id)


def _claim(runtime: Runtime) -> list[Entry]:
    left = runtime.budget.part_left()
    with runtime.store.transaction() as connection:
        return InboxRepository(connection).claim(runtime.run_id, CLAIMED_AT_ONCE, runtime.now(), left=left)


class _Round:
    """The state of one round: its people pass through the stages that `work` lists."""

    def __init__(self, runtime: Runtime, workspace: Workspace, served: Served) -> None:
        self._runtime = runtime
        self._team = workspace.team
        self._workspace = workspace
        self._served = served
        self._planner = Planner(runtime.behaviour.policy(workspace.team), Accounts())
        self._mappings: dict[str, Mapping] = {}
        self._seen: dict[str, MappingType[str, Any]] = {}

    async def work(self, cases: list[Case], superseded: list[str]) -> None:
        with self._served.timed("look at"):
            cases = await to_completion(self._without_forgotten, cases)
            todo, to_read = await to_completion(self._sort_out, cases, superseded)
        with self._served.timed("read Slack"):
            todo += await self._read_again(to_read)
        for group in _groups(todo):
            with self._served.timed("read Docebo"):
                readable, accounts = await self._read_accounts(group)
            if readable:
                await self._bring_in_line(readable, accounts)

    def _without_forgotten(self, cases: list[Case]) -> list[Case]:
        """Delete the events of those who were forgotten, and return the other *cases*."""
        with self._runtime.store.reading() as connection:
            excluded = ExclusionRepository(connection).all()
        names = [(case, {case.slack_id, case.user.email if case.user else ""}) for case in cases]
        if forgotten := [event_id for case, of in names if excluded.cover_any(of) for event_id in case.event_ids]:
            with self._runtime.store.transaction() as connection:
                InboxRepository(connection).delete(forgotten)
        return [case for case, of in names if not excluded.cover_any(of)]

    def _sort_out(self, cases: list[Case], superseded: list[str]) -> tuple[list[Case], list[Case]]:
        """Finish what needs no call; return the cases to compare with Docebo, and those to read from Slack before."""
        ids = [case.slack_id for case in cases]
        with self._runtime.store.reading() as connection:
            applied = AppliedRepository(connection, self._runtime.settings.docebo_url).stamps(self._team, ids)
            self._mappings = MappingRepository(connection, self._runtime.settings.docebo_url).of(self._team, ids)
            last_read = ReadRepository(connection).last(f"slack:{self._team}")
            self._seen = InboxRepository(connection).last_applied(filter(self._lacks_fingerprint, ids))
        in_line: list[Case] = []
        todo: list[Case] = []
        to_read: list[Case] = []
        for case in cases:
            done = applied.get(case.slack_id, 0)
            if 0 < case.updated < done:
                superseded += case.event_ids
            elif case.doubtful or case.user is None or not is_complete(case.user, self._rules):
                to_read.append(case)
            elif self._is_in_line(case):
                in_line.append(case)
            elif case.updated == done or (last_read and case.newest.event.received_at <= last_read.proven_at):
                # Its stamp is the applied one, or it came before the last import read Slack: only Slack knows more.
                to_read.append(case)
            else:
                todo.append(case)
        self._finish(in_line, superseded)
        if costly := [case.slack_id for case in (*todo, *to_read)]:
            with self._runtime.store.transaction(durable=False) as connection:
                ShareRepository(connection).spend(costly, self._runtime.now())
        return todo, to_read

    async def _read_again(self, cases: list[Case]) -> list[Case]:
        """Give *cases* the profile that Slack has now, and return those that are to be compared with Docebo."""
        in_line: list[Case] = []
        todo: list[Case] = []
        unreadable = 0
        for case in cases:
            try:
                seen = await observe_person(self._runtime, case.slack_id)
                if not isinstance(seen, Present):
                    raise Rejected("users.info", f"Slack does not show {case.slack_id} any more")
                user = seen.value
            except AccessDenied:
                raise
            except RemoteError as error:
                unreadable = unreadable + 1 if isinstance(error, TransientError) else 0
                if unreadable == OUTAGE:
                    raise
                await to_completion(self._fail, [case], str(error))
                continue
            unreadable = 0
            case.user, case.updated = user, max(case.updated, user.updated)
            if case.slack_id != user.slack_id:  # the event bore an older, local id
                case.slack_id = user.slack_id
                with self._runtime.store.reading() as connection:
                    repository = MappingRepository(connection, self._runtime.settings.docebo_url)
                    self._mappings |= repository.of(self._team, [user.slack_id])
            if await to_completion(self._without_forgotten, [case]):
                (in_line if self._is_in_line(case) else todo).append(case)
        await to_completion(self._finish, in_line, [])
        return todo

    async def _read_accounts(self, cases: list[Case]) -> tuple[list[Case], Accounts]:
        """Return the *cases* for which Docebo could be read, and the accounts that may be theirs."""
        unclear = [case for case in cases if self._planner.plan_trusting(*self._pair(case)) is None]
        few = are_few(self._runtime, len(unclear))
        accounts = Accounts() if few else await self._read_all(unclear)
        failed, unreadable = set[str](), 0
        for case in unclear:
            try:
                await (look_up if few else find_bearers)(self._runtime, [self._pair(case)], accounts)
                unreadable = 0
            except AccessDenied:
                raise
            except (RemoteError, IncompleteRead) as error:
                unreadable = unreadable + 1 if isinstance(error, TransientError) else 0
                if unreadable == OUTAGE:
                    raise
                failed.add(case.slack_id)
                await to_completion(self._fail, [case], str(error))
        return await self._shown([case for case in cases if case.slack_id not in failed], accounts), accounts

    async def _read_all(self, cases: list[Case]) -> Accounts:
        """Return all accounts, and what Docebo says of those of *cases* that its list does not show."""
        accounts = await read_target(self._runtime)
        planner = Planner(self._planner.policy, accounts)
        pairs = map(self._pair, cases)
        unlisted = {m.docebo_id: [user.email] for user, m in pairs if m and planner.asks_for_account(user, m)}
        await ask_for_accounts(self._runtime, accounts, unlisted)
        return accounts

    async def _shown(self, cases: list[Case], accounts: Accounts) -> list[Case]:
        """Let those of *cases* wait whose mapped account may be there and is not shown; return the others."""
        planner = Planner(self._planner.policy, accounts)
        shown = []
        for case in cases:
            user, mapping = self._pair(case)
            lacks = mapping is not None and planner.lacks_account(user, mapping)
            if mapping and lacks and planner.plan_trusting(user, mapping) is None:
                error = f"account {mapping.docebo_id} may be there, but Docebo does not list it"
                await to_completion(self._fail, [case], error)
            else:
                shown.append(case)
        return shown

    async def _bring_in_line(self, cases: list[Case], accounts: Accounts) -> None:
        with self._served.timed("plan"):
            plan_id = await to_completion(self._plan, cases, accounts)
        if plan_id is None:
            await to_completion(self._finish, cases, [])
            return
        error = "the run ended before this was done"
        try:
            with self._served.timed("write"):
                begin(self._runtime, plan_id)
                await apply_accounts(self._runtime, plan_id, _no_progress)
                await apply_mappings(self._runtime, plan_id)
        except ChangeLimitExceeded as refusal:
            await to_completion(self._park, cases, str(refusal))
            return
        except AccessDenied:
            raise
        except (Rejected, TransientError, OutcomeUnknown, TooManyRejected) as fault:
            error = str(fault)
        finally:
            with self._served.timed("record"):
                finish(self._runtime, plan_id)
        with self._served.timed("record"):
            await to_completion(self._settle, plan_id, cases, error)

    def _plan(self, cases: list[Case], accounts: Accounts) -> str | None:
        """Store a plan for *cases* and return its id; where there is nothing to do, store none and return None."""
        planner = Planner(self._planner.policy, accounts)
        users = [user for user, _ in map(self._pair, cases)]
        with self._runtime.store.reading() as connection:
            operations = plan_people(connection, self._runtime.settings.docebo_url, self._team, planner, users)
            mapped = MappingRepository(connection, self._runtime.settings.docebo_url).count(self._team)
        if all(operation.kind is Kind.LEAVE for operation in operations):
            return None
        plan_id = open_plan(self._runtime, self._workspace, PlanKind.REALTIME_SYNC)
        with self._runtime.store.transaction() as connection:
            kept = InboxRepository(connection).keep(_ids(cases))
            forgotten = {case.slack_id for case in cases if kept.isdisjoint(case.event_ids)}
            remembered = [operation for operation in operations if operation.slack_id not in forgotten]
            PlanRepository(connection).add(plan_id, 0, remembered)
            docebo = self._runtime.settings.docebo_url
            keep_observations(connection, docebo, self._team, planner, now=self._runtime.now())
        # A limit is a share of everybody who is looked after, not of the few people of this round.
        close_plan(self._runtime, plan_id, looked_after=max(mapped, planner.people))
        self._served.plans.append(plan_id)
        return plan_id

    def _settle(self, plan_id: str, cases: list[Case], error: str) -> None:
        """Finish the cases that the plan brought in line, and let the others be tried again later."""
        with self._runtime.store.reading() as connection:
            entries = {entry.operation.slack_id: entry for entry in PlanRepository(connection).rows(plan_id)}
        done = []
        for case in cases:
            entry = entries.get(case.slack_id)
            if entry is None:
                continue  # forgotten meanwhile, events and all
            if entry.outcome in {Outcome.APPLIED, Outcome.LEFT}:
                done.append(case)
                if entry.outcome is Outcome.APPLIED:
                    self._served.operations[entry.operation.kind] += 1
            else:
                self._fail([case], entry.error or error)
        self._finish(done, [])

    def _finish(self, cases: Sequence[Case], superseded: Iterable[str]) -> None:
        now = self._runtime.now()
        with self._runtime.store.transaction() as connection:
            inbox = InboxRepository(connection)
            kept = inbox.keep(_ids(cases))  # who was forgotten meanwhile stays so
            inbox.finish(_ids(cases), EventState.APPLIED, now)
            self._served.superseded += inbox.finish(superseded, EventState.SUPERSEDED, now)
            stamps = {case.slack_id: case.updated for case in cases if not kept.isdisjoint(case.event_ids)}
            AppliedRepository(connection, self._runtime.settings.docebo_url).advance(self._team, stamps, now=now)

    def _fail(self, cases: Sequence[Case], error: str) -> None:
        """Let *cases* be tried again after the delay of their attempt, or park those who had them all."""
        delays = self._runtime.behaviour.realtime_retry_delays
        with self._runtime.store.transaction() as connection:
            inbox = InboxRepository(connection)
            for case in cases:
                if case.attempts < len(delays):
                    at = self._runtime.now() + timedelta(seconds=delays[case.attempts])
                    self._served.retried += inbox.retry_later(case.event_ids, error, at)
                else:
                    self._served.parked += inbox.park(case.event_ids, error, self._runtime.now())

    def _park(self, cases: Sequence[Case], error: str) -> None:
        with self._runtime.store.transaction() as connection:
            self._served.parked += InboxRepository(connection).park(_ids(cases), error, self._runtime.now())

    def _is_in_line(self, case: Case) -> bool:
        planned = self._planner.plan_trusting(*self._pair(case))
        in_line = self._is_unchanged(case) if planned is None else planned.kind is Kind.LEAVE
        if in_line:
            self._served.in_line += len(case.event_ids)
        return in_line

    def _lacks_fingerprint(self, slack_id: str) -> bool:
        """Tell whether nothing records what was last written: of administrators, and of people without an account."""
        mapping = self._mappings.get(slack_id)
        return self._planner.policy.map and (mapping is None or not (mapping.fingerprint or mapping.deactivated))

    def _is_unchanged(self, case: Case) -> bool:
        """Tell whether a person without a fingerprint has the same profile as in the last event that was applied.

        That event left nothing to do, and so does this one.
        """
        seen = self._seen.get(case.slack_id)
        return seen is not None and replace(restored(seen), updated=0) == replace(self._pair(case)[0], updated=0)

    def _pair(self, case: Case) -> tuple[SourceUser, Mapping | None]:
        assert case.user is not None  # noqa: S101  (_sort_out lets only cases with a user come here)
        return case.user, self._mappings.get(case.slack_id)

    @property
    def _rules(self) -> Sequence[AttributeRule]:
        return self._planner.policy.rules


def _groups(cases: Iterable[Case]) -> Iterator[list[Case]]:
    """Yield *cases* in groups of one plan each: first attempts all together, further ones in ever smaller groups."""
    by_attempts: dict[int, list[Case]] = {}
    for case in cases:
        by_attempts.setdefault(case.attempts, []).append(case)
    for attempts, group in sorted(by_attempts.items()):
        size = max(1, BATCH // SMALLER**attempts) if attempts else len(group)
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _ids(cases: Iterable[Case]) -> list[str]:
    return [event_id for case in cases for event_id in case.event_ids]


def _no_progress(_rows: int) -> None:
    """Show no progress: a round is short."""
