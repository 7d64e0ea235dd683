import csv
import errno
import json
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from slack_docebo.engine.mappings.forgetting import Traces, find_person, forget, traces
from slack_docebo.engine.mappings.mapping_file import write_mappings
from slack_docebo.engine.reporting.report import write_files
from slack_docebo.errors import ConfigurationError
from slack_docebo.storage.inbox import InboxRepository
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.plans import PlanRepository
from tests.integration.realtime_world import World, world

NAME = "Lovelace"
NOT_OURS = "names the person, but is not a report, an export or a backup as we write them"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=50, rate_limits=False) as running:
        yield running


@pytest.fixture
async def here(sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    sandbox.reset()
    async with world(sandbox, sqlite_url, tmp_path) as made:
        yield made


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
    with here.runtime.store.reading() as connection:
        rows = [repr(entry) for entry in InboxRepository(connection).list_(1000)]
        rows += [repr(entry) for plan in here.plans() for entry in PlanRepository(connection).rows(plan.id)]
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


async def test_what_is_shown_before_is_what_is_erased(here, ada, tmp_path):
    before = everything(here, tmp_path)
    shown = traces(here.runtime.store, tmp_path / "reports", ada)

    assert everything(here, tmp_path) == before
    assert forget(here.runtime.store, tmp_path / "reports", ada) == shown
    assert traces(here.runtime.store, tmp_path / "reports", ada).lines == []


async def test_nobody_else_is_touched(here, ada, tmp_path):
    forget(here.runtime.store, tmp_path / "reports", ada)

    plan = here.plans()[0].id
    with (tmp_path / "reports" / f"{plan}.csv").open(newline="") as file:
        assert [row["slack_name"] for row in csv.DictReader(file)] == ["grace.hopper"]
    records = json.loads((tmp_path / "reports" / f"{plan}.json").read_text())
    assert [record["changes"]["username"] for record in records] == ["grace@example.com"]
    assert b"grace@example.com" in everything(here, tmp_path)


async def test_of_a_backup_the_row_of_that_person_is_erased_and_the_rest_stays_byte_by_byte(here, ada, tmp_path):
    backup = tmp_path / "reports" / "mappings-1abc.csv"
    with here.runtime.store.reading() as connection:
        write_mappings(backup, MappingRepository(connection).records(here.sandbox.slack.team.id))
    before = backup.read_bytes().splitlines(keepends=True)

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert gone.rows[backup] == 1
    after = backup.read_bytes().splitlines(keepends=True)
    assert after == [line for line in before if not line.startswith(ada.encode())]
    assert len(after) == len(before) - 1 > 1
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


async def test_a_word_that_is_no_id_erases_nothing(here, ada, tmp_path):
    before = everything(here, tmp_path)
    for word in ("", " ", "0", "7", "create", "applied", "T0000", "1700000000", "[", "u012ab", "*", f"{ada}\n"):
        with pytest.raises(ConfigurationError, match="give a Slack id"):
            forget(here.runtime.store, tmp_path / "reports", word)
        with pytest.raises(ConfigurationError, match="give a Slack id"):
            traces(here.runtime.store, tmp_path / "reports", word)
    assert everything(here, tmp_path) == before


async def test_rows_that_only_mention_the_id_are_other_peoples(here, ada, tmp_path):
    report = tmp_path / "reports" / "other.csv"
    report.write_text(f"slack_id,reason,changes\r\nU0OTHER,account 5 is mapped to {ada},{ada}\r\n")
    records = tmp_path / "reports" / "other.json"
    records.write_text(json.dumps([{"slack_id": "U0OTHER", "reason": ada}, {"slack_id": f"{ada}9"}]))
    before = report.read_text(), records.read_text()

    gone = forget(here.runtime.store, tmp_path / "reports", ada)

    assert (report.read_text(), records.read_text()) == before
    assert gone.rows.keys().isdisjoint({report, records})
    assert gone.left == {}


async def test_a_person_nobody_knows_is_forgotten_without_fuss(here, tmp_path):
    gone = forget(here.runtime.store, tmp_path / "nowhere", "U0NOBODY")

    assert gone == Traces(0, 0, 0, 0, 0, {}, {})


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


async def test_an_address_leads_to_the_person(here, ada):
    assert find_person(here.runtime.store, f" {ada} ") == ada
    assert find_person(here.runtime.store, " ADA@Example.com ") == ada
    with here.runtime.store.transaction() as connection:
        InboxRepository(connection).forget(ada)
    assert find_person(here.runtime.store, "ada@example.com") == ada  # by the journal alone


async def test_an_address_that_nobody_has_borne_leads_nowhere(here, ada):
    for address in ("@", "%@%", "a_a@example.com", "example.com@", "da@example.com", "x@y"):
        with pytest.raises(ConfigurationError, match="give the person's Slack id"):
            find_person(here.runtime.store, address)


async def test_an_address_that_two_people_have_borne_leads_to_neither(here, ada):
    other = here.sandbox.slack.add("Ada", "Byron", "ada.byron@example.com")
    await here.settle([other["id"]])
    here.sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})
    here.sandbox.slack.change(other["id"], {"profile": {"email": "ada@example.com"}})
    await here.settle([ada, other["id"]])

    with pytest.raises(ConfigurationError, match=f"{min(ada, other['id'])}, {max(ada, other['id'])}"):
        find_person(here.runtime.store, "ada@example.com")
