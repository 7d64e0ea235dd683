import csv
import errno
import json
import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.disputes import digest
from slack_docebo.domain.exclusion import FORGOTTEN
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import LastSeen, Mapping, PeopleShown
from slack_docebo.domain.profiles import Profile
from slack_docebo.domain.rules import Shortfall
from slack_docebo.engine.importing import plan_import
from slack_docebo.engine.looking.explaining import explain
from slack_docebo.engine.mappings.forgetting import Traces, find_person, forget, remember, traces
from slack_docebo.engine.mappings.mapping_file import MappingFile, write_mappings
from slack_docebo.engine.mappings.restoring import import_file, restore_file
from slack_docebo.engine.planning.drafts import close_plan
from slack_docebo.engine.planning.named import read_named
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.realtime.round_plans import store_round_plan
from slack_docebo.engine.reporting.files import write_files, write_orphans, write_values
from slack_docebo.engine.reporting.orphans import Orphan, OrphanKind, find_orphans
from slack_docebo.engine.reporting.summary import summary
from slack_docebo.engine.writing.checking import recheck
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.engine.writing.recording import record
from slack_docebo.errors import ConfigurationError, Rejected
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.storage.events import columns_of
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.schema import account, identity, inbox_event, metadata, operation, standing
from slack_docebo.storage.wake_ups import WakeUp
from tests.importing import carry_out
from tests.integration.realtime_world import ON, World, replaced

NAME = "Lovelace"
NOT_OURS = "names the person, but is not a report, an export or a backup as we write them"


@pytest.fixture
async def ada(here: World, tmp_path: Path) -> str:
    """Somebody who left traces everywhere, beside somebody else."""
    ada = here.sandbox.slack.add("Ada", NAME, "ada@example.com")
    grace = here.sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    await here.settle([ada["id"], grace["id"]])
    write_files(here.runtime.store, here.plans()[0].id, tmp_path / "reports")
    return ada["id"]


def everything(here: World, tmp_path: Path) -> bytes:
    """All that is stored, as bytes; the database rewritten without its free pages."""
    with here.runtime.store.reading() as tables:
        rows = [repr(entry) for entry in tables.inbox.oldest(1000)]
        rows += [repr(entry) for plan in here.plans() for entry in tables.operations.rows(plan.id)]
    files = [file.read_bytes() for file in (tmp_path / "reports").iterdir()]
    return b"".join([*files, *(row.encode() for row in rows)])


async def test_a_forgotten_person_is_named_nowhere(here, ada, tmp_path):
    assert NAME.encode() in everything(here, tmp_path)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert (gone.events, gone.mappings, gone.operations, list(gone.rows.values())) == (1, 1, 1, [1, 1])
    left = everything(here, tmp_path)
    assert NAME.encode() not in left
    assert b"ada@example.com" not in left
    assert here.docebo_id(ada) is None


@pytest.mark.long
async def test_what_is_shown_before_is_what_is_erased(here, ada, tmp_path):
    before = everything(here, tmp_path)
    shown = traces(here.runtime.store, tmp_path / "reports", ada)

    assert everything(here, tmp_path) == before
    assert forget(here.runtime.store, tmp_path / "reports", ada) == shown
    assert traces(here.runtime.store, tmp_path / "reports", ada).lines == []


async def test_custom_fields_and_that_somebody_has_left_are_shown_before_they_are_erased(here, tmp_path):
    now = here.runtime.now()
    with here.runtime.store.transaction() as tables:
        tables.profiles.keep("T0HOME", "U0IDA", Profile({"Xf0DEPARTMT": "Law"}, 0, now))
        tables.leavers.note("T0HOME", ["U0IDA"], now=now)

    shown = traces(here.runtime.store, tmp_path / "reports", "U0IDA")
    forget(here.runtime.store, tmp_path / "reports", "U0IDA")
    left = traces(here.runtime.store, tmp_path / "reports", "U0IDA")

    assert shown.lines == ["1 record of custom profile fields", "1 note that the person has left"]
    assert left.lines == []


