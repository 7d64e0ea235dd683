"""What the former table held is found in the tables of people and accounts."""

import threading
from datetime import UTC, datetime

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from slack_docebo.domain.managers import IN_DOUBT
from slack_docebo.domain.people import Applied, Mapping
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.mappings.mapping_file import MappingFile
from slack_docebo.engine.mappings.restoring import restore_file
from slack_docebo.storage.sightings import Written
from slack_docebo.storage.store import Store
from slack_docebo.storage.upgrade import SCRIPTS
from tests.waiting import PATIENCE_SECONDS, until

NOW = datetime(2026, 3, 4, tzinfo=UTC)
OLD, LINKED, OTHER = "https://old.example.com", "https://linked.example.com", "https://other.example.com"
FORMER = f"""
INSERT INTO slack_user VALUES ('T1', 'U1', 'ada', 7, 'f1', 'e1', 1700000000, :now, :now);
INSERT INTO slack_user VALUES ('T1', 'U2', 'bob', 8, 'deactivated', '', 5, :now, :now);
INSERT INTO slack_user VALUES ('T2', 'U1', 'cyd', 7, '', '', 0, :now, :now);
INSERT INTO slack_user VALUES ('T3', 'U3', 'dan', 9, '', '', 0, :now, :now);
INSERT INTO workspace_link VALUES ('{LINKED}', 'T1', 'One', :now);
INSERT INTO workspace_link VALUES ('{OTHER}', 'T2', 'Two', :now);
INSERT INTO plan VALUES ('1done', 'bulk-import', :now, NULL, 'run-1', '{OLD}', 'T1', 'One', 'applied', '{{}}', '{{}}');
INSERT INTO operation VALUES ('1done', 0, 'U2', 'T1', 'bob', 'deactivate', 'left', 8, '{{"active": false}}',
    '{{"active": true}}', true, 'deactivated', '', 'applied', '', :now, 'run-1', NULL);
INSERT INTO plan VALUES ('2saved', 'bulk-import', :now, NULL, 'run-2', '{LINKED}', 'T1', 'One', 'planned', '{{}}', '{{}}');
INSERT INTO operation VALUES ('2saved', 0, 'U2', 'T1', 'bob', 'update', 'differs: active', 8, '{{"active": true}}',
    '{{"active": false}}', true, 'f2', '', 'planned', '', NULL, '',
    '{{"slack_name": "bob", "docebo_id": 8, "fingerprint": "deactivated", "echo": ""}}')
"""


