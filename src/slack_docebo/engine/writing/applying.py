"""Applying a plan: batch by batch, each checked, noted, sent and recorded before the next."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from slack_docebo.concurrency import side_by_side, to_completion
from slack_docebo.domain.dialect import MOST_ROWS
from slack_docebo.domain.effects import TO_ACCOUNTS
from slack_docebo.domain.guards import too_many_accounts
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.planning.limits import count_accounts, measure
from slack_docebo.engine.reading.branches import renew_branches
from slack_docebo.engine.writing.adapting import Adapter
from slack_docebo.engine.writing.admitting import admit, ask_before_harm, check_halt
from slack_docebo.engine.writing.checking import planned_behaviour
from slack_docebo.engine.writing.columns import Columns
from slack_docebo.engine.writing.leavers import ask_whether_still_so
from slack_docebo.engine.writing.left_behind import in_doubt, settle_left_behind
from slack_docebo.engine.writing.managers import rows_before_a_circle
from slack_docebo.engine.writing.mandatory import learn_what_is_mandatory, reason_not_to_create
from slack_docebo.engine.writing.not_found import reason_by_not_found
from slack_docebo.engine.writing.proving import Prover
from slack_docebo.engine.writing.recording import Numbered, record
from slack_docebo.engine.writing.refused_creations import made_before, perhaps_made_before
from slack_docebo.engine.writing.rereading import Rereading
from slack_docebo.engine.writing.sending import Sender
from slack_docebo.engine.writing.verifying import Verifier
from slack_docebo.errors import ChangeLimitExceeded, OutcomeUnknown, Rejected, StorageError, TooManyRejected, Unproven
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Listing, Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import AFTER_AN_IMPORT, LET_THROUGH, Plan, PlanKind, PlanState
from slack_docebo.storage.store import Store

Progress = Callable[[int], None]
AHEAD = 2  # calls for which rows are known at most: where rows are of two sorts, one of them fills a call
UNDER_WAY_SECONDS = 0.02  # in which a call is sent off: a busy thread beside it would hold that up


def begin(runtime: Runtime, plan_id: str) -> None:
    """Mark the plan as being applied; raise ChangeLimitExceeded, and mark it as refused, if it is over a limit.

    Only the run that made the plan is refused. Whoever later applies exactly this plan lets it exceed the limits that
    it was said to exceed: it is measured again, and refused if it exceeds another one by now. A part of another plan is
    measured here for the first time. MAX_ACCOUNTS holds for everybody. While nothing may be written anyhow, nobody is
    asked to let a plan through: Halted is raised, and the plan stays as it was.
    """
    with runtime.store.transaction() as tables:
        plan = tables.plans.read(plan_id)
        plan.check_open()
        facts = dict(plan.facts)
        refused = [] if plan.is_let_through else plan.over_limit
        if plan.flow_run != runtime.run_id or plan.is_part:
            measured = measure(runtime, tables, plan_id, looked_after=plan.looked_after)
            facts |= measured.facts
            refused = [excess.sentence for excess in measured.refused(plan.over)]
            facts[LET_THROUGH] = bool(measured.over) and not refused
        if refused:
            check_halt(runtime, tables)
        tables.plans.set_state(plan_id, PlanState.REFUSED if refused else PlanState.APPLYING, facts=facts)
        if facts.get(LET_THROUGH):
            tables.inbox.replay_held(plan_id, runtime.now())
    if refused:
        what = f"nothing of {plan.kind}" if plan.kind in AFTER_AN_IMPORT else "nothing"
        raise ChangeLimitExceeded(
            f"Look at plan {plan_id}, and apply exactly this plan if it is right, by the link in its summary or with"
            f" `slack-docebo plan apply {plan_id}`: {'; '.join(refused)}; {what} was written"
        )


async def apply_accounts(runtime: Runtime, plan_id: str, progress: Progress) -> None:
    """Apply the operations on accounts; *progress* is called with the number of rows that each call settled.

    Only what is still planned is done, so that applying a plan again finishes a run that was cut off: the accounts show
    what became of its last rows. Raises TooManyRejected when Docebo refuses more rows than the settings allow, Unproven
    when a row of a new kind does not show as it was sent, Halted when somebody orders it, and ChangeLimitExceeded
    before MAX_ACCOUNTS is.
    """
    with runtime.store.reading() as tables:
        check_halt(runtime, tables)
        plan = tables.plans.read(plan_id)
    planned = planned_behaviour(runtime.behaviour, plan)
    writing = _Writing(runtime, plan, planned, progress)
    await writing.settle_what_was_sent()
    await writing.refuse_hopeless_creations()
    try:
        for kind in TO_ACCOUNTS:
            await writing.write(kind)
    except (TooManyRejected, Unproven):
        await writing.look_back()
        raise
    await writing.look_back()


class _Writing:
    """Writes one plan's operations on accounts: each batch is checked, admitted, sent and recorded."""

    def __init__(self, runtime: Runtime, plan: Plan, planned: IntegrationSettings, progress: Progress) -> None:
        self._runtime = runtime
        self._plan = plan
        self._progress = progress
        self._policy = runtime.behaviour.policy(plan.slack_team)
        self._breaker = _Breaker(runtime)
        self._rereading = Rereading(runtime)
        self._adapter = Adapter(runtime)
        self._verifier = Verifier(runtime, plan.id, self._rereading, self._record)
        branch = planned.destination_branch
        # A mail cannot be called back: a plan sends none that the settings of today do not want any more.
        welcome = planned.welcome_mail and runtime.behaviour.welcome_mail
        self._sender = Sender(runtime, plan.id, self._adapter, self._verifier, branch=branch, welcome=welcome)
        self._prover = Prover(
            runtime,
            plan.id,
            self._rereading,
            left_out=self._sender.left_out,
            write_otherwise=self._adapter.write_otherwise,
            branch=branch,
        )
        self._columns = Columns(runtime, plan.id, self._rereading)
        self._creates = False

    async def settle_what_was_sent(self) -> None:
        """Find out from the accounts what became of rows of this plan that an earlier run has sent, and record it."""
        if sent := in_doubt(self._runtime.store, self._plan.id):
            await self._verifier.settle(sent)

    async def refuse_hopeless_creations(self) -> None:
        """Record that creations are not sent, and why, where Docebo would refuse or not show them.

        Somebody who has, or may have, an account from before has not failed.
        """
        self._creates = bool(self._pending(Kind.CREATE, rows=1))
        if not self._creates:
            return
        reason = await reason_not_to_create(self._runtime) or await reason_by_not_found(
            self._runtime, self._plan.slack_team
        )
        if not reason:
            return
        self._creates = False
        store, docebo = self._runtime.store, self._runtime.settings.docebo_url
        while batch := self._pending(Kind.CREATE, rows=MOST_ROWS):
            known = perhaps_made_before(store, docebo, self._plan.id, batch, why=reason)
            known |= await made_before(self._runtime, self._plan.id, batch)
            refused = [known.get(seq) or RowOutcome(seq, Outcome.FAILED, error=reason) for seq, _ in batch]
            record(self._runtime, self._plan.id, batch, refused)
            self._progress(len(batch))

    async def write(self, kind: Kind) -> None:
        """Write all planned operations of *kind*, batch by batch."""
        batch = self._pending(kind, rows=self._adapter.rows_per_call)
        while batch:
            following = await self._write_some(kind, self._first_of(kind, batch), batch)
            batch = following or self._pending(kind, rows=self._adapter.rows_per_call)

    async def look_back(self) -> None:
        """Record what became of unclear rows, and learn from what was refused."""
        record(self._runtime, self._plan.id, *await self._verifier.look_at_unclear())
        if self._creates:
            await learn_what_is_mandatory(self._runtime, self._plan.id)

    def _first_of(self, kind: Kind, batch: Sequence[Numbered]) -> list[Numbered]:
        """Return the rows of *batch* to send first; raise ChangeLimitExceeded beyond MAX_ACCOUNTS."""
        if kind is Kind.CREATE and self._runtime.behaviour.max_accounts is not None:
            _check_accounts(self._runtime, min(len(batch), self._adapter.rows_per_call))
        batch = rows_before_a_circle(self._runtime.store, self._runtime.settings.docebo_url, batch)
        alike = self._sender.alike(self._columns.first(self._prover.first(batch)))
        return alike[: self._adapter.rows_per_call]

    async def _write_some(self, kind: Kind, batch: Sequence[Numbered], known: Sequence[Numbered]) -> list[Numbered]:
        """Write *batch*, some or all of the *known* rows, and return the rows to be written next, if they are known by then.

        These are the others of those and as many more as fit in a call, so that calls are full where rows are not alike.
        """
        runtime, prover, columns, sender = self._runtime, self._prover, self._columns, self._sender
        if prover.is_unproven(batch):  # looked at before it is admitted, for what it shows then counts
            await prover.look(batch)
        elif columns.is_telling(batch):
            await columns.look(batch)
        to_send = await self._admitted(batch)
        following: list[Numbered] = []
        if to_send and prover.is_unproven(to_send):
            await self._prove(kind, to_send)
        elif columns.is_telling(to_send):
            await columns.prove(to_send, sender)
        elif to_send:
            written, most = {seq for seq, _ in batch}, self._adapter.rows_per_call
            others = [numbered for numbered in known if numbered[0] not in written]
            more = min(most, max(AHEAD * most - len(others), 0))
            _, following = await side_by_side(
                sender.send(kind, to_send), self._pending_meanwhile(kind, known[-1][0], more)
            )
            following = others + following
        if kind is Kind.CREATE:
            await prover.check_made_without_id(self._verifier.made_without_id)
        there = _still_pending(runtime.store, self._plan.id, batch)
        return prover.in_turn(there) or following

    async def _admitted(self, batch: Sequence[Numbered]) -> list[Numbered]:
        """Return the rows of *batch* that may be sent now; record the others as skipped."""
        if any(BRANCH in operation.changes for _, operation in batch):
            await renew_branches(self._runtime)
        admitted, skipped = await _admit_now(
            self._runtime, self._plan, batch, accounts=self._rereading.accounts, policy=self._policy
        )
        self._record(batch, self._verifier.with_doubts(batch, skipped))
        return admitted

    async def _prove(self, kind: Kind, batch: Sequence[Numbered]) -> None:
        """Send *batch* and check the effect; where Docebo fails at the row, another one takes its place."""
        try:
            await self._sender.send(kind, batch)
        except Rejected as refusal:
            raise self._prover.advised(kind, refusal) from None
        except OutcomeUnknown as doubt:
            if not (doubt.status and self._prover.pass_over(batch)):
                raise
        await self._prover.check()

    def _record(self, batch: Sequence[Numbered], results: Sequence[RowOutcome]) -> None:
        record(self._runtime, self._plan.id, batch, results)
        self._prover.note(batch, results)
        self._progress(len(results))
        self._breaker.count(results)

    def _pending(self, kind: Kind, *, rows: int, after: int = -1) -> list[Numbered]:
        return _pending(self._runtime.store, self._plan.id, kind, rows=rows, after=after)

    async def _pending_meanwhile(self, kind: Kind, after: int, rows: int) -> list[Numbered]:
        """Fetch the next batch during a call; return none if the store fails, for the answer must be recorded first."""
        await asyncio.sleep(UNDER_WAY_SECONDS)
        try:
            return await to_completion(partial(self._pending, kind, rows=rows, after=after))
        except StorageError:
            return []


