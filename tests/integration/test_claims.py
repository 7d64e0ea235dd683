"""Who gets an account that several people have a claim to: the same one in whatever order Slack lists them."""

from dataclasses import replace
from random import Random

import pytest

from sandbox.server import Sandbox
from slack_docebo.clients.slack_wire import UserPage
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.people import Account, Mapping, SourceUser
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.storage.plans import PlanKind
from tests.importing import ON, settings_for

TEAM = Workspace("T1", "Analytical Engines")


def person(slack_id: str, address: str) -> SourceUser:
    name = address.partition("@")[0].title()
    return SourceUser(
        slack_id, TEAM.team, name.lower(), f"{address}.example.com", first_name=name, last_name=name, real_name=name
    )


ANN, BOB = person("U5ANN", "ann@new"), person("U1BOB", "ann@old")  # he bears the address that she had before
TWIN, ELDER = person("U4TWIN", "twin@a"), person("U2TWIN", "TWIN@a")
NEW, NEWER = person("U8NEW", "new@a"), person("U7NEW", "New@a")
MAPPED, CLAIMANT = person("U9MAPPED", "moved@a"), person("U3CLAIM", "claimed@a")
PEOPLE = [ANN, BOB, TWIN, ELDER, NEW, NEWER, MAPPED, CLAIMANT]
ACCOUNTS = [
    Account(1, "ann@old.example.com", "ann@new.example.com", first_name="Ann", last_name="Ann"),
    Account(2, "twin", "twin@a.example.com", first_name="Twin", last_name="Twin"),
    Account(3, "claimed", "claimed@a.example.com", first_name="Moved", last_name="Moved"),
]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(users=1, rate_limits=False) as running:
        yield running


async def planned(runtime: Runtime, people: list[SourceUser], page: int) -> dict[str, tuple]:
    with SourceSnapshot() as listed:
        for start in range(0, len(people), page):
            following = "" if start + page >= len(people) else f"after {start}"
            listed.add(UserPage(people[start : start + page], following))
        listed.prove()
        plan_id = await make_plan(runtime, TEAM, listed, Accounts(ACCOUNTS), kind=PlanKind.BULK_IMPORT, listed=listed)
    with runtime.store.reading() as tables:
        operations = [entry.operation for entry in tables.operations.rows(plan_id)]
        looked_after = tables.plans.read(plan_id).facts["looked_after"]
    assert looked_after == len(people)
    assert len(operations) == len(people)
    return {done.slack_id: (done.kind, done.reason, done.docebo_id, done.changes) for done in operations}


async def test_a_plan_does_not_depend_on_the_order_in_which_slack_lists_people(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table(ON)), run_id="test") as runtime:
        with runtime.store.transaction() as tables:
            mapping = Mapping(MAPPED.slack_id, TEAM.team, MAPPED.handle, 3)
            tables.mappings(settings.docebo_url).save([mapping], now=runtime.now())
        first = await planned(runtime, PEOPLE, page=3)
        for seed in range(15):
            chance = Random(seed)
            people = chance.sample(PEOPLE, len(PEOPLE))
            assert await planned(runtime, people, page=chance.randint(1, 4)) == first

    assert {slack_id: (row[0], row[1], row[2]) for slack_id, row in first.items()} == {
        "U5ANN": ("map", "found by e-mail", 1),
        "U1BOB": ("leave", "the username is taken by account 1", 1),
        "U2TWIN": ("map", "found by e-mail", 2),
        "U4TWIN": ("leave", "account 2 belongs to U2TWIN", 2),
        "U7NEW": ("create", "new", None),
        "U8NEW": ("leave", "an account with this address is created for U7NEW", None),
        "U9MAPPED": ("update", "differs: email", 3),
        "U3CLAIM": ("leave", "account 3 belongs to U9MAPPED", 3),
    }


async def test_an_account_that_shows_the_name_of_somebody_else_in_slack_is_not_found_by_its_username(
    sandbox, sqlite_url
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table(ON)), run_id="test") as runtime:
        bob = replace(BOB, first_name="Bob", last_name="Bob", real_name="Bob Bob")
        plan = await planned(runtime, [replace(ANN, email="ann@newer.example.com"), bob], page=1)
        alone = await planned(runtime, [bob], page=1)

    assert plan["U1BOB"][:2] == ("leave", "the username is taken by account 1")
    assert alone["U1BOB"][:2] == ("update", "differs: first_name, last_name, email")


async def test_an_account_with_a_private_address_is_found_by_its_username(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table(ON)), run_id="test") as runtime:
        nobody_bears_it = [replace(ANN, email="other@a.example.com"), BOB]
        assert (await planned(runtime, nobody_bears_it, page=1))["U1BOB"][2] == 1
