"""Forgetting one person: nothing but ids and what was done stays behind."""

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

from slack_docebo.errors import StorageError
from slack_docebo.storage.inbox import InboxRepository
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.plans import PlanRepository
from slack_docebo.storage.store import Store


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed."""

    events: int
    mappings: int
    operations: int
    files: int


def forget(store: Store, report_dir: Path, slack_id: str) -> Forgotten:
    """Remove the person from inbox, mapping, journal and report files.

    The journal keeps ids, kinds and outcomes; an operation that was still planned is never carried out.
    """
    with store.transaction() as connection:
        events = InboxRepository(connection).forget(slack_id)
        mappings = MappingRepository(connection).forget(slack_id)
        operations = PlanRepository(connection).forget(slack_id)
    try:
        files = sum(_strike_out(file, slack_id) for file in sorted(report_dir.glob("**/*")) if file.is_file())
    except OSError as error:
        raise StorageError(
            f"{slack_id} is removed from the database, but a file in {report_dir} cannot be changed"
            f" ({error.strerror}): correct that, then forget again"
        ) from None
    return Forgotten(events, mappings, operations, files)


def _strike_out(file: Path, slack_id: str) -> bool:
    """Remove the person's rows from a report, if it has any."""
    if file.suffix not in {".csv", ".json"} or slack_id.encode() not in file.read_bytes():
        return False
    text = file.read_text(encoding="utf-8")
    try:
        shorter = _without_rows(text, slack_id) if file.suffix == ".csv" else _without_records(text, slack_id)
    except (ValueError, csv.Error):
        raise StorageError(f"{file} names {slack_id} and cannot be read as a report: remove it by hand") from None
    if shorter == text:
        return False
    replacement = file.with_name(f"{file.name}.new")
    descriptor = os.open(replacement, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
        out.write(shorter)
    replacement.replace(file)
    return True


def _without_rows(text: str, slack_id: str) -> str:
    kept = io.StringIO()
    writer = csv.writer(kept)
    writer.writerows(row for row in csv.reader(io.StringIO(text, newline="")) if slack_id not in row)
    return kept.getvalue()


def _without_records(text: str, slack_id: str) -> str:
    records = json.loads(text)
    if not isinstance(records, list):
        return text
    kept = [record for record in records if not (isinstance(record, dict) and slack_id in record.values())]
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in kept)
    return f"[\n{lines}\n]\n" if kept else "[]\n"