@pytest.mark.long
async def test_nobody_else_is_touched(here, ada, tmp_path):
    forget(here.runtime.store, tmp_path / "reports", ada)

    plan = here.plans()[0].id
    with (tmp_path / "reports" / f"{plan}.csv").open(newline="") as file:
        assert [row["slack_name"] for row in csv.DictReader(file)] == ["grace.hopper"]
    records = json.loads((tmp_path / "reports" / f"{plan}.json").read_text())
    assert [record["changes"]["username"] for record in records] == ["grace@example.com"]
    assert b"grace@example.com" in everything(here, tmp_path)


@pytest.mark.long
async def test_of_a_backup_the_row_of_that_person_is_erased_and_the_rest_stays_byte_by_byte(here, ada, tmp_path):
    backup = tmp_path / "reports" / "mappings-1abc.csv"
    with here.runtime.store.reading() as tables:
        write_mappings(backup, tables.mappings().records(here.sandbox.slack.team.id))
    before = backup.read_bytes().splitlines(keepends=True)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert gone.rows[backup] == 1
    after = backup.read_bytes().splitlines(keepends=True)
    assert after == [line for line in before if not line.startswith(ada.encode())]
    assert len(after) == len(before) - 1 > 1
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


@pytest.mark.long
async def test_a_file_that_loses_somebodys_rows_is_as_old_as_before(here, ada, tmp_path):
    report = next((tmp_path / "reports").glob("*.csv"))
    os.utime(report, (1_700_000_000, 1_700_000_000))

    forget(here.runtime.store, tmp_path / "reports", ada)

    assert report.stat().st_mtime == 1_700_000_000


async def test_a_word_that_is_no_id_erases_nothing(here, ada, tmp_path):
    before = everything(here, tmp_path)
    for word in ("", " ", "0", "7", "create", "applied", "T0000", "1700000000", "[", "u012ab", "*", f"{ada}\n"):
        with pytest.raises(ConfigurationError, match="give a Slack id"):
            forget(here.runtime.store, tmp_path / "reports", word)
        with pytest.raises(ConfigurationError, match="give a Slack id"):
            traces(here.runtime.store, tmp_path / "reports", word)
    assert everything(here, tmp_path) == before


@pytest.mark.long
async def test_rows_that_only_mention_the_id_stay_other_peoples_and_lose_it(here, ada, tmp_path):
    report = tmp_path / "reports" / "other.csv"
    report.write_text(f"slack_id,reason,changes\r\nU0OTHER,account 5 is mapped to {ada},{ada}\r\n")
    records = tmp_path / "reports" / "other.json"
    records.write_text(json.dumps([{"slack_id": "U0OTHER", "reason": ada}, {"slack_id": f"{ada}9"}]))

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert report.read_text().splitlines()[1] == "U0OTHER,account 5 is mapped to (somebody),(somebody)"
    assert json.loads(records.read_text()) == [
        {"slack_id": "U0OTHER", "reason": "(somebody)"},
        {"slack_id": f"{ada}9"},
    ]
    assert (gone.rows[report], gone.rows[records]) == (1, 1)
    assert gone.left == {}


@pytest.mark.parametrize("named_by", ["the address", "the id"])
async def test_what_docebo_said_of_somebody_else_goes_where_it_names_who_is_forgotten(here, ada, tmp_path, named_by):
    for name in ("Bea", "Cyd"):
        here.sandbox.slack.add(name, "Boss", f"{name}@example.com")
    plan_id = await plan_import(here.runtime)
    with here.runtime.store.reading() as tables:
        pending = tables.operations.pending(plan_id, Kind.CREATE, 1000)
    (bea, _), (cyd, _) = batch = [(seq, op) for seq, op in pending if op.slack_name.endswith(".boss")]
    word = "ADA@example.com" if named_by == "the address" else ada
    refused = [
        RowOutcome(bea, Outcome.FAILED, error="refused", said=f"{word}, Ada {NAME}, has that"),
        RowOutcome(cyd, Outcome.FAILED, error="refused", said="no seat is left"),
    ]
    record(here.runtime, plan_id, batch, refused)
    write_files(here.runtime.store, plan_id, tmp_path / "reports")

    shown = traces(here.runtime.store, tmp_path / "reports", ada)
    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    with here.runtime.store.reading() as tables:
        kept = set(tables.connection.scalars(select(operation.c.said).where(operation.c.plan_id == plan_id)))
    assert kept == {"", "no seat is left"}
    left = b"".join(file.read_bytes() for file in (tmp_path / "reports").iterdir())
    assert b"no seat is left" in left
    assert NAME.encode() not in left
    assert shown == gone


