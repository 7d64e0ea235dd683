"""Planning moves: which accounts are to be in another branch than the one to which we brought them last.

It follows an import, because the accounts have to exist.
"""

from collections.abc import Collection, Mapping
from functools import partial

from slack_docebo.clients.docebo import DoceboClient
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.grace import HAS_LEFT, IS_BACK
from slack_docebo.domain.operations import Kind
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.planning.follow_ups import (
    Wishes,
    changeable,
    operation_on,
    rule_for,
    still_theirs,
    store_plan,
    wishes_of,
)
from slack_docebo.engine.planning.leaving import Leaving, look_for_leavers
from slack_docebo.engine.reading.accounts import read_accounts
from slack_docebo.engine.reading.branches import branches_of
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.dialects import known_dialect
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import IncompleteRead, Rejected
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store

ANOTHER_BRANCH = "another branch"
NO_BRANCH = 999_999_999  # the id of none: Docebo counts them up


async def plan_moves(runtime: Runtime, workspace: Workspace, listed: SourceSnapshot) -> str | None:
    """Return the id of the stored plan of moves, or None if nobody is to be moved.

    The rule for branch says where people in scope are to be. The accounts of leavers are moved to the branch for leavers
    and, when their people are back, to the branch of before, unless the rule gives another one. By then an account may be
    somebody else's, or somebody may have moved it by hand: it is moved back only from the branch for leavers.

    An account that we have never brought anywhere may be in its branch already. So each branch that is wanted for such
    accounts is listed once, and it is remembered which of them are there.
    """
    rule = rule_for(runtime.behaviour, BRANCH) if runtime.behaviour.branch_moves else None
    rule = rule if rule and rule.moves else None
    branch_of_leavers = runtime.org_chart.of_leavers if runtime.behaviour.provision_slack_user_data else None
    if rule is None and branch_of_leavers is None:
        return None
    store, docebo = runtime.store, runtime.settings.docebo_url
    placed, left_from = await to_completion(_placed, store, docebo)
    wishes, leaving = Wishes(), Leaving()
    if rule is not None:
        wishes = await to_completion(wishes_of, runtime, workspace, listed, rule)
    if branch_of_leavers is not None:
        look = partial(look_for_leavers, placed=placed, away=left_from.keys())
        leaving = await to_completion(look, runtime, workspace, listed, branch_of_leavers)
        doubtful = dict.fromkeys(leaving.back.keys() - placed.keys(), branch_of_leavers)
        placed |= await _find(runtime, doubtful)
        moved_by_hand = doubtful.keys() - placed.keys()  # which stay there
        leaving.back = {one: mapping for one, mapping in leaving.back.items() if one not in moved_by_hand}
        await to_completion(_forget_left, store, docebo, moved_by_hand)
        # Somebody may move them by hand meanwhile: if they leave again, they are looked for in the branch for leavers.
        await to_completion(_remember, store, docebo, dict.fromkeys(leaving.staying - wishes.values.keys()))
    wanted = {one: left_from[one] for one in leaving.back}
    wanted |= {docebo_id: int(value) for docebo_id, value in wishes.values.items() if value}
    wanted |= {one: branch_of_leavers for one in leaving.left if branch_of_leavers is not None}
    placed |= await _find(runtime, {one: branch for one, branch in wanted.items() if one not in placed})
    mappings = leaving.back | wishes.mappings | leaving.left
    # By branch, for a call is to one.
    moved = sorted((branch, one) for one, branch in wanted.items() if placed.get(one) != branch)
    if not moved:
        return None
    accounts = await read_accounts(runtime, {one for _, one in moved})
    theirs = await still_theirs(runtime, accounts, [mappings[one] for _, one in moved], listed)
    may_move = changeable(theirs, runtime.behaviour.protected_accounts)
    elsewhere = await _look_at(runtime, leaving, may_move.keys() - wishes.values.keys(), placed)
    there = {**placed, **elsewhere}
    operations = [
        operation_on(
            account,
            mappings[one],
            Kind.MOVE,
            _reason(one, leaving, wishes),
            changes={BRANCH: str(branch)},
            before={BRANCH: str(there[one])} if there.get(one) is not None else {},
        )
        for branch, one in moved
        if (account := may_move.get(one)) and not (one in leaving.back and one in elsewhere)
    ]
    return await to_completion(store_plan, runtime, workspace, PlanKind.MOVES, operations) if operations else None


