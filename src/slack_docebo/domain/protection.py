"""Protection: which accounts are never touched."""

from collections.abc import Sequence

from slack_docebo.domain.addresses import pattern_keys
from slack_docebo.domain.patterns import any_fits
from slack_docebo.domain.people import Account

NEVER_TOUCHED = (ADMINISTRATOR, PROTECTED) = (
    "administrator account, never touched",
    "protected account, never touched",
)
STATUS_NOT_SAID = "the status that Docebo shows is neither active nor inactive: set it there"


def shielded(account: Account, protected: Sequence[str]) -> str:
    """Return why *account* is never touched, or ""; *protected* are patterns on username, e-mail or Docebo id."""
    if account.administrator:
        return ADMINISTRATOR
    if any_fits(protected, account_keys(account)):
        return PROTECTED
    if "active" in account.unshown:
        return STATUS_NOT_SAID
    return ""


def account_keys(account: Account) -> tuple[str, ...]:
    """Return the keys with which patterns are compared for *account*."""
    return (*pattern_keys(account.username), *pattern_keys(account.email), str(account.docebo_id))
