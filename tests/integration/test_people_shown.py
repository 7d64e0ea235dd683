"""How Prefect's pages show people: by ids, or by names where a login keeps others out; whoever needs somebody is shown."""

from collections.abc import AsyncIterator, Iterator
from functools import partial

import httpx
import pytest
import respx
from prefect.settings import PREFECT_API_URL, temporary_settings

from slack_docebo.domain.operations import Kind
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.looking.finding import SHOWN, count_in_words, find_people
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.realtime.upkeep import parked_rows, tidy
from slack_docebo.engine.reporting.attention import attention_rows
from slack_docebo.engine.reporting.outcomes import table, tables_by_kind
from slack_docebo.errors import ConfigurationError
from tasks.shown_people import check_people_shown
from tests.importing import run_import
from tests.integration.realtime_world import ON, World, world

IDS, NAMES = PeopleShown.IDS, PeopleShown.NAMES


@pytest.fixture
async def here(shared_sandbox, sqlite_url, tmp_path) -> AsyncIterator[World]:
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, **ON, people_shown="names") as opened:
        yield opened


@pytest.fixture
def ada(here) -> str:
    return here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]


async def imported(here: World, shown: PeopleShown = NAMES, **options):
    return await run_import(here.runtime.settings, rows={**ON, "PEOPLE_SHOWN": shown}, **options)


@pytest.mark.long
async def test_names_and_addresses_are_shown_where_they_are_wanted(here, ada):
    done = await imported(here)

    show = partial(table, here.runtime.store, done.plan.id)
    [row] = [row for row in show(NAMES) if row["Slack user"] == ada]
    assert (row["name"], row["e-mail address"]) == ("Ada Lovelace", "ada@example.com")
    assert not [row for row in show(IDS) if "name" in row]


async def test_each_thing_that_is_done_has_a_table_and_those_left_alone_are_sorted_by_reason(here, ada):
    done = await imported(here)

    found = tables_by_kind(here.runtime.store, done.plan.id, list(Kind), NAMES)
    assert {row["operation"] for row in found[Kind.CREATE]} == {"create"}
    assert ada in {row["Slack user"] for row in found[Kind.CREATE]}
    reasons = [str(row["why"]) for row in found[Kind.LEAVE]]
    assert reasons == sorted(reasons)
    assert "in line" not in reasons
    assert Kind.DEACTIVATE not in found


@pytest.mark.long
async def test_without_being_wanted_nobodys_name_is_kept(here, ada):
    done = await imported(here, IDS)

    with here.runtime.store.reading() as tables:
        assert tables.names.of(here.workspace.team, [ada]) == {}
    assert {row["name"] for row in table(here.runtime.store, done.plan.id, NAMES)} == {""}


@pytest.mark.long
async def test_names_are_deleted_once_they_are_no_longer_wanted(here, ada, sqlite_url, tmp_path):
    await imported(here)
    async with world(here.sandbox, sqlite_url, tmp_path, **ON) as again:
        tidy(again.runtime)

    with here.runtime.store.reading() as tables:
        assert tables.names.of(here.workspace.team, [ada]) == {}


@pytest.mark.long
async def test_a_changed_name_is_shown_as_it_is_now(here, ada):
    await imported(here)
    here.sandbox.slack.change(ada, {"last_name": "King", "real_name": "Ada King"})
    await imported(here)

    with here.runtime.store.reading() as tables:
        assert tables.names.of(here.workspace.team, [ada])[ada].name == "Ada King"


@pytest.mark.long
async def test_who_was_forgotten_has_no_name_any_more(here, ada, tmp_path):
    await imported(here)
    forget(here.runtime.store, tmp_path / "reports", ada)
    await imported(here)

    with here.runtime.store.reading() as tables:
        assert tables.names.of(here.workspace.team, [ada]) == {}


@pytest.mark.long
async def test_a_parked_event_says_whose_it_is(here, ada):
    here.refuse("ada@example.com")
    here.put(here.event(ada))
    for _ in range(5):
        await here.serve()

    [row] = parked_rows(here.runtime.store, NAMES)
    assert (row["Slack user"], row["name"]) == (ada, "Ada Lovelace")
    assert "name" not in parked_rows(here.runtime.store, IDS)[0]


async def test_everybody_who_needs_somebody_is_shown_with_what_to_do(here, ada):
    here.refuse("ada@example.com")
    done = await imported(here)

    rows = attention_rows(here.runtime.store, done.plan.id, NAMES)
    assert len(rows) == done.undecided + 1
    [row] = [row for row in rows if row["Slack user"] == ada]
    assert row["what happened"] == "failed: not created"
    assert "no room" in str(row["what is wrong"])
    assert all(row["what to do"] for row in rows)


@pytest.mark.long
async def test_who_waits_as_before_is_shown_again(here):
    first = await imported(here)
    again = await imported(here)

    assert first.undecided == again.undecided > 0
    assert again.newly_undecided == 0
    assert len(attention_rows(here.runtime.store, again.plan.id, IDS)) == again.undecided


async def called(here: World, words: str) -> set[object]:
    return {row["Slack user"] for row in await find_people(here.runtime, words)}


async def test_people_are_found_by_parts_of_name_and_address_in_any_order(here, ada):
    eve = here.sandbox.slack.add("Ève", "LOVELACE", "eve@example.org")["id"]
    await imported(here)

    assert await called(here, "lovel") == {ada, eve}
    for asked in ("LOVELACE ève", "eve lovelace", "E\u0300ve", "\u200bève lovelace\u2060"):
        assert await called(here, asked) == {eve}
    assert await called(here, "@example.com lovelace") == {ada}
    assert await called(here, "nobody_%") == set()


def test_that_more_people_may_be_called_so_than_are_shown_is_said():
    assert count_in_words(["U1", "U2"]) == "2 people were found"
    assert (
        count_in_words(["U1"] * SHOWN) == "100 people were found; there may be more: give more of the name or address"
    )


async def test_a_whole_address_is_looked_for_in_docebo_too(here, ada):
    account = here.sandbox.docebo.accounts.add(username="cyd", email="cyd@elsewhere.example")

    [row] = await find_people(here.runtime, "cyd@elsewhere.example")

    assert row["Slack user"] == f"docebo:{account.user_id}"


async def test_where_ids_are_shown_nobody_is_looked_for(here, ada, sqlite_url, tmp_path):
    async with world(here.sandbox, sqlite_url, tmp_path, **ON) as by_ids:
        with pytest.raises(ConfigurationError, match="PEOPLE_SHOWN is ids"):
            await find_people(by_ids.runtime, "ada")


@pytest.fixture
def prefect() -> Iterator[respx.Route]:
    """How a Prefect server answers a call without a login."""
    with respx.mock, temporary_settings({PREFECT_API_URL: "http://prefect.test/api"}):
        yield respx.get("http://prefect.test/api/version")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"return_value": httpx.Response(200)}, id="as to anybody"),
        pytest.param({"return_value": httpx.Response(404)}, id="as something else"),
        pytest.param({"side_effect": httpx.ConnectError("refused")}, id="not at all"),
    ],
)
async def test_names_are_refused_unless_prefect_wants_a_login(here, prefect, answer):
    prefect.mock(**answer)

    with pytest.raises(ConfigurationError, match="PEOPLE_SHOWN is names"):
        await check_people_shown(here.runtime.behaviour)


async def test_behind_a_login_names_may_be_shown(here, prefect):
    prefect.respond(401)

    await check_people_shown(here.runtime.behaviour)

    assert prefect.called
