"""Forgetting a person: numbers stay, everything that identifies the person is erased, and runs leave them alone."""

import csv
import errno
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slack_docebo.domain.addresses import as_meant
from slack_docebo.domain.people import SLACK_ID
from slack_docebo.domain.texts import as_json, number_of
from slack_docebo.engine.reporting.files import VALUE_COLUMNS
from slack_docebo.errors import ConfigurationError
from slack_docebo.private_files import is_draft, is_ours, rewritten_file
from slack_docebo.storage.account_digests import addresses_of_accounts, blank_accounts_of
from slack_docebo.storage.personal import rows_about
from slack_docebo.storage.statements import without_mention
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

LARGEST_FILE = 200_000_000  # bytes; ours have some hundred a person


@dataclass(frozen=True, slots=True)
class Traces:
    """What is stored about one person, or was until it was erased."""

    mappings: int
    people: int  # in each workspace, what was last applied
    events: int
    operations: int
    standings: int
    decisions: int  # by hand
    profiles: int  # custom profile fields as Slack told them last, in each workspace
    leavers: int  # since when the person was seen to have left, in each workspace
    rows: Mapping[Path, int]  # of each report, export or backup
    left: Mapping[Path, str]  # files that are left as they are although the person may be in them, and why

    @property
    def lines(self) -> list[str]:
        """Say where how much is stored, without anybody's data."""
        counts = (
            ("mapping", self.mappings, ""),
            ("record", self.people, " of what was last applied"),
            ("event", self.events, " in the inbox"),
            ("operation", self.operations, " in the journal"),
            ("reason", self.standings, " to leave the person alone"),
            ("decision", self.decisions, " by hand"),
            ("record", self.profiles, " of custom profile fields"),
            ("note", self.leavers, " that the person has left"),
            *(("row", count, f" in {file}") for file, count in self.rows.items()),
        )
        return [f"{number_of(noun, count)}{which}" for noun, count, which in counts if count]


class _NotAReport(Exception):
    """The file is not in a form that we write."""


def find_person(store: Store, who: str) -> str:
    """Return the Slack id of *who*, which is one already, or an e-mail address in inbox or journal.

    Raises ConfigurationError for anything else, and where nobody or several people have had the address.
    """
    who = as_meant(who)
    if "@" not in who:
        return slack_id_of(who)
    with store.reading() as tables:
        ids = sorted(tables.inbox.bearers(who) | tables.journal.bearers(who))
    if not ids:
        raise ConfigurationError("neither inbox nor journal hold this address: give the person's Slack id (U...)")
    if len(ids) > 1:
        raise ConfigurationError(f"several people have borne this address: give one Slack id of {', '.join(ids)}")
    return ids[0]


def traces(store: Store, report_dir: Path, slack_id: str) -> Traces:
    """Return what `forget` would erase; nothing is changed."""
    with store.reading() as tables:
        ids = ids_of_person(tables, slack_id)
        return _counted(tables, ids, *_in_files(report_dir, ids, _own_addresses(tables, ids), erase=False))


def forget(store: Store, report_dir: Path, slack_id: str) -> Traces:
    """Erase the person from inbox, mapping, journal and the files below *report_dir*; return what was erased.

    All Slack ids of the person are erased. Digests of them and of the person's addresses are stored, by which runs
    leave the person alone from then on; not those of an address that somebody else has had, too. An operation that was
    still planned is never carried out. Links are not followed, and a file that is no report, export or backup of ours
    is named and left as it is. Raises ConfigurationError where *slack_id* cannot be one.
    """
    with store.transaction() as tables:
        ids = ids_of_person(tables, slack_id)
        erased = _counted(tables, ids, {}, {})
        addresses = _own_addresses(tables, ids)
        of_accounts = addresses_of_accounts(tables.connection, ids)
        digests = of_accounts | tables.people.addresses_left_with(ids)
        tables.exclusions.add([*ids, *addresses], now=datetime.now(UTC), digests=digests)
        for each in ids:
            blank_accounts_of(tables.connection, each, addresses)
        for each in ids:
            tables.people.forget(each)
            tables.inbox.forget(each)
            tables.journal.forget(each, addresses)
            tables.standings.forget(each)
            tables.names.forget(each)
            tables.profiles.forget(each)
            tables.leavers.forget(each)
            tables.decisions.forget(each)
    rows, left = _in_files(report_dir, ids, addresses, erase=True)
    return replace(erased, rows=rows, left=left)


def ids_of_person(tables: Tables, slack_id: str) -> list[str]:
    """Return all Slack ids of the person, also those under which the account was held before or after a return."""
    ids = tables.people.ids_of([slack_id_of(slack_id)])
    while others := tables.people.ids_of(tables.journal.passed_on(ids)) - ids:
        ids |= others
    return sorted(ids)


def is_forgotten(store: Store, slack_id: str) -> bool:
    """Tell whether runs leave the person alone because of `forget`."""
    with store.reading() as tables:
        return tables.exclusions.all().cover_any([slack_id])


def remember(store: Store, who: str) -> None:
    """Let runs look after this person, a Slack id or address, again; raise ConfigurationError if it fits nobody."""
    with store.transaction() as tables:
        if not tables.exclusions.lift(as_meant(who)):
            raise ConfigurationError("nobody with this Slack id or e-mail address was forgotten")


def _counted(tables: Tables, ids: list[str], rows: Mapping[Path, int], left: Mapping[Path, str]) -> Traces:
    found = Counter({name: len(about) for name, about in rows_about(tables.connection, ids).items()})
    return Traces(
        mappings=found["mapping"],
        people=found["identity"],
        events=found["inbox_event"],
        operations=found["operation"],
        standings=found["standing"],
        decisions=found["decision"] + found["acknowledgement"],
        profiles=found["profile"],
        leavers=found["leaver"],
        rows=rows,
        left=left,
    )


