"""Reports: what a plan would do or has done, as a summary, as a table and as files."""

import csv
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Row

from slack_docebo.domain.branches import NewBranch
from slack_docebo.domain.decisions import SEEN, Decision, Verdict, under_other_ids
from slack_docebo.domain.operations import IN_LINE, IN_LINE_AS_WRITTEN, NOT_TAKEN, OWN_FORM, Kind, Operation, Outcome
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.rules import Shortfall
from slack_docebo.domain.standing import WAITING, is_undecided
from slack_docebo.domain.texts import armoured, as_json, bared, code, markdown, without_numbers
from slack_docebo.engine.reporting.orphans import Orphan, OrphanKind
from slack_docebo.engine.reporting.shown import Cell, Cells, with_names
from slack_docebo.engine.reporting.steps import Shown, Step, words_alone
from slack_docebo.private_files import rewritten_file
from slack_docebo.storage.operations import REPORT_COLUMNS, JournalEntry
from slack_docebo.storage.plans import COVERAGE, PART_OF, Plan, PlanKind, PlanState
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

REASONS_SHOWN = 100
A_FEW = 5  # people for whom an attribute may be kept back without a word
KEPT_BACK = "Correct that in Docebo, or take the attribute out of SLACK | ATTRIBUTES."
TABLE_ROWS = 500  # what a page of Prefect's UI can be asked to show
DONE = {
    Kind.CREATE: "created",
    Kind.UPDATE: "updated",
    Kind.MOVE: "moved",
    Kind.DEACTIVATE: "deactivated",
    Kind.MAP: "mapped",
    Kind.UNMAP: "unmapped",
    Kind.LEAVE: "left alone",
}

CHANGING = tuple(kind for kind in DONE if kind is not Kind.LEAVE)
IN_WORDS = {Kind.LEAVE: "leave alone"}
MADE_FOR = {
    PlanKind.BULK_IMPORT: "Import",
    PlanKind.CUSTOM_FIELDS: "Custom profile fields",
    PlanKind.MANAGERS: "Managers",
    PlanKind.MOVES: "Moves to other branches",
    PlanKind.REALTIME_SYNC: "Real-time sync",
    PlanKind.RESET_MAPPINGS: "Reset of mappings",
    PlanKind.UNDO: "Undoing",
}
BECAME = {
    PlanState.PLANNING: "not whole",
    PlanState.PLANNED: "planned, nothing is written yet",
    PlanState.APPLYING: "at work",
    PlanState.APPLIED: "done",
    PlanState.PARTLY_APPLIED: "done in part",
    PlanState.REFUSED: "refused by a limit, nothing is written",
    PlanState.ABANDONED: "not carried out",
}
IN_SHORT = {
    PlanState.PLANNING: "not whole",
    PlanState.APPLYING: "at work",
    PlanState.PARTLY_APPLIED: "applied in part",
    PlanState.ABANDONED: "not carried out",
}


def became(kind: Kind, outcome: Outcome) -> str:
    """Return what was or would be done to somebody, in the words of people."""
    match outcome:
        case Outcome.APPLIED | Outcome.LEFT:
            return DONE[kind]
        case Outcome.PLANNED:
            return f"planned to {kind}"
        case _:
            return f"{IN_WORDS.get(kind, kind)}, {outcome}"


