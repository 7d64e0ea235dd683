import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.server import Sandbox
from sandbox.slack.workspace import BOT_TOKEN

INVENTORIES = Path(__file__).parent / "slack_inventories"


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


def inventory(name: str) -> Any:
    return json.loads((INVENTORIES / f"{name}.json").read_text())


def keys(value: Any, path: str = "") -> set[str]:
    """Every path of keys in *value*; the items of a list count as one."""
    if isinstance(value, list):
        return {key for item in value for key in keys(item, path)}
    if not isinstance(value, dict):
        return set()
    own = {f"{path}.{key}" for key in value}
    return own | {inner for key, item in value.items() for inner in keys(item, f"{path}.{key}")}


def user_keys() -> set[str]:
    """All keys a user object is known to have: it is one object, though no inventory shows all of it."""
    shown = [inventory("users.info")["user"], *inventory("users.list")["members"]]
    return keys([*shown, inventory("UserChangePayload")["event"]["user"]])


@pytest.mark.parametrize("method", ["auth.test", "team.info", "team.profile.get"])
def test_a_reply_has_only_keys_of_slacks_own_inventory(slack: httpx.Client, method: str) -> None:
    reply = slack.post(method).json()

    assert reply["ok"]
    assert keys(reply) <= keys(inventory(method))


def test_users_have_only_keys_of_slacks_own_inventory(slack: httpx.Client) -> None:
    reply = slack.get("users.list", params={"include_locale": 1}).json()
    members = reply.pop("members")

    assert len(members) == 60
    assert keys(members) <= user_keys()
    assert keys(reply) <= keys(inventory("users.list"))


def test_a_single_profile_has_only_keys_of_slacks_own_inventory(sandbox: Sandbox, slack: httpx.Client) -> None:
    person = sandbox.slack.at(1)["id"]
    sandbox.slack.change(person, {"profile": {"fields": {"Xf0DEPARTMT": {"value": "Sales", "alt": ""}}}})
    reply = slack.get("users.profile.get", params={"user": person, "include_labels": "true"}).json()

    assert reply["profile"].pop("fields") == {"Xf0DEPARTMT": {"value": "Sales", "alt": "", "label": "Department"}}
    assert keys(reply) <= keys(inventory("users.profile.get"))


def test_the_cursor_chain_shows_everybody_once(sandbox: Sandbox, slack: httpx.Client) -> None:
    seen, cursor = [], ""
    while True:
        reply = slack.get("users.list", params={"limit": 25, "cursor": cursor}).json()
        seen += [member["id"] for member in reply["members"]]
        cursor = reply["response_metadata"]["next_cursor"]
        if not cursor:
            break
        assert reply["offset"] not in seen

    assert seen == [user["id"] for user in sandbox.slack]


def test_slacks_own_sdk_reads_the_workspace(sandbox: Sandbox) -> None:
    client = WebClient(BOT_TOKEN, base_url=sandbox.slack_url)
    members = [member for page in client.users_list(limit=20) for member in page["members"]]

    assert len(members) == 60
    assert client.auth_test()["team_id"] == "T0SANDBOX"
    with pytest.raises(SlackApiError, match="user_not_found"):
        client.users_info(user="U0000000")


def test_who_is_not_shown_to_the_app_stays_in_the_list(sandbox: Sandbox, slack: httpx.Client) -> None:
    ada, ida = (sandbox.slack.add(name, "Hidden", f"{name.lower()}@example.com")["id"] for name in ("Ada", "Ida"))
    shown = {"invisible": [ada], "without_address": [ida]}
    try:
        httpx.put(f"{sandbox.slack_url.removesuffix('/api/')}/_sim/shown", json=shown).raise_for_status()

        assert slack.get("users.info", params={"user": ada}).json() == {"ok": False, "error": "user_not_visible"}
        assert "email" not in slack.get("users.info", params={"user": ida}).json()["user"]["profile"]
        listed = {user["id"]: user for user in slack.get("users.list").json()["members"]}
        assert listed[ada]["profile"]["email"] == "ada@example.com"
        assert "email" not in listed[ida]["profile"]
    finally:
        sandbox.slack.reset()