async def test_of_the_values_that_accounts_do_not_get_those_go_that_name_who_is_forgotten(here, ada, tmp_path):
    values = tmp_path / "reports" / "1abc-values.csv"
    write_values([Shortfall("username", name, "taken") for name in ("Ada@Example.com", "bea@example.com")], {}, values)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert [row["value"] for row in csv.DictReader(values.read_text().splitlines())] == ["bea@example.com"]
    assert (gone.rows[values], gone.left) == (1, {})


async def test_of_the_accounts_of_nobody_in_slack_what_they_are_known_as_goes_where_it_names_who_is_forgotten(
    here, ada, tmp_path
):
    orphans = tmp_path / "reports" / "1abc-orphans.csv"
    found = [
        Orphan(OrphanKind.ACCOUNT, "nobody", docebo_ids=(number,), known_as=f"Ada, {name}@example.com")
        for number, name in enumerate(("ada", "bea"), 1)
    ]
    write_orphans(found, orphans, PeopleShown.NAMES)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    rows = csv.DictReader(orphans.read_text().splitlines())
    assert [(row["user_id"], row["known_as"]) for row in rows] == [("1", ""), ("2", "Ada, bea@example.com")]
    assert (gone.rows[orphans], gone.left) == (1, {})


async def test_a_person_nobody_knows_is_forgotten_without_fuss(here, tmp_path):
    gone = forget(here.runtime.store, tmp_path / "nowhere", "U0NOBODY")

    assert gone == Traces(
        mappings=0, people=0, events=0, operations=0, standings=0, decisions=0, profiles=0, leavers=0, rows={}, left={}
    )


async def test_files_that_are_not_ours_to_change_are_named_and_stay(here, ada, tmp_path):
    foreign = {
        "broken.json": b'["%b"',
        "other.json": b'{"U": "%b"}',
        "list.json": b'["%b"]',
        "other.csv": b"a,b\n%b,precious\n",
        "short.csv": b"slack_id,slack_name\n%b\n",
        "latin.csv": b"slack_id\n\xff%b\n",
        "notes.txt": b"about %b\n",
    }
    files = {tmp_path / "reports" / name: content.replace(b"%b", ada.encode()) for name, content in foreign.items()}
    for file, content in files.items():
        file.write_bytes(content)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert gone.left == dict.fromkeys(sorted(files), NOT_OURS)
    assert {file: file.read_bytes() for file in files} == files
    assert len(gone.rows) == 2  # the others were gone through all the same


async def test_what_cannot_be_read_is_named(here, ada, tmp_path, monkeypatch):
    hidden = tmp_path / "reports" / "hidden.csv"
    hidden.write_text(ada)
    opened = os.open

    def refused(path, *arguments):
        if path == hidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))  # root is never refused
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", refused)
    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert gone.left == {hidden: "cannot be read or written (Permission denied)"}
    assert len(gone.rows) == 2


async def test_a_file_that_is_larger_than_any_of_ours_is_named_and_not_loaded(here, ada, tmp_path):
    with (tmp_path / "reports" / "huge.csv").open("wb") as huge:
        huge.truncate(10**12)
    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert gone.left == {tmp_path / "reports" / "huge.csv": "cannot be read or written (File too large)"}
    assert len(gone.rows) == 2


