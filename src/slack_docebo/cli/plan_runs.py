"""`slack-docebo plan make` and `apply`: a plan is made or applied from the command line, under the import's lock."""

import asyncio
from pathlib import Path

from rich.console import Console

from slack_docebo.cli.exit_codes import DONE, DONE_IN_PART
from slack_docebo.cli.output import Json, Yes, confirm, note, show_json, show_markdown
from slack_docebo.cli.plans import PlanId, as_json
from slack_docebo.cli.session import open_changing_session
from slack_docebo.domain.effects import TO_ACCOUNTS
from slack_docebo.domain.operations import Outcome
from slack_docebo.engine.importing import apply_saved, plan_import
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.engine.reporting.summary import Summary, summary
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.runtime import Runtime
from slack_docebo.storage.gate import import_lock
from slack_docebo.storage.store import Store


def make(*, json: Json = False) -> None:
    """Make a plan and print it in numbers."""
    asyncio.run(_make(json=json))


def apply(plan_id: PlanId, *, yes: Yes = False, json: Json = False) -> int:
    """Apply the plan, once that is confirmed, and return the exit code."""
    return asyncio.run(_apply(plan_id, yes=yes, json=json))


async def _make(*, json: bool) -> None:
    async with open_changing_session() as runtime:
        with import_lock(runtime.store, runtime.settings.docebo_url, holder="slack-docebo plan make"):
            made = finish(runtime, await plan_import(runtime))
    if json:
        show_json(as_json(made))
    else:
        show_markdown(made.markdown())


async def _apply(plan_id: str, *, yes: bool, json: bool) -> int:
    async with open_changing_session() as runtime:
        if not yes:
            planned = summary(runtime.store, plan_id)
            note(planned.line)
            confirm("Apply it?", otherwise=f"nothing was written: plan {planned.plan.id} was not confirmed")
        applied = await apply_plan(runtime, plan_id)
        return conclude(runtime.store, runtime.settings.report_dir, applied, json=json)


async def apply_plan(runtime: Runtime, plan_id: str) -> Summary:
    """Apply the plan while no other import is at work on this Docebo, showing how far it has come."""
    planned = summary(runtime.store, plan_id)
    total = planned.count(*TO_ACCOUNTS, outcome=Outcome.PLANNED)
    done = 0
    with (
        import_lock(runtime.store, runtime.settings.docebo_url, holder=f"applying plan {plan_id}"),
        Console(stderr=True).status("Reading Docebo's users ...") as status,
    ):

        def progress(rows: int) -> None:
            nonlocal done
            done += rows
            status.update(f"{done} of {total} accounts")

        return await apply_saved(runtime, plan_id, progress)


def conclude(store: Store, report_dir: Path, applied: Summary, *, json: bool) -> int:
    """Print what became of the plan, write the report files to *report_dir*, and return the exit code."""
    files = write_files(store, applied.plan.id, report_dir)
    if json:
        show_json(as_json(applied))
    else:
        note(applied.line, *files.lines)
    return DONE if applied.is_done else DONE_IN_PART
