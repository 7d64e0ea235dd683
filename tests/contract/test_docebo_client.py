"""The Docebo client against answers in the shapes Docebo is known to give."""

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
import respx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from tenacity import RetryCallState

from sandbox.docebo.platform import API_PASSWORD, API_USER_ID, API_USERNAME
from sandbox.docebo.tokens import CLIENT_ID, CLIENT_SECRET
from sandbox.server import Sandbox
from slack_docebo.clients.docebo import DoceboClient, open_docebo
from slack_docebo.clients.docebo_auth import ClientCredentials, Grant, JwtBearer, Password, Token
from slack_docebo.clients.docebo_branches import MOST_IN_VAIN
from slack_docebo.clients.docebo_levels import Levels
from slack_docebo.clients.docebo_rows import Row, RowResult
from slack_docebo.clients.docebo_wire import Branch, Service, Session, UserField
from slack_docebo.clients.retries import wait_as_asked
from slack_docebo.domain.dialect import Pages
from slack_docebo.domain.observation import Gone, Present, Unknown
from slack_docebo.domain.people import Account
from slack_docebo.domain.proof import changed_besides
from slack_docebo.errors import (
    AccessDenied,
    ConfigurationError,
    ContractViolation,
    IncompleteRead,
    LockLost,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteError,
    SyncError,
    TransientError,
)

BASE = "https://acme.docebosaas.com"
USERS = "/manage/v1/user"
BATCH = "/manage/v1/user/batch"
APP = ClientCredentials("sync-app", SecretStr("s3cr3t"))
GRANTED = {"access_token": "tok-1", "expires_in": 3600, "token_type": "Bearer", "scope": "api"}
ADA = Row(None, {"username": "ada", "email": "ada@x.org", "first_name": "Ada"})


@pytest.fixture
def docebo() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        router.post("/oauth2/token", name="token").respond(json=GRANTED)
        yield router


@asynccontextmanager
async def opened(grant: Grant = APP, **options: Any) -> AsyncIterator[DoceboClient]:
    async with open_docebo(BASE, lambda: grant, **{"wait": lambda _: 0, **options}) as client:
        yield client


def ok(data: object) -> httpx.Response:
    return httpx.Response(200, json={"data": data, "version": "1.0.0", "_links": []})


def yii(status: int, message: object = "No", code: int = 0) -> httpx.Response:
    return httpx.Response(status, json={"name": "Error", "message": message, "code": code, "status": status})


def page(*ids: int, more: object = False, **extra: Any) -> httpx.Response:
    items = [{"user_id": str(id_), "username": f"u{id_}", "email": "", "level": "user", "status": "1"} for id_ in ids]
    return ok({"items": items, "has_more_data": more, **extra})


def numbered(
    *pages: httpx.Response, first: int = 1, otherwise: httpx.Response
) -> Callable[[httpx.Request], httpx.Response]:
    """Answer with the page of which the number is asked for, and *otherwise* where there is none."""

    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"]) - first
        return pages[number] if 0 <= number < len(pages) else otherwise

    return answer


def answered(*rows: tuple[bool, object, str]) -> httpx.Response:
    return ok(
        [
            {
                "row_index": n,
                "success": success,
                "message": "" if success else "No",
                "output": {"user_id": i, "username": u},
            }
            for n, (success, i, u) in enumerate(rows)
        ]
    )


def sent(route: respx.Route, index: int = -1) -> Any:
    return json.loads(route.calls[index].request.content)


HTML = httpx.Response(200, html="<h1>Log in</h1>")


# Reading accounts


async def test_an_account_is_read_from_the_listing(docebo):
    item = {
        "user_id": "10231", "username": "/mira", "first_name": "Mira", "last_name": "Okafor", "email": "m@x.org",
        "level": "user", "status": "1", "language": "English", "lang_code": "en", "timezone": "Europe/Rome",
        "field_12": "U0AAA", "field_13": None, "field_14": "not wanted",
    }  # fmt: skip
    docebo.get(USERS).mock(return_value=ok({"items": [item], "has_more_data": False}))
    async with opened(wanted_fields=frozenset({12, 13, 15})) as client:
        pages = [accounts async for accounts in client.list_users()]

    assert pages == [
        [
            Account(
                10231, "mira", "m@x.org", first_name="Mira", last_name="Okafor", language="en", time_zone="Europe/Rome",
                fields={12: "U0AAA", 13: ""},
            )
        ]
    ]  # fmt: skip


async def test_texts_are_read_as_people_wrote_them_though_docebo_shows_them_as_html_does(docebo):
    item = {
        "user_id": 7, "username": "o&#039;hara@x.org", "email": "o&#039;hara@x.org", "status": 1, "last_name": "O&#039;Hara",
        "first_name": "Tom &amp; Jo", "field_12": "R&amp;D",
    }  # fmt: skip
    dropdown = {"id": 12, "title": "R&amp;D?", "type": "dropdown", "options": [{"id": 1, "label": "R&amp;D"}]}
    branch = {"id": 4, "code": "RD", "title": "R&amp;D"}
    docebo.get(USERS).mock(return_value=ok({"items": [item], "has_more_data": False}))
    docebo.get("/manage/v1/user_fields").mock(return_value=ok([dropdown]))
    docebo.get("/manage/v1/orgchart").mock(return_value=ok({"items": [branch], "has_more_data": False}))
    async with opened(wanted_fields=frozenset({12})) as client:
        [[account]] = [accounts async for accounts in client.list_users()]
        [field] = await client.fields.all()
        [shown] = await client.branches.all()

    assert (account.username, account.email) == ("o'hara@x.org", "o'hara@x.org")
    assert (account.first_name, account.last_name, account.fields) == ("Tom & Jo", "O'Hara", {12: "R&D"})
    assert (field.title, field.options) == ("R&D?", {"1": "R&D"})
    assert shown.title == "R&D"


@pytest.mark.parametrize("text", ["Law&ethics", "R&center", "ceo&#64;x.org", "c&#101;o@x.org", "ceo&commat;x.org"])
async def test_nobodys_text_is_read_as_another_one_because_html_has_more_characters_than_markup(docebo, text):
    item = {"user_id": 7, "username": text, "email": "ada@x.org", "status": 1, "field_12": text}
    docebo.get(USERS).mock(return_value=ok({"items": [item], "has_more_data": False}))
    async with opened(wanted_fields=frozenset({12})) as client:
        [[account]] = [accounts async for accounts in client.list_users()]

    assert (account.username, account.fields) == (text, {12: text})


@pytest.mark.parametrize(("status", "active"), [("1", True), (1, True), ("0", False), (0, False), (False, False)])
async def test_a_suspended_account_is_inactive_however_it_is_written(docebo, status, active):
    docebo.get(USERS).mock(
        return_value=ok(
            {"items": [{"user_id": 1, "username": "", "email": "", "status": status}], "has_more_data": False}
        )
    )
    async with opened() as client:
        assert [[account.active for account in accounts] async for accounts in client.list_users()] == [[active]]


@pytest.mark.parametrize("level", ["user", "6", 6, "User", "/framework/level/user"])
def test_a_plain_user_is_no_administrator(level):
    assert not Levels().is_administrator(level)


@pytest.mark.parametrize("level", ["godadmin", "superadmin", "3", 4, "power_user", "something new", "", None, {}])
def test_whoever_may_be_an_administrator_is_one(level):
    assert Levels().is_administrator(level)


def test_a_word_of_the_platforms_own_makes_plain_users_and_never_administrators():
    levels = Levels(" Learner ")
    assert not levels.is_administrator("/framework/level/learner")
    for word in ("power_user", "4", "godadmin", "3", "admin", ""):
        assert Levels(word).is_administrator(word)


def test_a_level_is_in_doubt_as_long_as_nobody_is_known_to_be_a_plain_user():
    levels = Levels()
    levels.is_administrator("godadmin")
    levels.is_administrator("Learner")
    assert levels.in_doubt == {"learner"}

    levels.is_administrator("user")
    assert levels.in_doubt == frozenset()


async def test_all_pages_are_read_from_the_first_to_the_last(docebo):
    route = docebo.get(USERS).mock(
        side_effect=[page(1, 2, more=True, total_count="3"), page(3, more="0", total_count="3")]
    )
    async with opened() as client:
        assert [[a.docebo_id for a in accounts] async for accounts in client.list_users()] == [[1, 2], [3]]
    asked = [dict(call.request.url.params) for call in route.calls]
    assert [params.pop("page") for params in asked] == ["1", "2"]
    assert asked[0] == {"page_size": "200", "sort_attr": "username", "sort_dir": "asc", "get_total_count": "1"}


async def test_a_listing_that_never_says_whether_there_is_more_ends_with_an_empty_page(docebo):
    docebo.get(USERS).mock(side_effect=numbered(page(1, more=None), page(2, more=None), otherwise=page(more=None)))
    async with opened() as client:
        assert [[a.docebo_id for a in accounts] async for accounts in client.list_users()] == [[1], [2], []]


@pytest.mark.parametrize(
    "otherwise", [page(more=False), page(1, 2), httpx.Response(400)], ids=["empty", "again", "refused"]
)
async def test_a_listing_that_nobody_counted_ends_where_nothing_new_comes_behind_or_before_it(docebo, otherwise):
    docebo.get(USERS).mock(side_effect=numbered(page(1, 2, more=False), otherwise=otherwise))
    async with opened() as client:
        assert [[a.docebo_id for a in accounts] async for accounts in client.list_users()] == [[1, 2]]


