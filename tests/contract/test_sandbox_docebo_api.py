import base64
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.docebo.accounts import Account
from sandbox.docebo.attributes import Field
from sandbox.docebo.batch import carry_out
from sandbox.docebo.calls import CONCURRENT_BATCH
from sandbox.docebo.platform import API_PASSWORD, API_USERNAME
from sandbox.docebo.population import SHARE_OF_HUNDRED
from sandbox.docebo.switches import Switches, switched
from sandbox.docebo.tokens import CLIENT_ID, CLIENT_SECRET, JWT_BEARER, Tokens
from sandbox.server import Sandbox
from tests.counting import steps

CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
APP_GRANT = {"grant_type": "client_credentials", **CLIENT}
PASSWORD_GRANT = {"grant_type": "password", "username": API_USERNAME, "password": API_PASSWORD, **CLIENT}
OPTIONS = {"update_user_info": True, "branch_option": "do_nothing"}

Switch = Callable[..., None]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(60) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def sandbox(running: Sandbox) -> Sandbox:
    """The running sandbox, as it was at its start."""
    running.reset()
    return running


@pytest.fixture
def switch(sandbox: Sandbox) -> Switch:
    def set_switches(**settings: Any) -> None:
        sandbox.docebo.switches = switched(sandbox.docebo.switches, settings)

    return set_switches


@pytest.fixture(scope="module")
def client(running: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.docebo_url, trust_env=False) as opened:
        yield opened


@pytest.fixture
def anyone(client: httpx.Client) -> httpx.Client:
    """A client without a token."""
    client.headers.pop("Authorization", None)
    return client


@pytest.fixture
def docebo(anyone: httpx.Client) -> httpx.Client:
    token = anyone.post("/oauth2/token", json=APP_GRANT).json()["access_token"]
    anyone.headers["Authorization"] = f"Bearer {token}"
    return anyone


@pytest.fixture
def ada(sandbox: Sandbox) -> Account:
    return sandbox.docebo.accounts.add("ada@example.com", email="ada@example.com", firstname="Ada", lastname="Lovelace")


