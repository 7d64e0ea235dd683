"""The intake: a pure rule that decides, for any JSON that Slack may send, what to do about it; it never raises."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeGuard

from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.people import NOT_STORED, SourceUser
from slack_docebo.storage.events import MEMBERS_CHANGED, Event

MOST_MEMBERS = 1_000  # of whom one event may tell; of more a reconciliation finds out
ABOUT_PEOPLE = frozenset({"team_join", "user_profile_changed", "user_change"})
ALARMING = {
    "app_uninstalled": "the Slack app was uninstalled: install it again",
    "tokens_revoked": "tokens of the Slack app were revoked: install it again and set the new SLACK_BOT_TOKEN",
}
RATE_LIMITED = "app_rate_limited"
KINDS = (*sorted(ABOUT_PEOPLE), MEMBERS_CHANGED, *ALARMING, RATE_LIMITED, "other")  # by which is counted: a short list
REASONS = ("malformed", "unknown_type", "foreign_app", "foreign_team")  # why something is dropped
UNREADABLE = "unreadable"  # an event about somebody that cannot be kept
MANY_MEMBERS = "many_members"  # of a user group that has changed
MISSING = (RATE_LIMITED, UNREADABLE, MANY_MEMBERS)  # why events are missing, so that a reconciliation is needed
PROFILE = tuple(field.name for field in fields(SourceUser) if field.name not in NOT_STORED)
LONGEST_ID = 255
LONGEST_COUNT = 12  # digits
LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Audience:
    """The app and the workspace whose events this installation takes; "" takes those of any.

    Of custom profile fields it keeps *fields*, by their ids, and no others.
    """

    app_id: str = ""
    team: str = ""
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Challenge:
    """Slack verifies the request URL: *text* is to be sent back."""

    text: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Events are missing, for one of the reasons in MISSING: a reconciliation is needed to find what has changed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An operator has to act, or Slack will send no events any more."""

    kind: str
    advice: str


@dataclass(frozen=True, slots=True)
class Drop:
    """The payload is acknowledged and counted, but not stored."""

    reason: str
    kind: str = "other"


@dataclass(frozen=True, slots=True)
class Several:
    """One payload is about several people: an event for each of them."""

    events: tuple[Event, ...]


Decision = Event | Several | Challenge | Reconcile | Alert | Drop


