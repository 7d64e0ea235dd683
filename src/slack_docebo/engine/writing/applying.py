"""Applying a plan: batch by batch; the answer to each call is recorded before the next call."""

import asyncio
from collections.abc import Callable, Sequence

from slack_docebo.clients.docebo import Row, RowResult
from slack_docebo.concurrency import side_by_side, to_completion
from slack_docebo.domain.attributes import current_value, same
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.people import Account, Applied, Mapping
from slack_docebo.domain.planning import Kind, Operation, Outcome, Value
from slack_docebo.engine.writing.standing import follow
from slack_docebo.errors import (
    ChangeLimitExceeded,
    OutcomeUnknown,
    PlanNotApplicable,
    StorageError,
    TooManyRejected,
)
from slack_docebo.runtime import Runtime
from slack_docebo.storage.accounts import AccountRepository, Written
from slack_docebo.storage.applied import AppliedRepository
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.plans import OPEN, PlanRepository, PlanState, Result
from slack_docebo.storage.platforms import PlatformRepository

Numbered = tuple[int, Operation]  # an operation with its place in the plan
Progress = Callable[[int], None]
TO_ACCOUNTS = (Kind.CREATE, Kind.UPDATE, Kind.DEACTIVATE)
BATCH = 100  # the most rows Docebo is known to take in one call
UNDER_WAY_SECONDS = 0.02  # in which a call is sent off: a busy thread beside it would hold that up
UNANSWERED = 3  # calls in a row whose answer was lost, after which a run gives up


def begin(runtime: Runtime, plan_id: str) -> None:
    """Take the plan into work; raise ChangeLimitExceeded, and leave it refused, if it is over a limit.

    Only the run that made the plan is refused: who applies exactly this plan later has looked at it.
    """
    with runtime.store.transaction() as connection:
        plans = PlanRepository(connection)
        plan = plans.read(plan_id)
        if plan.state not in OPEN:
            raise PlanNotApplicable(f"plan {plan_id} is {plan.state}: make a new one with a dry run")
        over = plan.facts.get("over_limit") if plan.flow_run == runtime.run_id else None
        plans.set_state(plan_id, PlanState.REFUSED if over else PlanState.APPLYING)
    if isinstance(over, list) and over:
        raise ChangeLimitExceeded(
            f"nothing was written: {'; '.join(over)}. Look at plan {plan_id}; if it is right, let exactly that plan"
            f" through: run the flow with plan_id={plan_id} and dry_run off, or `slack-docebo plan apply {plan_id}`"
        )


async def apply_accounts(runtime: Runtime, plan_id: str, progress: Progress) -> None:
    """Apply the operations on accounts; *progress* is called with the number of rows that each call settled.

    Only what is still planned is done, so that a run that was cut off is finished by applying the plan again.
    Raises TooManyRejected when Docebo refuses more rows than the settings allow.
    """
    breaker = _Breaker(runtime.behaviour.limit_rejections)
    unanswered = 0
    for kind in TO_ACCOUNTS:
        batch = _pending(runtime, plan_id, kind)
        while batch:
            try:
                results, following = await side_by_side(
                    _send(runtime, kind, batch), _pending_meanwhile(runtime, plan_id, kind, batch[-1][0])
                )
                unanswered = 0
            except OutcomeUnknown:
                unanswered += 1
                if unanswered >= UNANSWERED:
                    raise
                results, following = await _read_again(runtime, batch), []
            record(runtime, plan_id, batch, results)
            progress(len(results))
            breaker.count(results)
            batch = following or _pending(runtime, plan_id, kind)


def apply_mappings(runtime: Runtime, plan_id: str) -> int:
    """Apply the operations on mappings alone and return their number."""
    done = 0
    for kind in (Kind.MAP, Kind.UNMAP):
        while batch := _pending(runtime, plan_id, kind):
            record(runtime, plan_id, batch, [Result(seq, Outcome.APPLIED, op.docebo_id) for seq, op in batch])
            done += len(batch)
    return done


def record(runtime: Runtime, plan_id: str, batch: Sequence[Numbered], results: Sequence[Result]) -> None:
    """Write outcomes, and the mapping rows and standings that go with them, in one transaction."""
    operations = dict(batch)
    outcomes = [(operations[result.seq], result) for result in results]
    applied = [(operation, result) for operation, result in outcomes if result.outcome is Outcome.APPLIED]
    provision, now = runtime.behaviour.provision_slack_user_data, runtime.now()
    with runtime.store.transaction() as connection:
        plans = PlanRepository(connection)
        plans.record(plan_id, results, now=now, flow_run=runtime.run_id)
        follow(connection, plans.read(plan_id), outcomes, provision=provision, now=now)
        docebo = runtime.settings.docebo_url
        mappings = MappingRepository(connection, docebo)
        for team in {operation.slack_team for operation, _ in applied}:
            of_team = [(op, result) for op, result in applied if op.slack_team == team]
            if gone := [op.slack_id for op, _ in of_team if op.kind is Kind.UNMAP]:
                mappings.delete(team, gone)
            mappings.save(
                [
                    Mapping(
                        *(op.slack_id, team, op.slack_name, result.docebo_id),
                        *(op.fingerprint, op.echo, op.deactivated),
                    )
                    for op, result in of_team
                    if op.maps and result.docebo_id is not None
                ],
                now=now,
                run=runtime.run_id,
            )
            AppliedRepository(connection, docebo).save(
                team,
                {
                    op.slack_id: Applied(result.docebo_id, op.fingerprint, op.echo, op.deactivated)
                    for op, result in of_team
                    if op.fingerprint and not op.maps and result.docebo_id is not None
                },
                now=now,
                run=runtime.run_id,
            )
        written = [
            _written(op, result.docebo_id) for op, result in applied if op.kind in TO_ACCOUNTS and result.docebo_id
        ]
        if written:
            platform_id = PlatformRepository(connection).take(docebo)
            AccountRepository(connection, platform_id).note_written(written, now=now)


