"""Rows of the table `account`, of which each repository knows some columns."""

from typing import Any

from sqlalchemy import Column, Select, TextClause, Update, bindparam, select, update

from slack_docebo.storage.schema import account
from slack_docebo.storage.statements import insertion_text

BLANK = {"username_digest": "", "address_digest": "", "level": "", "verified_by": "", "deactivated_by": ""}
# Made once, like the statements made of them: they cost more to build than to carry out.
HERE = account.c.platform_id == bindparam("platform")
CHANGE = update(account).where(HERE)


def account_insertion(*columns: str, on_conflict: str) -> TextClause:
    """Return the INSERT of an account with these *columns* and those that every row has."""
    return insertion_text([account.c[name] for name in ("platform_id", "user_id", *BLANK, *columns)], on_conflict)


def account_row(platform_id: int, docebo_id: int, **known: object) -> dict[str, object]:
    """Return the row of an account, with empty values for what is not *known*."""
    return {"platform_id": platform_id, "user_id": docebo_id, **BLANK, **known}


def select_accounts(platform_id: int | None, *columns: Column[Any]) -> Select[Any]:
    """Return the query for the ids of the platform's accounts, and for these *columns* of them."""
    return select(account.c.user_id, *columns).where(account.c.platform_id == platform_id)


def update_account(platform_id: int, docebo_id: int) -> Update:
    """Return the UPDATE of one account."""
    return update(account).where(account.c.platform_id == platform_id, account.c.user_id == docebo_id)
