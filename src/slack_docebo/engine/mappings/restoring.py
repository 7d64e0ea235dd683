"""Restoring mappings from a file: a backup, or a table made elsewhere."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from slack_docebo.domain.exclusion import FORGOTTEN, Exclusions
from slack_docebo.engine.mappings.mapping_file import BadRow, MappingFile
from slack_docebo.errors import ConfigurationError
from slack_docebo.settings import MappingSettings
from slack_docebo.storage.mappings import MappingRecord
from slack_docebo.storage.staging import MappingStaging
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

NAMED = 5  # rows that cannot be used, in a message


@dataclass(frozen=True, slots=True)
class Taken:
    """How many mappings changed, or would have in a dry run, and which rows cannot be used."""

    changed: int
    refused: list[BadRow]

    def check(self) -> None:
        """Raise ConfigurationError if there are unusable rows: then nothing was written."""
        if not self.refused:
            return
        named = "; ".join(f"line {row.line}: {row.reason}" for row in self.refused[:NAMED])
        more = f"; and {len(self.refused) - NAMED} more" if len(self.refused) > NAMED else ""
        raise ConfigurationError(f"nothing was written, for {len(self.refused)} rows cannot be used: {named}{more}")


def linked_workspace(store: Store, settings: MappingSettings) -> tuple[str, str]:
    """Return id and name of the workspace linked to this Docebo; raise ConfigurationError if none is known yet."""
    with store.reading() as tables:
        link = tables.links.get(settings.docebo_url)
    team = settings.slack_team_id or (link.slack_team if link else "")
    if not team:
        raise ConfigurationError(
            "no workspace is linked to this Docebo yet: run bulk-import once, as a dry run, or set SLACK_TEAM_ID"
        )
    return team, link.slack_team_name if link and link.slack_team == team else ""


def import_file(store: Store, docebo: str, file: MappingFile, *, now: datetime, dry_run: bool) -> Taken:
    """Map people as *file* says: all rows or, if one cannot be used, none.

    A row is a claim: nothing is written to the account before it has shown whose it is.
    """
    return _take(store, docebo, file, file.mappings(now=now), take_over=MappingStaging.merge, dry_run=dry_run)


def restore_file(store: Store, docebo: str, file: MappingFile, *, dry_run: bool) -> Taken:
    """Write the mappings of the backup *file* as they were: all rows or, if one cannot be used, none."""
    return _take(store, docebo, file, file.records(), take_over=MappingStaging.restore, dry_run=dry_run)


def changed_by(
    take_over: Callable[[MappingStaging], int], tables: Tables, staging: MappingStaging, *, dry_run: bool
) -> int:
    """Return how many mappings *take_over* changes; a dry run undoes the changes."""
    with tables.connection.begin_nested() as trial:
        changed = take_over(staging)
        if dry_run:
            trial.rollback()
    return changed


def without_forgotten(
    excluded: Exclusions, rows: Iterable[tuple[int, MappingRecord]], refused: list[BadRow]
) -> Iterator[tuple[int, MappingRecord]]:
    """Yield *rows* without those of forgotten people, which are added to *refused*."""
    for source, record in rows:
        if excluded.cover_any([record.mapping.slack_id]):
            refused.append(BadRow(source, FORGOTTEN))
        else:
            yield source, record


def _take(
    store: Store,
    docebo: str,
    file: MappingFile,
    rows: Iterable[tuple[int, MappingRecord]],
    *,
    take_over: Callable[[MappingStaging], int],
    dry_run: bool,
) -> Taken:
    """Take over the *rows* of *file*: all or, if one cannot be used, none."""
    with store.transaction() as tables, MappingStaging(tables.connection, docebo) as staging:
        staging.add(without_forgotten(tables.exclusions.all(), rows, file.bad))
        refused = [*file.bad, *(BadRow(conflict.source, conflict.reason) for conflict in staging.conflicts())]
        if refused:
            return Taken(0, sorted(refused, key=lambda row: row.line))
        return Taken(changed_by(take_over, tables, staging, dry_run=dry_run), [])
