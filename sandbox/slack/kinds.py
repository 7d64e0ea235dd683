"""How users of the rarer kinds differ from an ordinary member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

User = dict[str, Any]

# Keys of a deactivated user, after the recordings of slack-ruby-client and hubspot/slack-client.
DEACTIVATED_KEYS = ("id", "team_id", "name", "deleted", "profile", "is_bot", "is_app_user", "updated")


def deactivate(user: User) -> None:
    """Remove from *user* what Slack no longer shows of a deactivated person."""
    for key in [key for key in user if key not in DEACTIVATED_KEYS]:
        del user[key]
    user["deleted"] = True


def rename(user: User, real_name: str, first: str | None, last: str | None) -> None:
    """Give *user* these names; first and last name are left out if they are None."""
    profile = user["profile"]
    user["real_name"] = real_name
    profile["real_name"] = profile["real_name_normalized"] = real_name
    for key, name in (("first_name", first), ("last_name", last)):
        if name is None:
            profile.pop(key, None)
        else:
            profile[key] = name


def _app_bot(user: User) -> None:
    name = ("deploybot", "calendar", "survey", "helpdesk")[user["updated"] % 4]
    user.update(name=f"{name}_{user['id'].lower()}", is_bot=True, is_email_confirmed=False)
    rename(user, name.capitalize(), None, None)
    user["profile"].update(bot_id="B" + user["id"][1:], api_app_id="A" + user["id"][1:], always_active=True)
    del user["profile"]["email"]


def _workflow_bot(user: User) -> None:
    _app_bot(user)
    user["is_workflow_bot"] = True


def _primary_owner(user: User) -> None:
    user.update(is_admin=True, is_owner=True, is_primary_owner=True)


def _admin(user: User) -> None:
    user["is_admin"] = True


def _multi_channel_guest(user: User) -> None:
    user["is_restricted"] = True
    user["profile"]["email"] = user["name"] + "@partner.example"


def _single_channel_guest(user: User) -> None:
    _multi_channel_guest(user)
    user["is_ultra_restricted"] = True
    user["profile"]["guest_expiration_ts"] = 1_900_000_000


def _invited(user: User) -> None:
    user.update(is_invited_user=True, is_email_confirmed=False)
    rename(user, "", "", "")


def _no_email(user: User) -> None:
    del user["profile"]["email"]


def _one_word_name(user: User) -> None:
    given = user["profile"]["first_name"]
    rename(user, given, given, "")


def _unsplit_name(user: User) -> None:
    rename(user, user["real_name"], None, None)


def _emoji_name(user: User) -> None:
    profile = user["profile"]
    family = f"{profile['last_name']} 🚀"
    rename(user, f"{profile['first_name']} {family}", profile["first_name"], family)


def _bracketed_name(user: User) -> None:
    profile = user["profile"]
    given = f"{profile['first_name']} <{profile['first_name'][:3]}>"
    rename(user, f"{given} {profile['last_name']}", given, profile["last_name"])


def _plus_address(user: User) -> None:
    user["profile"]["email"] = user["profile"]["email"].replace("@", "+slack@")


def _upper_case_email(user: User) -> None:
    user["profile"]["email"] = user["profile"]["email"].title()


def _stranger(user: User) -> None:
    # People of other workspaces are reduced: no locale, and names only inside the profile.
    user.update(team_id="T0ELSEWHERE", is_stranger=True)
    user["profile"]["team"] = "T0ELSEWHERE"
    user["profile"]["email"] = user["name"] + "@elsewhere.example"
    for key in ("real_name", "locale", "is_email_confirmed"):
        del user[key]


RESHAPE: dict[str, Callable[[User], None]] = {
    "app_bot": _app_bot,
    "workflow_bot": _workflow_bot,
    "primary_owner": _primary_owner,
    "admin": _admin,
    "guest_multi_channel": _multi_channel_guest,
    "guest_single_channel": _single_channel_guest,
    "deactivated": deactivate,
    "invited": _invited,
    "no_email": _no_email,
    "one_word_name": _one_word_name,
    "unsplit_name": _unsplit_name,
    "emoji_name": _emoji_name,
    "bracketed_name": _bracketed_name,
    "plus_address": _plus_address,
    "upper_case_email": _upper_case_email,
    "stranger": _stranger,
}