@pytest.mark.parametrize(("more", "asked"), [(True, 3), (False, 2)], ids=["also behind the last page", "on no page"])
async def test_a_listing_that_always_says_the_same_of_more_pages_is_read_by_its_count(docebo, more, asked):
    route = docebo.get(USERS).mock(
        side_effect=numbered(
            page(1, 2, more=more, total_count=3), page(3, more=more, total_count=3), otherwise=page(more=more)
        )
    )
    async with opened() as client:
        assert [a.docebo_id async for accounts in client.list_users() for a in accounts] == [1, 2, 3]
        assert client.paging == ({Pages.ENDLESS} if more else set())
        assert route.call_count == asked
        assert await client.find_users("u9") == []


async def test_behind_the_last_page_docebo_may_refuse_a_page_that_only_its_count_lets_us_ask_for(docebo):
    whole = page(1, 2, more=False, total_count=3)
    docebo.get(USERS).mock(side_effect=numbered(whole, otherwise=httpx.Response(404)))
    async with opened() as client:
        with pytest.raises(IncompleteRead, match="listed 2 accounts and counts 3"):
            [accounts async for accounts in client.list_users()]


async def test_no_page_is_asked_for_because_of_accounts_that_are_known_to_be_counted_and_not_listed(docebo):
    route = docebo.get(USERS).mock(side_effect=numbered(page(1, 2, more=False, total_count=3), otherwise=page()))
    async with opened() as client:
        assert [a.docebo_id async for accounts in client.list_users(unlisted=1) for a in accounts] == [1, 2]
        assert await client.branches.accounts_in(42, unlisted=1) == {1, 2}
    assert route.call_count == 2


@pytest.mark.parametrize("counted", [{"total_count": 3}, {}], ids=["counted", "not counted"])
async def test_pages_that_are_numbered_from_0_are_read_once_the_list_is_begun_anew(docebo, counted):
    pages = numbered(page(1, 2, more=True, **counted), page(3, **counted), first=0, otherwise=page(**counted))
    docebo.get(USERS).mock(side_effect=pages)
    async with opened() as client:
        with pytest.raises(IncompleteRead, match="from 0"):
            [accounts async for accounts in client.list_users()]
        assert [a.docebo_id async for accounts in client.list_users() for a in accounts] == [1, 2, 3]


async def test_a_first_page_with_the_number_0_is_found_where_page_1_is_empty(docebo):
    docebo.get("/manage/v1/orgchart").mock(
        side_effect=numbered(ok({"items": [node(0, "Acme", 1, 2)]}), first=0, otherwise=ok({"items": []}))
    )
    async with opened() as client:
        assert [branch.id for branch in await client.branches.all()] == [0]
        assert client.paging == {Pages.FROM_0}


async def test_a_page_that_was_empty_once_by_accident_does_not_number_pages_from_0(docebo):
    whole = page(1, 2, total_count=2)
    docebo.get(USERS).mock(side_effect=[page(total_count=2), whole, whole])
    async with opened() as client:
        assert [a.docebo_id async for accounts in client.list_users() for a in accounts] == [1, 2]
        assert client.paging == set()


async def test_a_list_that_was_empty_once_by_accident_does_not_number_pages_from_0_either(docebo):
    branches = ok({"items": [node(0, "Acme", 1, 2)], "has_more_data": False})
    docebo.get("/manage/v1/orgchart").mock(return_value=branches)
    docebo.get(USERS).mock(side_effect=[page(), page(1, 2), page(1, 2)])
    async with opened() as client:
        await client.branches.all()  # whose page 1 shows something
        with pytest.raises(IncompleteRead, match="shows nobody"):
            [accounts async for accounts in client.list_users()]
        assert client.paging == set()


@pytest.mark.parametrize("before", [httpx.Response(500), page()])
async def test_a_platform_that_has_no_page_0_is_asked_for_it_once(docebo, before):
    route = docebo.get("/manage/v1/user_fields").mock(side_effect=numbered(ok([]), otherwise=before))
    async with opened(attempts=1) as client:
        assert [await client.fields.all() for _ in range(2)] == [[], []]
    assert [call.request.url.params["page"] for call in route.calls] == ["1", "0", "1"]


@pytest.mark.parametrize("accounts", [3, 150, 250])
async def test_a_list_of_accounts_that_is_an_array_is_read(docebo, accounts):
    items = json.loads(page(*range(1, accounts + 1)).content)["data"]["items"]
    docebo.get(USERS).mock(return_value=ok(items))
    async with opened() as client:
        assert len({a.docebo_id async for page in client.list_users() for a in page}) == accounts


async def test_an_array_as_long_as_a_page_may_be_cut_off(docebo):
    docebo.get(USERS).mock(return_value=ok(json.loads(page(*range(1, 201)).content)["data"]["items"]))
    async with opened() as client:
        with pytest.raises(IncompleteRead, match="repeats itself"):
            [accounts async for accounts in client.list_users()]


@pytest.mark.parametrize(
    "nobody", [ok([]), page(more=False), page(total_count=0)], ids=["an array", "a page", "counted"]
)
async def test_a_list_of_nobody_is_none_for_our_own_account_is_there(docebo, nobody):
    docebo.get(USERS).mock(return_value=nobody)
    async with opened() as client:
        with pytest.raises(IncompleteRead, match="shows nobody"):
            [accounts async for accounts in client.list_users()]


async def test_an_account_that_moves_to_the_next_page_is_listed_as_it_is_on_both(docebo):
    docebo.get(USERS).mock(side_effect=[page(1, 2, more=True, total_count=3), page(2, 3, total_count=4)])
    async with opened() as client:
        assert [[a.docebo_id for a in accounts] async for accounts in client.list_users()] == [[1, 2], [2, 3]]


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([page(1, 2, total_count=3)], id="fewer than counted"),
        pytest.param([page(1, 2, more=True, total_count=3), page(2, total_count=2)], id="one slipped through"),
        pytest.param([page(1, 2, more=True), page(1, 2, more=True)], id="a page repeats"),
        pytest.param([page(1, 2, more=True), page(more=True)], id="an empty page announces more"),
        pytest.param([page(1, 2, more=False), page(3, more=False)], id="it ends uncounted, and goes on behind its end"),
    ],
)
async def test_a_short_listing_is_noticed(docebo, pages):
    docebo.get(USERS).mock(side_effect=numbered(*pages, otherwise=page()))
    async with opened() as client:
        with pytest.raises(IncompleteRead):
            [accounts async for accounts in client.list_users()]


async def test_behind_the_end_of_the_first_list_of_all_nobody_must_follow_whatever_is_counted(docebo):
    docebo.get(USERS).mock(side_effect=[page(1, 2, total_count=2), page(3, total_count=2)])
    async with opened() as client:
        with pytest.raises(IncompleteRead, match="ended its list after 2 accounts, and has more"):
            [accounts async for accounts in client.list_users(is_first=True)]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ok({"has_more_data": False}), id="no items"),
        pytest.param(ok({"items": [{"username": "a"}]}), id="an account without an id"),
        pytest.param(ok({"items": ["a"]}), id="an account that is none"),
        pytest.param(ok({"items": [{"user_id": 10**30}]}), id="an id that no database holds"),
        pytest.param(
            ok({"items": [{"user_id": 0, "username": "a", "email": "", "status": 1}]}), id="an id that nobody has"
        ),
        pytest.param(
            ok({"items": [{"user_id": 1, "username": "a", "status": 1}]}), id="an account without its address"
        ),
        pytest.param(ok({"items": [{"user_id": 1, "username": "a", "email": ""}]}), id="an account without its status"),
        pytest.param(
            ok({"items": [{"user_id": 1, "username": "a", "email": "", "status": None}]}), id="a status that is null"
        ),
        pytest.param(
            ok({"items": [{"user_id": 1, "username": None, "email": "", "status": 1}]}), id="a user name that is null"
        ),
        pytest.param(httpx.Response(200, json=[]), id="no envelope"),
        pytest.param(HTML, id="never JSON"),
        pytest.param(httpx.Response(200, content=b"{", headers={"Content-Type": "application/json"}), id="half of it"),
        pytest.param(httpx.Response(302, headers={"Location": "https://elsewhere.example/"}), id="redirected"),
    ],
)
async def test_a_listing_that_is_not_as_documented_is_not_read(docebo, answer):
    docebo.get(USERS).mock(return_value=answer)
    async with opened() as client:
        with pytest.raises(ContractViolation):
            [accounts async for accounts in client.list_users()]


@pytest.mark.parametrize(
    "said",
    [{"total_count": 0}, {"count": "0"}, {"has_more_data": False}, {"total_count": 0, "count": 0, "has_more_data": 0}],
)
async def test_a_search_whose_items_are_null_finds_nobody_where_nothing_is_there(docebo, said):
    docebo.get(USERS).mock(return_value=ok({"items": None, **said}))
    async with opened() as client:
        assert await client.find_users("ada@x.org") == []


@pytest.mark.parametrize("said", [{"count": 0}, {"total_count": "0", "has_more_data": False}])
async def test_a_search_without_any_items_finds_nobody_where_none_are_counted(docebo, said):
    docebo.get(USERS).mock(return_value=ok(said))
    async with opened() as client:
        assert await client.find_users("ada@x.org") == []


