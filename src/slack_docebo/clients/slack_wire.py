"""Slack's wire format: its users, groups and profile fields as we read them.

Any key may be missing and any value null, blank or of another type; see each function.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_docebo.clients.yes_and_no import says_no, says_yes
from slack_docebo.domain.addresses import is_address
from slack_docebo.domain.names import clean
from slack_docebo.domain.people import LARGEST_STAMP, SourceUser
from slack_docebo.domain.texts import LONGEST_ADDRESS, LONGEST_NAME, LONGEST_VALUE, bounded, unseen, whole_or_nothing
from slack_docebo.domain.user_groups import UserGroup
from slack_docebo.errors import ContractViolation

NOTHING: Mapping[str, Any] = {}
Look = Callable[..., Any]  # looks up a key of one of Slack's objects, like `dict.get`


@dataclass(frozen=True, slots=True)
class Identity:
    """The owner of the token, and its scopes."""

    team_id: str  # of an organisation-wide installation: the enterprise id; "" where Slack names none
    team_name: str
    user_id: str
    enterprise_id: str
    is_enterprise_install: bool
    scopes: frozenset[str]
    expires_in: int | None = None  # seconds for which the token still holds; None where Slack names no end


@dataclass(frozen=True, slots=True)
class ProfileField:
    """A custom profile field of the workspace; *options* are the values of a list."""

    id: str
    label: str
    type: str  # in Slack's words: text, date, options_list, user, link ...
    options: tuple[str, ...] = ()
    hidden: bool = False  # somebody has taken it out of the profiles


@dataclass(frozen=True, slots=True)
class UserPage:
    """One page of the user list; *next_cursor* is "" on the last."""

    users: list[SourceUser]
    next_cursor: str


_combinations: dict[tuple[str, ...], tuple[str, ...]] = {}


def source_user(member: Mapping[str, Any]) -> SourceUser:
    """Return the person in a Slack user object, from a reply or an event, with what the rules read.

    Any key may be missing and any value null, blank or of another type: deactivated users lack most keys. Names and
    titles are cut to their bound; an address, time zone or locale that is too long is read as "".
    """
    # It is called for every person of a listing: so look-ups are plain, and equal strings are kept once.
    get, profile = member.get, member.get("profile")
    of_profile = profile.get if isinstance(profile, dict) else NOTHING.get
    own_id = text_of(get("id"))
    slack_id, organisation, teams = _in_organisation(get, own_id)
    team, profile_team = _workspace(get("team_id")), _workspace(of_profile("team"))
    real_name = name_of(of_profile("real_name")) or name_of(get("real_name"))
    display_name = name_of(of_profile("display_name"))
    # Not the `_normalized` twins: they lose characters of some scripts.
    first_name, last_name = name_of(of_profile("first_name")), name_of(of_profile("last_name"))
    is_split = not (first_name or last_name) and bool(real_name or display_name)
    email = whole_or_nothing(text_of(of_profile("email")).strip(), LONGEST_ADDRESS)
    hidden = unseen(email)
    handle = name_of(get("name"))
    updated = get("updated")
    single_channel = says_yes(get("is_ultra_restricted"))
    is_confirmed = get("is_email_confirmed")
    return SourceUser(
        slack_id=slack_id,
        team=team or profile_team,
        handle=handle if handle.isprintable() else clean(handle),  # as the database keeps it
        email=email if is_address(email) and not hidden else "",
        hidden=hidden,
        first_name=first_name,
        last_name=last_name,
        real_name=real_name,
        display_name=real_name if display_name == real_name else display_name,
        title=sys.intern(name_of(of_profile("title"))),
        phone=_said(of_profile("phone")),
        pronouns=_said(of_profile("pronouns")),
        start_date=_said(of_profile("start_date")),
        time_zone=sys.intern(whole_or_nothing(text_of(get("tz")))),
        locale=sys.intern(whole_or_nothing(text_of(get("locale")))),
        updated=updated if type(updated) is int and 0 <= updated <= LARGEST_STAMP else 0,
        deactivated=get("deleted") is True,
        bot=_is_bot(get, of_profile, own_id),
        guest=says_yes(get("is_restricted")) or single_channel,
        single_channel=single_channel,
        invited=says_yes(get("is_invited_user")),
        external=says_yes(get("is_stranger")),
        # Like `deleted`: whose accounts are shut for it is said in no other form.
        forgotten=get("is_forgotten") is True,
        unsaid=_unsaid(get, of_profile, is_split=is_split),
        # Many payloads lack the key, so only an explicit "no" counts.
        unconfirmed=says_no(is_confirmed),
        confirmed=is_confirmed is True,
        custom=custom_values(of_profile("fields")),
        local_id=id_of(own_id) if own_id != slack_id else "",
        organisation=sys.intern(organisation),
        profile_team=profile_team if profile_team != team and team else "",
        teams=teams,
    )


def _in_organisation(get: Look, own_id: str) -> tuple[str, str, tuple[str, ...]]:
    """Return a person's id, the id of the organisation, and the workspaces there; *own_id* is the one within the workspace."""
    organisation, teams = id_of(get("enterprise_id")), _workspaces(get("teams"))
    enterprise = get("enterprise_user")
    if not isinstance(enterprise, dict):
        return own_id, organisation, teams
    # The id that is the same in all workspaces of the organisation, which Slack says to use where it is given:
    # `id` can still be an older, local one, and one person under two ids would be provisioned twice.
    return (
        id_of(enterprise.get("id")) or own_id,
        id_of(enterprise.get("enterprise_id")) or organisation,
        _workspaces(enterprise.get("teams")) or teams,
    )


