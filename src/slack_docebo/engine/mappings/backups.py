"""Backups: the files that resets have left, looked at and brought back."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slack_docebo.domain.texts import number_of
from slack_docebo.engine.mappings.mapping_file import MappingFile
from slack_docebo.engine.mappings.restoring import restore_file
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.private_files import is_ours
from slack_docebo.runtime import Runtime
from slack_docebo.storage.faults import translated_files

NAME = re.compile(r"mappings-([0-9a-z]{8})\.csv")


@dataclass(frozen=True, slots=True)
class Backup:
    """One file of this machine, with the mappings that a reset has deleted."""

    plan_id: str  # of the reset
    path: Path
    made_at: datetime


def backups(folder: Path) -> list[Backup]:
    """Return the backups in *folder*, the newest first, without files that are not ours."""
    found = []
    with translated_files(str(folder)):
        for path in folder.glob("mappings-*.csv"):
            name, status = NAME.fullmatch(path.name), path.lstat()
            if name and is_ours(status):
                found.append(Backup(name[1], path, datetime.fromtimestamp(status.st_mtime, UTC)))
    return sorted(found, key=lambda backup: (backup.made_at, backup.plan_id), reverse=True)


def restorable(runtime: Runtime, team: str, plan_id: str) -> int:
    """Return how many mappings that the reset *plan_id* has deleted would be brought back, exactly as they were.

    Raises ConfigurationError where there is no such backup or a row that cannot be used.
    """
    return _restored(runtime, team, plan_id, dry_run=True)


def restore_backup(runtime: Runtime, team: str, plan_id: str, *, confirm: int) -> str:
    """Bring back the mappings that the reset *plan_id* has deleted, exactly as they were; say how many were written.

    All of them or, where one cannot be used, none. Raises what `restorable` raises, and NotConfirmed unless *confirm* is
    how many would be written.
    """
    there = restorable(runtime, team, plan_id)
    if confirm != there:
        raise NotConfirmed(f"to restore this backup, type the number of mappings, {there}; nothing was written")
    return f"{number_of('mapping', _restored(runtime, team, plan_id, dry_run=False))} written"


def _restored(runtime: Runtime, team: str, plan_id: str, *, dry_run: bool) -> int:
    done = restore_file(runtime.store, runtime.settings.docebo_url, _rows(runtime, team, plan_id), dry_run=dry_run)
    done.check()
    return done.changed


def _rows(runtime: Runtime, team: str, plan_id: str) -> MappingFile:
    backup = next((one for one in backups(runtime.settings.report_dir) if one.plan_id == plan_id), None)
    if backup is None:
        raise ConfigurationError(f"there is no backup {plan_id} on this worker's disk: choose one that the table names")
    docebo = runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        reset = tables.plans.get(plan_id)
    # Of a platform that was taken to another address, the backup names the former one; the plan went along.
    named = "" if reset is not None and reset.docebo == docebo else docebo
    return MappingFile(backup.path, team=team, docebo=named)
