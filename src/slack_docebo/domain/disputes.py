"""Disputes: whether a mapped account still belongs to the person it is mapped to.

The id may lead to somebody else by now: a tenant was restored, or an account was recycled or handed over by hand. And
what a table says, imported or restored, is a claim until the account has shown whose it is.
"""

import hashlib
from collections.abc import Iterable
from itertools import chain

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.names import as_compared, folded
from slack_docebo.domain.people import Account, Applied, LastSeen, Mapping, SourceUser

DISPUTED = "is disputed: "
NOTHING_THEIRS = "it shows neither what was last seen of it nor this person's data"
HANDED_OVER = "it shows another person's address or name, and of what was last seen the user name alone"
NAME_ALONE = "it shows another person's address, and nothing of what was last seen; the name may be a namesake's"
OF_NOBODY_KNOWN = "shows another address than before, and Slack does not say whose that is: the next import tells"
UNPROVEN = "is not proven: a table of mappings gives it to this person, "
SHOWS_ANOTHER = "its person has left with this address, and it shows another one by now"
GIVE_THE_USERNAME = "give it the user name of that one in Docebo"
DELETE_THE_MAPPING = "delete the mapping of this Slack id"
LINK_THE_OTHER = "link that one to it, with MAP_SLACK_USER_DATA on"
NOT_THE_NAME = "whose address it does not show, nor the name"
ADDRESS_OF_ANOTHER = "and it shows another person's address; the name, or the user name, proves nothing then"
ADDRESS_OF_SUCCESSOR = "who has left, and whose address somebody else in Slack bears"
ADDRESS_OF_NOBODY_KNOWN = (
    "whose address it does not show, but one of which the next import, which sees everybody, can tell more"
)


def digest(text: str) -> str:
    """Return a digest by which a name or an address can be recognised but not read; "" for an empty text."""
    return hashlib.sha256(folded(text).encode("utf-8", "replace")).hexdigest() if text else ""


def seen_on(account: Account) -> LastSeen:
    """Return what is remembered of an account, without a masked address, which may be anybody's."""
    return LastSeen(digest(account.username), digest("" if "email" in account.unshown else account.email))


def is_same(now: LastSeen, then: LastSeen) -> bool:
    """Tell whether an account still has the username or the address that it had *then*, as far as that is known.

    Whoever changes only one of the two is the same person. An address that we have written proves nothing until it was
    seen, for the account may have been handed over right before; nor does the claim of a table. Where the address is
    the username, the username follows the address that we have written.
    """
    if then.claimed:
        return False
    if then == LastSeen():
        return True
    same_username = bool(then.username) and now.username == then.username
    same_address = bool(then.address) and now.address == then.address
    followed = then.address_written and bool(then.address) and now.username == then.address
    return same_username or followed or (same_address and not then.address_written)


def bears_data_of(account: Account, user: SourceUser, seen: LastSeen) -> bool:
    """Tell whether the account shows the name of *user*, or their address unless Slack says that it is unconfirmed.

    *seen* is what was last seen of the account: an address that is there because we have written it is no evidence.
    """
    return bears_address_of(account, user, seen) or bears_name_of(account, user)


def bears_address_of(account: Account, user: SourceUser, seen: LastSeen) -> bool:
    """Tell whether the account shows the address of *user*, like `bears_data_of`."""
    address = _address_of(user)
    if not address or address == mailbox(account.username):
        return bool(address)
    is_own_word = seen.address_written and seen.address == seen_on(account).address
    return address == mailbox(account.email) and not is_own_word


def _address_of(user: SourceUser) -> str:
    return "" if user.unconfirmed else mailbox(user.email)


def bears_name_of(account: Account, user: SourceUser) -> bool:
    """Tell whether the account shows the name of *user*."""
    return bool(name := name_on(account)) and name in names_of(user)


def may_be_theirs(account: Account, user: SourceUser, seen: LastSeen) -> bool:
    """Tell whether an account given to *user* shows something of what was *seen* then, or the user's name."""
    return seen != LastSeen() and (is_same(seen_on(account), seen) or bears_name_of(account, user))


