from dataclasses import replace

import pytest

from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.scope import WORKSPACE_NOT_KNOWN, Guests, Scope

ADA = SourceUser("U1", "T1", email="Ada@Example.com")


@pytest.mark.parametrize(
    ("user", "scope", "reason"),
    [
        pytest.param(ADA, Scope(), "", id="an active member with an address is in scope"),
        pytest.param(replace(ADA, bot=True), Scope(), "bot", id="bots are not people"),
        pytest.param(replace(ADA, slack_id="USLACKBOT", bot=True), Scope(), "Slackbot", id="nor is Slackbot"),
        pytest.param(replace(ADA, external=True), Scope(), "external", id="strangers belong to others"),
        pytest.param(ADA, Scope(team="T2"), "external", id="so do members of another workspace"),
        pytest.param(replace(ADA, team=""), Scope(team="T1"), "", id="an Enterprise user without workspace is ours"),
        pytest.param(
            replace(ADA, team="T2", teams=("T2", "T1")),
            Scope(team="T1"),
            "",
            id="who is a member of ours and of another is ours",
        ),
        pytest.param(
            replace(ADA, team="T2", profile_team="T1"),
            Scope(team="T1"),
            "",
            id="whose profile names our workspace is ours",
        ),
        pytest.param(
            replace(ADA, team="T2", teams=("T2", "T3")),
            Scope(team="T1"),
            "external",
            id="who is a member of others alone is not",
        ),
        pytest.param(
            replace(ADA, team="T2", organisation="E1"),
            Scope(team="T1"),
            WORKSPACE_NOT_KNOWN,
            id="of a member of the organisation whose workspaces are not listed nobody can tell",
        ),
        pytest.param(
            replace(ADA, team="T1", organisation="E1", teams=("T2",)),
            Scope(team="T1"),
            WORKSPACE_NOT_KNOWN,
            id="nor of one of whom two places say different things",
        ),
        pytest.param(
            replace(ADA, email="ada@xn--mnchen-3ya.example"),
            Scope(email_domains=("m\u00fcnchen.example",)),
            "",
            id="a domain is meant however it is written",
        ),
        pytest.param(
            replace(ADA, email="ada@xn--mnchen-3ya.example"),
            Scope(exclude=("*@M\u00dcNCHEN.example",)),
            "excluded",
            id="also in a pattern",
        ),
        pytest.param(
            replace(ADA, slack_id="W1", local_id="U1"),
            Scope(exclude=("u1",)),
            "excluded",
            id="an id of before is still meant",
        ),
        pytest.param(
            replace(ADA, email="", hidden="U+200B"),
            Scope(),
            "the e-mail address holds characters that nobody can see (U+200B): correct it in Slack",
            id="characters that nobody can see are named",
        ),
        pytest.param(replace(ADA, deactivated=True), Scope(), "deactivated in Slack", id="who was deactivated is out"),
        pytest.param(replace(ADA, forgotten=True), Scope(), "erased in Slack", id="who was erased is out"),
        pytest.param(replace(ADA, guest=True), Scope(), "multi-channel guest", id="guests are out by default"),
        pytest.param(
            replace(ADA, guest=True, single_channel=True),
            Scope(guests=Guests.MULTI_CHANNEL),
            "single-channel guest",
            id="single-channel guests stay out when only the others are wanted",
        ),
        pytest.param(
            replace(ADA, guest=True), Scope(guests=Guests.MULTI_CHANNEL), "", id="multi-channel guests on wish"
        ),
        pytest.param(
            replace(ADA, guest=True, single_channel=True), Scope(guests=Guests.ALL), "", id="all guests on wish"
        ),
        pytest.param(replace(ADA, invited=True), Scope(), "invited, not yet joined", id="the invited wait"),
        pytest.param(replace(ADA, invited=True), Scope(invited=True), "", id="the invited on wish"),
        pytest.param(replace(ADA, email=""), Scope(), "no e-mail", id="without an address there is no account"),
        pytest.param(ADA, Scope(email_domains=("example.com",)), "", id="the domain matches without regard to case"),
        pytest.param(ADA, Scope(email_domains=("example.org",)), "e-mail domain", id="another domain is out"),
        pytest.param(
            ADA, Scope(email_domains=("ample.com",)), "e-mail domain", id="part of a domain is another domain"
        ),
        pytest.param(ADA, Scope(exclude=("ada@*",)), "excluded", id="excluded by address"),
        pytest.param(ADA, Scope(exclude=("u1",)), "excluded", id="excluded by Slack id"),
        pytest.param(ADA, Scope(include=("bob@*",)), "not included", id="not among the included"),
        pytest.param(ADA, Scope(include=("ada@*",), exclude=("*@example.com",)), "excluded", id="exclude wins"),
    ],
)
def test_scope(user, scope, reason):
    assert scope.reason_against(user) == reason


@pytest.mark.parametrize(
    ("user", "guests", "expected"),
    [
        pytest.param(ADA, Guests.NONE, "", id="of a member all is said"),
        pytest.param(replace(ADA, unsaid=("guest", "bot")), Guests.NONE, "bot or a guest", id="of her nothing is"),
        pytest.param(
            replace(ADA, unsaid=("guest",)), Guests.ALL, "", id="where all guests are in scope it is no matter"
        ),
        pytest.param(
            replace(ADA, guest=True, unsaid=("single_channel",)),
            Guests.MULTI_CHANNEL,
            "single-channel guest",
            id="a guest of one channel may be out of scope",
        ),
        pytest.param(
            replace(ADA, unsaid=("guest",)),
            Guests.MULTI_CHANNEL,
            "",
            id="who is in no single channel is in scope as a guest and as a member",
        ),
    ],
)
def test_nobody_new_is_taken_for_a_member_by_what_slack_does_not_say(user, guests, expected):
    told = f"Slack does not say whether this is a {expected}" if expected else ""
    assert Scope(guests=guests).kind_in_doubt(user) == told
