"""`slack-docebo plan`: the saved plans, which are also the journal of past runs."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.markdown import Markdown

from slack_docebo.cli.output import Json, show_json, show_rows
from slack_docebo.cli.session import open_store
from slack_docebo.engine.report import summary, table
from slack_docebo.storage.plans import PlanRepository

app = App(name="plan", help="List and show plans.")

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
def show(plan_id: PlanId, *, json: Json = False) -> None:
    """Show what a plan would do or has done, in numbers and by id."""
    with open_store() as store:
        numbers, rows = summary(store, plan_id), table(store, plan_id)
    if json:
        show_json({"plan": numbers.plan.id, "state": numbers.plan.state, "tally": numbers.tally, "operations": rows})
    else:
        Console().print(Markdown(numbers.markdown()))
        show_rows(rows, json=False, empty="Nothing to do.")