def batch(docebo: httpx.Client, *items: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    answer = docebo.post("/manage/v1/user/batch", json={"items": items, "options": OPTIONS | options})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def users(docebo: httpx.Client, **query: Any) -> dict[str, Any]:
    data: dict[str, Any] = docebo.get("/manage/v1/user", params=query).json()["data"]
    return data


class TestTokens:
    @pytest.mark.parametrize("encoding", ["json", "data", "multipart"])
    def test_the_body_may_be_json_urlencoded_or_multipart(self, anyone: httpx.Client, encoding: str) -> None:
        body: dict[str, Any] = (
            {"files": {name: (None, value) for name, value in APP_GRANT.items()}}
            if encoding == "multipart"
            else {encoding: APP_GRANT}
        )
        reply = anyone.post("/oauth2/token", **body).json()

        assert (reply["expires_in"], reply["token_type"], reply["scope"]) == (3600, "Bearer", "api")
        assert "refresh_token" not in reply

    def test_the_client_may_identify_itself_by_basic_authentication(self, anyone: httpx.Client) -> None:
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        answer = anyone.post(
            "/oauth2/token", data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
        )

        assert answer.is_success

    def test_a_refresh_token_works_once(self, anyone: httpx.Client) -> None:
        first = anyone.post("/oauth2/token", data=PASSWORD_GRANT).json()
        body = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **CLIENT}
        second, third = (anyone.post("/oauth2/token", data=body) for _ in range(2))

        assert second.json()["refresh_token"] != first["refresh_token"]
        assert (third.status_code, third.json()["error"]) == (400, "invalid_grant")

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"client_secret": "wrong"}, "invalid_client"),
            ({"password": "wrong"}, "invalid_grant"),
            ({"grant_type": "implicit"}, "unsupported_grant_type"),
            ({"scope": "api:manage"}, "invalid_scope"),
        ],
    )
    def test_a_wrong_request_is_a_400_with_an_oauth_error(
        self, anyone: httpx.Client, change: dict[str, str], error: str
    ) -> None:
        answer = anyone.post("/oauth2/token", json=PASSWORD_GRANT | change)

        assert (answer.status_code, answer.json()["error"]) == (400, error)
        assert answer.json()["error_description"]

    def test_a_login_by_name_and_password_gives_a_token(self, anyone: httpx.Client) -> None:
        body = {"username": API_USERNAME, "password": API_PASSWORD, "issue_refresh_token": True}
        told = anyone.post("/manage/v1/user/login", json=body).json()["data"]
        headers = {"Authorization": f"Bearer {told['access_token']}"}
        session = anyone.get("/manage/v1/user/session", headers=headers).json()["data"]
        refused = anyone.post("/manage/v1/user/login", json={**body, "password": "wrong"})

        assert (told["id_user"], session["id"], "refresh_token" in told) == (session["id"], told["id_user"], True)
        assert (refused.status_code, type(refused.json()["message"])) == (400, list)

    def test_a_grant_that_is_not_enabled_is_refused(self, anyone: httpx.Client, switch: Switch) -> None:
        switch(grants="password,refresh_token")

        assert anyone.post("/oauth2/token", json=APP_GRANT).json()["error"] == "unauthorized_client"
        assert anyone.post("/oauth2/token", json=PASSWORD_GRANT).is_success

    def test_a_signed_assertion_stands_for_its_subject(self, sandbox: Sandbox, anyone: httpx.Client) -> None:
        key, other_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        sandbox.tokens.jwt_public_key = (
            key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
        claims = {
            "iss": CLIENT_ID,
            "sub": API_USERNAME,
            "aud": httpx.URL(sandbox.docebo_url).netloc.decode(),
            "iat": int(time.time()),
            "exp": int(time.time()) + 1800,
        }

        def ask(signing_key: rsa.RSAPrivateKey, **changes: Any) -> httpx.Response:
            assertion = jwt.encode(claims | changes, signing_key, "RS256")
            return anyone.post("/oauth2/token", data={"grant_type": JWT_BEARER, "assertion": assertion})

        token = ask(key).json()["access_token"]
        session = anyone.get("/manage/v1/user/session", headers={"Authorization": f"Bearer {token}"}).json()
        assert session["data"]["username"] == API_USERNAME
        for refused in (
            ask(other_key),
            ask(key, aud="acme.docebosaas.com"),
            ask(key, sub="nobody"),
            ask(key, iss="somebody else"),
            ask(key, exp=int(time.time()) - 10),
        ):
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")

    def test_a_token_may_live_shorter_than_promised(self, sandbox: Sandbox, switch: Switch) -> None:
        switch(token_lifetime=7200, real_token_lifetime=60, expires_in_string=True, token_type="bearer")
        now = 1000.0
        tokens = Tokens(sandbox.docebo, clock=lambda: now)
        reply = tokens.grant(APP_GRANT, "", "127.0.0.1")

        assert (reply["expires_in"], reply["token_type"]) == ("7200", "bearer")
        now += 59
        assert tokens.account(reply["access_token"])
        now += 1
        assert tokens.account(reply["access_token"]) is None

    def test_who_is_not_superadmin_may_not_administer_users(self, docebo: httpx.Client, switch: Switch) -> None:
        switch(superadmin=False)
        token = docebo.post("/oauth2/token", json=APP_GRANT).json()["access_token"]
        docebo.headers["Authorization"] = f"Bearer {token}"
        refused = docebo.get("/manage/v1/user")

        assert (refused.status_code, refused.json()["name"]) == (403, "Forbidden")
        assert docebo.get("/manage/v1/user/session").json()["data"]["user_level"] == "user"


class TestListing:
    def test_pages_show_every_account_once(self, sandbox: Sandbox, docebo: httpx.Client) -> None:
        seen: list[str] = []
        page = 1
        while True:
            data = users(docebo, page=page, page_size=7, get_total_count=1)
            seen += [item["user_id"] for item in data["items"]]
            page += 1
            if not data["has_more_data"]:
                break

        assert sorted(map(int, seen)) == sorted(account.user_id for account in sandbox.docebo.accounts)
        assert data["total_count"] == len(seen)
        assert data["total_page_count"] == page - 1

    def test_page_zero_is_the_first_and_a_page_past_the_end_is_empty(self, docebo: httpx.Client) -> None:
        assert users(docebo, page=0, page_size=5)["items"] == users(docebo, page=1, page_size=5)["items"]
        beyond = users(docebo, page=99)
        assert (beyond["items"], beyond["has_more_data"]) == ([], False)

    def test_a_total_is_given_on_request_only(self, docebo: httpx.Client) -> None:
        assert not {"total_count", "total_page_count"} & set(users(docebo))

    def test_the_order_is_by_first_name_descending_unless_asked_otherwise(self, docebo: httpx.Client) -> None:
        names = [item["first_name"].casefold() for item in users(docebo)["items"]]
        usernames = [
            item["username"].casefold() for item in users(docebo, sort_attr="username", sort_dir="asc")["items"]
        ]

        assert names == sorted(names, reverse=True)
        assert usernames == sorted(usernames)
        assert docebo.get("/manage/v1/user", params={"sort_attr": "shoe_size"}).status_code == 400

    def test_accounts_are_sorted_once_until_one_changes(
        self, sandbox: Sandbox, docebo: httpx.Client, ada: Account
    ) -> None:
        def order() -> list[int]:
            return sandbox.docebo.accounts.order("first_name", descending=True)

        first = order()
        users(docebo, page=1, page_size=5)
        users(docebo, page=2, page_size=5)
        batch(docebo, {"username": ada.username, "firstname": ada.firstname})
        assert order() is first

        batch(docebo, {"username": ada.username, "firstname": "龠"})
        assert order()[0] == ada.user_id
        assert sorted(order()) == sorted(first)

    @pytest.mark.parametrize("ids_as_text", [True, False])
    def test_ids_and_flags_are_text_or_numbers(
        self, docebo: httpx.Client, switch: Switch, ids_as_text: bool, ada: Account
    ) -> None:
        switch(string_ids=ids_as_text)
        item = users(docebo, search_text=ada.email)["items"][0]
        kind = str if ids_as_text else int

        assert (item["user_id"], item["status"]) == (kind(ada.user_id), kind(1))

    @pytest.mark.parametrize("text", ["ADA@example", "lovel", "ada"])
    def test_a_search_finds_parts_of_names_and_addresses(self, docebo: httpx.Client, ada: Account, text: str) -> None:
        found = [item["user_id"] for item in users(docebo, search_text=text)["items"]]

        assert str(ada.user_id) in found

    def test_a_full_match_is_exact_but_for_case_unless_it_is_fuzzy(
        self, docebo: httpx.Client, switch: Switch, ada: Account
    ) -> None:
        assert users(docebo, search_text="ADA@EXAMPLE.COM", match_type="full")["count"] == 1
        assert users(docebo, search_text="ada", match_type="full")["count"] == 0
        switch(fuzzy_full=True)
        assert users(docebo, search_text="ada@example.com", match_type="full")["count"] == 2

    def test_parameters_may_come_as_a_json_body(self, docebo: httpx.Client) -> None:
        answer = docebo.request("GET", "/manage/v1/user", json={"page_size": 3}).json()

        assert (answer["data"]["count"], answer["version"], answer["_links"]) == (3, "1.0.0", [])

    def test_a_page_of_more_than_200_is_clamped_or_rejected(self, docebo: httpx.Client, switch: Switch) -> None:
        assert users(docebo, page_size=500)["current_page_size"] == 200
        switch(page_size_over_limit="reject")
        assert docebo.get("/manage/v1/user", params={"page_size": 500}).status_code == 400


class TestBatch:
    def test_one_call_creates_and_updates_and_leaves_the_other_columns_alone(
        self, sandbox: Sandbox, docebo: httpx.Client, ada: Account
    ) -> None:
        rows = batch(
            docebo,
            {"username": "ADA@example.com", "lastname": "King", "field_12": "U0ADA"},
            {"username": "grace@example.com", "firstname": "Grace", "email": "grace@example.com", "active": False},
        )

        assert [row["success"] for row in rows] == [True, True]
        assert rows[0]["output"] == {"user_id": str(ada.user_id), "username": "ada@example.com", "error": None}
        assert (ada.firstname, ada.lastname, ada.fields) == ("Ada", "King", {12: "U0ADA"})
        assert not sandbox.docebo.accounts[int(rows[1]["output"]["user_id"])].active
        assert sandbox.docebo_gate.counters.rows["created"] == sandbox.docebo_gate.counters.rows["updated"] == 1

    def test_the_same_rows_again_change_nothing(self, sandbox: Sandbox, docebo: httpx.Client) -> None:
        row = {"username": "grace@example.com", "firstname": "Grace", "field_14": "T0SANDBOX", "timezone": "Asia/Tokyo"}
        batch(docebo, row)
        batch(docebo, row)

        assert sandbox.docebo_gate.counters.rows["created"] == 1
        assert sandbox.docebo_gate.counters.rows["unchanged"] == 1

    def test_without_branch_option_the_whole_call_is_refused(self, docebo: httpx.Client) -> None:
        answer = docebo.post("/manage/v1/user/batch", json={"items": [], "options": {"update_user_info": True}})

        assert answer.status_code == 400
        assert answer.json() == {
            "name": "Bad Request",
            "message": ["Required option not set: branch_option"],
            "code": 1006,
            "status": 400,
        }

    def test_more_rows_than_allowed_are_refused_together(self, docebo: httpx.Client, sandbox: Sandbox) -> None:
        before = len(sandbox.docebo.accounts)
        items = [{"username": f"person{number}"} for number in range(101)]

        assert docebo.post("/manage/v1/user/batch", json={"items": items, "options": OPTIONS}).status_code == 400
        assert len(sandbox.docebo.accounts) == before
        assert len(batch(docebo, *items[:100])) == 100

    @pytest.mark.parametrize(
        ("row", "error"),
        [
            pytest.param({"firstname": "Ada"}, "One of username and user_id is required", id="neither key"),
            pytest.param({"username": "x", "user_id": 10000}, "Only one of username and user_id", id="both keys"),
            pytest.param({"user_id": 999999}, "User not found", id="unknown id"),
            pytest.param({"username": "x", "field_99": "y"}, "Additional field not found", id="unknown field"),
            pytest.param({"username": "x", "field_15": "Sales"}, "Invalid dropdown option", id="label for an option"),
            pytest.param({"username": "x", "field_90": "31.05.2026"}, "Invalid date", id="no date for a date"),
            pytest.param({"username": "x", "field_91": "perhaps"}, "Invalid value", id="neither yes nor no"),
            pytest.param({"username": "x", "branch_code": "slack"}, "Branch not found", id="case of a branch code"),
            pytest.param({"username": "x", "email": "x"}, "Invalid email address", id="bad address"),
            pytest.param({"username": "x", "email": "a" * 46 + "@b.c"}, "Invalid email address", id="long address"),
            pytest.param({"username": "x", "timezone": "Mars/Olympus"}, "Invalid timezone", id="bad time zone"),
            pytest.param({"username": "x", "level": "6"}, "Invalid value", id="level as a number"),
            pytest.param({"user_id": 10000, "new_username": "api.bot"}, "Username not available", id="name taken"),
        ],
    )
    def test_a_bad_row_fails_alone(
        self, docebo: httpx.Client, sandbox: Sandbox, row: dict[str, Any], error: str
    ) -> None:
        sandbox.docebo.fields |= {90: Field(90, "Hired", "date"), 91: Field(91, "Guest", "yesno")}
        bad, good = batch(docebo, row, {"username": "grace@example.com"})

        assert not bad["success"]
        assert error in bad["message"] == bad["output"]["error"]
        assert good["success"]

    def test_existing_users_are_errors_unless_updates_are_asked_for(self, docebo: httpx.Client, ada: Account) -> None:
        row = batch(docebo, {"username": ada.username, "lastname": "King"}, update_user_info=False)[0]

        assert (row["success"], row["message"], ada.lastname) == (False, "User already exists", "Lovelace")

    def test_rows_are_counted_from_zero_or_one(self, docebo: httpx.Client, switch: Switch) -> None:
        assert batch(docebo, {"username": "x"})[0]["row_index"] == 0
        switch(row_index_base=1)
        assert batch(docebo, {"username": "x"})[0]["row_index"] == 1

    def test_two_calls_at_once_are_a_violation_and_done_one_after_the_other(
        self, sandbox: Sandbox, docebo: httpx.Client
    ) -> None:
        sandbox.docebo_gate.latency = 0.1
        threads = [threading.Thread(target=batch, args=(docebo, {"username": f"person{n}"})) for n in range(2)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sandbox.docebo_gate.latency = 0

        assert sandbox.docebo_gate.counters.violations == [CONCURRENT_BATCH]
        assert time.monotonic() - began >= 0.2
        assert sandbox.docebo_gate.counters.rows["created"] == 2

    def test_one_call_after_the_other_is_no_violation(self, sandbox: Sandbox, docebo: httpx.Client) -> None:
        for number in range(3):
            batch(docebo, {"username": f"person{number}"})

        assert sandbox.docebo_gate.counters.violations == []

    def test_the_address_can_be_the_username(self, sandbox: Sandbox, docebo: httpx.Client, switch: Switch) -> None:
        switch(email_as_username=True)
        row = batch(docebo, {"username": "ada", "email": "ada@example.com"})[0]
        batch(docebo, {"user_id": row["output"]["user_id"], "email": "ada.king@example.com"})

        assert sandbox.docebo.accounts.by_username("ada") is None
        assert sandbox.docebo.accounts[int(row["output"]["user_id"])].username == "ada.king@example.com"

    def test_a_username_stored_in_capitals_is_found_in_small_letters(
        self, sandbox: Sandbox, docebo: httpx.Client
    ) -> None:
        grace = sandbox.docebo.accounts.add("Grace@Example.com")
        row = batch(docebo, {"username": "grace@example.com", "lastname": "Hopper"})[0]

        assert row["output"]["user_id"] == str(grace.user_id)
        assert (grace.username, grace.lastname) == ("Grace@Example.com", "Hopper")

    def test_names_are_sanitised_when_written(self, sandbox: Sandbox, docebo: httpx.Client) -> None:
        batch(docebo, {"username": "x", "firstname": "Ada <Countess>", "lastname": "अनन्या 🚀"})
        account = sandbox.docebo.accounts.by_username("x")

        assert account
        assert (account.firstname, account.lastname) == ("Ada", "अनन्या 🚀")

    def test_addresses_need_not_be_unique(self, sandbox: Sandbox, docebo: httpx.Client, ada: Account) -> None:
        assert batch(docebo, {"username": "ada.private", "email": "Ada@Example.com"})[0]["success"]
        assert len(sandbox.docebo.accounts.by_email("ada@example.com")) == 2

    def test_rows_of_certain_people_can_be_refused(self, sandbox: Sandbox, docebo: httpx.Client, ada: Account) -> None:
        sandbox.docebo_gate.faults.add("POST /manage/v1/user/batch", "rows_refused", usernames=["ADA@example.com"])
        rows = batch(docebo, {"username": ada.username}, {"username": "x"})

        assert [row["success"] for row in rows] == [False, True]

    def test_a_hundred_rows_take_as_much_among_tens_of_thousands_of_accounts(self, sandbox: Sandbox) -> None:
        platform, taken = sandbox.docebo, []
        for people in (range(400), range(400, 40_000)):
            for number in people:
                platform.accounts.add(f"person{number}@example.com", email=f"person{number}@example.com")
            items = [{"username": f"PERSON{number}@example.com", "firstname": "New"} for number in list(people)[:100]]
            taken.append(steps(carry_out, items, OPTIONS, platform, {}))

        assert taken[1] < 2 * taken[0]


class TestSingleUsers:
    def test_a_user_is_created_viewed_changed_and_deleted(self, sandbox: Sandbox, docebo: httpx.Client) -> None:
        body = {
            "userid": "tomas",
            "password": "x",
            "firstname": "Tomas",
            "level": 4,
            "valid": 1,
            "select_orgchart": {"42": 1},
            "additional_fields": {"12": "U0T"},
        }
        user_id = docebo.post("/manage/v1/user", json=body).json()["data"]["user_id"]
        docebo.put(
            f"/manage/v1/user/{user_id}",
            json={"lastname": "Reyes", "additional_fields": [{"id": 13, "value": "tomas"}]},
        )
        data = docebo.get(f"/manage/v1/user/{user_id}").json()["data"]
        values = {field["id"]: field["value"] for field in data["additional_fields"]}

        assert (data["user_data"]["last_name"], data["user_data"]["level"]) == ("Reyes", "4")
        assert (values[12], values[13], values[14]) == ("U0T", "tomas", None)
        assert users(docebo, branch_id=42)["count"] == 1
        deleted = docebo.request("DELETE", "/manage/v1/user/delete", json={"user_ids": [user_id, "junk"]})
        assert deleted.json()["data"]["deleted_user_ids"] == [user_id]
        assert docebo.get(f"/manage/v1/user/{user_id}").status_code == 404

    @pytest.mark.parametrize(
        ("body", "attribute"),
        [
            ({"userid": "x"}, "password"),
            ({"password": "x"}, "userid"),
            ({"userid": "ADA@EXAMPLE.COM", "password": "x"}, "userid"),
            ({"userid": "x", "password": "x", "additional_fields": {"99": "y"}}, "field_99"),
            ({"userid": "x", "password": "x", "select_orgchart": "42"}, "select_orgchart"),
            ({"userid": "x", "password": "x", "language": "english"}, "language"),
        ],
    )
    def test_what_is_wrong_is_named_softly_or_hard(
        self, docebo: httpx.Client, switch: Switch, ada: Account, body: dict[str, Any], attribute: str
    ) -> None:
        soft = docebo.post("/manage/v1/user", json=body)
        switch(validation_style="hard")
        hard = docebo.post("/manage/v1/user", json=body)

        assert (soft.status_code, soft.json()["data"]["success"]) == (200, False)
        assert [message["id"] for message in soft.json()["data"]["message"]] == [attribute]
        assert (hard.status_code, hard.json()["status"]) == (400, 400)

    def test_status_changes_report_who_was_not_found(self, docebo: httpx.Client, ada: Account) -> None:
        body = {"user_ids": [ada.user_id, "999999"], "status": "0"}
        data = docebo.put("/manage/v1/user/change_status", json=body).json()["data"]

        assert (data["updated_ids"], data["not_updated_ids"]) == ([str(ada.user_id)], ["999999"])
        assert not ada.active

    def test_docebo_connects_superadmin_cannot_be_deleted(self, sandbox: Sandbox, docebo: httpx.Client) -> None:
        docebo.request("DELETE", "/manage/v1/user/delete", json={"user_names": ["service.connect"]})

        assert sandbox.docebo.accounts.by_username("service.connect")

    def test_a_username_is_free_or_taken_whatever_its_case(self, docebo: httpx.Client, ada: Account) -> None:
        free = [
            docebo.get(f"/manage/v1/user/check_username/{name}").json()["data"]["success"]
            for name in ("nobody@example.com", "ADA@example.com")
        ]

        assert free == [True, False]

    def test_not_found_can_be_a_400(self, docebo: httpx.Client, switch: Switch) -> None:
        assert docebo.get("/manage/v1/user/999999").json()["status"] == 404
        switch(not_found_as_400=True, message_as_string=True)
        answer = docebo.get("/manage/v1/user/999999")
        assert (answer.status_code, answer.json()["message"]) == (400, "User not found")


class TestTheRest:
    def test_a_path_that_is_not_there_is_a_404_of_docebos_kind(self, docebo: httpx.Client) -> None:
        answer = docebo.get("/manage/v1/slack_user")

        assert (answer.status_code, answer.json()["name"]) == (404, "Not Found")

    def test_additional_fields_are_listed_viewed_and_added(self, docebo: httpx.Client) -> None:
        body = {"type": "textfield", "translations": {"english": "Shoe size"}}
        added = docebo.post("/manage/v1/user_fields", json=body).json()["data"]["user_field_id"]
        items = docebo.get("/manage/v1/user_fields").json()["data"]["items"]
        department = docebo.get("/manage/v1/user_fields/15").json()["data"]

        assert [item["id"] for item in items] == ["12", "13", "14", "15", str(added)]
        assert [option["option_id"] for option in department["dropdown_options"]] == [1, 2]
        assert docebo.get("/manage/v1/user_fields/99").status_code == 404

    def test_no_slack_service_is_listed_unless_switched_on(self, docebo: httpx.Client, switch: Switch) -> None:
        def apps() -> list[str]:
            return [service["app"] for service in docebo.get("/manage/v1/site/microservices").json()["data"]]

        assert "slack" not in apps()
        switch(slack_service_listed=True)
        assert "slack" in apps()

    def test_a_listed_service_describes_its_paths(self, docebo: httpx.Client) -> None:
        services = docebo.get("/manage/v1/site/microservices").json()["data"]
        described = docebo.get(next(service["url"] for service in services if service["app"] == "manage")).json()

        assert "/manage/v1/user/batch" in described["paths"]

    def test_types_of_managers_come_in_an_envelope_also_as_array(self, docebo: httpx.Client) -> None:
        data = docebo.get("/manage/v1/managers", params={"page_size": 200, "as_array": 1}).json()["data"]

        assert data["items"] == [{"id": "1", "title": "Direct manager"}]

    def test_who_may_become_a_manager_is_found_by_address_or_name_page_by_page(
        self, sandbox: Sandbox, docebo: httpx.Client, ada: Account
    ) -> None:
        sandbox.docebo.accounts.add("adele", email="adele@example.com")
        sandbox.docebo.accounts.add("adam", email="adam@example.com", active=False)

        def found(**query: Any) -> tuple[list[dict[str, str]], bool]:
            data = docebo.get("/manage/v1/managers/candidates", params=query).json()["data"]
            return data["items"], data["has_more_data"]

        lovelace = {"manager_id": str(ada.user_id), "manager_email": "ada@example.com"}
        assert found(search_text="ADA@example") == ([lovelace], False)
        assert [one["manager_email"] for one in found(search_text="ad")[0]] == ["ada@example.com", "adele@example.com"]
        assert found(search_text="ad", page_size=1) == ([lovelace], True)
        assert docebo.get("/manage/v1/managers/candidates", params={"page": "x"}).status_code == 400

    def test_whose_manager_somebody_is_counts_every_type_and_nobody_elses(
        self, sandbox: Sandbox, docebo: httpx.Client, ada: Account
    ) -> None:
        sandbox.docebo.manager_types = {1: "Direct manager", 4: "Mentor"}
        boss = sandbox.docebo.accounts.add("grace", email="grace@example.com")
        batch(docebo, {"username": "ada@example.com", "manager_4": "grace"}, {"username": "eve", "manager_1": "grace"})

        def reports_to(user_id: int) -> list[str]:
            answer = docebo.get(f"/manage/v1/managers/{user_id}/subordinates")
            return [one["username"] for one in answer.json()["data"]["items"]]

        assert reports_to(boss.user_id) == ["ada@example.com", "eve"]
        assert reports_to(ada.user_id) == []
        assert docebo.get("/manage/v1/managers/987654/subordinates").status_code == 404

    def test_a_job_posts_its_rows_in_chunks(self, sandbox: Sandbox, docebo: httpx.Client) -> None:
        rows = [{"username": f"person{number}"} for number in range(150)] + [{}]
        body = {
            "name": "import",
            "type": "api",
            "endpoint": "/manage/v1/user/batch",
            "method": "POST",
            "data_source": {"data": rows, "options": OPTIONS},
        }
        job = docebo.post("/manage/v1/job", json=body).json()["data"]["job_descriptor"]
        assert job["status"] == "queued"
        while job["status"] != "completed":
            job = docebo.get(f"/manage/v1/job/{job['hash']}").json()["data"]["job_descriptor"]

        assert (job["total"], job["errors"], job["percent"]) == (151, 1, 100)
        assert sandbox.docebo.accounts.by_username("person149")

    def test_an_hours_calls_can_be_limited(self, docebo: httpx.Client, switch: Switch) -> None:
        switch(hourly_limit=3)
        statuses = [docebo.get("/manage/v1/user/session").status_code for _ in range(4)]

        assert statuses == [200, 200, 200, 429]

    def test_an_administrator_edits_by_hand(self, sandbox: Sandbox, docebo: httpx.Client, ada: Account) -> None:
        edited = docebo.patch(f"/_sim/users/{ada.user_id}", json={"lastname": "King", "fields": {"12": "U0"}}).json()

        assert (edited["lastname"], ada.lastname, ada.fields) == ("King", "King", {12: "U0"})
        assert docebo.get("/_sim/users/999999").status_code == 404
        assert len(docebo.get("/_sim/users").text.splitlines()) == len(sandbox.docebo.accounts)

    def test_links_of_deleted_users_go_with_them(self, sandbox: Sandbox, docebo: httpx.Client, ada: Account) -> None:
        link = {"slack_name": "ada", "slack_team": "T0", "user_id": ada.user_id}
        docebo.put("/_sim/slack_user/U0ADA", json=link)
        assert docebo.get("/_sim/slack_user", params={"user_id": ada.user_id}).json()["count"] == 1
        docebo.request("DELETE", "/manage/v1/user/delete", json={"user_ids": [ada.user_id]})

        assert sandbox.docebo.slack_links == {}


class TestSwitches:
    @pytest.mark.parametrize("settings", [{"no_such": 1}, {"string_ids": "perhaps"}, {"limit_body": "xml"}])
    def test_a_setting_that_does_not_fit_is_refused(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(settings))):
            switched(Switches(), settings)

    def test_names_and_values_may_be_text_in_any_case(self) -> None:
        switches = switched(Switches(), {"STRING-IDS": "off", "Max_Batch_Rows": "1000"})

        assert (switches.string_ids, switches.max_batch_rows) == (False, 1000)


class TestWhoIsThereAlready:
    def test_the_smallest_platform_has_every_special_case(self) -> None:
        kinds = Sandbox(50).docebo.kinds

        assert set(SHARE_OF_HUNDRED) <= set(kinds)
        assert kinds["leaver"] >= 1
        assert kinds["not_in_slack"] >= 1
        assert kinds["twice"] == 2

    def test_a_big_platform_is_mostly_in_line(self) -> None:
        sandbox = Sandbox(5000, docebo_users=3000)
        kinds = sandbox.docebo.kinds

        assert len(sandbox.docebo.accounts) > 3000
        assert kinds["in_line"] > 2200
        assert 30 < kinds["superadmin"] + kinds["suspended"] < 300

    def test_an_empty_platform_has_its_superadmins_only(self) -> None:
        usernames = {account.username for account in Sandbox(500, docebo_users=0).docebo.accounts}

        assert usernames == {API_USERNAME, "service.connect"}
