"""DOCEBO_URL is changed, and the database stays: it belongs to one Docebo, and another is taken up by `relink` only."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.mappings.backups import restorable
from slack_docebo.engine.mappings.relinking import SAMPLE, Relation, relink
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.writing.applying import begin
from slack_docebo.errors import AlreadyRunning, ConfigurationError, NotConfirmed, PlatformMismatch
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store
from tests.importing import ON, mapped, prove, reset, run_import, settings_for
from tests.integration.commands import environment, run
from tests.integration.realtime_world import world

ROWS = {**ON, "LEAVERS": "deactivate"}


@pytest.fixture(scope="module")
def sandboxes():
    with (
        Sandbox(users=60, docebo_users=0, rate_limits=False) as first,
        Sandbox(users=60, docebo_users=0, rate_limits=False) as second,
    ):
        yield first, second


@pytest.fixture
def trial(sandboxes):
    sandboxes[0].reset()
    return sandboxes[0]


@pytest.fixture
def real(sandboxes):
    """Another platform, with customers behind the ids that the first one has given."""
    sandbox = sandboxes[1]
    sandbox.reset()
    for number in range(30):
        address = f"customer{number}@client.example"
        sandbox.docebo.accounts.add(address, email=address, firstname="Cus", lastname=f"Tomer{number}")
    return sandbox


def elsewhere(sandbox, other):
    """The facts of *sandbox* with the Docebo of *other*."""
    return sandbox.facts() | {name: value for name, value in other.facts().items() if name.startswith("docebo")}


def moved(sandbox):
    """The facts of *sandbox* whose Docebo has another address."""
    return sandbox.facts() | {"docebo_url": sandbox.facts()["docebo_url"].replace("127.0.0.1", "localhost")}


async def relinked(facts, url, relation, *, dry_run=False, **changes):
    async with open_runtime(settings_for(facts, url, **changes), read_rows(table(ROWS)), run_id="relink") as runtime:
        return await relink(runtime, relation, dry_run=dry_run)


def accounts(sandbox):
    return {account.user_id: (account.username, account.email, account.active) for account in sandbox.docebo.accounts}


def shown_in_slack_user(url):
    with Store.open(url) as store, store.reading() as tables:
        return {row.slack_id: row.user_id for row in tables.connection.execute(text("SELECT * FROM slack_user"))}


def rows(url, address):
    with Store.open(url) as store, store.reading() as tables:
        return {m.slack_id: m.docebo_id for m in tables.mappings(address).all("T0SANDBOX")}


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.variants(1)
async def test_a_run_at_another_address_stops_before_it_reads_or_writes(trial, real, database_url, tmp_path, dry_run):
    await run_import(settings_for(trial.facts(), database_url, report_dir=tmp_path), rows=ROWS)
    before = accounts(real)
    real.docebo_gate.counters.reset()

    with pytest.raises(PlatformMismatch, match="slack-docebo relink same"):
        await run_import(
            settings_for(elsewhere(trial, real), database_url, report_dir=tmp_path), rows=ROWS, dry_run=dry_run
        )

    assert accounts(real) == before
    assert real.docebo_gate.counters.calls["batch"] == 0


async def test_no_mapping_is_written_for_another_address_by_whatever_road(trial, real, sqlite_url):
    settings = settings_for(trial.facts(), sqlite_url)
    await run_import(settings, rows=ROWS)
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        known = list(tables.mappings(settings.docebo_url).all("T0SANDBOX"))
        with pytest.raises(PlatformMismatch):
            tables.mappings(real.facts()["docebo_url"]).save(known, now=datetime.now(UTC))


@pytest.mark.long
async def test_a_database_without_mappings_goes_wherever_the_address_leads(trial, real, sqlite_url):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS, dry_run=True)

    summary = await run_import(settings_for(elsewhere(trial, real), sqlite_url), rows=ROWS)

    assert summary.count(Kind.CREATE, outcome=Outcome.APPLIED) > 0


@pytest.mark.long
async def test_the_same_platform_under_a_new_address_keeps_everything(trial, usual_database_url, tmp_path):
    settings = settings_for(trial.facts(), usual_database_url, report_dir=tmp_path)
    first = await run_import(settings, rows=ROWS)
    await run_import(settings, rows=ROWS)
    before = mapped(usual_database_url, "T0SANDBOX")

    done = await relinked(moved(trial), usual_database_url, Relation.SAME, report_dir=tmp_path)

    assert (done.asked, done.alike) == (SAMPLE, SAMPLE)
    again = settings_for(moved(trial), usual_database_url, report_dir=tmp_path)
    summary = await run_import(again, rows=ROWS)
    assert summary.count() == sum(summary.plan.left_as_before.values())
    assert mapped(usual_database_url, "T0SANDBOX") == before
    with pytest.raises(PlatformMismatch):
        await run_import(settings, rows=ROWS)
    async with open_runtime(again, read_rows(table(ROWS)), run_id="undo") as runtime:
        begin(runtime, plan_undo(runtime, first.plan.id))


def test_when_everybody_was_imported_last_is_known_of_a_platform_at_its_new_address(sqlite_url):
    now = datetime.now(UTC)
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        tables.platforms.take("https://former.example.com")
        tables.milestones.reach("https://former.example.com", Milestone.IMPORT, now=now)
        tables.platforms.move("https://former.example.com", "https://new.example.com")

        assert tables.milestones.last("https://new.example.com", now=now) == {Milestone.IMPORT: now}


async def test_without_mappings_the_accounts_that_people_were_given_prove_the_platform(trial, sqlite_url):
    without = {**ROWS, "MAP_SLACK_USER_DATA": "false"}
    settings = settings_for(trial.facts(), sqlite_url)
    prove(settings)
    await run_import(settings, rows=without)
    await run_import(settings, rows=without)

    await relinked(moved(trial), sqlite_url, Relation.SAME)

    summary = await run_import(settings_for(moved(trial), sqlite_url), rows=without)
    assert summary.count(outcome=Outcome.APPLIED) == 0


@pytest.mark.long
@pytest.mark.parametrize("relation", Relation)
async def test_the_form_restores_a_backup_of_before_where_the_platform_is_the_same(trial, real, sqlite_url, relation):
    settings = settings_for(trial.facts(), sqlite_url)
    await run_import(settings, rows=ROWS)
    async with open_runtime(settings, read_rows(table(ROWS)), run_id="reset") as runtime:
        backup = await reset(runtime)
    await run_import(settings, rows=ROWS)
    facts = moved(trial) if relation is Relation.SAME else elsewhere(trial, real)
    await relinked(facts, sqlite_url, relation)

    async with open_runtime(settings_for(facts, sqlite_url), read_rows(table(ROWS)), run_id="restore") as runtime:
        if relation is Relation.SAME:
            assert restorable(runtime, "T0SANDBOX", backup) > 0
        else:
            with pytest.raises(ConfigurationError, match="docebo is another platform than DOCEBO_URL"):
                restorable(runtime, "T0SANDBOX", backup)


async def test_another_platform_is_not_taken_for_the_same(trial, real, sqlite_url):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    address = trial.facts()["docebo_url"]
    before = rows(sqlite_url, address)

    with pytest.raises(NotConfirmed, match=f"0 of {SAMPLE} accounts of people"):
        await relinked(elsewhere(trial, real), sqlite_url, Relation.SAME)

    assert rows(sqlite_url, address) == before
    assert linked(sqlite_url) == address


@pytest.mark.long
async def test_a_few_accounts_that_were_changed_or_deleted_disprove_nothing(trial, sqlite_url):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    some = sorted(mapped(sqlite_url, "T0SANDBOX").values())
    trial.docebo.edit(some[0], {"username": "renamed@example.com"})

    done = await relinked(moved(trial), sqlite_url, Relation.SAME)

    assert done.alike == SAMPLE - 1


async def test_who_reads_slack_user_sees_the_mappings_of_the_linked_platform_alone(trial, real, sqlite_url):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    before = shown_in_slack_user(sqlite_url)

    await relinked(elsewhere(trial, real), sqlite_url, Relation.ANOTHER)
    between = shown_in_slack_user(sqlite_url)
    await run_import(settings_for(elsewhere(trial, real), sqlite_url), rows=ROWS)
    after = shown_in_slack_user(sqlite_url)

    assert before.keys() == after.keys() != set()
    assert between == {}
    assert before.items().isdisjoint(after.items())
    await relinked(trial.facts(), sqlite_url, Relation.ANOTHER)
    assert shown_in_slack_user(sqlite_url) == before


@pytest.mark.long
async def test_another_platform_has_mappings_of_its_own_and_the_old_ones_are_kept(trial, real, sqlite_url):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    former, address = trial.facts()["docebo_url"], real.facts()["docebo_url"]
    before = rows(sqlite_url, former)
    customers = accounts(real)

    await relinked(elsewhere(trial, real), sqlite_url, Relation.ANOTHER)
    summary = await run_import(settings_for(elsewhere(trial, real), sqlite_url), rows=ROWS)

    assert summary.count(Kind.CREATE, outcome=Outcome.APPLIED) == len(rows(sqlite_url, address))
    assert rows(sqlite_url, former) == before
    assert {docebo_id: accounts(real)[docebo_id] for docebo_id in customers} == customers
    await relinked(trial.facts(), sqlite_url, Relation.ANOTHER)
    assert (await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)).count(outcome=Outcome.APPLIED) == 0


async def test_after_a_relink_by_a_clock_that_was_ahead_there_is_a_way_back(trial, real, sqlite_url):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=50)):
        await relinked(elsewhere(trial, real), sqlite_url, Relation.ANOTHER)

    await relinked(trial.facts(), sqlite_url, Relation.ANOTHER)

    assert (await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)).count(outcome=Outcome.APPLIED) == 0


async def test_a_table_of_the_mappings_of_another_platform_is_not_taken_over(trial, real, sqlite_url, tmp_path):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    before, table_ = rows(sqlite_url, trial.facts()["docebo_url"]), str(tmp_path / "mappings.csv")
    assert run(environment(trial.facts(), sqlite_url, tmp_path), "mappings", "export", table_).returncode == 0

    await relinked(elsewhere(trial, real), sqlite_url, Relation.ANOTHER)
    env = environment(elsewhere(trial, real), sqlite_url, tmp_path) | {"COLUMNS": "1000", "SLACK_TEAM_ID": "T0SANDBOX"}
    restored = run(env, "mappings", "restore", table_)
    imported = run(env, "mappings", "import", table_)

    assert (restored.returncode, imported.returncode) == (2, 2)
    assert "docebo is another platform than DOCEBO_URL" in restored.stdout
    assert "docebo is another platform than DOCEBO_URL" in imported.stdout
    assert rows(sqlite_url, real.facts()["docebo_url"]) == {}
    await relinked(trial.facts(), sqlite_url, Relation.ANOTHER)
    assert run(environment(trial.facts(), sqlite_url, tmp_path), "mappings", "restore", table_).returncode == 0
    assert rows(sqlite_url, trial.facts()["docebo_url"]) == before


@pytest.mark.long
async def test_what_was_applied_to_another_platform_is_not_taken_as_done(trial, real, sqlite_url, tmp_path):
    person = trial.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    async with world(trial, sqlite_url, tmp_path) as here:
        await here.settle([person])
        same_again = here.event(person)
    await relinked(elsewhere(trial, real), sqlite_url, Relation.ANOTHER)

    both = _Both(trial, real)
    async with world(both, sqlite_url, tmp_path) as here:
        here.put(same_again)
        await here.serve()

    assert [a for a in real.docebo.accounts if a.email == "ada@example.com"]


class _Both:
    """The Slack of one sandbox and the Docebo of another."""

    def __init__(self, slack, docebo):
        self._facts = elsewhere(slack, docebo)
        self.slack, self.slack_gate = slack.slack, slack.slack_gate
        self.docebo, self.docebo_gate = docebo.docebo, docebo.docebo_gate

    def facts(self):
        return self._facts


@pytest.mark.long
async def test_a_dry_run_and_a_run_at_work_leave_the_database_where_it_is(trial, real, sqlite_url):
    settings = settings_for(trial.facts(), sqlite_url)
    await run_import(settings, rows=ROWS)

    planned = await relinked(elsewhere(trial, real), sqlite_url, Relation.ANOTHER, dry_run=True)
    assert "would be linked" in planned.line
    with (
        Store.open(sqlite_url) as store,
        RunLock(store, settings.docebo_url, PlanKind.BULK_IMPORT),
        pytest.raises(AlreadyRunning),
    ):
        await relinked(elsewhere(trial, real), sqlite_url, Relation.ANOTHER)

    assert linked(sqlite_url) == settings.docebo_url


async def test_there_is_nothing_to_relink_where_the_address_is_the_same(trial, sqlite_url):
    with pytest.raises(ConfigurationError, match="linked to no Docebo yet"):
        await relinked(trial.facts(), sqlite_url, Relation.ANOTHER)
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    with pytest.raises(ConfigurationError, match="already; set DOCEBO_URL to the new address first"):
        await relinked(trial.facts(), sqlite_url, Relation.SAME)


@pytest.mark.long
async def test_the_command_relinks_once_it_is_confirmed(trial, sqlite_url, tmp_path):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    env = environment(moved(trial), sqlite_url, tmp_path)

    stopped = run(env, "plan", "make")
    asked = run(env, "relink", "same")
    done = run(env, "relink", "same", "--yes")

    assert (stopped.returncode, asked.returncode, done.returncode) == (2, 2, 0)
    assert "slack-docebo relink same" in stopped.stderr
    assert f"{SAMPLE} of {SAMPLE} accounts of people" in done.stdout
    assert linked(sqlite_url) == moved(trial)["docebo_url"]


def linked(url):
    with Store.open(url) as store, store.reading() as tables:
        return tables.platforms.linked().address


@pytest.mark.long
async def test_the_doctor_tells_of_another_address(trial, real, sqlite_url, tmp_path):
    await run_import(settings_for(trial.facts(), sqlite_url), rows=ROWS)
    env = environment(elsewhere(trial, real), sqlite_url, tmp_path)

    told = run({**env, "COLUMNS": "1000"}, "doctor").stdout

    assert "slack-docebo relink another" in told
