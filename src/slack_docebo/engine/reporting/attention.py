"""People who need somebody's attention after a run, with what there is to do."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from slack_docebo.domain.advice import attention
from slack_docebo.domain.decisions import SEEN, Decision
from slack_docebo.domain.moments import in_utc
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.standing import is_undecided
from slack_docebo.domain.texts import markdown, people, without_numbers
from slack_docebo.engine.reporting.outcomes import DONE, acknowledged_in, everybody
from slack_docebo.engine.reporting.shown import Cells, called, with_names
from slack_docebo.engine.reporting.steps import Shown, Step
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.plans import Plan
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

LEFT_ALONE = "left alone"
LINKED = 10  # people of one trouble who are explained, on the page; the table has all of them
DECIDED = 100  # who are decided about at once: a link holds their ids


def attention_rows(store: Store, plan_id: str, shown: PeopleShown) -> list[Cells]:
    """Return a row for everybody of the plan who failed, was skipped, or waits for somebody's decision."""
    with store.reading() as tables:
        plan = tables.plans.read(plan_id)
        rows = list(map(_row, _in_need(tables, plan)))
        return with_names(tables, plan.slack_team, rows, shown)


@dataclass(frozen=True, slots=True)
class Alike:
    """People with the same problem, and what there is to do."""

    wrong: str
    to_do: str
    rows: list[Cells]

    @property
    def people(self) -> str:
        return people(len(self.rows))


def alike(rows: Iterable[Cells]) -> list[Alike]:
    """Return *rows* grouped by problem, without the numbers in it, the most people first."""
    found: dict[tuple[str, str], list[Cells]] = defaultdict(list)
    for row in rows:
        found[without_numbers(str(row["what is wrong"])).rstrip(" :,;"), str(row["what to do"])].append(row)
    return [Alike(*said, people) for said, people in sorted(found.items(), key=lambda item: -len(item[1]))]


def attention_lines(rows: Sequence[Cells], shown: Shown) -> list[str]:
    """Return *rows* as a part of a page: by problem, with links to explain each person and to decide."""
    if not rows:
        return []
    lines = ["## To look at", ""]
    for some in alike(rows):
        links = [shown(_explained(row)) for row in some.rows[:LINKED]]
        unlinked = len(some.rows) - LINKED
        more = f" and {unlinked} more, in the table *to look at*" if unlinked > 0 else ""
        said = f"{markdown(some.wrong)}. {markdown(some.to_do)} Explain: {', '.join(links)}{more}"
        lines.append(f"- **{some.people}**: {said}; {shown(_decided(some))}")
    return [*lines, ""]


def _decided(some: Alike) -> Step:
    ids = [row["Slack user"] for row in some.rows[:DECIDED]]
    whom = "this person" if len(ids) == 1 else "them"
    if len(some.rows) > DECIDED:
        whom = f"the first {DECIDED}"
    if some.rows[0]["what happened"] == LEFT_ALONE:
        return Step(f"Decide about {whom}", "decide", {"slack_ids": ids})
    return Step(f"Acknowledge {whom}", "decide", {"action": "leave it so", "slack_ids": ids})


def _explained(row: Cells) -> Step:
    return Step(called(row), "explain-user", {"who": row["Slack user"]})


def acknowledged_rows(store: Store, plan_id: str, shown: PeopleShown) -> list[Cells]:
    """Return a row for everybody in the plan who would need attention, had nobody acknowledged it."""
    with store.reading() as tables:
        plan = tables.plans.read(plan_id)
        rows = [_acknowledged(entry, decision) for entry, decision in acknowledged_in(tables, plan)]
        return with_names(tables, plan.slack_team, rows, shown)


def acknowledged_lines(rows: Sequence[Cells], shown: Shown) -> list[str]:
    """Return *rows* as a part of a page: how many people, by what was seen, and how to take that back."""
    if not rows:
        return []
    reasons = Counter(without_numbers(str(row["what was seen"])).rstrip(" :,;") for row in rows)
    lines = [f"- {people(count)}: {markdown(why)}" for why, count in reasons.most_common()]
    known_as = {row["Slack user"]: called(row) for row in rows}  # a person may have two reasons
    back = {"action": "take back only leave it so"}
    links = [
        shown(Step(name, "decide", {**back, "slack_ids": [slack_id]}))
        for slack_id, name in list(known_as.items())[:LINKED]
    ]
    if (unlinked := len(known_as) - LINKED) > 0:
        links.append(shown(Step(f"somebody else of {unlinked} more, by the Slack id", "decide", back)))
    told = "Nothing new: somebody has seen it. Who, why and since when is in the table *acknowledged*."
    return ["## Acknowledged", "", told, "", *lines, f"- Take that back about {', '.join(links)}", ""]


def _acknowledged(entry: JournalEntry, decision: Decision) -> Cells:
    return {
        "Slack user": entry.operation.slack_id,
        "Docebo user": entry.operation.docebo_id,
        "what happened": _became(entry),
        "what was seen": (entry.error or entry.operation.reason).removeprefix(SEEN),
        "why it is left so": decision.why,
        "by": decision.by,
        "since": in_utc(decision.since),
    }


def _in_need(tables: Tables, plan: Plan) -> Iterator[JournalEntry]:
    acknowledged = {entry.seq for entry, _ in acknowledged_in(tables, plan) if entry.outcome is not Outcome.LEFT}
    for entry in everybody(tables, plan):
        waits = entry.operation.kind is Kind.LEAVE and is_undecided(entry.operation.reason)
        if waits or (entry.outcome in {Outcome.FAILED, Outcome.SKIPPED} and entry.seq not in acknowledged):
            yield entry


def _row(entry: JournalEntry) -> Cells:
    operation = entry.operation
    what = attention_row(operation.slack_id, _became(entry), entry.outcome, entry.error or operation.reason)
    return {"Slack user": operation.slack_id, "Docebo user": operation.docebo_id, **what}


def attention_row(slack_id: str, happened: str, outcome: Outcome, told: str) -> Cells:
    """Return the row of a table for a person; *told* is the person's error or reason."""
    found = attention(outcome, told)
    return {"Slack user": slack_id, "what happened": happened, "what is wrong": found.wrong, "what to do": found.to_do}


def _became(entry: JournalEntry) -> str:
    kind = entry.operation.kind
    return LEFT_ALONE if kind is Kind.LEAVE else f"{entry.outcome}: not {DONE[kind]}"