@pytest.fixture
def former_url(empty_url):
    """A database as the release before left it."""
    Store.open(empty_url).close()
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    engine = create_engine(empty_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
        now = "2026-03-04 00:00:00.000000" if engine.dialect.name == "sqlite" else NOW
        for statement in FORMER.split(";\n"):
            connection.execute(text(statement.replace(":now, :now", ":now, :then")), {"now": now, "then": now})
    engine.dispose()
    return empty_url


@pytest.mark.long
def test_every_row_of_the_former_table_is_found_on_the_platform_it_is_of(former_url):
    with Store.open(former_url) as store, store.reading() as tables:
        seen = tables.connection.execute(text("SELECT * FROM slack_user ORDER BY slack_team, slack_id")).all()
        of_t1 = list(tables.mappings(OLD).records("T1"))
        of_t2 = list(tables.mappings(OTHER).all("T2"))
        elsewhere = list(tables.mappings(LINKED).all("T1"))

    assert [tuple(row) for row in seen] == [
        ("U1", "ada", "T1", 7), ("U2", "bob", "T1", 8), ("U1", "cyd", "T2", 7), ("U3", "dan", "T3", 9)
    ]  # fmt: skip
    ada, bob = (
        Mapping("U1", "T1", "ada", 7, fingerprint="f1", echo="e1"),
        Mapping("U2", "T1", "bob", 8, deactivated=True),
    )
    assert [(record.mapping, record.slack_updated, record.mapped_at, record.changed_at) for record in of_t1] == [
        (ada, 1700000000, NOW, NOW), (bob, 5, NOW, NOW)
    ]  # fmt: skip
    assert of_t2 == [Mapping("U1", "T2", "cyd", 7)]
    assert elsewhere == []


@pytest.mark.long
def test_mappings_of_no_known_docebo_are_taken_over_by_the_first_run_that_says_which(former_url):
    first = "https://first.example.com"
    with Store.open(former_url) as store, store.transaction() as tables:
        assert list(tables.mappings(first).all("T3")) == [Mapping("U3", "T3", "dan", 9)]
        tables.platforms.take(first)
        assert list(tables.mappings(first).all("T3")) == [Mapping("U3", "T3", "dan", 9)]
        assert list(tables.mappings("https://second.example.com").all("T3")) == []


@pytest.mark.long
def test_a_saved_plan_of_the_former_release_says_who_deactivated_the_account(former_url):
    with Store.open(former_url) as store, store.reading() as tables:
        (done,) = tables.operations.rows("1done")
        ((_, saved),) = tables.operations.pending("2saved", saved_kind := done.operation.kind.UPDATE, 10)
        run = tables.connection.scalar(text("SELECT deactivated_by FROM account WHERE user_id = 8"))
        (mapped,) = tables.mappings(OLD).of("T1", ["U2"]).values()

    assert (done.operation.deactivated, done.operation.fingerprint) == (True, "")
    assert saved.kind is saved_kind
    assert saved.prior == mapped
    assert run == "run-1"


@pytest.mark.long
def test_a_backup_of_the_former_release_brings_back_that_we_deactivated_an_account(store, tmp_path):
    backup = tmp_path / "backup.csv"
    backup.write_text(
        "slack_id,slack_name,slack_team,user_id,fingerprint,echo,slack_updated,mapped_at,changed_at\n"
        f"U2,bob,T1,8,deactivated,,5,{NOW.isoformat()},{NOW.isoformat()}\n"
    )
    taken = restore_file(store, OLD, MappingFile(backup, team="T1"), dry_run=False)
    again = restore_file(store, OLD, MappingFile(backup, team="T1"), dry_run=False)

    assert (taken.changed, taken.refused, again.changed) == (1, [], 0)
    with store.reading() as tables:
        assert list(tables.mappings(OLD).all("T1")) == [Mapping("U2", "T1", "bob", 8, deactivated=True)]


def test_what_was_applied_outlives_the_mapping(store):
    with store.transaction() as tables:
        mappings = tables.mappings(OLD)
        mappings.save([Mapping("U1", "T1", "ada", 7, fingerprint="f1", echo="e1", deactivated=True)], now=NOW)
        tables.applied(OLD).advance("T1", {"U1": 1700000000}, now=NOW)
        mappings.delete("T1", ["U1"])

    with store.reading() as tables:
        assert tables.applied(OLD).of("T1", ["U1"]) == {"U1": Applied(7, "f1", "e1", deactivated=True)}
        assert tables.applied(OLD).stamps("T1", ["U1"], now=NOW) == {"U1": 1700000000}
        assert tables.applied(OTHER).of("T1", ["U1"]) == {}


def test_an_account_that_passes_on_is_its_new_holders_under_each_id_and_the_former_ones_stamp_stays(store):
    with store.transaction() as tables:
        applied = tables.applied(OLD)
        applied.note("T1", {"U1": Applied(7, "f1"), "U2": Applied(7, "f2"), "U3": Applied(9, "f3")}, now=NOW)
        applied.advance("T1", {"U1": 1700000000}, now=NOW)
        tables.people.note_ids("T1", {"W2": "U2"})
        applied.pass_on("T1", {"W2": 7})

    with store.reading() as tables:
        known = tables.applied(OLD).of("T1", ["U1", "U2", "W2", "U3"])
        assert {slack_id: one.fingerprint for slack_id, one in known.items()} == {"U2": "f2", "W2": "f2", "U3": "f3"}
        assert tables.applied(OLD).stamps("T1", ["U1"], now=NOW) == {"U1": 1700000000}


def test_who_has_another_account_by_the_time_that_the_former_one_passes_on_keeps_that(postgres_url):
    with Store.open(postgres_url) as one, Store.open(postgres_url) as other:
        with one.transaction() as tables:
            tables.applied(OLD).note("T1", {"U1": Applied(7, "f1"), "U2": Applied(7, "f2")}, now=NOW)

        def pass_on() -> None:
            with other.transaction() as tables:
                tables.applied(OLD).pass_on("T1", {"U2": 7})

        heir = threading.Thread(target=pass_on)
        with psycopg.connect(postgres_url, autocommit=True) as onlooker, one.transaction() as tables:
            tables.applied(OLD).note("T1", {"U1": Applied(8, "f8")}, now=NOW)
            heir.start()
            until(lambda: onlooker.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() != (0,))
        heir.join(PATIENCE_SECONDS)

        with one.reading() as tables:
            kept = {slack_id: found.docebo_id for slack_id, found in tables.applied(OLD).of("T1", ["U1", "U2"]).items()}
            assert kept == {"U1": 8, "U2": 7}


@pytest.mark.long
def test_a_person_is_forgotten_on_every_platform_and_of_an_account_of_hers_alone_no_digest_stays(store, tmp_path):
    with store.transaction() as tables:
        for docebo in (OTHER, OLD):
            tables.platforms.relink(docebo, now=NOW)
            tables.mappings(docebo).save([Mapping("U0ADA", "T1", "ada", 7, fingerprint="f1")], now=NOW)
        written = [Written(7, "ada@example.com", "ada@example.com"), Written(8, "bob@example.com")]
        tables.sightings(OLD).note_written(written, now=NOW)

    forget(store, tmp_path, "U0ADA")

    with store.reading() as tables:
        for table in ("person", "identity", "applied", "mapping"):
            assert tables.connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table
        digests = tables.connection.execute(
            text("SELECT user_id FROM account WHERE username_digest <> '' OR address_digest <> ''")
        )
        assert digests.scalars().all() == [8]


def test_an_account_may_have_whoever_was_set_or_sent_until_it_is_known_again(store):
    ada, bob, boss, joan = 7, 8, 9, 10
    direct, mentor = 1, 4
    with store.transaction() as tables:
        managers = tables.managers(OLD)
        managers.note({(ada, direct): boss, (ada, mentor): joan, (bob, direct): boss})
        managers.doubt({(ada, direct): bob})
        managers.doubt({(ada, direct): joan})  # by another run that died

        assert managers.may_have_as(direct) == {ada: [bob, boss, joan], bob: (boss,)}
        assert managers.may_have_as(mentor) == {ada: (joan,)}
        assert managers.of([ada]) == {(ada, direct): IN_DOUBT, (ada, mentor): joan}

        managers.note({(ada, direct): joan})
        managers.doubt({(ada, direct): 0})  # it was to be removed
        managers.doubt_all_of({bob})
        assert managers.may_have_as(direct, [ada, bob]) == {ada: [joan], bob: [boss]}
