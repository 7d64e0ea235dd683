import csv
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from slack_docebo.domain.people import LastSeen, Mapping
from slack_docebo.engine.mappings.mapping_file import LARGEST, MappingFile, armoured, bared, write_mappings
from slack_docebo.engine.mappings.restoring import Taken, import_file, restore_file
from slack_docebo.errors import ConfigurationError, StorageError
from slack_docebo.storage.mappings import MappingRecord
from slack_docebo.storage.store import Store
from tests.examples import examples

NOW = datetime(2026, 3, 4, 12, 30, 15, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ADA = Mapping("U1", "T1", "ada", 7, fingerprint="f1", echo="e1")
BOB = Mapping("U2", "T1", "bob", 8)
CYD = Mapping("U3", "T1", "cyd", 9)
HEADER = "slack_id,slack_name,slack_team,user_id"


def save(store: Store, *mappings: Mapping) -> None:
    with store.transaction() as tables:
        repository = tables.mappings()
        repository.save(mappings, now=NOW)
        stamps = {mapping.slack_id: 1_700_000_000 + mapping.docebo_id for mapping in mappings}
        tables.applied().advance("T1", stamps, now=NOW)


def delete_all(store: Store) -> None:
    with store.transaction() as tables:
        tables.mappings().delete("T1", list(tables.mappings().slack_ids("T1")))


def records(store: Store) -> list[MappingRecord]:
    with store.reading() as tables:
        return list(tables.mappings().records("T1"))


def mappings(store: Store) -> list[Mapping]:
    return [record.mapping for record in records(store)]


def export(store: Store, path: Path) -> int:
    with store.reading() as tables:
        return write_mappings(path, tables.mappings().records("T1"))


def restored(store: Store, path: Path, *, dry_run: bool = False) -> Taken:
    return restore_file(store, "", MappingFile(path, team="T1"), dry_run=dry_run)


def imported(store: Store, path: Path, *lines: str, dry_run: bool = False) -> Taken:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return import_file(store, "", MappingFile(path, team="T1", team_name="Acme"), now=LATER, dry_run=dry_run)


def refused(taken: Taken) -> dict[int, str]:
    return {row.line: row.reason for row in taken.refused}


texts = st.one_of(
    st.sampled_from(["=1+1", "'=1", "''=1", "'t Hooft", "@ada", " -2", "\t+3", "\r\n=x", 'ada, "the"\ncountess', "🦊"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


@pytest.mark.long
@examples(5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(names=st.lists(texts, max_size=12))
def test_export_delete_restore_brings_every_row_back_to_the_last_column(store, tmp_path_factory, names):
    path = tmp_path_factory.mktemp("export") / "mappings.csv"
    delete_all(store)
    save(store, *(Mapping(f"U{n}", "T1", name, n + 1, fingerprint=f"f{n}", echo=name) for n, name in enumerate(names)))
    before = records(store)
    export(store, path)
    delete_all(store)

    assert (restored(store, path).changed, records(store)) == (len(names), before)


@pytest.mark.long
@given(text=texts)
def test_no_cell_is_a_formula_and_every_text_is_read_back(text):
    cell = armoured(text)

    assert cell.lstrip()[:1] not in {"=", "+", "-", "@"}
    assert cell[:1] not in {"\t", "\r", "\n"}
    assert bared(cell) == text


@pytest.mark.long
@given(text=texts)
def test_a_text_that_nobody_armoured_keeps_its_apostrophe_unless_it_hides_a_formula(text):
    foreign = f"'{text}"

    assert bared(foreign) in {foreign, text}
    assert bared("'t Hooft") == "'t Hooft"


@pytest.mark.long
def test_restoring_twice_changes_nothing_the_second_time(store, tmp_path):
    save(store, ADA, BOB)
    export(store, tmp_path / "b.csv")

    assert restored(store, tmp_path / "b.csv") == Taken(0, [])


@pytest.mark.long
def test_restoring_takes_accounts_that_moved_since_back(store, tmp_path):
    save(store, ADA, BOB)
    with store.transaction() as tables:  # else the rows are claims
        seen = {7: LastSeen("digest of ada"), 8: LastSeen("digest of bob")}
        tables.sightings("").note_seen(seen, now=NOW)
    before = records(store)
    export(store, tmp_path / "b.csv")
    save(store, Mapping("U1", "T1", "ada", 8), Mapping("U2", "T1", "bob", 7), CYD)

    restored(store, tmp_path / "b.csv")

    assert [record.mapping for record in records(store)[:2]] == [record.mapping for record in before]
    assert [record.slack_updated for record in records(store)[:2]] == [1_700_000_008, 1_700_000_008]  # the newest stays
    assert mappings(store)[2] == CYD


@pytest.mark.long
def test_an_account_that_somebody_else_holds_is_not_taken_away_and_nothing_is_written(store, tmp_path):
    save(store, ADA, BOB)
    export(store, tmp_path / "b.csv")
    delete_all(store)
    save(store, Mapping("U3", "T1", "cyd", 8))
    taken = restored(store, tmp_path / "b.csv")

    assert refused(taken) == {3: "the account is held by U3: unmap that one first"}
    assert mappings(store) == [Mapping("U3", "T1", "cyd", 8)]


def test_two_rows_of_one_person_under_two_ids_are_refused_and_nothing_is_written(store, tmp_path):
    save(store, ADA)
    with store.transaction() as tables:
        tables.people.note_ids("T1", {"W1": "U1"})
    delete_all(store)

    taken = imported(store, tmp_path / "t.csv", HEADER, "U1,ada,T1,7", "U2,bob,T1,8", "W1,ada,T1,9")

    assert refused(taken) == dict.fromkeys((2, 4), "this person is named more than once, under several Slack ids")
    assert mappings(store) == []


def test_a_table_may_name_people_by_the_id_that_they_had_before_the_company_joined_grid(store, tmp_path):
    save(store, ADA)
    path = tmp_path / "mappings.csv"
    export(store, path)
    with store.transaction() as tables:
        tables.people.note_ids("T1", {"W1": "U1"})
        tables.mappings().pass_on("T1", {"U1": "W1"}, now=LATER)

    assert restored(store, path) == Taken(0, [])
    twice = imported(store, tmp_path / "twice.csv", HEADER, "U1,ada,T1,70", "W1,ada,T1,7")
    assert refused(twice) == dict.fromkeys((2, 3), "this Slack user is named more than once")
    assert imported(store, tmp_path / "moved.csv", HEADER, "U1,ada,T1,70") == Taken(1, [])
    assert [(one.slack_id, one.docebo_id) for one in mappings(store)] == [("W1", 70)]


@pytest.mark.long
def test_a_dry_run_says_what_would_change_and_changes_nothing(store, tmp_path):
    save(store, ADA, BOB)
    export(store, tmp_path / "b.csv")
    delete_all(store)

    assert restored(store, tmp_path / "b.csv", dry_run=True) == Taken(2, [])
    assert mappings(store) == []


def test_a_backup_is_for_its_owner_only_and_never_written_over_another(store, tmp_path):
    path = tmp_path / "new" / "b.csv"
    save(store, ADA)
    export(store, path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["b.csv"]
    with pytest.raises(StorageError, match="is there already"):
        export(store, path)


def test_a_truncated_backup_is_refused_by_line(store, tmp_path):
    save(store, ADA, BOB)
    path = tmp_path / "b.csv"
    export(store, path)
    path.write_text(path.read_text()[:-20])

    assert list(refused(restored(store, path))) == [3]


@pytest.mark.variants(2)
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:00-23:59", "2026-01-01T00:00:00"])
def test_a_time_that_no_clock_shows_is_refused_by_line(store, tmp_path, moment):
    save(store, ADA)
    path = tmp_path / "b.csv"
    export(store, path)
    path.write_text(path.read_text().replace(NOW.isoformat(), moment))

    assert list(refused(restored(store, path))) == [2]


@pytest.mark.parametrize(
    ("text", "line"), [("a" * 200_000 + "," + HEADER, 1), (f"{HEADER}\nU1,{'a' * 200_000},T1,7", 2)]
)
def test_a_cell_that_csv_does_not_hold_is_told_with_its_line(store, tmp_path, text, line):
    with pytest.raises(ConfigurationError, match=f"t.csv, line {line}: not CSV"):
        imported(store, tmp_path / "t.csv", text)


def test_a_table_from_elsewhere_is_imported(store, tmp_path):
    save(store, ADA)
    taken = imported(
        store,
        tmp_path / "t.csv",
        "User_ID;Slack_Name;SLACK_ID;Slack Team;note",
        "7;countess;U1;T1;x",
        "8;bob;U2;;x",
        "9;cyd;U3;Acme;x",
    )

    assert taken == Taken(3, [])
    assert mappings(store) == [Mapping("U1", "T1", "countess", 7, fingerprint="f1", echo="e1"), BOB, CYD]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffslack_id,slack_name,slack_team,user_id\nU1,ada,T1,7\n,,,\n",
        "sep=;\nslack_id;slack_name;slack_team;user_id\n\nU1;ada;T1;7\n",
    ],
    ids=["byte order mark, blank rows", "named separator"],
)
def test_a_table_is_imported_that_was_pasted_from_a_file_of_a_spreadsheet(text):
    pasted = MappingFile(text, team="T1")

    assert [record.mapping.docebo_id for _, record in pasted.mappings(now=LATER)] == [7]
    assert pasted.bad == []


@pytest.mark.long
def test_an_imported_account_that_differs_forgets_what_was_written_to_the_old_one(store, tmp_path):
    save(store, ADA)
    imported(store, tmp_path / "t.csv", HEADER, "U1,ada,T1,70")

    assert records(store) == [MappingRecord(Mapping("U1", "T1", "ada", 70), 1_700_000_007, LATER, LATER)]


def test_importing_the_same_again_changes_nothing(store, tmp_path):
    save(store, ADA)
    before = records(store)

    assert imported(store, tmp_path / "t.csv", HEADER, "U1,ada,T1,7").changed == 0
    assert records(store) == before


def test_every_row_that_cannot_be_used_is_named_by_its_line_and_nothing_is_written(store, tmp_path):
    save(store, ADA)
    taken = imported(
        store,
        tmp_path / "t.csv",
        HEADER,
        "U2,fine,T1,8",
        "u3,bad id,T1,9",
        'U4,"two\nlines",T1,ten',
        "U5,other team,T9,11",
        "U6,short,T1",
        "",
        "U2,again,T1,12",
        "U7,shared,T1,8",
        "U8,held,T1,7",
    )

    assert refused(taken) == {
        2: "this account is given to more than one Slack user",
        3: "slack_id is not a Slack user id like U012AB3CD",
        4: "user_id is not the number of a Docebo user",
        6: "slack_team is not the linked workspace, T1",
        7: "3 cells, the first line has 4",
        9: "this Slack user is named more than once",
        10: "this account is given to more than one Slack user",
        11: "the account is held by U1: unmap that one first",
    }
    assert mappings(store) == [ADA]


def test_a_file_without_the_columns_is_refused(store, tmp_path):
    with pytest.raises(ConfigurationError, match="the first line lacks the columns slack_team, user_id"):
        imported(store, tmp_path / "t.csv", "slack_id,slack_name", "U1,ada")


def test_of_two_columns_with_one_name_nobody_can_tell_which_is_meant(store, tmp_path):
    with pytest.raises(ConfigurationError, match="the first line has more than one column user_id"):
        imported(store, tmp_path / "t.csv", f"{HEADER},User ID", "U1,ada,T1,7,8")
    assert imported(store, tmp_path / "t.csv", f"{HEADER},,", "U1,ada,T1,7,,").changed == 1


def test_a_file_that_is_not_text_is_refused(store, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(HEADER.encode() + b"\nU1,\xff,T1,7\n")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        import_file(store, "", MappingFile(path, team="T1"), now=NOW, dry_run=False)


def test_a_missing_file_is_named(store, tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        restored(store, tmp_path / "none.csv")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_told_and_not_waited_for(store, tmp_path, make):
    make(tmp_path / "t.csv")
    with pytest.raises(ConfigurationError, match=r"t\.csv is no regular file"):
        restored(store, tmp_path / "t.csv")


@pytest.mark.long
def test_a_file_that_is_too_large_is_told(store, tmp_path):
    with (tmp_path / "t.csv").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ConfigurationError, match=r"t\.csv is larger than 100 MB"):
        restored(store, tmp_path / "t.csv")


def test_an_export_holds_no_formula_and_opens_in_any_program(store, tmp_path):
    save(store, Mapping("U1", "T1", "=HYPERLINK(1)", 7))
    export(store, tmp_path / "b.csv")
    with (tmp_path / "b.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)

    assert (row["slack_name"], row["user_id"]) == ("'=HYPERLINK(1)", "7")