def name_on(account: Account) -> str:
    """Return the account's name in the form in which names are compared; "" where it shows none."""
    return as_compared(f"{account.first_name} {account.last_name}")


def names_of(user: SourceUser) -> set[str]:
    """Return every name that Slack shows of *user*, in the form in which names are compared."""
    return {as_compared(name) for name in (f"{user.first_name} {user.last_name}", user.real_name, user.display_name)}


def may_be_of_another(account: Account, user: SourceUser, seen: LastSeen) -> bool:
    """Tell whether the account is that of *user* only if nobody else has the address that it shows.

    That is so where only the name, or the username, supports the claim of a table, or shows that the account still is
    whose it was: several people may have that name, and a username stays when an account is handed over. It is also so
    where the claim is for somebody who has left, for the next one may have the address.
    """
    if not account.email:
        return False
    is_shown = _address_of(user) == mailbox(account.email)
    if seen.claimed:
        return bears_data_of(account, user, seen) and (user.deactivated or not is_shown)
    if is_shown:
        return False
    return bears_new_address(account, seen) and not (bears_name_of(account, user) and is_same(seen_on(account), seen))


def bears_new_address(account: Account, seen: LastSeen) -> bool:
    """Tell whether the account shows another address than the one last *seen* there, or none, or written by us since."""
    now = seen_on(account).address
    return bool(now) and seen != LastSeen() and now != seen.address


def other_bearers(suspects: Iterable[tuple[Account, str]], listed: Iterable[SourceUser]) -> dict[tuple[int, str], str]:
    """Return who else of *listed* has the address that a suspect shows or, failing that, only its name; by suspect.

    A suspect is an account with the Slack id of its presumed owner. Where it shows the owner's name or address, others
    who only have the name are left out.
    """
    by_address, by_name = dict[str, list[tuple[int, str]]](), dict[str, list[tuple[int, str]]]()
    for account, slack_id in suspects:
        by_address.setdefault(mailbox(account.email), []).append((account.docebo_id, slack_id))
        by_name.setdefault(name_on(account), []).append((account.docebo_id, slack_id))
    others, namesakes, own = dict[tuple[int, str], str](), dict[tuple[int, str], str](), set[tuple[int, str]]()
    for user in listed:
        if user.bot:
            continue
        named = chain.from_iterable(by_name.get(name, ()) for name in names_of(user) if name)
        for found, bearers in ((by_address.get(mailbox(user.email), ()), others), (named, namesakes)):
            for suspect in found:
                if suspect[1] in user.ids:
                    own.add(suspect)
                else:
                    bearers[suspect] = user.slack_id
    return {suspect: bearer for suspect, bearer in namesakes.items() if suspect not in own} | others


def doubt_about(account: Account, mapping: Mapping, user: SourceUser, accounts: Accounts) -> str:
    """Return why nobody can tell whether the mapped account is, or still is, that of *user*, or ""."""
    if mapping.docebo_id != account.docebo_id:
        return ""
    if mapping.seen.claimed:
        return _doubt_of_claim(account, mapping, user, accounts)
    if not (is_same(seen_on(account), mapping.seen) or bears_data_of(account, user, mapping.seen)):
        return dispute(account.docebo_id)
    return _doubt_by_new_address(account, user, mapping.seen, accounts, if_not_theirs=DELETE_THE_MAPPING)


def doubt_about_former(account: Account, applied: Applied, user: SourceUser, accounts: Accounts) -> str:
    """Return the doubt like `doubt_about`, for an account that *user* was given before and has no mapping to."""
    return _doubt_by_new_address(account, user, applied.seen, accounts, if_not_theirs=LINK_THE_OTHER)


