"""A tenant's description of its API, held against what we send."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from slack_docebo.domain.description import USES, Difference, Use, missing_from, places, uses_with

OF_2017 = json.loads((Path(__file__).parents[1] / "fixtures" / "docebo" / "description_2017.json").read_text())


@pytest.fixture
def described() -> dict[str, Any]:
    """A description that knows all that we use: that of 2017, with what has come since."""
    found = deepcopy(OF_2017)
    paths = found["paths"]
    paths["/user"]["get"]["parameters"].append({"name": "match_type", "in": "query"})
    paths["/orgchart"]["get"]["parameters"].append({"name": "flattened", "in": "query"})
    paths["/user/move_to_branch"] = {
        "put": {
            "parameters": [{"name": "body", "in": "body", "schema": {"properties": {"branch_ids": {}, "user_ids": {}}}}]
        }
    }
    paths["/managers"] = {
        "get": {"parameters": [{"name": name, "in": "query"} for name in ("page", "page_size", "as_array")]}
    }
    paged = [{"name": name, "in": "query"} for name in ("page", "page_size")]
    paths["/managers/{manager_id}/subordinates"] = {"get": {"parameters": paged}}
    options = found["definitions"]["BatchOptions"]["properties"]
    options["branch_option"]["enum"].append("do_nothing")
    options["powerUser_option"] = {"enum": ["no_association", "assigned_branch"]}
    for name in ("destination_branch", "force_create_branches", "send_notification_email", "provisioned_by"):
        options[name] = {}
    return found


def test_each_call_of_the_client_is_looked_up():
    clients = Path(__file__).parents[2] / "src" / "slack_docebo" / "clients"
    parts = ("docebo.py", "docebo_branches.py", "docebo_fields.py")
    client = "".join((clients / part).read_text(encoding="utf-8") for part in parts)
    made = {re.sub(r"\{.*?\}", "{}", path) for path in re.findall(r'"(/manage/v1/[^"]+)"', client)}

    only_looked_at = {"/manage/v1/site/microservices", "/manage/v1/user/importer_fields"}  # by doctor
    assert {use.path for use in USES} == made - only_looked_at


def texts(description: object) -> str:
    return "\n".join(found.text for found in missing_from(description))


def test_a_description_that_knows_all_that_we_use_differs_in_nothing(described):
    assert missing_from(described) == []


def test_what_the_platforms_of_2017_did_not_know_is_named():
    found = texts(OF_2017)

    assert (
        "POST /manage/v1/user/batch does not list destination_branch, force_create_branches, powerUser_option" in found
    )
    assert "lists autocreate, existing for branch_option, not do_nothing" in found
    assert "GET /manage/v1/user does not list match_type" in found
    assert not any(difference.fatal for difference in missing_from(OF_2017))


@pytest.mark.parametrize("use", USES, ids=str)
def test_a_call_that_is_missing_is_named_with_what_it_means(described, use):
    path = use.path.removeprefix("/manage/v1")
    path = next(known for known in described["paths"] if re.sub(r"\{.*?\}", "{}", known) == path)
    del described["paths"][path][use.verb.lower()]
    described["paths"][path]["delete"] = {}

    assert missing_from(described) == [Difference(f"there is no {use}: {use.without}", fatal=use.needed)]


@pytest.mark.parametrize("name", ["new_username", "timezone"])
def test_a_field_of_a_row_that_is_missing_is_named(described, name):
    del described["definitions"]["Row"]["properties"][name]

    assert f"POST /manage/v1/user/batch does not list {name}" in texts(described)


@pytest.mark.parametrize("name", ["branch_id", "search_text"])
def test_a_way_to_ask_for_some_accounts_that_is_missing_is_named(described, name):
    asked = described["paths"]["/user"]["get"]
    asked["parameters"] = [one for one in asked["parameters"] if one["name"] != name]

    assert f"GET /manage/v1/user does not list {name}: it may refuse the call or ignore them" in texts(described)


def test_a_column_that_only_some_rules_write_is_looked_up_where_one_does(described):
    del described["definitions"]["Row"]["properties"]["expiration_date"]

    assert missing_from(described, uses_with({"email"})) == []
    [found] = missing_from(described, uses_with({"country", "expiration_date"}))
    assert found.text.startswith("POST /manage/v1/user/batch does not list expiration_date: ")


@pytest.mark.parametrize("base", ["/", "", "/manage", "/manage/v1/"])
def test_the_address_of_a_call_is_put_together_in_any_way(base):
    whole = "/manage/v1/user/session"
    path = whole if base in ("/", "") else whole.removeprefix(base.rstrip("/"))
    [found] = missing_from({"basePath": base, "paths": {path: {"put": {}}}}, [Use("GET", whole, frozenset(), "why")])
    assert found.text == "there is no GET /manage/v1/user/session: why"

    assert missing_from({"basePath": base, "paths": {path: {"get": {}}}}, [Use("GET", whole, frozenset(), "why")]) == []


def test_a_description_of_the_newer_form_is_read():
    schema = {"type": "object", "properties": {"user_ids": {}, "status": {"$ref": "#/components/schemas/Status"}}}
    description = {
        "openapi": "3.0.0",
        "servers": [{"url": "https://acme.example/manage/v1"}],
        "paths": {
            "/user/change_status": {"put": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}
        },
        "components": {"schemas": {"Status": {"enum": [0, 1]}}},
    }
    use = Use(
        "PUT", "/manage/v1/user/change_status", frozenset({"user_ids", "reason"}), "", words={"status": frozenset("2")}
    )

    assert [found.text.partition(":")[0] for found in missing_from(description, [use])] == [
        "PUT /manage/v1/user/change_status does not list reason",
        "PUT /manage/v1/user/change_status lists 0, 1 for status, not 2",
    ]


def test_calls_without_a_word_about_what_they_take_differ_in_nothing(described):
    for item in described["paths"].values():
        for operation in item.values():
            operation.pop("parameters", None)

    assert missing_from(described) == []


@pytest.mark.parametrize("broken", [None, [], {}, {"paths": []}, {"paths": {}}])
def test_what_is_no_description_proves_nothing(broken):
    with pytest.raises(ValueError, match="lists no calls"):
        missing_from(broken)


def test_a_description_that_refers_to_itself_has_an_end(described):
    described["definitions"]["Row"] = {"allOf": [{"$ref": "#/definitions/Row"}]}
    described["definitions"]["Status"] = {"$ref": "#/definitions/Status"}

    assert "does not list active" in texts(described)


@pytest.mark.parametrize("place", ["/slack_user/{id}", "/SlackUsers", "/external-ids", "/mappings/external_uid"])
def test_a_place_for_a_mapping_of_docebos_own_is_found(place):
    description = {"basePath": "/slack/v1", "paths": {place: {}, "/channels": {}}}
    assert places(description) == [f"/slack/v1{place}"]