@pytest.mark.parametrize("limit", ["5000", "0", "-3", "many"])
def test_a_limit_out_of_range_is_adjusted_without_a_word(slack: httpx.Client, limit: str) -> None:
    assert slack.get("users.list", params={"limit": limit}).json()["ok"]


def test_a_page_holds_a_thousand_users_at_most() -> None:
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    with Sandbox(1200) as sandbox, httpx.Client(base_url=sandbox.slack_url, headers=headers) as slack:
        largest = slack.get("users.list", params={"limit": 1100}).json()

        assert len(largest["members"]) == 1000
        assert slack.get("users.list").json()["error"] == "limit_required"


@pytest.mark.parametrize("cursor", ["dXNlcjpVMDAwMDAwMA==", "dXNlcjo", "next", "%%"])
def test_a_garbled_cursor_is_invalid(slack: httpx.Client, cursor: str) -> None:
    assert slack.get("users.list", params={"limit": 10, "cursor": cursor}).json()["error"] == "invalid_cursor"


def test_without_the_email_scope_addresses_are_absent_and_nothing_is_said(
    sandbox: Sandbox, slack: httpx.Client
) -> None:
    sandbox.slack.scopes -= {"users:read.email"}
    answer = slack.get("users.list")

    assert answer.json()["ok"]
    assert not any("email" in member["profile"] for member in answer.json()["members"])
    assert "users:read.email" not in answer.headers["X-OAuth-Scopes"].split(",")


def test_a_missing_scope_is_named(sandbox: Sandbox, slack: httpx.Client) -> None:
    sandbox.slack.scopes = frozenset({"team:read"})

    assert slack.get("users.list").json() == {
        "ok": False,
        "error": "missing_scope",
        "needed": "users:read",
        "provided": "team:read",
    }


def test_granted_and_needed_scopes_are_in_the_headers(slack: httpx.Client) -> None:
    answer = slack.get("users.list")

    assert (
        answer.headers["X-OAuth-Scopes"] == "team:read,usergroups:read,users.profile:read,users:read,users:read.email"
    )
    assert answer.headers["X-Accepted-OAuth-Scopes"] == "users:read"


@pytest.mark.parametrize(("place", "is_taken"), [("data", True), ("params", False)])
def test_a_token_may_stand_in_a_form_and_in_no_address(sandbox: Sandbox, place: str, is_taken: bool) -> None:
    with httpx.Client() as anyone:
        answer = anyone.request("POST", f"{sandbox.slack_url}auth.test", **{place: {"token": BOT_TOKEN}})

    assert answer.json()["ok"] is is_taken


@pytest.mark.parametrize(
    ("authorization", "error"),
    [
        pytest.param("", "not_authed", id="no token"),
        pytest.param("Basic abc", "not_authed", id="not a bearer token"),
        pytest.param("Bearer xoxb-other", "invalid_auth", id="unknown token"),
    ],
)
def test_a_call_without_a_valid_token_is_refused(slack: httpx.Client, authorization: str, error: str) -> None:
    reply = slack.post("auth.test", headers={"Authorization": authorization}).json()

    assert reply == {"ok": False, "error": error}


@pytest.mark.parametrize("error", ["account_inactive", "token_revoked"])
def test_a_token_can_lose_its_validity(sandbox: Sandbox, slack: httpx.Client, error: str) -> None:
    slack.put(sandbox.slack_control_url + "token", json={"error": error})

    assert slack.post("auth.test").json()["error"] == error


def test_locale_is_shown_on_request_only(slack: httpx.Client) -> None:
    person = {"user": slack.get("users.list").json()["members"][1]["id"]}

    assert "locale" not in slack.get("users.info", params=person).json()["user"]
    assert "locale" in slack.get("users.info", params={**person, "include_locale": "true"}).json()["user"]