def read_payload(body: bytes) -> object:
    """Return the value of the JSON *body*; None if it is not JSON or is nested too deeply."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def decide(payload: object, audience: Audience, *, now: datetime) -> Decision:
    """Return what to do about one verified *payload*; every key may be missing and every value of another type."""
    if not isinstance(payload, dict):
        return Drop("malformed")
    envelope = _text(payload.get("type"))
    if envelope == "url_verification":
        challenge = payload.get("challenge")
        return Challenge(challenge) if _is_encodable(challenge) else Drop("malformed")
    is_wrapped = envelope == "event_callback"
    event = payload.get("event") if is_wrapped else payload  # app_rate_limited comes flat, or wrapped
    if not isinstance(event, dict):
        return Drop("malformed")
    kind = _text(event.get("type"))
    if reason := _reason_against(payload, event, audience):
        return Drop(reason, _known(kind))
    if kind == RATE_LIMITED:
        return Reconcile(RATE_LIMITED)
    if kind in ALARMING:
        return Alert(kind, ALARMING[kind])
    if kind == MEMBERS_CHANGED and is_wrapped:
        return _members_changed(payload, event, audience, now)
    if kind in ABOUT_PEOPLE and is_wrapped:
        return _event(kind, payload, event, audience, now)
    return Drop("unknown_type", _known(kind))


def _reason_against(payload: dict[str, Any], event: dict[str, Any], audience: Audience) -> str:
    app_id = _text(payload.get("api_app_id"))
    if audience.app_id and app_id != audience.app_id:
        return "foreign_app"
    # Across an organisation the workspace stands in one of several places, or in none.
    teams = set(filter(None, _teams(payload, event)))
    if audience.team and teams and audience.team not in teams:
        return "foreign_team"
    return ""


def _teams(payload: dict[str, Any], event: dict[str, Any]) -> Iterator[str]:
    """Yield every workspace that the envelope or, for organisations, the person is said to belong to."""
    yield _team(payload.get("team_id"))
    yield _team(payload.get("context_team_id"))
    authorizations = payload.get("authorizations")
    for authorization in authorizations if isinstance(authorizations, list) else ():
        if isinstance(authorization, dict):
            yield _team(authorization.get("team_id"))
    user = event.get("user")
    enterprise = user.get("enterprise_user") if isinstance(user, dict) else None
    teams = enterprise.get("teams") if isinstance(enterprise, dict) else None
    for team in teams if isinstance(teams, list) else ():
        yield _team(team)


def _team(value: object) -> str:
    """Return the id of a workspace; that of an organisation (E...) names none."""
    text = _text(value)
    return "" if text.startswith("E") else text


def _event(
    kind: str, payload: dict[str, Any], event: dict[str, Any], audience: Audience, now: datetime
) -> Event | Reconcile:
    event_id = _id(payload.get("event_id"))
    subject = event.get("user")
    if isinstance(subject, dict):
        user = source_user(subject)
        kept = {field: value for field, value in (user.custom or {}).items() if field in audience.fields}
        user = replace(user, custom=kept or None)
        slack_id, updated = _user_id(user.slack_id), user.updated
        profile = {name: _storable(getattr(user, name)) for name in PROFILE}
        team = audience.team if audience.team in user.workspaces else user.team
    else:
        slack_id, updated, profile, team = _user_id(subject), 0, None, ""
    if not event_id or not slack_id:
        return Reconcile(UNREADABLE)
    return Event(
        event_id=event_id,
        slack_team=_id(team) or _id(_team(payload.get("team_id"))) or audience.team,
        slack_id=slack_id,
        updated=updated,
        kind=kind,
        received_at=now,
        profile=profile,
    )


def _members_changed(
    payload: dict[str, Any], event: dict[str, Any], audience: Audience, now: datetime
) -> Several | Reconcile | Drop:
    """Return an event for everybody who came to a user group or left it.

    Source: https://docs.slack.dev/reference/events/subteam_members_changed
    """
    named = [event.get(key) for key in ("added_users", "removed_users")]
    slack_ids = sorted({_user_id(one) for ids in named if isinstance(ids, list) for one in ids} - {""})
    count = sum(_count(event.get(f"{key}_count")) for key in ("added_users", "removed_users"))
    event_id = _id(payload.get("event_id"))
    if len(slack_ids) > MOST_MEMBERS or count > len(slack_ids):
        return Reconcile(MANY_MEMBERS)
    if not slack_ids:
        return Drop("malformed", MEMBERS_CHANGED)
    if not event_id:
        return Reconcile(UNREADABLE)
    team = _id(_team(event.get("team_id"))) or _id(_team(payload.get("team_id"))) or audience.team
    return Several(
        tuple(
            Event(
                event_id=f"{event_id}:{slack_id}"[:LONGEST_ID],
                slack_team=team,
                slack_id=slack_id,
                updated=0,
                kind=MEMBERS_CHANGED,
                received_at=now,
            )
            for slack_id in slack_ids
        )
    )


def _count(value: object) -> int:
    """Return a number that Slack documents as text and types as a number; 0 of anything else."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) <= LONGEST_COUNT else 0
    return value if type(value) is int else 0


def _storable(value: Any) -> Any:
    """Return *value* without what no database holds: lone surrogates, NUL, integers beyond 64 bits."""
    match value:
        case str():
            if value.isascii() and "\0" not in value:
                return value
            return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
        case list() | tuple():
            return [_storable(item) for item in value]
        case dict():
            return {_storable(key): _storable(item) for key, item in value.items()}
        case int() if abs(value) > LARGEST_INTEGER:
            return 0
        case _:
            return value


def _is_encodable(value: object) -> TypeGuard[str]:
    """Tell whether *value* is a text that an answer can hold: JSON may have halves of characters."""
    try:
        return isinstance(value, str) and bool(value.encode())
    except UnicodeEncodeError:
        return False


def _id(value: object) -> str:
    """Return an id that can be a key: printable ASCII of sensible length; otherwise ""."""
    text = _text(value)
    return text if len(text) <= LONGEST_ID and text.isascii() and text.isprintable() else ""


def _user_id(value: object) -> str:
    """Return the id of a user; "" for what may be a name or an address, because ids are shown everywhere."""
    text = _id(value)
    return text if text.isalnum() and text.isupper() else ""


def _known(kind: str) -> str:
    """Return *kind* if it is one of ours."""
    return kind if kind in KINDS else "other"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
