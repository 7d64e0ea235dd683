"""Expiry: whether an account has ended on its expiration date, and which date it had before we let it end."""

from collections.abc import Container, Mapping
from datetime import date, timedelta

from slack_docebo.domain.attributes import current_value
from slack_docebo.domain.people import Account
from slack_docebo.domain.targets import EXPIRATION

# By how much the calendar by which we have let an account expire may be ahead of today's: TIME_ZONE may be another since.
CALENDARS_DIFFER = timedelta(days=2)


def has_expired(account: Account, today: date) -> bool:
    """Tell whether the account is shown to have ended by *today*."""
    expires = current_value(account, EXPIRATION)
    return bool(expires) and str(expires)[:10] <= today.isoformat()


def ends_by_us(account: Account, ended: Container[int], today: date) -> bool:
    """Tell whether the account is shown to end on a day on which we may have let it expire; *ended* are those we have."""
    return account.docebo_id in ended and has_expired(account, today + CALENDARS_DIFFER)


def is_over(account: Account, ended: Container[int], today: date) -> bool:
    """Tell whether the account is shown to have ended, or to end by us."""
    return has_expired(account, today) or ends_by_us(account, ended, today)


def may_have_ended(account: Account, ended: Mapping[int, str], today: date) -> bool:
    """Tell whether an account may have expired, so that its person needs another date to get in.

    *ended* holds the accounts that we have let expire, by Docebo id, with their former date. An inactive account counts
    only if it is one of them: any other was shut by somebody else. One that shows its former date may have been read
    before we let it expire.
    """
    is_ours = account.active or account.docebo_id in ended
    expires = current_value(account, EXPIRATION)
    is_as_before = account.docebo_id in ended and expires == ended[account.docebo_id]
    return is_ours and (expires is None or is_as_before or is_over(account, ended, today))


def former_end(account: Account, ended: Mapping[int, str], today: date) -> str:
    """Return the expiration date that the account had before, if it is known and in the future, or ""."""
    end = ended.get(account.docebo_id, "")[:10]
    return end if end > today.isoformat() else ""
