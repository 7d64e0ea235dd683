"""What no honest side sends, sent by a real server to the clients of Docebo, Slack and Prefect."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from slack_docebo.clients.answers import DEEPEST, MOST_BYTES, BoundedClient, OutOfBounds, parsed
from slack_docebo.clients.docebo import open_docebo
from slack_docebo.clients.docebo_auth import ClientCredentials
from slack_docebo.clients.docebo_rows import Row
from slack_docebo.clients.prefect import open_prefect
from slack_docebo.clients.slack import open_slack
from slack_docebo.errors import AccessDenied, ContractViolation, IncompleteRead, OutcomeUnknown, TransientError
from tests.hostile import (
    MEGABYTE,
    Part,
    Server,
    Write,
    bomb,
    drip,
    drip_in_the_head,
    early_hints,
    elsewhere,
    endless,
    endless_chunks,
    endless_header,
    endless_headers,
    listening,
    whole,
)
from tests.waiting import PATIENCE_SECONDS

APP = ClientCredentials("sync-app", SecretStr("planted-client-secret"))
SHORT, LONG = 0.3, PATIENCE_SECONDS  # seconds: the one is to pass, the other is not

TOO_MUCH = {
    "a body without end": (endless, "larger than 16 MB"),
    "chunks without end": (endless_chunks, "larger than 16 MB"),
    "a packed gigabyte": (bomb, "larger than 16 MB"),
    "a header without end": (endless_header, "head is too large"),
    "headers without end": (endless_headers, "head is too large"),
    "arrays in arrays": (whole(b"[" * 100_000), f"nested deeper than {DEEPEST} levels"),
    "arrays in arrays that end": (whole(b"[" * 50 + b"]" * 50), f"nested deeper than {DEEPEST} levels"),
    "a number of 100,000 digits": (whole(b"1" * 100_000), "thousands of digits"),
}
TOO_LATE = {
    "a byte now and then": drip,
    "a byte of the head now and then": drip_in_the_head,
    "early hints for ever": early_hints,
}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with listening() as one:
        yield one


@asynccontextmanager
async def docebo(url: str, seconds: float = LONG) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    async with open_docebo(url, lambda: APP, timeout=seconds, wait=lambda _: 0) as client:
        yield client.session


@asynccontextmanager
async def slack(url: str, seconds: float = LONG) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    async with open_slack(
        lambda: SecretStr("planted-bot-token"), base_url=f"{url}/api/", page_size=50, timeout=seconds, wait=lambda _: 0
    ) as client:
        yield client.list_users


@asynccontextmanager
async def prefect(url: str, seconds: float = LONG) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    async with open_prefect(f"{url}/api", lambda: SecretStr("us:planted-login"), timeout=seconds) as client:
        yield partial(client.is_running, "flow")


def besides_tokens(server: Server) -> list[bytes]:
    """What the server was asked, but for tokens: where little time is given, a busy machine lets one be asked for again."""
    return [head for head in server.asked if b"/oauth2/token" not in head]


SIDES = {"Docebo": docebo, "Slack": slack, "Prefect": prefect}


@pytest.mark.parametrize("opened", SIDES.values(), ids=SIDES)
@pytest.mark.parametrize(("answer", "said"), TOO_MUCH.values(), ids=TOO_MUCH)
async def test_an_answer_that_is_too_much_is_given_up_in_one_line_and_not_asked_for_again(server, opened, answer, said):
    server.answer = answer
    async with opened(server.url) as call:
        with pytest.raises(ContractViolation, match=said) as raised:
            await call()

    assert "\n" not in str(raised.value)
    assert len(besides_tokens(server)) == 1


@pytest.mark.parametrize("opened", SIDES.values(), ids=SIDES)
@pytest.mark.parametrize("answer", TOO_LATE.values(), ids=TOO_LATE)
async def test_an_answer_that_is_too_late_is_given_up_and_its_connection_closed(server, opened, answer):
    server.answer = answer
    async with opened(server.url, SHORT) as call, asyncio.timeout(PATIENCE_SECONDS):  # the answer has no end of its own
        with pytest.raises(TransientError):
            await call()
        while server.open > 1:  # noqa: ASYNC110  (the one of the token; the server notices with its next byte)
            await asyncio.sleep(0.01)
    assert len(besides_tokens(server)) <= 2


@pytest.mark.parametrize("opened", SIDES.values(), ids=SIDES)
@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
async def test_no_secret_follows_a_redirect(server, opened, status):
    async with listening() as other:
        other.answer = whole(b"{}")
        server.answer = elsewhere(f"{other.url}/api/", status)
        async with opened(server.url) as call:
            with pytest.raises(ContractViolation, match="redirected"):
                await call()

        assert other.asked == []


@pytest.mark.parametrize("answer", [bomb, endless_header, whole(b"[" * 100_000), elsewhere("http://127.0.0.1:9/")])
async def test_a_token_out_of_bounds_ends_a_write_that_was_surely_not_sent(server, answer):
    server.answer, server.hostile_token = answer, True
    async with open_docebo(server.url, lambda: APP, wait=lambda _: 0) as client:
        with pytest.raises(ContractViolation, match="token"):
            await client.fields.create_user_field("Slack ID")

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer", [drip, endless, bomb, endless_header, whole(b"[" * 100_000), elsewhere("http://127.0.0.1:9/")]
)
async def test_a_batch_whose_answer_is_out_of_bounds_may_have_been_carried_out_and_is_not_sent_again(server, answer):
    server.answer = answer
    async with open_docebo(server.url, lambda: APP, timeout=3 * SHORT, wait=lambda _: 0) as client:
        with pytest.raises(OutcomeUnknown):
            await client.upsert_users([Row(None, {"username": "ada"})], create=True)

    assert len(besides_tokens(server)) == 1


async def test_a_call_that_was_never_sent_may_be_sent_again(server):
    async with open_docebo("http://192.0.2.1", lambda: APP, timeout=SHORT, attempts=2, wait=lambda _: 0) as client:
        with pytest.raises(TransientError):
            await client.upsert_users([Row(None, {"username": "ada"})], create=True)


@pytest.mark.parametrize("opened", SIDES.values(), ids=SIDES)
async def test_a_packed_gigabyte_takes_no_gigabyte(server, opened):
    server.answer = bomb
    tracemalloc.start()
    try:
        async with opened(server.url) as call:
            with pytest.raises(ContractViolation):
                await call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 6 * MOST_BYTES


async def test_prefect_that_answers_out_of_bounds_is_not_up(server):
    server.answer = bomb
    async with open_prefect(server.url, lambda: None, timeout=60) as client:
        with pytest.raises(ContractViolation):
            await client.check()


@pytest.mark.parametrize("padding", [b"", b" " * 1000])
async def test_a_large_honest_answer_is_read_packed_or_not(server, padding):
    honest = json.dumps({"data": {"id": "7", "name": "é" * 1_000_000}}).encode() + padding
    for answer in (whole(honest), whole(gzip.compress(honest), b"Content-Encoding: gzip\r\n")):
        server.answer = answer
        async with BoundedClient("Docebo", seconds=LONG) as client:
            assert (await client.get(server.url)).json() == json.loads(honest)


async def test_what_cannot_be_unpacked_is_not_read(server):
    for packing, body in ((b"br", b"{}"), (b"gzip", b"{}"), (b"gzip, gzip", b"{}")):
        server.answer = whole(body, b"Content-Encoding: %s\r\n" % packing)
        async with BoundedClient("Docebo", seconds=LONG) as client:
            with pytest.raises(OutOfBounds):
                await client.get(server.url)


async def test_cookies_do_not_pile_up(server):
    cookies = b"".join(b"Set-Cookie: c%d=x\r\n" % n for n in range(60))
    server.answer = whole(b"{}", cookies)
    async with BoundedClient("Docebo", seconds=LONG) as client:
        for _ in range(3):
            assert (await client.get(server.url)).json() == {}
        assert len(client.cookies.jar) == 0


async def test_slacks_answer_is_text_whatever_it_claims_to_be_encoded_with(server):
    body = json.dumps({"ok": True, "members": [{"id": "U1", "name": "é"}]}).encode()
    for charset in (b"zip", b"rot13", b"utf-7", b"nonsense"):
        server.answer = whole(body, kind=b"Content-Type: application/json; charset=%s\r\n" % charset)
        async with slack(server.url) as call:
            page: Any = await call()
            assert page.users[0].slack_id == "U1"


@pytest.mark.parametrize("charset", [b"punycode", b"idna", b"utf-7", b"nonsense"])
async def test_a_refusal_is_text_whatever_it_claims_to_be_encoded_with(server, charset):
    """Of Punycode it would take minutes to read as little as half a megabyte."""
    server.answer = whole(
        "refusé-e".encode(), status=b"400 No", kind=b"Content-Type: text/html; charset=%s\r\n" % charset
    )
    async with docebo(server.url) as call:
        with pytest.raises(AccessDenied) as refused:
            await call()

    assert refused.value.said == "refusé-e"


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_json_may_be_as_deep_as_the_limit_and_no_deeper():
    assert parsed("Docebo", nested(DEEPEST)) is not None
    for levels in (DEEPEST + 1, 500, 5_000, 500_000):
        with pytest.raises(OutOfBounds):
            parsed("Docebo", nested(levels))


@pytest.mark.parametrize("text", ["", "{", "nonsense", b"\xff"])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r".+"):
        parsed("Docebo", text)


# Pages without end


def users(page: int, size: int) -> list[dict[str, object]]:
    of_all = {"email": "", "status": "1"}
    return [{"user_id": page * size + n + 1, "username": f"u{page}-{n}", **of_all} for n in range(size)]


def listing(**changes: Callable[[int], object]) -> Part:
    """Pages of ten users, each new, with more to come."""
    pages: Iterator[int] = iter(range(10**9))

    async def write_next(write: Write) -> None:
        page = next(pages)
        data = {"items": users(page, 10), "has_more_data": True, **{name: of(page) for name, of in changes.items()}}
        await whole(json.dumps({"data": data}).encode())(write)

    return write_next


@pytest.mark.parametrize(
    ("answer", "most"),
    [
        pytest.param(listing(total_count=lambda _: 300), 30, id="more than was counted"),
        pytest.param(listing(total_count=lambda _: 0), 11, id="nobody was counted"),
        pytest.param(listing(total_count=lambda _: "30"), 12, id="counted in words"),
        pytest.param(listing(total_count=lambda _: 300, items=lambda _: users(0, 10)), 3, id="a page repeats"),
        pytest.param(
            listing(total_count=lambda _: 300, items=lambda page: users(page % 2, 10)), 4, id="two take turns"
        ),
        pytest.param(listing(total_count=lambda _: 10**9, items=lambda _: []), 2, id="empty pages of a billion"),
        pytest.param(listing(total_count=lambda _: 300, items=lambda page: users(page, 1)), 30, id="one on each page"),
    ],
)
async def test_a_listing_that_does_not_end_is_ended(server, answer, most):
    server.answer = answer
    async with open_docebo(server.url, lambda: APP, wait=lambda _: 0) as client:
        with pytest.raises(IncompleteRead):
            [page async for page in client.list_users()]

    assert len(server.asked) <= most + 1  # one for the token


@pytest.mark.parametrize(
    "read",
    [
        lambda client: client.find_users("ada@example.com"),
        lambda client: client.branches.all(),
        lambda client: client.fields.all(),
    ],
    ids=["find_users", "branches", "fields"],
)
async def test_other_listings_that_do_not_end_are_ended_as_well(server, read):
    def entries(page: int) -> list[dict[str, object]]:
        return [{"id": page * 10 + n, "title": "x", **user} for n, user in enumerate(users(page, 10))]

    server.answer = listing(items=entries)
    async with open_docebo(server.url, lambda: APP, wait=lambda _: 0) as client:
        with pytest.raises(IncompleteRead):
            await read(client)

    assert len(server.asked) <= 102


async def test_a_cursor_of_a_megabyte_is_not_kept(server):
    server.answer = whole(
        json.dumps({"ok": True, "members": [], "response_metadata": {"next_cursor": "x" * MEGABYTE}}).encode()
    )
    async with slack(server.url) as call:
        with pytest.raises(ContractViolation, match="cursor"):
            await call()


async def test_the_deadline_is_that_of_the_whole_call(server):
    server.answer = drip
    async with BoundedClient("Docebo", seconds=SHORT) as client:
        with pytest.raises(httpx.ReadTimeout, match=r"no whole answer within 0\.3 s"):
            await client.get(server.url)
