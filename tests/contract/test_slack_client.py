"""The Slack client against replies in the shapes Slack is known to give, served over real HTTP by aiohttp."""

import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from tenacity import RetryCallState

from sandbox.server import Sandbox
from sandbox.slack.workspace import BOT_TOKEN
from slack_docebo.clients.answers import MOST_BYTES
from slack_docebo.clients.retries import wait_as_asked
from slack_docebo.clients.slack import SlackClient, open_slack
from slack_docebo.clients.slack_refusals import StaleCursor
from slack_docebo.domain.observation import Gone, Present, Unknown
from slack_docebo.errors import AccessDenied, ContractViolation, RateLimited, Rejected, TransientError

TOKEN = "xoxb-top-secret"


@dataclass
class Slack:
    """Gives the scripted replies one after the other, the last one for ever."""

    url: str = ""
    replies: list[Any] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    sockets: set[object] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        self.tokens.add(request.headers["Authorization"])
        self.sockets.add(request.transport and request.transport.get_extra_info("peername"))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply == "drop the connection":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if isinstance(reply, dict):
            return web.json_response(reply)
        status, body, headers = reply
        return web.Response(status=status, body=body, headers=headers)

    def wait(self, state: RetryCallState) -> float:
        """Note how long would have been waited, and do not."""
        self.waits.append(wait_as_asked(state))
        return 0

    @asynccontextmanager
    async def client(self, *replies: Any, **options: Any) -> AsyncIterator[SlackClient]:
        self.replies[:] = replies
        async with open_slack(lambda: SecretStr(TOKEN), base_url=self.url, wait=self.wait, **options) as client:
            yield client


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slack]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    slack = Slack()
    app = web.Application()
    app.router.add_route("*", "/api/{method}", slack.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    yield slack
    await runner.cleanup()


def page(*ids: str, cursor: Any = "") -> dict[str, Any]:
    return {"ok": True, "members": [{"id": id_} for id_ in ids], "response_metadata": {"next_cursor": cursor}}


def refusal(code: str, **more: Any) -> dict[str, Any]:
    return {"ok": False, "error": code, **more}


HTML = {"Content-Type": "text/html"}
TOO_MANY = (429, b'{"ok":false,"error":"ratelimited"}', {"Content-Type": "application/json", "Retry-After": "17"})


async def read_all(client: SlackClient) -> list[str]:
    ids, cursor = [], ""
    while True:
        users = await client.list_users(cursor)
        ids += [user.slack_id for user in users.users]
        if not (cursor := users.next_cursor):
            return ids


async def test_the_token_tells_its_workspace_and_scopes(slack):
    body = b'{"ok":true,"url":"https://acme.slack.com/","team":"Acme","team_id":"T0ACME","user_id":"U0B","bot_id":"B0"}'
    headers = {"Content-Type": "application/json", "X-OAuth-Scopes": "users:read, users:read.email,team:read"}
    async with slack.client((200, body, headers)) as client:
        identity = await client.identify()

    assert (identity.team_id, identity.team_name, identity.user_id) == ("T0ACME", "Acme", "U0B")
    assert (identity.enterprise_id, identity.is_enterprise_install) == ("", False)
    assert identity.scopes == {"users:read", "users:read.email", "team:read"}
    assert slack.tokens == {f"Bearer {TOKEN}"}


async def test_a_token_of_no_workspace_is_not_as_documented(slack):
    async with slack.client({"ok": True}) as client:
        with pytest.raises(ContractViolation):
            await client.identify()


async def test_the_workspace_has_a_name(slack):
    async with slack.client({"ok": True, "team": {"id": "T0", "name": "Acme"}}) as client:
        assert await client.team_name("T0") == "Acme"
    assert slack.asked == [{"team": "T0"}]


@pytest.mark.parametrize("ending", ["", None])
async def test_pages_are_followed_to_the_end_on_one_connection(slack, ending):
    async with slack.client(page("U1", "U2", cursor="a="), page(cursor="b="), page("U3", cursor=ending)) as client:
        assert await read_all(client) == ["U1", "U2", "U3"]
        assert client.calls == {"users.list": 3}
    assert slack.asked == [{"limit": "1000"}, {"limit": "1000", "cursor": "a="}, {"limit": "1000", "cursor": "b="}]
    assert len(slack.sockets) == 1


async def test_a_page_without_paging_data_is_the_last(slack):
    async with slack.client({"ok": True, "members": []}) as client:
        assert (await client.list_users()).next_cursor == ""


async def test_the_workspace_and_the_locale_are_asked_for_where_wanted(slack):
    async with slack.client(page(), page_size=50, with_locale=True) as client:
        await client.list_users(team_id="T0")
    assert slack.asked == [{"limit": "50", "team_id": "T0", "include_locale": "1"}]


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param((500, b"<h1>Oops</h1>", HTML), id="HTTP 500 with a page"),
        pytest.param((503, b"", {}), id="HTTP 503 with nothing"),
        pytest.param((200, b"<h1>Hello</h1>", HTML), id="a page in place of JSON"),
        pytest.param((200, b"hello", {"Content-Type": "text/plain"}), id="text in place of JSON"),
        pytest.param((200, b'{"ok": tr', {"Content-Type": "application/json"}), id="half a reply"),
        pytest.param((200, b'"\xff"', {"Content-Type": "application/json"}), id="bytes that are no text"),
        pytest.param((200, b"[1]", {"Content-Type": "application/json"}), id="an array"),
        pytest.param("drop the connection", id="dropped connection"),
        *(
            pytest.param(refusal(code), id=code)
            for code in (
                "internal_error",
                "fatal_error",
                "service_unavailable",
                "request_timeout",
                "team_added_to_org",
                "org_login_required",
                "ratelimited",
            )
        ),
    ],
)
async def test_a_page_that_failed_is_read_again(slack, trouble):
    async with slack.client(page("U1", cursor="a"), trouble, trouble, page("U2")) as client:
        assert await read_all(client) == ["U1", "U2"]
    # Counted here: aiohttp on its own repeats a GET once whose kept connection turns out to be closed.
    assert len(slack.asked) == 4


