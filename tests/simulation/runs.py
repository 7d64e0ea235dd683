"""The runs of our processes: each takes the steps of a flow or a command."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Outcome
from slack_docebo.engine.importing import apply_saved, plan_everybody, plan_import
from slack_docebo.engine.mappings.backups import backups, restorable, restore_backup
from slack_docebo.engine.mappings.relinking import Relation, relink
from slack_docebo.engine.mappings.resetting import back_up, delete_planned, plan_reset
from slack_docebo.engine.planning.enriching import plan_enriched
from slack_docebo.engine.planning.managing import plan_managers
from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.planning.named import plan_named, read_named
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.accounts import read_changed
from slack_docebo.engine.reading.connection import Workspace, validate
from slack_docebo.engine.reading.profiles import ProfilesRead, due, read_profiles
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import InboxLease, rest_while_halted, serve
from slack_docebo.engine.realtime.upkeep import tidy
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.applying import apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.engine.writing.left_behind import settle_sent_by
from slack_docebo.errors import ChangeLimitExceeded, StorageError, TransientError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.plans import AFTER_AN_IMPORT, Plan, PlanKind, PlanState
from tests.simulation.processes import Process

RETRY_DELAYS = (30, 120)  # seconds, as the tasks have them
BETWEEN_TASKS = 20.0  # seconds, that Prefect may take from one task to the next
LINGER_SECONDS = 5
LOOKED_AT = 1800.0  # seconds for which a dry run's plan is looked at before it is applied

Run = Callable[[Process], Awaitable[None]]
R = TypeVar("R")


async def run_import(process: Process) -> None:
    """The flow `bulk_import`."""
    with _alone(process), SourceSnapshot() as people:
        workspace = await validate(process.runtime)
        await _carry_out(process, await plan_everybody(process.runtime, workspace, people))
        await _apply_follow_ups(process, workspace, people)


async def run_trusting_import(process: Process) -> None:
    """The flow `bulk_import` that reads all of Slack and, in Docebo, only the accounts of people who have changed."""
    runtime = process.runtime
    with _alone(process), SourceSnapshot() as people:
        workspace = await validate(runtime)
        await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
        accounts = await read_changed(runtime, workspace, people)
        plan_id = await make_plan(
            runtime, workspace, people, accounts, kind=PlanKind.BULK_IMPORT, listed=people, trusting=True
        )
        await _carry_out(process, plan_id)
        await _apply_follow_ups(process, workspace, people)


async def run_saved_plan(process: Process) -> None:
    """A dry run whose plan is applied by its id, some time later."""
    with _alone(process):
        process.plan_id, process.planned_at = await plan_import(process.runtime), time.time()
        finish(process.runtime, process.plan_id)
    await asyncio.sleep(LOOKED_AT)
    await _apply_saved(process)


async def run_cut_off_plan(process: Process) -> None:
    """The last import that was cut off: the rest of its plan is applied by its id."""
    cut_off = (plan for plan in _recent(process) if plan.state in {PlanState.APPLYING, PlanState.PARTLY_APPLIED})
    if plan := next(cut_off, None):
        process.plan_id, process.planned_at = plan.id, plan.created_at.timestamp()
        await _apply_saved(process)


async def run_undo(process: Process) -> None:
    """An undo of the last import, which deactivates the accounts that it has created."""
    if plans := _recent(process):
        await _undo(process, plans[0].id, deactivate_created=True)


async def run_late_plan(process: Process) -> None:
    """The last plan that followed an import and was refused or cut off: it is applied by its id."""
    waiting = {PlanState.REFUSED, PlanState.APPLYING, PlanState.PARTLY_APPLIED}
    if plan := next((plan for plan in _that_followed(process) if plan.state in waiting), None):
        process.plan_id, process.planned_at = plan.id, plan.created_at.timestamp()
        await _apply_saved(process)


async def run_undo_of_what_followed(process: Process) -> None:
    """An undo of the last plan that followed an import: of branches, managers, or custom fields."""
    if plans := _that_followed(process):
        process.undoes = plans[0].id
        await _undo(process, process.undoes, deactivate_created=False)


async def run_realtime(process: Process) -> None:
    """The flow `realtime_sync`, which serves the events that wait in the inbox."""
    with InboxLease(process.runtime) as lease:
        if not rest_while_halted(process.runtime) and lease.take():
            await _serve(process, lease)


async def run_sweep(process: Process) -> None:
    """The flow `sweep`, which serves the events that an accident has left in the inbox."""
    upkeep = tidy(process.runtime)
    with InboxLease(process.runtime) as lease:
        if upkeep.due and not rest_while_halted(process.runtime) and lease.take():
            await _serve(process, lease, linger_seconds=0)


async def run_named(process: Process, slack_id: str) -> None:
    """The flow `realtime_sync` for one named person."""
    runtime = process.runtime
    with _alone(process):
        workspace = await validate(runtime)
        people = await read_named(runtime, [slack_id], [])
        await _carry_out(process, await plan_named(runtime, workspace, people))


async def run_reset(process: Process) -> None:
    """The flow `reset_mappings`, for everybody."""
    runtime = process.runtime
    with _alone(process):
        workspace = await validate(runtime)
        process.plan_id = plan_reset(runtime, workspace, Accounts(), [])
        process.backup, _ = back_up(runtime, workspace, process.plan_id, [])
        os.utime(process.backup, (time.time(), time.time()))  # the disk knows nothing of virtual time
        await asyncio.sleep(BETWEEN_TASKS)
        begin(runtime, process.plan_id)
        delete_planned(runtime, workspace, process.plan_id)
        _report(process, finish(runtime, process.plan_id))


async def run_restore(process: Process) -> None:
    """The flow `restore_mappings`, for the newest backup."""
    await _restore(process, 0)


async def run_restore_of_the_first(process: Process) -> None:
    """The flow `restore_mappings`, for the oldest backup."""
    await _restore(process, -1)


async def run_relink(process: Process) -> None:
    """The flow `relink`, for the same platform at another address."""
    process.line = (await relink(process.runtime, Relation.SAME, dry_run=False)).line


async def run_relink_to_another(process: Process) -> None:
    """The flow `relink`, for another platform."""
    process.line = (await relink(process.runtime, Relation.ANOTHER, dry_run=False)).line


RUNS: Mapping[str, Run] = {
    "import": run_import,
    "trusting import": run_trusting_import,
    "saved plan": run_saved_plan,
    "cut-off plan": run_cut_off_plan,
    "undo": run_undo,
    "real time": run_realtime,
    "sweep": run_sweep,
    "reset": run_reset,
}
# In stories of later seeds alone.
LATER_RUNS: Mapping[str, Run] = {
    "late plan": run_late_plan,
    "undo of what followed": run_undo_of_what_followed,
    "restore": run_restore,
    "restore of the first": run_restore_of_the_first,
    "relink": run_relink,
}
NAMED = "named run"  # the one that is told about whom it is


def _alone(process: Process) -> RunLock:
    return RunLock(process.store, process.runtime.settings.docebo_url, PlanKind.BULK_IMPORT)


def _recent(process: Process) -> list[Plan]:
    with process.store.reading() as tables:
        return tables.plans.recent(20, PlanKind.BULK_IMPORT)


def _that_followed(process: Process) -> list[Plan]:
    with process.store.reading() as tables:
        return [plan for plan in tables.plans.recent(20) if plan.kind in AFTER_AN_IMPORT]


def _report(process: Process, summary: Summary) -> None:
    process.line = f"{process.line}; {summary.line}" if process.line else summary.line
    process.failed_people += summary.count(outcome=Outcome.FAILED)
    process.undecided_people += summary.undecided


def _unseen(_rows: int) -> None:
    pass


async def _with_retries(work: Callable[[], Awaitable[R]]) -> R:
    """Do *work* like a task that Prefect retries."""
    for delay in RETRY_DELAYS:
        try:
            return await work()
        except (TransientError, StorageError):
            await asyncio.sleep(delay)
    return await work()


async def _carry_out(process: Process, plan_id: str) -> None:
    runtime = process.runtime
    process.plan_id = plan_id

    async def process_user_details() -> None:
        begin(runtime, plan_id)
        await apply_accounts(runtime, plan_id, _unseen)

    async def map_user_details() -> None:
        await apply_mappings(runtime, plan_id)

    try:
        await _with_retries(process_user_details)
        await _with_retries(map_user_details)
    finally:
        _report(process, finish(runtime, plan_id))


async def _apply_follow_ups(process: Process, workspace: Workspace, people: SourceSnapshot) -> None:
    """Do what the task `apply_follow_ups` does."""
    refused: list[ChangeLimitExceeded] = []
    for plan in (_plan_custom_fields, _plan_moves, _plan_managers):
        plan_id = await plan(process.runtime, workspace, people)
        if plan_id is None:
            continue
        try:
            await _carry_out(process, plan_id)
        except ChangeLimitExceeded as error:
            refused.append(error)
    if refused:
        raise refused[0]


async def _plan_custom_fields(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> str | None:
    async def read_custom_fields() -> ProfilesRead:
        return await read_profiles(
            runtime, workspace, due(runtime, workspace, people), _unseen, to_compare=people.to_compare
        )

    read = await _with_retries(read_custom_fields)
    if not read.changed:
        return None
    return await _with_retries(partial(plan_enriched, runtime, workspace, people, read.changed))


async def _plan_moves(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> str | None:
    return await _with_retries(partial(plan_moves, runtime, workspace, people))


async def _plan_managers(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> str | None:
    plan_id, _ = await _with_retries(partial(plan_managers, runtime, workspace, people))
    return plan_id


async def _apply_saved(process: Process) -> None:
    with _alone(process):
        _report(process, await apply_saved(process.runtime, process.plan_id, _unseen))


async def _undo(process: Process, of: str, *, deactivate_created: bool) -> None:
    """Do what the flow `undo` does; first it finds out what became of rows that dead runs have sent for *of*."""
    with _alone(process):
        await validate(process.runtime)
        await settle_sent_by(process.runtime, of)
        process.plan_id = plan_undo(process.runtime, of, deactivate_created=deactivate_created)
        _report(process, await apply_saved(process.runtime, process.plan_id, _unseen))


async def _restore(process: Process, number: int) -> None:
    runtime = process.runtime
    with _alone(process):
        workspace = await validate(runtime)
        if found := backups(runtime.settings.report_dir):
            backup = found[number]
            count = restorable(runtime, workspace.team, backup.plan_id)
            process.line = restore_backup(runtime, workspace.team, backup.plan_id, confirm=count)
            process.restored = backup.path


async def _serve(process: Process, lease: InboxLease, *, linger_seconds: int = LINGER_SECONDS) -> None:
    workspace = await validate(process.runtime)
    served = ServeResult()
    try:
        await serve(process.runtime, workspace, lease, served, linger_seconds=linger_seconds)
    finally:
        process.line = served.line
