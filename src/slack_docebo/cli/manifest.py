"""`slack-docebo manifest`: the Slack app, ready to be created."""

from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import yaml
from cyclopts import App, Parameter

from slack_docebo.cli.output import Json, show_json
from slack_docebo.errors import ConfigurationError

CREATE_APP = "https://api.slack.com/apps?new_app=1&manifest_yaml="
NAME = "Slack to Docebo"
DESCRIPTION = "Keeps Docebo Learn accounts in line with Slack profiles."
SCOPES = ("users:read", "users:read.email", "team:read")
CUSTOM_FIELDS_SCOPE = "users.profile:read"
USER_GROUPS_SCOPE = "usergroups:read"
# Not user_change: it repeats user_profile_changed and adds every status and huddle, thousands a day.
EVENTS = ("team_join", "user_profile_changed", "app_uninstalled", "tokens_revoked")
USER_GROUPS_EVENT = "subteam_members_changed"

app = App(name="manifest")


@app.default
def print_manifest(
    *,
    request_url: Annotated[
        str, Parameter(help="Where Slack reaches the webhook, like https://sync.acme.com/slack/events.")
    ] = "",
    socket_mode: Annotated[
        bool, Parameter(negative="", help="Events through a connection that we open: no address is needed.")
    ] = False,
    custom_fields: Annotated[
        bool, Parameter(negative="", help="With the scope for custom profile fields, if some are mapped.")
    ] = False,
    user_groups: Annotated[
        bool, Parameter(negative="", help="With scope and event for Slack's user groups, if settings name some.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the manifest; its first line is the link that creates the app with one click."""
    if bool(request_url) == socket_mode:
        raise ConfigurationError("manifest: give either --request-url or --socket-mode")
    if request_url and (urlsplit(request_url).scheme != "https" or not urlsplit(request_url).hostname):
        raise ConfigurationError("manifest: --request-url should be like https://sync.acme.com/slack/events")
    content = manifest(request_url=request_url, custom_fields=custom_fields, user_groups=user_groups)
    if json:
        show_json({"manifest": content, "create_app": creation_link(content)})
    else:
        print(f"# Create the app: {creation_link(content)}\n{_as_yaml(content)}", end="")  # noqa: T201


def manifest(*, request_url: str, custom_fields: bool, user_groups: bool = False) -> dict[str, Any]:
    """Return the manifest of an app that sends its events to *request_url*, or with "" through Socket Mode."""
    subscriptions: dict[str, Any] = {"request_url": request_url} if request_url else {}
    scopes, events = [*SCOPES], [*EVENTS]
    if custom_fields:
        scopes.append(CUSTOM_FIELDS_SCOPE)
    if user_groups:
        scopes.append(USER_GROUPS_SCOPE)
        events.append(USER_GROUPS_EVENT)
    return {
        "_metadata": {"major_version": 1},
        "display_information": {"name": NAME, "description": DESCRIPTION},
        "features": {"bot_user": {"display_name": NAME, "always_online": False}},
        "oauth_config": {"scopes": {"bot": scopes}},
        "settings": {
            "event_subscriptions": {**subscriptions, "bot_events": events},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not request_url,
            "token_rotation_enabled": False,
        },
    }


def creation_link(content: dict[str, Any]) -> str:
    """Return the address at which Slack offers to create this very app."""
    return CREATE_APP + quote(_as_yaml(content), safe="")


def _as_yaml(content: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    return text