async def test_links_lead_nowhere(here, ada, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    report = outside / "a.csv"
    report.write_text(f"slack_id\n{ada}\n")
    (tmp_path / "reports" / "link.csv").symlink_to(report)
    (tmp_path / "reports" / "folder").symlink_to(outside)
    (tmp_path / "reports" / "dangling.csv").symlink_to(outside / "missing")
    second = tmp_path / "reports" / "second.csv"
    second.hardlink_to(report)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert report.read_text() == f"slack_id\n{ada}\n"
    assert gone.left == {second: "names the person, but belongs to another user or has a second name"}
    assert all(path.is_symlink() for path in [tmp_path / "reports" / "link.csv", tmp_path / "reports" / "folder"])


async def test_what_a_killed_writer_left_is_removed_if_the_person_is_in_it(here, ada, tmp_path):
    draft, others, named = (tmp_path / "reports" / f".slack-docebo-{name}.part" for name in ("01", "23", "45"))
    draft.write_text(f"slack_id\n{ada}")
    others.write_text("slack_id\nU0OTHER")
    backup = tmp_path / "reports" / "backup.csv"  # killed when it had given the file its name and not taken the draft's
    backup.write_text(f"slack_id\r\n{ada}\r\nU0OTHER\r\n")
    named.hardlink_to(backup)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert {draft, named, backup} <= gone.rows.keys()
    assert [path.exists() for path in (draft, named, others)] == [False, False, True]
    assert backup.read_text() == "slack_id\nU0OTHER\n"
    assert gone.left == {}


@pytest.mark.long
async def test_an_address_leads_to_the_person(here, ada):
    assert find_person(here.runtime.store, f" {ada} ") == ada
    assert find_person(here.runtime.store, " ADA@Example.com ") == ada
    with here.runtime.store.transaction() as tables:
        tables.inbox.forget(ada)
    assert find_person(here.runtime.store, "ada@example.com") == ada  # by the journal alone


async def test_an_address_that_nobody_has_borne_leads_nowhere(here, ada):
    for address in ("@", "%@%", "a_a@example.com", "example.com@", "da@example.com", "x@y"):
        with pytest.raises(ConfigurationError, match="give the person's Slack id"):
            find_person(here.runtime.store, address)


@pytest.mark.long
async def test_an_address_that_two_people_have_borne_leads_to_neither(here, ada):
    other = here.sandbox.slack.add("Ada", "Byron", "ada.byron@example.com")
    await here.settle([other["id"]])
    here.sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})
    here.sandbox.slack.change(other["id"], {"profile": {"email": "ada@example.com"}})
    await here.settle([ada, other["id"]])

    with pytest.raises(ConfigurationError, match=f"{min(ada, other['id'])}, {max(ada, other['id'])}"):
        find_person(here.runtime.store, "ada@example.com")


async def import_everybody(here: World) -> str:
    plan_id = await plan_import(here.runtime)
    await carry_out(here.runtime, plan_id)
    finish(here.runtime, plan_id)
    return plan_id


def traces_in_store(here: World, slack_id: str) -> str:
    """Return every row of the database that holds this id."""
    with here.runtime.store.reading() as tables:
        rows = [
            f"{table.name}: {row}"
            for table in metadata.sorted_tables
            for row in tables.connection.execute(select(table))
            if slack_id in str(row)
        ]
    return "\n".join(rows)


async def test_who_is_forgotten_stays_so_through_imports_and_events(here, ada, tmp_path):
    account = here.account(ada)
    forget(here.runtime.store, tmp_path / "reports", ada)
    here.sandbox.slack.change(ada, {"profile": {"last_name": "King"}})

    for _ in range(2):
        plan_id = await import_everybody(here)
        write_files(here.runtime.store, plan_id, tmp_path / "reports")
        here.put(here.event(ada))
        await here.serve()

    assert traces_in_store(here, ada) == ""
    assert not [file for file in (tmp_path / "reports").iterdir() if ada in file.read_text()]
    assert (account.lastname, account.active) == (NAME, True)
    assert (
        "Forgotten on request, and left alone without a row: 1 more." in summary(here.runtime.store, plan_id).markdown()
    )


