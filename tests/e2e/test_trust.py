"""Refusal, letting through, overlap and explaining, as runs in Prefect."""

import asyncio
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from types import SimpleNamespace

import pytest

from deployments.local import connection_settings
from sandbox.server import Sandbox
from slack_docebo.clients.prefect import BY_WEBHOOK
from slack_docebo.storage.store import Store
from tests.e2e.prefect_http import is_done, note_crashed, prefect_http, run_by_schedule, set_table
from tests.importing import ON
from tests.waiting import PATIENCE_SECONDS, until

ROOT = Path(__file__).parents[2]
IMPORT = "import asyncio; from flows.bulk_import import bulk_import; asyncio.run(bulk_import(dry_run=False))"
LEAVERS = {**ON, "LEAVERS": "deactivate"}


@pytest.fixture
async def sandbox(prefect_api, empty_database, tmp_path, monkeypatch) -> AsyncIterator[Sandbox]:
    with Sandbox(users=24, rate_limits=False) as running:
        for name, value in connection_settings(running.facts(), tmp_path).items():
            monkeypatch.setenv(name, value)
        await set_table({**ON, "LIMIT_CREATIONS": "1"})
        yield running


@pytest.fixture
def flows(prefect_api) -> SimpleNamespace:
    """The flows, imported with Prefect's settings in place and from outside the event loop."""
    names = {"bulk_import": "bulk_import", "explain_user": "explain_user", "stop": "stop", "go": "stop"}
    names |= {"try_attributes": "try_attributes", "fields": "fields"}
    return SimpleNamespace(
        **{name: getattr(importlib.import_module(f"flows.{module}"), name) for name, module in names.items()}
    )


def wait_until_slack_is_read(sandbox: Sandbox) -> None:
    until(lambda: sandbox.slack_gate.counters.calls["users.list"])


@contextmanager
def import_at_work(sandbox: Sandbox) -> Iterator[int]:
    """Keep a real import waiting for Slack's list, and kill it at the end; yield the id of its process."""
    sandbox.slack_gate.faults.add("users.list", "slow", seconds=10 * PATIENCE_SECONDS)
    with subprocess.Popen([sys.executable, "-c", IMPORT], cwd=ROOT) as process:
        try:
            wait_until_slack_is_read(sandbox)
            yield process.pid
        finally:
            process.kill()
            with prefect_http() as http:
                note_crashed(http)


async def artifacts_of(state):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    async with get_client() as client:
        run = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
        return await client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=run))


async def test_a_run_that_meets_the_order_to_stop_has_its_own_state_and_writes_nothing_until_go(sandbox, flows):
    await set_table(ON)
    before = len(sandbox.docebo.accounts)

    await flows.stop(reason="audit", return_state=True)
    stopped = await flows.bulk_import(dry_run=False, return_state=True)
    assert (stopped.name, stopped.type.value, len(sandbox.docebo.accounts)) == ("Stopped", "FAILED", before)
    assert "(audit)" in stopped.message

    assert (await flows.go(return_state=True)).message == "Runs may write again."
    assert is_done(await flows.bulk_import(dry_run=False, return_state=True))
    assert len(sandbox.docebo.accounts) > before


@pytest.mark.long
async def test_the_reconciliation_of_a_day_on_which_nothing_is_written_is_green_and_what_a_person_starts_is_not(
    sandbox, flows
):
    today = datetime.now(UTC).date()
    await set_table({**ON, "FREEZE": f"{today} to {today + timedelta(days=1)}"})
    before = len(sandbox.docebo.accounts)

    by_night = await run_by_schedule(flows.bulk_import, {"dry_run": False})
    by_hand = await flows.bulk_import(dry_run=False, return_state=True)
    from prefect import tags  # after the fixture has said which server

    with tags(BY_WEBHOOK):
        for_slack = await flows.bulk_import(dry_run=False, return_state=True)

    assert (by_night.name, by_night.is_completed()) == ("Frozen", True)
    assert (for_slack.name, for_slack.is_completed()) == ("Frozen", True)
    assert by_night.message.startswith("Nothing is to be done: nothing is written until the end of ")
    assert (by_hand.name, by_hand.is_failed()) == ("Frozen", True)
    assert len(sandbox.docebo.accounts) == before


async def test_a_refused_run_has_its_own_state_and_its_plan_is_let_through_by_id(sandbox, flows):
    before = len(sandbox.docebo.accounts)

    refused = await flows.bulk_import(dry_run=False, return_state=True)
    assert (refused.name, refused.type.value, len(sandbox.docebo.accounts)) == ("Refused", "FAILED", before)
    plan_id = re.match("Look at plan ([0-9a-z]{8})", refused.message)[1]

    let_through = await flows.bulk_import(dry_run=False, plan_id=plan_id, return_state=True)
    assert is_done(let_through), let_through.message
    assert len(sandbox.docebo.accounts) > before

    account = next(a for a in sandbox.docebo.accounts if a.provisioned_by)
    slack_id = sandbox.slack.by_email(account.email)["id"]
    explained = await flows.explain_user(who=slack_id, return_state=True)
    shown = str([artifact.data for artifact in await artifacts_of(explained)])
    assert explained.is_completed()
    assert explained.message == f"{slack_id}: leave alone (in line)"
    assert str(account.user_id) in shown
    assert account.email not in shown
    assert account.firstname not in shown