@pytest.mark.parametrize("said", [{}, {"has_more_data": False}, {"count": 1}, {"count": 0, "has_more_data": True}])
async def test_a_search_without_any_items_is_not_read_where_something_may_be_there(docebo, said):
    docebo.get(USERS).mock(return_value=ok({"rows": [], **said}))
    async with opened() as client:
        with pytest.raises(ContractViolation):
            await client.find_users("ada@x.org")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"has_more_data": None},
        {"total_count": 1, "has_more_data": False},
        {"total_count": 0, "has_more_data": True},
        {"total_count": 0, "count": 2},
        {"count": "?", "has_more_data": False},
    ],
)
async def test_a_search_whose_items_are_null_is_not_read_where_something_may_be_there(docebo, said):
    docebo.get(USERS).mock(return_value=ok({"items": None, **said}))
    async with opened() as client:
        with pytest.raises(ContractViolation):
            await client.find_users("ada@x.org")


@pytest.mark.parametrize("said", [{"count": 1}, {"total_count": "2", "count": 0}, {"has_more_data": True}])
async def test_a_search_that_shows_none_of_those_whom_it_counts_has_not_found_nobody(docebo, said):
    docebo.get(USERS).mock(return_value=ok({"items": [], "has_more_data": False, **said}))
    async with opened() as client:
        with pytest.raises(IncompleteRead):
            await client.find_users("ada@x.org")


@pytest.mark.parametrize("called", ["text/plain; charset=utf-8", "text/html", "application/octet-stream"])
async def test_an_answer_in_json_is_read_whatever_its_header_calls_it(docebo, called):
    listed = page(1, 2, total_count=2)
    docebo.get(USERS).mock(return_value=httpx.Response(200, content=listed.content, headers={"Content-Type": called}))
    async with opened() as client:
        pages = [accounts async for accounts in client.list_users()]
    assert [one.docebo_id for accounts in pages for one in accounts] == [1, 2]


async def test_a_page_to_log_in_is_refused_with_what_to_check(docebo):
    docebo.get(USERS).mock(return_value=HTML)
    async with opened() as client:
        with pytest.raises(ContractViolation, match="not JSON; check DOCEBO_URL and the proxy"):
            await client.find_users("ada@x.org")


async def test_a_search_keeps_only_what_was_searched_for(docebo):
    items = [
        {"user_id": 1, "username": "ADA", "email": "", "status": 1},
        {"user_id": 2, "username": "adam", "email": "x@x.org", "status": 1},
        {"user_id": 3, "username": "u3", "email": "Ada", "status": 1},
        {"user_id": 4, "username": "u4", "email": "", "status": 1, "first_name": "ada"},
    ]
    route = docebo.get(USERS).mock(return_value=ok({"items": items, "has_more_data": False}))
    async with opened() as client:
        assert [account.docebo_id for account in await client.find_users(" ada ")] == [1, 3]
        assert await client.find_users(" ") == []
    assert route.calls[0].request.url.params["match_type"] == "full"


async def test_an_address_with_a_plus_is_searched_for_as_it_is(docebo):
    route = docebo.get(USERS).mock(return_value=page())
    async with opened() as client:
        await client.find_users("ada+lms@x.org")
    assert route.calls[0].request.url.params["search_text"] == "ada+lms@x.org"
    assert b"%2B" in route.calls[0].request.url.query


async def test_one_account_is_read_from_its_view(docebo):
    data = {
        "user_data": {"user_id": "7", "username": "ada", "valid": "0", "level": "6", "timezone": "UTC"},
        "additional_fields": [{"id": 12, "value": "U0AAA"}, {"id": 13, "value": "x"}],
    }
    docebo.get(f"{USERS}/7").mock(return_value=ok(data))
    async with opened(wanted_fields=frozenset({12})) as client:
        unshown = frozenset({"email", "first_name", "last_name", "language"})
        account = Account(7, "ada", active=False, time_zone="UTC", fields={12: "U0AAA"}, unshown=unshown)
        assert await client.user(7) == Present(account)


@pytest.mark.parametrize(
    ("level", "is_administrator"), [("user", False), ("/framework/level/godadmin", True), (None, True)]
)
async def test_a_level_that_a_view_leaves_out_is_that_of_the_list(docebo, level, is_administrator):
    listed = {"user_id": 7, "username": "ada", "email": "ada@x.org", "status": 1, "level": level}
    other = {**listed, "user_id": 6, "username": "ada2", "email": "ada", "level": "admin"}
    docebo.get(USERS).mock(return_value=ok({"items": [other, listed], "has_more_data": False}))
    docebo.get(f"{USERS}/7").mock(return_value=ok({"user_data": {"user_id": 7, "username": "ada"}}))
    async with opened() as client:
        seen = await client.user(7)
    assert isinstance(seen, Present)
    assert seen.value.administrator is is_administrator


async def test_an_account_is_unknown_while_nothing_shows_its_level(docebo):
    docebo.get(USERS).mock(return_value=page())
    docebo.get(f"{USERS}/7").mock(return_value=ok({"user_data": {"user_id": 7, "username": "ada"}}))
    async with opened() as client:
        assert isinstance(await client.user(7), Unknown)


@pytest.mark.parametrize(
    ("shown", "branches"),
    [
        ({"branches": [42, "7"]}, "7,42"),
        ({"branches": [{"id": "42"}, {"branch_id": 7}]}, "7,42"),
        ({"select_orgchart": {"42": 1, "7": "7", "8": 0, "9": "0"}}, "7,42"),
        ({"branches": [0, 42]}, "42"),  # everybody is in the root
        ({"branches": ["0"]}, "0"),
        ({"branches": []}, ""),
        ({"branches": ["From Slack"]}, None),
        ({"branches": [{"title": "From Slack", "code": "SLACK"}, {"id": 7}]}, None),
        ({"branches": "From Slack"}, None),
        ({"branches": None}, None),
    ],
)
async def test_branches_of_an_account_are_shown_by_their_ids_or_not_at_all(docebo, shown, branches):
    docebo.get(f"{USERS}/7").mock(
        return_value=ok({"user_data": {"user_id": 7, "username": "ada", "level": 6}, **shown})
    )
    async with opened() as client:
        seen = await client.view(7)
    assert seen.value.besides.get("branches") == branches


async def test_a_flag_that_is_a_boolean_is_read_in_the_view_of_an_account(docebo):
    def view(*, on: bool) -> httpx.Response:
        user = {"user_id": 7, "username": "ada", "level": "6", "valid": on, "force_change": on}
        return ok({"user_data": user, "additional_fields": [{"id": 12, "value": on}]})

    docebo.get(f"{USERS}/7").mock(side_effect=[view(on=False), view(on=True)])
    field = {"id": 12, "title": "Remote", "type": "yesno"}
    docebo.get("/manage/v1/user_fields").mock(return_value=ok([field]))
    async with opened(wanted_fields=frozenset({12})) as client:
        await client.fields.read_options(await client.fields.all())
        before, after = [(await client.view(7)).value for _ in range(2)]
    assert [one.account.fields for one in (before, after)] == [{12: "no"}, {12: "yes"}]
    assert changed_besides({}, before, after, branch=None) == ["force_change", "status", "field_12"]


async def test_an_account_for_whose_id_docebo_answers_404_is_gone(docebo):
    docebo.get(f"{USERS}/7").mock(return_value=yii(404))
    async with opened() as client:
        assert isinstance(await client.user(7), Gone)


@pytest.mark.parametrize(
    "answer",
    [
        *(yii(400), ok(None), ok({}), ok({"user_data": []}), ok({"user_data": {"user_id": "8", "username": "bob"}})),
        *(
            httpx.Response(404, json=body)
            for body in ({"message": "no Route"}, {"message": "Not found", "status": 404})
        ),
        httpx.Response(404, text="<h1>?</h1>"),
    ],
)
async def test_an_account_for_whose_id_docebo_answers_anything_else_is_unknown(docebo, answer):
    docebo.get(f"{USERS}/7").mock(return_value=answer)
    async with opened() as client:
        assert isinstance(await client.user(7), Unknown)


async def test_the_session_tells_who_one_is(docebo):
    data = {"id": "5", "username": "api.bot", "user_level": "godadmin", "email": "b@x.org"}
    docebo.get(f"{USERS}/session").mock(return_value=ok(data))
    async with opened() as client:
        assert await client.session() == Session(5, "api.bot", "godadmin")


async def test_a_language_without_a_code_is_none_by_which_another_is_refused(docebo):
    named = [{"browsercode": None, "code": "english"}, {"code": "german"}, {"browsercode": "fr", "code": "french"}]
    docebo.get(f"{USERS}/session").mock(return_value=ok({"id": 5, "active_languages": named}))
    async with opened() as client:
        assert (await client.session()).languages == {"fr": "french"}


async def test_languages_that_are_listed_by_their_names_are_known(docebo):
    named = {"english": {"browsercode": "en", "code": "english"}, "french": {"browsercode": "fr", "code": "french"}}
    docebo.get(f"{USERS}/session").mock(return_value=ok({"id": 5, "active_languages": named}))
    async with opened() as client:
        assert (await client.session()).languages == {"en": "english", "fr": "french"}


@pytest.mark.parametrize(
    ("shown", "language", "unshown"),
    [
        ({"lang_code": "de", "language": "Deutsch"}, "de", False),
        ({"lang_code": "German"}, "de", False),
        ({"language": ""}, "", False),
        ({"language": "Deutsch"}, "Deutsch", True),
        ({"lang_code": "Tedesco", "language": "Tedesco"}, "Tedesco", True),
    ],
)
async def test_a_language_by_a_name_that_docebo_does_not_tell_counts_as_not_shown(docebo, shown, language, unshown):
    languages = [{"code": "english", "browsercode": "en"}, {"code": "german", "browsercode": "de"}]
    docebo.get(f"{USERS}/session").mock(return_value=ok({"id": 5, "active_languages": languages}))
    item = {
        "user_id": 7,
        "username": "ada",
        "email": "",
        "status": 1,
        "first_name": "",
        "last_name": "",
        "timezone": "",
    }
    docebo.get(USERS).mock(return_value=ok({"items": [{**item, **shown}], "has_more_data": False}))
    async with opened() as client:
        await client.session()
        [ada] = [account async for page in client.list_users() for account in page]
    assert (ada.language, "language" in ada.unshown) == (language, unshown)


