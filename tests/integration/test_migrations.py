from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Inspector, create_engine, event, inspect, select, text

from slack_docebo.domain.decisions import Decision, Verdict
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.targets import EXPIRATION
from slack_docebo.storage.migrations import HEAD
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.schema import metadata, schema_contract
from slack_docebo.storage.sightings import Written
from slack_docebo.storage.store import Store
from slack_docebo.storage.upgrade import SCRIPTS


@pytest.fixture
def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.set_main_option("path_separator", "os")
    return made


def engine_of(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def described(inspector: Inspector) -> dict[str, Any]:
    """Everything a database tells about its tables, except Alembic's own."""
    return {
        table: {
            "columns": [
                {name: str(value) for name, value in column.items()} for column in inspector.get_columns(table)
            ],
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": inspector.get_foreign_keys(table),
            "indexes": sorted(inspector.get_indexes(table), key=lambda index: str(index["name"])),
            "unique": inspector.get_unique_constraints(table),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def test_the_head_on_record_is_the_newest_revision(config):
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_every_revision_since_the_contract_says_which_code_can_work_on_what_it_leaves(config):
    scripts = list(reversed(list(ScriptDirectory.from_config(config).walk_revisions())))
    told = {script.revision: getattr(script.module, "oldest", None) for script in scripts}
    since = [revision for revision, oldest in told.items() if oldest is not None]

    assert all(len(revision) == 4 and revision.isdigit() for revision in told), "newer or older is told by comparing"
    assert list(told) == sorted(told)
    assert since == list(told)[-len(since) :], "a migration says nothing of it"
    assert [told[revision] for revision in since] == sorted(told[revision] for revision in since)
    assert all(since[0] <= told[revision] <= revision for revision in since)


def test_a_migrated_database_says_which_code_can_work_on_it(empty_url, config):
    with Store.open(empty_url) as store, store.reading() as tables:
        oldest = list(tables.connection.scalars(select(schema_contract.c.oldest)))

    assert oldest == [ScriptDirectory.from_config(config).get_revision(HEAD).module.oldest]


@pytest.mark.long
def test_alembic_finds_no_difference_between_migrations_and_schema(database_url):
    engine = engine_of(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


@pytest.mark.variants(1)
def test_migrations_make_the_very_tables_of_the_schema(empty_url, config):
    Store.open(empty_url).close()
    engine = engine_of(empty_url)
    migrated = described(inspect(engine))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP VIEW slack_user")
    metadata.drop_all(engine)
    metadata.create_all(engine)
    made = described(inspect(engine))
    engine.dispose()

    assert migrated == made


@pytest.mark.variants(1)
def test_downgrading_leaves_nothing_and_upgrading_again_works(empty_url, config):
    Store.open(empty_url).close()
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    left = set(inspect(engine).get_table_names())
    engine.dispose()

    assert left == {"alembic_version"}
    with Store.open(empty_url) as store, store.reading() as tables:
        assert set(inspect(tables.connection).get_table_names()) == {*metadata.tables, "alembic_version"}


@pytest.mark.long
def test_what_was_acknowledged_before_it_could_stand_beside_a_decision_is_kept_for_this_release_and_the_former(
    empty_url, config
):
    Store.open(empty_url).close()
    engine = engine_of(empty_url)
    verdicts = {"U1": "leave it so", "U2": "never this person", "U3": "this account"}
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0028")
        for slack_id, verdict in verdicts.items():
            reason = "no room\nno branch" if verdict == "leave it so" else ""
            connection.execute(
                text(
                    "INSERT INTO decision VALUES ('T1', :id, :verdict, 'why', 'Bob', '2026-11-01 00:00:00', :reason, 7)"
                ),
                {"id": slack_id, "verdict": verdict, "reason": reason},
            )

    with Store.open(empty_url) as store, store.reading() as tables:
        acknowledged, binding = tables.decisions.acknowledged("T1"), tables.decisions.binding("T1")
    with engine.connect() as connection:
        read_by_the_former = dict(connection.execute(text("SELECT slack_id, verdict FROM decision")).tuples().all())
    engine.dispose()

    assert {one: (seen.reasons, seen.why, seen.by) for one, seen in acknowledged.items()} == {
        "U1": (("no room", "no branch"), "why", "Bob")
    }
    assert {one: str(made.verdict) for one, made in binding.items()} == {
        "U2": "never this person",
        "U3": "this account",
    }
    assert read_by_the_former == verdicts


def test_which_end_accounts_had_before_we_let_them_expire_is_taken_out_of_the_plans_of_then(empty_url, config):
    docebo, now = "https://learn.example.com", datetime(2026, 11, 1, tzinfo=UTC)
    ends = [("2027-01-31", EXPIRATION), ("", EXPIRATION), ("2027-01-31", "active")]  # of what was shut, and by what
    shut = [
        Operation(
            f"U{n}", "T1", "", Kind.DEACTIVATE, reason="left", docebo_id=n, changes={by: by}, before={EXPIRATION: end}
        )
        for n, (end, by) in enumerate(ends, 1)
    ]
    with Store.open(empty_url) as store, store.transaction() as tables:
        tables.plans.create(Plan("p1", PlanKind.BULK_IMPORT, now, docebo, "T1"))
        tables.operations.add("p1", 0, shut)
        done = [RowOutcome(seq, Outcome.APPLIED, op.docebo_id) for seq, op in enumerate(shut)]
        tables.operations.record("p1", done, now=now, flow_run="run")
        tables.sightings(docebo).note_written(map(Written, (1, 2, 3)), now=now)
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0033")
    engine.dispose()

    with Store.open(empty_url) as store, store.reading() as tables:
        assert tables.expirations(docebo).of([1, 2, 3]) == {1: "2027-01-31", 2: ""}


@pytest.mark.long
def test_what_the_former_release_acknowledges_and_takes_back_beside_this_one_counts(empty_url):
    since = datetime(2026, 11, 1, tzinfo=UTC)
    formers = {"team": "T1", "verdict": "leave it so", "why": "why", "by": "Bob", "reason": "no room"}
    write = text("INSERT INTO decision VALUES (:team, :id, :verdict, :why, :by, :since, :reason, NULL)")
    with Store.open(empty_url) as store:
        with store.transaction() as tables:
            for slack_id in ("U1", "U2", "U3", "U4"):
                tables.connection.execute(write, {"id": slack_id, "since": since, **formers})
        with store.transaction() as tables:
            decisions = tables.decisions
            decisions.put("T1", Decision("U1", Verdict.NEVER, why="why", by="Ann", since=since))
            decisions.put(
                "T1", Decision("U2", Verdict.LEAVE_SO, why="why", by="Ann", since=since, reasons=("no branch",))
            )
            assert decisions.take_back("T1", "U3", acknowledged_alone=True) == 1
            tables.connection.execute(text("DELETE FROM decision WHERE slack_id = 'U4'"))
        with store.reading() as tables:
            seen, binding = tables.decisions.acknowledged("T1"), tables.decisions.binding("T1")

    assert {one: (made.by, made.reasons) for one, made in seen.items()} == {
        "U1": ("Bob", ("no room",)),
        "U2": ("Ann", ("no branch",)),
    }
    assert {one: made.by for one, made in binding.items()} == {"U1": "Ann"}


@pytest.mark.long
def test_a_database_is_made_although_python_is_slow_to_collect_cursors(empty_url):
    cursors = []

    def keep(_connection: Any, cursor: Any, *_: Any) -> None:
        cursors.append(cursor)

    event.listen(Engine, "after_cursor_execute", keep)
    try:
        with Store.open(empty_url) as store:
            assert store.url
    finally:
        event.remove(Engine, "after_cursor_execute", keep)
    assert cursors
