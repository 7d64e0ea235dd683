"""The workspace: the generated population, with the changes made since."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.slack.kinds import User, deactivate
from sandbox.slack.population import Population, Team
from sandbox.slack.switches import SlackSwitches

DEFAULT_SCOPES = frozenset({"users:read", "users:read.email", "team:read", "users.profile:read", "usergroups:read"})
BOT_TOKEN = "xoxb-sandbox-bot-token"  # noqa: S105 - opens nothing but the sandbox
SCIM_TOKEN = "xoxp-sandbox-scim-token"  # noqa: S105 - opens nothing but the sandbox
BOT_USER_ID = "U0SANDBOXBOT"

STATUS_KEYS = frozenset({"status_text", "status_emoji", "status_expiration", "status_text_canonical"})
PROFILE_FIELDS = (
    {"id": "Xf0DEPARTMT", "label": "Department", "type": "text", "ordering": 0},
    {"id": "Xf0STARTDAT", "label": "Start date", "type": "date", "ordering": 1},
    {
        "id": "Xf0OFFICE00",
        "label": "Office",
        "type": "options_list",
        "ordering": 2,
        "possible_values": ["London", "Rome"],
    },
    {"id": "Xf0MANAGER0", "label": "Manager", "type": "user", "ordering": 3},
    {"id": "Xf0WEBSITE0", "label": "Website", "type": "link", "ordering": 4},
)

Announce = Callable[[tuple[str, ...], User], None]


@dataclass(frozen=True)
class Group:
    """A user group and the ids of its members."""

    id: str
    handle: str
    members: frozenset[str]


AnnounceGroup = Callable[[Group, frozenset[str], frozenset[str]], None]  # a group, who came, and who left


class Workspace:
    """Users by position, the granted scopes, and the condition of each token.

    Only changed and added users are remembered; everybody else is generated when asked for.
    Changes may come from another thread than the server's as long as no call is under way.
    """

    def __init__(self, population: Population) -> None:
        self.population = population
        self.announce: Announce = lambda _types, _user: None
        self.announce_group: AnnounceGroup = lambda _group, _added, _removed: None
        self.reset()

    def reset(self) -> None:
        """Forget every change."""
        self.scopes = DEFAULT_SCOPES
        self.switches = SlackSwitches()
        self.token_errors: dict[str, str | None] = {BOT_TOKEN: None}
        self.invisible: set[str] = set()  # users whom the app may not see when it asks for them: `user_not_visible`
        self.without_address: set[str] = set()  # users whose e-mail address is not shown to the app
        self.groups: dict[str, Group] = {}
        self.profile_fields: list[dict[str, Any]] = [dict(one) for one in PROFILE_FIELDS]  # may say `is_hidden`
        self.scim: dict[str, dict[str, str]] = {}  # what SCIM says of users, by id: "department", "manager" and others
        self._changed: dict[int, User] = {}
        self._before_deactivation: dict[int, User] = {}
        self._size = self.population.size

    @property
    def team(self) -> Team:
        return self.population.team

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[User]:
        return map(self.at, range(self._size))

    def group(self, handle: str, *members: str) -> Group:
        """Give the user group with this handle exactly these members, and announce who was added and removed."""
        known = self.groups.get(handle)
        group = Group(known.id if known else f"S0{len(self.groups):07}", handle, frozenset(members))
        self.groups[handle] = group
        before = known.members if known else frozenset()
        self.announce_group(group, group.members - before, before - group.members)
        return group

    @property
    def organisation(self) -> str:
        """The id of the Enterprise Grid that the workspace has joined, or ""."""
        told = (user.get("enterprise_user", {}).get("enterprise_id") for user in self._changed.values())
        return next(filter(None, told), "")

    def at(self, index: int) -> User:
        """Return the user at *index*; the caller owns the result."""
        changed = self._changed.get(index)
        return copy.deepcopy(changed) if changed is not None else self.population.user(index)

    def index_of(self, user_id: str) -> int | None:
        index = self.population.index_of(user_id)
        if index is not None and index < self._size:
            return index
        return next((i for i, user in self._changed.items() if _organisation_id(user) == user_id), None)

    def get(self, user_id: str) -> User:
        """Return the user; raise KeyError if nobody here has the id."""
        return self.at(self._position(user_id))

    def organisation_id(self, user_id: str) -> str:
        """Return the user's id in the organisation, or the only id of a user without one; "" if nobody here has it."""
        index = self.index_of(user_id)
        if index is None:
            return ""
        user = self.at(index)
        return _organisation_id(user) or str(user["id"])

    def local_id(self, user_id: str) -> str:
        """Return the user's id in the workspace; "" if nobody here has the id."""
        index = self.index_of(user_id)
        return "" if index is None else str(self.at(index)["id"])

    def by_email(self, email: str) -> User:
        """Return the user with this address; raise KeyError if there is none. It looks at everybody."""
        folded = email.casefold()
        for user in self:
            if user["profile"].get("email", "").casefold() == folded:
                return user
        raise KeyError(email)

    def of_kind(self, kind: str) -> list[User]:
        """Return the users generated as this kind. It looks at everybody."""
        population = self.population
        return [self.at(index) for index in range(population.size) if population.kind(index) == kind]

    def add(
        self, first_name: str, last_name: str = "", email: str | None = None, changes: Mapping[str, Any] | None = None
    ) -> User:
        """Let somebody join and announce it; a user who is only invited (`is_invited_user`) is not announced."""
        index = self._size
        user = self.population.user(index, kind="member")
        _merge(user, {"profile": {"first_name": first_name, "last_name": last_name, "display_name": ""}})
        user["name"] = f"{first_name}.{last_name}".casefold().strip(".")
        if email is None:
            del user["profile"]["email"]
        else:
            user["profile"]["email"] = email
        _merge(user, changes or {})
        self._size += 1
        self._store(index, user)
        if not user.get("is_invited_user"):
            self.announce(("team_join",), self.at(index))
        return self.at(index)

    def change(self, user_id: str, changes: Mapping[str, Any], remove: tuple[str, ...] = ()) -> User:
        """Merge *changes* into the user, drop the keys in *remove* (`tz`, `profile.email`), announce the change.

        First and last name carry over to the real name and the other way round, as in Slack. A change of
        nothing but custom fields is announced by no event, as in Slack.
        """
        index = self._position(user_id)
        user = self.at(index)
        _merge(user, changes)
        for path in remove:
            parent, _, key = path.rpartition(".")
            (user[parent] if parent else user).pop(key, None)
        touched = set(changes.get("profile", {})) if set(changes) <= {"profile"} and not remove else {"user"}
        if touched == {"fields"} and not self.switches.fields_move_stamps:
            self._changed[index] = user
        else:
            self._store(index, user)
        if touched <= STATUS_KEYS:
            self.announce(("user_change", "user_status_changed"), self.at(index))
        elif touched != {"fields"}:
            self.announce(("user_change", "user_profile_changed"), self.at(index))
        return self.at(index)

    def set_status(self, user_id: str, text: str, emoji: str = ":spiral_calendar_pad:") -> User:
        status = {"status_text": text, "status_emoji": emoji, "status_text_canonical": ""}
        return self.change(user_id, {"profile": status})

    def deactivate(self, user_id: str) -> User:
        index = self._position(user_id)
        user = self.at(index)
        if not user["deleted"]:
            self._before_deactivation[index] = copy.deepcopy(user)
        deactivate(user)
        return self._replace(index, user)

    def reactivate(self, user_id: str) -> User:
        index = self._position(user_id)
        user = self._before_deactivation.pop(index, None) or self.population.user(index, kind="member")
        user["deleted"] = False
        user["updated"] = self.at(index)["updated"]
        return self._replace(index, user)

    def _replace(self, index: int, user: User) -> User:
        self._store(index, user)
        self.announce(("user_change", "user_profile_changed"), self.at(index))
        return self.at(index)

    def _store(self, index: int, user: User) -> None:
        before = self._changed.get(index) or self.population.user(index)
        user["updated"] = max(int(time.time()), before["updated"] + 1)
        self._changed[index] = user

    def _position(self, user_id: str) -> int:
        index = self.index_of(user_id)
        if index is None:
            raise KeyError(user_id)
        return index


def _organisation_id(user: User) -> str | None:
    """Return the id that is the same in all workspaces of an organisation, by which Slack also finds people."""
    enterprise = user.get("enterprise_user")
    return enterprise.get("id") if isinstance(enterprise, dict) else None


def _merge(user: User, changes: Mapping[str, Any]) -> None:
    """Merge *changes* into *user*, keeping the several forms of a name in step."""
    profile_changes = dict(changes.get("profile", {}))
    profile = user["profile"]
    profile.update(profile_changes)
    user.update({key: value for key, value in changes.items() if key != "profile"})
    if "real_name" in changes and "first_name" not in profile_changes:
        profile_changes["real_name"] = changes["real_name"]
    if "first_name" in profile_changes or "last_name" in profile_changes:
        names = (profile.get("first_name"), profile.get("last_name"))
        real_name = profile_changes.get("real_name") or " ".join(name for name in names if name)
    elif "real_name" in profile_changes:
        real_name = profile_changes["real_name"]
        # One word clears the last name.
        profile["first_name"], _, profile["last_name"] = real_name.partition(" ")
    else:
        return
    user["real_name"] = profile["real_name"] = profile["real_name_normalized"] = real_name
