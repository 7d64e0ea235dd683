from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import select

from slack_docebo.domain.people import Mapping
from slack_docebo.errors import StorageError
from slack_docebo.storage.schema import mapping
from slack_docebo.storage.store import Store
from tests.examples import examples

NOW = datetime(2026, 3, 4, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ADA = Mapping("U1", "T1", "ada", 7, fingerprint="f1", echo="e1")
BOB = Mapping("U2", "T1", "bob", 8)
CYD = Mapping("U3", "T1", "cyd", 9)


def save(store: Store, *mappings: Mapping, now: datetime = NOW) -> None:
    with store.transaction() as tables:
        tables.mappings().save(mappings, now=now)


def saved(store: Store, team: str = "T1") -> list[Mapping]:
    with store.reading() as tables:
        return list(tables.mappings().all(team))


def times(store: Store, slack_id: str) -> tuple[datetime, datetime]:
    with store.reading() as tables:
        row = tables.connection.execute(select(mapping).where(mapping.c.slack_id == slack_id)).one()
        return row.mapped_at, row.changed_at


def test_what_is_saved_comes_back_in_the_order_of_slack_ids(store):
    save(store, BOB, ADA)

    assert saved(store) == [ADA, BOB]


def test_saving_again_changes_what_differs(store):
    save(store, ADA, BOB)
    save(store, replace(ADA, slack_name="countess", fingerprint="f2"), now=LATER)

    assert saved(store) == [replace(ADA, slack_name="countess", fingerprint="f2"), BOB]
    assert times(store, "U1") == (NOW, LATER)


def test_saving_an_equal_mapping_changes_nothing(store):
    save(store, ADA)
    save(store, ADA, now=LATER)

    assert times(store, "U1") == (NOW, NOW)


def test_another_account_is_a_new_mapping(store):
    save(store, ADA)
    save(store, replace(ADA, docebo_id=70), now=LATER)

    assert times(store, "U1") == (LATER, LATER)


def test_the_last_of_several_mappings_of_one_user_counts(store):
    save(store, ADA, replace(ADA, docebo_id=70))

    assert saved(store) == [replace(ADA, docebo_id=70)]


def test_accounts_move_between_people_in_any_order(store):
    save(store, ADA, BOB, CYD)
    in_a_circle = [replace(ADA, docebo_id=8), replace(BOB, docebo_id=9), replace(CYD, docebo_id=7)]
    save(store, *in_a_circle)

    assert saved(store) == in_a_circle


def test_an_account_that_somebody_else_holds_is_not_taken_away(store):
    save(store, ADA)

    with pytest.raises(StorageError, match=r"share a Docebo account \(7\): unmap one of them"):
        save(store, BOB, replace(CYD, docebo_id=7))
    assert saved(store) == [ADA]


def test_two_people_cannot_be_given_one_account(store):
    with pytest.raises(StorageError, match=r"share a Docebo account \(7\)"):
        save(store, ADA, replace(BOB, docebo_id=7))
    assert saved(store) == []


def test_two_people_who_are_given_one_account_at_the_same_moment_are_refused(store):
    """The check before the write sees neither; the unique constraint does."""
    save(store, ADA)

    with pytest.raises(StorageError, match=r"(?i)unique"), store.transaction() as tables:
        tables.mappings()._upsert("T1", [replace(BOB, docebo_id=7)], NOW)
    assert saved(store) == [ADA]


def test_workspaces_do_not_see_each_other(store):
    elsewhere = replace(ADA, slack_team="T2")
    save(store, ADA, elsewhere)

    with store.transaction() as tables:
        repository = tables.mappings()
        assert repository.delete("T2", ["U1"]) == 1
        assert repository.count("T1") == 1
        assert repository.count("T2") == 0
        assert repository.of("T2", ["U1"]) == {}
        assert repository.holders("T2", [7]) == {}


@pytest.mark.long
def test_people_and_accounts_are_looked_up_by_the_thousand(store):
    crowd = [Mapping(f"U{number:05}", "T1", "", number) for number in range(1, 2501)]
    save(store, *crowd)

    with store.reading() as tables:
        repository = tables.mappings()
        assert repository.of("T1", [f"U{number:05}" for number in range(5000)]) == {m.slack_id: m for m in crowd}
        assert repository.holders("T1", range(5000)) == {m.docebo_id: m.slack_id for m in crowd}
        assert list(repository.all("T1")) == crowd
        assert repository.count("T1") == 2500


def test_deleting_tells_how_many_there_were(store):
    save(store, ADA, BOB, CYD)

    with store.transaction() as tables:
        assert tables.mappings().delete("T1", ["U1", "U1", "U9"]) == 1
        assert tables.mappings().delete("T1", []) == 0
        assert tables.mappings().delete("T1", ["U2", "U3"]) == 2
    assert saved(store) == []


def test_all_who_are_mapped_in_a_workspace_are_listed_by_slack_id(store):
    save(store, BOB, ADA, replace(CYD, slack_team="T2"))

    with store.reading() as tables:
        assert list(tables.mappings().slack_ids("T1")) == ["U1", "U2"]


def test_the_newest_update_applied_is_remembered(store):
    save(store, ADA, BOB)
    with store.transaction() as tables:
        repository = tables.applied()
        repository.advance("T1", {"U1": 1700000200, "U9": 1}, now=NOW)
        repository.advance("T1", {"U1": 1700000100}, now=NOW)
        repository.advance("T1", {}, now=NOW)
    save(store, replace(ADA, slack_name="countess"))

    with store.reading() as tables:
        stamps = tables.applied().stamps("T1", ["U1", "U2", "U8", "U9"], now=NOW)
    assert stamps == {"U1": 1700000200, "U2": 0, "U9": 1}


@pytest.mark.long
@pytest.mark.parametrize("name", ["Åsa 👩‍💻", "nul \0 byte", "half a pair \ud83d", "'; DROP TABLE slack_user; --"])
def test_any_name_can_be_stored_and_stored_again(store, name):
    save(store, replace(ADA, slack_name=name))
    save(store, replace(ADA, slack_name=name), now=LATER)

    assert saved(store)[0].slack_name == name.replace("\0", "?").replace("\ud83d", "?")
    assert times(store, "U1") == (NOW, NOW)


slack_ids = st.sampled_from(["U1", "U2", "U3", "U4"])
rows = st.builds(
    Mapping,
    slack_id=slack_ids,
    slack_team=st.just("T1"),
    slack_name=st.sampled_from(["", "a", "b"]),
    docebo_id=st.integers(1, 5),
    fingerprint=st.sampled_from(["", "f"]),
)
steps = st.one_of(
    st.tuples(st.just("save"), st.lists(rows, max_size=4)),
    st.tuples(st.just("delete"), st.lists(slack_ids, max_size=3)),
    st.tuples(st.just("reset and restore"), st.none()),
    st.tuples(st.just("reset"), st.none()),
)


@pytest.mark.long
@examples(5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(script=st.lists(steps, max_size=8))
def test_the_table_equals_a_dictionary_whatever_is_saved_and_deleted(store, script):
    model: dict[str, Mapping] = {}
    with store.transaction() as tables:
        tables.mappings().delete("T1", list(tables.mappings().slack_ids("T1")))
    for step, argument in script:
        if step == "save":
            wanted = model | {mapping.slack_id: mapping for mapping in argument}
            if len({mapping.docebo_id for mapping in wanted.values()}) < len(wanted):
                with pytest.raises(StorageError):
                    save(store, *argument)
            else:
                save(store, *argument)
                save(store, *argument, now=LATER)
                model = wanted
        else:
            with store.transaction() as tables:
                repository = tables.mappings()
                before = list(repository.all("T1"))
                gone = list(model) if argument is None else argument
                assert repository.delete("T1", gone) == len(model.keys() & set(gone))
                if step == "reset and restore":
                    repository.save(before, now=NOW)
                else:
                    model = {id_: m for id_, m in model.items() if id_ not in gone}
        assert {mapping.slack_id: mapping for mapping in saved(store)} == model
        with store.reading() as tables:
            assert LATER not in tables.connection.scalars(select(mapping.c.changed_at)).all()