async def test_slack_is_given_the_time_it_asks_for(slack):
    async with slack.client(TOO_MANY, TOO_MANY, page("U1")) as client:
        assert await read_all(client) == ["U1"]
    assert slack.waits == [17, 17]


async def test_whoever_asks_for_very_long_is_left_to_the_next_run(slack):
    async with slack.client((429, b"", {"Retry-After": "3600"})) as client:
        with pytest.raises(RateLimited) as raised:
            await client.list_users()
    assert raised.value.retry_after == 3600
    assert len(slack.asked) == 1


async def test_trouble_that_lasts_is_reported_after_the_last_attempt(slack):
    async with slack.client((502, b"", {}), attempts=3, page_size=50) as client:
        with pytest.raises(TransientError) as raised:
            await client.list_users()
    assert raised.value.status == 502
    assert len(slack.asked) == 3


@pytest.mark.parametrize("body", [b"<h1>Log in</h1>", b"[]", b'"ok"'])
async def test_what_is_never_json_is_not_slack(slack, body):
    kind = HTML if body.startswith(b"<") else {"Content-Type": "application/json"}
    async with slack.client((200, body, kind), attempts=2) as client:
        with pytest.raises(ContractViolation):
            await client.list_users()


async def test_an_unreachable_slack_is_a_transient_error():
    async with open_slack(
        lambda: SecretStr(TOKEN), base_url="http://127.0.0.1:9/api", attempts=2, wait=lambda _: 0
    ) as client:
        with pytest.raises(TransientError):
            await client.list_users()


@pytest.mark.parametrize(
    "code",
    [
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "not_allowed_token_type",
        "access_denied",
        "team_access_not_granted",
        "two_factor_setup_required",
        "enterprise_is_restricted",
        "ekm_access_denied",
        "accesslimited",
    ],
)
async def test_a_token_that_may_not_is_denied_at_once(slack, code):
    async with slack.client(refusal(code)) as client:
        with pytest.raises(AccessDenied, match=code):
            await client.list_users()
    assert len(slack.asked) == 1


async def test_the_scope_that_is_missing_is_named(slack):
    async with slack.client(refusal("missing_scope", needed="users:read.email", provided="users:read")) as client:
        with pytest.raises(AccessDenied, match=r"users:read\.email"):
            await client.list_users()