async def test_an_event_of_somebody_forgotten_that_an_older_webhook_has_stored_is_deleted(here, ada, tmp_path):
    event = here.event(ada)
    forget(here.runtime.store, tmp_path / "reports", ada)
    with here.runtime.store.transaction() as tables:
        tables.connection.execute(insert(inbox_event).values(**columns_of(event)))
        tables.wake_ups.want(WakeUp.REALTIME_SYNC, here.runtime.now())

    await here.serve()

    assert traces_in_store(here, ada) == ""


@pytest.mark.long
async def test_who_is_forgotten_is_known_again_by_the_address_under_a_new_id(here, ada, tmp_path):
    address = here.sandbox.slack.get(ada)["profile"]["email"]
    forget(here.runtime.store, tmp_path / "reports", ada)
    here.sandbox.slack.change(ada, {"profile": {"email": "ada.before@example.com"}})
    again = here.sandbox.slack.add("Ada", NAME, address)["id"]

    await import_everybody(here)

    assert here.docebo_id(again) is None
    assert traces_in_store(here, again) == ""


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ada@bücher.example", "Ada@xn--bcher-kva.example"),
        ("ade\u0301@bücher.example", "Ad\u00e9@xn--bcher-kva.example"),
        ("ad\u00e9@example.com", "ade\u0301@example.com"),
    ],
)
async def test_who_is_forgotten_is_known_again_however_the_address_is_written(here, tmp_path, before, after):
    old = here.sandbox.slack.add("Ada", NAME, before)["id"]
    await here.settle([old])
    forget(here.runtime.store, tmp_path, old)
    here.sandbox.slack.deactivate(old)
    new = here.sandbox.slack.add("Ada", NAME, after)["id"]

    await here.settle([new])

    assert here.docebo_id(new) is None
    remember(here.runtime.store, after.replace("xn", "XN"))
    await here.settle([new])
    assert here.docebo_id(new) is not None


@pytest.mark.parametrize("on_two_platforms", [True, False])
@pytest.mark.variants(1)
async def test_who_is_forgotten_is_known_again_by_the_address_that_only_the_account_showed(
    here, tmp_path, on_two_platforms
):
    address = "eve@example.com"
    eve = here.sandbox.slack.add("Eve", NAME, address)["id"]
    here.sandbox.docebo.accounts.add(address, email=address, firstname="Eve", lastname=NAME)
    await import_everybody(here)
    if on_two_platforms:
        other, now = "https://other.example.com", here.runtime.now()
        with here.runtime.store.transaction() as tables:
            tables.platforms.relink(other, now=now)
            tables.mappings(other).save([Mapping(eve, here.workspace.team, "eve", 7)], now=now)
            tables.sightings(other).note_seen({7: LastSeen(digest(address), digest(address))}, now=now)
            tables.platforms.relink(here.runtime.settings.docebo_url, now=now)
    forget(here.runtime.store, tmp_path / "reports", eve)
    here.sandbox.slack.deactivate(eve)
    again = here.sandbox.slack.add("Eve", NAME, address)["id"]

    await import_everybody(here)

    assert here.docebo_id(again) is None


async def test_who_is_forgotten_before_the_first_plan_was_applied_is_known_again_by_the_address_of_the_account(
    here, tmp_path
):
    address = "eve@example.com"
    eve = here.sandbox.slack.add("Eve", NAME, address)["id"]
    here.sandbox.docebo.accounts.add(address, email=address, firstname="Eve", lastname=NAME)
    await plan_import(here.runtime)
    forget(here.runtime.store, tmp_path / "reports", eve)
    here.sandbox.slack.deactivate(eve)
    again = here.sandbox.slack.add("Eve", NAME, address)["id"]

    await import_everybody(here)

    assert here.docebo_id(again) is None


