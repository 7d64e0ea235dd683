"""Who needs somebody's attention after a run: all of them, with what there is to do."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from slack_docebo.domain.advice import attention
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.standing import is_undecided
from slack_docebo.domain.texts import markdown, people, without_numbers
from slack_docebo.engine.reporting.report import DONE, everybody
from slack_docebo.engine.reporting.shown import Cells, with_names
from slack_docebo.engine.reporting.steps import Shown, Step
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.plans import Plan
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

LEFT_ALONE = "left alone"
LINKED = 10  # people of one trouble, on the page; the table has all of them


def attention_rows(store: Store, plan_id: str, shown: PeopleShown) -> list[Cells]:
    """Return a row for everybody of the plan who failed, was skipped, or waits for somebody's decision."""
    with store.reading() as tables:
        plan = tables.plans.read(plan_id)
        rows = list(map(_row, _in_need(tables, plan)))
        return with_names(tables, plan.slack_team, rows, shown)


@dataclass(frozen=True, slots=True)
class Alike:
    """People with whom the same is wrong, and what there is to do."""

    wrong: str
    to_do: str
    rows: list[Cells]

    @property
    def people(self) -> str:
        return people(len(self.rows))


def alike(rows: Iterable[Cells]) -> list[Alike]:
    """Return *rows* by what is wrong, without the numbers in it, most people first."""
    found: dict[tuple[str, str], list[Cells]] = defaultdict(list)
    for row in rows:
        found[without_numbers(str(row["what is wrong"])).rstrip(" :,;"), str(row["what to do"])].append(row)
    return [Alike(*said, people) for said, people in sorted(found.items(), key=lambda item: -len(item[1]))]


def attention_lines(rows: Sequence[Cells], shown: Shown) -> list[str]:
    """Return *rows* as a part of a page: by what is wrong, with links that explain each person and decide about who waits."""
    if not rows:
        return []
    lines = ["## To look at", ""]
    for some in alike(rows):
        links = [shown(_explained(row)) for row in some.rows[:LINKED]]
        more = f" and {len(some.rows) - LINKED} more, in the table *to look at*" * (len(some.rows) > LINKED)
        said = f"{markdown(some.wrong)}. {markdown(some.to_do)} Explain: {', '.join(links)}{more}"
        decide = f"; {shown(_decided(some))}" * (some.rows[0]["what happened"] == LEFT_ALONE)
        lines.append(f"- **{some.people}**: {said}{decide}")
    return [*lines, ""]


def _decided(some: Alike) -> Step:
    ids = [row["Slack user"] for row in some.rows[:LINKED]]
    whom = f"the first {LINKED}" if len(some.rows) > LINKED else "them" if len(ids) > 1 else "this person"
    return Step(f"Decide about {whom}", "decide", {"slack_ids": ids})


def _explained(row: Cells) -> Step:
    called = f" ({row['name']})" if row.get("name") else ""
    return Step(f"{row['Slack user']}{called}", "explain-user", {"who": row["Slack user"]})


def _in_need(tables: Tables, plan: Plan) -> Iterator[JournalEntry]:
    for entry in everybody(tables, plan):
        waits = entry.operation.kind is Kind.LEAVE and is_undecided(entry.operation.reason)
        if waits or entry.outcome in {Outcome.FAILED, Outcome.SKIPPED}:
            yield entry


def _row(entry: JournalEntry) -> Cells:
    operation = entry.operation
    found = attention(entry.outcome, entry.error or operation.reason)
    became = LEFT_ALONE if operation.kind is Kind.LEAVE else f"{entry.outcome}: not {DONE[operation.kind]}"
    return {
        "Slack user": operation.slack_id,
        "Docebo user": operation.docebo_id,
        "what happened": became,
        "what is wrong": found.wrong,
        "what to do": found.to_do,
    }
