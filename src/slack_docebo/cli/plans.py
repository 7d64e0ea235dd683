"""`slack-docebo plan`: the saved plans, which are also the journal of past runs."""

from collections.abc import Iterable
from contextlib import closing
from typing import Annotated, Any

from cyclopts import App, Parameter

from slack_docebo.cli.output import Json, Limit, first, required, show_json, show_markdown, show_rows
from slack_docebo.cli.store import open_store
from slack_docebo.domain.moments import in_utc
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.texts import shortened
from slack_docebo.engine.reporting.comparing import compare
from slack_docebo.engine.reporting.outcomes import everybody
from slack_docebo.engine.reporting.summary import MADE_FOR, Summary, summary
from slack_docebo.storage.operations import JournalEntry

app = App(name="plan")

LONGEST_SHOWN = 200  # of a value

PlanId = Annotated[
    str,
    Parameter(
        validator=required("no plan is named: give its id, as `plan list` shows it"),
        help="Id of the plan, as the run's summary and `plan list` show it.",
    ),
]


@app.command(name="list")
def list_(*, limit: Limit = 20, json: Json = False) -> None:
    """List the newest plans."""
    with open_store() as store:
        with store.reading() as tables:
            plans = tables.plans.recent(limit)
        rows = [
            {
                "plan": plan.id,
                "kind": plan.kind if json else MADE_FOR[plan.kind],
                "state": plan.state if json else summary(store, plan.id).in_short,
                "made": in_utc(plan.created_at),
            }
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
        with store.reading() as tables, closing(everybody(tables, numbers.plan)) as entries:
            wanted = (
                entry
                for entry in entries
                if entry.operation.kind in kinds
                and (not outcome or entry.outcome in outcome)
                and user in {"", entry.operation.slack_id}
            )
            rows = [_row(entry, values=values) for entry in first(wanted, limit)]
    if json:
        show_json({**as_json(numbers), "operations": rows})
    else:
        if not (operation or outcome or user):
            show_markdown(numbers.markdown())
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
            for difference in first(compare(store, one, other), limit)
        ]
    show_rows(rows, json=json, empty="The plans say the same about everybody.")


app.command(
    "slack_docebo.cli.plan_runs:make",
    help="Make a plan: read both sides and say what an import would do; nothing is written to Docebo.",
)
app.command(
    "slack_docebo.cli.plan_runs:apply",
    help="Apply exactly this plan, also one that was refused for its size; what has changed since is skipped.",
)


def as_json(numbers: Summary) -> dict[str, Any]:
    """Return a plan in numbers for programs."""
    return {
        "plan": numbers.plan.id,
        "kind": numbers.plan.kind,
        "state": numbers.plan.state,
        "over_limit": numbers.plan.facts.get("over_limit", []),
        "accounts": numbers.plan.facts.get("accounts"),
        "accounts_then": numbers.plan.facts.get("accounts_then"),
        "orphans": numbers.plan.facts.get("orphans"),
        "tally": [
            {"operation": kind, "why": why, "outcome": outcome, "people": people}
            for kind, why, outcome, people in numbers.tally
        ],
        "acknowledged": {outcome.value: people for outcome, people in numbers.acknowledged.items()},
    }


def _row(entry: JournalEntry, *, values: bool) -> dict[str, Any]:
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
        f"{name}: {_value(before[name])} -> {_value(to)}" if name in before else f"{name}: {_value(to)}"
        for name, to in changes
    )


def _value(value: object) -> str:
    return f"'{shortened(value, LONGEST_SHOWN)}'" if isinstance(value, str) else str(value)
