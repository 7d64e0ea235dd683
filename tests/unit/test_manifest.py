"""The manifest, held against the limits Slack documents for one."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from slack_docebo.cli.manifest import creation_link, manifest, print_manifest
from slack_docebo.errors import ConfigurationError

URL = "https://sync.acme.com/slack/events"
KEYS = {
    "_metadata": {"major_version"},
    "display_information": {"name", "description"},
    "features": {"bot_user"},
    "oauth_config": {"scopes"},
    "settings": {"event_subscriptions", "org_deploy_enabled", "socket_mode_enabled", "token_rotation_enabled"},
}


@pytest.mark.parametrize("request_url", [URL, ""], ids=["http", "socket mode"])
@pytest.mark.parametrize("custom_fields", [True, False])
def test_slack_takes_it(request_url, custom_fields):
    content = manifest(request_url=request_url, custom_fields=custom_fields)
    subscriptions = content["settings"]["event_subscriptions"]

    assert {section: set(fields) for section, fields in content.items()} == KEYS
    assert content["_metadata"]["major_version"] in (1, 2)
    assert 0 < len(content["display_information"]["name"]) <= 35
    assert len(content["display_information"]["description"]) <= 140
    assert len(content["features"]["bot_user"]["display_name"]) <= 80
    assert len(content["oauth_config"]["scopes"]["bot"]) <= 255
    assert len(subscriptions["bot_events"]) <= 100
    assert ("request_url" in subscriptions) is not content["settings"]["socket_mode_enabled"]


def test_what_the_webhook_acts_on_is_subscribed_to():
    events = manifest(request_url=URL, custom_fields=False)["settings"]["event_subscriptions"]["bot_events"]

    assert set(events) == {"team_join", "user_profile_changed", "app_uninstalled", "tokens_revoked"}


def test_the_scope_for_custom_fields_is_asked_for_only_when_wanted():
    def scopes(*, custom_fields):
        return set(manifest(request_url=URL, custom_fields=custom_fields)["oauth_config"]["scopes"]["bot"])

    assert scopes(custom_fields=False) == {"users:read", "users:read.email", "team:read"}
    assert scopes(custom_fields=True) - scopes(custom_fields=False) == {"users.profile:read"}


def test_what_is_printed_is_the_manifest_with_the_link_on_top(capsys):
    print_manifest(request_url=URL)

    printed = capsys.readouterr().out
    content = manifest(request_url=URL, custom_fields=False)
    assert yaml.safe_load(printed) == content
    assert printed.splitlines()[0] == f"# Create the app: {creation_link(content)}"


def test_the_link_holds_the_manifest(capsys):
    print_manifest(socket_mode=True, json=True)

    printed = json.loads(capsys.readouterr().out)
    query = parse_qs(urlsplit(printed["create_app"]).query)
    assert query["new_app"] == ["1"]
    assert yaml.safe_load(query["manifest_yaml"][0]) == printed["manifest"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"request_url": URL, "socket_mode": True},
        {"request_url": "http://sync.acme.com"},
        {"request_url": "https://"},
    ],
)
def test_an_address_or_socket_mode_and_not_both(options):
    with pytest.raises(ConfigurationError):
        print_manifest(**options)
