"""Checks of Slack: the token, the workspace, and whether its events reach the webhook."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time

import httpx

from slack_docebo.clients.answers import BoundedClient
from slack_docebo.clients.scim import open_scim
from slack_docebo.clients.slack import open_slack
from slack_docebo.clients.slack_refusals import FOR_TOKENS_THAT_ROTATE
from slack_docebo.domain.rules import reads_scim
from slack_docebo.engine.looking.checks.seen import SECONDS, Seen
from slack_docebo.engine.looking.diagnosis import Finding, fail, ok, warn
from slack_docebo.engine.reading.connection import of_another_workspace, reason_by_scopes
from slack_docebo.engine.reading.scim import WANTED_FOR_SCIM
from slack_docebo.errors import ConfigurationError
from slack_docebo.settings import SigningSettings, load_settings

NAMELESS = "(not named)"  # a workspace
MANY_REFUSALS = 5  # in a row
START_IT = "start the webhook, look at the proxy"


async def token(check: str, seen: Seen) -> Finding:
    """Look whether the token is valid, and has the scopes that the settings need."""
    async with open_slack(
        lambda: seen.settings.slack_bot_token,
        base_url=seen.settings.slack_api_url,
        attempts=1,
        recorder=seen.recorder,
    ) as client:
        identity = await client.identify()
    seen.team = identity.team_id or NAMELESS
    rules, groups = (seen.behaviour.attributes, seen.behaviour.reads_user_groups) if seen.behaviour else ((), False)
    if lacking := reason_by_scopes(identity, rules, user_groups=groups):
        return fail(check, lacking)
    if identity.expires_in is not None:
        left = f"{identity.expires_in // 3600} h {identity.expires_in // 60 % 60} min"
        return warn(check, f"the token is valid, and expires in {left}; {FOR_TOKENS_THAT_ROTATE}")
    return ok(check, f"the token is valid for workspace {identity.team_id}, with the scopes that are needed")


async def workspace(check: str, seen: Seen) -> Finding:
    """Look whether the token is that of the workspace which is linked to this Docebo."""
    if not seen.team:
        return warn(check, "not looked at, because the token was refused")
    with seen.reading() as tables:
        linked = tables.links.get(seen.settings.docebo_url)
    expected = seen.settings.slack_team_id or (linked.slack_team if linked else "")
    is_named = not seen.team.startswith(("E", NAMELESS))
    if not is_named and not expected:
        return fail(check, "the token is for an organisation, or Slack does not name its workspace: set SLACK_TEAM_ID")
    if not expected:
        return ok(check, f"{seen.team} will be linked to this Docebo by the first run")
    if expected != seen.team and is_named:
        return fail(check, of_another_workspace(seen.team, expected))
    return ok(check, f"{expected} is the one linked to this Docebo")


async def scim(check: str, seen: Seen) -> Finding:
    """Look whether SCIM can be read, where there is a token for it; where rules read it, there has to be one."""
    settings, token = seen.settings, seen.settings.slack_scim_token
    if token is None:
        is_read = seen.behaviour is not None and reads_scim(seen.behaviour.attributes)
        return fail(check, WANTED_FOR_SCIM) if is_read else ok(check, "no rule reads it, and there is no token for it")
    async with open_scim(
        lambda: token, base_url=settings.slack_scim_url, timeout=SECONDS, attempts=1, recorder=seen.recorder
    ) as client:
        counted = await client.counted()
    return ok(check, f"the token may read it; {counted:,} people and bots are there")


async def request_url(check: str, seen: Seen) -> Finding:
    """Send the webhook a request like Slack's, over the address that Slack has."""
    url = seen.settings.webhook_public_url
    try:
        secret = load_settings(SigningSettings).slack_signing_secret
    except ConfigurationError as error:
        return warn(check, f"not tried from here: {error}; the webhook must have it, or no events come")
    if not url:
        return warn(check, "WEBHOOK_PUBLIC_URL is not set, so whether Slack can reach the webhook was not tried")
    challenge = secrets.token_hex(16)
    body = json.dumps({"type": "url_verification", "challenge": challenge, "token": ""}).encode()
    stamp = str(int(time.time()))
    signature = hmac.new(secret.get_secret_value().encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256)
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={signature.hexdigest()}",
    }
    try:
        async with BoundedClient("The webhook", seconds=SECONDS) as http:
            answer = await http.post(url, content=body, headers=headers)
    except httpx.HTTPError as error:
        return fail(check, f"{url} does not answer ({type(error).__name__}): {START_IT}")
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return fail(check, "the webhook refuses our signature: it runs with another SLACK_SIGNING_SECRET")
    if answer.status_code == httpx.codes.MISDIRECTED_REQUEST:
        return fail(check, f"the proxy before {url} passes on another name: add it to WEBHOOK_ALLOWED_HOSTS")
    if answer.is_server_error:  # a proxy's answer where there is nobody behind it
        return fail(check, f"{url} answers HTTP {answer.status_code}: {START_IT}")
    if not answer.is_success or challenge not in answer.text:
        return fail(check, f"{url} answers HTTP {answer.status_code}, but not as the webhook: check the path")
    if not await asyncio.to_thread(_has_events, seen):
        return warn(
            check,
            f"a request to {url} that we signed came through. Whether the secret is Slack's shows with its first event:"
            " change a profile in Slack, and look again",
        )
    return ok(check, f"a request to {url} that we signed came through, and Slack's events have")


def _has_events(seen: Seen) -> bool:
    with seen.reading() as tables:
        return bool(tables.inbox.status().counts)


async def refusals(check: str, seen: Seen) -> Finding:
    """Tell what the webhook has refused many times in a row."""
    with seen.reading() as tables:
        many = [one.line for one in tables.refusals.all() if one.number >= MANY_REFUSALS]
    return warn(check, "; ".join(many)) if many else ok(check, "the webhook has not refused many requests in a row")