async def test_who_is_forgotten_is_known_again_by_the_address_with_which_they_left(here, ada, tmp_path):
    here.sandbox.slack.change(ada, {"profile": {"email": "ada.king@example.com"}})
    here.sandbox.slack.deactivate(ada)
    await import_everybody(here)
    forget(here.runtime.store, tmp_path / "reports", ada)
    again = here.sandbox.slack.add("Ada", NAME, "ada.king@example.com")["id"]

    await import_everybody(here)

    assert here.docebo_id(again) is None


@pytest.mark.long
async def test_an_address_that_somebody_else_has_taken_over_excludes_nobody(here, ada, tmp_path):
    here.sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})
    other = here.sandbox.slack.add("Ada", "Byron", "ada@example.com")["id"]
    await here.settle([ada, other])
    forget(here.runtime.store, tmp_path / "reports", ada)
    plan_id = await import_everybody(here)

    with here.runtime.store.reading() as tables:
        planned = {entry.operation.slack_id for entry in tables.operations.rows(plan_id)}
    assert other in planned
    assert ada not in planned


@pytest.mark.parametrize("only_claimed", [False, True])
async def test_who_is_looked_after_stays_so_with_the_address_of_somebody_forgotten(here, ada, tmp_path, only_claimed):
    other = here.sandbox.slack.by_email("grace@example.com")["id"]
    account = here.account(other)
    forget(here.runtime.store, tmp_path / "reports", ada)
    here.sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})
    if only_claimed:  # by a table of mappings: it may be Ada again
        account = here.sandbox.docebo.accounts.add("ada", email="ada@example.com", firstname="Ada", lastname="Hopper")
        other = here.sandbox.slack.add("Ada", "Hopper", "ada@example.com")["id"]
        file = MappingFile(f"slack_id,slack_name,slack_team,user_id\n{other},,,{account.user_id}\n", team="T0SANDBOX")
        import_file(here.runtime.store, here.runtime.settings.docebo_url, file, now=here.runtime.now(), dry_run=False)
    here.sandbox.slack.change(other, {"profile": {"email": "ada@example.com", "last_name": "Murray"}})

    await import_everybody(here)
    name = account.lastname
    here.sandbox.slack.deactivate(other)
    here.put(here.event(other))
    await here.serve()

    assert (name, account.active) == (("Hopper", True) if only_claimed else ("Murray", False))


@pytest.mark.long
async def test_no_table_of_mappings_brings_somebody_forgotten_back(here, ada, tmp_path):
    team, docebo = here.workspace.team, here.runtime.settings.docebo_url
    backup = tmp_path / "elsewhere.csv"
    with here.runtime.store.reading() as tables:
        write_mappings(backup, tables.mappings().records(team))
    forget(here.runtime.store, tmp_path / "reports", ada)

    restored = restore_file(here.runtime.store, docebo, MappingFile(backup, team=team), dry_run=False)
    taken = import_file(
        here.runtime.store, docebo, MappingFile(backup, team=team), now=here.runtime.now(), dry_run=False
    )

    assert [bad.reason for bad in (*restored.refused, *taken.refused)] == [FORGOTTEN, FORGOTTEN]
    assert here.docebo_id(ada) is None


@pytest.mark.long
async def test_a_dry_run_leaves_no_digest_of_somebody_forgotten(here, tmp_path):
    here.sandbox.docebo.accounts.add("ada@example.com", email="ada@example.com", firstname="Ada", lastname=NAME)
    ada = here.sandbox.slack.add("Ada", NAME, "ada@example.com")["id"]
    await plan_import(here.runtime)

    forget(here.runtime.store, tmp_path / "reports", ada)
    await plan_import(here.runtime)

    with here.runtime.store.reading() as tables:
        digests = {
            value
            for table in (account, operation)
            for row in tables.connection.execute(select(table.c.username_digest, table.c.address_digest))
            for value in row
        }
    assert digests.isdisjoint({digest("ada@example.com")})
    assert digests != set()