def test_an_unheard_of_method_is_unknown(slack: httpx.Client) -> None:
    assert slack.post("users.delete").json()["error"] == "unknown_method"


def test_every_method_has_its_own_calls_a_minute() -> None:
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    with Sandbox(50) as sandbox, httpx.Client(base_url=sandbox.slack_url, headers=headers) as slack:
        answers = [slack.get("users.list", params={"limit": 1}) for _ in range(21)]

        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert answers[-1].json() == {"ok": False, "error": "ratelimited"}
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert slack.get("users.info", params={"user": "USLACKBOT"}).json()["ok"]
        assert sandbox.slack_gate.counters.refused == {"users.list": 1}


def test_a_changed_user_is_shown_changed_and_newer(sandbox: Sandbox, slack: httpx.Client) -> None:
    before = sandbox.slack.at(sandbox.slack.population.size - 1)
    changed = slack.patch(
        f"{sandbox.slack_control_url}users/{before['id']}", json={"profile": {"last_name": "Éluard"}}
    ).json()
    shown = slack.get("users.info", params={"user": before["id"]}).json()["user"]

    assert shown["profile"]["last_name"] == "Éluard"
    assert shown["real_name"] == changed["real_name"] == f"{before['profile']['first_name']} Éluard"
    assert shown["updated"] > before["updated"]


def test_a_person_who_joins_is_listed_last(sandbox: Sandbox, slack: httpx.Client) -> None:
    ada = slack.post(
        sandbox.slack_control_url + "users",
        json={"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"},
    ).json()
    last = slack.get("users.list").json()["members"][-1]

    assert (last["id"], last["real_name"], last["profile"]["email"]) == (ada["id"], "Ada Lovelace", "ada@example.com")


def test_a_deactivated_person_loses_a_dozen_keys_and_gets_them_back(sandbox: Sandbox) -> None:
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    gone = sandbox.slack.deactivate(ada["id"])

    assert gone["deleted"]
    assert len(set(ada) - set(gone)) >= 12
    back = sandbox.slack.reactivate(ada["id"])
    assert {**back, "updated": 0} == {**ada, "updated": 0}
    assert back["updated"] > gone["updated"] > ada["updated"]


def test_who_was_gone_from_the_start_can_come_back(sandbox: Sandbox) -> None:
    gone = sandbox.slack.of_kind("deactivated")[0]
    sandbox.slack.deactivate(gone["id"])
    back = sandbox.slack.reactivate(gone["id"])

    assert not back["deleted"]
    assert back["real_name"] == gone["profile"]["real_name"]


def test_an_org_token_names_the_organisation_and_wants_a_team() -> None:
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    with Sandbox(50, org_token=True) as sandbox, httpx.Client(base_url=sandbox.slack_url, headers=headers) as slack:
        identity = slack.post("auth.test").json()

        assert identity["is_enterprise_install"]
        assert identity["team_id"].startswith("E")
        assert slack.get("users.list").json()["error"] == "missing_argument"
        assert slack.get("users.list", params={"team_id": sandbox.slack.team.id}).json()["ok"]


def test_ids_of_the_organisation_are_told_of_400_at_once(sandbox: Sandbox, slack: httpx.Client) -> None:
    user_id = sandbox.slack.add("Ada", "Grid", "ada@example.com")["id"]
    assert slack.get("migration.exchange", params={"users": user_id}).json()["error"] == "not_enterprise_team"
    sandbox.slack.change(user_id, {"enterprise_user": {"id": "W0ADA", "enterprise_id": "E0GRID"}})

    reply = slack.get("migration.exchange", params={"users": f"{user_id},U0NOBODY"}).json()
    too_many = slack.get("migration.exchange", params={"users": ",".join([user_id] * 401)}).json()

    assert (reply["enterprise_id"], slack.post("auth.test").json()["enterprise_id"]) == ("E0GRID", "E0GRID")
    assert (reply["user_id_map"], reply["invalid_user_ids"]) == ({user_id: "W0ADA"}, ["U0NOBODY"])
    assert too_many["error"] == "too_many_users"
