"""The files of a report: everybody's operation and outcome, orphans, values accounts do not get, branches to make."""

import csv
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Row

from slack_docebo.domain.branches import NewBranch
from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.rules import Shortfall
from slack_docebo.domain.texts import armoured, as_json, bared, code
from slack_docebo.engine.reporting.orphans import Orphan
from slack_docebo.engine.reporting.outcomes import TABLE_ROWS
from slack_docebo.engine.reporting.shown import Cells, with_names
from slack_docebo.private_files import rewritten_file
from slack_docebo.storage.operations import REPORT_COLUMNS
from slack_docebo.storage.store import Store

ORPHAN_COLUMNS = ("finding", "slack_id", "user_id", "why", "known_as")
VALUE_COLUMNS = ("attribute", "value", "why", "people")  # of the values that accounts do not get


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """The files of a report; a run does not end over one that cannot be written, for the journal holds the same."""

    written: tuple[Path, ...]
    faults: tuple[str, ...]  # why another one is missing, and what to do

    @property
    def lines(self) -> list[str]:
        """Say where the full list is, and why it is not elsewhere."""
        full = (
            f"The full list, on the worker's disk: {' and '.join(code(str(file)) for file in self.written)}"
            if self.written
            else ""
        )
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
    _write_rows(out, REPORT_COLUMNS, rows)


def _write_records(rows: Iterable[Row[Any]], out: TextIO) -> None:
    opening = "["
    for values in rows:
        out.write(f"{opening}\n{as_json(dict(zip(REPORT_COLUMNS, values, strict=True)))}")
        opening = ","
    out.write("\n]\n" if opening == "," else "[]\n")


def orphan_file(folder: Path, plan_id: str) -> Path:
    """Return where the orphans are listed that were found when the plan was made."""
    return folder / f"{plan_id}-orphans.csv"


def write_orphans(orphans: Iterable[Orphan], file: Path, shown: PeopleShown) -> tuple[dict[str, int], str]:
    """Write *orphans* as CSV, readable by its owner only; what they are known as only where people are *shown* by names.

    Most are accounts of people whom Slack does not know, and whose names nobody would erase with somebody's.

    Returns how many there are of each kind, and why the file could not be written, "" if it could.
    """
    found = Counter[str]()

    def counted() -> Iterator[Orphan]:
        for orphan in orphans:
            found[orphan.kind] += 1
            yield orphan

    rest = counted()
    named = shown is PeopleShown.NAMES
    rows = (
        (one.kind, one.slack_id, " ".join(map(str, one.docebo_ids)), one.why, one.known_as if named else "")
        for one in rest
    )
    fault = _write(file, ORPHAN_COLUMNS, rows)
    deque(rest, maxlen=0)  # where the file could not be written, they count all the same
    return found, fault


def orphans_shown(store: Store, folder: Path, plan_id: str, shown: PeopleShown) -> list[Cells]:
    """Return the first rows of the file of orphans; those that most likely need somebody come first."""
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
            **({} if shown is PeopleShown.IDS else {"known as": bared(row.get("known_as", ""))}),
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
    """Write the values that accounts do not get, and for how many people, as CSV for its owner only.

    Attributes with *titles* are named by them.

    Returns how many values and people there are for each attribute and reason, most people first, and why the file
    could not be written, "" if it could.
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
    rows = ((called(one.target), one.value, one.why, count) for one, count in people.most_common())
    return told, _write(file, VALUE_COLUMNS, rows)


def branches_file(folder: Path, plan_id: str) -> Path:
    """Return where the branches are listed that somebody would have to make."""
    return folder / f"{plan_id}-branches.csv"


def write_branches(branches: Sequence[NewBranch], file: Path) -> str:
    """Write *branches* as CSV, readable by its owner only; return why that could not be done, "" if it could."""
    rows = ((one.code, one.title, one.parent, one.people) for one in branches)
    return _write(file, ("branch_code", "branch_name", "parent_path", "people"), rows)


def values_shown(file: Path, shown: PeopleShown) -> list[Cells]:
    """Return the first rows of a *file* of values if people are *shown* by their names; otherwise no value is shown."""
    if shown is PeopleShown.IDS:
        return []
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = islice(csv.DictReader(lines), TABLE_ROWS)
            return [{name: bared(cell) for name, cell in row.items()} for row in rows]
    except OSError:  # there is none, or the summary says why
        return []


def _write(file: Path, columns: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    """Write *rows* as CSV, readable by their owner only; return why that could not be done, "" if it could."""
    try:
        with rewritten_file(file) as out:
            _write_rows(out, columns, rows)
    except OSError as error:
        return _fault(file, error)
    return ""


def _write_rows(out: TextIO, columns: Iterable[str], rows: Iterable[Sequence[object]]) -> None:
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(map(_cell, row) for row in rows)


def _fault(file: Path, error: OSError) -> str:
    """Say why *file* is missing, in one line that says what to do."""
    if isinstance(error, FileExistsError):
        return f"{code(str(file))} was not written: something that is not a file of ours is there; move it away, or set REPORT_DIR"
    return f"{code(str(file))} was not written: {error.strerror}; correct that, or set REPORT_DIR"


def _cell(value: object) -> object:
    text = "; ".join(f"{name}={item}" for name, item in value.items()) if isinstance(value, dict) else value
    return armoured(text) if isinstance(text, str) else text
