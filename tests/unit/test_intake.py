"""What each payload asks for; and that no JSON whatever upsets the rule."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.storage.events import Event
from slack_docebo.webhook.intake import (
    PROFILE,
    UNREADABLE,
    Alert,
    Audience,
    Challenge,
    Drop,
    Reconcile,
    Several,
    decide,
    read_payload,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OURS = Audience(app_id="A1", team="T1")
ADA = {
    "id": "U1",
    "team_id": "T1",
    "name": "ada",
    "updated": 1700,
    "profile": {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "phone": "+44 20 1234"},
}
NOTICE = {"type": "app_rate_limited", "token": "t", "team_id": "T1", "minute_rate_limited": 1, "api_app_id": "A1"}


def envelope(kind="user_profile_changed", user=ADA, **changes):
    about = {"event": {"type": kind, "user": user, "event_ts": "1.0"}, "event_id": "Ev1"}
    return {"type": "event_callback", "team_id": "T1", "api_app_id": "A1", **about, **changes}


def fate(payload, audience=OURS):
    return decide(payload, audience, now=NOW)


@pytest.mark.parametrize("kind", ["team_join", "user_profile_changed", "user_change"])
def test_an_event_about_a_person_is_stored(kind):
    event = fate(envelope(kind))

    assert isinstance(event, Event)
    assert (event.event_id, event.slack_team, event.slack_id) == ("Ev1", "T1", "U1")
    assert (event.updated, event.kind, event.received_at) == (1700, kind, NOW)


def test_only_what_the_rules_look_at_is_stored():
    profile = fate(envelope()).profile

    assert tuple(profile) == PROFILE
    assert profile["email"] == "ada@example.com"
    assert "+44" not in json.dumps(profile)


@pytest.mark.parametrize(
    ("read", "kept"),
    [({"Xf1", "Xf3"}, {"Xf1": "Law"}), ({"Xf3"}, None), (set(), None)],
    ids=["some", "others", "none"],
)
def test_of_custom_fields_those_are_stored_that_runs_read(read, kept):
    shown = {"Xf1": {"value": "Law"}, "Xf2": {"value": "12 Hill Road"}}
    user = {**ADA, "profile": {**ADA["profile"], "fields": shown}}

    event = fate(envelope(user=user), Audience("A1", "T1", frozenset(read)))

    assert event.profile["custom"] == kept


def test_a_person_named_by_id_only_is_stored_without_a_profile():
    event = fate(envelope(user="U1"))

    assert (event.slack_id, event.updated, event.profile) == ("U1", 0, None)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param({"type": "url_verification", "challenge": "c"}, Challenge("c"), id="the challenge is answered"),
        pytest.param({"type": "url_verification"}, Drop("malformed"), id="a verification without a challenge"),
        pytest.param(NOTICE, Reconcile("app_rate_limited"), id="left-out events, flat"),
        pytest.param(envelope(event=NOTICE), Reconcile("app_rate_limited"), id="left-out events, wrapped"),
        pytest.param(NOTICE | {"api_app_id": "A2"}, Drop("foreign_app", "app_rate_limited"), id="of another app"),
        pytest.param(envelope("message"), Drop("unknown_type"), id="another type"),
        pytest.param(envelope("x" * 9999), Drop("unknown_type"), id="the kind counted is of a short list"),
        pytest.param({"type": "block_actions"}, Drop("foreign_app"), id="no event at all"),
        pytest.param(envelope(api_app_id="A2"), Drop("foreign_app", "user_profile_changed"), id="another app"),
        pytest.param(envelope(team_id="T2"), Drop("foreign_team", "user_profile_changed"), id="another workspace"),
        pytest.param(envelope(event_id=None), Reconcile(UNREADABLE), id="no event id"),
        pytest.param(envelope(event_id="E" * 256), Reconcile(UNREADABLE), id="endless event id"),
        pytest.param(envelope(user=None), Reconcile(UNREADABLE), id="nobody"),
        pytest.param(envelope(user={}), Reconcile(UNREADABLE), id="a user without id"),
        pytest.param(envelope(user="Ada"), Reconcile(UNREADABLE), id="a name for an id"),
        pytest.param(envelope(event=[]), Drop("malformed"), id="an event that is no object"),
        pytest.param([], Drop("malformed"), id="no object"),
        pytest.param(None, Drop("malformed"), id="no JSON"),
    ],
)
def test_decisions(payload, expected):
    assert fate(payload) == expected


@pytest.mark.parametrize("kind", ["app_uninstalled", "tokens_revoked"])
def test_the_end_of_the_app_alerts(kind):
    alert = fate(envelope(event={"type": kind}))

    assert isinstance(alert, Alert)
    assert alert.kind == kind


def test_before_the_workspace_is_known_every_workspace_is_accepted():
    assert fate(envelope(team_id="T2"), Audience("A1", "")).slack_team == "T1"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"team_id": ""}, id="empty"),
        pytest.param({"team_id": None}, id="null"),
        pytest.param({"team_id": "E1", "enterprise_id": "E1"}, id="the organisation's"),
        pytest.param({"team_id": "T2", "authorizations": [{"team_id": "T1", "enterprise_id": "E1"}]}, id="elsewhere"),
        pytest.param({"team_id": "T2", "context_team_id": "T1"}, id="the workspace acted in"),
        pytest.param(
            {"team_id": "T2", "user": {"id": "W1", "enterprise_user": {"teams": ["T1"]}}}, id="one of several"
        ),
    ],
)
def test_across_an_organisation_the_workspace_stands_in_one_of_several_places(changes):
    event = fate(envelope(user=changes.pop("user", {"id": "W1"}), **changes))

    assert isinstance(event, Event)


def test_a_person_without_a_workspace_belongs_to_ours():
    assert fate(envelope(user={"id": "W1"}, team_id="")).slack_team == "T1"


def test_what_no_database_holds_is_replaced():
    user = {"id": "U1", "updated": 2**70, "profile": {"first_name": "A\0\ud800"}}

    event = fate(envelope(user=user))

    assert (event.updated, event.profile["first_name"], event.profile["updated"]) == (0, "A??", 0)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 500_000, b"9" * 10_000, b"nul"], ids=lambda body: str(body[:4])
)
def test_what_is_no_json_is_nothing(body):
    assert read_payload(body) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
kinds = st.sampled_from(["team_join", "user_change", "app_rate_limited", "tokens_revoked", "url_verification"])
ids = st.sampled_from(["T1", "U1", "E1", "A1", ""])


def like(keys, values):
    return st.dictionaries(st.sampled_from(keys), values, max_size=len(keys))


profiles = like(["email", "first_name", "fields", "team", "bot_id", "real_name", "title"], anything)
users = like(["id", "team_id", "updated", "profile", "enterprise_user", "deleted"], anything | ids | profiles)
events = st.fixed_dictionaries({"type": kinds | anything, "user": users | ids | anything})
payloads = st.fixed_dictionaries(
    {"type": st.just("event_callback") | kinds | anything, "event_id": ids | anything},
    optional={
        "event": events | anything,
        "team_id": ids | anything,
        "api_app_id": ids | anything,
        "challenge": anything,
        "authorizations": st.lists(like(["team_id"], ids | anything) | anything) | anything,
        "context_team_id": anything,
    },
)


@given(payloads | anything, st.sampled_from([OURS, Audience()]))
def test_no_json_upsets_the_intake(payload, audience):
    decision = decide(payload, audience, now=NOW)

    assert isinstance(decision, Event | Challenge | Reconcile | Alert | Drop)
    if isinstance(decision, Event):
        assert decision.event_id
        assert decision.slack_id
        assert 0 <= decision.updated < 2**63
        json.dumps(decision.profile).encode()


def members_changed(event_id="Ev9", **event):
    payload = {"type": "event_callback", "event_id": event_id, "team_id": "T1"}
    return decide({**payload, "event": {"type": "subteam_members_changed", **event}}, Audience(), now=NOW)


def test_a_changed_user_group_is_about_everybody_who_came_or_left():
    several = members_changed(
        added_users=["U2", "U1"], removed_users=["U3"], added_users_count=2, removed_users_count=1
    )

    assert [(event.event_id, event.slack_id, event.profile) for event in several.events] == [
        ("Ev9:U1", "U1", None),
        ("Ev9:U2", "U2", None),
        ("Ev9:U3", "U3", None),
    ]


def test_of_more_people_than_an_event_names_a_reconciliation_finds_out():
    assert isinstance(members_changed(added_users=["U1"], added_users_count=2), Reconcile)
    assert isinstance(members_changed(added_users=["U1"], added_users_count="3", removed_users_count="1"), Reconcile)
    assert isinstance(members_changed(added_users=["U1"], added_users_count="1", removed_users_count="²"), Several)
    assert isinstance(members_changed(added_users=[f"U{number}" for number in range(1_001)]), Reconcile)


def test_a_changed_user_group_that_cannot_be_kept_asks_for_a_reconciliation():
    assert members_changed(event_id=None, added_users=["U1"]) == Reconcile(UNREADABLE)


def test_a_changed_user_group_without_anybody_is_nothing():
    for people in ([], None, "U1", [None, {}, "ada@example.com"]):
        assert members_changed(added_users=people) == Drop("malformed", "subteam_members_changed")