@pytest.mark.parametrize("lang_code", ["en-gb", "english_uk"])
async def test_a_language_keeps_the_name_of_the_session_whatever_listings_call_it(docebo, lang_code):
    named = [{"browsercode": "en-gb", "code": "english_uk"}]
    docebo.get(f"{USERS}/session").mock(return_value=ok({"id": 5, "active_languages": named}))
    ada = {
        "user_id": 1,
        "username": "ada",
        "email": "",
        "status": 1,
        "lang_code": lang_code,
        "language": "English (UK)",
    }
    docebo.get(USERS).mock(return_value=ok({"items": [ada], "has_more_data": False}))
    async with opened() as client:
        await client.session()
        assert [[one.language for one in accounts] async for accounts in client.list_users()] == [["en-gb"]]
        assert client.languages.name("en-gb") == "english_uk"
        assert client.languages.code("English (UK)") == "en-gb"


# Other reading


@pytest.mark.parametrize("key", ["id", "id_field"])
@pytest.mark.parametrize("array", [True, False])
async def test_additional_fields_are_listed_in_either_form(docebo, key, array):
    items = [
        {key: "12", "title": "Slack ID", "type": "textfield"},
        {key: 13, "title": "Office", "type": "dropdown", "options": [{"id": 1, "label": "Rome"}]},
    ]
    docebo.get("/manage/v1/user_fields").mock(
        return_value=ok(items if array else {"items": items, "has_more_data": False})
    )
    async with opened() as client:
        assert await client.fields.all() == [
            UserField(12, "Slack ID", "textfield", {}),
            UserField(13, "Office", "dropdown", {"1": "Rome"}),
        ]


async def test_all_additional_fields_of_many_are_listed(sandbox):
    for number in range(250):
        sandbox.docebo.add_field(f"Field {number}", "textfield", mandatory=False, invisible_to_user=True)
    async with client_of(sandbox) as client:
        assert {field.id for field in await client.fields.all()} == set(sandbox.docebo.fields)


async def test_fields_that_come_as_a_whole_whatever_page_is_asked_for_are_listed_once(docebo):
    items = [{"id": number, "title": f"Field {number}"} for number in range(1, 251)]
    docebo.get("/manage/v1/user_fields").mock(return_value=ok(items))
    async with opened() as client:
        assert [field.id for field in await client.fields.all()] == list(range(1, 251))


async def test_branches_are_listed(docebo):
    first = ok({"items": [{"id": 0, "code": None, "title": "Acme"}], "has_more_data": True})
    second = ok({"items": [{"id": "42", "code": "SLACK", "title": "From Slack"}], "has_more_data": False})
    docebo.get("/manage/v1/orgchart").mock(side_effect=[first, second])
    async with opened() as client:
        assert await client.branches.all() == [Branch(0, "", "Acme"), Branch(42, "SLACK", "From Slack")]


async def test_branches_end_with_an_empty_page_that_announces_more_like_any_other(docebo):
    first, behind = (
        ok({"items": [{"id": 0, "title": "Acme"}], "has_more_data": 1}),
        ok({"items": [], "has_more_data": 1}),
    )
    docebo.get("/manage/v1/orgchart").mock(side_effect=numbered(first, otherwise=behind))
    async with opened() as client:
        assert [branch.id for branch in await client.branches.all()] == [0]
    async with opened(paging=[Pages.CURSOR]) as client:  # which may count no more
        with pytest.raises(IncompleteRead):
            await client.branches.all()


def node(branch_id, title, left, right, **more):
    return {"id": branch_id, "code": "", "title": title, "i_left": left, "i_right": right, **more}


CHART = [
    Branch(0, "", "Acme", 1, 8),
    Branch(1, "", "Europe", 2, 5),
    Branch(2, "", "Rome", 3, 4),
    Branch(3, "", "Asia", 6, 7),
]


async def test_branches_that_come_as_a_tree_are_read_with_all_below_them(docebo):
    europe = node(1, "Europe", 2, 5, children=[node(2, "Rome", 3, 4, children=[])])
    tree = node(0, "Acme", 1, 8, children=[europe, node(3, "Asia", 6, 7)])
    docebo.get("/manage/v1/orgchart").mock(return_value=ok({"items": [tree], "has_more_data": False}))
    async with opened() as client:
        assert await client.branches.all() == CHART


async def test_branches_that_come_level_by_level_are_asked_for(docebo):
    below = {
        None: [node(0, "Acme", 1, 8)],
        "0": [node(1, "Europe", 2, 5), node(3, "Asia", 6, 7)],
        "1": [node(2, "Rome", 3, 4)],
    }

    def level(request):
        return ok({"items": below[request.url.params.get("node_id")], "has_more_data": False})

    docebo.get("/manage/v1/orgchart").mock(side_effect=level)
    async with opened() as client:
        assert sorted(await client.branches.all(), key=lambda one: one.left) == CHART


async def test_however_many_branches_come_level_by_level_are_asked_for(docebo):
    regions = [
        node(number, f"Region {number}", 4 * number - 2, 4 * number + 1) for number in range(1, MOST_IN_VAIN + 3)
    ]
    teams = {str(one["id"]): node(1000 + one["id"], "Team", one["i_left"] + 1, one["i_left"] + 2) for one in regions}

    def level(request):
        below = request.url.params.get("node_id")
        return ok({"items": [teams[below]] if below else regions, "has_more_data": False})

    docebo.get("/manage/v1/orgchart").mock(side_effect=level)
    async with opened() as client:
        assert len(await client.branches.all()) == len(regions) + len(teams)


async def test_branches_of_which_docebo_shows_nothing_below_are_asked_for_so_often_and_no_more(docebo):
    hidden = [node(number, f"Region {number}", 4 * number - 2, 4 * number + 1) for number in range(1, MOST_IN_VAIN + 3)]

    def shown(request):
        return ok({"items": [] if "node_id" in request.url.params else hidden, "has_more_data": False})

    asked = docebo.get("/manage/v1/orgchart").mock(side_effect=shown)
    async with opened() as client:
        assert len(await client.branches.all()) == len(hidden)
    assert asked.call_count == 1 + MOST_IN_VAIN


async def test_branches_below_one_that_docebo_does_not_show_are_not_taken_for_missing(docebo):
    top = [node(1, "Europe", 2, 5), node(3, "Asia", 6, 7)]
    docebo.get("/manage/v1/orgchart").mock(return_value=ok({"items": top, "has_more_data": False}))
    async with opened() as client:
        with pytest.raises(ContractViolation, match=r"only the top.*take the rule for branch out"):
            await client.branches.all()


@pytest.mark.parametrize("below", [[], [node(1, "Europe", 2, 5)]], ids=["nothing", "itself"])
async def test_a_branch_below_which_we_may_see_nothing_stops_no_run(docebo, below):
    def shown(request):
        items = below if "node_id" in request.url.params else [node(0, "Acme", 1, 8), node(1, "Europe", 2, 5)]
        return ok({"items": items, "has_more_data": False})

    docebo.get("/manage/v1/orgchart").mock(side_effect=shown)
    async with opened() as client:
        assert [branch.id for branch in await client.branches.all()] == [0, 1]


async def test_room_that_deleted_branches_have_left_in_the_chart_takes_no_question(docebo):
    chart = [node(0, "Acme", 1, 14), node(1, "Europe", 2, 9), node(2, "Rome", 3, 6), node(3, "Asia", 10, 13)]
    asked = docebo.get("/manage/v1/orgchart").mock(return_value=ok({"items": chart, "has_more_data": False}))
    async with opened() as client:
        assert [branch.id for branch in await client.branches.all()] == [0, 1, 2, 3]
    assert asked.call_count == 1


async def test_services_are_listed(docebo):
    docebo.get("/manage/v1/site/microservices").mock(return_value=ok([{"app": "manage", "url": "https://x/m.json"}]))
    async with opened() as client:
        assert await client.services() == [Service("manage", "https://x/m.json")]


# Writing


async def test_accounts_are_created_silently_and_never_changed_instead(docebo):
    route = docebo.post(BATCH).mock(return_value=answered((True, "11", "ada"), (False, None, "bob")))
    rows = [
        Row(None, {"username": "ada", "first_name": "Ada", "last_name": "L", "time_zone": "UTC", "language": "en"}),
        Row(None, {"username": "bob", "active": True, "field_12": "U0"}),
    ]
    async with opened() as client:
        assert await client.upsert_users(rows, create=True) == [RowResult(11), RowResult(None, "No", "No")]
    assert sent(route) == {
        "items": [
            {"username": "ada", "firstname": "Ada", "lastname": "L", "timezone": "UTC", "language": "en"},
            {"username": "bob", "active": True, "field_12": "U0"},
        ],
        "options": {
            "update_user_info": False,
            "branch_option": "do_nothing",
            "force_create_branches": False,
            "change_user_password": False,
            "ignore_password_change_for_existing_users": True,
            "send_notification_email": False,
            "powerUser_option": "no_association",
            "provisioned_by": "slack-docebo",
        },
    }


