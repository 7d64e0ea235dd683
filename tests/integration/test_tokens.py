"""The workspace that a token of Slack is for, however little auth.test says of it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.server import Sandbox
from slack_docebo.errors import ConfigurationError, SyncError, WorkspaceMismatch
from tests.importing import run_import, settings_for


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=20, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


def identified_as(sandbox: Sandbox, team: str) -> None:
    sandbox.slack.switches = replace(sandbox.slack.switches, identity_team=team)


async def test_a_workspace_that_slack_does_not_name_is_that_of_the_setting(sandbox, sqlite_url):
    identified_as(sandbox, "null")
    with pytest.raises(ConfigurationError, match="SLACK_TEAM_ID is not set: Slack does not name it"):
        await run_import(settings_for(sandbox.facts(), sqlite_url))

    await run_import(settings_for(sandbox.facts(), sqlite_url, slack_team_id=sandbox.slack.team.id))

    assert sandbox.docebo_gate.counters.rows["created"] > 0


async def test_a_workspace_that_slack_does_not_name_is_not_taken_at_our_word(sandbox, sqlite_url):
    identified_as(sandbox, "null")
    with pytest.raises(SyncError, match="team_not_found"):
        await run_import(settings_for(sandbox.facts(), sqlite_url, slack_team_id="T0ELSE"))

    assert sandbox.docebo_gate.counters.rows["created"] == 0


async def test_a_token_that_slack_says_to_be_of_another_workspace_changes_nobody(sandbox, sqlite_url):
    identified_as(sandbox, "other")
    with pytest.raises(WorkspaceMismatch):
        await run_import(settings_for(sandbox.facts(), sqlite_url, slack_team_id=sandbox.slack.team.id))

    assert sandbox.docebo_gate.counters.rows["created"] == 0


@pytest.mark.parametrize("form", ["list", "object", "missing"])
@pytest.mark.variants(1)
async def test_a_slack_without_scopes_in_its_headers_is_read_whatever_form_custom_fields_have(
    sandbox, sqlite_url, form
):
    sandbox.slack.switches = replace(sandbox.slack.switches, scopes_header=False, fields_form=form)

    await run_import(settings_for(sandbox.facts(), sqlite_url))

    assert sandbox.docebo_gate.counters.rows["created"] > 0
