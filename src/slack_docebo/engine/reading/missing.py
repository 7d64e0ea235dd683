"""Missing: a list that is much shorter than the last one is believed only if those missing from it are gone.

A setting says how many may be missing without a question. Beyond it each of the missing is asked for by id, as far as
EVIDENCE_CALLS allows: in a small company or platform a few who were deleted are a large part.
"""

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone, Observation, Present
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.returns import has_left
from slack_docebo.domain.shrinking import has_shrunk
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import ask_for_accounts, ask_for_people, check_calls, reserve_calls
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime
from slack_docebo.storage.reads import ProvenRead
from slack_docebo.storage.store import Store

FEW = 5  # in whose answers a list that is not whole shows
T = TypeVar("T")


def a_few(those: Sequence[T]) -> Sequence[T]:
    """Return *those* if they are few, else FEW of them at the most, from each part of their order."""
    return those[:: max(1, -(-len(those) // FEW))]


async def check_missing_people(
    runtime: Runtime, workspace: Workspace, people: SourceSnapshot, last: ProvenRead
) -> None:
    """Raise IncompleteRead if *people* lack more than SOURCE_MAY_SHRINK of the *last* read, leavers aside.

    Slack is asked for each, or for nobody if EVIDENCE_CALLS does not allow all. It is also raised if Slack shows
    somebody whom its list left out.
    """
    percent = runtime.behaviour.source_may_shrink
    if not has_shrunk(people.people, last.people, percent):
        return
    left = await _count_leavers(runtime, workspace, people, last)
    if has_shrunk(people.people, last.people - left, percent):
        raise IncompleteRead(
            f"Slack listed {people.people} users, the last complete read had {last.people}, of whom {left} have left: more"
            f" than {percent}% are missing. If that is right, raise SOURCE_MAY_SHRINK for one run"
        )


async def _count_leavers(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, last: ProvenRead) -> int:
    """Return how many known people who are not among *people* have left since the *last* read."""
    known, gone_since = await to_completion(_known_people, runtime.store, runtime.settings.docebo_url, workspace)
    missing = sorted(slack_id for slack_id in known | gone_since.keys() if slack_id not in people)
    to_ask = [slack_id for slack_id in missing if slack_id not in gone_since]
    if not reserve_calls(runtime, people=len(to_ask)):
        return 0
    left = sum(since >= last.proven_at for slack_id, since in gone_since.items() if slack_id not in people)
    for some in (to_ask[:FEW], to_ask[FEW:]):
        answers = await ask_for_people(runtime, workspace.team, some)
        check_still_whole(workspace, people, answers)
        left += sum(has_left(seen) or _is_elsewhere(seen, workspace) for seen in answers.values())
    return left


async def check_few_missing(runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> None:
    """Raise IncompleteRead if Slack shows one of a few mapped people whom the list of *people* lacks.

    It samples lists that lack less than SOURCE_MAY_SHRINK, which nothing else checks. People known to be gone are left
    out.
    """
    _, gone_since = await to_completion(_known_people, runtime.store, runtime.settings.docebo_url, workspace)
    missing = sorted(one for one in people.expected - gone_since.keys() if one not in people)
    few = a_few(missing)
    check_calls(runtime, people=len(few))
    check_still_whole(workspace, people, await ask_for_people(runtime, workspace.team, few))


async def check_missing_accounts(runtime: Runtime, accounts: Accounts, last: ProvenRead) -> None:
    """Raise IncompleteRead if *accounts* lack more than TARGET_MAY_SHRINK of the *last* read, gone ones aside.

    Docebo is asked for each, or for none if EVIDENCE_CALLS does not allow all. Where fewer are missing, it is asked for
    a few: if one of them exists, the list is no measure for the next.
    """
    percent = runtime.behaviour.target_may_shrink
    listed = await to_completion(_listed_accounts, runtime.store, last)
    missing = [docebo_id for docebo_id in listed if accounts.get(docebo_id) is None]
    to_ask = [docebo_id for docebo_id in missing if not accounts.is_settled(docebo_id)]
    before = max(last.people, len(listed))  # those that it had left out, and that were not asked for, are among them
    is_whole = not has_shrunk(len(accounts), before, percent)
    if is_whole:
        to_ask = list(a_few(to_ask))
    if reserve_calls(runtime, accounts=len(to_ask)):
        await ask_for_accounts(runtime, accounts, {docebo_id: [] for docebo_id in to_ask})
    gone = sum(isinstance(accounts.look(docebo_id), Gone) for docebo_id in missing)
    accounts.note_unlisted(missing)
    if not is_whole and has_shrunk(len(accounts), before - gone, percent):
        raise IncompleteRead(
            f"Docebo listed {len(accounts)} accounts, the last complete read had {before}, of which {gone} are gone:"
            f" more than {percent}% are missing. If that is right, raise TARGET_MAY_SHRINK for one run"
        )


def check_still_whole(
    workspace: Workspace, people: SourceSnapshot, answers: MappingType[str, Observation[SourceUser]]
) -> None:
    """Raise IncompleteRead if Slack's *answers* show somebody whom its list should have held.

    That is an active member of this workspace who was mapped before the listing began. Somebody who joined meanwhile,
    or is in another workspace of the organisation, proves nothing.
    """
    for slack_id, seen in answers.items():
        if slack_id not in people.expected or not isinstance(seen, Present):
            continue
        user = seen.value
        if user.deactivated or user.forgotten or user.external or any(known in people for known in user.ids):
            continue
        if user.is_member_of(workspace.team):
            raise IncompleteRead(f"Slack's list left out {slack_id}, who is still there: run again later")


def _is_elsewhere(seen: Observation[SourceUser], workspace: Workspace) -> bool:
    return isinstance(seen, Present) and bool(seen.value.teams) and not seen.value.is_member_of(workspace.team)


def _known_people(store: Store, docebo: str, workspace: Workspace) -> tuple[set[str], dict[str, datetime]]:
    """Return the Slack ids that are mapped or have a standing, and since when the gone ones are gone."""
    team = workspace.team
    with store.reading() as tables:
        known = {*tables.mappings(docebo).slack_ids(team), *tables.standings.known(docebo, team)}
        return known, tables.people.gone(team)


def _listed_accounts(store: Store, last: ProvenRead) -> list[int]:
    with store.reading() as tables:
        return tables.reads.listed(last.source)
