"""Every exchange can be recorded; the recording names nobody, and plays again as a test against the clients."""

import json
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from slack_docebo.clients.exchanges import Recorder
from slack_docebo.errors import ConfigurationError
from tests.importing import run_import, settings_for
from tests.replaying import Replay

PAGE = 20


@pytest.fixture
async def recorded(sqlite_url, tmp_path) -> tuple[Sandbox, list[Path]]:
    """A company whose first import was recorded."""
    with Sandbox(users=50, docebo_users=20, rate_limits=False) as sandbox:
        settings = settings_for(sandbox.facts(), sqlite_url, debug_record=tmp_path / "recorded", slack_page_size=PAGE)
        sandbox.docebo_gate.faults.add("GET /manage/v1/user", "html_503")
        await run_import(settings)
        return sandbox, list((tmp_path / "recorded").iterdir())


async def test_a_recording_names_nobody_and_holds_no_secret(recorded):
    sandbox, [file] = recorded
    text = file.read_text(encoding="utf-8").casefold()
    facts = sandbox.facts()

    hidden = {facts["slack_token"], facts["docebo_client_secret"], facts["slack_team_id"], "sandbox-client"}
    for user in sandbox.slack:
        hidden |= {user["id"], user["profile"].get("email"), user["profile"].get("real_name"), user["name"]}
    for account in sandbox.docebo.accounts:
        hidden |= {account.username, account.email, account.lastname if len(account.lastname) > 4 else ""}
    found = [one for one in hidden if one and one.casefold() in text]
    assert not found
    assert file.stat().st_mode & 0o077 == 0


async def test_a_recording_plays_again_with_the_same_people_on_both_sides(recorded):
    sandbox, files = recorded
    replay = Replay(*files)

    async with replay.docebo() as docebo:
        session = await docebo.session()
        accounts = [account async for page in docebo.list_users() for account in page]
    slack = replay.slack(PAGE)
    page = await slack.list_users()
    people = page.users
    while page.next_cursor:
        page = await slack.list_users(page.next_cursor)
        people += page.users

    assert session.level == "godadmin"
    assert len(people) == len(list(sandbox.slack))
    before = sandbox.docebo.accounts
    made = sum(bool(account.provisioned_by) for account in before)
    assert len(accounts) == len(before) - made
    addresses = {person.email for person in people} - {""}
    known = {user["profile"].get("email", "").casefold() for user in sandbox.slack} - {""}
    assert sum(account.email in addresses for account in accounts) == sum(
        account.email.casefold() in known for account in before if not account.provisioned_by
    )


async def test_what_went_wrong_is_recorded_too(recorded):
    _, [file] = recorded
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    [failed] = [line for line in lines if line["status"] == 503]
    assert "bytes that are no JSON" in failed["body"]
    assert {line["side"] for line in lines} == {"Slack", "Docebo"}
    assert {"POST /oauth2/token", "POST /manage/v1/user/batch"} <= {f"{one['method']} {one['path']}" for one in lines}


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigurationError, match="DEBUG_RECORD"):
        Recorder(tmp_path / "file" / "folder")
