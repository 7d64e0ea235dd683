"""Resetting without Prefect: what holds however the run ends."""

from contextlib import asynccontextmanager

import pytest

from bench.reset import measure
from slack_docebo.domain.decisions import NEVER, Decision, Verdict
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Outcome
from slack_docebo.domain.people import Mapping
from slack_docebo.engine.mappings.resetting import back_up, check_confirmation, delete_planned, plan_reset
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.writing.applying import begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ConfigurationError, NotConfirmed, PlanNotApplicable
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.plans import PlanState
from tests.importing import ON, settings_for

ACME = Workspace("T1", "Acme")
NOWHERE = {"slack_url": "http://127.0.0.1:9/api/", "docebo_url": "http://127.0.0.1:9"}
UNUSED = dict.fromkeys(("slack_token", "docebo_client_id", "docebo_client_secret"), "unused")


@asynccontextmanager
async def installation(url, tmp_path, people=3):
    settings = settings_for({**NOWHERE, **UNUSED}, url, report_dir=tmp_path / "reports")
    async with open_runtime(settings, read_rows(table(ON)), run_id="test") as runtime:
        with runtime.store.transaction() as tables:
            rows = [Mapping(f"U{n}", "T1", f"name {n}", n + 1) for n in range(people)]
            tables.mappings().save(rows, now=runtime.now())
        yield runtime


def count(runtime) -> int:
    with runtime.store.reading() as tables:
        return tables.mappings().count("T1")


async def test_a_plan_is_not_applied_before_its_backup_is_there(database_url, tmp_path):
    async with installation(database_url, tmp_path) as runtime:
        plan_id = plan_reset(runtime, ACME, Accounts(), ())
        with pytest.raises(PlanNotApplicable, match="is abandoned"):
            begin(runtime, plan_id)

        back_up(runtime, ACME, plan_id, ())
        begin(runtime, plan_id)

        assert (delete_planned(runtime, ACME, plan_id), count(runtime)) == (3, 0)


@pytest.mark.long
async def test_who_was_mapped_since_the_plan_stays(database_url, tmp_path):
    async with installation(database_url, tmp_path) as runtime:
        plan_id = plan_reset(runtime, ACME, Accounts(), ())
        with runtime.store.transaction() as tables:
            tables.mappings().save([Mapping("U9", "T1", "late", 99)], now=runtime.now())
        back_up(runtime, ACME, plan_id, ())
        begin(runtime, plan_id)

        assert (delete_planned(runtime, ACME, plan_id), count(runtime)) == (3, 1)


async def test_a_mapping_that_was_moved_since_its_backup_stays_and_is_told_as_skipped(database_url, tmp_path):
    async with installation(database_url, tmp_path) as runtime:
        plan_id = plan_reset(runtime, ACME, Accounts(), ())
        back_up(runtime, ACME, plan_id, ())
        begin(runtime, plan_id)
        with runtime.store.transaction() as tables:
            tables.mappings().save([Mapping("U1", "T1", "name 1", 99)], now=runtime.now())

        deleted = delete_planned(runtime, ACME, plan_id)
        summary = finish(runtime, plan_id)

        with runtime.store.reading() as tables:
            left = [(mapping.slack_id, mapping.docebo_id) for mapping in tables.mappings().all("T1")]
        assert (deleted, left) == (2, [("U1", 99)])
        assert (summary.count("unmap", outcome="applied"), summary.count("unmap", outcome="skipped")) == (2, 1)


@pytest.mark.long
async def test_a_mapping_that_is_not_exactly_in_the_backup_stays(database_url, tmp_path):
    async with installation(database_url, tmp_path, people=5) as runtime:
        plan_id = plan_reset(runtime, ACME, Accounts(), ())
        with runtime.store.transaction() as tables:
            tables.mappings().delete("T1", ["U3"])
        back_up(runtime, ACME, plan_id, ())
        begin(runtime, plan_id)
        with runtime.store.transaction() as tables:
            mappings = tables.mappings()
            mappings.delete("T1", ["U0"])
            removed_and_made_again = Mapping("U0", "T1", "name 0", 1)
            under_a_new_handle = Mapping("U1", "T1", "new name", 2)
            made_after_the_backup = Mapping("U3", "T1", "name 3", 4)
            rows = [removed_and_made_again, under_a_new_handle, made_after_the_backup]
            mappings.save(rows, now=runtime.now())

        deleted = delete_planned(runtime, ACME, plan_id)

        with runtime.store.reading() as tables:
            left = [mapping.slack_id for mapping in tables.mappings().all("T1")]
        assert (deleted, left) == (2, ["U0", "U1", "U3"])
        assert finish(runtime, plan_id).count("unmap", outcome="skipped") == 3


