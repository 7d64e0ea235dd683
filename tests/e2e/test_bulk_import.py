"""The flow on a real Prefect server: what its user sees."""

import csv
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from deployments.local import connection_settings
from sandbox.server import Sandbox
from slack_docebo.errors import StorageError
from slack_docebo.storage.reads import ProvenRead, ReadRepository
from tests.e2e.prefect_http import artifacts_of, is_done, prefect_http, set_table
from tests.importing import ON

USERS = 30
TOLD_ELSEWHERE = pytest.mark.long  # in `make test`: integration/test_plan_commands.py, and unit/ of the settings


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=USERS, rate_limits=False) as running:
        yield running


@pytest.fixture
async def installation(sandbox, prefect_api, empty_database, tmp_path, monkeypatch) -> AsyncIterator[Path]:
    """The folder of an installation on the sandbox with everything switched on."""
    sandbox.reset()
    monkeypatch.chdir(tmp_path)
    for name, value in connection_settings(sandbox.facts(), tmp_path).items():
        monkeypatch.setenv(name, value)
    await set_table(ON)
    yield tmp_path
    await set_table(ON)


async def run(**parameters):
    from flows.bulk_import import bulk_import

    return await bulk_import(**parameters, return_state=True)


def artifacts(state) -> dict[str, dict]:
    """The artifacts of the run by what they show: summary, created, to-look-at."""
    with prefect_http() as http:
        shown = artifacts_of(http, str(state.state_details.flow_run_id))
        return {str(artifact["key"]).rpartition("-")[0]: artifact for artifact in shown}


async def test_a_dry_run_shows_everything_and_writes_nothing(installation, sandbox):
    state = await run()

    assert state.is_completed()
    assert "POST /manage/v1/user/batch" not in sandbox.docebo_gate.counters.calls
    shown = artifacts(state)
    assert "| create | " in shown["summary"]["data"]
    assert "API calls: 12 (" in shown["summary"]["data"]
    assert "| account without Slack user | " in shown["summary"]["data"]
    for key, operation in {"created": "create", "updated": "update", "mapped": "map"}.items():
        table = json.loads(shown[key]["data"])
        assert {(row["operation"], row["outcome"]) for row in table} == {(operation, "planned")}
        assert "@" not in json.dumps(shown[key])


async def test_the_saved_plan_is_what_is_applied_and_a_second_run_writes_nothing(installation, sandbox):
    planned = await run()
    plan_id = planned.message.split()[1]

    applied = await run(dry_run=False, plan_id=plan_id)
    again = await run(dry_run=False)

    assert f"plan {plan_id} (applied)" in applied.message
    assert "progress" in artifacts(applied)
    assert sandbox.docebo_gate.counters.rows["created"] == applied_count(applied.message, "created")
    assert again.message.endswith(f"(applied): {USERS} left alone, 1 of them waiting for somebody's decision")
    # The first creation alone, the others, the update.
    assert sandbox.docebo_gate.counters.calls["POST /manage/v1/user/batch"] == 3


@pytest.mark.long
async def test_custom_profile_fields_are_written_once_everybody_else_is_done_and_managers_at_last(
    installation, sandbox, monkeypatch
):
    # Else more people than Slack lets be read in a minute wait for it.
    monkeypatch.setenv("SLACK_CALLS_PER_MINUTE", "10000")
    field = sandbox.docebo.add_field("Unit", "textfield", mandatory=False, invisible_to_user=False)
    await set_table(
        {**ON, "ATTRIBUTES": "first_name, last_name, email, field:Unit = custom:Department, manager = title"}
    )
    sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"profile": {"title": "grace@example.com"}})["id"]
    sandbox.slack.change(ada, {"profile": {"fields": {"Xf0DEPARTMT": {"value": "Sales", "alt": ""}}}})

    done = await run(dry_run=False)

    first, *then = done.message.split("; then ")
    assert applied_count(first, "created") > 0
    assert [applied_count(one, "updated") for one in then] == [1, 1]
    [grace] = sandbox.docebo.accounts.by_email("grace@example.com")
    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    assert (account.fields[field.id], account.managers) == ("Sales", {1: grace.user_id})


@pytest.mark.long
async def test_moves_over_their_limit_wait_for_somebody_and_managers_do_not_wait_with_them(installation, sandbox):
    sandbox.docebo.add_branch("EU", "Europe")
    sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    profile = {"title": "grace@example.com", "phone": "EU"}
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"profile": profile})
    await run(dry_run=False)
    rules = "first_name, last_name, email, branch = phone, manager = title"
    await set_table({**ON, "ATTRIBUTES": rules, "BRANCH_MOVES": "true", "LIMIT_BRANCH_MOVES": "0"})

    state = await run(dry_run=False)

    assert (state.name, state.message.rpartition("; ")[2]) == ("Refused", "nothing of moves was written")
    [grace] = sandbox.docebo.accounts.by_email("grace@example.com")
    [ada] = sandbox.docebo.accounts.by_email("ada@example.com")
    assert ada.managers == {1: grace.user_id}


def applied_count(message: str, what: str) -> int:
    return next(int(part.split()[-2]) for part in message.split(",") if part.endswith(what))