def _reason(docebo_id: int, leaving: Leaving, wishes: Wishes) -> str:
    if docebo_id in leaving.left:
        return HAS_LEFT
    return ANOTHER_BRANCH if docebo_id in wishes.values else IS_BACK


async def _find(runtime: Runtime, wanted: Mapping[int, int]) -> dict[int, int]:
    """Return the accounts that are in the branch that is *wanted* for them, with that branch, and remember it.

    Raises IncompleteRead if Docebo lists all accounts for any branch: then everybody would seem to be in place.
    """
    found: dict[int, int] = {}
    unlisted = known_dialect(runtime).unlisted if wanted else 0
    for branch_id in sorted(set(wanted.values())):
        there = await runtime.docebo.branches.accounts_in(branch_id, unlisted=unlisted)
        if len(there) >= runtime.listing.accounts > 0 and await _is_anybody_in(runtime.docebo, NO_BRANCH, unlisted):
            raise IncompleteRead(
                "Docebo lists all accounts as those of a branch, also of one that is not there, so nobody can tell who is in"
                " which: set SLACK | BRANCH_MOVES to false, empty LEAVERS_BRANCH, and report it"
            )
        found |= {one: branch_id for one in there if wanted.get(one) == branch_id}
    await to_completion(_remember, runtime.store, runtime.settings.docebo_url, found)
    return found


async def _is_anybody_in(docebo: DoceboClient, branch_id: int, unlisted: int) -> bool:
    try:
        return bool(await docebo.branches.accounts_in(branch_id, unlisted=unlisted))
    except Rejected:
        return False


async def _look_at(
    runtime: Runtime, leaving: Leaving, movable: Collection[int], placed: Mapping[int, int]
) -> dict[int, int | None]:
    """Return the branches of those accounts of *leaving* that somebody has moved by hand since we *placed* them.

    An account that is in several branches has None. Each account's own page is asked for its branches. A leaver's account
    can be moved back to where it was found; that of somebody who is back stays there. The branches are remembered, and it
    is forgotten from where we moved these accounts as leavers', which may have been for a former owner. An account that
    somebody has moved to the branch for leavers by hand is not among them: we know only where we brought it before.
    """
    seen = await branches_of(runtime, (leaving.left.keys() | leaving.back.keys()).intersection(movable))
    of_leavers = runtime.org_chart.of_leavers
    elsewhere = {
        one: min(branches) if len(branches) == 1 else None
        for one, branches in seen.items()
        if branches.isdisjoint({placed.get(one), of_leavers})
    }
    store, docebo = runtime.store, runtime.settings.docebo_url
    await to_completion(_remember, store, docebo, elsewhere)
    await to_completion(_forget_left, store, docebo, elsewhere.keys())
    return elsewhere


def _placed(store: Store, docebo: str) -> tuple[dict[int, int], dict[int, int]]:
    """Return by account the branch to which we brought it last, and the branch from which we moved it as a leaver's."""
    with store.reading() as tables:
        placements = tables.placements(docebo)
        return placements.of(), placements.left()


def _forget_left(store: Store, docebo: str, docebo_ids: Collection[int]) -> None:
    if docebo_ids:
        with store.transaction() as tables:
            tables.placements(docebo).clear_left(docebo_ids)


def _remember(store: Store, docebo: str, found: Mapping[int, int | None]) -> None:
    """Note in which branch each account was *found*; None: nobody knows."""
    if found:
        with store.transaction() as tables:
            tables.placements(docebo).note(found)
