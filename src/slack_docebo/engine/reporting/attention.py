"""Who needs somebody's attention after a run: all of them, with what there is to do."""

from collections.abc import Iterator

from slack_docebo.domain.advice import attention
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.planning import Kind, Outcome
from slack_docebo.domain.standing import is_undecided
from slack_docebo.engine.reporting.report import DONE, everybody
from slack_docebo.engine.reporting.shown import Cell, with_names
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.plans import Plan
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables


def attention_rows(store: Store, plan_id: str, shown: PeopleShown) -> list[dict[str, Cell]]:
    """Return a row for everybody of the plan who failed, was skipped, or waits for somebody's decision."""
    with store.reading() as tables:
        plan = tables.plans.read(plan_id)
        rows = list(map(_row, _in_need(tables, plan)))
        return with_names(tables, plan.slack_team, rows, shown)


def _in_need(tables: Tables, plan: Plan) -> Iterator[JournalEntry]:
    for entry in everybody(tables, plan):
        waits = entry.operation.kind is Kind.LEAVE and is_undecided(entry.operation.reason)
        if waits or entry.outcome in {Outcome.FAILED, Outcome.SKIPPED}:
            yield entry


def _row(entry: JournalEntry) -> dict[str, Cell]:
    operation = entry.operation
    found = attention(entry.outcome, entry.error or operation.reason)
    became = "left alone" if operation.kind is Kind.LEAVE else f"{entry.outcome}: not {DONE[operation.kind]}"
    return {
        "Slack user": operation.slack_id,
        "Docebo user": operation.docebo_id,
        "what happened": became,
        "what is wrong": found.wrong,
        "what to do": found.to_do,
    }