async def apply_mappings(runtime: Runtime, plan_id: str) -> int:
    """Apply the operations on mappings alone and return their number."""
    with runtime.store.reading() as tables:
        plan = tables.plans.read(plan_id)
    policy = runtime.behaviour.policy(plan.slack_team)
    done = 0
    for kind in (Kind.MAP, Kind.UNMAP):
        while batch := _pending(runtime.store, plan_id, kind, rows=MOST_ROWS):
            admitted, skipped = await _admit_now(runtime, plan, batch, accounts=None, policy=policy)
            mapped = [RowOutcome(seq, Outcome.APPLIED, op.docebo_id) for seq, op in admitted]
            record(runtime, plan_id, batch, [*skipped, *mapped])
            done += len(mapped)
    await settle_left_behind(runtime, plan.kind, at_work=plan_id)
    return done


async def _admit_now(
    runtime: Runtime, plan: Plan, batch: Sequence[Numbered], *, accounts: Accounts | None, policy: Policy
) -> tuple[list[Numbered], list[RowOutcome]]:
    """Return the rows of *batch* that may be carried out now, and the outcomes of the skipped ones."""
    admitted, skipped = admit(runtime, plan, batch, accounts=accounts, policy=policy)
    looked_at = _looked_at(runtime.listing, plan)
    skipped += await ask_before_harm(runtime, plan, admitted, looked_at=looked_at, policy=policy)
    skipped += await ask_whether_still_so(runtime, plan, _without(admitted, skipped), policy)
    return _without(admitted, skipped), skipped


