"""Bearers: to whom an account belongs that shows another person's name or address."""

from collections.abc import Collection, Iterable
from functools import partial

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.disputes import may_be_of_another
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.people import Account, Applied, Known, Mapping, SourceUser
from slack_docebo.domain.returns import has_left
from slack_docebo.engine.reading.evidence import answers_to, counted, observe_person, reserve_calls
from slack_docebo.engine.reading.outages import OutageWatch, ping_slack
from slack_docebo.runtime import Runtime
from slack_docebo.storage.store import Store

MOST_ADDRESSES = 100  # more were not handed over: people have other addresses in this Docebo than in Slack


async def find_bearers(runtime: Runtime, people: Iterable[tuple[SourceUser, Known | None]], accounts: Accounts) -> None:
    """Find out to whom accounts belong that seem to be those of *people* but show another address.

    The answers are noted in *accounts*. For each of *people* that is about at most one account: the one known as
    theirs, where only the name, or the username, is left of what is known of them; else, for people without a mapping,
    the one whose username is their address.

    The records of what was applied tell to whom an account of the second kind was given. Otherwise Slack is asked, in
    one call, who has the address that the account shows; if it finds nobody, that may be somebody who was deactivated,
    and nobody can tell.

    For people without a mapping who were given an account, there may be another account with their address. Slack is
    asked, one call each, whether its former holders have left: it stays with those who have not.
    """
    note_given = partial(_note_given, runtime.store, runtime.settings.docebo_url)
    for user, known in people:
        if isinstance(known, Applied):
            await _find_former_holders(runtime, user, accounts)
        theirs = accounts.get(known.docebo_id) if known else None
        if theirs and known and may_be_of_another(theirs, user, known.seen):
            account: Account | None = theirs
        elif theirs and isinstance(known, Mapping):
            account = None
        else:
            named = None if user.unconfirmed else accounts.named_after(user)
            is_given = named is not None and await to_completion(note_given, user, named, accounts)
            account = None if is_given else named
        if account is None:
            continue
        if bearer := await runtime.slack.find_user(account.email):
            accounts.note_bearer(account.docebo_id, bearer.slack_id)
        else:
            accounts.note_unknown_bearer(account.docebo_id)


async def bearers_of(runtime: Runtime, addresses: Iterable[str]) -> dict[str, Observation[SourceUser]]:
    """Return who in Slack bears which of *addresses*, for one call each, without those that are nobody's."""

    async def about(address: str) -> Observation[SourceUser]:
        user = await runtime.slack.find_user(address)
        return Present(user) if user else Gone("nobody in Slack bears the address")

    answers = answers_to(runtime, addresses, about, OutageWatch(partial(ping_slack, runtime.slack)))
    return {address: answer async for address, answer in answers if not isinstance(answer, Gone)}


async def ask_for_other_bearers(
    runtime: Runtime, suspects: Collection[tuple[Account, str]]
) -> dict[tuple[int, str], str]:
    """Return whom Slack finds by the addresses that *suspects* show, if it is somebody else; one call for each address.

    A suspect is as in `other_bearers`; one of whom Slack does not say it gets "". For more than MOST_ADDRESSES, or than
    EVIDENCE_CALLS allows, no call is made: then what Slack's list has shown of them is believed.
    """
    addresses = sorted({account.email for account, _ in suspects})
    others: dict[tuple[int, str], str] = {}
    if len(addresses) > MOST_ADDRESSES or not reserve_calls(runtime, people=len(addresses)):
        return others
    bearers = await bearers_of(runtime, addresses)
    for account, slack_id in suspects:
        match bearers.get(account.email):
            case Present(user) if slack_id not in user.ids:
                others[account.docebo_id, slack_id] = user.slack_id
            case Unknown():
                others[account.docebo_id, slack_id] = ""
    return others


async def _find_former_holders(runtime: Runtime, user: SourceUser, accounts: Accounts) -> None:
    """Note to whom the accounts with the address of *user* were given, as far as these may still be in Slack."""
    bearing = [account.docebo_id for account in accounts.with_email(user.email)] if user.email else []
    if not bearing:
        return
    with runtime.store.reading() as tables:
        holders = tables.applied(runtime.settings.docebo_url).former_holders(bearing)
    for docebo_id, slack_ids in holders.items():
        if slack_ids.isdisjoint(user.ids):
            for slack_id in sorted(slack_ids):
                with counted(runtime):
                    seen = await observe_person(runtime, slack_id, with_values=False)
                if not has_left(seen):
                    accounts.note_former_holder(docebo_id, slack_id)


def _note_given(store: Store, docebo: str, user: SourceUser, account: Account, accounts: Accounts) -> bool:
    """Note to whom the account was given, to *user* if to several; tell whether it was given to anybody."""
    with store.reading() as tables:
        given = tables.applied(docebo).given([account.docebo_id])
    holders = given.get(account.docebo_id, set())
    if holders:
        mine = holders.intersection(user.ids)
        accounts.note_given(account.docebo_id, min(mine or holders))
    return bool(holders)
