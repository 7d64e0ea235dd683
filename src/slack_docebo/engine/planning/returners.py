"""Returners: who may be back under a new id, where no list shows both entries."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingType
from functools import partial
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.addresses import mailbox, spellings
from slack_docebo.domain.disputes import bears_new_address, digest
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Observation, Present, Unknown
from slack_docebo.domain.operations import Operation
from slack_docebo.domain.people import Account, Known, LastSeen, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Policy
from slack_docebo.engine.planning.people import plan_people
from slack_docebo.engine.reading.accounts import add_known_account
from slack_docebo.engine.reading.bearers import bearers_of
from slack_docebo.engine.reading.evidence import reserve_calls
from slack_docebo.engine.reading.outages import OutageWatch, ping_docebo
from slack_docebo.errors import told
from slack_docebo.runtime import Runtime

NOT_ALLOWED = "EVIDENCE_CALLS allows no question"


async def look_for_leavers(runtime: Runtime, planner: Planner, creations: Iterable[Sequence[Operation]]) -> None:
    """Note in *planner* who has left with the address of somebody for whom *creations* would create an account.

    The account of then may bear an older address, by which nobody finds it. One call for each such leaver tells what it
    bears now. *creations* are pages, and passed over once more where there are such leavers.
    """
    known = await to_completion(_leavers_of_newcomers, runtime, planner.policy.scope.team, creations)
    await _ask_for_leavers(runtime, planner, known)
    if planner.returns.knows_leavers:
        await to_completion(lambda: planner.returns.contest_newcomers(chain.from_iterable(creations)))


def _leavers_of_newcomers(
    runtime: Runtime, team: str, creations: Iterable[Sequence[Operation]]
) -> dict[str, dict[str, Known]]:
    """Return the known leavers, by Slack id, who had an address for which an account would be created, by address."""
    docebo = runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        left_with = tables.people.left_with(team)
    if not left_with:
        return {}
    had = {
        operation.address: ids
        for page in creations
        for operation in page
        for spelling in spellings(operation.address)
        if (ids := left_with.get(digest(spelling)))
    }
    wanted = set(chain.from_iterable(had.values()))
    with runtime.store.reading() as tables:
        known: dict[str, Known] = {
            **tables.applied(docebo).of(team, wanted),
            **tables.mappings(docebo).of(team, wanted),
        }
    return {address: {one: known[one] for one in sorted(ids) if one in known} for address, ids in had.items()}


async def _ask_for_leavers(
    runtime: Runtime, planner: Planner, leavers: MappingType[str, MappingType[str, Known]]
) -> None:
    """Note in *planner* with which address people have left, by address, whose account still is as it was seen.

    Nobody can tell where Docebo does not say what became of the account.
    """
    accounts, watch = planner.accounts, OutageWatch(partial(ping_docebo, runtime.docebo))
    theirs = [(address, slack_id, one) for address, known in leavers.items() for slack_id, one in known.items()]
    unread = {one.docebo_id for _, _, one in theirs if not accounts.is_settled(one.docebo_id)}
    is_allowed = reserve_calls(runtime, accounts=len(unread))
    for address, slack_id, one in theirs:
        seen: Observation[Account] = Unknown(NOT_ALLOWED)
        if is_allowed or one.docebo_id not in unread:
            try:
                await add_known_account(runtime, accounts, one, address)
            except Exception as error:  # whatever it is, it must not keep the plans of others waiting
                await watch.failed(error)
                seen = Unknown(told(error))
            else:
                watch.passed()
                seen = accounts.look(one.docebo_id)
        if isinstance(seen, Unknown):
            planner.returns.note_unseen(address, one.docebo_id, seen.why)
        elif isinstance(seen, Present) and accounts.get(one.docebo_id) is None:
            planner.returns.note_unseen(address, one.docebo_id, "it is there, but Docebo's list did not show it")
        elif one.seen != LastSeen() and planner.is_as_seen(one.docebo_id, one.seen):
            account = accounts.get(one.docebo_id)
            if account and bears_new_address(account, one.seen) and mailbox(account.email) != mailbox(address):
                planner.returns.note_edited(address, one.docebo_id)
            else:
                planner.returns.note_leaver(address, slack_id, one)


async def look_for_returners(runtime: Runtime, planner: Planner, shutting: Sequence[Operation]) -> None:
    """Note in *planner* who bears the addresses of the accounts that the operations *shutting* would shut.

    That somebody has left may be known before the new id of the same person is. One call tells who bears the address by
    now, and the rules tell whether that one may be the same person, as for everybody in an import.
    """
    returns, accounts = planner.returns, planner.accounts
    shown = {
        op.mapped_as: account.email
        for op in shutting
        if op.mapped_as not in returns.holders and (account := accounts.get(op.docebo_id or 0))
        if account.email and "email" not in account.unshown
    }
    addresses = sorted(set(shown.values()))
    if not reserve_calls(runtime, people=len(addresses)):
        returns.unheard |= dict.fromkeys(shown, NOT_ALLOWED)
        return
    answers = await bearers_of(runtime, addresses)
    for slack_id, address in shown.items():
        if isinstance(answer := answers.get(address), Unknown):
            returns.unheard[slack_id] = answer.why
    bearers = [answer.value for answer in answers.values() if isinstance(answer, Present)]
    if bearers:
        await to_completion(_plan_aside, runtime, bearers, planner)


async def contenders_among(
    runtime: Runtime, policy: Policy, accounts: Accounts, bearers: Sequence[SourceUser]
) -> dict[str, str]:
    """Return who of *bearers* may have returned to one of the *accounts*, by the Slack id of who has it."""
    planner = Planner(policy, accounts)
    if bearers:
        await to_completion(_plan_aside, runtime, bearers, planner)
    return {holder: one for one, holder in planner.returns.contested.items()}


def _plan_aside(runtime: Runtime, people: Sequence[SourceUser], planner: Planner) -> None:
    """Plan for *people* only to note in *planner* to whose accounts they may have returned."""
    with runtime.store.reading() as tables:
        plan_people(tables, runtime.settings.docebo_url, planner.anew(), people, now=runtime.now())
