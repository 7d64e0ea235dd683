"""A database of the release before this one is opened by this one, while that one's webhook may still be at work."""

import json
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Inspector, create_engine, inspect, select, text

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.people import Mapping
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.mappings.mapping_file import MappingFile
from slack_docebo.engine.mappings.restoring import restore_file
from slack_docebo.storage.events import Event, EventState
from slack_docebo.storage.mappings import MappingRecord
from slack_docebo.storage.plans import PlanKind, PlanState
from slack_docebo.storage.schema import platform
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables
from slack_docebo.storage.wake_ups import WakeUp
from tests import former_release
from tests.former_release import BACKUP, DOCEBO, TEAM, moment, rows
from tests.integration.realtime_world import world
from tests.postgresql import PostgresServer

LATER = datetime(2026, 12, 1, tzinfo=UTC)  # when each of its claims has lapsed
# The company's; one tried with a second Docebo; one that is linked to a third; two of which nobody knows any more.
TEAMS = (TEAM, "T0SECOND", "T0LINKED", "T0FORMER", "T0OLDEST")
TABLES_OF_THE_WEBHOOK = ("inbox_event", "wake_up", "workspace_link", "proven_read")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def untouched(kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> str:
    """The database as that release left it: a file, or the name of a database to copy."""
    if kind == "sqlite":
        path = tmp_path_factory.mktemp("former") / "store.db"
        former_release.make_sqlite(path)
        return str(path)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create_database()
    former_release.make_postgresql(server.url(name))
    return name


@pytest.fixture
def former_url(kind: str, untouched: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database as that release left it."""
    if kind == "sqlite":
        yield f"sqlite:///{shutil.copy(untouched, tmp_path / 'store.db')}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create_database(copy_of=untouched)
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def migrated(former_url: str) -> Iterator[Store]:
    with Store.open(former_url) as store:
        yield store


@pytest.fixture(scope="module")
def looked_at(
    kind: str, untouched: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Store]:
    """A migrated database for tests that change nothing."""
    if kind == "sqlite":
        url = f"sqlite:///{shutil.copy(untouched, tmp_path_factory.mktemp('migrated') / 'store.db')}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.url(server.create_database(copy_of=untouched))
    with Store.open(url) as store:
        yield store


@pytest.mark.long
def test_the_fixture_holds_what_a_migration_can_meet():
    mappings = rows("slack_user")
    events = rows("inbox_event")
    outcomes = {(row["kind"], row["outcome"]) for row in rows("operation")}

    assert len(mappings) > 10_000
    assert Counter(row["fingerprint"] == "deactivated" for row in mappings)[True] > 0
    assert any(row["echo"] for row in mappings)
    assert not all(row["fingerprint"] for row in mappings)
    assert {len(of_team(team)) > 0 for team in TEAMS} == {True}
    assert len({row["user_id"] for row in mappings}) < len(mappings), "accounts of two Docebos have the same number"
    assert any(row["slack_updated"] for row in mappings)
    assert {row["state"] for row in rows("plan")} == {state.value for state in PlanState}
    since = {PlanKind.CUSTOM_FIELDS, PlanKind.MANAGERS, PlanKind.MOVES}  # which that release does not know
    assert {row["kind"] for row in rows("plan")} == {kind.value for kind in set(PlanKind) - since}
    assert {kind for kind, _ in outcomes} == {kind.value for kind in set(Kind) - {Kind.MOVE}}
    assert {outcome for _, outcome in outcomes} == {outcome.value for outcome in Outcome}
    assert any(row["prior"] for row in rows("operation"))
    assert {row["state"] for row in events} == {state.value for state in EventState}
    assert any(row["attempts"] and row["state"] == "waiting" for row in events)
    assert {row["profile"] is None for row in events} == {True, False}
    assert all(rows(table) for table in ("proven_read", "workspace_link", "batch_gate", "call_budget", "wake_up"))


def of_team(team: str) -> list[former_release.Row]:
    return [row for row in rows("slack_user") if row["slack_team"] == team]


def test_every_mapping_is_found(looked_at):
    columns = ("slack_id", "slack_name", "slack_team", "user_id")
    expected = {tuple(row[column] for column in columns) for row in rows("slack_user")}

    with looked_at.reading() as tables:
        as_people_find_it = {
            tuple(row) for row in tables.connection.execute(text(f"SELECT {', '.join(columns)} FROM slack_user"))
        }
        mappings = [record.mapping for record in records(tables)]

    assert as_people_find_it == expected
    assert {(one.slack_id, one.slack_name, one.slack_team, one.docebo_id) for one in mappings} == expected
    assert len(mappings) == len(expected)


@pytest.mark.long
def test_what_was_last_applied_of_a_person_is_known(looked_at):
    expected = {
        (row["slack_team"], row["slack_id"]): (*remembered(row), row["slack_updated"]) for row in rows("slack_user")
    }

    with looked_at.reading() as tables:
        known = {
            (record.mapping.slack_team, record.mapping.slack_id): (*of(record.mapping), record.slack_updated)
            for record in records(tables)
        }

    assert known == expected


def records(tables: Tables) -> list[MappingRecord]:
    """Return the mappings on every platform; those of no known address are found by any address that is new."""
    addresses = tables.connection.scalars(select(platform.c.address)).all()
    repositories = [tables.mappings(address or "https://new.example") for address in addresses]
    return [record for one in repositories for team in TEAMS for record in one.records(team)]


def remembered(row: former_release.Row) -> tuple[str, str, bool]:
    """Return fingerprint, echo, and whether we deactivated the account, which stood in the fingerprint then."""
    deactivated = row["fingerprint"] == "deactivated"
    return ("" if deactivated else row["fingerprint"], row["echo"], deactivated)


def of(one: Mapping | Operation) -> tuple[str, str, bool]:
    return (one.fingerprint, one.echo, one.deactivated)


@pytest.mark.long
def test_every_plan_is_found_with_every_operation_and_what_became_of_it(looked_at):
    expected: dict[str, list[dict[str, Any]]] = {row["id"]: [] for row in rows("plan")}
    for row in rows("operation"):
        expected[row["plan_id"]].append(row)

    for header in rows("plan"):
        with looked_at.reading() as tables:
            plan = tables.plans.read(header["id"])
            entries = list(tables.operations.rows(plan.id))
        assert (plan.kind, plan.state, plan.docebo, plan.slack_team, plan.flow_run) == tuple(
            header[name] for name in ("kind", "state", "docebo", "slack_team", "flow_run")
        )
        assert (plan.created_at, plan.finished_at) == (moment(header["created_at"]), moment(header["finished_at"]))
        assert (plan.settings, plan.facts) == (json.loads(header["settings"]), json.loads(header["facts"]))
        assert [told(entry) for entry in entries] == [as_told(row) for row in expected[plan.id]]


def told(entry: Any) -> tuple[Any, ...]:
    operation = entry.operation
    who = (entry.seq, operation.slack_id, operation.slack_team, operation.slack_name, operation.docebo_id)
    what = (operation.kind, operation.reason, operation.changes, operation.before, operation.maps)
    return (*who, *what, *of(operation), operation.prior, entry.outcome, entry.error, entry.done_at, entry.flow_run)


def as_told(row: former_release.Row) -> tuple[Any, ...]:
    prior = json.loads(row["prior"] or "null")
    who = (row["seq"], row["slack_id"], row["slack_team"], row["slack_name"], row["docebo_id"])
    what = (row["kind"], row["reason"], json.loads(row["changes"]), json.loads(row["before"]), bool(row["maps"]))
    if prior:
        fingerprint, echo, deactivated = remembered(prior)
        prior = Mapping(
            row["slack_id"],
            row["slack_team"],
            prior["slack_name"],
            prior["docebo_id"],
            fingerprint=fingerprint,
            echo=echo,
            deactivated=deactivated,
        )
    return (*who, *what, *remembered(row), prior, row["outcome"], row["error"], moment(row["done_at"]), row["flow_run"])


def test_every_event_is_found_in_its_state(looked_at):
    with looked_at.reading() as tables:
        entries = {entry.event.event_id: entry for entry in tables.inbox.oldest(1000)}

    assert entries.keys() == {row["event_id"] for row in rows("inbox_event")}
    for row in rows("inbox_event"):
        entry = entries[row["event_id"]]
        assert entry.event == event_of(row)
        assert (entry.state, entry.attempts, entry.error) == (row["state"], row["attempts"], row["error"])
        assert (entry.due_at, entry.done_at) == (moment(row["due_at"]), moment(row["done_at"]))


def event_of(row: former_release.Row) -> Event:
    received_at = moment(row["received_at"])
    assert received_at is not None
    names = ("event_id", "slack_team", "slack_id", "updated", "kind")
    profile = json.loads(row["profile"] or "null")
    return Event(**{name: row[name] for name in names}, received_at=received_at, profile=profile)


def test_reads_links_and_the_state_of_the_calls_are_found(looked_at):
    with looked_at.reading() as tables:
        last = {row["source"]: (row["people"], row["pages"], moment(row["proven_at"])) for row in rows("proven_read")}
        for source, told_ in last.items():
            read = tables.reads.last(source)
            assert read
            assert (read.people, read.pages, read.proven_at) == told_
        for row in rows("workspace_link"):
            link = tables.links.get(row["docebo"])
            assert link
            assert (link.slack_team, link.slack_team_name) == (row["slack_team"], row["slack_team_name"])
            assert link.pinned_at == moment(row["pinned_at"])
        gate = tables.connection.execute(text("SELECT docebo, holder FROM batch_gate")).one()
        assert tuple(gate) == (DOCEBO, rows("batch_gate")[0]["holder"])
        assert tables.connection.scalar(text("SELECT arrival FROM call_budget")) == rows("call_budget")[0]["arrival"]
        assert tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC)
        assert tables.wake_ups.is_due(WakeUp.RECONCILIATION, LATER, pause=timedelta(minutes=10))


@pytest.mark.long
def test_what_waits_and_what_a_dead_run_had_in_work_can_be_claimed_and_what_is_parked_replayed(migrated):
    def of(*states: EventState) -> set[str]:
        return {row["event_id"] for row in rows("inbox_event") if row["state"] in states}

    with migrated.transaction() as tables:
        inbox = tables.inbox
        claimed = {entry.event.event_id for entry in inbox.claim("a run", 1000, LATER)}
        replayed = inbox.replay(None, LATER)
        anew = {entry.event.event_id for entry in inbox.claim("a run", 1000, LATER)}

    assert claimed == of(EventState.WAITING, EventState.CLAIMED)
    assert anew == of(EventState.PARKED)
    assert replayed == len(anew)


@pytest.mark.long
def test_its_backup_can_be_restored(migrated):
    file = MappingFile(BACKUP, team=TEAM)
    was_reset = {row["slack_id"]: row["docebo_id"] for row in rows("operation") if row["reason"] == "reset"}

    taken = restore_file(migrated, DOCEBO, file, dry_run=False)

    assert taken.refused == []
    assert taken.changed == len(was_reset) > 0
    with migrated.reading() as tables:
        mappings = tables.mappings(DOCEBO)
        assert mappings.count(TEAM) == len(of_team(TEAM)) + len(was_reset)
        restored = mappings.of(TEAM, was_reset)
    assert {slack_id: one.docebo_id for slack_id, one in restored.items()} == was_reset
    assert sum(one.deactivated for one in restored.values()) == 2


@pytest.mark.long
async def test_its_saved_plan_is_applied(tmp_path):
    with Sandbox(users=12_200, docebo_users=10_500, rate_limits=False) as sandbox:  # as made_by.py had it
        docebo = sandbox.facts()["docebo_url"]
        former_release.make_sqlite(tmp_path / "store.db", docebo)
        with sqlite3.connect(tmp_path / "store.db") as connection:  # the calls made then are long over, by any clock
            connection.executescript("UPDATE batch_gate SET busy_since = NULL; DELETE FROM call_budget")
        header = ("bulk-import", "planned", "test-run")
        saved = next(row for row in rows("plan") if (row["kind"], row["state"], row["flow_run"]) == header)
        planned = [row for row in rows("operation") if (row["plan_id"], row["outcome"]) == (saved["id"], "planned")]
        accounts = sandbox.docebo.accounts
        # Of an account that the first import corrected or created, this sandbox knows nothing: it has changed since.
        still = [row for row in planned if as_it_was(accounts.get(row["docebo_id"]), json.loads(row["before"]))]
        for row in still:
            if row["kind"] == "update":  # so Slack had it when the plan was made
                sandbox.slack.change(row["slack_id"], {"profile": json.loads(row["changes"])})
        async with world(sandbox, f"sqlite:///{tmp_path}/store.db", tmp_path) as here:
            summary = await apply_saved(here.runtime, saved["id"], lambda _: None)
            mapped = {row["slack_id"]: row["docebo_id"] for row in still if row["kind"] == "map"}

            assert summary.count(Kind.UPDATE, Kind.MAP, outcome=Outcome.APPLIED) == len(still)
            assert summary.count(outcome=Outcome.SKIPPED) == len(planned) - len(still)
            assert {row["kind"] for row in still} == {"update", "map"}
            renamed = {accounts[row["docebo_id"]].lastname for row in still if row["kind"] == "update"}
            assert renamed == {"Still planned"}
            assert {slack_id: here.docebo_id(slack_id) for slack_id in mapped} == mapped


def as_it_was(account: Any, before: dict[str, Any]) -> bool:
    return account is not None and account.lastname == before.get("last_name", account.lastname)


@pytest.mark.long
def test_its_webhook_goes_on_storing_events_in_the_migrated_database(kind, former_url, migrated):
    engine = create_engine(former_url.replace("postgresql:", "postgresql+psycopg:"))
    connection = engine.raw_connection()
    cursor = connection.cursor()
    for statement in former_release.webhook_statements(kind):
        assert statement.text
        cursor.execute(statement.text, statement.parameters)
    connection.commit()
    connection.close()
    engine.dispose()

    with migrated.transaction() as tables:
        inbox = tables.inbox
        claimed = {entry.event.event_id: entry.event for entry in inbox.claim("a run", 1000, LATER)}
    assert claimed["Ev0"].profile["email"] == "p0@example.com"
    assert claimed["Ev0"].slack_id == "U000000000"


@pytest.mark.variants(1)
def test_a_migration_whose_process_dies_leaves_everything_as_it_was(former_url):
    dying = """
        import os, sys
        from sqlalchemy import Engine, event
        from slack_docebo.storage.store import Store

        def die(connection, cursor, statement, *_):
            if "CREATE TABLE schema_contract" in statement:
                os._exit(9)

        event.listen(Engine, "after_cursor_execute", die)
        Store.open(sys.argv[1])
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(dying), former_url], check=False)
    engine = create_engine(former_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        tables = set(inspect(connection).get_table_names())
        mappings = connection.scalar(text("SELECT count(*) FROM slack_user"))
    engine.dispose()

    assert ended.returncode == 9
    assert found == "0003"
    assert "schema_contract" not in tables
    assert mappings == len(rows("slack_user"))
    with Store.open(former_url) as store, store.reading() as tables:
        assert len(records(tables)) == mappings


@pytest.mark.long
def test_the_tables_of_the_webhook_are_only_ever_added_to(former_url):
    engine = create_engine(former_url.replace("postgresql:", "postgresql+psycopg:"))
    before = {table: columns(inspect(engine), table) for table in TABLES_OF_THE_WEBHOOK}
    keys = {table: inspect(engine).get_pk_constraint(table) for table in TABLES_OF_THE_WEBHOOK}
    Store.open(former_url).close()
    after = inspect(engine)

    for table, former in before.items():
        today = columns(after, table)
        assert {name: today.get(name) for name in former} == former, f"{table} has lost or changed a column"
        added = [today[name] for name in today.keys() - former.keys()]
        assert all(column["nullable"] or column["default"] for column in added), f"{table} asks for a column"
        assert after.get_pk_constraint(table) == keys[table]
        assert len(after.get_unique_constraints(table)) == len(after.get_foreign_keys(table)) == 0
        assert not any(index["unique"] for index in after.get_indexes(table))
    engine.dispose()


def columns(inspector: Inspector, table: str) -> dict[str, dict[str, Any]]:
    """Return type, nullability and default of the columns of *table*."""
    return {
        column["name"]: {
            "type": str(column["type"]),
            "nullable": column["nullable"],
            "default": column["default"],
        }
        for column in inspector.get_columns(table)
    }
