"""Disputes: whether a mapped account is still whose it was.

Behind an id there may be somebody else by now: a tenant was restored, or an account recycled or handed over by hand.
"""

import hashlib

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.names import clean, folded
from slack_docebo.domain.people import Account, LastSeen, SourceUser

DISPUTED = "is disputed: it shows neither what was last seen of it nor this person's data"


def digest(text: str) -> str:
    """Return what tells whether a name or an address is the same, and not which it is; "" of nothing."""
    return hashlib.sha256(folded(text).encode("utf-8", "replace")).hexdigest() if text else ""


def look(account: Account) -> LastSeen:
    """Return what is remembered of an account."""
    return LastSeen(digest(account.username), digest(account.email))


def is_same(now: LastSeen, then: LastSeen) -> bool:
    """Tell whether an account bears the username or the address that it bore, as far as that is known.

    Who changes one of the two is no stranger.
    """
    if then == LastSeen():
        return True
    same_username = bool(then.username) and now.username == then.username
    return same_username or (bool(then.address) and now.address == then.address)


def bears_data_of(account: Account, user: SourceUser) -> bool:
    """Tell whether the account shows the name of *user*, or the address if Slack does not say that it is not confirmed."""
    address = "" if user.unconfirmed else mailbox(user.email)
    if address and address in {mailbox(account.email), mailbox(account.username)}:
        return True
    names = {f"{user.first_name} {user.last_name}", user.real_name, user.display_name}
    shown = folded(clean(f"{account.first_name} {account.last_name}"))
    return bool(shown) and shown in {folded(clean(name)) for name in names}


def dispute(docebo_id: int) -> str:
    """Return what is told of a disputed account, and what there is to do."""
    return (
        f"account {docebo_id} {DISPUTED}. If it is somebody else's by now, run reset-mappings for this Slack id; if it is"
        " right, give the pair to `slack-docebo mappings import`"
    )
