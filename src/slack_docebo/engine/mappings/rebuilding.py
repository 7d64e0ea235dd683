"""Rebuilding mappings from their mirror in Docebo's additional fields, for which Docebo is read."""

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingType
from datetime import datetime

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.mirror import Mirror
from slack_docebo.domain.observation import Gone, Unknown
from slack_docebo.domain.people import Mapping
from slack_docebo.engine.mappings.mapping_file import SLACK_ID, BadRow
from slack_docebo.engine.mappings.restoring import Taken, changed_by, without_forgotten
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_accounts, check_calls
from slack_docebo.errors import ConfigurationError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.mappings import MappingRecord
from slack_docebo.storage.staging import MappingStaging
from slack_docebo.storage.store import Store


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
        staging.add(without_forgotten(tables.exclusions.all(), seen, refused))
        while conflicts := list(staging.conflicts()):  # once these are left out, others can conflict
            refused += [BadRow(conflict.source, conflict.reason) for conflict in conflicts]
            staging.leave_out(conflict.source for conflict in conflicts)
        return Taken(changed_by(MappingStaging.merge, tables, staging, dry_run=dry_run), refused)


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