@pytest.mark.long
async def test_a_saved_plan_of_before_does_nothing_about_somebody_forgotten(here, tmp_path):
    ada = here.sandbox.slack.add("Ada", NAME, "ada@example.com")["id"]
    plan_id = await plan_import(here.runtime)
    forget(here.runtime.store, tmp_path / "reports", ada)

    await recheck(here.runtime, here.workspace, plan_id, await read_target(here.runtime))
    await carry_out(here.runtime, plan_id)
    finish(here.runtime, plan_id)

    assert not [user for user in here.sandbox.docebo.accounts if user.email == "ada@example.com"]
    assert traces_in_store(here, ada) == ""


@pytest.mark.long
async def test_who_is_forgotten_during_a_call_gets_no_mapping_and_no_handle_back(here, tmp_path, monkeypatch):
    ada = here.sandbox.slack.add("Ada", NAME, "ada@example.com")["id"]
    plan_id = await plan_import(here.runtime)
    call = here.runtime.docebo.upsert_users

    async def forgetting_meanwhile(rows, **options):
        answer = await call(rows, **options)
        forget(here.runtime.store, tmp_path / "reports", ada)
        return answer

    monkeypatch.setattr(here.runtime.docebo, "upsert_users", forgetting_meanwhile)
    await carry_out(here.runtime, plan_id)

    assert here.docebo_id(ada) is None
    assert traces_in_store(here, ada) == ""


@pytest.mark.long
async def test_of_who_is_forgotten_during_a_call_nothing_is_kept_of_why_docebo_refused_the_row(here, ada, tmp_path):
    here.sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    plan_id = await plan_import(here.runtime)
    with here.runtime.store.reading() as tables:
        batch = tables.operations.pending(plan_id, Kind.UPDATE, 10)
    forget(here.runtime.store, tmp_path / "reports", ada)

    refused = [RowOutcome(seq, Outcome.FAILED, error=f"refused: {ada}", said=f"no seat for {NAME}") for seq, _ in batch]
    record(here.runtime, plan_id, batch, refused)

    with here.runtime.store.reading() as tables:
        kept = select(operation.c.error, operation.c.said).where(operation.c.plan_id == plan_id)
        assert len(batch) == 1
        assert set(tables.connection.execute(kept).tuples()) == {("", "")}


async def test_of_who_is_forgotten_while_a_row_is_recorded_that_went_without_something_no_value_comes_back(
    here, ada, tmp_path
):
    here.sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
    plan_id = await plan_import(here.runtime)
    with here.runtime.store.reading() as tables:
        [(seq, planned)] = tables.operations.pending(plan_id, Kind.UPDATE, 10)
    forget(here.runtime.store, tmp_path / "reports", ada)

    with here.runtime.store.transaction() as tables:
        tables.operations.keep_written(plan_id, {seq: planned.changes})

    with here.runtime.store.reading() as tables:
        assert [one.operation.changes for one in tables.operations.rows(plan_id) if one.seq == seq] == [{}]


async def test_an_undo_leaves_somebody_forgotten_alone(here, ada, tmp_path):
    plan_id = here.plans()[0].id
    forget(here.runtime.store, tmp_path / "reports", ada)

    undo = plan_undo(here.runtime, plan_id, deactivate_created=True)

    with here.runtime.store.reading() as tables:
        assert len(list(tables.operations.rows(undo))) == 1
    assert traces_in_store(here, ada) == ""


@pytest.mark.long
async def test_who_is_forgotten_while_an_import_plans_is_told_of_nowhere(here, ada, tmp_path, monkeypatch):
    here.sandbox.slack.deactivate(ada)  # so that the plan leaves the person alone

    def forgetting_first(*arguments, **options):
        forget(here.runtime.store, tmp_path / "reports", ada)
        return close_plan(*arguments, **options)

    monkeypatch.setattr("slack_docebo.engine.planning.plans.close_plan", forgetting_first)

    await import_everybody(here)

    assert traces_in_store(here, ada) == ""
    with here.runtime.store.reading() as tables:
        assert not list(tables.connection.execute(select(standing).where(standing.c.slack_id == "")))