def _check_accounts(runtime: Runtime, creations: int) -> None:
    """Raise ChangeLimitExceeded if *creations* are too many, as others may have created accounts meanwhile."""
    with runtime.store.reading() as tables:
        accounts = count_accounts(runtime, tables)
    if beyond := too_many_accounts(creations, accounts, runtime.behaviour.max_accounts):
        raise ChangeLimitExceeded(
            f"Raise MAX_ACCOUNTS if Docebo may have more: nothing more was created, {beyond[0].sentence}"
        )


def _without(batch: Sequence[Numbered], skipped: Sequence[RowOutcome]) -> list[Numbered]:
    refused = {result.seq for result in skipped}
    return [numbered for numbered in batch if numbered[0] not in refused]


def _looked_at(listing: Listing, plan: Plan) -> datetime:
    """Return when the accounts behind the plan were read: when their listing began."""
    listed = None if plan.kind is PlanKind.REALTIME_SYNC else listing.began_at
    return listed or plan.created_at


def _pending(store: Store, plan_id: str, kind: Kind, *, rows: int, after: int = -1) -> list[Numbered]:
    with store.reading() as tables:
        batch = tables.operations.pending(plan_id, kind, rows, after=after)
    if kind in {Kind.MOVE, Kind.DEACTIVATE}:  # one call is to one branch, and deactivates, or lets expire by rows
        batch = [numbered for numbered in batch if numbered[1].changes == batch[0][1].changes]
    return batch