async def test_a_cursor_that_is_no_longer_known_is_told_apart(slack):
    async with slack.client(page("U1", cursor="old"), refusal("invalid_cursor")) as client:
        with pytest.raises(StaleCursor):
            await read_all(client)
    assert len(slack.asked) == 2


@pytest.mark.parametrize("code", ["team_not_found", "no_permission", "unknown_method"])
async def test_other_refusals_are_final(slack, code):
    async with slack.client(refusal(code)) as client:
        with pytest.raises(Rejected, match=code):
            await client.list_users()
    assert len(slack.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"ok": True}, id="no members"),
        pytest.param({"ok": True, "members": None}, id="null members"),
        pytest.param({"ok": True, "members": [{"id": "U1"}, {"name": "x"}]}, id="a member without an id"),
        pytest.param({"ok": True, "members": [{"id": "U\ud83d"}]}, id="half an emoji for an id"),
        pytest.param({"ok": True, "members": [{"id": "U" * 1_000}]}, id="a text for an id"),
        pytest.param({"ok": True, "members": [{"id": "[/]"}]}, id="markup for an id"),
        pytest.param({"ok": True, "members": [None]}, id="a member that is none"),
        pytest.param(page("U1", cursor=7), id="a number for a cursor"),
        pytest.param({"ok": False}, id="neither ok nor an error"),
    ],
)
async def test_a_list_that_cannot_be_read_completely_is_not_read_at_all(slack, body):
    async with slack.client(body) as client:
        with pytest.raises(ContractViolation):
            await client.list_users()


async def test_one_user_is_read(slack):
    reply = {"ok": True, "user": {"id": "U1", "profile": {"email": "a@x.org"}, "locale": "it-IT"}}
    async with slack.client(reply, with_locale=True) as client:
        seen = await client.user("U1")

    assert isinstance(seen, Present)
    user = seen.value
    assert (user.slack_id, user.email, user.locale) == ("U1", "a@x.org", "it-IT")
    assert slack.asked == [{"user": "U1", "include_locale": "1"}]


async def test_a_user_whom_slack_does_not_know_is_gone(slack):
    async with slack.client(refusal("user_not_found")) as client:
        assert isinstance(await client.user("U1"), Gone)


async def test_a_user_whom_slack_does_not_show_is_unknown(slack):
    async with slack.client(refusal("user_not_visible")) as client:
        assert isinstance(await client.user("U1"), Unknown)


async def test_a_user_reply_without_a_user_is_not_as_documented(slack):
    async with slack.client({"ok": True}) as client:
        with pytest.raises(ContractViolation):
            await client.user("U1")


