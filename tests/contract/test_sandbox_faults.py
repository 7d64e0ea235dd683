import time
from collections.abc import Iterator

import httpx
import pytest

from sandbox.docebo.tokens import CLIENT_ID, CLIENT_SECRET
from sandbox.faults import Faults
from sandbox.server import Sandbox
from sandbox.slack.workspace import BOT_TOKEN

BATCH = "POST /manage/v1/user/batch"
NEWCOMER = {
    "items": [{"username": "ada@example.com", "firstname": "Ada"}],
    "options": {"update_user_info": True, "branch_option": "do_nothing"},
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(60, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def sandbox(running: Sandbox) -> Sandbox:
    """The running sandbox, as it was at its start."""
    running.reset()
    return running


@pytest.fixture(scope="module")
def slack(running: Sandbox) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    with httpx.Client(base_url=running.slack_url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def docebo_client(running: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.docebo_url, trust_env=False) as client:
        yield client


@pytest.fixture
def docebo(sandbox: Sandbox, docebo_client: httpx.Client) -> httpx.Client:
    """A client with a token, which a reset takes away."""
    grant = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    token = docebo_client.post("/oauth2/token", json=grant).json()["access_token"]
    docebo_client.headers["Authorization"] = f"Bearer {token}"
    return docebo_client


def test_a_fault_lets_calls_through_first_and_then_spoils_as_many_as_ordered() -> None:
    faults = Faults({"error_500"})
    faults.add("users.list", "error_500", times=2, skip=1)

    assert [faults.take("users.list") is not None for _ in range(5)] == [False, True, True, False, False]


def test_a_fault_concerns_its_own_method_only() -> None:
    faults = Faults({"error_500"})
    faults.add("users.list", "error_500", times=-1)

    assert faults.take("users.info") is None
    assert all(faults.take("users.list") for _ in range(10))


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"kind": "meteorite"}, "meteorite"),
        ({"kind": "dropped", "times": 0}, "times is how many"),
        ({"kind": "dropped", "times": "2"}, "times is how many"),
        ({"kind": "dropped", "skip": -1}, "skip, how many"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(sandbox: Sandbox, slack: httpx.Client, order: dict, told: str) -> None:
    answer = slack.post(sandbox.slack_control_url + "faults", json={"method": "users.list", **order})

    assert answer.status_code == 400
    assert told in answer.json()["error"]


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [("error_500", 500, "text/plain"), ("html_503", 503, "text/html"), ("html_200", 200, "text/html")],
)
def test_an_answer_can_be_something_else_than_json(
    sandbox: Sandbox, slack: httpx.Client, docebo: httpx.Client, kind: str, status: int, content_type: str
) -> None:
    sandbox.slack_gate.faults.add("users.list", kind)
    sandbox.docebo_gate.faults.add("GET /manage/v1/user", kind)

    for answer in (slack.get("users.list"), docebo.get("/manage/v1/user")):
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith(content_type)
    assert slack.get("users.list").json()["ok"]


def test_a_dropped_connection_brings_no_byte_and_carries_nothing_out(sandbox: Sandbox, docebo: httpx.Client) -> None:
    sandbox.docebo_gate.faults.add(BATCH, "dropped")

    with pytest.raises(httpx.TransportError):
        docebo.post("/manage/v1/user/batch", json=NEWCOMER)
    assert sandbox.docebo.accounts.by_username("ada@example.com") is None
    assert docebo.post("/manage/v1/user/batch", json=NEWCOMER).is_success


def test_a_call_can_be_carried_out_and_its_answer_lost(sandbox: Sandbox, docebo: httpx.Client) -> None:
    sandbox.docebo_gate.faults.add(BATCH, "carried_out_then_dropped")

    with pytest.raises(httpx.TransportError):
        docebo.post("/manage/v1/user/batch", json=NEWCOMER)
    assert sandbox.docebo.accounts.by_username("ada@example.com")


def test_a_slow_answer_comes_late(sandbox: Sandbox, slack: httpx.Client) -> None:
    sandbox.slack_gate.faults.add("auth.test", "slow", seconds=0.15)
    began = time.monotonic()

    assert slack.post("auth.test").json()["ok"]
    assert time.monotonic() - began >= 0.15


def test_slack_says_how_long_to_wait(sandbox: Sandbox, slack: httpx.Client) -> None:
    sandbox.slack_gate.faults.add("users.list", "rate_limited", retry_after=3)
    answer = slack.get("users.list")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert answer.json() == {"ok": False, "error": "ratelimited"}
    assert sandbox.slack_gate.counters.refused == {"users.list": 1}


def test_docebo_says_so_only_where_it_is_switched_on(sandbox: Sandbox, docebo: httpx.Client) -> None:
    sandbox.docebo_gate.faults.add("GET /manage/v1/user", "rate_limited", times=2)
    silent = docebo.get("/manage/v1/user")
    docebo.put("/_sim/switches", json={"RETRY_AFTER": 7, "limit_body": "text"})
    speaking = docebo.get("/manage/v1/user")

    assert silent.status_code == speaking.status_code == 429
    assert "Retry-After" not in silent.headers
    assert silent.json()["status"] == 429
    assert speaking.headers["Retry-After"] == "7"
    assert speaking.text == "Too Many Requests"


def test_any_error_of_slack_can_be_had(sandbox: Sandbox, slack: httpx.Client) -> None:
    sandbox.slack_gate.faults.add("users.info", "ok_false", error="team_added_to_org")
    sandbox.slack_gate.faults.add("auth.test", "token_expired")

    assert slack.get("users.info").json() == {"ok": False, "error": "team_added_to_org"}
    assert slack.post("auth.test").json() == {"ok": False, "error": "token_expired"}


def test_an_expired_docebo_token_stays_expired(sandbox: Sandbox, docebo: httpx.Client) -> None:
    sandbox.docebo_gate.faults.add("GET /manage/v1/user", "token_expired")
    answers = [docebo.get("/manage/v1/user") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json()["name"] == "Unauthorized"


def test_a_cursor_can_repeat_itself(sandbox: Sandbox, slack: httpx.Client) -> None:
    cursor = slack.get("users.list", params={"limit": 20}).json()["response_metadata"]["next_cursor"]
    sandbox.slack_gate.faults.add("users.list", "repeated_cursor")
    reply = slack.get("users.list", params={"limit": 20, "cursor": cursor}).json()

    assert reply["response_metadata"]["next_cursor"] == cursor
    assert len(reply["members"]) == 20


def test_an_empty_page_is_not_the_end_of_slacks_list(sandbox: Sandbox, slack: httpx.Client) -> None:
    first = slack.get("users.list", params={"limit": 10}).json()["response_metadata"]["next_cursor"]
    sandbox.slack_gate.faults.add("users.list", "empty_page")
    empty = slack.get("users.list", params={"limit": 40, "cursor": first}).json()
    cursor = empty["response_metadata"]["next_cursor"]

    assert (empty["members"], cursor != first) == ([], True)
    assert len(slack.get("users.list", params={"limit": 40, "cursor": cursor}).json()["members"]) == 40


def test_a_shrunken_list_ends_as_if_complete(sandbox: Sandbox, slack: httpx.Client, docebo: httpx.Client) -> None:
    sandbox.slack_gate.faults.add("users.list", "shrinking", share=0.25)
    sandbox.docebo_gate.faults.add("GET /manage/v1/user", "shrinking", share=0.5)
    users = slack.get("users.list", params={"limit": 1000}).json()
    accounts = docebo.get("/manage/v1/user").json()["data"]

    assert (len(users["members"]), users["response_metadata"]["next_cursor"]) == (15, "")
    assert (accounts["count"], accounts["has_more_data"]) == (len(sandbox.docebo.accounts) // 2, False)


def test_an_empty_page_of_docebo_says_there_is_more(sandbox: Sandbox, docebo: httpx.Client) -> None:
    sandbox.docebo_gate.faults.add("GET /manage/v1/user", "empty_page")
    page = docebo.get("/manage/v1/user").json()["data"]

    assert (page["items"], page["has_more_data"]) == ([], True)


def test_counters_tell_what_was_asked_and_start_anew_on_request(sandbox: Sandbox, slack: httpx.Client) -> None:
    slack.get("users.list")
    slack.get("users.list", params={"limit": 10})
    counted = slack.get(sandbox.slack_control_url + "counters").json()
    slack.post(sandbox.slack_control_url + "reset-counters")

    assert counted["calls"] == {"users.list": 2}
    assert counted["rows"] == {"users.list": 70}
    assert sandbox.slack_gate.counters.calls == {}


def test_a_sandbox_stops_while_a_call_hangs() -> None:
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    with Sandbox(50) as sandbox, httpx.Client(headers=headers, trust_env=False) as slack:
        sandbox.slack_gate.faults.add("auth.test", "slow", seconds=600)
        with pytest.raises(httpx.ReadTimeout):
            slack.post(sandbox.slack_url + "auth.test", timeout=0.1)

        sandbox.stop()  # raises an error if that takes long
