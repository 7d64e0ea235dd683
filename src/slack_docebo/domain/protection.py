"""Protection: which accounts are never touched."""

from collections.abc import Sequence

from slack_docebo.domain.addresses import pattern_keys
from slack_docebo.domain.patterns import named
from slack_docebo.domain.people import Account


def shielded(account: Account, protected: Sequence[str]) -> str:
    """Return why *account* is never touched, or ""; *protected* are patterns on username, e-mail or Docebo id."""
    if account.administrator:
        return "administrator account, never touched"
    if named(protected, account_keys(account)):
        return "protected account, never touched"
    return ""


def account_keys(account: Account) -> tuple[str, ...]:
    """Return by what patterns are compared with *account*."""
    return (*pattern_keys(account.username), *pattern_keys(account.email), str(account.docebo_id))