@dataclass(frozen=True, slots=True)
class Summary:
    """A plan in numbers."""

    plan: Plan
    tally: list[tuple[Kind, str, Outcome, int]]
    acknowledged: Mapping[Outcome, int] = field(default_factory=dict)  # of those who failed or were skipped

    def count(self, *kinds: Kind, outcome: Outcome | None = None) -> int:
        """Return how many people have one of *kinds* (any, if none is named) and *outcome* (any, if None)."""
        return sum(
            people
            for kind, _, became, people in self.tally
            if (not kinds or kind in kinds) and outcome in {None, became}
        )

    @property
    def undecided(self) -> int:
        """How many people are left alone until somebody has decided whose an account is."""
        return sum(people for kind, reason, _, people in self.tally if kind is Kind.LEAVE and is_undecided(reason))

    @property
    def failed(self) -> int:
        """How many people failed, but for those of whom somebody has acknowledged that they do, for this reason."""
        return self.count(outcome=Outcome.FAILED) - self.acknowledged.get(Outcome.FAILED, 0)

    @property
    def skipped(self) -> int:
        """How many people were skipped, but for those of whom that is acknowledged."""
        return self.count(outcome=Outcome.SKIPPED) - self.acknowledged.get(Outcome.SKIPPED, 0)

    @property
    def needs_somebody(self) -> bool:
        """Whether anybody failed, was skipped, or is left alone until somebody has decided."""
        return self.undecided + self.failed + self.skipped > 0

    @property
    def is_done(self) -> bool:
        """Whether all of the plan is carried out, but for what somebody has acknowledged."""
        is_at_end = self.plan.state in {PlanState.APPLIED, PlanState.PARTLY_APPLIED}
        return is_at_end and not (self.failed or self.skipped or self.count(outcome=Outcome.PLANNED))

    @property
    def newly_undecided(self) -> int:
        """How many of the undecided were not so in the run before."""
        before = self.plan.left_as_before.items()
        return self.undecided - sum(people for reason, people in before if is_undecided(reason))

    @property
    def kept_back(self) -> dict[str, int]:
        """For how many people an attribute stays as it is because Docebo does not take it, where they are not just a few."""
        people = Counter[str]()
        for kind, reason, _, count in self.tally:
            names = reason.removeprefix(OWN_FORM).removeprefix(NOT_TAKEN)
            if names != reason and kind is Kind.LEAVE:
                people.update(dict.fromkeys(names.split(", "), count))
        return {name: count for name, count in people.most_common() if count > A_FEW}

    @property
    def line(self) -> str:
        """One line without a name in it, for states, logs and notifications."""
        told: list[tuple[int, str]] = []
        for kind, done in DONE.items():
            settled = Outcome.LEFT if kind is Kind.LEAVE else Outcome.APPLIED
            told += [
                (self.count(kind, outcome=settled), done),
                (self.count(kind, outcome=Outcome.PLANNED), f"to {kind}"),
            ]
        told.append((self.undecided, WAITING))  # right behind those left alone, of whom they are
        told += [(self.count(outcome=outcome), outcome) for outcome in (Outcome.FAILED, Outcome.SKIPPED)]
        told.append((sum(self.acknowledged.values()), "of them acknowledged"))
        people = ", ".join(f"{count} {became}" for count, became in told if count)
        return f"plan {self.plan.id} ({IN_SHORT.get(self.plan.state, self.plan.state)}): {people or 'nobody'}"

    def told_of(self, kind: Kind) -> str:
        """Say of how many people *kind* is true, and of how many it is planned; of those left alone without who is in line."""
        people = {
            DONE[kind]: self.count(kind, outcome=Outcome.APPLIED),
            f"to {kind}": self.count(kind, outcome=Outcome.PLANNED),
            "failed": self.count(kind, outcome=Outcome.FAILED),
            "skipped": self.count(kind, outcome=Outcome.SKIPPED),
        }
        if kind is Kind.LEAVE:
            return "Newly left alone, and why; without those who are in line"
        return ", ".join(f"{number:,} {what}" for what, number in people.items() if number)

    @property
    def next_steps(self) -> list[Step]:
        """What can be done next with the plan, or about what it has done."""
        plan, steps = self.plan, []
        may_be_applied = (
            plan.state in {PlanState.PLANNED, PlanState.REFUSED} and plan.kind is not PlanKind.RESET_MAPPINGS
        )
        if may_be_applied and self.count(outcome=Outcome.PLANNED):
            anyway = " although it exceeds a limit" * (plan.state is PlanState.REFUSED)
            apply = {"plan_id": plan.id, "dry_run": False}
            steps.append(Step(f"Apply exactly this plan{anyway}", "bulk-import", apply))
            steps.append(Step("Apply a part of it first", "apply-plan", {"plan_id": plan.id, "first": 20}))
        if self.undecided:
            seen = {"action": "leave it so", "all_who_wait": True}
            steps.append(Step("Leave all who wait for a decision as they are, as seen", "decide", seen))
        if self.count(outcome=Outcome.APPLIED):
            restore = Step("Show what restoring these mappings would do", "restore-mappings", {"backup": plan.id})
            undo = Step("Show what undoing this would do", "undo", {"of": plan.id})
            steps.append(restore if plan.kind is PlanKind.RESET_MAPPINGS else undo)
        return steps

    def markdown(self, first: Iterable[str] = (), shown: Shown = words_alone) -> str:
        """Return the summary as a page: what comes *first*, counts, reasons, calls used; steps as they are *shown*."""
        lines = [
            f"# {MADE_FOR[self.plan.kind]} {self.plan.id}: {BECAME[self.plan.state]}",
            "",
            f"Slack workspace {markdown(self.plan.slack_team)} to {markdown(self.plan.docebo)}",
            "",
            *first,
            "## In numbers",
            "",
            "| operation | people | applied | failed | skipped | still planned |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        for kind in DONE:
            if people := self.count(kind):
                cells = (
                    self.count(kind, outcome=outcome)
                    for outcome in (Outcome.APPLIED, Outcome.FAILED, Outcome.SKIPPED, Outcome.PLANNED)
                )
                lines.append(
                    f"| {shown(self._people(IN_WORDS.get(kind, kind), kind))} | {people} | {' | '.join(map(str, cells))} |"
                )
        reasons = self._reasons()
        of_changes = [(kind, why, people) for kind, why, people in reasons if kind is not Kind.LEAVE]
        of_others = [(why, people) for kind, why, people in reasons if kind is Kind.LEAVE]
        if of_changes:
            rows = [f"{kind} | {markdown(why)} | {people}" for kind, why, people in of_changes]
            lines += ["", "## Why", "", "| operation | why | people |", "|---|---|--:|", *_first_rows(rows)]
        if of_others:
            rows = [f"{shown(self._people(why, Kind.LEAVE, why))} | {people}" for why, people in of_others]
            lines += ["", "## Left alone", "", "| why they are left alone | people |", "|---|--:|", *_first_rows(rows)]
        if kept_back := self.kept_back:
            told = ", ".join(f"{name} ({people} people)" for name, people in kept_back.items())
            lines += ["", f"**Not as in Slack:** {markdown(told)}. {KEPT_BACK}"]
        if levels := self.plan.facts.get("unknown_levels"):
            lines += ["", f"**Nobody is a plain user:** {markdown(str(levels))}."]
        lines += self._shortfalls()
        coverage = self.plan.facts.get(COVERAGE)
        if isinstance(coverage, list):
            known, people = coverage
            rest = "" if known == people else "; the others are read after it, and in the runs that follow"
            lines += ["", f"Custom fields of Slack profiles are known for {known:,} of {people:,} people{rest}."]
        if before := sum(self.plan.left_as_before.values()):
            where = f"`slack-docebo plan show {self.plan.id} --operation leave` lists all of them by id"
            form = shown(self._people("Who is left alone, and why", Kind.LEAVE))
            lines += ["", f"{before} of them were left alone as before, for the same reason. {form}; {where}."]
        if forgotten := self.plan.facts.get("forgotten"):
            lines += ["", f"{forgotten} more were forgotten on request, and are left alone without a row."]
        calls = self.plan.facts.get("calls")
        if isinstance(calls, dict):
            lines += [
                "",
                f"API calls: {sum(calls.values())} ({', '.join(f'{n} x {markdown(name)}' for name, n in calls.items())})",
            ]
        if evidence := self.plan.facts.get("evidence_calls"):
            at_most = self.plan.facts.get("evidence_calls_at_most")
            lines.append(
                f"Of them, {evidence} asked for people and accounts by their ids"
                + (f"; up to {at_most} were expected." if at_most else ".")
            )
        if hurting := self.plan.facts.get("hurting"):
            lines.append(
                f"{hurting} of the operations do harm if they are wrong: where the list is older than EVIDENCE_MINUTES, each"
                " account is asked for right before, at one call each, and so is Slack for those who have left or are back."
            )
        if accounts := self._accounts():
            lines += ["", accounts]
        if whole := self.plan.facts.get(PART_OF):
            lines += ["", f"This is a part of plan {whole}; the rest stays planned there."]
        if over := self.plan.over_limit:
            lines += ["", f"**Over the limit:** {markdown('; '.join(over))}"]
        remarks = self.plan.facts.get("remarks")
        if isinstance(remarks, list) and remarks:
            lines += ["", "In the settings, perhaps not meant:", "", *(f"- {markdown(str(one))}" for one in remarks)]
        if seconds := self.plan.facts.get("seconds"):
            lines.append(f"Took {seconds} s.")
        orphans = self.plan.facts.get("orphans")
        if isinstance(orphans, dict):
            lines += ["", "| orphans when the plan was made | how many |", "|---|--:|"]
            lines += [f"| {kind} | {orphans.get(kind, 0)} |" for kind in OrphanKind]
            file = f"`{orphan_file(Path(), self.plan.id)}` below `REPORT_DIR`"
            where = f"The first {TABLE_ROWS}, by id: the table *orphans*. Each of them: {file}."
            lines += ["", str(self.plan.facts.get("orphan_fault") or where)]
        return "\n".join(lines)

    def _shortfalls(self) -> list[str]:
        """Say which attributes do not get what Slack says, and where each value is listed."""
        told = self.plan.facts.get("shortfalls")
        if not isinstance(told, list) or not told:
            return []
        lines = ["", "| attribute | why it stays as it is | values | people |", "|---|---|--:|--:|"]
        lines += [
            f"| {markdown(str(one['target']))} | {markdown(str(one['why']))} | {one['values']} | {one['people']} |"
            for one in told
        ]
        where = f"Each value, with how many people have it: `{values_file(Path(), self.plan.id)}` below `REPORT_DIR`."
        lines += ["", str(self.plan.facts.get("shortfall_fault") or where)]
        if missing := self.plan.facts.get("missing_branches"):
            where = (
                f"Branches are never made from here. `{branches_file(Path(), self.plan.id)}` below `REPORT_DIR` lists the"
                f" {missing} to make in Docebo, and how many people wait for each."
            )
            lines += ["", str(self.plan.facts.get("missing_branches_fault") or where)]
        return lines

    def _accounts(self) -> str:
        """Say how many accounts Docebo has, and how many it will have."""
        if "accounts" not in self.plan.facts:
            return ""
        now, then = self.plan.facts["accounts"], self.plan.facts.get("accounts_then")
        if now is None:
            return "How many accounts Docebo has is not known yet: a run that lists them all will tell."
        if self.plan.state in {PlanState.APPLIED, PlanState.PARTLY_APPLIED}:
            return f"Docebo had {now} accounts, and {then} were to be there after this plan."
        return f"Docebo has {now} accounts, this plan makes it {then}."

    def _people(self, words: str, kind: Kind, reason: str = "") -> Step:
        return Step(words, "plan-people", {"plan_id": self.plan.id, "what": DONE[kind], "reason": reason})

    def _reasons(self) -> list[tuple[Kind, str, int]]:
        """Sum up the reasons over the outcomes, with account and Slack ids left out of the text, most people first."""
        sums: dict[tuple[Kind, str], int] = {}
        for kind, reason, _, people in self.tally:
            key = kind, summed_up(reason)
            sums[key] = sums.get(key, 0) + people
        return [(kind, why, people) for (kind, why), people in sorted(sums.items(), key=lambda item: -item[1])]


def summed_up(reason: str) -> str:
    """Return *reason* without the account and Slack ids in it: people of one reason are summed up."""
    return without_numbers(reason).removesuffix(":")


def _first_rows(rows: list[str]) -> list[str]:
    """Return *rows* as those of a table, as many as are shown, and how many there are beyond."""
    more = [f"{len(rows) - REASONS_SHOWN} more reasons, in the full list"] * (len(rows) > REASONS_SHOWN)
    return [f"| {row} |" for row in (*rows[:REASONS_SHOWN], *more)]


def summary(store: Store, plan_id: str) -> Summary:
    """Return the plan in numbers."""
    with store.reading() as tables:
        plan, told = tables.plans.read(plan_id), tables.operations.tally(plan_id)
        acknowledged = Counter[Outcome](
            entry.outcome
            for entry, _ in acknowledged_in(tables, plan)
            if entry.outcome in {Outcome.FAILED, Outcome.SKIPPED}
        )
    people = Counter({(kind, reason, outcome): count for kind, reason, outcome, count in told})
    for reason, count in plan.left_as_before.items():
        people[Kind.LEAVE, reason, Outcome.LEFT] += count
    return Summary(plan, sorted((*what, count) for what, count in people.items()), acknowledged)


def acknowledged_in(tables: Tables, plan: Plan) -> Iterator[tuple[JournalEntry, Decision]]:
    """Yield what became of those of whom somebody has acknowledged just that, each with the decision."""
    decided = tables.decisions.all(plan.slack_team)
    decisions = under_other_ids(decided, tables.people.other_ids(plan.slack_team, decided))
    seen = {slack_id: one for slack_id, one in decisions.items() if one.verdict is Verdict.LEAVE_SO}
    entries = tables.operations.of_people(plan.id, seen)
    if plan.left_as_before:
        others = seen.keys() - {entry.operation.slack_id for entry in entries}
        for slack_id, one in tables.standings.of(plan.docebo, plan.slack_team, others).items():
            left = Operation(slack_id, plan.slack_team, "", Kind.LEAVE, one.reason, one.docebo_id)
            entries.append(JournalEntry(plan.id, len(entries), left, Outcome.LEFT))
    for entry in entries:
        decision = seen[entry.operation.slack_id]
        if decision.acknowledges((entry.error or entry.operation.reason).removeprefix(SEEN)):
            yield entry, decision


def everybody(tables: Tables, plan: Plan) -> Generator[JournalEntry, None, None]:
    """Yield what became of everybody: the rows of *plan*, then whom it left alone for the reason that stood before.

    Who does not read to the end closes it within the transaction.
    """
    told = set[str]()
    with closing(tables.operations.rows(plan.id)) as entries:
        for entry in entries:
            told.add(entry.operation.slack_id)
            yield entry
    if not plan.left_as_before:
        return
    with closing(tables.standings.at(plan.created_at, plan.docebo, plan.slack_team)) as periods:
        others = (period for period in periods if period.slack_id not in told)
        for place, period in enumerate(others, len(told)):
            reason, account = period.standing.reason, period.standing.docebo_id
            left = Operation(period.slack_id, plan.slack_team, "", Kind.LEAVE, reason, account)
            yield JournalEntry(plan.id, place, left, Outcome.LEFT)


def what_became(entry: JournalEntry) -> Cells:
    """Return what was or would be done about one person, as a row of a table."""
    operation = entry.operation
    return {
        "Slack user": operation.slack_id,
        "Docebo user": operation.docebo_id,
        "operation": IN_WORDS.get(operation.kind, operation.kind),
        "outcome": entry.outcome,
        "why": entry.error or operation.reason,
        "attributes": ", ".join(operation.changes),
    }


def table(
    store: Store, plan_id: str, shown: PeopleShown, *, of: Collection[str] | None = None
) -> list[dict[str, Cell]]:
    """Return the first rows of what was or would be done, and to whom, as Prefect may show it; all, or *of* these people."""
    return _rows(store, plan_id, CHANGING, shown, of=of)


def tables_by_kind(store: Store, plan_id: str, kinds: Iterable[Kind], shown: PeopleShown) -> dict[Kind, list[Cells]]:
    """Return a table for each of *kinds*, with its first rows.

    That of people who are left alone is sorted by the reason, without those who are in line.
    """
    tables = {kind: _rows(store, plan_id, (kind,), shown) for kind in kinds}
    if Kind.LEAVE in tables:
        tables[Kind.LEAVE].sort(key=lambda row: str(row["why"]))
    return {kind: rows for kind, rows in tables.items() if rows}


def _rows(
    store: Store, plan_id: str, kinds: Iterable[Kind], shown: PeopleShown, *, of: Collection[str] | None = None
) -> list[Cells]:
    rows: list[Cells] = []
    with store.reading() as tables, closing(tables.operations.told(plan_id, *kinds)) as told:
        team = tables.plans.read(plan_id).slack_team
        for row in told:
            if row.kind == Kind.LEAVE and row.reason in {IN_LINE, IN_LINE_AS_WRITTEN}:
                continue
            if of is not None and row.slack_id not in of:
                continue
            rows.append(
                {
                    "Slack user": row.slack_id,
                    "Docebo user": row.docebo_id,
                    "operation": IN_WORDS.get(Kind(row.kind), row.kind),
                    "outcome": row.outcome,
                    "why": row.error or row.reason,
                    "attributes": ", ".join(row.changes),
                }
            )
            if len(rows) == TABLE_ROWS:
                break
        return with_names(tables, team, rows, shown)


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """The files of a report; a run does not end over one that cannot be written, for the journal holds the same."""

    written: tuple[Path, ...]
    faults: tuple[str, ...]  # why another one is missing, and what to do

    @property
    def lines(self) -> list[str]:
        """Say where the full list is, and why it is not elsewhere."""
        full = f"The full list: {' and '.join(code(str(file)) for file in self.written)}" if self.written else ""
        return [line for line in (full, *self.faults) if line]


def write_files(store: Store, plan_id: str, folder: Path) -> ReportFiles:
    """Write everybody's operation and outcome as CSV and as JSON, readable by their owner only.

    Written again, a file takes the place of the one before; what is not a file of ours keeps its place.
    """
    written, faults = [], []
    with store.reading() as tables:
        for suffix, write in ((".csv", _write_table), (".json", _write_records)):
            file = folder / f"{plan_id}{suffix}"
            try:
                with rewritten_file(file) as out:
                    write(tables.operations.told(plan_id), out)
                written.append(file)
            except OSError as error:
                faults.append(_fault(file, error))
    return ReportFiles(tuple(written), tuple(faults))


def _write_table(rows: Iterable[Row[Any]], out: TextIO) -> None:
    writer = csv.writer(out)
    writer.writerow(REPORT_COLUMNS)
    writer.writerows([_cell(value) for value in values] for values in rows)


def _write_records(rows: Iterable[Row[Any]], out: TextIO) -> None:
    opening = "["
    for values in rows:
        out.write(f"{opening}\n{as_json(dict(zip(REPORT_COLUMNS, values, strict=True)))}")
        opening = ","
    out.write("\n]\n" if opening == "," else "[]\n")


def orphan_file(folder: Path, plan_id: str) -> Path:
    """Return where the orphans are listed that were found when the plan was made."""
    return folder / f"{plan_id}-orphans.csv"


def write_orphans(orphans: Iterable[Orphan], file: Path) -> tuple[dict[str, int], str]:
    """Write *orphans* as CSV, readable by its owner only.

    Returns how many there are of each kind, and why the file could not be written, "" if it could.
    """
    found = Counter[str]()

    def counted() -> Iterator[Orphan]:
        for orphan in orphans:
            found[orphan.kind] += 1
            yield orphan

    rest, fault = counted(), ""
    try:
        with rewritten_file(file) as out:
            writer = csv.writer(out)
            writer.writerow(("finding", "slack_id", "user_id", "why"))
            for orphan in rest:
                ids = " ".join(map(str, orphan.docebo_ids))
                writer.writerow(map(_cell, (orphan.kind, orphan.slack_id, ids, orphan.why)))
    except OSError as error:
        fault = _fault(file, error)
        deque(rest, maxlen=0)  # they count all the same
    return found, fault


def orphans_shown(store: Store, folder: Path, plan_id: str, shown: PeopleShown) -> list[Cells]:
    """Return the first rows of that list, by ids; those that are most likely to want something done come first."""
    try:
        with orphan_file(folder, plan_id).open(encoding="utf-8", newline="") as file:
            found = list(islice(csv.DictReader(file), TABLE_ROWS))
    except OSError:  # there is none, or the summary says why
        return []
    rows: list[Cells] = [
        {
            "Slack user": row["slack_id"],
            "Docebo user": row["user_id"],
            "finding": row["finding"],
            "why": bared(row["why"]),
        }
        for row in found
    ]
    with store.reading() as tables:
        return with_names(tables, tables.plans.read(plan_id).slack_team, rows, shown)


def values_file(folder: Path, plan_id: str) -> Path:
    """Return where the values are listed that accounts do not get."""
    return folder / f"{plan_id}-values.csv"


def write_values(
    found: Iterable[Shortfall], titles: Mapping[str, str], file: Path
) -> tuple[list[dict[str, object]], str]:
    """Write which values accounts do not get, and of how many people each is, as CSV, readable by its owner only.

    Attributes that have *titles* bear them.

    Returns how many values and people there are for each attribute and reason, most people first, and why the file could
    not be written, "" if it could.
    """
    people = Counter(found)
    values, of_people = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one, count in people.items():
        values[one.target, one.why] += 1
        of_people[one.target, one.why] += count

    def called(target: str) -> str:
        return f"{target} ({titles[target]})" if target in titles else target

    told: list[dict[str, object]] = [
        {"target": called(target), "why": why, "values": values[target, why], "people": count}
        for (target, why), count in of_people.most_common()
    ]
    try:
        with rewritten_file(file) as out:
            writer = csv.writer(out)
            writer.writerow(("attribute", "value", "why", "people"))
            writer.writerows(map(_cell, (called(one.target), one.value, one.why, n)) for one, n in people.most_common())
    except OSError as error:
        return told, _fault(file, error)
    return told, ""


def branches_file(folder: Path, plan_id: str) -> Path:
    """Return where the branches are listed that somebody would have to make."""
    return folder / f"{plan_id}-branches.csv"


def write_branches(branches: Sequence[NewBranch], file: Path) -> str:
    """Write *branches* as CSV, readable by its owner only; return why that could not be done, "" if it could."""
    try:
        with rewritten_file(file) as out:
            writer = csv.writer(out)
            writer.writerow(("branch_code", "branch_name", "parent_path", "people"))
            writer.writerows(map(_cell, (one.code, one.title, one.parent, one.people)) for one in branches)
    except OSError as error:
        return _fault(file, error)
    return ""


def values_shown(file: Path, shown: PeopleShown) -> list[Cells]:
    """Return the first rows of a *file* of values where people are *shown* by their names; elsewhere no value is shown."""
    if shown is PeopleShown.IDS:
        return []
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = islice(csv.DictReader(lines), TABLE_ROWS)
            return [{name: bared(cell) for name, cell in row.items()} for row in rows]
    except OSError:  # there is none, or the summary says why
        return []


def _fault(file: Path, error: OSError) -> str:
    """Say why *file* is missing, in one line that says what to do."""
    if isinstance(error, FileExistsError):
        return f"{code(str(file))} was not written: something that is not a file of ours is there; move it away, or set REPORT_DIR"
    return f"{code(str(file))} was not written: {error.strerror}; correct that, or set REPORT_DIR"


def _cell(value: object) -> object:
    text = "; ".join(f"{name}={item}" for name, item in value.items()) if isinstance(value, dict) else value
    return armoured(text) if isinstance(text, str) else text
