"""The state of the Docebo platform: its accounts, additional fields and branches."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sandbox.docebo.accounts import Account, Accounts
from sandbox.docebo.attributes import Branch, Field, Reader
from sandbox.docebo.population import Attributes, Newcomer
from sandbox.docebo.switches import Switches

API_USER_ID = 5
API_USERNAME = "api.bot"
API_PASSWORD = "sandbox-api-password"  # noqa: S105 - opens nothing but the sandbox
ORDINARY_USER_ID = 6
CONNECT_USER_ID = 7

SLACK_ID_FIELD = 12
SLACK_NAME_FIELD = 13
SLACK_TEAM_FIELD = 14
DEPARTMENT_FIELD = 15


@dataclass(frozen=True)
class SlackLink:
    """A row of the stand-in for the `slack_user` table, of which Docebo publishes only the name."""

    slack_id: str
    slack_name: str
    slack_team: str
    user_id: int


@dataclass
class Platform:
    """Everything a tenant holds. *newcomers* are the accounts it starts with."""

    newcomers: list[Newcomer]
    initial_switches: Switches
    slack_connection: dict[str, str]
    accounts: Accounts = field(init=False)
    kinds: Counter[str] = field(init=False)
    notified: int = field(init=False)  # newly created users who were sent an e-mail

    def __post_init__(self) -> None:
        self._initial_connection = dict(self.slack_connection)
        self.reset()

    def reset(self) -> None:
        """Put everything back to the start."""
        self.switches = self.initial_switches
        self.slack_connection = dict(self._initial_connection)
        self.slack_links: dict[tuple[str, str], SlackLink] = {}
        self.fields = {
            SLACK_ID_FIELD: Field(SLACK_ID_FIELD, "Slack ID", invisible_to_user=True),
            SLACK_NAME_FIELD: Field(SLACK_NAME_FIELD, "Slack name", invisible_to_user=True),
            SLACK_TEAM_FIELD: Field(SLACK_TEAM_FIELD, "Slack team", invisible_to_user=True),
            DEPARTMENT_FIELD: Field(DEPARTMENT_FIELD, "Department", "dropdown", {1: "Sales", 2: "Engineering"}),
        }
        self.branches = {0: Branch(0, "", "Sandbox"), 42: Branch(42, "SLACK", "From Slack")}
        self.manager_types = {1: "Direct manager"}
        self.notified = 0
        self.searched = Counter[int]()  # searches that should have found an account, by its id
        self._field_ids = itertools.count(DEPARTMENT_FIELD + 1)
        self.accounts = Accounts()
        self._settle()

    def _settle(self) -> None:
        created: Attributes = {"created": "2026-01-01 08:00:00", "updated": "2026-01-01 08:00:00"}
        bot: Attributes = {"firstname": "Api", "lastname": "Bot", "email": "bot@example.org", "level": "godadmin"}
        self.accounts.add(API_USERNAME, API_USER_ID, password=API_PASSWORD, **bot, **created)
        # Docebo Connect brings an undeletable superadmin.
        connect: Attributes = {"firstname": "Service", "lastname": "Connect", "email": "connect@docebo.example"}
        self.accounts.add("service.connect", CONNECT_USER_ID, level="godadmin", **connect, **created)
        self.kinds = Counter(api_superadmin=1, service_connect=1)
        for newcomer in self.newcomers:
            self.accounts.add(**newcomer.attributes, **created)
            self.kinds[newcomer.kind] += 1

    def reader(self) -> Reader:
        return Reader(self.accounts, self.fields, self.branches, self.switches)

    def shown(self, username: str) -> str:
        """Return *username* as answers show it."""
        return f"/{username}" if self.switches.slash_in_usernames else username

    def shown_number(self, number: int) -> int | str:
        """Return *number*, an id or a yes or no, as answers show it."""
        return str(int(number)) if self.switches.string_ids else int(number)

    def options_of(self, field: Field) -> Mapping[int, str]:
        """Return the options that answers show of *field*."""
        return field.options if field.type == "dropdown" or self.switches.country_options else {}

    def shown_value(self, account: Account, field: Field) -> str | None:
        """Return what answers show of an additional *field* of the *account*."""
        value = account.fields.get(field.id)
        return "0" if not value and field.type == "yesno" and self.switches.unset_as_zero else value

    def known(self, user_id: Any) -> Account | None:
        """Return the account that a call means by *user_id*, None if there is none."""
        return self.accounts.get(int(user_id)) if str(user_id).isdigit() else None

    def app_account(self) -> Account:
        """Return the account to which the app's own token belongs."""
        if self.switches.superadmin:
            return self.accounts[API_USER_ID]
        ordinary = self.accounts.get(ORDINARY_USER_ID)
        return ordinary or self.accounts.add("ordinary.app", ORDINARY_USER_ID, firstname="Ordinary", lastname="App")

    def add_field(
        self,
        title: str,
        type_: str,
        *,
        mandatory: bool,
        invisible_to_user: bool,
        options: Mapping[int, str] = MappingProxyType({}),
    ) -> Field:
        added = Field(
            next(self._field_ids),
            title,
            type=type_,
            options=dict(options),
            mandatory=mandatory,
            invisible_to_user=invisible_to_user,
        )
        self.fields[added.id] = added
        return added

    def level(self, level: str, shown: str | int) -> str | int:
        """Return the platform's own word for the plain users' *level*, if it has one; else *shown*."""
        return (self.switches.user_level if level == "user" else "") or shown

    def add_branch(self, code: str, title: str, parent: int = 0) -> Branch:
        added = Branch(max(self.branches) + 1, code, title, parent)
        self.branches[added.id] = added
        return added

    def delete(self, user_id: int) -> None:
        """Delete an account and the links to it."""
        self.accounts.delete(user_id)
        self.slack_links = {key: link for key, link in self.slack_links.items() if link.user_id != user_id}

    def edit(self, user_id: int, attributes: Mapping[str, Any]) -> Account:
        """Change an account by hand, without the API's checks; raise KeyError."""
        fields = {int(key): value for key, value in attributes.get("fields", {}).items()}
        self.accounts.change(user_id, {**attributes, **({"fields": fields} if fields else {})})
        return self.accounts[user_id]
