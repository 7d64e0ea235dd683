"""Restoring mappings: from a backup, from a table made elsewhere, or from the mirror in Docebo."""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import datetime

from slack_docebo.domain.exclusion import FORGOTTEN, Exclusions
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.mirror import Mirror
from slack_docebo.domain.observation import Gone, Unknown
from slack_docebo.domain.people import Mapping
from slack_docebo.engine.mappings.mapping_file import SLACK_ID, BadRow, MappingFile
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_accounts, check_calls
from slack_docebo.errors import ConfigurationError
from slack_docebo.runtime import Runtime
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


async def ask_for_former_accounts(runtime: Runtime, accounts: Accounts, mirror: Mirror, team: str) -> None:
    """Ask Docebo for mapped accounts missing from *accounts* whose people have another one in the mirror.

    Raises IncompleteRead before the first question if that takes more calls than EVIDENCE_CALLS.
    """
    named = [slack_id for account in accounts if (slack_id := mirror.values(account)[0])]
    with runtime.store.reading() as tables:
        mapped = tables.mappings(runtime.settings.docebo_url).of(team, named)
    lacking = {mapping.docebo_id: [""] for mapping in mapped.values() if not accounts.is_settled(mapping.docebo_id)}
    check_calls(runtime, accounts=len(lacking))
    await ask_for_accounts(runtime, accounts, lacking)


async def rebuild_from_mirror(runtime: Runtime, workspace: Workspace, *, dry_run: bool) -> Taken:
    """Map people as the fields in Docebo say, in all accounts as they are now."""
    if runtime.mirror is None:
        raise ConfigurationError("MIRROR_FIELDS is empty: without a mirror there is nothing to rebuild from")
    accounts = await read_target(runtime)
    await ask_for_former_accounts(runtime, accounts, runtime.mirror, workspace.team)
    docebo, now = runtime.settings.docebo_url, runtime.now()
    return rebuild(
        runtime.store, docebo, accounts, mirror=runtime.mirror, team=workspace.team, now=now, dry_run=dry_run
    )


def rebuild(
    store: Store, docebo: str, accounts: Accounts, *, mirror: Mirror, team: str, now: datetime, dry_run: bool
) -> Taken:
    """Map people as the mirrored fields of *accounts* say; accounts that contradict each other are left out.

    Mappings of people in no field stay as they are, and so does one whose account may exist, unseen.
    """
    refused: list[BadRow] = []
    rows = list(_mirrored(accounts, mirror, team, now=now, refused=refused))
    with store.transaction() as tables, MappingStaging(tables.connection, docebo) as staging:
        mapped = tables.mappings(docebo).of(team, (record.mapping.slack_id for _, record in rows))
        seen = _without_unseen(accounts, mapped, rows, refused)
        staging.add(_remembered(tables.exclusions.all(), seen, refused))
        while conflicts := list(staging.conflicts()):  # once these are left out, others can conflict
            refused += [BadRow(conflict.source, conflict.reason) for conflict in conflicts]
            staging.leave_out(conflict.source for conflict in conflicts)
        return Taken(_changed_by(MappingStaging.merge, tables, staging, dry_run=dry_run), refused)


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
        staging.add(_remembered(tables.exclusions.all(), rows, file.bad))
        refused = [*file.bad, *(BadRow(conflict.source, conflict.reason) for conflict in staging.conflicts())]
        if refused:
            return Taken(0, sorted(refused, key=lambda row: row.line))
        return Taken(_changed_by(take_over, tables, staging, dry_run=dry_run), [])


def _changed_by(
    take_over: Callable[[MappingStaging], int], tables: Tables, staging: MappingStaging, *, dry_run: bool
) -> int:
    """Return how many mappings *take_over* changes; a dry run undoes the changes."""
    with tables.connection.begin_nested() as trial:
        changed = take_over(staging)
        if dry_run:
            trial.rollback()
    return changed


def _remembered(
    excluded: Exclusions, rows: Iterable[tuple[int, MappingRecord]], refused: list[BadRow]
) -> Iterator[tuple[int, MappingRecord]]:
    """Yield *rows* without those of forgotten people, which are added to *refused*."""
    for source, record in rows:
        if excluded.cover_any([record.mapping.slack_id]):
            refused.append(BadRow(source, FORGOTTEN))
        else:
            yield source, record


def _without_unseen(
    accounts: Accounts,
    mapped: MappingType[str, Mapping],
    rows: Iterable[tuple[int, MappingRecord]],
    refused: list[BadRow],
) -> Iterator[tuple[int, MappingRecord]]:
    """Yield *rows* without those of people whose present account is neither in *accounts* nor gone.

    *mapped* are the present mappings by Slack id; the rows left out are added to *refused*.
    """
    for source, record in rows:
        mapping = mapped.get(record.mapping.slack_id, record.mapping)
        seen = accounts.look(mapping.docebo_id)
        if accounts.get(mapping.docebo_id) or isinstance(seen, Gone):
            yield source, record
        else:
            why = seen.why if isinstance(seen, Unknown) else "which Docebo shows, and its list did not"
            refused.append(BadRow(source, f"this person has account {mapping.docebo_id} so far: {why}"))


def _mirrored(
    accounts: Accounts, mirror: Mirror, team: str, *, now: datetime, refused: list[BadRow]
) -> Iterator[tuple[int, MappingRecord]]:
    """Yield the mappings that the mirrored fields of *accounts* tell; add those that name nobody here to *refused*."""
    for account in accounts:
        slack_id, slack_name, slack_team = mirror.values(account)
        if not slack_id:
            continue
        if not SLACK_ID.fullmatch(slack_id):
            refused.append(BadRow(account.docebo_id, "the mirrored Slack id is none"))
        elif slack_team not in {"", team}:
            refused.append(BadRow(account.docebo_id, f"the mirror names workspace {slack_team}"))
        else:
            mapping = Mapping(slack_id, team, slack_name, account.docebo_id)
            yield account.docebo_id, MappingRecord(mapping, 0, now, now)