@pytest.mark.long
async def test_of_who_is_forgotten_while_a_round_plans_it_is_not_kept_that_the_person_has_left(
    here, ada, tmp_path, monkeypatch
):
    here.runtime.behaviour = read_rows(table({**ON, "LEAVERS_AFTER_DAYS": "7"}))
    here.sandbox.slack.deactivate(ada)
    here.put(here.event(ada))

    def forgetting_first(*arguments, **options):
        forget(here.runtime.store, tmp_path / "reports", ada)
        return store_round_plan(*arguments, **options)

    monkeypatch.setattr("slack_docebo.engine.realtime.rounds.store_round_plan", forgetting_first)

    await here.serve()

    assert traces_in_store(here, ada) == ""


@pytest.mark.long
async def test_orphans_tell_nothing_of_somebody_forgotten(here, ada, tmp_path):
    hers = here.account(ada).user_id
    here.sandbox.docebo.accounts.add("second", email="ada@example.com")
    forget(here.runtime.store, tmp_path / "reports", ada)
    accounts = await read_target(here.runtime)
    people = [[source_user(user) for user in here.sandbox.slack]]

    docebo, team = here.runtime.settings.docebo_url, here.workspace.team
    found = list(find_orphans(here.runtime.store, docebo, team, people=people, accounts=accounts))

    assert [orphan for orphan in found if orphan.slack_id == ada] == []
    assert [orphan for orphan in found if hers in orphan.docebo_ids] == []


@pytest.mark.long
async def test_one_person_is_forgotten_under_all_ids(here, ada, tmp_path):
    with here.runtime.store.transaction() as tables:
        person_id = tables.connection.scalar(select(identity.c.person_id).where(identity.c.slack_id == ada))
        tables.connection.execute(insert(identity).values(slack_team="E1", slack_id="W0ADA", person_id=person_id))
    here.put(replaced(here.event(ada), slack_id="W0ADA"))

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert gone.events == 2
    assert traces_in_store(here, "W0ADA") == traces_in_store(here, ada) == ""


async def test_who_is_forgotten_is_known_by_the_id_of_the_organisation_that_slack_has_shown_beside_the_local_one(
    here, ada, tmp_path
):
    team, docebo = here.workspace.team, here.runtime.settings.docebo_url
    account = here.docebo_id(ada)
    forget(here.runtime.store, tmp_path / "reports", ada)
    grid = {"enterprise_user": {"id": "W0ADA", "enterprise_id": "E0GRID", "teams": [team]}}
    here.sandbox.slack.change(ada, {**grid, "profile": {"email": "countess@example.com"}})
    await import_everybody(here)

    file = MappingFile(f"slack_id,slack_name,slack_team,user_id\nW0ADA,ada,,{account}\n", team=team)
    taken = import_file(here.runtime.store, docebo, file, now=here.runtime.now(), dry_run=False)

    assert [bad.reason for bad in taken.refused] == [FORGOTTEN]


@pytest.mark.long
async def test_who_is_remembered_is_looked_after_again_by_any_of_the_names(here, ada, tmp_path):
    forget(here.runtime.store, tmp_path / "reports", ada)
    with pytest.raises(ConfigurationError, match=r"nobody .* was forgotten"):
        remember(here.runtime.store, "U0NOBODY")

    remember(here.runtime.store, " ADA@example.com ")
    await import_everybody(here)

    assert here.docebo_id(ada) is not None


@pytest.mark.long
async def test_a_named_person_who_was_forgotten_is_not_synchronised(here, ada, tmp_path):
    forget(here.runtime.store, tmp_path / "reports", ada)

    with pytest.raises(Rejected, match="slack-docebo remember"):
        await read_named(here.runtime, [ada], [])

    assert (await explain(here.runtime, ada)).out_of_scope == FORGOTTEN
