"""Slack's refusals: its error codes as errors of ours, grouped by what can be done about them."""

import re
from collections.abc import Mapping

from slack_sdk.errors import SlackApiError

from slack_docebo.clients.retries import NotJson, seconds_asked
from slack_docebo.clients.slack_wire import text_of
from slack_docebo.domain.quoting import quoted_code
from slack_docebo.errors import AccessDenied, ContractViolation, RateLimited, Rejected, RemoteError, TransientError

OF_PAID_PLANS = (
    "Slack has user groups on its paid plans only; empty the rows SCOPE_USERGROUPS and SCOPE_EXCLUDE_USERGROUPS of the"
    " settings, and name the people by address or id"
)
# Slack: "Token rotation may not be turned off once it's turned on" (docs.slack.dev/authentication/using-token-rotation).
FOR_TOKENS_THAT_ROTATE = (
    "an app whose tokens rotate keeps doing so: make another one from `slack-docebo manifest`, or have a program of yours"
    " keep a fresh token in the file that SLACK_BOT_TOKEN_FILE names"
)
ADVICE = {
    "invalid_auth": "Slack's bot token is not valid, or this network address is not allowed; check SLACK_BOT_TOKEN",
    "not_authed": "no token was sent to Slack; set SLACK_BOT_TOKEN",
    "account_inactive": "the user or workspace of Slack's bot token was deactivated; install the app again",
    "token_revoked": "Slack's bot token was revoked; install the app again, and set SLACK_BOT_TOKEN to the new one",
    "token_expired": f"Slack's bot token has expired; {FOR_TOKENS_THAT_ROTATE}",
    "missing_scope": "the Slack app lacks a scope; add it and install the app again",
    "not_allowed_token_type": "this kind of token may not do that; use the app's bot token (xoxb-)",
    "access_denied": "the app was not granted access; ask a Slack administrator to approve it",
    "team_access_not_granted": "the app is not approved for this workspace; ask an organisation administrator",
    "two_factor_setup_required": "the user of Slack's bot token must set up two-factor authentication first",
    "enterprise_is_restricted": "the organisation does not allow this method",
    "ekm_access_denied": "an administrator has suspended access to the organisation's keys",
    "plan_upgrade_required": OF_PAID_PLANS,
    "paid_teams_only": OF_PAID_PLANS,
    "accesslimited": "this network address is not on the workspace's allow list",
}
PASSING = frozenset({
    "ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
    "team_added_to_org", "org_login_required",
})  # fmt: skip
NOT_FOUND = frozenset({"user_not_found", "users_not_found"})
NOT_VISIBLE = "user_not_visible"  # somebody is there, and not for this app to see
# What is quoted of a reply; whatever else it says may be what it was sent.
WORD = re.compile(r"[a-z0-9_]{1,60}")
SCOPES = re.compile(r"[a-z._:]{1,40}(, ?[a-z._:]{1,40}){0,9}")


class StaleCursor(TransientError):
    """Slack does not know the cursor any more: start the listing again from its first page."""


class Overloaded(TransientError):
    """Slack answers with a status of 5xx; a listing may do so because its page is too large."""


class LimitRequired(Rejected):
    """Slack will not list so many people at once."""


class NoSuchUser(Rejected):
    """Slack has no such user."""


class NotVisible(Rejected):
    """Slack does not show this user to this app."""


def translated(method: str, error: SlackApiError) -> RemoteError:
    """Return our error for a refusal of Slack's."""
    response = error.response
    # slack_sdk hands over its own response, or aiohttp's where the body could not be read as JSON.
    status = getattr(response, "status_code", None) or getattr(response, "status", None) or 0
    data = getattr(response, "data", None)
    body = data if isinstance(data, dict) else {}
    said = text_of(body.get("error"))
    code = said if WORD.fullmatch(said) else ""
    if status == 429 or code == "ratelimited":
        headers: Mapping[str, str] = getattr(response, "headers", {})
        return RateLimited(method, retry_after=seconds_asked(headers.get("Retry-After")))
    if status >= 500:
        return Overloaded(method, quoted_code(code), status=status)
    if code in PASSING:
        return TransientError(method, quoted_code(code))
    if code in ADVICE:
        advice = ADVICE[code]
        if SCOPES.fullmatch(needed := text_of(body.get("needed"))):
            advice = f"{advice} (needed: {quoted_code(needed)})"
        return AccessDenied(f"{method}: {code}", advice)
    if code == "invalid_cursor":
        return StaleCursor(method, code)
    if code == "limit_required":
        return LimitRequired(method, code)
    if code in NOT_FOUND:
        return NoSuchUser(method, code)
    if code == NOT_VISIBLE:
        return NotVisible(method, code)
    if code:
        return Rejected(method, quoted_code(code))
    if status in (401, 403):
        return AccessDenied(method, "refused before Slack's API answered; check the token and the proxy", status=status)
    if status == 200 and body:
        return ContractViolation(method, "neither ok nor an error")
    if status == 404:
        return ContractViolation(method, "there is no such method; check the base URL", status=status)
    return NotJson(method, status=status) if status == 200 else Rejected(method, status=status)