@pytest.mark.long
async def test_rules_are_tried_on_twenty_people_before_they_are_saved(sandbox, flows):
    from prefect.variables import Variable  # with Prefect's settings in place

    await Variable.aset("table_offices", {"Europe/Rome": "Roma", "*": "elsewhere"}, overwrite=True)
    rules = 'first_name = upper(first_name), field:Office = "at " + table(offices, time_zone)'
    sandbox.docebo.add_field("Office", "textfield", mandatory=False, invisible_to_user=False)

    tried = await flows.try_attributes(rules=rules, return_state=True)

    artifact = next(one for one in await artifacts_of(tried) if one.key == "tried-attributes")
    rows = json.loads(artifact.data)
    assert (tried.is_completed(), tried.message) == (
        True,
        "tried on 20 people; rules that give a value: 40, that give none: 0",
    )
    assert {row["Slack user"] for row in rows} <= {user["id"] for user in sandbox.slack}
    assert {row["gives"] for row in rows} == {"a value"}
    assert sandbox.docebo_gate.counters.calls["POST /manage/v1/user/batch"] == 0


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("field_1 = lower(titel)", "rule 1: in its expression: at character 7: unknown name"),
        ("field_1 = table(nowhere, title)", "there is no table nowhere: make the Variable table_nowhere in Prefect"),
    ],
)
@pytest.mark.variants(1)
async def test_a_wrong_rule_ends_a_run_before_its_first_call(sandbox, flows, rules, told):
    tried = await flows.try_attributes(rules=rules, return_state=True)
    await set_table({**ON, "ATTRIBUTES": rules})
    imported = await flows.bulk_import(return_state=True)

    assert [state.name for state in (tried, imported)] == ["Failed", "Failed"]
    assert all(told in state.message for state in (tried, imported))
    assert (sandbox.slack_gate.counters.calls.total(), sandbox.docebo_gate.counters.calls.total()) == (0, 0)


@pytest.mark.long
async def test_a_second_run_ends_as_already_running_and_the_place_of_a_dead_one_is_taken(
    sandbox, flows, postgres_url, monkeypatch
):
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    await set_table(ON)
    before = len(sandbox.docebo.accounts)

    with import_at_work(sandbox) as pid:
        second = await flows.bulk_import(dry_run=False, return_state=True)

    assert (second.name, second.type.value) == ("AlreadyRunning", "FAILED")
    assert second.message.startswith(
        f"Start again when the other run has ended: Another run is at work on {sandbox.docebo_url}: import: everybody (process {pid} on {gethostname()}, since "
    )
    assert second.message.endswith("Wait for its end, or cancel it, then run again")
    assert len(sandbox.docebo.accounts) == before

    async with asyncio.timeout(PATIENCE_SECONDS):  # PostgreSQL notices a moment later that nobody is there any more
        while (third := await flows.bulk_import(dry_run=False, return_state=True)).name == "AlreadyRunning":
            pass
    assert is_done(third), third.message
    assert len(sandbox.docebo.accounts) > before


@pytest.mark.parametrize(
    ("left", "missing"),
    [
        pytest.param(
            {"NOTIFICATION_MAIL_ID": "", "MAP_SLACK_USER_DATA": "true"}, "PROVISION_SLACK_USER_DATA", id="row"
        ),
        pytest.param(None, "no Variable integration_settings", id="table"),
    ],
)
@pytest.mark.variants(1)
async def test_settings_deleted_while_a_run_is_at_work_stop_the_next_one(sandbox, flows, left, missing):
    await set_table(LEAVERS)
    before = len(sandbox.docebo.accounts)
    with Store.open(os.environ["DATABASE_URL"]) as store:
        batches = store.lock(f"batch {sandbox.docebo_url}")
        assert batches.try_acquire()  # the run waits before its first write
        at_work = asyncio.create_task(flows.bulk_import(dry_run=False, return_state=True))
        await asyncio.to_thread(wait_until_slack_is_read, sandbox)
        await set_table(left)
        batches.release()
    first = await at_work
    created = len(sandbox.docebo.accounts)
    following = await flows.bulk_import(dry_run=False, return_state=True)

    assert is_done(first), first.message
    assert created > before
    assert (following.name, missing in following.message) == ("Failed", True), following.message
    assert len(sandbox.docebo.accounts) == created

    await set_table(LEAVERS)
    for _ in range(2):
        last = await flows.bulk_import(dry_run=False, return_state=True)
    assert re.fullmatch(
        r"plan \w+ \(applied\): \d+ left alone, 1 of them waiting for somebody's decision", last.message
    ), last.message


@pytest.mark.long
async def test_an_error_while_explaining_is_one_line_that_says_what_to_do(sandbox, flows, monkeypatch, caplog):
    monkeypatch.setenv("DOCEBO_CLIENT_SECRET", "wrong")

    state = await flows.explain_user(who="U024BE7LH", return_state=True)

    assert (state.name, "invalid_client" in state.message) == ("Failed", True)
    assert "\n" not in state.message
    assert "Traceback" not in caplog.text


@pytest.mark.long
async def test_the_fields_of_both_sides_are_a_table_of_a_run(sandbox, flows):
    sandbox.docebo.add_field("Cost centre", "date", mandatory=False, invisible_to_user=False)
    await set_table({**ON, "ATTRIBUTES": 'first_name, last_name, email, field:"Cost centre" = custom:Department'})

    ended = await flows.fields(return_state=True)

    artifact = next(one for one in await artifacts_of(ended) if one.key == "fields")
    rows = {row["name"]: row for row in json.loads(artifact.data)}
    assert re.fullmatch(r"\d+ fields, 8 of them in ATTRIBUTES", ended.message)
    assert rows['field:"Cost centre"']["rules"] == rows["custom:Department"]["rules"] != ""
    assert (rows['field:"Cost centre"']["type"], rows["custom:Department"]["type"]) == ("date", "text")
