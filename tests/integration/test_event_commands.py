"""The inbox as an administrator meets it: from the command line, while Prefect is down."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slack_docebo.domain.people import Mapping, SourceUser
from slack_docebo.storage.events import AT_ONCE, Event, EventState
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from tests.integration.commands import environment, run, run_at_terminal

NOBODY = {
    "slack_token": "xoxb-nobody",
    "slack_url": "http://127.0.0.1:9/api/",
    "docebo_url": "http://127.0.0.1:9",
    "docebo_client_id": "nobody",
    "docebo_client_secret": "nobody",
}
BEGAN = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
ADA = SourceUser(slack_id="U0ADA", team="T1", first_name="Ada", email="ada@example.com")


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def env(sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    """Neither Slack nor Docebo nor Prefect is there: these commands need the store alone."""
    return environment(NOBODY, sqlite_url, tmp_path)


@pytest.fixture
def inbox(store: Store) -> Store:
    """An event in each state that can be met, of which EvParked1 is Ada's."""
    names = ("EvWaiting", "EvApplied", "EvParked1", "EvParked2")
    events = {
        name: Event(
            name, "T1", f"U{n}", updated=1_700_000_000, kind="user_change", received_at=BEGAN + timedelta(minutes=n)
        )
        for n, name in enumerate(names)
    }
    events["EvParked1"] = Event(
        "EvParked1",
        "T1",
        ADA.slack_id,
        updated=1_700_000_002,
        kind="team_join",
        received_at=BEGAN + timedelta(minutes=2),
        profile=asdict(ADA),
    )
    with store.transaction() as tables:
        repository = tables.inbox
        repository.put(list(events.values()))
        repository.finish(["EvApplied"], EventState.APPLIED, BEGAN, run="")
        repository.park(["EvParked1", "EvParked2"], "no room", BEGAN, run="")
        repository.claim("run", 10, AT_ONCE - timedelta(days=1))  # none is due that early: no run is wanted
    return store


def states(store: Store) -> dict[str, EventState]:
    with store.reading() as tables:
        return {entry.event.event_id: entry.state for entry in tables.inbox.oldest(100)}


def test_what_waits_and_what_is_parked_is_listed_the_oldest_first(env, inbox):
    rows = json.loads(run(env, "events", "list", "--json").stdout)
    parked = json.loads(run(env, "events", "list", "--parked", "--limit", "1", "--json").stdout)

    assert [row["event"] for row in rows] == ["EvWaiting", "EvParked1", "EvParked2"]
    assert parked == [
        {
            "event": "EvParked1",
            "state": "parked",
            "Slack user": "U0ADA",
            "kind": "team_join",
            "received": "2026-03-04 12:32:00 UTC",
            "attempts": 1,
            "error": "no room",
            "incident": "",
        }
    ]


def test_the_list_is_by_id_and_an_event_shows_what_is_kept_of_its_person(env, inbox):
    listed, shown = run(env, "events", "list"), run(env, "events", "show", "EvParked1")

    assert (listed.returncode, shown.returncode) == (0, 0)
    assert "U0ADA" in listed.stdout
    assert "ada@example.com" not in listed.stdout
    assert "ada@example.com" in shown.stdout


def test_an_empty_inbox_says_so(env, store):
    assert run(env, "events", "list").stdout == "No event is waiting or parked.\n"


def test_an_event_that_is_not_there_is_one_line(env, store):
    shown = run(env, "events", "show", "EvNone")

    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.startswith("slack-docebo: there is no event EvNone")
    assert shown.stderr.count("\n") == 1


def test_a_parked_event_is_tried_anew_when_it_is_named_and_a_run_is_wanted(env, inbox):
    replayed = run(env, "events", "replay", "EvParked1")

    assert replayed.stdout == "1 event will be tried anew.\n"
    assert states(inbox) == {
        "EvWaiting": EventState.WAITING,
        "EvApplied": EventState.APPLIED,
        "EvParked1": EventState.WAITING,
        "EvParked2": EventState.PARKED,
    }
    with inbox.reading() as tables:
        repository = tables.inbox
        entry = repository.get("EvParked1")
        assert entry is not None
        assert (entry.attempts, entry.due_at) == (0, AT_ONCE)
        assert tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC)


def test_all_parked_events_are_tried_anew_when_that_is_asked_for(env, inbox):
    assert run(env, "events", "replay", "--all").stdout == "2 events will be tried anew.\n"
    assert EventState.PARKED not in states(inbox).values()


@pytest.mark.parametrize("other", ["EvApplied", "EvNone"], ids=["not parked", "not there"])
def test_an_event_that_is_not_parked_is_named_and_none_is_replayed(env, inbox, other):
    replayed = run(env, "events", "replay", "EvParked1", other)

    assert (replayed.returncode, replayed.stdout, replayed.stderr.count("\n")) == (2, "", 1)
    assert f"not parked: {other};" in replayed.stderr
    assert states(inbox)["EvParked1"] is EventState.PARKED


