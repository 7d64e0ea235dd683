"""Exporting one person: all that is kept, from the database and from the files below REPORT_DIR."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from slack_docebo.domain.texts import as_json, bared
from slack_docebo.engine.mappings.forgetting import files_below, ids_of_person, read_file
from slack_docebo.private_files import new_file
from slack_docebo.storage.faults import translated_files
from slack_docebo.storage.personal import NOT_TOLD, rows_about
from slack_docebo.storage.plans import new_plan_id
from slack_docebo.storage.store import Store

EXPORTED = "-person.json"
HIDDEN = {column.name for column in NOT_TOLD}


def export_person(store: Store, report_dir: Path, slack_id: str) -> dict[str, Any]:
    """Return all rows about the person, by table and by file; raise ConfigurationError where *slack_id* cannot be one.

    Left out is Docebo's own message of a refusal, which may name somebody else.
    """
    with store.reading() as tables:
        ids = ids_of_person(tables, slack_id)
        rows_by_table = rows_about(tables.connection, ids)
    files = {str(file): rows for file, rows in _in_files(report_dir, set(ids)) if rows}
    return {"slack_ids": ids, "tables": rows_by_table, "files": files}


def write_export(store: Store, report_dir: Path, slack_id: str) -> Path:
    """Write all that is kept about the person to a new file for its owner only, and return its path.

    It is a report like others: it is removed when those of its day are, and when the person is forgotten.
    """
    exported = export_person(store, report_dir, slack_id)
    path = report_dir / f"{new_plan_id()}{EXPORTED}"
    with translated_files(str(path)), new_file(path) as out:
        out.write(as_json([{"slack_id": slack_id, **exported}], indent=2))
    return path


def _in_files(folder: Path, slack_ids: set[str]) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    for file in files_below(folder, lambda _path, _error: None):
        if file.name.endswith(EXPORTED):
            continue  # it repeats what is elsewhere
        with suppress(OSError, ValueError, csv.Error):  # what is not a file of ours
            rows = [row for row in _rows(file) if row.get("slack_id") in slack_ids]
            yield file, [{name: value for name, value in row.items() if name not in HIDDEN} for row in rows]


def _rows(file: Path) -> list[dict[str, Any]]:
    text = read_file(file).decode()
    if file.suffix == ".json":
        records = json.loads(text)
        return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
    if file.suffix != ".csv":
        return []
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return [{name: bared(cell) for name, cell in row.items() if isinstance(cell, str)} for row in rows]
