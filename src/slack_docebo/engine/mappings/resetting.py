"""Resetting the mappings: they are planned for deletion, backed up, and deleted. Accounts stay."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from slack_docebo.domain.decisions import NEVER, is_never
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.texts import people, some_of, without_unseen
from slack_docebo.domain.unmirroring import REASON, unmirroring
from slack_docebo.engine.mappings.mapping_file import MappingFile, write_mappings
from slack_docebo.engine.planning.drafts import new_plan
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.writing.admitting import check_halt
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.runtime import Runtime
from slack_docebo.storage.faults import translated_files
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind, PlanState
from slack_docebo.storage.statements import chunks
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

MAPPINGS_AT_ONCE = 5000  # deleted in one transaction


def confirmation(workspace: Workspace, slack_ids: Collection[str]) -> str:
    """Return what confirms a reset: the name of the workspace, for everybody after "everybody of".

    An empty list must not do more than a short one by the same words.
    """
    name = _as_shown(workspace.name)
    return name if slack_ids else f"everybody of {name}"


def check_confirmation(workspace: Workspace, slack_ids: Collection[str], confirm: str) -> None:
    """Raise NotConfirmed unless *confirm* is exactly the confirmation."""
    wanted = confirmation(workspace, slack_ids)
    if _as_shown(confirm) != wanted or not _as_shown(workspace.name):
        whose = people(len(set(slack_ids))) if slack_ids else "everybody"
        raise NotConfirmed(
            f"nothing was deleted; to delete the mappings of {whose} in workspace {workspace.team}, type exactly this:"
            f" {wanted}"
        )


def _as_shown(text: str) -> str:
    """Return *text* as a page shows it, and as it can be typed or pasted from there: with single, inner blanks."""
    return " ".join(without_unseen(text).split())


def plan_reset(runtime: Runtime, workspace: Workspace, accounts: Accounts, slack_ids: Collection[str]) -> str:
    """Plan the deletion of all mappings of the workspace, or of *slack_ids*, and return the plan's id.

    The mirrored fields of *accounts* are planned to be emptied. People whom somebody has decided never to touch are
    skipped. The plan is stored as abandoned, so that nobody can apply it before `back_up`. Raises ConfigurationError
    where one of *slack_ids* has no mapping.
    """
    _check_named(runtime.store, runtime.settings.docebo_url, workspace, slack_ids)
    plan = new_plan(runtime, workspace, PlanKind.RESET_MAPPINGS, PlanState.ABANDONED)
    emptied = 0  # fields come before mappings in the plan: a reset that is cut off in between can be repeated
    with runtime.store.transaction() as tables:
        tables.platforms.take(plan.docebo)
        tables.plans.create(plan)
        for some in chunks(_unmirroring(runtime, workspace, accounts, slack_ids)):
            tables.operations.add(plan.id, emptied, some)
            emptied += len(some)
        tables.operations.add_unmappings(plan.id, emptied, team=workspace.team, slack_ids=slack_ids, reason=REASON)
        _skip_whom_nobody_may_touch(tables, plan)
    return plan.id


def deletion_step(workspace: Workspace, slack_ids: Sequence[str]) -> Step:
    """Return the step that does what was planned, and what is to be typed there."""
    words = f"Delete these mappings: to confirm, type {confirmation(workspace, slack_ids)}"
    return Step(words, "reset-mappings", {"slack_ids": list(slack_ids), "dry_run": False})


def back_up(runtime: Runtime, workspace: Workspace, plan_id: str, slack_ids: Collection[str]) -> tuple[Path, int]:
    """Write the mappings that the plan deletes to a new file; return its path and their number.

    After that the plan may be carried out. A plan that may be carried out already keeps its backup: some of the
    mappings in it may be deleted by now.
    """
    path = _backup_file(runtime.settings.report_dir, plan_id)
    with runtime.store.reading() as tables:
        if tables.plans.read(plan_id).state is not PlanState.ABANDONED:
            return path, sum(count for kind, _, _, count in tables.operations.tally(plan_id) if kind is Kind.UNMAP)
        with translated_files(str(path)):
            path.unlink(missing_ok=True)  # of a try that was cut off before it deleted anything
        mappings = tables.mappings(runtime.settings.docebo_url)
        count = write_mappings(path, mappings.records(workspace.team, slack_ids), docebo=runtime.settings.docebo_url)
    with runtime.store.transaction() as tables:
        tables.plans.set_state(plan_id, PlanState.PLANNED)
    return path, count


def delete_planned(runtime: Runtime, workspace: Workspace, plan_id: str) -> int:
    """Delete the mappings that the plan names and its backup holds as they are, and return their number.

    The outcomes are recorded with them. Raises ConfigurationError where there is no backup.
    """
    backup = MappingFile(_backup_file(runtime.settings.report_dir, plan_id), team=workspace.team)
    backed_up = {
        record.mapping.slack_id: (record.mapping.docebo_id, record.changed_at) for _, record in backup.records()
    }
    with runtime.store.reading() as tables:
        total = sum(count for _, _, _, count in tables.operations.tally(plan_id))
    deleted = 0
    for first in range(0, total, MAPPINGS_AT_ONCE):
        seqs = range(first, first + MAPPINGS_AT_ONCE)
        with runtime.store.transaction() as tables:
            check_halt(runtime, tables)
            now, docebo = runtime.now(), runtime.settings.docebo_url
            deleted += tables.mappings(docebo).delete_planned(plan_id, workspace.team, seqs, backed_up)
            tables.operations.record_range(plan_id, Kind.UNMAP, seqs, now=now, flow_run=runtime.run_id)
            tables.standings.end_of_unmapped(docebo, workspace.team, plan_id, seqs, now=now)
    return deleted


def _backup_file(report_dir: Path, plan_id: str) -> Path:
    return report_dir / f"mappings-{plan_id}.csv"


def _check_named(store: Store, docebo: str, workspace: Workspace, slack_ids: Collection[str]) -> None:
    with store.reading() as tables:
        known = tables.mappings(docebo).of(workspace.team, slack_ids)
    if unknown := sorted(set(slack_ids) - known.keys()):
        raise ConfigurationError(f"nothing was deleted: these Slack users have no mapping: {some_of(unknown)}")


def _skip_whom_nobody_may_touch(tables: Tables, plan: Plan) -> None:
    known = tables.binding(plan.slack_team)
    skipped = [
        RowOutcome(entry.seq, Outcome.SKIPPED, entry.operation.docebo_id, NEVER)
        for entry in tables.operations.of_people(plan.id, known)
        if is_never(known, entry.operation)
    ]
    tables.operations.record(plan.id, skipped, now=plan.created_at, flow_run=plan.flow_run)


def _unmirroring(
    runtime: Runtime, workspace: Workspace, accounts: Accounts, slack_ids: Collection[str]
) -> Iterator[Operation]:
    if mirror := runtime.mirror:
        for account in accounts:
            operation = unmirroring(account, mirror, workspace.team, slack_ids)
            if operation and not shielded(account, runtime.behaviour.protected_accounts):
                yield operation