@pytest.mark.parametrize("limit", ["0", "-5"])
def test_a_limit_that_is_no_number_of_rows_is_refused(env, store, limit):
    refused = run(env, "events", "list", "--limit", limit)

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("command", ["replay", "show", "let-through"])
def test_a_blank_id_is_refused_in_words_for_people(env, command):
    refused = run(env, "events", command, " ")

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert refused.stderr.startswith("slack-docebo: no ")


@pytest.mark.parametrize("arguments", [(), ("EvParked1", "--all")], ids=["nothing", "both"])
def test_a_replay_of_nothing_in_particular_changes_nothing(env, inbox, arguments):
    replayed = run(env, "events", "replay", *arguments)

    assert (replayed.returncode, "name the events to replay" in replayed.stderr) == (2, True)
    assert states(inbox)["EvParked1"] is EventState.PARKED


@pytest.fixture
def report(inbox, tmp_path):
    """A report about Ada, who is mapped, and somebody else."""
    with inbox.transaction() as tables:
        tables.mappings().save([Mapping(ADA.slack_id, "T1", "ada", 7)], now=BEGAN)
    path = tmp_path / "reports" / "plan.json"
    path.parent.mkdir()
    path.write_text(json.dumps([{"slack_id": ADA.slack_id}, {"slack_id": "U1"}]))
    return path


def test_who_is_forgotten_is_gone_from_inbox_mapping_and_reports(env, inbox, report):
    forgotten = run(env, "forget", ADA.slack_id, "--yes")

    assert forgotten.returncode == 0, forgotten.stderr
    counts = ["1 mapping", "1 record of what was last applied", "1 event in the inbox"]
    counts.append(f"1 row in {report}")
    assert forgotten.stderr == "\n".join([f"Kept about {ADA.slack_id}:", *counts]) + "\n"
    assert (
        forgotten.stdout
        == f"{ADA.slack_id} is forgotten. Erased: {', '.join(counts)}. No run looks after this person now.\n"
    )
    assert "EvParked1" not in states(inbox)
    with inbox.reading() as tables:
        assert tables.mappings().of("T1", [ADA.slack_id]) == {}
    assert json.loads(report.read_text()) == [{"slack_id": "U1"}]
    assert run(env, "forget", ADA.slack_id).stdout == f"Nothing is kept about {ADA.slack_id}.\n"


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_nobody_is_forgotten_without_a_yes(env, inbox, report, answer):
    refused = run_at_terminal(env, "forget", ADA.slack_id, typed=answer)
    assert (refused.returncode, "was not confirmed" in refused.stderr) == (3, True), refused.stderr
    unattended = run(env, "forget", ADA.slack_id)
    assert (unattended.returncode, "add --yes" in unattended.stderr) == (2, True), unattended.stderr
    assert "EvParked1" in states(inbox)
    assert len(json.loads(report.read_text())) == 2


def test_who_is_not_known_yet_is_forgotten_too_and_remembered_by_a_command(env, inbox):
    unattended = run(env, "forget", "U0NOBODY")
    assert (unattended.returncode, "add --yes" in unattended.stderr) == (2, True), unattended.stderr
    assert run(env, "forget", "U0NOBODY", "--yes").returncode == 0
    with inbox.transaction() as tables:
        assert tables.inbox.put([Event("Ev9", "T1", "U0NOBODY", updated=0, kind="team_join", received_at=BEGAN)]) == 0
    assert run(env, "remember", "U0NOBODY").returncode == 0
    assert run(env, "remember", "U0NOBODY").returncode == 2


def test_nobody_is_forgotten_while_an_import_may_write_the_person_back(env, inbox, report):
    with RunLock(inbox, NOBODY["docebo_url"], "bulk-import"):
        refused = run(env, "forget", ADA.slack_id, "--yes")
    assert (refused.returncode, "Wait for its end" in refused.stderr) == (4, True), refused.stderr
    assert "EvParked1" in states(inbox)


def test_the_id_at_the_terminal_is_enough(env, inbox, report):
    assert run_at_terminal(env, "forget", ADA.slack_id, typed="y\n").returncode == 3
    assert "EvParked1" in states(inbox)

    assert run_at_terminal(env, "forget", ADA.slack_id, typed=f"{ADA.slack_id}\n").returncode == 0
    assert "EvParked1" not in states(inbox)


@pytest.mark.parametrize("word", ["", "0", "applied", "T1"])
def test_a_word_that_is_nobodys_id_is_told_in_one_line(env, report, word):
    before = report.read_text()
    refused = run(env, "forget", word, "--yes")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert report.read_text() == before


def test_a_file_that_names_the_person_and_is_not_ours_is_told(env, inbox, report):
    (report.parent / "notes.txt").write_text(f"look at {ADA.slack_id}")
    forgotten = run(env, "forget", ADA.slack_id, "--yes")
    assert (forgotten.returncode, "notes.txt is left as it is: it names the person" in forgotten.stderr) == (5, True)
    again = run(env, "forget", ADA.slack_id)
    assert (again.returncode, "Nothing is kept" in again.stdout) == (5, True)
