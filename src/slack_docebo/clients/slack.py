"""The Slack Web API methods this project reads, typed."""

import logging
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from tenacity import AsyncRetrying

from slack_docebo.clients.answers import LARGE_HEAD, OutOfBounds, TooLarge, bounded_session, too_late
from slack_docebo.clients.pace import Pace
from slack_docebo.clients.recording import Recorder
from slack_docebo.clients.retries import NotJson, TooLate, Wait, no_connection, retrying, seconds_asked, wait_as_asked
from slack_docebo.domain.names import clean
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.people import LARGEST_STAMP, SourceUser
from slack_docebo.domain.quoting import quoted_code
from slack_docebo.domain.texts import LONGEST_ADDRESS, LONGEST_NAME, LONGEST_VALUE, bounded, key, unseen
from slack_docebo.domain.user_groups import UserGroup
from slack_docebo.errors import (
    AccessDenied,
    ContractViolation,
    IncompleteRead,
    RateLimited,
    Rejected,
    RemoteError,
    TransientError,
)

BASE_URL = "https://slack.com/api/"

PAGE_SIZES = (1_000, 200, 50)  # people: the most that Slack documents, what it recommends, and where even that fails
EXCHANGED_AT_ONCE = 400  # ids
LONGEST_CURSOR = 1_000  # characters; Slack's have some twenty, and each is kept until the list has ended
MINUTE = 61.0  # seconds; the last one is for calls whose way to Slack takes longer than that of later ones

# Calls a minute, by the tier of each method; `users.list` (tier 2) has a pace of its own.
PACES = {
    "users.info": 100,
    "users.profile.get": 90,  # below its tier: one person may be read for an event meanwhile
    "users.lookupByEmail": 50,
    "team.info": 50,
    "usergroups.list": 20,
    "migration.exchange": 20,
    "team.profile.get": 50,
    "auth.test": 600,
}

ADVICE = {
    "invalid_auth": "Slack's bot token is not valid, or this network address is not allowed; check SLACK_BOT_TOKEN",
    "not_authed": "no token was sent to Slack; set SLACK_BOT_TOKEN",
    "account_inactive": "the user or workspace of Slack's bot token was deactivated; install the app again",
    "token_revoked": "Slack's bot token was revoked; install the app again, and set SLACK_BOT_TOKEN to the new one",
    "token_expired": "Slack's bot token has expired; issue a new one, or turn token rotation off for this app",
    "missing_scope": "the Slack app lacks a scope; add it and install the app again",
    "not_allowed_token_type": "this kind of token may not do that; use the app's bot token (xoxb-)",
    "access_denied": "the app was not granted access; ask a Slack administrator to approve it",
    "team_access_not_granted": "the app is not approved for this workspace; ask an organisation administrator",
    "two_factor_setup_required": "the user of Slack's bot token must set up two-factor authentication first",
    "enterprise_is_restricted": "the organisation does not allow this method",
    "ekm_access_denied": "an administrator has suspended access to the organisation's keys",
    "accesslimited": "this network address is not on the workspace's allow list",
}
PASSING = frozenset({
    "ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
    "team_added_to_org", "org_login_required",
})  # fmt: skip
NOT_FOUND = frozenset({"user_not_found", "users_not_found"})
NOT_VISIBLE = "user_not_visible"  # somebody is there, and not for this app to see
NOTHING: Mapping[str, Any] = {}
# What is quoted of a reply; whatever else it says may be what it was sent.
WORD = re.compile(r"[a-z0-9_]{1,60}")
SCOPES = re.compile(r"[a-z._:]{1,40}(, ?[a-z._:]{1,40}){0,9}")

# slack_sdk writes whole replies, that is people, to its log, and even composes those lines for a logger that was never
# given a level; this one has a level, so that neither the names nor the work (more than the parsing takes) arise.
_sdk_log = logging.getLogger("slack_docebo.slack_sdk")
_sdk_log.setLevel(logging.INFO)
_log = logging.getLogger(__name__)


class StaleCursor(TransientError):
    """Slack does not know the cursor any more: start the listing again from its first page."""


class _Overloaded(TransientError):
    """Slack answers with a status of 5xx; a listing may do so because its page is too large."""