async def test_nothing_is_deleted_without_the_backup(database_url, tmp_path):
    async with installation(database_url, tmp_path) as runtime:
        plan_id = plan_reset(runtime, ACME, Accounts(), ())
        backup, _ = back_up(runtime, ACME, plan_id, ())
        begin(runtime, plan_id)
        backup.unlink()

        with pytest.raises(ConfigurationError, match=backup.name):
            delete_planned(runtime, ACME, plan_id)

        assert count(runtime) == 3


async def test_the_mapping_of_whom_nobody_may_touch_stays_and_is_told_as_skipped(database_url, tmp_path):
    async with installation(database_url, tmp_path) as runtime:
        with runtime.store.transaction() as tables:
            tables.decisions.put("T1", Decision("U1", Verdict.NEVER, why="asked for", by="Grace", since=runtime.now()))
        plan_id = plan_reset(runtime, ACME, Accounts(), ())
        back_up(runtime, ACME, plan_id, ())
        begin(runtime, plan_id)

        deleted = delete_planned(runtime, ACME, plan_id)

        with runtime.store.reading() as tables:
            left = [mapping.slack_id for mapping in tables.mappings().all("T1")]
            [entry] = tables.operations.of_people(plan_id, ["U1"])
        assert (deleted, left) == (2, ["U1"])
        assert (entry.outcome, entry.error, entry.operation.docebo_id) == (Outcome.SKIPPED, NEVER, 2)


async def test_the_journal_tells_what_was_deleted(database_url, tmp_path):
    async with installation(database_url, tmp_path) as runtime:
        plan_id = plan_reset(runtime, ACME, Accounts(), ["U1"])
        back_up(runtime, ACME, plan_id, ["U1"])
        begin(runtime, plan_id)
        delete_planned(runtime, ACME, plan_id)
        again = delete_planned(runtime, ACME, plan_id)
        summary = finish(runtime, plan_id)

        assert (again, count(runtime)) == (0, 2)
        assert (summary.plan.state, summary.count("unmap", outcome="applied")) == (PlanState.APPLIED, 1)


async def test_an_unknown_name_stops_it_before_anything_is_planned(database_url, tmp_path):
    async with installation(database_url, tmp_path) as runtime:
        with pytest.raises(ConfigurationError, match="these Slack users have no mapping: U7"):
            plan_reset(runtime, ACME, Accounts(), ["U1", "U7"])


@pytest.mark.parametrize("typed", ["", "acme", "Ac me", "T1", "everybody of Acme"])
def test_only_the_exact_name_confirms(typed):
    check_confirmation(ACME, ["U1"], "Acme")
    with pytest.raises(NotConfirmed, match=r"1 person .* type exactly this: Acme"):
        check_confirmation(ACME, ["U1"], typed)


@pytest.mark.parametrize("typed", ["", "Acme", "everybody", "Everybody of Acme"])
def test_what_confirms_for_some_does_not_for_everybody(typed):
    check_confirmation(ACME, [], "everybody of Acme")
    with pytest.raises(NotConfirmed, match=r"everybody .* type exactly this: everybody of Acme"):
        check_confirmation(ACME, [], typed)


@pytest.mark.parametrize("typed", ["Acme Corp", " Acme Corp ", "Acme  Corp\u200b"])
def test_a_name_is_confirmed_as_the_page_shows_it(typed):
    shows_less_than_it_has = Workspace("T1", "Acme \u200b Corp ")
    check_confirmation(shows_less_than_it_has, ["U1"], typed)
    check_confirmation(shows_less_than_it_has, [], f"everybody of {typed}")


def test_a_workspace_without_a_name_cannot_be_confirmed_by_typing_nothing():
    for typed in ("", "everybody of "):
        with pytest.raises(NotConfirmed):
            check_confirmation(Workspace("T1", ""), [], typed)


@pytest.mark.long
async def test_the_benchmark_resets_and_restores_every_row():
    assert (await measure(1500))["reset"] > 0