async def test_a_proxy_is_used_unless_the_host_is_exempt(slack, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with slack.client(page("U1"), attempts=1) as client:
        with pytest.raises(TransientError):
            await client.list_users()

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with slack.client(page("U1"), attempts=1) as client:
        assert await read_all(client) == ["U1"]


async def test_no_minute_sees_more_calls_than_slack_allows(monkeypatch):
    monkeypatch.setattr("slack_docebo.clients.slack.MINUTE", 0.6)
    with Sandbox(users=50, time_scale=1 / 120) as sandbox:
        async with open_slack(lambda: SecretStr(BOT_TOKEN), base_url=sandbox.slack_url, page_size=1) as client:
            await read_all(client)
            assert await client.identify()  # of another tier: not held up by the listing

        assert sandbox.slack_gate.counters.calls["users.list"] == 50
        assert not sandbox.slack_gate.counters.refused


@pytest.mark.parametrize(
    "trouble",
    [
        refusal("invalid_auth"),
        (500, b"xoxb-top-secret mira@example.org", HTML),
        (200, b"{xoxb-top-secret mira@example.org", {"Content-Type": "application/json"}),
    ],
)
async def test_neither_the_token_nor_people_are_shown(slack, trouble, caplog):
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    people = {"ok": True, "members": [{"id": "U1", "profile": {"email": "mira@example.org"}}]}
    async with slack.client(people, trouble, attempts=1) as client:
        await client.list_users()
        try:
            await client.list_users()
        except Exception as error:
            seen += traceback.format_exception(error)
        seen += [repr(client), caplog.text]
    shown = "".join(seen)

    assert "Traceback" in shown
    assert TOKEN not in shown
    assert "mira@example.org" not in shown


# Against the sandbox


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=450, docebo_users=0, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.reset()
    return running_sandbox


@asynccontextmanager
async def client_of(sandbox: Sandbox, **options: Any) -> AsyncIterator[SlackClient]:
    settings: dict[str, Any] = {"calls_per_minute": 10_000, "wait": lambda _: 0, **options}
    async with open_slack(lambda: SecretStr(BOT_TOKEN), base_url=sandbox.slack_url, **settings) as client:
        yield client


async def test_everybody_in_the_workspace_is_read(sandbox):
    async with client_of(sandbox) as client:
        assert sorted(await read_all(client)) == sorted(user["id"] for user in sandbox.slack)


async def test_the_sandbox_tells_its_workspace_and_scopes(sandbox):
    async with client_of(sandbox) as client:
        identity = await client.identify()
        assert await client.team_name(identity.team_id) == identity.team_name == sandbox.slack.team.name
    assert identity.scopes == sandbox.slack.scopes


async def test_a_change_is_seen_when_the_user_is_read_again(sandbox):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    sandbox.slack.change(ada["id"], {"profile": {"last_name": "King"}})
    async with client_of(sandbox) as client:
        seen = await client.user(ada["id"])
        assert isinstance(await client.user("U0NOBODY"), Gone)

    assert isinstance(seen, Present)
    user = seen.value
    assert (user.first_name, user.last_name, user.email) == ("Ada", "King", "ada@example.com")


async def test_custom_fields_are_read_of_a_single_person_where_they_are_wanted(sandbox):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    sandbox.slack.change(ada, {"profile": {"fields": {"Xf0DEPARTMT": {"value": "Sales", "alt": ""}}}})

    async with client_of(sandbox) as plain, client_of(sandbox, wanted_fields=["Xf0DEPARTMT"]) as wanting:
        found = [await plain.user(ada), await wanting.user(ada)]

    assert [seen.value.custom for seen in found if isinstance(seen, Present)] == [None, {"Xf0DEPARTMT": "Sales"}]


async def test_the_organisations_ids_are_told_of_everybody_who_is_here(sandbox):
    ada, ida = (sandbox.slack.add(name, "Grid", f"{name}@example.com")["id"] for name in ("ada", "ida"))
    sandbox.slack.change(ada, {"enterprise_user": {"id": "W0ADA", "enterprise_id": "E0GRID"}})

    async with client_of(sandbox) as client:
        found = await client.organisation_ids([ada, ida, *(f"U0NOBODY{n}" for n in range(800))], team_id="")
        before = await client.local_ids(["W0ADA", ida, "W0NOBODY"], team_id="")

    assert found == {ada: "W0ADA", ida: ida}
    assert before == {"W0ADA": ada, ida: ida}
    assert client.calls["migration.exchange"] == 4


async def test_a_workspace_of_no_organisation_has_no_such_ids(sandbox):
    async with client_of(sandbox) as client:
        with pytest.raises(Rejected, match="not_enterprise_team"):
            await client.organisation_ids(["U1"], team_id="")


async def test_a_leaver_is_deactivated(sandbox):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    sandbox.slack.deactivate(ada["id"])
    async with client_of(sandbox) as client:
        seen = await client.user(ada["id"])

    assert isinstance(seen, Present)
    assert seen.value.deactivated


@pytest.mark.parametrize("kind", ["rate_limited", "error_500", "html_503", "html_200", "dropped"])
async def test_everybody_is_read_in_spite_of_a_fault_on_the_way(sandbox, kind):
    sandbox.slack_gate.faults.add("users.list", kind, skip=1, times=2)
    async with client_of(sandbox) as client:
        assert len(await read_all(client)) == len(sandbox.slack)


async def test_a_slow_answer_is_asked_for_again(sandbox):
    sandbox.slack_gate.faults.add("users.list", "slow", seconds=3)
    async with client_of(sandbox, timeout=1) as client:
        assert len(await read_all(client)) == len(sandbox.slack)


async def test_of_a_list_that_takes_too_long_a_shorter_page_is_asked_for(sandbox):
    usual = sandbox.slack.switches
    sandbox.slack.switches = replace(usual, most_people=200, too_many="slow", slow_seconds=3)
    try:
        async with client_of(sandbox, timeout=1, page_size=1000) as client:
            assert len(await read_all(client)) == len(sandbox.slack)
            assert client.page_size <= 200  # less where other work on the machine makes that slow, too
    finally:
        sandbox.slack.switches = usual


@pytest.mark.parametrize("kind", ["endless", "bomb"])
async def test_of_a_page_without_end_a_smaller_one_is_asked_for(sandbox, kind):
    sandbox.slack_gate.faults.add("users.list", kind, times=-1)
    async with client_of(sandbox, page_size=200) as client:
        with pytest.raises(ContractViolation, match="larger than"):
            await client.list_users()
    assert sandbox.slack_gate.counters.calls["users.list"] == 2


@pytest.mark.parametrize("kind", ["deep", "large_head", "redirect"])
async def test_a_page_out_of_bounds_is_not_asked_for_again(sandbox, kind):
    sandbox.slack_gate.faults.add("users.list", kind, times=-1, to=sandbox.docebo_url)
    async with client_of(sandbox) as client:
        with pytest.raises(ContractViolation):
            await client.list_users()
    assert sandbox.slack_gate.counters.calls["users.list"] == 1


@pytest.mark.parametrize(
    ("refused", "calls"),
    [
        (refusal("limit_required"), 1),
        ((500, b"<h1>Oops</h1>", HTML), 2),  # which may pass
        ((200, b"[" + b" " * MOST_BYTES + b"]", {"Content-Type": "application/json"}), 1),
    ],
)
async def test_fewer_people_are_asked_for_where_slack_cannot_give_so_many(slack, refused, calls):
    replies = [page("U1", cursor="a="), *[refused] * calls, page("U2", cursor="b="), page("U3")]
    async with slack.client(*replies) as client:
        assert await read_all(client) == ["U1", "U2", "U3"]
        assert client.page_size == 200
    sizes = [(asked["limit"], asked.get("cursor")) for asked in slack.asked]
    assert sizes == [("1000", None), *[("1000", "a=")] * calls, ("200", "a="), ("200", "b=")]


async def test_a_passing_trouble_leaves_the_page_as_large_as_it_was(slack):
    replies = [(503, b"", {}), page("U1", cursor="a="), TOO_MANY, TOO_MANY, page("U2")]
    async with slack.client(*replies) as client:
        assert await read_all(client) == ["U1", "U2"]
        assert client.page_size == 1000
    assert {asked["limit"] for asked in slack.asked} == {"1000"}


async def test_a_slack_that_gives_no_page_at_all_has_taught_nothing(slack):
    async with slack.client(refusal("limit_required")) as client:
        with pytest.raises(Rejected, match="limit_required"):
            await client.list_users()
        assert client.page_size == 1000
    assert [asked["limit"] for asked in slack.asked] == ["1000", "200", "50"]


async def test_a_page_that_drips_is_asked_for_once_more(sandbox):
    sandbox.slack_gate.faults.add("users.list", "drip", times=-1)
    async with client_of(sandbox, timeout=1, page_size=50) as client:
        with pytest.raises(TransientError, match=r"no whole answer within 1 s"):
            await client.list_users()
    assert sandbox.slack_gate.counters.calls["users.list"] == 2


async def test_a_revoked_token_is_denied(sandbox):
    sandbox.slack.token_errors[BOT_TOKEN] = "token_revoked"
    async with client_of(sandbox) as client:
        with pytest.raises(AccessDenied, match=r"^Slack's bot token was revoked; .* \(auth\.test: token_revoked\)$"):
            await client.identify()


async def test_without_the_scope_there_are_no_addresses_and_no_error(sandbox):
    sandbox.slack.scopes = sandbox.slack.scopes - {"users:read.email"}
    async with client_of(sandbox) as client:
        assert not any(user.email for user in (await client.list_users()).users)