async def test_new_accounts_are_put_into_a_branch(docebo):
    route = docebo.post(BATCH).mock(return_value=answered((True, 11, "ada")))
    async with opened() as client:
        await client.upsert_users([ADA], create=True, branch=42)
    assert sent(route)["options"]["branch_option"] == "existing"
    assert sent(route)["options"]["destination_branch"] == 42


async def test_accounts_are_changed_by_their_ids(docebo):
    route = docebo.post(BATCH).mock(return_value=answered((True, 7, "old")))
    async with opened() as client:
        rows = [Row(7, {"username": "new", "active": False})]
        assert await client.upsert_users(rows, create=False) == [RowResult(7)]
    assert sent(route)["items"] == [{"user_id": 7, "new_username": "new", "active": False}]
    assert sent(route)["options"]["update_user_info"] is True


async def test_no_rows_are_no_call(docebo):
    async with opened() as client:
        assert await client.upsert_users([], create=True) == []
        assert await client.change_status([], active=False) == set()
        assert not client.calls


@pytest.mark.parametrize(
    ("rows", "create"),
    [
        pytest.param([ADA] * 101, True, id="too many rows"),
        pytest.param([ADA], False, id="no id to change"),
        pytest.param([Row(7, {"email": "a@x.org"})], True, id="an id that is there already"),
        pytest.param([Row(None, {"email": "a@x.org"})], True, id="no user name"),
        pytest.param([Row(None, {"username": "a", "level": "user"})], True, id="an unknown attribute"),
        pytest.param([Row(7, {"password": "p"})], False, id="a password for an account that is there"),
        pytest.param([Row(None, {"username": "a", "field_x": "p"})], True, id="a field that is no number"),
    ],
)
async def test_what_cannot_be_meant_is_not_sent(docebo, rows, create):
    async with opened() as client:
        with pytest.raises(ValueError, match=r"row|username|attribute"):
            await client.upsert_users(rows, create=create)
        assert not client.calls


async def test_batches_are_never_sent_at_the_same_time(docebo):
    under_way = most = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return answered((True, 11, "ada"))

    docebo.post(BATCH).mock(side_effect=slow)
    async with opened() as client:
        await asyncio.gather(*(client.upsert_users([ADA], create=True) for _ in range(3)))
    assert most == 1


async def test_a_batch_that_is_refused_as_a_whole_within_a_success_is_a_refusal_with_docebos_reason(docebo):
    docebo.post(BATCH).mock(return_value=ok({"success": False, "message": ["Option not set: destination_branch"]}))
    async with opened() as client:
        with pytest.raises(Rejected) as raised:
            await client.upsert_users([ADA], create=True)
    assert raised.value.said == "Option not set: destination_branch"


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"errors": [{"message": "Unknown option: provisioned_by"}]}},
        {"json": {"title": "Bad Request", "detail": "provisioned_by is not known", "status": 400}},
        {"html": "<html><body><p>Unknown option: provisioned_by</p></body></html>"},
        {"text": "Unbekannte Option: provisioned_by"},
    ],
    ids=["errors", "detail", "page", "text"],
)
async def test_the_option_that_docebo_refuses_is_found_in_a_refusal_of_any_form(docebo, body):
    docebo.post(BATCH).mock(return_value=httpx.Response(400, **body))
    async with opened() as client:
        with pytest.raises(Rejected) as raised:
            await client.upsert_users([ADA], create=True)
    assert "provisioned_by" in raised.value.said
    assert "provisioned" not in str(raised.value)


async def test_deactivation_tells_whom_it_reached(docebo):
    route = docebo.put(f"{USERS}/change_status").mock(
        return_value=ok({"success": True, "updated_ids": ["7"], "not_updated_ids": ["9"]})
    )
    async with opened() as client:
        assert await client.change_status([9, 7, 7], active=False) == {7}
    assert sent(route) == {"user_ids": [7, 9], "status": 0}


@pytest.mark.parametrize(
    "answer",
    [
        [{"success": True, "updated_ids": ["7"], "not_updated_ids": ["9"]}],
        [{"success": True, "updated_ids": ["7"]}, {"success": False, "updated_ids": []}],
        ["7"],
        [7, 12],  # of whom nobody asked
        [{"user_id": "7", "success": True}, {"user_id": "9", "success": False}],
        [{"id": 7, "success": "1"}, {}],
    ],
)
async def test_a_status_call_may_be_answered_with_an_array_and_for_some_only(docebo, answer):
    docebo.put(f"{USERS}/change_status").mock(return_value=ok(answer))
    async with opened() as client:
        assert await client.change_status([7, 9], active=False) == {7}


@pytest.mark.parametrize("answer", [{"success": True}, [{"success": True}], {"success": False}, []])
async def test_a_success_that_names_nobody_shows_nobody_as_changed(docebo, answer):
    docebo.put(f"{USERS}/change_status").mock(return_value=ok(answer))
    async with opened() as client:
        assert await client.change_status([7, 9], active=False) == set()


async def test_a_text_field_is_created(docebo):
    route = docebo.post("/manage/v1/user_fields").mock(return_value=ok({"user_field_id": "12"}))
    async with opened() as client:
        assert await client.fields.create_user_field("Slack ID") == 12
    assert sent(route)["translations"] == {"all": "Slack ID"}


# Failures

Call = Callable[[DoceboClient], Any]


async def read(client: DoceboClient) -> object:
    return await client.session()


async def write(client: DoceboClient) -> object:
    return await client.upsert_users([ADA], create=True)


def both(docebo: respx.MockRouter) -> tuple[respx.Route, respx.Route]:
    return docebo.get(f"{USERS}/session"), docebo.post(BATCH)


@pytest.mark.parametrize("trouble", [yii(429), httpx.ConnectError("x"), httpx.ConnectTimeout("x")])
async def test_what_did_not_happen_is_tried_again(docebo, trouble):
    reading, writing = both(docebo)
    reading.mock(side_effect=[trouble, trouble, ok({"id": 5})])
    writing.mock(side_effect=[trouble, trouble, answered((True, 11, "ada"))])
    async with opened() as client:
        assert (await client.session()).docebo_id == 5
        assert await client.upsert_users([ADA], create=True) == [RowResult(11)]
        assert client.calls == {"token": 1, "session": 3, "create users": 3}


@pytest.mark.parametrize(
    "trouble",
    [
        yii(500),
        yii(502),
        yii(503),
        yii(504),
        HTML,
        httpx.ReadTimeout("x"),
        httpx.ReadError("x"),
        httpx.RemoteProtocolError("x"),
    ],
)
async def test_reading_is_repeated_and_writing_is_not_when_the_outcome_is_unknown(docebo, trouble):
    reading, writing = both(docebo)
    reading.mock(side_effect=[trouble, ok({"id": 5})])
    writing.mock(side_effect=[trouble, answered((True, 11, "ada"))])
    async with opened() as client:
        assert (await client.session()).docebo_id == 5
        with pytest.raises(OutcomeUnknown):
            await write(client)
        assert client.calls["create users"] == 1


@pytest.mark.parametrize("answer", [ok(None), ok([]), ok({}), httpx.Response(200, json=[]), answered((True, 1, "eve"))])
async def test_an_answer_that_does_not_fit_leaves_a_batch_unknown(docebo, answer):
    docebo.post(BATCH).mock(return_value=answer)
    async with opened() as client:
        with pytest.raises(OutcomeUnknown):
            await write(client)


@pytest.mark.parametrize("answer", [ok(None), ok({"status": 1}), ok(["all"]), ok([{}])])
async def test_an_answer_that_does_not_fit_leaves_other_writing_unknown(docebo, answer):
    docebo.put(f"{USERS}/change_status").mock(return_value=answer)
    docebo.post("/manage/v1/user_fields").mock(return_value=answer)
    async with opened() as client:
        with pytest.raises(OutcomeUnknown):
            await client.change_status([7], active=True)
        with pytest.raises(OutcomeUnknown):
            await client.fields.create_user_field("Slack ID")


@pytest.mark.parametrize("status", [403, 404])
async def test_options_are_those_of_the_list_where_a_field_is_not_shown_alone(docebo, status):
    docebo.get("/manage/v1/user_fields/7").mock(return_value=yii(status))
    grade = UserField(7, "Grade", "dropdown", {"1": "Junior"})
    async with opened() as client:
        await client.fields.read_options([grade])
        assert client.fields.options[7].named("junior") == "Junior"
        with pytest.raises((Rejected, AccessDenied)):
            await client.fields.read_options([replace(grade, options={})])


@pytest.mark.parametrize("kind", ["select", "Dropdown", "country", ""])
async def test_a_field_that_lists_options_has_them_whatever_its_type_is_called(docebo, kind):
    docebo.get("/manage/v1/user_fields/7").mock(return_value=yii(404))
    async with opened() as client:
        await client.fields.read_options([UserField(7, "Grade", kind, {"1": "Junior"})])
        assert client.fields.options[7].id("junior") == "1"


@pytest.mark.parametrize("data", [False, "false", {"success": 0}, {"success": "false", "message": "No"}])
async def test_a_no_within_a_success_is_a_refusal(docebo, data):
    docebo.put(f"{USERS}/move_to_branch").mock(return_value=ok(data))
    async with opened() as client:
        with pytest.raises(Rejected):
            await client.branches.move_to_branch([7], 42)