def _doubt_by_new_address(
    account: Account, user: SourceUser, seen: LastSeen, accounts: Accounts, *, if_not_theirs: str
) -> str:
    """Return why the account may have been handed over in Docebo, with the advice *if_not_theirs*, or "".

    It may have been where it shows an address that was not *seen* there before and is not the user's, unless it also
    shows the user's name and the username that was *seen*. It was where somebody else has that address; where nobody
    has it, *user* may have changed their own in Slack. A run that sees only some people, as in real time, cannot tell
    the two apart.
    """
    if not may_be_of_another(account, user, seen):
        return ""
    if accounts.has_unknown_bearer(account):
        return f"account {account.docebo_id} {OF_NOBODY_KNOWN}"
    if not accounts.has_other_bearer(account, user):
        return ""
    why = HANDED_OVER if is_same(seen_on(account), seen) else NAME_ALONE
    return dispute(account.docebo_id, why, if_not_theirs)


def _doubt_of_claim(account: Account, mapping: Mapping, user: SourceUser, accounts: Accounts) -> str:
    """Return why nobody can tell whether the table is right about the account, or "".

    Several people may have one name, and a username stays when an account is handed over, so neither proves anything
    for an account with another person's address. Nor does the address of who has left, where somebody else in Slack has
    it by now, like the same person under a new id.
    """
    if not bears_data_of(account, user, mapping.seen):
        return unproven(account.docebo_id, NOT_THE_NAME)
    if _address_of(user) == mailbox(account.email):
        is_passed_on = user.deactivated and accounts.has_other_bearer(account, user)
        return unproven(account.docebo_id, ADDRESS_OF_SUCCESSOR) if is_passed_on else ""
    if accounts.has_unknown_bearer(account):
        return unproven(account.docebo_id, ADDRESS_OF_NOBODY_KNOWN)
    return unproven(account.docebo_id, ADDRESS_OF_ANOTHER) if accounts.is_of_another(account, user) else ""


def dispute(docebo_id: int, why: str = NOTHING_THEIRS, if_not_theirs: str = DELETE_THE_MAPPING) -> str:
    """Return the reason, with advice, for a disputed account; *why* it is disputed is part of it."""
    return (
        f"account {docebo_id} {DISPUTED}{why}. If it is somebody else's by now, {if_not_theirs}; if it is"
        " right, link the two: the form Decide about people on the status page"
    )


def dispute_of_leaver(docebo_id: int) -> str:
    """Return the reason like `dispute`, for somebody with the address with which the owner of the account has left."""
    return dispute(docebo_id, SHOWS_ANOTHER, if_not_theirs=GIVE_THE_USERNAME)


def bears_our_word_alone(account: Account, seen: LastSeen) -> bool:
    """Tell whether the account shows an address that we have written, and nothing else of what was last *seen* there.

    It may have been handed over right before: its address shows of nobody that it is theirs.
    """
    if not seen.address_written:
        return False
    now = seen_on(account)
    return now.address == seen.address and not is_same(now, seen)


def dispute_by_our_word(docebo_id: int) -> str:
    """Return the reason like `dispute`, for an account that shows the person's address only because we wrote it there."""
    return (
        f"account {docebo_id} {DISPUTED}it shows this address, which we have written there, and nothing else of what it bore"
        " then. If it is somebody else's by now, give it the address of that one in Docebo; if it is right, link the two,"
        " with MAP_SLACK_USER_DATA on: the form Decide about people on the status page"
    )


def dispute_by_name(docebo_id: int) -> str:
    """Return the reason like `dispute`, for a former account that still shows the person's name and nothing else."""
    return (
        f"account {docebo_id} {DISPUTED}it was given to this person before, and bears nothing of what it bore then but the"
        " name. If it is somebody else's by now, give it the name of that one in Docebo; if it is right, give it this person's"
        " address there, or link the two, with MAP_SLACK_USER_DATA on: the form Decide about people on the status page"
    )


def unproven(docebo_id: int, why: str) -> str:
    """Return the reason, with advice, for an account that only a table gives to somebody; *why* is part of it."""
    return (
        f"account {docebo_id} {UNPROVEN}{why}. If it is somebody else's, {DELETE_THE_MAPPING}; if it is"
        " right, link the two: the form Decide about people on the status page"
    )
