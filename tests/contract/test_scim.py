"""Slack's SCIM API, read."""

import ast
import inspect
from dataclasses import replace

import httpx
import pytest
import respx
from pydantic import SecretStr

from sandbox.server import Sandbox
from slack_docebo.clients import scim
from slack_docebo.clients.scim import open_scim
from slack_docebo.errors import AccessDenied, ContractViolation, IncompleteRead, TransientError

URL = "https://slack.test/scim/v2/"


def client(url: str = URL, token: str = "xoxp-test", **options):
    return open_scim(lambda: SecretStr(token), base_url=url, **{"wait": lambda _: 0, "attempts": 3, **options})


def person(slack_id: str, **attributes):
    return {"id": slack_id, **attributes}


def page(*people, total: int):
    return httpx.Response(200, json={"totalResults": total, "itemsPerPage": len(people), "Resources": list(people)})


async def test_everybody_is_read_a_thousand_at_a_time():
    with Sandbox(users=2_500, docebo_users=0, rate_limits=False) as company:
        slack_id = company.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        company.slack.scim[slack_id] = {"department": "Sales", "manager": "U0BOSS", "startDate": "2026-05-31"}
        facts = company.facts()
        async with client(facts["scim_url"], facts["scim_token"]) as reading:
            found = await reading.people()
            one = await reading.person(slack_id)
            counted = await reading.counted()

    assert len(found) == counted == 2_501
    assert found[slack_id] == one == {"department": "Sales", "manager": "U0BOSS", "startDate": "2026-05-31"}
    assert reading.calls == {"SCIM people": 3, "SCIM person": 1, "SCIM count": 1}


@respx.mock
async def test_what_is_null_empty_or_missing_is_not_said():
    respx.get(f"{URL}Users").mock(
        return_value=page(
            person("U1", **{scim.ENTERPRISE: {"department": None, "manager": {"managerId": None}, "division": ""}}),
            person("U2", **{scim.ENTERPRISE: {"manager": {}, "employeeNumber": 7}, scim.OF_SLACK: {}}),
            person("U3", **{scim.ENTERPRISE: None, scim.OF_SLACK: {"startDate": {"value": None}}}),
            total=3,
        )
    )
    async with client() as reading:
        assert await reading.people() == {"U1": {"division": ""}, "U2": {"employeeNumber": "7"}, "U3": {}}


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ([page(person("U1"), total=3), page(person("U2"), total=4)], "the number of people changed"),
        ([page(person("U1"), total=2), page(person("U1"), total=2)], "somebody twice"),
        ([page(person("U1"), person("U1"), total=2)], "somebody twice"),
        ([page(person("U1"), total=2), page(total=2)], "counts 2 people and has shown 1"),
        ([page(person("U1"), person("U2"), total=1)], "counts 1 people and has shown 2"),
    ],
)
@respx.mock
async def test_a_read_that_is_not_provably_whole_is_begun_anew_and_then_refused(pages, told):
    respx.get(f"{URL}Users").mock(side_effect=pages * 3)
    async with client() as reading:
        with pytest.raises(IncompleteRead, match=f"{told}.*Should it be so each time, .* custom profile fields"):
            await reading.people()


@respx.mock
async def test_who_comes_while_everybody_is_read_does_not_stop_the_run():
    ada, bob, eva = map(person, ("U1", "U2", "U3"))
    respx.get(f"{URL}Users").side_effect = [
        *(page(ada, total=2), page(bob, eva, total=3)),
        *(page(ada, bob, total=3), page(eva, total=3)),
    ]
    async with client() as reading:
        assert await reading.people() == {"U1": {}, "U2": {}, "U3": {}}


@pytest.mark.parametrize(
    ("switch", "told"),
    [("plus_teams_only", "^SCIM needs Slack's plan"), ("non_org_teams_only", "^the token is of one workspace")],
)
async def test_a_plan_or_a_token_that_is_too_small_is_told_with_what_to_do(switch, told):
    with Sandbox(users=1, docebo_users=0) as company:
        company.slack.switches = replace(company.slack.switches, scim=switch)
        facts = company.facts()
        async with client(facts["scim_url"], facts["scim_token"]) as reading:
            for call in (reading.people, reading.counted):
                with pytest.raises(AccessDenied, match=told):
                    await call()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401, json={"detail": "invalid_authentication"}), AccessDenied),
        (httpx.Response(500, text="no"), TransientError),
        (httpx.Response(429, headers={"Retry-After": "0"}), TransientError),
        (httpx.Response(200, text="<html>"), ContractViolation),
        (httpx.Response(200, json={"Resources": []}), ContractViolation),
        (page({"id": "ada@example.com"}, total=1), ContractViolation),
    ],
)
@respx.mock
async def test_what_is_no_list_of_people_is_an_error(answer, error):
    respx.get(f"{URL}Users").mock(return_value=answer)
    async with client() as reading:
        with pytest.raises(error):
            await reading.people()


@pytest.mark.parametrize("counted", [None, "12", True])
@respx.mock
async def test_a_number_that_is_none_counts_nobody(counted):
    respx.get(f"{URL}Users").mock(return_value=httpx.Response(200, json={"totalResults": counted}))
    async with client() as reading:
        with pytest.raises(ContractViolation):
            await reading.counted()


def test_the_client_can_only_read():
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(inspect.getsource(scim)))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "self._http"
    }
    assert calls == {"get"}