def _still_pending(store: Store, plan_id: str, batch: Sequence[Numbered]) -> list[Numbered]:
    """Return the rows of *batch* that are still planned after it was sent."""
    with store.reading() as tables:
        there = tables.operations.still_planned(plan_id, [seq for seq, _ in batch])
    return [numbered for numbered in batch if numbered[0] in there]


class _Breaker:
    """Stops a run when Docebo refuses too large a share of its rows, or of recent runs' rows."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._rows = 0
        self._failed = 0

    def count(self, results: Sequence[RowOutcome]) -> None:
        """Count the recorded rows of one call, and raise TooManyRejected if too many were refused."""
        failed = sum(result.outcome is Outcome.FAILED for result in results)
        self._rows += len(results)
        self._failed += failed
        if failed:
            self._check(self._failed, self._rows, "rows")
            self._check(*self._lately(), f"people in {self._runtime.behaviour.limit_window_hours} hours")

    def _lately(self) -> tuple[int, int]:
        """Return for how many people the last row was refused lately, and for how many a row was sent."""
        since = self._runtime.now() - timedelta(hours=self._runtime.behaviour.limit_window_hours)
        with self._runtime.store.reading() as tables:
            people, refused = tables.journal.refusals(self._runtime.settings.docebo_url, since)
        return refused, people

    def _check(self, failed: int, of: int, what: str) -> None:
        if of >= MOST_ROWS and failed * 100 > self._runtime.behaviour.limit_rejections * of:
            raise TooManyRejected(
                f"Docebo refused {failed} of {of} {what}, more than LIMIT_REJECTIONS allows:"
                " see the report for the reasons; what was done is recorded, and applying the plan again goes on"
            )
