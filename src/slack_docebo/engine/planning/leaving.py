"""Leavers to move to the branch for leavers, and people who are back, to move to the branch they were in before."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from slack_docebo.domain.decisions import is_for_never
from slack_docebo.domain.leavers import is_leaver
from slack_docebo.domain.operations import CONTENDED
from slack_docebo.domain.people import Mapping as PersonsMapping
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import gone_people
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.storage.tables import Tables


@dataclass(slots=True)
class Leaving:
    """The mappings of people who are to be moved, by the Docebo ids of their accounts."""

    left: dict[int, PersonsMapping] = field(default_factory=dict)
    back: dict[int, PersonsMapping] = field(default_factory=dict)
    staying: set[int] = field(default_factory=set)  # accounts of people who are back: nobody knows where to move them

    def take(self, mappings: Iterable[PersonsMapping]) -> None:
        """Add these leavers."""
        self.left |= {mapping.docebo_id: mapping for mapping in mappings}


def look_for_leavers(
    runtime: Runtime,
    workspace: Workspace,
    listed: SourceSnapshot,
    branch_id: int,
    *,
    placed: Mapping[int, int],
    away: Collection[int],
) -> Leaving:
    """Return leavers who are not in the branch for leavers yet, and people moved there who are looked after again.

    *placed* is the branch into which each account was last moved; *away* are the accounts that were moved as leavers'.
    Somebody who has left only lately is noted, and waits for LEAVERS_AFTER_DAYS. Somebody who is not listed has left
    only if Slack has said so when asked, or if we have deactivated the account before. People whom nobody may touch, or
    about whom an event was applied since this run began, are left out.
    """
    policy, docebo = runtime.behaviour.policy(workspace.team), runtime.settings.docebo_url
    found = Leaving()
    for page in listed:
        with runtime.store.transaction() as tables:
            excluded = tables.exclusions.all()
            mappings = tables.mappings(docebo).of_people(workspace.team, page)
            touched = _touched(tables, workspace, chain.from_iterable(user.ids for user in page), since=runtime.begun)
            left = []
            for user in page:
                mapping = mappings.get(user.slack_id)
                if mapping is None or excluded.cover(user) or not touched.isdisjoint(user.ids):
                    continue
                if mapping.docebo_id in away and not policy.scope.reason_against(user):
                    found.back[mapping.docebo_id] = mapping
                elif placed.get(mapping.docebo_id) != branch_id and is_leaver(user, policy):
                    left.append(mapping)
                elif placed.get(mapping.docebo_id) == branch_id and not policy.scope.reason_against(user):
                    found.staying.add(mapping.docebo_id)
            found.take(_due(runtime, tables, workspace, left))
    gone = gone_people(runtime.store, workspace.team)
    with runtime.store.transaction() as tables:
        unlisted = _unlisted(tables, docebo, workspace, listed)
        excluded, touched = tables.exclusions.all(), _touched(tables, workspace, list(unlisted), since=runtime.begun)
        left = [
            mapping
            for slack_id, mapping in unlisted.items()
            if (slack_id in gone or mapping.deactivated)
            and placed.get(mapping.docebo_id) != branch_id
            and slack_id not in touched
            and not excluded.cover_any([slack_id])
        ]
        found.take(_due(runtime, tables, workspace, left))
    return found


def _unlisted(tables: Tables, docebo: str, workspace: Workspace, listed: SourceSnapshot) -> dict[str, PersonsMapping]:
    """Return the mappings of people whom the list does not show under any id, by Slack id."""
    mappings = tables.mappings(docebo)
    absent = [slack_id for slack_id in mappings.slack_ids(workspace.team) if slack_id not in listed]
    known_as = tables.people.other_ids(workspace.team, absent)
    listed_otherwise = {former for other, former in known_as.items() if other in listed}
    return mappings.of(workspace.team, set(absent) - listed_otherwise)


def _touched(tables: Tables, workspace: Workspace, slack_ids: Iterable[str], *, since: datetime) -> set[str]:
    """Return those of *slack_ids* with an event applied *since* then, or a decision never to touch them."""
    ids = set(slack_ids)
    decisions = tables.binding(workspace.team)
    served = tables.inbox.applied_since(since, workspace.team, ids)
    return served | {one for one in ids if is_for_never(decisions, [one])}


def _due(
    runtime: Runtime, tables: Tables, workspace: Workspace, left: Collection[PersonsMapping]
) -> Iterator[PersonsMapping]:
    """Yield who has been gone for LEAVERS_AFTER_DAYS, or was acted on before; note those seen for the first time.

    Those are left out whose account the import has left alone because somebody else may be the same person.
    """
    standings = tables.standings.of(runtime.settings.docebo_url, workspace.team, [one.slack_id for one in left])
    contended = {slack_id for slack_id, one in standings.items() if one.reason.endswith(CONTENDED)}
    left = [mapping for mapping in left if mapping.slack_id not in contended]
    grace = timedelta(days=runtime.behaviour.leavers_after_days)
    since = tables.leavers.since(workspace.team, [mapping.slack_id for mapping in left]) if grace else {}
    for mapping in left:
        if not grace or mapping.deactivated:
            yield mapping
        elif mapping.slack_id not in since:
            tables.leavers.note(workspace.team, [mapping.slack_id], now=runtime.now())
        elif since[mapping.slack_id] + grace <= runtime.now():
            yield mapping
