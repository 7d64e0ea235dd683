"""The Slack Web API methods this project reads, typed."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from tenacity import AsyncRetrying

from slack_docebo.clients.answers import LARGE_HEAD, OutOfBounds, TooLarge, bounded_session, clock_ahead, too_late
from slack_docebo.clients.exchanges import Recorder
from slack_docebo.clients.pace import Pace
from slack_docebo.clients.retries import NotJson, TooLate, Wait, no_connection, retrying, wait_as_asked
from slack_docebo.clients.slack_refusals import (
    LimitRequired,
    NoSuchUser,
    NotVisible,
    Overloaded,
    StaleCursor,
    translated,
)
from slack_docebo.clients.slack_wire import (
    Identity,
    ProfileField,
    UserPage,
    custom_values_said,
    has_id,
    id_of,
    ids_of,
    members_counted,
    name_of,
    profile_field,
    seconds_of,
    source_user,
    text_of,
    user_group,
)
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.profiles import PROFILES_A_MINUTE
from slack_docebo.domain.user_groups import UserGroup
from slack_docebo.errors import ContractViolation, IncompleteRead, TransientError

BASE_URL = "https://slack.com/api/"

PAGE_SIZES = (1_000, 200, 50)  # people: the most that Slack documents, what it recommends, and where even that fails
EXCHANGED_AT_ONCE = 400  # ids
LONGEST_CURSOR = 1_000  # characters; Slack's have some twenty, and each is kept until the list has ended
MINUTE = 61.0  # seconds; the last one is for calls whose way to Slack takes longer than that of later ones

# Calls a minute, by the tier of each method; `users.list` (tier 2) has a pace of its own.
PACES = {
    "users.info": 100,
    "users.profile.get": PROFILES_A_MINUTE,
    "users.lookupByEmail": 50,
    "team.info": 50,
    "usergroups.list": 20,
    "usergroups.users.list": 20,
    "migration.exchange": 20,
    "team.profile.get": 50,
    "auth.test": 600,
}

# slack_sdk writes whole replies, that is people, to its log, and even composes those lines for a logger that was never
# given a level; this one has a level, so that neither the names nor the work (more than the parsing takes) arise.
_sdk_log = logging.getLogger("slack_docebo.slack_sdk")
_sdk_log.setLevel(logging.INFO)
_log = logging.getLogger(__name__)


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
        self._hidden_fields = frozenset[str]()  # ids of those of them that are hidden
        # Ids of wanted fields that Slack has left out with somebody since `fields_gone` was last called.
        self._left_out = set[str]()
        self._paces = {method: Pace(max(calls, calls_per_minute), MINUTE) for method, calls in PACES.items()}
        self._paces["users.list"] = Pace(calls_per_minute, MINUTE)
        self._retrying = retrying(attempts, wait, never=(StaleCursor,))
        # A page that may be too large is asked for once more where Slack's trouble may pass, and not waited for twice.
        self._trying = retrying(attempts, wait, never=(StaleCursor,), fewer={TooLate: 1, Overloaded: 2})
        self._listed = ""  # the id of somebody whom the list has shown, and who is therefore there
        self._shows_people: bool | None = None  # who is there and was asked for; None where nobody was yet
        self.clock_ahead: timedelta | None = None  # how far ours is ahead of Slack's, where it was asked who we are
        self.calls: Counter[str] = Counter()

    def want_fields(self, wanted: Iterable[str], hidden: Collection[str] = frozenset()) -> None:
        """From now on, read these custom profile fields of single people; *wanted* are ids.

        Slack may leave out the *hidden* ones even if they have a value, so an absent one is not taken for empty.
        """
        self._wanted_fields, self._hidden_fields = frozenset(wanted), frozenset(hidden)

    async def identify(self) -> Identity:
        """Return the workspace and the scopes of the token."""
        body, headers = await self._call("auth.test", verb="POST")
        self.clock_ahead = clock_ahead(headers)
        identity = Identity(
            team_id=text_of(body.get("team_id")),
            team_name=name_of(body.get("team")),
            user_id=text_of(body.get("user_id")),
            enterprise_id=text_of(body.get("enterprise_id")),
            is_enterprise_install=body.get("is_enterprise_install") is True,
            scopes=frozenset(filter(None, map(str.strip, headers.get("X-OAuth-Scopes", "").split(",")))),
            expires_in=seconds_of(body.get("expires_in")),
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
        return name_of(team.get("name"))

    async def profile_fields(self) -> list[ProfileField]:
        """Return the workspace's custom profile fields.

        Source: https://docs.slack.dev/reference/methods/team.profile.get
        """
        body, _ = await self._call("team.profile.get")
        profile = body.get("profile")
        fields = profile.get("fields") if isinstance(profile, dict) else None
        if not isinstance(fields, list):
            raise ContractViolation("team.profile.get", "the answer holds no list of fields")
        return [profile_field(one) for one in fields if has_id(one)]

    async def user_groups(self, handles: Collection[str], *, team_id: str) -> list[UserGroup]:
        """Return the workspace's user groups that are in use; those with these *handles* have their members.

        Raises IncompleteRead if some of these members may be missing; other groups are not checked. With the token of
        an organisation, *team_id* is needed; with other tokens Slack ignores it.
        Source: https://docs.slack.dev/reference/methods/usergroups.list
        """
        body, _ = await self._call("usergroups.list", include_users="true", include_count="true", team_id=team_id)
        groups = body.get("usergroups")
        if not isinstance(groups, list) or not all(map(has_id, groups)):
            raise ContractViolation("usergroups.list", "not every user group is an object with an id")
        wanted = set(map(str.casefold, handles))
        found = [user_group(group, with_members=name_of(group.get("handle")).casefold() in wanted) for group in groups]
        for group, shown in zip(found, groups, strict=True):
            counted = members_counted(shown)
            if group.handle.casefold() in wanted and counted != len(group.members):
                await self._confirm_members(group, counted, team_id=team_id)
        return found

    async def _confirm_members(self, group: UserGroup, counted: int | None, *, team_id: str) -> None:
        """Raise IncompleteRead unless Slack, asked for this group alone, shows the same members as with all groups.

        So further people in the count, like deactivated ones, stop no run. If it shows others, one of the two lists is
        cut off, or somebody has just changed the group.
        Source: https://docs.slack.dev/reference/methods/usergroups.users.list
        """
        body, _ = await self._call("usergroups.users.list", usergroup=group.id, team_id=team_id)
        alone = body.get("users")
        counts = "does not count the members" if counted is None else f"counts {counted} members"
        told = f"Slack {counts} of @{group.handle} and shows {len(group.members)}"
        if not isinstance(alone, list) or ids_of(alone) != group.members:
            raise IncompleteRead(f"{told}, and others where it is asked for this group alone: run again later")
        _log.warning("%s, asked for this group alone as well: these are taken for all", told)

    async def list_users(self, cursor: str = "", *, team_id: str = "") -> UserPage:
        """Return the page of the user list at *cursor*; raise StaleCursor if Slack does not know it any more.

        A short or empty page is not the end of the list: only an empty `next_cursor` is. If Slack cannot give
        `page_size` people at once, fewer are asked for, and `page_size` is lowered to what it could give.
        """
        asked = {"cursor": cursor or None, "team_id": team_id or None, "include_locale": self._with_locale}
        body = await self._page(asked)
        members = body.get("members")
        if not isinstance(members, list) or not all(map(has_id, members)):
            # Leaving out what cannot be read would make people look absent.
            raise ContractViolation("users.list", "not every member is an object with an id")
        metadata = body.get("response_metadata")
        cursor_shown = metadata.get("next_cursor") if isinstance(metadata, dict) else None
        if cursor_shown and not isinstance(cursor_shown, str):  # taken for none, the list would end here
            raise ContractViolation("users.list", "the cursor is no text")
        following = text_of(cursor_shown)
        if len(following) > LONGEST_CURSOR:
            raise ContractViolation("users.list", f"the cursor is longer than {LONGEST_CURSOR} characters")
        users = [source_user(member) for member in members]
        there = (user.slack_id for user in users if not (user.deactivated or user.forgotten or user.bot))
        self._listed = next(there, self._listed)
        return UserPage(users, following)

    async def _page(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the largest page that Slack gives; to a larger one it answers "limit_required", 500 or not at all.

        Source: https://docs.slack.dev/apis/web-api/pagination
        """
        *larger, last = (self.page_size, *(size for size in PAGE_SIZES if size < self.page_size))
        for size in larger:
            try:
                body, _ = await self._call("users.list", self._trying, limit=size, **asked)
            except (TooLate, Overloaded, LimitRequired, TooLarge) as error:
                _log.info("%s; fewer than %d people are asked for", error, size)
            else:
                break
        else:
            size = last
            body, _ = await self._call("users.list", limit=size, **asked)
        self.page_size = size
        return body

    async def user(self, slack_id: str, *, with_custom: bool = True) -> Observation[SourceUser]:
        """Return what Slack says of exactly this user, *with_custom* profile fields if these are wanted.

        A user whom Slack does not know (`user_not_found`) is gone, unless it does not know somebody of its own list
        either, which takes one more call to find out. A user is unknown whom Slack does not show (`user_not_visible`),
        or for whom it shows somebody with other ids who has left or is in no organisation. A deactivated user is
        present, and shown as deactivated.
        Source: https://docs.slack.dev/reference/methods/users.info
        """
        try:
            user = await self._one("users.info", user=slack_id, include_locale=self._with_locale)
        except NotVisible:
            return Unknown("Slack does not show this person to the app")
        if user is None:
            if self._shows_people is None:
                self._shows_people = await self.shows_listed()
            if not self._shows_people:
                return Unknown("Slack does not know somebody of its own list either")
            return Gone("Slack knows nobody under this id")
        # In an organisation ids become others.
        joined = bool(user.organisation) or user.slack_id[:1] != slack_id[:1]
        if slack_id not in user.ids and (user.deactivated or user.forgotten or not joined):
            return Unknown(f"asked for {slack_id}, Slack shows {user.slack_id}")
        self._shows_people = True
        if not with_custom or self._wanted_fields <= (user.custom or {}).keys():
            return Present(user)
        return Present(replace(user, custom=await self.custom_fields(slack_id)))

    async def shows_listed(self) -> bool:
        """Tell whether Slack shows, by id, somebody whom its list has shown; True if no list was read."""
        if not self._listed:
            return True
        try:
            return await self._one("users.info", counted_as="witness", user=self._listed) is not None
        except NotVisible:
            return False

    async def organisation_ids(self, slack_ids: Sequence[str], *, team_id: str) -> dict[str, str]:
        """Return the id in the organisation for each of *slack_ids* that Slack knows, which may be the same id.

        It takes one call for 400 ids. Raises Rejected if the workspace *team_id* is in no organisation.
        Source: https://docs.slack.dev/reference/methods/migration.exchange
        """
        return await self._other_ids(slack_ids, team_id=team_id)

    async def local_ids(self, slack_ids: Sequence[str], *, team_id: str) -> dict[str, str]:
        """Return the id in the workspace *team_id* for each id of the organisation, like `organisation_ids`."""
        return await self._other_ids(slack_ids, team_id=team_id, to_old="true")

    async def _other_ids(self, slack_ids: Sequence[str], **params: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for first in range(0, len(slack_ids), EXCHANGED_AT_ONCE):
            users = ",".join(slack_ids[first : first + EXCHANGED_AT_ONCE])
            body, _ = await self._call("migration.exchange", users=users, **params)
            told = body.get("user_id_map")
            if not isinstance(told, dict):
                raise ContractViolation("migration.exchange", "the answer holds no table of ids")
            found |= {one: other for one, other in told.items() if id_of(other)}
        return found

    async def custom_fields(self, slack_id: str) -> Mapping[str, str] | None:
        """Return the wanted custom profile fields of one person by id, or None if Slack does not show the person.

        A field without a value is "". Only in this method Slack shows that by leaving the field out of the object of
        fields, or by an empty array in place of the object. If it shows neither, or a value that is no text, it says
        nothing of the field, which is then missing.
        Source: https://docs.slack.dev/reference/methods/users.profile.get
        """
        try:
            body, _ = await self._call("users.profile.get", user=slack_id)
        except (NoSuchUser, NotVisible):
            return None
        profile = body.get("profile")
        if not isinstance(profile, dict):
            raise ContractViolation("users.profile.get", "the answer holds no profile")
        shown = {} if profile.get("fields") == [] else profile.get("fields")
        said = custom_values_said(shown, self._wanted_fields, self._hidden_fields)
        self._left_out.update(said.keys() - shown.keys() if isinstance(shown, dict) else ())
        return said

    async def fields_gone(self) -> set[str]:
        """Return the wanted fields that Slack has left out with somebody, and that are deleted or hidden by now.

        They may not have been empty. It takes one call, and none if no field was left out since the last time.
        """
        if not self._left_out:
            return set()
        shown = {field.id for field in await self.profile_fields() if not field.hidden}
        left_out, self._left_out = self._left_out, set()
        return left_out - shown

    async def find_user(self, email: str) -> SourceUser | None:
        """Return the user with this address, or None; Slack hides the deactivated ones from this search.

        The locale is missing, for this method does not give it. Raises ContractViolation if Slack shows somebody with
        another address, which does not tell whose this one is.
        """
        try:
            found = await self._one("users.lookupByEmail", email=email)
        except NotVisible:
            return None
        if found and mailbox(found.email) != mailbox(email):
            raise ContractViolation("users.lookupByEmail", f"{found.slack_id} is shown, without the address asked for")
        return found

    async def _one(self, method: str, **params: Any) -> SourceUser | None:
        try:
            body, _ = await self._call(method, **params)
        except NoSuchUser:
            return None
        if not has_id(body.get("user")):
            raise ContractViolation(method, "the answer holds no user with an id")
        if not isinstance(body["user"].get("profile"), dict):  # else its person would seem to have no address
            raise ContractViolation(method, "the answer shows no profile")
        return source_user(body["user"])

    async def _call(
        self,
        method: str,
        policy: AsyncRetrying | None = None,
        *,
        verb: str = "GET",
        counted_as: str = "",
        **params: Any,
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        try:
            return await (policy or self._retrying).copy()(self._send, method, verb, params, counted_as or method)
        except NotJson as error:
            raise ContractViolation(method, "the answer is not JSON; check the base URL and the proxy") from error

    async def _send(
        self, method: str, verb: str, params: Mapping[str, Any], counted_as: str
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        await self._paces[method].wait()
        self.calls[counted_as] += 1
        self._web.token = self._token().get_secret_value()
        try:
            response = await self._web.api_call(method, http_verb=verb, params=dict(params))
        except SlackApiError as error:
            # Not chained: the message of slack_sdk quotes the reply.
            raise translated(method, error) from None
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


def proxy_for(base_url: str) -> str | None:
    """Return the proxy that the environment names for *base_url*, NO_PROXY respected."""
    address = urlsplit(base_url)
    proxies = getproxies()
    if address.hostname is None or proxy_bypass(address.netloc):
        return None
    return proxies.get(address.scheme) or proxies.get("all") or None
