"""`slack-docebo plan`: the saved plans, which are also the journal of past runs."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.markdown import Markdown

from slack_docebo.cli.applying import apply_plan, as_json, conclude
from slack_docebo.cli.output import Json, Yes, confirm, note, show_json, show_rows
from slack_docebo.cli.session import open_session, open_store
from slack_docebo.domain.planning import Kind, Outcome
from slack_docebo.engine.comparing import compare
from slack_docebo.engine.importing import BULK_IMPORT, plan_import
from slack_docebo.engine.report import finish, summary
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.plans import Entry, PlanRepository

app = App(name="plan", help="List, show, compare, make and apply plans.")

Limit = Annotated[int, Parameter(help="How many at the most.")]
PlanId = Annotated[str, Parameter(help="Id of the plan, as the run's summary and `plan list` show it.")]


@app.command(name="list")
def list_(*, limit: Limit = 20, json: Json = False) -> None:
    """List the newest plans."""
    with open_store() as store, store.reading() as connection:
        plans = PlanRepository(connection).recent(limit)
    rows = [
        {"plan": plan.id, "kind": plan.kind, "state": plan.state, "made": f"{plan.created_at:%Y-%m-%d %H:%M} UTC"}
        for plan in plans
    ]
    show_rows(rows, json=json, empty="There is no plan yet.")


@app.command
def show(
    plan_id: PlanId,
    *,
    operation: Annotated[tuple[Kind, ...], Parameter(help="Only these operations; else all but `leave`.")] = (),
    outcome: Annotated[tuple[Outcome, ...], Parameter(help="Only operations that came to this.")] = (),
    user: Annotated[str, Parameter(help="Only this Slack id.")] = "",
    limit: Limit = 100,
    values: Annotated[bool, Parameter(negative="", help="Show old and new values, which are personal data.")] = False,
    json: Json = False,
) -> None:
    """Show what a plan would do or has done, in numbers and by id."""
    kinds = operation or tuple(Kind if user or outcome else set(Kind) - {Kind.LEAVE})
    with open_store() as store:
        numbers = summary(store, plan_id)
        with store.reading() as connection:
            wanted = (
                entry
                for entry in PlanRepository(connection).rows(plan_id)
                if entry.operation.kind in kinds
                and (not outcome or entry.outcome in outcome)
                and user in {"", entry.operation.slack_id}
            )
            rows = [_row(entry, values=values) for entry in islice(wanted, limit)]
    if json:
        show_json({**as_json(numbers), "operations": rows})
    else:
        if not (operation or outcome or user):
            Console().print(Markdown(numbers.markdown()))
        show_rows(rows, json=False, empty="No such operation.")


@app.command
def diff(one: PlanId, other: PlanId, *, limit: Limit = 100, json: Json = False) -> None:
    """Show for whom the second plan differs from the first, and in what."""
    with open_store() as store:
        rows = [
            {
                "Slack user": difference.slack_id,
                one: difference.kinds[0],
                other: difference.kinds[1],
                "why then": difference.reasons[0],
                "why now": difference.reasons[1],
                "attributes": ", ".join(difference.attributes),
            }
            for difference in islice(compare(store, one, other), limit)
        ]
    show_rows(rows, json=json, empty="The plans say the same about everybody.")


@app.command
def make(*, json: Json = False) -> None:
    """Make a plan: read both sides and say what an import would do; nothing is written to Docebo."""
    asyncio.run(_make(json=json))


@app.command
def apply(plan_id: PlanId, *, yes: Yes = False, json: Json = False) -> int:
    """Apply exactly this plan, also one that was refused for its size; what has changed since is skipped."""
    return asyncio.run(_apply(plan_id, yes=yes, json=json))


async def _make(*, json: bool) -> None:
    async with open_session() as runtime:
        with RunLock(runtime.store, runtime.settings.docebo_url, BULK_IMPORT):
            made = finish(runtime, await plan_import(runtime))
    if json:
        show_json(as_json(made))
    else:
        Console().print(Markdown(made.markdown()))


async def _apply(plan_id: str, *, yes: bool, json: bool) -> int:
    async with open_session() as runtime:
        if not yes:
            planned = summary(runtime.store, plan_id)
            note(planned.line)
            confirm("Apply it?", otherwise=f"nothing was written: plan {planned.plan.id} was not confirmed")
        return conclude(runtime, await apply_plan(runtime, plan_id), json=json)


def _row(entry: Entry, *, values: bool) -> dict[str, Any]:
    operation = entry.operation
    row: dict[str, Any] = {
        "Slack user": operation.slack_id,
        "Docebo user": operation.docebo_id,
        "operation": operation.kind,
        "attributes": ", ".join(operation.changes),
        "outcome": entry.outcome,
        "why": entry.error or operation.reason,
    }
    if values:
        row["attributes"] = _changes(operation.changes.items(), operation.before)
    return row


def _changes(changes: Iterable[tuple[str, object]], before: Any) -> str:
    return "; ".join(
        f"{name}: {before[name]!r} -> {to!r}" if name in before else f"{name}: {to!r}" for name, to in changes
    )