def _written(operation: Operation, docebo_id: int) -> Written:
    changes = operation.changes
    active = bool(changes["active"]) if "active" in changes else None
    return Written(docebo_id, str(changes.get("username", "")), str(changes.get("email", "")), active)


def _pending(runtime: Runtime, plan_id: str, kind: Kind, after: int = -1) -> list[Numbered]:
    with runtime.store.reading() as connection:
        return PlanRepository(connection).pending(plan_id, kind, BATCH, after=after)


async def _pending_meanwhile(runtime: Runtime, plan_id: str, kind: Kind, after: int) -> list[Numbered]:
    """Fetch the next batch during a call; return none if the store fails, for the answer has to be recorded first."""
    await asyncio.sleep(UNDER_WAY_SECONDS)
    try:
        return await to_completion(_pending, runtime, plan_id, kind, after)
    except StorageError:
        return []


async def _send(runtime: Runtime, kind: Kind, batch: Sequence[Numbered]) -> list[Result]:
    async with runtime.gate.call():
        if kind is Kind.DEACTIVATE:
            ids = [operation.docebo_id for _, operation in batch if operation.docebo_id is not None]
            changed = await runtime.docebo.change_status(ids, active=False)
            return [
                Result(seq, Outcome.APPLIED, op.docebo_id)
                if op.docebo_id in changed
                else Result(seq, Outcome.FAILED, op.docebo_id, "Docebo did not change the status")
                for seq, op in batch
            ]
        answers = await runtime.docebo.upsert_users(
            [Row(operation.docebo_id, operation.changes) for _, operation in batch],
            create=kind is Kind.CREATE,
            branch=runtime.behaviour.destination_branch if kind is Kind.CREATE else None,
        )
    return [_result(numbered, answer) for numbered, answer in zip(batch, answers, strict=True)]


def _result(numbered: Numbered, answer: RowResult) -> Result:
    seq, operation = numbered
    if answer.error:
        return Result(seq, Outcome.FAILED, operation.docebo_id, answer.error)
    return Result(seq, Outcome.APPLIED, answer.docebo_id or operation.docebo_id)


async def _read_again(runtime: Runtime, batch: Sequence[Numbered]) -> list[Result]:
    """Read the accounts after a call whose answer was lost, and return the operations that were carried out.

    The rest stays planned and is sent again. The gate lets nobody in before Docebo had time to finish that call.
    """
    accounts = Accounts()
    async with runtime.gate.call():
        async for page in runtime.docebo.list_users():
            accounts.add(page)
    return [
        Result(seq, Outcome.APPLIED, account.docebo_id)
        for seq, operation in batch
        if (account := account_of(accounts, operation)) and is_carried_out(operation, account)
    ]


def account_of(accounts: Accounts, operation: Operation) -> Account | None:
    """Return the account that *operation* is about, or None if *accounts* does not hold it."""
    if operation.docebo_id is not None:
        return accounts.get(operation.docebo_id)
    return accounts.with_username(str(operation.changes.get("username", "")))


def is_carried_out(operation: Operation, account: Account) -> bool:
    """Tell whether *account* shows what *operation* was to do.

    Of a creation the username is enough: it was free before, and what Docebo may have made of the names is for the
    next run to see.
    """
    return operation.kind is Kind.CREATE or all(
        holds(account, name, value) for name, value in operation.changes.items()
    )


def holds(account: Account, name: str, value: Value) -> bool:
    """Tell whether *account* has *value* for the attribute *name*."""
    return account.active == value if isinstance(value, bool) else same(name, value, current_value(account, name))


class _Breaker:
    """Stops a run in which Docebo refuses row after row."""

    def __init__(self, percent: int) -> None:
        self._percent = percent
        self._rows = 0
        self._failed = 0

    def count(self, results: Sequence[Result]) -> None:
        self._rows += len(results)
        self._failed += sum(result.outcome is Outcome.FAILED for result in results)
        if self._rows >= BATCH and self._failed * 100 > self._percent * self._rows:
            raise TooManyRejected(
                f"Docebo refused {self._failed} of {self._rows} rows, more than LIMIT_REJECTIONS allows:"
                " see the report for the reasons; what was done is recorded, and applying the plan again goes on"
            )
