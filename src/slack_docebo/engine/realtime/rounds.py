"""One round of the real-time sync: claim the waiting events, bring Docebo in line with them, note them as done.

Outcomes are recorded before the events are finished. A run that dies in between leaves the events open; the next run
looks at them again and finds nothing left to do.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.attributes import AttributeRule
from slack_docebo.domain.guards import changes_of
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import Mapping, SourceUser
from slack_docebo.domain.planning import Kind, Operation, Outcome, Planner
from slack_docebo.domain.stamps import NOT_BELIEVED, TOLERANCE, UNSTAMPED, believed
from slack_docebo.domain.standing import WAITING, is_undecided
from slack_docebo.engine.planning.plans import close_plan, keep_observations, open_plan, plan_people
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_accounts, ask_for_people, observe_person
from slack_docebo.engine.reading.outages import OutageWatch, greet_docebo, greet_slack
from slack_docebo.engine.reading.sides import are_few, find_bearers, look_up, read_target
from slack_docebo.engine.realtime.holding import are_let_through, hold
from slack_docebo.engine.realtime.merging import Case, is_complete, is_newer, joined, merge, restored
from slack_docebo.engine.reporting.report import DONE
from slack_docebo.engine.writing.applying import BATCH, apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import IncompleteRead, Rejected, told
from slack_docebo.runtime import Runtime
from slack_docebo.storage.applied import AppliedRepository
from slack_docebo.storage.exclusions import ExclusionRepository
from slack_docebo.storage.inbox import EventState, InboxEntry, InboxRepository
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.plans import PlanKind, PlanRepository
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.reads import ReadRepository
from slack_docebo.storage.shares import ShareRepository
from slack_docebo.storage.standings import StandingRepository

CLAIMED_AT_ONCE = 10_000
PLANS_SHOWN = 50
LONGEST_SECONDS = 600.0  # of a round: whoever came meanwhile is claimed by the next
SMALLER = 5  # a batch is so many times smaller after each failed attempt: one person must not keep failing others


@dataclass(slots=True)
class ServeResult:
    """The result of a run on the inbox: what became of its events, in numbers."""

    events: int = 0
    superseded: int = 0
    in_line: int = 0  # nothing that is mapped has changed
    left: int = 0  # people whom the rules leave alone
    undecided: int = 0  # of those, who newly wait for a decision
    retried: int = 0
    parked: int = 0
    held: int = 0  # events that would exceed a limit
    incident: str = ""  # and with which they wait to be let through
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
        rest = {
            DONE[Kind.LEAVE]: self.left,
            WAITING: self.undecided,
            "in line": self.in_line,
            "superseded": self.superseded,
            "to be retried": self.retried,
            "parked": self.parked,
            f"held back by a limit, as incident {self.incident}": self.held,
        }
        parts += [f"{number} {what}" for what, number in rest.items() if number]
        return f"{self.events} {'event' if self.events == 1 else 'events'}: {', '.join(parts) or 'none is done yet'}"

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


async def serve_round(runtime: Runtime, workspace: Workspace, served: ServeResult) -> int:
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
    is_done = False
    try:
        is_done = await _Round(runtime, workspace, served).work(*merge(entries))
    finally:
        if not is_done:
            served.events -= await to_completion(release_claims, runtime)
    return len(entries)


def release_claims(runtime: Runtime) -> int:
    """Let the events that this run claimed and did not finish wait for another round; return how many there are."""
    with runtime.store.transaction() as connection:
        return InboxRepository(connection).release(run=runtime.run_id)


def _claim(runtime: Runtime) -> list[InboxEntry]:
    left = runtime.budget.part_left()
    with runtime.store.transaction() as connection:
        return InboxRepository(connection).claim(runtime.run_id, CLAIMED_AT_ONCE, runtime.now(), left=left)


class _Round:
    """The state of one round: its people pass through the stages that `work` lists."""

    def __init__(self, runtime: Runtime, workspace: Workspace, served: ServeResult) -> None:
        self._runtime = runtime
        self._team = workspace.team
        self._workspace = workspace
        self._served = served
        self._planner = Planner(runtime.behaviour.policy(workspace.team), Accounts())
        self._mappings: dict[str, Mapping] = {}
        self._seen: dict[str, MappingType[str, Any]] = {}
        self._begun = time.monotonic()
        self._slack = OutageWatch(runtime, greet_slack)
        self._docebo = OutageWatch(runtime, greet_docebo)

    async def work(self, cases: list[Case], superseded: list[str]) -> bool:
        """Take everybody through; return False where that took so long that some were left for another round."""
        with self._served.timed("look at"):
            cases = await to_completion(self._without_forgotten, cases)
            todo, to_read = await to_completion(self._sort_out, cases, superseded)
        with self._served.timed("read Slack"):
            read = await self._each(to_read, self._read_again, self._slack)
            todo = await to_completion(self._not_in_line, joined([*todo, *read]))
        with self._runtime.store.reading() as connection:
            through = are_let_through(connection, {case.incident for case in todo if case.incident})
        for group in _groups(todo, through, last_attempt=len(self._runtime.behaviour.realtime_retry_delays)):
            with self._served.timed("read Docebo"):
                readable, accounts = await self._read_accounts(group)
            if readable:
                await self._bring_in_line(readable, accounts, let_through=group[0].incident in through)
            if self._is_over:
                break
        return not self._is_over

    @property
    def _is_over(self) -> bool:
        return time.monotonic() - self._begun >= LONGEST_SECONDS

    async def _each(
        self, cases: Iterable[Case], step: Callable[[Case], Awaitable[None]], side: OutageWatch
    ) -> list[Case]:
        """Take *step* for each of *cases* and return those for whom it succeeded; the others are tried again later.

        Who is not reached before the round is over is in neither. Raises what is everybody's: an outage of *side*, or a
        grant of ours that is refused.
        """
        passed = []
        for case in cases:
            try:
                await step(case)
            except Exception as error:  # whatever it is, it must not keep others waiting
                await side.failed(error)
                await to_completion(self._fail, [case], told(error))
            else:
                side.passed()
                passed.append(case)
            if self._is_over:
                break
        return passed

    def _without_forgotten(self, cases: Collection[Case]) -> list[Case]:
        """Delete the events of those who were forgotten, and return the other *cases*."""
        with self._runtime.store.reading() as connection:
            excluded = ExclusionRepository(connection).all()
        kept: list[Case] = []
        forgotten: list[Case] = []
        for case in cases:
            user = case.user or SourceUser(case.slack_id, "")
            (forgotten if excluded.cover(user) else kept).append(case)
        for case in forgotten:
            with self._runtime.store.transaction() as connection:
                InboxRepository(connection).forget(case.slack_id)
        return kept

    def _sort_out(self, cases: list[Case], superseded: list[str]) -> tuple[list[Case], list[Case]]:
        """Finish what needs no call; return the cases to compare with Docebo, and those to read from Slack before."""
        people = {case.slack_id: case.user or SourceUser(case.slack_id, "") for case in cases}
        ids = [slack_id for user in people.values() for slack_id in user.ids]
        self._pass_on_incidents(cases)
        with self._runtime.store.reading() as connection:
            known = AppliedRepository(connection, self._runtime.settings.docebo_url)
            applied = known.stamps(self._team, ids, now=self._runtime.now())
            mappings = MappingRepository(connection, self._runtime.settings.docebo_url)
            self._mappings = mappings.of_people(self._team, people.values())
            last_read = ReadRepository(connection).last(f"slack:{self._team}")
            linked = PlatformRepository(connection).linked_since(self._runtime.settings.docebo_url)
            self._seen = InboxRepository(connection).last_applied(filter(self._lacks_fingerprint, people), since=linked)
        in_line: list[Case] = []
        todo: list[Case] = []
        to_read: list[Case] = []
        for case in cases:
            stamps = [applied.get(slack_id, UNSTAMPED) for slack_id in people[case.slack_id].ids]
            done = NOT_BELIEVED if NOT_BELIEVED in stamps else max(stamps)
            try:
                if not case.doubtful and case.updated < done <= case.newest.event.received_at.timestamp():
                    superseded += case.event_ids
                elif (
                    self._is_unsure(case, done)
                    or case.user is None
                    or not is_complete(case.user, self._rules)
                    or self._lacks_confirmation(case.user)
                ):
                    to_read.append(case)
                elif self._is_in_line(case):
                    in_line.append(case)
                elif case.updated == done or (last_read and not is_newer(case, last_read.proven_at)):
                    # Its stamp is the applied one, or the last import may have read something newer: only Slack knows.
                    to_read.append(case)
                else:
                    todo.append(case)
            except Exception as error:
                self._fail([case], told(error))
        self._finish(in_line, superseded)
        if costly := [case.slack_id for case in (*todo, *to_read)]:
            with self._runtime.store.transaction(durable=False) as connection:
                ShareRepository(connection).spend(costly, self._runtime.now())
        return todo, to_read

    def _is_unsure(self, case: Case, done: int) -> bool:
        """Tell whether clocks and stamps leave open how new the newest event is; *done* is the stamp last applied."""
        is_ahead = case.newest.event.received_at > self._runtime.now() + TOLERANCE
        return case.doubtful or is_ahead or case.updated < done or done == NOT_BELIEVED

    def _pass_on_incidents(self, cases: Iterable[Case]) -> None:
        """Let the newest events of those who wait with an incident count as of it, for the older ones are superseded."""
        if waiting := [case for case in cases if case.incident and case.newest.incident != case.incident]:
            with self._runtime.store.transaction() as connection:
                for case in waiting:
                    InboxRepository(connection).mark(case.event_ids, case.incident)

    async def _read_again(self, case: Case) -> None:
        """Give *case* the profile that Slack has now."""
        seen = await observe_person(self._runtime, case.slack_id)
        if not isinstance(seen, Present):
            raise Rejected("users.info", f"Slack does not show {case.slack_id} any more")
        user = seen.value
        case.user, case.updated, case.read = user, max(case.updated, believed(user.updated, self._runtime.now())), True
        if case.slack_id != user.slack_id or user.local_id:  # the event may have borne an older, local id
            case.slack_id = user.slack_id
            with self._runtime.store.reading() as connection:
                repository = MappingRepository(connection, self._runtime.settings.docebo_url)
                self._mappings |= repository.of_people(self._team, [user])

    def _not_in_line(self, cases: Collection[Case]) -> list[Case]:
        """Return those of *cases* that are to be compared with Docebo; finish what Slack has shown to be in line."""
        in_line: list[Case] = []
        others: list[Case] = []
        for case in self._without_forgotten(cases):
            try:
                (in_line if case.read and self._is_in_line(case) else others).append(case)
            except Exception as error:
                self._fail([case], told(error))
        self._finish(in_line, [])
        return others

    async def _read_accounts(self, cases: list[Case]) -> tuple[list[Case], Accounts]:
        """Return the *cases* for which Docebo could be read, and the accounts that may be theirs.

        Where its list cannot be read as a whole, people are looked up one by one, as many as a call may write.
        """
        clear: list[Case] = []
        unclear: list[Case] = []
        for case in cases:
            (unclear if self._planner.plan_trusting(*self._pair(case)) is None else clear).append(case)
        accounts, one_by_one = Accounts(), are_few(self._runtime, len(unclear))
        if not one_by_one:
            try:
                accounts = await self._read_all(unclear)
            except Exception as error:
                await self._docebo.check(error)
                await to_completion(self._fail, unclear[BATCH:], told(error))
                unclear, one_by_one = unclear[:BATCH], True

        async def read(case: Case) -> None:
            await (look_up if one_by_one else find_bearers)(self._runtime, [self._pair(case)], accounts)
            self._check_shown(case, accounts)

        return [*clear, *await self._each(unclear, read, self._docebo)], accounts

    async def _read_all(self, cases: list[Case]) -> Accounts:
        """Return all accounts, and what Docebo says of those of *cases* that its list does not show."""
        accounts = await read_target(self._runtime)
        planner = Planner(self._planner.policy, accounts)
        pairs = map(self._pair, cases)
        unlisted = {m.docebo_id: [user.email] for user, m in pairs if m and planner.asks_for_account(user, m)}
        await ask_for_accounts(self._runtime, accounts, unlisted)
        return accounts

    def _check_shown(self, case: Case, accounts: Accounts) -> None:
        """Raise IncompleteRead where the mapped account may be there and is not shown."""
        user, mapping = self._pair(case)
        if mapping and Planner(self._planner.policy, accounts).lacks_account(user, mapping):
            raise IncompleteRead(f"account {mapping.docebo_id} may be there, but Docebo does not list it")

    async def _bring_in_line(self, cases: list[Case], accounts: Accounts, *, let_through: bool) -> None:
        """Plan for *cases* and write; where no plan can be made, do so in halves until the one it fails for is alone.

        Those who would exceed a limit are held back, unless somebody has *let* them *through*.
        """
        try:
            with self._served.timed("plan"):
                planner, operations = await self._planned(cases, accounts)
                plan_id, held = await to_completion(self._store, cases, planner, operations, let_through)
        except Exception as error:
            await self._docebo.check(error)
            if len(cases) == 1:
                await to_completion(self._fail, cases, told(error))
                return
            middle = len(cases) // 2
            for half in (cases[:middle], cases[middle:]):
                await self._bring_in_line(half, accounts, let_through=let_through)
            return
        if held:
            if others := [case for case in cases if case.slack_id not in held]:
                await self._bring_in_line(others, accounts, let_through=let_through)
            return
        if plan_id is None:
            self._served.left += len(cases)
            await to_completion(self._finish, cases, [])
            return
        reason = "the run ended before this was done"
        try:
            with self._served.timed("write"):
                begin(self._runtime, plan_id)
                await apply_accounts(self._runtime, plan_id, _no_progress)
                await apply_mappings(self._runtime, plan_id)
            self._docebo.passed()
        except Exception as error:
            await self._docebo.failed(error)
            reason = told(error)
        finally:
            with self._served.timed("record"):
                finish(self._runtime, plan_id)
        with self._served.timed("record"):
            await to_completion(self._settle, plan_id, cases, reason)

    async def _planned(self, cases: list[Case], accounts: Accounts) -> tuple[Planner, list[Operation]]:
        """Return what is to be done about *cases*; Slack is asked for those whose accounts they seem to have got back."""
        planner = Planner(self._planner.policy, accounts)
        operations = await to_completion(self._operations, cases, planner)
        if contested := planner.returns.contested:
            answers = await ask_for_people(self._runtime, self._team, set(contested.values()))
            if planner.returns.settle(answers):
                again = planner.anew()
                return again, await to_completion(self._operations, cases, again)
        return planner, operations

    def _operations(self, cases: list[Case], planner: Planner) -> list[Operation]:
        users = [user for user, _ in map(self._pair, cases)]
        docebo = self._runtime.settings.docebo_url
        with self._runtime.store.reading() as connection:
            return plan_people(connection, docebo, self._team, planner, users)

    def _store(
        self, cases: list[Case], planner: Planner, operations: list[Operation], let_through: bool
    ) -> tuple[str | None, set[str]]:
        """Store a plan for *cases* and return its id, or None where it would say nothing new; and who is held back.

        Where somebody is, the plan is theirs alone and is refused: the others are to be planned for anew.
        """
        docebo = self._runtime.settings.docebo_url
        with self._runtime.store.reading() as connection:
            mapped = MappingRepository(connection, docebo).count(self._team)
            waiting = [op for op in operations if op.kind is Kind.LEAVE and is_undecided(op.reason)]
            known = StandingRepository(connection).of(docebo, self._team, [op.slack_id for op in waiting])
        news = [op for op in waiting if op.slack_id not in known or not known[op.slack_id].covers(op)]
        if not news and all(operation.kind is Kind.LEAVE for operation in operations):
            return None, set()
        plan_id = open_plan(self._runtime, self._workspace, PlanKind.REALTIME_SYNC)
        with self._runtime.store.transaction() as connection:
            kept = InboxRepository(connection).keep(_ids(cases))
            forgotten = {case.slack_id for case in cases if kept.isdisjoint(case.event_ids)}
            remembered = [operation for operation in operations if operation.slack_id not in forgotten]
            PlanRepository(connection).add(plan_id, 0, remembered)
            keep_observations(connection, docebo, self._team, planner, now=self._runtime.now())
        # A limit is a share of everybody who is looked after, not of the few people of this round.
        looked_after = max(mapped, planner.people)
        measured = close_plan(self._runtime, plan_id, looked_after=looked_after, let_through=let_through)
        self._served.plans.append(plan_id)
        over = dict(measured.refused(knowingly=let_through))
        if held := {op.slack_id for op in remembered if not over.keys().isdisjoint(changes_of(op))}:
            with self._runtime.store.transaction() as connection:
                PlanRepository(connection).withdraw(plan_id, {op.slack_id for op in remembered} - held)
            theirs = [case for case in cases if case.slack_id in held]
            self._served.incident, events = hold(self._runtime, plan_id, theirs, over.values())
            self._served.held += events
        else:
            self._served.undecided += len(news)
        return plan_id, held

    def _settle(self, plan_id: str, cases: list[Case], reason: str) -> None:
        """Finish the cases that the plan brought in line, and let the others be tried again later, for *reason*."""
        with self._runtime.store.reading() as connection:
            entries = {entry.operation.slack_id: entry for entry in PlanRepository(connection).rows(plan_id)}
        settled = {Outcome.APPLIED, Outcome.LEFT}
        undone = {slack_id for slack_id, entry in entries.items() if entry.outcome not in settled}
        # Who is left alone because another one gets an account for the same address is not done with before that one.
        users = (self._pair(case)[0] for case in cases if case.slack_id in undone)
        addresses = {mailbox(user.email) for user in users if user.email}
        done = []
        for case in cases:
            entry = entries.get(case.slack_id)
            if entry is None:
                continue  # forgotten meanwhile, events and all
            if case.slack_id in undone:
                self._fail([case], entry.error or reason)
            elif entry.outcome is Outcome.APPLIED:
                self._served.operations[entry.operation.kind] += 1
                done.append(case)
            elif mailbox(self._pair(case)[0].email) in addresses:
                self._fail([case], entry.operation.reason)
            else:
                self._served.left += 1
                done.append(case)
        self._finish(done, [])

    def _finish(self, cases: Sequence[Case], superseded: Iterable[str]) -> None:
        now = self._runtime.now()
        with self._runtime.store.transaction() as connection:
            inbox = InboxRepository(connection)
            kept = inbox.keep(_ids(cases))  # who was forgotten meanwhile stays so
            # Those that this run still has: what an import has written meanwhile is to be looked at again.
            inbox.finish(_ids(cases), EventState.APPLIED, now, run=self._runtime.run_id)
            self._served.superseded += inbox.finish(superseded, EventState.SUPERSEDED, now, run=self._runtime.run_id)
            stamps = {case.slack_id: case.updated for case in cases if not kept.isdisjoint(case.event_ids)}
            AppliedRepository(connection, self._runtime.settings.docebo_url).advance(self._team, stamps, now=now)

    def _fail(self, cases: Sequence[Case], error: str) -> None:
        """Let *cases* be tried again after the delay of their attempt, or park those who had them all."""
        delays, run = self._runtime.behaviour.realtime_retry_delays, self._runtime.run_id
        with self._runtime.store.transaction() as connection:
            inbox = InboxRepository(connection)
            for case in cases:
                if case.attempts < len(delays):
                    at = self._runtime.now() + timedelta(seconds=delays[case.attempts])
                    self._served.retried += inbox.retry_later(case.event_ids, error, at, run=run)
                else:
                    self._served.parked += inbox.park(case.event_ids, error, self._runtime.now(), run=run)

    def _is_in_line(self, case: Case) -> bool:
        planned = self._planner.plan_trusting(*self._pair(case))
        in_line = self._is_unchanged(case) if planned is None else planned.kind is Kind.LEAVE
        if in_line:
            self._served.in_line += len(case.event_ids)
        return in_line

    def _lacks_confirmation(self, user: SourceUser) -> bool:
        """Tell whether the event does not say if the address is confirmed by which an account would be found or made."""
        says_nothing = not (user.confirmed or user.unconfirmed)
        return (
            says_nothing and user.slack_id not in self._mappings and not self._planner.policy.scope.reason_against(user)
        )

    def _lacks_fingerprint(self, slack_id: str) -> bool:
        """Tell whether nothing records what was last written: of administrators, and of people without an account."""
        mapping = self._mappings.get(slack_id)
        return self._planner.policy.map and (mapping is None or not (mapping.fingerprint or mapping.deactivated))

    def _is_unchanged(self, case: Case) -> bool:
        """Tell whether a person without a fingerprint has the same profile as in the last event that was applied.

        That event left nothing to do, and so does this one.
        """
        seen = restored(self._seen.get(case.slack_id))
        return seen is not None and replace(seen, updated=0) == replace(self._pair(case)[0], updated=0)

    def _pair(self, case: Case) -> tuple[SourceUser, Mapping | None]:
        assert case.user is not None  # noqa: S101  (_sort_out lets only cases with a user come here)
        return case.user, self._mappings.get(case.slack_id)

    @property
    def _rules(self) -> Sequence[AttributeRule]:
        return self._planner.policy.rules


def _groups(cases: Iterable[Case], through: Collection[str], *, last_attempt: int) -> Iterator[list[Case]]:
    """Yield *cases* in groups of one plan each: first attempts all together, further ones in ever smaller groups.

    Each person's last attempt is made alone. Those whose incident is let *through* are not mixed with others.
    """
    alike: dict[tuple[int, bool], list[Case]] = {}
    for case in cases:
        alike.setdefault((case.attempts, case.incident in through), []).append(case)
    for (attempts, _), group in sorted(alike.items()):
        if not attempts:
            size = len(group)
        elif attempts < last_attempt:
            size = max(1, BATCH // SMALLER**attempts)
        else:
            size = 1
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _ids(cases: Iterable[Case]) -> list[str]:
    return [event_id for case in cases for event_id in case.event_ids]


def _no_progress(_rows: int) -> None:
    """Show no progress: a round is short."""
