"""Docebo accounts: the records, the indexes that keep look-ups cheap, and the orders a listing can have."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

FIRST_USER_ID = 10_000
LEVELS = {"user": 6, "power_user": 4, "godadmin": 3}


@dataclass(slots=True)
class Account:
    """One Docebo user."""

    user_id: int
    username: str
    email: str = ""
    firstname: str = ""
    lastname: str = ""
    level: str = "user"  # a key of LEVELS, the way listings spell it
    active: bool = True
    language: str = "en"  # as a code, the way POST /user takes it
    timezone: str = "UTC"
    date_format: str = "en"
    country: str = ""
    expiration: str | None = None
    email_validated: bool = False
    force_change: bool = False
    is_manager: bool = False
    password: str | None = None
    provisioned_by: str | None = None
    fields: dict[int, str] = field(default_factory=dict)
    branches: tuple[int, ...] = ()
    managers: dict[int, int] = field(default_factory=dict)
    created: str = ""
    updated: str = ""
    last_access: str | None = None


# Listings are sorted by these only; by first name unless asked otherwise.
SORT_KEYS: dict[str, Callable[[Account], Any]] = {
    "username": lambda account: account.username.casefold(),
    "first_name": lambda account: account.firstname.casefold(),
    "last_name": lambda account: account.lastname.casefold(),
    "status": lambda account: account.active,
    "level": lambda account: LEVELS[account.level],
    "email": lambda account: account.email.casefold(),
    "last_access_date": lambda account: account.last_access or "",
    "expiration_date": lambda account: account.expiration or "",
    "language": lambda account: account.language,
    "email_validation_status": lambda account: account.email_validated,
}


class UsernameTakenError(ValueError):
    """Another account has this username, in whatever case."""


class Accounts:
    """All accounts of the platform."""

    def __init__(self) -> None:
        self._accounts: dict[int, Account] = {}
        self._by_username: dict[str, int] = {}
        self._by_email: dict[str, dict[int, None]] = {}
        self._next_id = FIRST_USER_ID
        self._orders: dict[tuple[str, bool], list[int]] = {}

    def __len__(self) -> int:
        return len(self._accounts)

    def __iter__(self) -> Iterator[Account]:
        return iter(list(self._accounts.values()))

    def __getitem__(self, user_id: int) -> Account:
        return self._accounts[user_id]

    def get(self, user_id: int) -> Account | None:
        return self._accounts.get(user_id)

    def by_username(self, username: str) -> Account | None:
        """Return the account with this username; case does not count."""
        user_id = self._by_username.get(username.casefold())
        return None if user_id is None else self._accounts[user_id]

    def by_email(self, email: str) -> list[Account]:
        """Return the accounts with this address, which need not be one; case does not count."""
        return [self._accounts[user_id] for user_id in self._by_email.get(email.casefold(), ())]

    def add(self, username: str, user_id: int | None = None, **attributes: Any) -> Account:
        """Create an account; raise UsernameTakenError."""
        if self.by_username(username):
            raise UsernameTakenError(username)
        if user_id is None:
            user_id = self._next_id
            self._next_id += 1
        now = _now()
        account = Account(user_id, username, **{"created": now, "updated": now, **attributes})
        self._accounts[user_id] = account
        self._enter(account)
        return account

    def change(self, user_id: int, attributes: Mapping[str, Any]) -> bool:
        """Set *attributes*; say whether anything differs now. `fields` and `managers` are merged."""
        account = self._accounts[user_id]
        merged = {"fields": account.fields, "managers": account.managers}
        values = {name: merged[name] | value if name in merged else value for name, value in attributes.items()}
        differing = {name: value for name, value in values.items() if getattr(account, name) != value}
        if not differing:
            return False
        taken = self.by_username(values.get("username", account.username))
        if taken is not None and taken is not account:
            raise UsernameTakenError(values["username"])
        self._leave(account)
        for name, value in differing.items():
            setattr(account, name, value)
        account.updated = _now()
        self._enter(account)
        return True

    def delete(self, user_id: int) -> None:
        self._leave(self._accounts.pop(user_id))

    def order(self, attribute: str, *, descending: bool) -> list[int]:
        """Return all user ids sorted by *attribute*, ties by id; sorted once per state of the accounts."""
        key = (attribute, descending)
        if key not in self._orders:
            self._orders[key] = self.sort(self._accounts.values(), attribute, descending=descending)
        return self._orders[key]

    def sort(self, accounts: Iterable[Account], attribute: str, *, descending: bool) -> list[int]:
        by_id = sorted(accounts, key=lambda account: account.user_id)
        return [account.user_id for account in sorted(by_id, key=SORT_KEYS[attribute], reverse=descending)]

    def _enter(self, account: Account) -> None:
        self._by_username[account.username.casefold()] = account.user_id
        self._by_email.setdefault(account.email.casefold(), {})[account.user_id] = None
        self._orders.clear()

    def _leave(self, account: Account) -> None:
        del self._by_username[account.username.casefold()]
        with_email = self._by_email[account.email.casefold()]
        del with_email[account.user_id]
        if not with_email:
            del self._by_email[account.email.casefold()]
        self._orders.clear()


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d %H:%M:%S")
