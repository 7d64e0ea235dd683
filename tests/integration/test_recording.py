"""What is changed in the mapping while a call waits, or is under way, is neither acted against nor taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.recording import REMAPPED, record
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.operations import RowOutcome
from tests.importing import ON, plan_import, run_import, settings_for
from tests.integration.realtime_world import world

BY_HAND = 4711


@pytest.fixture
def sandbox():
    with Sandbox(users=12, docebo_users=0, rate_limits=False) as running:
        yield running


def rename(sandbox, member):
    sandbox.slack.change(member["id"], {"profile": {"last_name": "Married"}})


def leave(sandbox, member):
    sandbox.slack.deactivate(member["id"])


def members(sandbox):
    return [user for user in sandbox.slack if user["profile"].get("email") and not user["deleted"]][:2]


@pytest.mark.parametrize(
    ("change", "leavers", "kind"),
    [(rename, "keep", Kind.UPDATE), (leave, "deactivate", Kind.DEACTIVATE), (leave, "unmap", Kind.UNMAP)],
)
@pytest.mark.variants(1)
async def test_a_mapping_that_somebody_corrects_during_a_call_is_not_moved_back(
    sandbox, sqlite_url, change, leavers, kind
):
    rows = {**ON, "LEAVERS": leavers, "LIMIT_DEACTIVATIONS": "none", "LIMIT_UNMAPPINGS": "none"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    one, other = members(sandbox)
    for member in (one, other):
        change(sandbox, member)
    async with open_runtime(settings, read_rows(table(rows)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)
        with runtime.store.transaction() as tables:
            batch = tables.operations.pending(plan_id, kind, 100)
            team = batch[0][1].slack_team
            corrected = replace(
                tables.mappings(settings.docebo_url).of(team, [one["id"]])[one["id"]], docebo_id=BY_HAND
            )
            tables.mappings(settings.docebo_url).save([corrected], now=runtime.now())

        record(runtime, plan_id, batch, [RowOutcome(seq, Outcome.APPLIED, op.docebo_id) for seq, op in batch])

        with runtime.store.reading() as tables:
            mapped = tables.mappings(settings.docebo_url).of(team, [one["id"], other["id"]])
            told = {row.operation.slack_id: row for row in tables.operations.rows(plan_id)}
    assert mapped[one["id"]].docebo_id == BY_HAND
    assert told[one["id"]].error == REMAPPED
    assert told[one["id"]].outcome is (Outcome.SKIPPED if kind is Kind.UNMAP else Outcome.APPLIED)
    assert told[other["id"]].outcome is Outcome.APPLIED


async def test_an_account_that_another_run_is_just_shutting_is_given_to_nobody(sandbox, sqlite_url):
    rows = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "REHIRES": "hand-over"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    former = members(sandbox)[0]
    leave(sandbox, former)
    async with open_runtime(settings, read_rows(table(rows)), run_id="run") as runtime:
        shutting = await plan_import(runtime)
        back = sandbox.slack.add("New", "Id", former["profile"]["email"])
        giving = await plan_import(runtime)
        begin(runtime, giving)
        with runtime.store.transaction() as tables:
            [(seq, _)] = tables.operations.pending(shutting, Kind.DEACTIVATE, 100)
            tables.intents.note(shutting, [seq], flow_run="another", now=runtime.now())
            batch = tables.operations.pending(giving, Kind.UPDATE, 100)
        [(seq, operation)] = batch
        assert operation.passes_mapping

        record(runtime, giving, batch, [RowOutcome(seq, Outcome.APPLIED, operation.docebo_id)])

        with runtime.store.reading() as tables:
            mapped = tables.mappings(settings.docebo_url).of(operation.slack_team, [former["id"], back["id"]])
            told = [row.error for row in tables.operations.rows(giving) if row.seq == seq]
    assert list(mapped) == [former["id"]]
    assert told == [REMAPPED]


@pytest.mark.long
async def test_a_mapping_that_somebody_deletes_during_a_call_stays_so_and_who_deactivated_is_kept(sandbox, sqlite_url):
    rows = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"}
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=rows)
    leaver = members(sandbox)[0]
    leave(sandbox, leaver)
    async with open_runtime(settings, read_rows(table(rows)), run_id="run") as runtime:
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)
        with runtime.store.transaction() as tables:
            [(seq, operation)] = tables.operations.pending(plan_id, Kind.DEACTIVATE, 100)
            tables.mappings(settings.docebo_url).delete(operation.slack_team, [operation.slack_id])

        record(runtime, plan_id, [(seq, operation)], [RowOutcome(seq, Outcome.APPLIED, operation.docebo_id)])

        with runtime.store.reading() as tables:
            assert not tables.mappings(settings.docebo_url).of(operation.slack_team, [operation.slack_id])
            known = tables.applied(settings.docebo_url).of(operation.slack_team, [operation.slack_id])
    assert known[operation.slack_id].deactivated


@pytest.mark.long
async def test_nothing_is_sent_for_a_mapping_that_is_corrected_after_its_batch_was_checked(
    sandbox, sqlite_url, monkeypatch
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings)
    one, other = members(sandbox)
    for member in (one, other):
        rename(sandbox, member)

    async with open_runtime(settings, read_rows(table(ON)), run_id="run") as runtime:

        async def by_hand(*_):
            with runtime.store.transaction() as tables:
                mappings = tables.mappings(settings.docebo_url)
                [mapping] = mappings.of(sandbox.slack.team.id, [one["id"]]).values()
                mappings.save([replace(mapping, docebo_id=BY_HAND)], now=runtime.now())
            return []

        monkeypatch.setattr("slack_docebo.engine.writing.applying.ask_whether_still_so", by_hand)
        plan_id = await plan_import(runtime)
        begin(runtime, plan_id)
        await apply_accounts(runtime, plan_id, lambda _: None)

    names = {member["id"]: sandbox.docebo.accounts.by_username(member["profile"]["email"]) for member in (one, other)}
    assert names[other["id"]].lastname == "Married"
    assert names[one["id"]].lastname != "Married"


@pytest.mark.long
async def test_what_an_event_has_written_since_the_list_was_read_is_in_doubt(sandbox, sqlite_url, tmp_path):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings)
    one, other = members(sandbox)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1)):
        for member in (one, other):
            rename(sandbox, member)
        async with open_runtime(settings, read_rows(table(ON)), run_id="run") as runtime:
            plan_id = await plan_import(runtime)
            begin(runtime, plan_id)
            async with world(sandbox, sqlite_url, tmp_path) as here:
                sandbox.slack.change(one["id"], {"profile": {"last_name": "Twice"}})
                here.put(here.event(one["id"]))
                await here.serve()
            with runtime.store.reading() as tables:
                batch = tables.operations.pending(plan_id, Kind.UPDATE, 100)

            record(runtime, plan_id, batch, [RowOutcome(seq, Outcome.APPLIED, op.docebo_id) for seq, op in batch])

            with runtime.store.reading() as tables:
                known = tables.mappings(settings.docebo_url).of(sandbox.slack.team.id, [one["id"], other["id"]])
    assert (known[one["id"]].fingerprint, bool(known[other["id"]].fingerprint)) == ("", True)
