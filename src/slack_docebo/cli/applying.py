"""Applying a saved plan from the command line: under the lock of the import, with a look at it first."""

from typing import Any

from rich.console import Console

from slack_docebo.cli.output import note, show_json
from slack_docebo.domain.planning import Kind, Outcome
from slack_docebo.engine.importing import BULK_IMPORT, apply_saved
from slack_docebo.engine.report import Summary, summary, write_files
from slack_docebo.runtime import Runtime
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.plans import PlanState

DONE = 0
IN_PART = 5  # the exit code


async def apply_plan(runtime: Runtime, plan_id: str) -> Summary:
    """Apply the plan while no other import is at work on this Docebo, showing how far it has come."""
    planned = summary(runtime.store, plan_id)
    total = planned.count(Kind.CREATE, Kind.UPDATE, Kind.DEACTIVATE, outcome=Outcome.PLANNED)
    done = 0
    with (
        RunLock(runtime.store, runtime.settings.docebo_url, BULK_IMPORT),
        Console(stderr=True).status("Reading Docebo's users ...") as status,
    ):

        def progress(rows: int) -> None:
            nonlocal done
            done += rows
            status.update(f"{done} of {total} accounts")

        return await apply_saved(runtime, plan_id, progress)


def as_json(numbers: Summary) -> dict[str, Any]:
    """Return a plan in numbers for programs."""
    return {
        "plan": numbers.plan.id,
        "kind": numbers.plan.kind,
        "state": numbers.plan.state,
        "over_limit": numbers.plan.facts.get("over_limit", []),
        "orphans": numbers.plan.facts.get("orphans"),
        "tally": [
            {"operation": kind, "why": why, "outcome": outcome, "people": people}
            for kind, why, outcome, people in numbers.tally
        ],
    }


def conclude(runtime: Runtime, applied: Summary, *, json: bool) -> int:
    """Print what became of the plan, write the report files, and return the exit code."""
    files = write_files(runtime.store, applied.plan.id, runtime.settings.report_dir)
    if json:
        show_json(as_json(applied))
    else:
        note("\n".join([applied.line, *files.lines]))
    return DONE if applied.plan.state is PlanState.APPLIED else IN_PART
