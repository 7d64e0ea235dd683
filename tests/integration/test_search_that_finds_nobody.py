"""Docebo's search finds nobody at all, as while its index is built anew: nobody has no account by that."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.storage.events import EventState
from tests.between import Call, between, in_json, showing
from tests.importing import ON, mapped, run_import, settings_for
from tests.integration.realtime_world import world

NOBODY = {"data": {"items": [], "has_more_data": False, "total_count": 0}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=1, docebo_users=4, rate_limits=False) as running:
        yield running


def empty(call: Call):
    return in_json(NOBODY) if "search_text=" in call.path else None


async def test_who_joins_while_docebos_search_finds_nobody_gets_no_second_account(sandbox, sqlite_url, tmp_path):
    account = sandbox.docebo.accounts.add("jdoe", email="jane@example.com", firstname="Jane", lastname="Doe").user_id
    slack_id = sandbox.slack.add("Jane", "Doe", "jane@example.com")["id"]
    is_broken = [True]

    with between(sandbox.docebo_url, lambda call: empty(call) if is_broken else None) as url:
        async with world(sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": url}) as here:
            event = here.event(slack_id, kind="team_join")
            here.put(event)
            await here.serve()
            waits = here.state(event)
            made = [one.username for one in sandbox.docebo.accounts if one.provisioned_by]
            is_broken.clear()
            here.replay(event)
            await here.serve()
            mapped_to = here.docebo_id(slack_id)

    assert (waits, made) == (EventState.PARKED, [])
    assert mapped_to == account


async def test_nobody_under_the_last_username_is_no_witness_where_the_search_finds_nobody(sandbox, sqlite_url):
    sandbox.reset()
    sandbox.docebo.switches = replace(sandbox.docebo.switches, not_found_as_400=True)
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    sandbox.slack.add("Bob", "Lovelace", "bob@example.com")
    rows = {**ON, "LEAVERS": "deactivate", "TARGET_MAY_SHRINK": "99"}
    hidden: set[int] = set()

    def without(call: Call, answer):
        if not (hidden and call.path.startswith("/manage/v1/user?")):
            return None
        return showing(answer, lambda item: int(item["user_id"]) not in hidden)

    def refused(call: Call):
        is_view = hidden and call.method == "GET" and call.path in {f"/manage/v1/user/{one}" for one in hidden}
        error = {"name": "Bad Request", "message": "Invalid parameter.", "code": 0, "status": 400}
        return in_json(error, 400) if is_view else empty(call) if hidden else None

    with between(sandbox.docebo_url, refused, without) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=rows)
        await run_import(settings, rows=rows)
        hidden.add(mapped(sqlite_url, sandbox.slack.team.id)[ada])
        sandbox.slack.deactivate(ada)

        done = await run_import(settings, rows=rows)

    assert done.count(Kind.UNMAP, Kind.CREATE, outcome=Outcome.APPLIED) == 0
    assert {mapped(sqlite_url, sandbox.slack.team.id)[ada]} == hidden