class _LimitRequired(Rejected):
    """Slack will not list so many people at once."""


class _NoSuchUser(Rejected):
    """Slack has no such user."""


class _NotVisible(Rejected):
    """Slack does not show this user to this app."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The owner of the token, and its scopes."""

    team_id: str  # of an organisation-wide installation: the enterprise id; "" where Slack names none
    team_name: str
    url: str
    user_id: str
    bot_id: str
    enterprise_id: str
    is_enterprise_install: bool
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ProfileField:
    """A custom profile field of the workspace; *options* are the values of a list."""

    id: str
    label: str
    type: str  # in Slack's words: text, date, options_list, user, link ...
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserPage:
    """One page of the user list; *next_cursor* is "" on the last."""

    users: list[SourceUser]
    next_cursor: str


class SlackClient:
    """Reads people and workspaces; `calls` counts the requests made, by method.

    Every method raises AccessDenied when the token does not allow the call, TransientError when Slack could not be
    reached in *attempts* attempts, and ContractViolation when the answer is not as documented.
    """

    def __init__(
        self,
        web: AsyncWebClient,
        token: Callable[[], SecretStr],
        *,
        page_size: int = PAGE_SIZES[0],
        calls_per_minute: int = 20,
        with_locale: bool = False,
        wanted_fields: Collection[str] = (),
        timeout: float = 30,
        attempts: int = 5,
        wait: Wait = wait_as_asked,
    ) -> None:
        self._web = web
        self._token = token
        self._timeout = timeout  # that of the session, to be named
        self.page_size = page_size  # people that a page of the list is asked for; lowered where Slack cannot give it
        self._with_locale = with_locale or None  # None is not sent
        self._wanted_fields = frozenset(wanted_fields)  # ids of custom profile fields
        self._paces = {method: Pace(max(calls, calls_per_minute), MINUTE) for method, calls in PACES.items()}
        self._paces["users.list"] = Pace(calls_per_minute, MINUTE)
        self._retrying = retrying(attempts, wait, never=(StaleCursor,))
        # A page that may be too large is asked for once more where Slack's trouble may pass, and not waited for twice.
        self._trying = retrying(attempts, wait, never=(StaleCursor,), fewer={TooLate: 1, _Overloaded: 2})
        self.calls: Counter[str] = Counter()

    def want_fields(self, wanted: Iterable[str]) -> None:
        """Read these custom profile fields of single people as well, by their ids."""
        self._wanted_fields |= set(wanted)

    async def identify(self) -> Identity:
        """Return the workspace and the scopes of the token."""
        body, headers = await self._call("auth.test", verb="POST")
        identity = Identity(
            team_id=_text(body.get("team_id")),
            team_name=_name(body.get("team")),
            url=_text(body.get("url")),
            user_id=_text(body.get("user_id")),
            bot_id=_text(body.get("bot_id")),
            enterprise_id=_text(body.get("enterprise_id")),
            is_enterprise_install=body.get("is_enterprise_install") is True,
            scopes=frozenset(filter(None, map(str.strip, headers.get("X-OAuth-Scopes", "").split(",")))),
        )
        if not (identity.team_id or identity.user_id):
            raise ContractViolation("auth.test", "the answer names neither a workspace nor a user")
        return identity

    async def team_name(self, team_id: str) -> str:
        """Return the name of a workspace."""
        body, _ = await self._call("team.info", team=team_id)
        team = body.get("team")
        if not isinstance(team, dict):
            raise ContractViolation("team.info", "the answer holds no team")
        return _name(team.get("name"))

    async def profile_fields(self) -> list[ProfileField]:
        """Return the workspace's custom profile fields.

        Source: https://docs.slack.dev/reference/methods/team.profile.get
        """
        body, _ = await self._call("team.profile.get")
        profile = body.get("profile")
        fields = profile.get("fields") if isinstance(profile, dict) else None
        if not isinstance(fields, list):
            raise ContractViolation("team.profile.get", "the answer holds no list of fields")
        return [_profile_field(one) for one in fields if _has_id(one)]

    async def user_groups(self, handles: Collection[str], *, team_id: str) -> list[UserGroup]:
        """Return the workspace's user groups that are in use, with the members of those with these *handles*.

        Raises IncompleteRead if some of these are missing; nobody minds what Slack shows of other groups. The token of an organisation has to name the workspace; for others Slack ignores it.
        Source: https://docs.slack.dev/reference/methods/usergroups.list
        """
        body, _ = await self._call("usergroups.list", include_users="true", team_id=team_id)
        groups = body.get("usergroups")
        if not isinstance(groups, list) or not all(map(_has_id, groups)):
            raise ContractViolation("usergroups.list", "not every user group is an object with an id")
        wanted = set(map(str.casefold, handles))
        return [_user_group(group, with_members=_name(group.get("handle")).casefold() in wanted) for group in groups]

    async def list_users(self, cursor: str = "", *, team_id: str = "") -> UserPage:
        """Return the page of the user list at *cursor*; raise StaleCursor if Slack does not know it any more.

        A short or empty page is not the end of the list: only an empty `next_cursor` is. Where Slack cannot give
        `page_size` people at once, fewer are asked for, and `page_size` says from then on how many it could give.
        """
        asked = {"cursor": cursor or None, "team_id": team_id or None, "include_locale": self._with_locale}
        body = await self._page(asked)
        members = body.get("members")
        if not isinstance(members, list) or not all(map(_has_id, members)):
            # Leaving out what cannot be read would make people look absent.
            raise ContractViolation("users.list", "not every member is an object with an id")
        metadata = body.get("response_metadata")
        following = _text(metadata.get("next_cursor")) if isinstance(metadata, dict) else ""
        if len(following) > LONGEST_CURSOR:
            raise ContractViolation("users.list", f"the cursor is longer than {LONGEST_CURSOR} characters")
        return UserPage([source_user(member) for member in members], following)

    async def _page(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer with the largest page that Slack gives: "limit_required", 500 or nothing for a larger one.

        Source: https://docs.slack.dev/apis/web-api/pagination
        """
        *larger, last = (self.page_size, *(size for size in PAGE_SIZES if size < self.page_size))
        for size in larger:
            try:
                body, _ = await self._call("users.list", self._trying, limit=size, **asked)
            except (TooLate, _Overloaded, _LimitRequired, TooLarge) as error:
                _log.info("%s; fewer than %d people are asked for", error, size)
            else:
                break
        else:
            size = last
            body, _ = await self._call("users.list", limit=size, **asked)
        self.page_size = size
        return body

    async def user(self, slack_id: str, *, with_custom: bool = True) -> Observation[SourceUser]:
        """Return what Slack says of exactly this user, *with_custom* profile fields where these are wanted.

        Whom it does not know (`user_not_found`) is gone; whom it does not show (`user_not_visible`) is unknown, and so is
        for whom it shows somebody under other ids who has left. Somebody who was deactivated is present, as deactivated.
        Source: https://docs.slack.dev/reference/methods/users.info
        """
        try:
            user = await self._one("users.info", user=slack_id, include_locale=self._with_locale)
        except _NotVisible:
            return Unknown("Slack does not show this person to the app")
        if user is None:
            return Gone("Slack knows nobody under this id")
        if slack_id not in user.ids and (user.deactivated or user.forgotten):
            return Unknown(f"asked for {slack_id}, Slack shows {user.slack_id}")
        if not with_custom or self._wanted_fields <= (user.custom or {}).keys():
            return Present(user)
        return Present(replace(user, custom=await self.custom_fields(slack_id)))

    async def organisation_ids(self, slack_ids: Sequence[str], *, team_id: str) -> dict[str, str]:
        """Return the id in the organisation of each of *slack_ids* whom Slack knows: the same one of whom has no other.

        Takes one call for 400 ids. Slack refuses it where the workspace *team_id* is in no organisation (Rejected).
        Source: https://docs.slack.dev/reference/methods/migration.exchange
        """
        found: dict[str, str] = {}
        for first in range(0, len(slack_ids), EXCHANGED_AT_ONCE):
            users = ",".join(slack_ids[first : first + EXCHANGED_AT_ONCE])
            body, _ = await self._call("migration.exchange", users=users, team_id=team_id)
            told = body.get("user_id_map")
            if not isinstance(told, dict):
                raise ContractViolation("migration.exchange", "the answer holds no table of ids")
            found |= {before: now for before, now in told.items() if _id(now)}
        return found

    async def custom_fields(self, slack_id: str) -> Mapping[str, str] | None:
        """Return the wanted custom profile fields of one person by their ids, or None of whom Slack does not show.

        A field without a value is "": here, and here alone, Slack says so by leaving it out.
        Source: https://docs.slack.dev/reference/methods/users.profile.get
        """
        try:
            body, _ = await self._call("users.profile.get", user=slack_id)
        except (_NoSuchUser, _NotVisible):
            return None
        profile = body.get("profile")
        if not isinstance(profile, dict):
            raise ContractViolation("users.profile.get", "the answer holds no profile")
        told = _custom(profile.get("fields")) or {}
        return {field_id: told.get(field_id, "") for field_id in self._wanted_fields}

    async def find_user(self, email: str) -> SourceUser | None:
        """Return the user with this address, or None; Slack hides the deactivated ones from this search.

        The locale is missing: this method does not give it.
        """
        try:
            return await self._one("users.lookupByEmail", email=email)
        except _NotVisible:
            return None

    async def _one(self, method: str, **params: Any) -> SourceUser | None:
        try:
            body, _ = await self._call(method, **params)
        except _NoSuchUser:
            return None
        if not _has_id(body.get("user")):
            raise ContractViolation(method, "the answer holds no user with an id")
        return source_user(body["user"])

    async def _call(
        self, method: str, policy: AsyncRetrying | None = None, *, verb: str = "GET", **params: Any
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        try:
            return await (policy or self._retrying).copy()(self._send, method, verb, params)
        except NotJson as error:
            raise ContractViolation(method, "the answer is not JSON; check the base URL and the proxy") from error

    async def _send(
        self, method: str, verb: str, params: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        await self._paces[method].wait()
        self.calls[method] += 1
        self._web.token = self._token().get_secret_value()
        try:
            response = await self._web.api_call(method, http_verb=verb, params=dict(params))
        except SlackApiError as error:
            # Not chained: the message of slack_sdk quotes the reply.
            raise _translated(method, error) from None
        except aiohttp.ClientConnectorError as error:
            raise TransientError(method, no_connection(error)) from error
        except TimeoutError as error:
            raise TooLate(method, too_late(self._timeout)) from error
        except aiohttp.ClientResponseError:  # what aiohttp makes of a head that it does not take
            raise ContractViolation(method, LARGE_HEAD) from None
        except aiohttp.ClientError as error:
            raise TransientError(method, type(error).__name__) from None  # it may quote the answer
        except OutOfBounds as error:
            raise (TooLarge if isinstance(error, TooLarge) else ContractViolation)(method, error.detail) from None
        except (AttributeError, UnicodeDecodeError):
            # How slack_sdk reports a text or an array in place of an object.
            raise NotJson(method) from None
        if not isinstance(response.data, dict):
            raise NotJson(method)
        return response.data, response.headers


@asynccontextmanager
async def open_slack(
    token: Callable[[], SecretStr],
    *,
    base_url: str = BASE_URL,
    page_size: int = PAGE_SIZES[0],
    calls_per_minute: int = 20,
    timeout: float = 30,  # noqa: ASYNC109  (of each request, from connecting to the last byte of its answer)
    with_locale: bool = False,
    wanted_fields: Collection[str] = (),
    attempts: int = 5,
    wait: Wait = wait_as_asked,
    recorder: Recorder | None = None,
) -> AsyncIterator[SlackClient]:
    """Open a client that keeps its connection, and close it at the end.

    *token* is asked for before every call. *calls_per_minute* paces `users.list`; the other methods are paced by their
    own, higher tiers. The *recorder* writes down every exchange.
    """
    async with bounded_session(timeout, recorder) as session:
        web = AsyncWebClient(base_url=base_url, session=session, logger=_sdk_log, retry_handlers=[])
        web.proxy = proxy_for(base_url)  # replaces slack_sdk's own choice, which ignores NO_PROXY
        yield SlackClient(
            web,
            token,
            page_size=page_size,
            calls_per_minute=calls_per_minute,
            with_locale=with_locale,
            wanted_fields=wanted_fields,
            timeout=timeout,
            attempts=attempts,
            wait=wait,
        )


def source_user(member: Mapping[str, Any]) -> SourceUser:
    """Reduce a Slack user object, from a reply or an event, to what the rules look at.

    Any key may be missing and any value null, blank or of another type: deactivated users lack most keys. Names and
    titles are cut to their bound; an address, time zone or locale that is too long is read as "".
    """
    # It is called for every person of a listing: so look-ups are plain, and equal strings are kept once.
    get = member.get
    profile = get("profile")
    of_profile = profile.get if isinstance(profile, dict) else NOTHING.get
    slack_id = own_id = _text(get("id"))
    organisation, teams = _id(get("enterprise_id")), _workspaces(get("teams"))
    enterprise = get("enterprise_user")
    if isinstance(enterprise, dict):
        # The id that is the same in all workspaces of the organisation, which Slack says to use where it is given:
        # `id` can still be an older, local one, and one person under two ids would be provisioned twice.
        slack_id = _id(enterprise.get("id")) or own_id
        organisation = _id(enterprise.get("enterprise_id")) or organisation
        teams = _workspaces(enterprise.get("teams")) or teams
    team, profile_team = _workspace(get("team_id")), _workspace(of_profile("team"))
    real_name = _name(of_profile("real_name")) or _name(get("real_name"))
    display_name = _name(of_profile("display_name"))
    email = key(_text(of_profile("email")).strip(), LONGEST_ADDRESS)
    hidden = unseen(email)
    handle = _name(get("name"))
    updated = get("updated")
    single_channel = bool(get("is_ultra_restricted"))
    return SourceUser(
        slack_id=slack_id,
        team=team or profile_team,
        handle=handle if handle.isprintable() else clean(handle),  # as the database keeps it
        email="" if hidden else email,
        hidden=hidden,
        # Not the `_normalized` twins: they lose characters of some scripts.
        first_name=_name(of_profile("first_name")),
        last_name=_name(of_profile("last_name")),
        real_name=real_name,
        display_name=real_name if display_name == real_name else display_name,
        title=sys.intern(_name(of_profile("title"))),
        phone=_said(of_profile("phone")),
        pronouns=_said(of_profile("pronouns")),
        start_date=_said(of_profile("start_date")),
        time_zone=sys.intern(key(_text(get("tz")))),
        locale=sys.intern(key(_text(get("locale")))),
        updated=updated if type(updated) is int and 0 <= updated <= LARGEST_STAMP else 0,
        deactivated=bool(get("deleted")),
        # `is_app_user` says nothing here: it marks people who use the calling app.
        bot=bool(
            get("is_bot")
            or get("is_workflow_bot")
            or get("is_connector_bot")
            or own_id == "USLACKBOT"
            or of_profile("bot_id")
            or of_profile("api_app_id")
        ),
        guest=bool(get("is_restricted")) or single_channel,
        single_channel=single_channel,
        invited=bool(get("is_invited_user")),
        external=bool(get("is_stranger")),
        forgotten=bool(get("is_forgotten")),
        # Many payloads lack the key, so only an explicit "no" counts.
        unconfirmed=get("is_email_confirmed") is False,
        confirmed=get("is_email_confirmed") is True,
        custom=_custom(of_profile("fields")),
        local_id=_id(own_id) if own_id != slack_id else "",
        organisation=sys.intern(organisation),
        profile_team=profile_team if profile_team != team and team else "",
        teams=teams,
    )


def _user_group(group: Mapping[str, Any], *, with_members: bool) -> UserGroup:
    """Read a user group; *with_members*, raise ContractViolation without them, and IncompleteRead where Slack counts more."""
    handle, users = _name(group.get("handle")), group.get("users")
    if not with_members:
        return UserGroup(_id(group.get("id")), handle, _name(group.get("name")), frozenset())
    if not isinstance(users, list):
        raise ContractViolation("usergroups.list", f"the members of @{handle} are not shown")
    members = frozenset(filter(None, map(_id, users)))
    counted = group.get("user_count")
    if str(counted).isdecimal() and int(str(counted)) != len(members):
        raise IncompleteRead(f"Slack counts {counted} members of @{handle} and shows {len(members)}: run again later")
    return UserGroup(_id(group.get("id")), handle, _name(group.get("name")), members)


def _said(value: object) -> str | None:
    """Return the text of a key of the profile; None where it is missing, or null."""
    return None if value is None else sys.intern(_name(value))


def _custom(fields: object) -> Mapping[str, str] | None:
    """Return the values of custom profile fields; None where none is shown, which says nothing about the person.

    Slack sends an object, {}, [], null or nothing: the list was seen with null for everybody (slack-ruby-client's
    recording), and with {}.
    """
    if not isinstance(fields, dict):
        return None
    values = {
        sys.intern(field_id): bounded(_text(item.get("value")), LONGEST_VALUE)
        for field_id, item in fields.items()
        if isinstance(item, dict)
    }
    return values or None


def _profile_field(shown: Mapping[str, Any]) -> ProfileField:
    values = shown.get("possible_values")
    options = tuple(map(_name, values)) if isinstance(values, list) else ()
    return ProfileField(_text(shown["id"]), _name(shown.get("label")), _name(shown.get("type")), options)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _name(value: object) -> str:
    return bounded(_text(value), LONGEST_NAME)


def _workspace(value: object) -> str:
    """Return the id of a workspace; "" for that of an organisation (E...), which is none."""
    text = _name(value)
    return "" if text.startswith("E") else sys.intern(text)


def _workspaces(values: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_workspace, values))) if isinstance(values, list) else ()


def _has_id(member: object) -> bool:
    return isinstance(member, dict) and bool(_id(member.get("id")))


def _id(value: object) -> str:
    """Return the id of something; "" for what cannot be one, since ids are kept and shown as they are."""
    text = key(_text(value))
    return text if text.isascii() and text.isalnum() else ""


def _translated(method: str, error: SlackApiError) -> RemoteError:
    """Return our error for a refusal of Slack's."""
    response = error.response
    # slack_sdk hands over its own response, or aiohttp's where the body could not be read as JSON.
    status = getattr(response, "status_code", None) or getattr(response, "status", None) or 0
    data = getattr(response, "data", None)
    body = data if isinstance(data, dict) else {}
    said = _text(body.get("error"))
    code = said if WORD.fullmatch(said) else ""
    if status == 429 or code == "ratelimited":
        headers: Mapping[str, str] = getattr(response, "headers", {})
        return RateLimited(method, retry_after=seconds_asked(headers.get("Retry-After")))
    if status >= 500:
        return _Overloaded(method, quoted_code(code), status=status)
    if code in PASSING:
        return TransientError(method, quoted_code(code))
    if code in ADVICE:
        advice = ADVICE[code]
        if SCOPES.fullmatch(needed := _text(body.get("needed"))):
            advice = f"{advice} (needed: {quoted_code(needed)})"
        return AccessDenied(method, f"{code}: {advice}")
    if code == "invalid_cursor":
        return StaleCursor(method, code)
    if code == "limit_required":
        return _LimitRequired(method, code)
    if code in NOT_FOUND:
        return _NoSuchUser(method, code)
    if code == NOT_VISIBLE:
        return _NotVisible(method, code)
    if code:
        return Rejected(method, quoted_code(code))
    if status in (401, 403):
        return AccessDenied(method, "refused before Slack's API answered; check the token and the proxy", status=status)
    if status == 200 and body:
        return ContractViolation(method, "neither ok nor an error")
    if status == 404:
        return ContractViolation(method, "there is no such method; check the base URL", status=status)
    return NotJson(method, status=status) if status == 200 else Rejected(method, status=status)


def proxy_for(base_url: str) -> str | None:
    """Return the proxy that the environment names for *base_url*, NO_PROXY respected."""
    address = urlsplit(base_url)
    proxies = getproxies()
    if address.hostname is None or proxy_bypass(address.netloc):
        return None
    return proxies.get(address.scheme) or proxies.get("all") or None