async def test_the_full_list_is_on_disk_for_its_owner_and_holds_everybody(installation):
    await run()

    [json_file] = installation.glob("reports/*.json")
    csv_file, orphans_file = json_file.with_suffix(".csv"), json_file.with_name(f"{json_file.stem}-orphans.csv")
    assert {*installation.glob("reports/*")} == {json_file, csv_file, orphans_file}
    with csv_file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    entries = json.loads(json_file.read_text())
    assert len(rows) == len(entries) == USERS
    assert [row["slack_id"] for row in rows] == [entry["slack_id"] for entry in entries]
    assert csv_file.stat().st_mode & 0o077 == 0
    assert json_file.stat().st_mode & 0o077 == 0
    assert orphans_file.stat().st_mode & 0o077 == 0
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


@pytest.mark.long
@pytest.mark.parametrize(
    ("provision", "maps", "created", "mapped"),
    [
        ("true", "false", True, False),
        ("false", "true", False, True),
        ("false", "false", False, False),
    ],
)
async def test_provisioning_and_mapping_work_each_alone_and_not_at_all(
    installation, sandbox, provision, maps, created, mapped
):
    await set_table({**ON, "PROVISION_SLACK_USER_DATA": provision, "MAP_SLACK_USER_DATA": maps})

    state = await run(dry_run=False)

    assert is_done(state)
    assert (sandbox.docebo_gate.counters.rows["created"] > 0) == created
    assert ("mapped" in state.message) == mapped


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    ("variables", "rows", "told"),
    [
        pytest.param(
            {"SLACK_BOT_TOKEN": "xoxb-wrong"}, ON, "invalid_auth", id="wrong Slack token", marks=TOLD_ELSEWHERE
        ),
        pytest.param({"SLACK_API_URL": "http://127.0.0.1:9/api/"}, ON, "check the address", id="wrong Slack address"),
        pytest.param(
            {"DOCEBO_CLIENT_SECRET": "wrong"}, ON, "invalid_client", id="wrong client secret", marks=TOLD_ELSEWHERE
        ),
        pytest.param(
            {"DOCEBO_URL": "http://example.com"},
            ON,
            "DOCEBO_URL should begin with https",
            id="no https",
            marks=TOLD_ELSEWHERE,
        ),
        pytest.param(
            {"SLACK_TEAM_ID": "T0OTHER"},
            ON,
            "workspace T0SANDBOX, but this Docebo is linked",
            id="workspace",
            marks=TOLD_ELSEWHERE,
        ),
        pytest.param(
            {"DATABASE_URL": "sqlite:////proc/no/store.db"},
            ON,
            "/proc/no/store.db",
            id="database",
            marks=TOLD_ELSEWHERE,
        ),
        pytest.param(
            {"SLACK_BOT_TOKEN": ""}, ON, "SLACK_BOT_TOKEN is not set", id="no Slack token", marks=TOLD_ELSEWHERE
        ),
        pytest.param({}, {**ON, "SCOPE_GUESTS": "x"}, "row SLACK | SCOPE_GUESTS", id="wrong row", marks=TOLD_ELSEWHERE),
        pytest.param({}, {**ON, "DESTINATION_BRANCH": "99"}, "Docebo has no branch 99", id="no such branch"),
        pytest.param({}, {}, "row SLACK | NOTIFICATION_MAIL_ID is missing", id="missing rows", marks=TOLD_ELSEWHERE),
        pytest.param({}, None, "python -m deployments.bootstrap", id="no Variable"),
    ],
)
async def test_bad_input_is_one_line_that_says_what_to_do(installation, monkeypatch, caplog, variables, rows, told):
    monkeypatch.setattr("tasks.validate_connection.validate_connection.retries", 0)
    monkeypatch.setattr("slack_docebo.clients.retries._BACK_OFF", lambda _: 0.0)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    await set_table(rows)

    state = await run()

    assert state.is_failed()
    assert told in state.message
    assert "\n" not in state.message
    assert "Traceback" not in caplog.text


@pytest.mark.long
async def test_a_plan_that_the_database_did_not_take_is_made_again_of_what_was_read(installation, sandbox, monkeypatch):
    refusals = iter([StorageError("the database was locked for too long")])
    record = ReadRepository.record

    def refuse_once(reads: ReadRepository, read: ProvenRead, **listed: Iterable[int]) -> None:
        if read.source.startswith("slack:") and (error := next(refusals, None)):
            raise error
        record(reads, read, **listed)

    monkeypatch.setattr("tasks.plan_changes.plan_changes.retry_delay_seconds", [0, 0])
    monkeypatch.setattr(ReadRepository, "record", refuse_once)

    state = await run(dry_run=False)

    assert is_done(state), state.message
    assert sandbox.slack_gate.counters.calls["users.list"] == 1
    assert f"{USERS} left alone" in (await run(dry_run=False)).message


@pytest.mark.long  # in `make test`: integration/test_safety.py
async def test_a_missing_mail_scope_is_found_by_name_before_the_first_page(installation, sandbox):
    sandbox.slack.scopes = frozenset({"users:read"})

    state = await run()
    sandbox.slack.scopes = frozenset({"users:read", "users:read.email", "team:read"})

    assert state.is_failed()
    assert "users:read.email" in state.message
    assert "users.list" not in sandbox.slack_gate.counters.calls
