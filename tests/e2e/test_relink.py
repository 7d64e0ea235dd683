"""The flow `relink` on a real Prefect server, after DOCEBO_URL was changed."""

import pytest

from deployments.local import connection_settings
from deployments.settings_variable import ensure_settings
from sandbox.server import Sandbox
from slack_docebo.integration_settings import table
from tests.importing import ON, run_import, settings_for


@pytest.mark.long
async def test_a_run_at_a_new_address_stops_until_it_is_relinked(prefect_api, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Sandbox(users=20, rate_limits=False) as sandbox:
        for name, value in connection_settings(sandbox.facts(), tmp_path).items():
            monkeypatch.setenv(name, value)
        await ensure_settings(table(ON))
        await run_import(settings_for(sandbox.facts(), f"sqlite:///{tmp_path}/slack-docebo.db"))
        monkeypatch.setenv("DOCEBO_URL", sandbox.facts()["docebo_url"].replace("127.0.0.1", "localhost"))
        from flows.bulk_import import bulk_import
        from flows.relink import relink

        stopped = await bulk_import(dry_run=False, return_state=True)
        planned = await relink(platform="same", return_state=True)
        still_stopped = await bulk_import(dry_run=False, return_state=True)
        done = await relink(platform="same", dry_run=False, return_state=True)
        imported = await bulk_import(dry_run=False, return_state=True)

    assert stopped.is_failed()
    assert "relink/link-another-docebo-address" in stopped.message
    assert "would be linked" in planned.message
    assert still_stopped.is_failed()
    assert "is linked" in done.message
    assert imported.name == "Completed"