def _own_addresses(tables: Tables, ids: list[str]) -> list[str]:
    """Return the addresses of the person that nobody else has had."""
    inbox = tables.inbox
    known = {address for each in ids for address in inbox.addresses_of(each) | tables.journal.addresses_of(each)}
    return sorted(
        address for address in known if not (inbox.bearers(address) | tables.journal.bearers(address)) - set(ids)
    )


def slack_id_of(text: str) -> str:
    """Return *text* as a Slack id; raise ConfigurationError if it cannot be one."""
    if not SLACK_ID.fullmatch(text):
        raise ConfigurationError("nobody is meant by that: give a Slack id like U012AB3CD, or an e-mail address")
    return text


def _in_files(
    folder: Path, slack_ids: list[str], addresses: list[str], *, erase: bool
) -> tuple[dict[Path, int], dict[Path, str]]:
    """Return how many rows each file has about the person, and which files name the person and are left as they are."""
    words = "|".join([*slack_ids, *(f"(?i:{re.escape(address)})" for address in addresses)])
    naming = re.compile(f"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])")
    named = re.compile(naming.pattern.encode())
    rows: dict[Path, int] = {}
    left: dict[Path, str] = {}

    def leave(path: Path, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # else it was removed meanwhile
            left[path] = f"cannot be read or written ({error.strerror})"

    for file in files_below(folder, leave):
        try:
            content = read_file(file)
            if not named.search(content):
                continue
            count, rest = _without(file, content, slack_ids, naming)
            if not is_draft(file) and not is_ours(file.lstat()):
                left[file] = "names the person, but belongs to another user or has a second name"
                continue
            if erase:
                _replace(file, rest)
            rows[file] = count
        except OSError as error:
            leave(file, error)
        except _NotAReport:
            left[file] = "names the person, but is not a report, an export or a backup as we write them"
    return rows, left


def files_below(folder: Path, leave: Callable[[Path, OSError], None]) -> Iterator[Path]:
    """Yield the files in *folder* and its folders, not through links; *leave* is told what cannot be read."""

    def leave_folder(error: OSError) -> None:
        leave(Path(error.filename), error)

    for within, _, names in os.walk(folder, onerror=leave_folder):  # which does not follow links to folders
        for name in sorted(names):
            file = Path(within, name)
            if file.is_file() and not file.is_symlink():
                yield file


def read_file(file: Path) -> bytes:
    """Return the content; raise OSError where the file is a link, or larger than any of ours."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as content:
        if os.fstat(content.fileno()).st_size > LARGEST_FILE:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
        return content.read()


def _without(file: Path, content: bytes, slack_ids: list[str], naming: re.Pattern[str]) -> tuple[int, str]:
    """Return how many rows of *content* are about the person, and the content without them; "" for a draft."""
    if is_draft(file):  # its writer was killed, or has to begin again
        return len(content.splitlines()), ""
    try:
        text = content.decode()
        match file.suffix:
            case ".csv":
                return _without_rows(text, slack_ids, naming)
            case ".json":
                return _without_records(text, slack_ids, naming)
    except (ValueError, csv.Error):
        pass
    raise _NotAReport


def _without_rows(text: str, slack_ids: list[str], naming: re.Pattern[str]) -> tuple[int, str]:
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    if any(len(row) != len(header) for row in rows):
        raise _NotAReport
    if header == list(VALUE_COLUMNS):  # which says of nobody whose a value is: a user name may be an address
        others = [row for row in rows if not naming.search(row[VALUE_COLUMNS.index("value")])]
    else:
        of_person = header.index("slack_id")
        others = [row for row in rows if row[of_person] not in slack_ids]
    kept = [
        [_unmentioned(_unsaid(column, cell, naming), slack_ids) for column, cell in zip(header, row, strict=True)]
        for row in others
    ]
    mentions = sum(before != after for before, after in zip(others, kept, strict=True))
    rest = io.StringIO()
    csv.writer(rest).writerows([header, *kept])
    return len(rows) - len(others) + mentions, rest.getvalue()


def _without_records(text: str, slack_ids: list[str], naming: re.Pattern[str]) -> tuple[int, str]:
    records = json.loads(text)
    if not isinstance(records, list) or not all(
        isinstance(record, dict) and "slack_id" in record for record in records
    ):
        raise _NotAReport
    others = [record for record in records if record["slack_id"] not in slack_ids]
    kept = [
        _unmentioned(as_json({name: _unsaid(name, value, naming) for name, value in record.items()}), slack_ids)
        for record in others
    ]
    mentions = sum(as_json(before) != after for before, after in zip(others, kept, strict=True))
    lines = ",\n".join(kept)
    return len(records) - len(others) + mentions, f"[\n{lines}\n]\n" if kept else "[]\n"


def _unsaid(column: str, value: Any, naming: re.Pattern[str]) -> Any:
    """Return *value*, or "" where it is what Docebo said, or what an account is known as, and names the person."""
    return "" if column in {"said", "known_as"} and naming.search(str(value)) else value


def _unmentioned(text: str, slack_ids: list[str]) -> str:
    for slack_id in slack_ids:
        text = without_mention(text, slack_id) if slack_id in text else text
    return text


def _replace(file: Path, rest: str) -> None:
    if is_draft(file):
        file.unlink()
        return
    written = file.stat()
    with rewritten_file(file) as out:
        out.write(rest)
    os.utime(file, ns=(written.st_atime_ns, written.st_mtime_ns))  # the sweep removes it by its age
