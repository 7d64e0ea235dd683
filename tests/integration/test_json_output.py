"""What commands that do something print for programs: one JSON object, whose keys stay."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slack_docebo.cli import app
from slack_docebo.domain.people import Mapping
from slack_docebo.storage.events import Event
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from tests.integration.commands import Ended, environment, run
from tests.integration.test_command_line import commands
from tests.integration.test_event_commands import NOBODY

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
ALWAYS_JSON = {"person export"}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """The mapping of Ada, and an event about her that is parked."""
    with Store.open(sqlite_url) as opened:
        with opened.transaction() as tables:
            tables.mappings(NOBODY["docebo_url"]).save([Mapping("U0ADA", "T1", "ada", 7)], now=NOW)
            tables.inbox.put([Event("Ev1", "T1", "U0ADA", updated=1_700_000_000, kind="user_change", received_at=NOW)])
            tables.inbox.park(["Ev1"], "no room", NOW, run="")
        yield opened


@pytest.fixture
def env(store: Store, sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    return environment(NOBODY, sqlite_url, tmp_path, SLACK_TEAM_ID="T1")


def told(ended: Ended) -> dict[str, object]:
    """Return what a command printed, which is one JSON object and nothing else."""
    found: dict[str, object] = json.loads(ended.stdout)
    return found


def test_every_command_can_be_asked_for_json():
    leaves = {words: command for words, command in commands(app).items() if command.default_command}
    without = {
        words
        for words, command in leaves.items()
        if "--json" not in {name for one in command.assemble_argument_collection() for name in one.names}
    }

    assert without == ALWAYS_JSON


def test_mappings_are_exported_imported_and_restored(env, tmp_path):
    file = tmp_path / "mappings.csv"

    exported = run(env, "mappings", "export", str(file), "--json")
    tried = run(env, "mappings", "restore", str(file), "--dry-run", "--json")
    restored = run(env, "mappings", "restore", str(file), "--json")
    file.write_text("slack_id,slack_name,slack_team,user_id\nU0BOB,bob,T1,8\n")
    imported = run(env, "mappings", "import", str(file), "--json")

    assert told(exported) == {"written": 1, "file": str(file)}
    assert told(tried) == {"written": 0, "dry_run": True, "refused": []}
    assert told(restored) == {"written": 0, "dry_run": False, "refused": []}
    assert told(imported) == {"written": 1, "dry_run": False, "refused": []}


def test_rows_that_cannot_be_used_are_named_by_their_lines_and_nothing_is_written(env, tmp_path):
    file = tmp_path / "mappings.csv"
    file.write_text("slack_id,slack_name,slack_team,user_id\nU0BOB,bob,T1,8\nU0EVE,eve,T1,none\n")

    refused = run(env, "mappings", "import", str(file), "--json")

    assert refused.returncode == 2
    assert "nothing was written" in refused.stderr
    found = told(refused)
    assert (found["written"], [(row["line"], sorted(row)) for row in found["refused"]]) == (
        0,
        [(3, ["line", "reason"])],
    )


def test_how_many_events_are_replayed_is_told(env):
    assert told(run(env, "events", "replay", "--all", "--json")) == {"replayed": 1}
    assert told(run(env, "events", "replay", "--all", "--json")) == {"replayed": 0}


def test_whether_everything_is_stopped_is_told(env):
    stopped, going, again = (
        told(run(env, *words, "--json")) for words in (("stop", "--reason", "audit"), ("go",), ("go",))
    )

    assert (stopped["stopped"], "(audit)" in str(stopped["told"])) == (True, True)
    assert going == {"stopped": False, "told": "Runs may write again."}
    assert again == {"stopped": False, "told": "Nothing was stopped."}
    with Store.open(env["DATABASE_URL"]) as store, store.reading() as tables:
        assert tables.wake_ups.is_wanted(WakeUp.SWEEP)  # so that the status page says it


def test_what_is_erased_of_a_person_is_told_and_what_could_not_be(env, tmp_path):
    (tmp_path / "reports").mkdir()
    notes = tmp_path / "reports" / "notes.txt"
    notes.write_text("look at U0ADA")

    forgotten = run(env, "forget", "U0ADA", "--yes", "--json")
    again = run(env, "forget", "U0ADA", "--json")
    back = run(env, "remember", "U0ADA", "--json")

    found = told(forgotten)
    assert forgotten.returncode == 5
    assert (found["slack_id"], found["forgotten"], list(found["left"])) == ("U0ADA", True, [str(notes)])
    assert {"1 mapping", "1 event in the inbox"} <= set(found["erased"])
    assert told(again) == {**found, "erased": []}
    assert told(back) == {"who": "U0ADA", "looked_after": True}