def _is_bot(get: Look, of_profile: Look, own_id: str) -> bool:
    # `is_app_user` says nothing here: it marks people who use the calling app.
    return (
        says_yes(get("is_bot"))
        or says_yes(get("is_workflow_bot"))
        or says_yes(get("is_connector_bot"))
        or own_id == "USLACKBOT"
        or bool(of_profile("bot_id") or of_profile("api_app_id"))
    )


def _unsaid(get: Look, of_profile: Look, *, is_split: bool) -> tuple[str, ...]:
    """Return what Slack has not said of a person; people with the same gaps share one object.

    Where a name *is_split*, it is taken from the whole one: some profiles have neither first nor last name.
    """
    restricted, ultra_restricted = get("is_restricted"), get("is_ultra_restricted")
    shown = {
        "first_name": "" if is_split else of_profile("first_name"),
        "last_name": "" if is_split else of_profile("last_name"),
        "real_name": of_profile("real_name", get("real_name")),
        "display_name": of_profile("display_name"),
        "title": of_profile("title"),
        "handle": get("name"),
        "time_zone": get("tz"),
        "language": get("locale"),
        "locale": get("locale"),
        "deactivated": "" if isinstance(get("deleted"), bool) else None,
        "bot": "" if _is_said(get("is_bot")) else None,
        "guest": "" if _is_said(restricted) else None,
        "single_channel": "" if says_no(restricted) or _is_said(ultra_restricted) else None,
    }
    names = tuple(name for name, value in shown.items() if not isinstance(value, str))
    return _combinations.setdefault(names, names)


def _is_said(flag: object) -> bool:
    return isinstance(flag, bool) or says_yes(flag) or says_no(flag)


def user_group(group: Mapping[str, Any], *, with_members: bool) -> UserGroup:
    """Read a user group, *with_members* or without.

    Raises ContractViolation if the members are wanted and not shown.
    """
    handle, users = name_of(group.get("handle")), group.get("users")
    if not with_members:
        return UserGroup(id_of(group.get("id")), handle, name_of(group.get("name")), frozenset())
    if not isinstance(users, list):
        raise ContractViolation("usergroups.list", f"the members of @{handle} are not shown")
    return UserGroup(id_of(group.get("id")), handle, name_of(group.get("name")), ids_of(users))


def ids_of(users: Iterable[object]) -> frozenset[str]:
    """Return the ids in *users*, the list that Slack shows."""
    return frozenset(filter(None, map(id_of, users)))


def members_counted(group: Mapping[str, Any]) -> int | None:
    """Return how many members Slack counts in a user group; None if it does not say."""
    counted = str(group.get("user_count"))
    return int(counted) if counted.isdecimal() else None


def _said(value: object) -> str | None:
    """Return the text of a key of the profile; None if there is none."""
    return sys.intern(name_of(value)) if isinstance(value, str) else None


def custom_values(fields: object) -> Mapping[str, str] | None:
    """Return the values of custom profile fields; None if none is shown, which says nothing about the person.

    Slack sends an object, {}, [], null or nothing: the list was seen with null for everybody (slack-ruby-client's
    recording), and with {}. A value that is no text says nothing of its field.
    """
    if not isinstance(fields, dict):
        return None
    values = {
        sys.intern(field_id): bounded(item["value"], LONGEST_VALUE)
        for field_id, item in fields.items()
        if _is_text(item)
    }
    return values or None


def custom_values_said(fields: object, wanted: Iterable[str], hidden: Collection[str]) -> Mapping[str, str]:
    """Return the *wanted* values in one person's *fields*: "" for a field that is left out, unless it is *hidden*."""
    if not isinstance(fields, dict):
        return {}
    said = {
        field_id
        for field_id in wanted
        if (_is_text(fields[field_id]) if field_id in fields else field_id not in hidden)
    }
    told = custom_values(fields) or {}
    return {field_id: told.get(field_id, "") for field_id in said}


def _is_text(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("value"), str)


def profile_field(shown: Mapping[str, Any]) -> ProfileField:
    """Read a custom profile field, which has an id."""
    values = shown.get("possible_values")
    options = tuple(map(name_of, values)) if isinstance(values, list) else ()
    return ProfileField(
        id=text_of(shown["id"]),
        label=name_of(shown.get("label")),
        type=name_of(shown.get("type")),
        options=options,
        hidden=says_yes(shown.get("is_hidden")),
    )


def text_of(value: object) -> str:
    """Return *value* if it is a text; "" for anything else."""
    return value if isinstance(value, str) else ""


def seconds_of(value: object) -> int | None:
    """Return a number of seconds; None for anything else."""
    return value if type(value) is int and value > 0 else None


def name_of(value: object) -> str:
    """Return a text, cut to the longest length of names."""
    return bounded(text_of(value), LONGEST_NAME)


def _workspace(value: object) -> str:
    """Return the id of a workspace; "" for the id of an organisation (E...)."""
    text = name_of(value)
    return "" if text.startswith("E") else sys.intern(text)


def _workspaces(values: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_workspace, values))) if isinstance(values, list) else ()


def has_id(member: object) -> bool:
    """Tell whether *member* is an object with an id."""
    return isinstance(member, dict) and bool(id_of(member.get("id")))


def id_of(value: object) -> str:
    """Return the id of something; "" for a text that cannot be an id, since ids are stored and shown unchanged."""
    text = whole_or_nothing(text_of(value))
    return text if text.isascii() and text.isalnum() else ""
