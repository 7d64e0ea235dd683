"""How a Slack user object, in any of the shapes Slack is known to send, is read."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.people import SourceUser

MIRA: dict[str, Any] = {
    "id": "U0MIRA",
    "team_id": "T0ACME",
    "name": "mira",
    "deleted": False,
    "real_name": "Mira Okafor",
    "tz": "Europe/Rome",
    "tz_offset": 3600,
    "locale": "it-IT",
    "is_bot": False,
    "is_app_user": False,
    "is_restricted": False,
    "is_ultra_restricted": False,
    "updated": 1_760_000_000,
    "profile": {
        "team": "T0ACME",
        "email": "mira@example.org",
        "first_name": "Mira",
        "last_name": "Okafor",
        "real_name": "Mira Okafor",
        "real_name_normalized": "Mira Okafor",
        "display_name": "mo",
        "display_name_normalized": "mo",
        "title": "Geologist",
        "bot_id": "",
        "api_app_id": "",
        "fields": {"Xf01": {"value": "Rome", "alt": ""}},
        "status_text": "in a meeting",
    },
}


def with_profile(**changes: Any) -> dict[str, Any]:
    return {**MIRA, "profile": {**MIRA["profile"], **changes}}


def without(member: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in member.items() if key not in keys}


def test_a_complete_profile_is_read_completely():
    assert source_user(MIRA) == SourceUser(
        slack_id="U0MIRA",
        team="T0ACME",
        handle="mira",
        email="mira@example.org",
        first_name="Mira",
        last_name="Okafor",
        real_name="Mira Okafor",
        display_name="mo",
        title="Geologist",
        time_zone="Europe/Rome",
        locale="it-IT",
        updated=1_760_000_000,
        custom={"Xf01": "Rome"},
    )


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        pytest.param({}, {"slack_id": "", "team": "", "email": ""}, id="an empty object has nothing"),
        pytest.param(
            {"id": "U1", "deleted": True, "profile": None},
            {"slack_id": "U1", "deactivated": True, "real_name": "", "time_zone": "", "updated": 0},
            id="a deactivated user lacks most keys",
        ),
        pytest.param({"id": "U1", "profile": "?"}, {"email": ""}, id="a profile of another type is no profile"),
        pytest.param(
            with_profile(email=None), {"email": "", "first_name": "Mira"}, id="an e-mail address may be nulled"
        ),
        pytest.param({"id": "U1", "name": "mi\0ra \ud83d"}, {"handle": "mi ra"}, id="a handle is what can be kept"),
        pytest.param(with_profile(email="m\ud83d@x.org"), {"email": ""}, id="what cannot be an address is none"),
        pytest.param(with_profile(email=" M@X.org "), {"email": "M@X.org"}, id="blanks around an address are dropped"),
        pytest.param(
            {"id": "U1", "is_invited_user": True, "profile": {"email": "new@x.org", "first_name": ""}},
            {"invited": True, "email": "new@x.org", "first_name": "", "deactivated": False},
            id="an invited user has an address and no names",
        ),
        pytest.param(
            {"id": "U1", "is_invited_user": True, "deleted": True},
            {"invited": True, "deactivated": True},
            id="an invited user may be marked deleted as well",
        ),
        pytest.param({**MIRA, "is_email_confirmed": False}, {"unconfirmed": True}, id="an address not confirmed"),
        pytest.param({**MIRA, "is_email_confirmed": True}, {"unconfirmed": False}, id="an address that is"),
        pytest.param({**MIRA, "is_email_confirmed": None}, {"unconfirmed": False}, id="only a plain no is a no"),
        pytest.param({**MIRA, "tz": None}, {"time_zone": ""}, id="a time zone may be nulled"),
        pytest.param(
            with_profile(phone="+39 055 1", pronouns=None, start_date="2026-05-31"),
            {"phone": "+39 055 1", "pronouns": None, "start_date": "2026-05-31"},
            id="what the profile says besides",
        ),
        pytest.param({"id": "U1"}, {"phone": None, "pronouns": None, "start_date": None}, id="what nobody has said"),
        pytest.param(without(MIRA, "team_id"), {"team": "T0ACME"}, id="the team is taken from the profile if need be"),
        pytest.param({**MIRA, "team_id": ""}, {"team": "T0ACME"}, id="a blank team is taken from the profile"),
        pytest.param(
            without(with_profile(team=None), "team_id"), {"team": ""}, id="an Enterprise user may name no team"
        ),
        pytest.param(
            {**MIRA, "enterprise_user": {"id": "W0MIRA", "teams": ["T0ACME"]}},
            {"slack_id": "W0MIRA", "local_id": "U0MIRA", "ids": ("W0MIRA", "U0MIRA"), "teams": ("T0ACME",)},
            id="the organisation's id goes before a local one",
        ),
        pytest.param(
            {
                **MIRA,
                "team_id": "E0GRID",
                "enterprise_user": {"enterprise_id": "E0GRID", "teams": ["", None, "T0HOME"]},
            },
            {"organisation": "E0GRID", "team": "T0ACME", "workspaces": ("T0ACME", "T0HOME"), "local_id": ""},
            id="workspaces are named in several places, and an organisation is none",
        ),
        pytest.param(
            {**MIRA, "team_id": "T0HOME", "enterprise_id": "E0GRID", "teams": ["T0ACME"]},
            {"organisation": "E0GRID", "team": "T0HOME", "profile_team": "T0ACME", "teams": ("T0ACME",)},
            id="they may stand with the user, too",
        ),
        pytest.param({**MIRA, "enterprise_user": {"id": ""}}, {"slack_id": "U0MIRA"}, id="unless it is blank"),
        pytest.param({**MIRA, "enterprise_user": None}, {"slack_id": "U0MIRA"}, id="or not there"),
        pytest.param(
            with_profile(real_name=""), {"real_name": "Mira Okafor"}, id="a blank real name is taken from the user"
        ),
        pytest.param(
            with_profile(real_name="Mira O."), {"real_name": "Mira O."}, id="the profile's real name goes first"
        ),
        pytest.param(
            {"id": "U1", "profile": {"real_name_normalized": "X", "display_name_normalized": "Y"}},
            {"real_name": "", "display_name": "", "first_name": "", "last_name": ""},
            id="the normalised names are never used",
        ),
        pytest.param(with_profile(first_name=None, last_name=None), {"first_name": "", "last_name": ""}, id="no names"),
        pytest.param(with_profile(first_name="&amp;"), {"first_name": "&amp;"}, id="names are left as they are"),
        pytest.param({**MIRA, "updated": None}, {"updated": 0}, id="old events do not tell when"),
        pytest.param({**MIRA, "updated": 10**30}, {"updated": 0}, id="a moment that no database holds is none"),
        pytest.param({**MIRA, "updated": -1}, {"updated": 0}, id="nor was anybody changed before 1970"),
        pytest.param({**MIRA, "updated": True}, {"updated": 0}, id="true is not a moment"),
        pytest.param({**MIRA, "is_restricted": True}, {"guest": True, "single_channel": False}, id="guest"),
        pytest.param(
            {**MIRA, "is_restricted": True, "is_ultra_restricted": True},
            {"guest": True, "single_channel": True},
            id="single-channel guest",
        ),
        pytest.param({**MIRA, "is_stranger": True}, {"external": True}, id="a stranger is external"),
        pytest.param({**MIRA, "team_id": "T0OTHER"}, {"external": False, "team": "T0OTHER"}, id="another workspace"),
        pytest.param({**MIRA, "is_forgotten": True}, {"forgotten": True}, id="an erased user is forgotten"),
        pytest.param({**MIRA, "is_forgotten": "true"}, {"forgotten": False}, id="nobody is erased by a text"),
        *(
            pytest.param(
                {**MIRA, **dict.fromkeys(("is_bot", "is_restricted", "is_stranger", "is_forgotten"), no)},
                dict.fromkeys(("bot", "guest", "external", "forgotten"), False),
                id=f"a no as {no!r} is no yes",
            )
            for no in ("false", "0", 0)
        ),
        pytest.param({**MIRA, "is_stranger": "true", "is_bot": 1}, {"external": True, "bot": True}, id="a yes as text"),
        pytest.param({**MIRA, "is_email_confirmed": "0"}, {"unconfirmed": True}, id="not confirmed, as text"),
    ],
)
def test_shapes(member, expected):
    user = source_user(member)

    assert {name: getattr(user, name) for name in expected} == expected


@pytest.mark.parametrize(
    "member",
    [
        pytest.param({"id": "USLACKBOT", "is_bot": False, "updated": 0, "tz": None}, id="Slackbot"),
        pytest.param({**MIRA, "is_bot": True}, id="app bot"),
        pytest.param({"id": "U1", "is_bot": True}, id="bot without a profile"),
        pytest.param({**MIRA, "is_workflow_bot": True}, id="workflow bot"),
        pytest.param({**MIRA, "is_connector_bot": True}, id="connector bot"),
        pytest.param(with_profile(bot_id="B1"), id="bot id"),
        pytest.param(with_profile(api_app_id="A1"), id="app id"),
    ],
)
def test_programs_are_bots(member):
    assert source_user(member).bot


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(MIRA, id="blank bot and app ids"),
        pytest.param({**MIRA, "is_app_user": True}, id="someone who authorised the app"),
        pytest.param({**MIRA, "is_bot": None}, id="null"),
    ],
)
def test_people_are_not_bots(member):
    assert not source_user(member).bot


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"Xf1": {"value": "a", "alt": "", "label": "L"}}, {"Xf1": "a"}, id="object"),
        pytest.param({"Xf1": {"value": ""}, "Xf2": {"value": "b"}}, {"Xf1": "", "Xf2": "b"}, id="an empty text"),
        pytest.param(
            {"Xf1": {"value": "a"}, "Xf2": {"value": 5}, "Xf3": {}}, {"Xf1": "a"}, id="values that are no text"
        ),
        pytest.param({"Xf1": {"value": None}}, None, id="null in place of the only value"),
        pytest.param({"Xf1": None, "Xf2": "x"}, None, id="items of another type"),
        pytest.param({}, None, id="empty object"),
        pytest.param([], None, id="empty array"),
        pytest.param(["Xf1"], None, id="array"),
        pytest.param(None, None, id="null"),
    ],
)
def test_custom_fields_in_any_shape(fields, expected):
    assert source_user(with_profile(fields=fields)).custom == expected
    assert source_user({**MIRA, "profile": without(MIRA["profile"], "fields")}).custom is None


def test_strings_that_many_share_are_kept_once():
    one = source_user({"id": "U1", "team_id": b"T0ACME".decode(), "tz": b"Europe/Oslo".decode()})
    other = source_user({"id": "U2", "team_id": b"T0ACME".decode(), "tz": b"Europe/Oslo".decode()})

    assert one.team is other.team
    assert one.time_zone is other.time_zone


def test_a_user_can_be_set_aside_in_a_file():
    assert pickle.loads(pickle.dumps(source_user({"id": "U1"}))) == source_user({"id": "U1"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
known_keys = st.sampled_from([*MIRA, "enterprise_user", "is_workflow_bot", "is_connector_bot", "is_invited_user"])
profiles = json_values | st.dictionaries(st.sampled_from([*MIRA["profile"]]), json_values, max_size=5)
members = st.builds(
    lambda flat, profile: {**flat, "profile": profile}, st.dictionaries(known_keys | st.text(), json_values), profiles
)


@given(members)
def test_no_user_object_is_too_odd_to_read(member):
    user = source_user(member)

    assert all(isinstance(value, str) for value in (user.custom or {}).values())
    assert type(user.updated) is int
    assert type(user.bot) is type(user.guest) is type(user.deactivated) is bool
    assert user.email == user.email.strip()