@pytest.mark.parametrize("data", [None, [], True, {}, {"success": 1}, ["7"]])
async def test_an_answer_that_says_nothing_else_lets_a_success_stand(docebo, data):
    docebo.put(f"{USERS}/move_to_branch").mock(return_value=ok(data))
    async with opened() as client:
        await client.branches.move_to_branch([7], 42)


async def test_an_answer_that_refuses_within_a_success_is_a_refusal_with_docebos_reason(docebo):
    answer = ok({"success": False, "message": [{"id": "branch_ids", "message": "Branch not found"}]})
    docebo.put(f"{USERS}/move_to_branch").mock(return_value=answer)
    docebo.post("/manage/v1/user_fields").mock(return_value=answer)
    async with opened() as client:
        for write in (client.branches.move_to_branch([7], 42), client.fields.create_user_field("Slack ID")):
            with pytest.raises(Rejected, match="Docebo does not take the branch"):
                await write


async def test_trouble_that_lasts_is_reported_after_the_last_attempt(docebo):
    docebo.get(f"{USERS}/session").mock(return_value=yii(503))
    async with opened(attempts=3) as client:
        with pytest.raises(TransientError) as raised:
            await client.session()
        assert client.calls["session"] == 3
    assert raised.value.status == 503


@pytest.mark.parametrize(("header", "expected"), [("7", 7), ("1.5", 1.5)])
async def test_docebo_is_given_the_time_it_asks_for(docebo, header, expected):
    waits: list[float] = []

    def wait(state: RetryCallState) -> float:
        waits.append(wait_as_asked(state))
        return 0

    limited = httpx.Response(429, headers={"Retry-After": header})
    docebo.get(f"{USERS}/session").mock(side_effect=[limited, ok({"id": 5})])
    async with opened(wait=wait) as client:
        await client.session()
    assert waits == [expected]


@pytest.mark.parametrize(
    "header", ["Mon, 1 Jan 99999999999999999999 00:00:00 GMT", "1 Jan 2026 00:00 +99999999999999", "soon"]
)
async def test_a_wish_that_is_no_time_is_none(docebo, header):
    docebo.get(f"{USERS}/session").mock(return_value=httpx.Response(429, headers={"Retry-After": header}))
    async with opened(attempts=1) as client:
        with pytest.raises(RateLimited) as raised:
            await client.session()
    assert raised.value.retry_after is None


async def waits_until(docebo: respx.MockRouter, answer: httpx.Response, error: type[Exception]) -> list[float]:
    """Return the delays after which a call is made again that is always answered so, and ends with *error*."""
    waits: list[float] = []

    def wait(state: RetryCallState) -> float:
        waits.append(wait_as_asked(state))
        return 0

    docebo.get(f"{USERS}/session").mock(return_value=answer)
    async with opened(wait=wait) as client:
        with pytest.raises(error):
            await client.session()
    return waits


async def test_after_a_failure_the_delay_grows_at_random(docebo):
    waits = await waits_until(docebo, yii(503), TransientError)
    assert all(0 <= seconds <= 0.5 * 2**n for n, seconds in enumerate(waits))


@pytest.mark.parametrize("named", [{}, {"Retry-After": "0"}, {"Retry-After": "Thu, 1 Jan 2026 00:00:00 GMT"}])
async def test_a_limit_of_calls_a_minute_that_names_no_time_is_waited_for(docebo, named):
    waits = await waits_until(docebo, httpx.Response(429, text="slow down", headers=named), RateLimited)
    *waited, _ = waits  # nothing comes after the last attempt
    assert waited == sorted(waited)
    assert 60 <= sum(waited) < 70


@pytest.mark.parametrize("call", [read, write])
async def test_a_refusal_is_final_and_gives_the_reason(docebo, call):
    for route in both(docebo):
        route.mock(return_value=yii(400, ["Required option not set: branch_option"], code=1006))
    async with opened() as client:
        with pytest.raises(RemoteError, match=r"Docebo does not take .* DESTINATION_BRANCH .*\(code 1006\)"):
            await call(client)
        assert client.calls.total() == 2


async def test_a_reason_is_shown_without_personal_data(docebo):
    docebo.post(BATCH).mock(return_value=yii(422, "Ada (ada@x.org, ADA) and eve@y.org are wrong"))
    async with opened() as client:
        with pytest.raises(Rejected, match=r"… and … are wrong"):
            await write(client)


async def test_a_reason_may_be_a_list_of_objects_without_an_envelope(docebo):
    body = [{"field": "items", "message": "Too many rows"}, {"field": "options", "message": "Missing"}]
    docebo.post(BATCH).mock(return_value=httpx.Response(422, json=body))
    async with opened() as client:
        with pytest.raises(Rejected) as raised:
            await write(client)
    assert raised.value.said == "Too many rows; Missing"


async def test_an_answer_without_content_holds_nobody(docebo):
    nothing = httpx.Response(204)
    docebo.get(USERS).mock(return_value=nothing)
    docebo.get(f"{USERS}/7").mock(return_value=nothing)
    docebo.put(f"{USERS}/change_status").mock(return_value=nothing)
    async with opened() as client:
        assert await client.find_users("ada@x.org") == []
        assert isinstance(await client.user(7), Unknown)
        assert await client.change_status([7], active=False) == set()


async def test_a_reason_of_a_megabyte_is_cut(docebo):
    docebo.get(USERS).mock(return_value=yii(400, "a" * 1_000_000))
    async with opened() as client:
        with pytest.raises(Rejected) as raised:
            await client.find_users("ada@x.org")
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("answer", [httpx.Response(404, text="<h1>?</h1>"), httpx.Response(418), yii(400, None)])
async def test_a_refusal_without_a_reason_is_one_all_the_same(docebo, answer):
    docebo.get(USERS).mock(return_value=answer)
    async with opened() as client:
        with pytest.raises(Rejected):
            await client.find_users("ada@x.org")


async def test_credentials_that_may_not_are_denied(docebo):
    docebo.get(f"{USERS}/session").mock(return_value=yii(403))
    async with opened() as client:
        with pytest.raises(AccessDenied):
            await client.session()


# The token


def form(route: respx.Route) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(route.calls[-1].request.content.decode()).items()}


async def test_one_token_serves_all_calls_even_concurrent_ones(docebo):
    route = docebo.get(f"{USERS}/session").mock(return_value=ok({"id": 5}))
    async with opened() as client:
        await asyncio.gather(*(client.session() for _ in range(5)))
        assert client.calls == {"token": 1, "session": 5}
    assert {call.request.headers["Authorization"] for call in route.calls} == {"Bearer tok-1"}
    assert form(docebo["token"]) == {
        "grant_type": "client_credentials",
        "client_id": "sync-app",
        "client_secret": "s3cr3t",
        "scope": "api",
    }


async def test_a_user_signs_in_with_a_password(docebo):
    docebo.get(f"{USERS}/session").mock(return_value=ok({"id": 5}))
    async with opened(Password("app", SecretStr("s"), "api.bot", SecretStr("pw"))) as client:
        await client.session()
    assert form(docebo["token"]) == {
        "grant_type": "password",
        "client_id": "app",
        "client_secret": "s",
        "username": "api.bot",
        "password": "pw",
        "scope": "api",
    }


