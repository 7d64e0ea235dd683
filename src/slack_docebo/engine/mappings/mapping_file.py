"""Mappings as a CSV file: a backup, an export, or a table made elsewhere.

Cells are written armoured and read bared: see slack_docebo.domain.texts.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from slack_docebo.delimited import BadTableError, read_rows
from slack_docebo.domain.people import Mapping
from slack_docebo.domain.stamps import UNSTAMPED
from slack_docebo.domain.texts import LONGEST_NAME, armoured, bared, bounded
from slack_docebo.errors import ConfigurationError, StorageError
from slack_docebo.given_files import UnusableFileError, read_given_text
from slack_docebo.private_files import new_file
from slack_docebo.storage.mappings import MappingRecord

NEEDED = ("slack_id", "slack_name", "slack_team", "user_id")
REMEMBERED = ("fingerprint", "echo", "slack_updated", "mapped_at", "changed_at")
DEACTIVATED = "deactivated"  # older backups lack this column, and have the word as fingerprint
DOCEBO = "docebo"  # they lack this one, too
HIGHEST_ID = 2**63 - 1
LARGEST = 100_000_000  # bytes: some 500,000 mappings as a backup has them
SLACK_ID = re.compile(r"[A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class BadRow:
    """Why the row that begins at *line* of a file, or comes from the account of that id, cannot be used."""

    line: int
    reason: str


def write_mappings(path: Path, records: Iterable[MappingRecord], *, docebo: str = "") -> int:
    """Write *records* to a new file that only its owner can read, and return how many there were.

    *docebo* is the address of the platform whose accounts they name; on another one the same ids are other people's.
    The file is there in full or not at all. Raises StorageError if it exists or cannot be written.
    """
    count = 0
    with _new_file(path) as out:
        writer = csv.writer(out)
        writer.writerow((*NEEDED, *REMEMBERED, DEACTIVATED, DOCEBO))
        for record in records:
            mapping = record.mapping
            writer.writerow(
                (
                    mapping.slack_id,
                    armoured(mapping.slack_name),
                    mapping.slack_team,
                    mapping.docebo_id,
                    armoured(mapping.fingerprint),
                    armoured(mapping.echo),
                    max(record.slack_updated, UNSTAMPED),
                    record.mapped_at.isoformat(),
                    record.changed_at.isoformat(),
                    "true" if mapping.deactivated else "",
                    docebo,
                )
            )
            count += 1
    return count


class MappingFile:
    """The rows of a CSV file, or of its text; after they were read, `bad` has those that cannot be used."""

    def __init__(self, source: Path | str, *, team: str, team_name: str = "", docebo: str = "") -> None:
        """Read the file at once; raise ConfigurationError if it cannot be read, is no file or no text.

        The *source* is its path, or what somebody has pasted of it.

        Rows of another workspace than *team*, or another platform than that at the address *docebo*, cannot be used.
        """
        self._name = "the table" if isinstance(source, str) else source.name
        try:
            self._text = source if isinstance(source, str) else read_given_text(source, largest=LARGEST)
        except UnusableFileError as error:
            raise ConfigurationError(f"{source} {error}") from None
        self._team = team
        self._teams = {"", team, team_name}  # some exports name the workspace, others leave it out
        self._docebo = docebo
        self.bad: list[BadRow] = []

    def mappings(self, *, now: datetime) -> Iterator[tuple[int, MappingRecord]]:
        """Yield line and mapping of each row, with the columns of NEEDED and nothing else."""
        for line, cells in self._rows(NEEDED):
            if self._passes(line, self._fault(cells)):
                name = bounded(cells["slack_name"], LONGEST_NAME)
                mapping = Mapping(cells["slack_id"].strip(), self._team, name, int(cells["user_id"]))
                yield line, MappingRecord(mapping, 0, now, now)

    def records(self) -> Iterator[tuple[int, MappingRecord]]:
        """Yield line and mapping of each row of a backup, with all its columns."""
        for line, cells in self._rows((*NEEDED, *REMEMBERED)):
            if self._passes(line, self._fault(cells) or _fault_of_memory(cells)):
                yield line, self._record(cells)

    def _rows(self, names: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the line on which a row begins, and its cells by column; the header may be written in any case."""
        header: list[str] = []
        try:
            for line, row in read_rows(self._text):
                if not header:
                    header = self._header(row, names)
                elif len(row) == len(header):
                    yield line, {name: bared(cell) for name, cell in zip(header, row, strict=True)}
                else:
                    self._passes(line, f"{len(row)} cells, the first line has {len(header)}")
        except BadTableError as error:
            raise ConfigurationError(f"{self._name}, {error}") from None
        if not header:
            self._header([], names)

    def _header(self, row: list[str], names: tuple[str, ...]) -> list[str]:
        header = [name.strip().lower().replace(" ", "_") for name in row]
        if missing := [name for name in names if name not in header]:
            raise ConfigurationError(f"{self._name}: the first line lacks the columns {', '.join(missing)}")
        if doubled := [name for name in (*names, DEACTIVATED, DOCEBO) if header.count(name) > 1]:
            raise ConfigurationError(f"{self._name}: the first line has more than one column {', '.join(doubled)}")
        return header

    def _record(self, cells: dict[str, str]) -> MappingRecord:
        by_fingerprint = cells["fingerprint"] == DEACTIVATED
        return MappingRecord(
            Mapping(
                cells["slack_id"].strip(),
                self._team,
                cells["slack_name"],
                int(cells["user_id"]),
                fingerprint="" if by_fingerprint else cells["fingerprint"],
                echo=cells["echo"],
                deactivated=by_fingerprint or cells.get(DEACTIVATED) == "true",
            ),
            int(cells["slack_updated"]),
            datetime.fromisoformat(cells["mapped_at"]),
            datetime.fromisoformat(cells["changed_at"]),
        )

    def _fault(self, cells: dict[str, str]) -> str:
        if not SLACK_ID.fullmatch(cells["slack_id"].strip()):
            return "slack_id is not a Slack user id like U012AB3CD"
        if not _is_number(cells["user_id"], lowest=1):
            return "user_id is not the number of a Docebo user"
        if cells["slack_team"].strip() not in self._teams:
            return f"slack_team is not the linked workspace, {self._team}"
        if self._docebo and cells.get(DOCEBO, "").strip().rstrip("/") not in {"", self._docebo}:
            return (
                f"docebo is another platform than DOCEBO_URL, {self._docebo}, where the same ids are other people's; if"
                " it is the same one under a former address, write the new one into that column"
            )
        return ""

    def _passes(self, line: int, fault: str) -> bool:
        if fault:
            self.bad.append(BadRow(line, fault))
        return not fault


def _fault_of_memory(cells: dict[str, str]) -> str:
    try:
        moments = [datetime.fromisoformat(cells[name]) for name in ("mapped_at", "changed_at")]
        aware = all(moment.tzinfo and moment.astimezone(UTC) for moment in moments)
    except (ValueError, OverflowError):  # the latter of a year that is none in UTC
        aware = False
    usable = aware and _is_number(cells["slack_updated"], lowest=0)
    return "" if usable else "slack_updated, mapped_at or changed_at is not as it was written"


def _is_number(text: str, *, lowest: int) -> bool:
    digits = text.strip()
    return digits.isascii() and digits.isdecimal() and len(digits) < 20 and lowest <= int(digits) <= HIGHEST_ID


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    try:
        with new_file(path) as out:
            yield out
    except FileExistsError:
        raise StorageError(f"{path} is there already: name another file") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None
