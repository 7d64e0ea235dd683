"""Refusal, letting through and explaining, as runs in Prefect."""

import importlib
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from deployments.local import connection_settings
from sandbox.server import Sandbox
from tests.e2e.prefect_http import set_table
from tests.importing import ON


@pytest.fixture
async def sandbox(prefect_api, tmp_path, monkeypatch) -> AsyncIterator[Sandbox]:
    with Sandbox(users=60, rate_limits=False) as running:
        for name, value in connection_settings(running.facts(), tmp_path).items():
            monkeypatch.setenv(name, value)
        await set_table({**ON, "LIMIT_CREATIONS": "1"})
        yield running


@pytest.fixture
def flows(prefect_api) -> SimpleNamespace:
    """The flows, imported with Prefect's settings in place and from outside the event loop."""
    names = ("bulk_import", "explain_user")
    return SimpleNamespace(**{name: getattr(importlib.import_module(f"flows.{name}"), name) for name in names})


async def artifacts_of(state):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    async with get_client() as client:
        run = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
        return await client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=run))


async def test_a_refused_run_has_its_own_state_and_its_plan_is_let_through_by_id(sandbox, flows):
    before = len(sandbox.docebo.accounts)

    refused = await flows.bulk_import(dry_run=False, return_state=True)
    assert (refused.name, refused.type.value, len(sandbox.docebo.accounts)) == ("Refused", "FAILED", before)
    plan_id = refused.message.split("plan_id=")[1].split()[0]

    let_through = await flows.bulk_import(dry_run=False, plan_id=plan_id, return_state=True)
    assert let_through.is_completed(), let_through.message
    assert len(sandbox.docebo.accounts) > before

    account = next(a for a in sandbox.docebo.accounts if a.provisioned_by)
    slack_id = sandbox.slack.by_email(account.email)["id"]
    explained = await flows.explain_user(who=slack_id, return_state=True)
    [artifact] = await artifacts_of(explained)
    assert explained.is_completed()
    assert explained.message == f"{slack_id}: leave (in line)"
    assert str(account.user_id) in str(artifact.data)
    assert account.email not in str(artifact.data)
    assert account.firstname not in str(artifact.data)


async def test_an_error_while_explaining_is_one_line_that_says_what_to_do(sandbox, flows, monkeypatch, caplog):
    monkeypatch.setenv("DOCEBO_CLIENT_SECRET", "wrong")

    state = await flows.explain_user(who="U024BE7LH", return_state=True)

    assert (state.name, "invalid_client" in state.message) == ("Failed", True)
    assert "\n" not in state.message
    assert "Traceback" not in caplog.text