def signing_key() -> tuple[rsa.RSAPrivateKey, str]:
    """Return a key with which assertions are signed, and its PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key, pem.decode()


async def test_a_user_signs_in_with_a_key(docebo):
    key, pem = signing_key()
    docebo.get(f"{USERS}/session").mock(return_value=ok({"id": 5}))
    async with opened(JwtBearer("app", SecretStr("s"), "api.bot", SecretStr(pem))) as client:
        await client.session()
    sent_form = form(docebo["token"])
    claims = jwt.decode(
        sent_form.pop("assertion"), key.public_key(), algorithms=["RS256"], audience="acme.docebosaas.com"
    )
    assert (claims["iss"], claims["sub"], claims["exp"] - claims["iat"]) == ("app", "api.bot", 1800)
    assert sent_form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "client_id": "app",
        "client_secret": "s",
        "scope": "api",
    }


async def test_a_key_that_is_none_is_a_wrong_setting(docebo):
    async with opened(JwtBearer("app", SecretStr(""), "api.bot", SecretStr("not a key"))) as client:
        with pytest.raises(ConfigurationError):
            await client.session()


@pytest.mark.parametrize("expires_in", [30, "30"])
async def test_a_token_is_renewed_before_it_expires(expires_in):
    now = 1000.0
    names = iter(["first", "second"])

    async def post(path: str, fields: dict[str, str]) -> httpx.Response:
        return httpx.Response(200, json={**GRANTED, "access_token": next(names), "expires_in": expires_in})

    token = Token(lambda: APP, "acme.docebosaas.com", post, clock=lambda: now)
    assert await token.get() == "first"
    now += 26
    assert await token.get() == "first"
    now += 2
    assert await token.get() == "second"


@pytest.mark.parametrize("call", [read, write])
async def test_a_token_that_is_no_longer_accepted_is_renewed_once(docebo, call):
    reading, writing = both(docebo)
    docebo.post("/oauth2/token").mock(
        side_effect=[httpx.Response(200, json={**GRANTED, "access_token": name}) for name in ("old", "new")]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] != "Bearer new":
            return yii(401)
        return answered((True, 11, "ada")) if request.method == "POST" else ok({"id": 5})

    reading.mock(side_effect=answer)
    writing.mock(side_effect=answer)
    async with opened() as client:
        await call(client)
        assert client.calls["token"] == 2


async def test_a_token_that_is_never_accepted_is_denied(docebo):
    docebo.get(f"{USERS}/session").mock(return_value=yii(401))
    async with opened() as client:
        with pytest.raises(AccessDenied):
            await client.session()
        assert client.calls == {"token": 2, "session": 2}


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("invalid_client", "DOCEBO_CLIENT_SECRET"),
        ("invalid_grant", "DOCEBO_USERNAME"),
        ("unauthorized_client", "grant type"),
        ("unsupported_request", "credentials"),
    ],
)
async def test_refused_credentials_are_told_apart(docebo, error, hint):
    docebo.post("/oauth2/token").respond(400, json={"error": error, "error_description": "s3cr3t is wrong"})
    async with opened() as client:
        with pytest.raises(AccessDenied, match=f"{error}.*{hint}") as raised:
            await write(client)
        assert client.calls == {"token": 1}
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize("trouble", [yii(500), yii(503), yii(429), httpx.ReadTimeout("x"), HTML])
async def test_a_token_that_could_not_be_fetched_is_fetched_again_as_nothing_was_written(docebo, trouble):
    docebo.post("/oauth2/token").mock(side_effect=[trouble, httpx.Response(200, json=GRANTED)])
    docebo.post(BATCH).mock(return_value=answered((True, 11, "ada")))
    async with opened() as client:
        assert await write(client) == [RowResult(11)]
        assert client.calls == {"token": 2, "create users": 1}


UNSENDABLE = [httpx.Response(200, json={**GRANTED, "access_token": token}) for token in ("t\u00f6k-1", "tok-1\r\nX: y")]


@pytest.mark.parametrize("answer", [httpx.Response(200, json={}), HTML, *UNSENDABLE])
@pytest.mark.parametrize("call", [read, write])
async def test_a_token_answer_without_a_token_that_can_be_sent_is_not_as_documented(docebo, answer, call):
    docebo.post("/oauth2/token").mock(return_value=answer)
    async with opened() as client:
        with pytest.raises(ContractViolation):
            await call(client)


# Around the calls


async def test_every_request_is_announced_before_it_is_made(docebo):
    announced: list[int] = []
    docebo.get(f"{USERS}/session").mock(side_effect=[yii(503), yii(401), ok({"id": 5})])

    async def before_call() -> None:
        announced.append(len(docebo.calls))

    async with opened(before_call=before_call) as client:
        await client.session()
        assert client.calls == {"token": 2, "session": 3}
    assert announced == [0, 1, 2, 3, 4]


async def test_before_every_attempt_of_a_write_and_of_nothing_else_it_is_told(docebo):
    docebo.post(BATCH).mock(side_effect=[yii(429), httpx.Response(401), answered((True, 7, "ada"))])
    docebo.get(USERS).mock(return_value=page(7))
    told: list[int] = []

    async with opened(before_write=lambda: told.append(len(docebo["token"].calls))) as client:
        await client.upsert_users([ADA], create=True)
        _ = [accounts async for accounts in client.list_users()]

    assert told == [1, 1, 2]


async def test_a_write_that_may_not_be_made_is_not_sent(docebo):
    route = docebo.post(BATCH)

    def refuse() -> None:
        raise LockLost("another run took this one's place")

    async with opened(before_write=refuse) as client:
        with pytest.raises(LockLost):
            await client.upsert_users([ADA], create=True)

    assert not route.called


async def test_an_exhausted_budget_stops_a_call_before_it_is_made(docebo):
    async def before_call() -> None:
        raise SyncError("no calls left")

    async with opened(before_call=before_call) as client:
        with pytest.raises(SyncError):
            await client.session()
    assert len(docebo.calls) == 0


NAMED = b"Ask Grace Hopper (ghopper)"


@pytest.mark.parametrize(
    "trouble",
    [
        yii(400, "ada@x.org"),
        yii(403, NAMED.decode(), code=4_930_123_456),
        yii(500, NAMED.decode()),
        yii(401),
        httpx.Response(502, extensions={"reason_phrase": NAMED}),
        httpx.RemoteProtocolError(f"illegal status line: {NAMED!r}"),
        httpx.ReadTimeout("x"),
        HTML,
    ],
)
async def test_neither_secrets_nor_people_are_shown(docebo, trouble, caplog):
    caplog.set_level(logging.INFO)
    docebo.get(USERS).mock(side_effect=[page(), *[trouble] * 5])
    grant = Password("app", SecretStr("s3cr3t"), "api.bot", SecretStr("pa55word"))
    address = "ada@x.org"
    seen = [repr(grant)]
    async with opened(grant) as client:
        await client.find_users(address)
        try:
            await client.find_users(address)
        except RemoteError as error:
            seen += traceback.format_exception(error)
        seen += [repr(client), caplog.text]
    shown = "".join(seen)

    assert "Traceback" in shown
    assert "GET https://acme.docebosaas.com/manage/v1/user" in shown
    for hidden in ("tok-1", "s3cr3t", "pa55word", "ada@x.org", "ada%40x.org", "Hopper", "ghopper", "4930123456"):
        assert hidden not in shown


# Against the sandbox

SANDBOX_APP = ClientCredentials(CLIENT_ID, SecretStr(CLIENT_SECRET))
LIST = "GET /manage/v1/user"
POST_BATCH = "POST /manage/v1/user/batch"


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=500, docebo_users=230, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.reset()
    running_sandbox.tokens.reset()
    return running_sandbox


@asynccontextmanager
async def client_of(sandbox: Sandbox, grant: Grant = SANDBOX_APP, **options: Any) -> AsyncIterator[DoceboClient]:
    async with open_docebo(sandbox.docebo_url, lambda: grant, **{"wait": lambda _: 0, **options}) as client:
        yield client


def switch(sandbox: Sandbox, **switches: Any) -> None:
    sandbox.docebo.switches = replace(sandbox.docebo.switches, **switches)


async def listed(client: DoceboClient) -> list[Account]:
    return [account async for accounts in client.list_users() for account in accounts]


@pytest.mark.parametrize("string_ids", [True, False])
async def test_every_account_of_the_platform_is_listed(sandbox, string_ids):
    switch(sandbox, string_ids=string_ids)
    async with client_of(sandbox) as client:
        accounts = await listed(client)

    assert {account.docebo_id: account.username for account in accounts} == {
        account.user_id: account.username for account in sandbox.docebo.accounts
    }
    assert {account.docebo_id for account in accounts if not account.active} == {
        account.user_id for account in sandbox.docebo.accounts if not account.active
    }
    assert {account.docebo_id for account in accounts if account.administrator} == {
        account.user_id for account in sandbox.docebo.accounts if account.level != "user"
    }


async def test_the_view_of_an_account_agrees_with_the_listing(sandbox):
    async with client_of(sandbox) as client:
        account = next(account for account in await listed(client) if not account.administrator)
        viewed = await client.user(account.docebo_id)

    assert isinstance(viewed, Present)
    shown = {**account.columns, "date_format": "en"}  # which this list hides
    assert viewed.value.unshown == {"language"}
    assert replace(viewed.value, unshown=frozenset()) == replace(account, language="", columns=shown)


@pytest.mark.parametrize("not_found_as_400", [True, False])
async def test_an_account_that_is_not_there_is_gone_or_unknown_by_how_the_tenant_says_it(sandbox, not_found_as_400):
    switch(sandbox, not_found_as_400=not_found_as_400)
    async with client_of(sandbox) as client:
        seen = await client.user(999_999)
    assert isinstance(seen, Unknown if not_found_as_400 else Gone)


@pytest.mark.parametrize(
    "grant", [SANDBOX_APP, Password(CLIENT_ID, SecretStr(CLIENT_SECRET), API_USERNAME, SecretStr(API_PASSWORD))]
)
@pytest.mark.parametrize("expires_in_string", [True, False])
async def test_the_sandbox_lets_its_administrator_in(sandbox, grant, expires_in_string):
    switch(sandbox, expires_in_string=expires_in_string, token_type="bearer")
    async with client_of(sandbox, grant) as client:
        session = await client.session()

    assert (session.docebo_id, session.level) == (API_USER_ID, "godadmin")


async def test_the_sandbox_accepts_a_signed_assertion(sandbox):
    key, pem = signing_key()
    sandbox.tokens.jwt_public_key = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    async with client_of(sandbox, JwtBearer(CLIENT_ID, SecretStr(""), API_USERNAME, SecretStr(pem))) as client:
        assert (await client.session()).docebo_id == API_USER_ID


@pytest.mark.parametrize("code", ["invalid_scope", "invalid_request"])
async def test_a_token_is_asked_for_without_a_scope_where_that_may_be_what_is_refused(docebo, code):
    def granted(request: httpx.Request) -> httpx.Response:
        asked = parse_qs(request.content.decode())
        return httpx.Response(400, json={"error": code}) if "scope" in asked else httpx.Response(200, json=GRANTED)

    docebo.post("/oauth2/token").mock(side_effect=granted)
    docebo.get("/manage/v1/site/microservices").mock(return_value=ok([]))
    async with opened() as client:
        assert await client.services() == []


async def test_a_scope_is_named_again_after_a_request_that_was_refused_without_it_as_well(docebo):
    asked: list[str] = []

    def granted(request: httpx.Request) -> httpx.Response:
        asked.append("named" if "scope" in parse_qs(request.content.decode()) else "without")
        refused = httpx.Response(400, json={"error": "invalid_request"})
        return refused if len(asked) <= 2 else httpx.Response(200, json=GRANTED)

    docebo.post("/oauth2/token").mock(side_effect=granted)
    docebo.get("/manage/v1/site/microservices").mock(return_value=ok([]))
    async with opened() as client:
        with pytest.raises(AccessDenied):
            await client.services()
        assert await client.services() == []

    assert asked == ["named", "without", "named"]


async def test_a_scope_that_is_refused_is_named_once(sandbox):
    switch(sandbox, scope_refused=True)
    async with client_of(sandbox) as client:
        await client.session()
        asked = client.calls["token"]
        sandbox.docebo_gate.faults.add("GET /manage/v1/user/session", "token_expired")
        await client.session()

        assert (asked, client.calls["token"]) == (2, 3)


async def test_a_grant_that_is_switched_off_is_denied(sandbox):
    switch(sandbox, grants="password")
    async with client_of(sandbox) as client:
        with pytest.raises(AccessDenied, match="unauthorized_client"):
            await client.session()


@pytest.mark.parametrize("row_index_base", [0, 1])
async def test_accounts_are_created_and_changed_row_by_row(sandbox, row_index_base):
    switch(sandbox, row_index_base=row_index_base, strict_options=True)
    rows = [
        Row(
            None, {"username": "ada@new.example", "email": "ada@new.example", "first_name": "Ada", "field_12": "U0ADA"}
        ),
        Row(None, {"username": API_USERNAME, "email": "x@new.example", "first_name": "Not me"}),
    ]
    async with client_of(sandbox, wanted_fields=frozenset({12})) as client:
        created, refused = await client.upsert_users(rows, create=True, branch=42)
        [ada] = await client.find_users("ADA@new.example")
        changes = {"last_name": "Lovelace", "username": "ada", "active": False}
        changed = await client.upsert_users([Row(ada.docebo_id, changes)], create=False)
        [renamed] = await client.find_users("ada")

    assert created == RowResult(ada.docebo_id)
    assert ada.fields == {12: "U0ADA"}
    assert refused.docebo_id is None
    assert refused.error
    assert sandbox.docebo.accounts[API_USER_ID].firstname == "Api"
    assert changed == [RowResult(ada.docebo_id)]
    assert (renamed.first_name, renamed.last_name, renamed.active) == ("Ada", "Lovelace", False)
    assert list(sandbox.docebo.accounts[ada.docebo_id].branches) == [42]
    assert sandbox.docebo.notified == 0


async def test_a_platform_that_uses_addresses_as_user_names_creates_accounts_too(sandbox):
    switch(sandbox, email_as_username=True)
    async with client_of(sandbox) as client:
        [created] = await client.upsert_users([Row(None, {"username": "ada", "email": "ada@new.example"})], create=True)
    assert [account.user_id for account in sandbox.docebo.accounts.by_email("ada@new.example")] == [created.docebo_id]


async def test_a_search_is_not_fooled_by_fuzzy_results(sandbox):
    switch(sandbox, fuzzy_full=True)
    async with client_of(sandbox) as client:
        assert [account.docebo_id for account in await client.find_users(API_USERNAME)] == [API_USER_ID]


async def test_deactivation_reaches_those_who_are_there(sandbox):
    victim = next(account.user_id for account in sandbox.docebo.accounts if account.level == "user" and account.active)
    async with client_of(sandbox) as client:
        assert await client.change_status([victim, 999_999], active=False) == {victim}
    assert not sandbox.docebo.accounts[victim].active


@pytest.mark.parametrize("field_id_key", ["id", "id_field", "both"])
async def test_fields_branches_and_services_are_found(sandbox, field_id_key):
    switch(sandbox, field_id_key=field_id_key)
    async with client_of(sandbox) as client:
        new = await client.fields.create_user_field("Cost centre")
        fields = {field.id: field for field in await client.fields.all()}
        assert {branch.id for branch in await client.branches.all()} == set(sandbox.docebo.branches)
        assert "manage" in {service.app for service in await client.services()}
    assert fields[12].title == "Slack ID"
    assert fields[new].title == "Cost centre"
    assert fields[15].options == {"1": "Sales", "2": "Engineering"}


@pytest.mark.parametrize("kind", ["rate_limited", "error_500", "html_503", "html_200", "dropped", "token_expired"])
async def test_every_account_is_listed_in_spite_of_a_fault_on_the_way(sandbox, kind):
    sandbox.docebo_gate.faults.add(LIST, kind, skip=1)
    async with client_of(sandbox) as client:
        assert len(await listed(client)) == len(sandbox.docebo.accounts)


@pytest.mark.parametrize("kind", ["shrinking", "empty_page"])
async def test_a_listing_cut_short_is_noticed(sandbox, kind):
    sandbox.docebo_gate.faults.add(LIST, kind, times=-1)
    async with client_of(sandbox) as client:
        with pytest.raises(IncompleteRead):
            await listed(client)


@pytest.mark.parametrize("kind", ["endless", "bomb", "deep", "large_head", "redirect"])
async def test_a_page_out_of_bounds_is_not_asked_for_again(sandbox, kind):
    sandbox.docebo_gate.faults.add(LIST, kind, times=-1, to=sandbox.slack_url)
    async with client_of(sandbox) as client:
        with pytest.raises(ContractViolation):
            await listed(client)
    assert sandbox.docebo_gate.counters.calls[LIST] == 1


async def test_a_page_that_drips_is_asked_for_once_more(sandbox):
    sandbox.docebo_gate.faults.add(LIST, "drip", times=-1)
    async with client_of(sandbox, timeout=1) as client:
        with pytest.raises(TransientError, match=r"no whole answer within 1 s"):
            await listed(client)
    assert sandbox.docebo_gate.counters.calls[LIST] == 2


@pytest.mark.parametrize("unavailable_body", ["html", "json", "empty"])
async def test_a_platform_that_is_not_available_is_asked_again_and_written_to_once(sandbox, unavailable_body):
    switch(sandbox, unavailable_body=unavailable_body)
    for method in (LIST, POST_BATCH):
        sandbox.docebo_gate.faults.add(method, "html_503")
    async with client_of(sandbox) as client:
        assert len(await listed(client)) == len(sandbox.docebo.accounts)
        with pytest.raises(OutcomeUnknown):  # a gateway's 503 says nothing of what is behind it
            await client.upsert_users([Row(None, {"username": "ada.new"})], create=True)
    assert sandbox.docebo_gate.counters.calls[POST_BATCH] == 1


@pytest.mark.parametrize("limit_body", ["json", "text", "empty"])
@pytest.mark.parametrize("kind", ["rate_limited", "token_expired"])
async def test_a_batch_that_was_not_carried_out_is_sent_again(sandbox, kind, limit_body):
    switch(sandbox, limit_body=limit_body)
    sandbox.docebo_gate.faults.add(POST_BATCH, kind)
    async with client_of(sandbox) as client:
        [result] = await client.upsert_users([Row(None, {"username": "ada.new"})], create=True)
    assert result.docebo_id is not None
    assert sandbox.docebo.accounts.by_username("ada.new").user_id == result.docebo_id


@pytest.mark.parametrize("kind", ["drip", "endless", "bomb", "deep", "large_head", "redirect"])
async def test_a_batch_with_an_answer_out_of_bounds_is_not_sent_again(sandbox, kind):
    sandbox.docebo_gate.faults.add(POST_BATCH, kind, to=sandbox.slack_url)
    async with client_of(sandbox, timeout=1 if kind == "drip" else 30) as client:
        with pytest.raises(OutcomeUnknown):
            await client.upsert_users([Row(None, {"username": "ada.new"})], create=True)
    assert sandbox.docebo_gate.counters.calls[POST_BATCH] == 1
    assert sandbox.docebo.accounts.by_username("ada.new") is not None


@pytest.mark.parametrize("kind", ["carried_out_then_dropped", "dropped", "html_200", "error_500"])
async def test_a_batch_whose_answer_is_lost_is_not_sent_again(sandbox, kind):
    sandbox.docebo_gate.faults.add(POST_BATCH, kind)
    async with client_of(sandbox) as client:
        with pytest.raises(OutcomeUnknown):
            await client.upsert_users([Row(None, {"username": "ada.new"})], create=True)
    assert sandbox.docebo_gate.counters.calls[POST_BATCH] == 1
    assert (sandbox.docebo.accounts.by_username("ada.new") is not None) == (kind == "carried_out_then_dropped")


async def test_batches_sent_together_arrive_one_after_the_other(sandbox):
    sandbox.docebo_gate.latency = 0.02
    async with client_of(sandbox) as client:
        await asyncio.gather(
            *(client.upsert_users([Row(None, {"username": f"new.{n}"})], create=True) for n in range(3))
        )
    assert not sandbox.docebo_gate.counters.violations


@pytest.mark.parametrize("language", ["english", "italian"])
async def test_a_field_is_created_whatever_language_the_platform_has(sandbox, language):
    switch(sandbox, platform_language=language)
    async with client_of(sandbox) as client:
        made = await client.fields.create_user_field("Slack ID")
        assert made in {field.id for field in await client.fields.all() if field.title == "Slack ID"}


async def test_a_token_that_belongs_to_no_user_is_told_with_the_grant_to_use(docebo):
    docebo.get(f"{USERS}/session").mock(return_value=ok([]))
    async with opened() as client:
        with pytest.raises(AccessDenied, match="DOCEBO_USERNAME"):
            await client.session()


async def test_an_ordinary_user_may_not(sandbox):
    switch(sandbox, superadmin=False)
    async with client_of(sandbox) as client:
        assert (await client.session()).level == "user"
        with pytest.raises(AccessDenied):
            await client.upsert_users([Row(None, {"username": "ada.new"})], create=True)
