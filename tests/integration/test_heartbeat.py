"""The call after each import that went well, by which somebody outside notices when none does."""

from uuid import uuid4

import pytest
from prefect.client.schemas import FlowRun
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Completed

from flows.bulk_import import bulk_import
from flows.sweep import sweep
from slack_docebo.clients.heartbeat import send_heartbeat
from slack_docebo.errors import RemoteError, TransientError
from tasks.hooks import notify_operators
from tests.hostile import elsewhere, listening, whole


@pytest.fixture(autouse=True)
def no_server_is_started_for_what_is_logged():
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield


def run(**parameters):
    return FlowRun(id=uuid4(), flow_id=uuid4(), name="nightly", parameters=parameters)


async def test_only_an_import_of_everybody_for_real_says_that_all_is_well(monkeypatch):
    async with listening() as service:
        service.answer = whole(b"OK")
        monkeypatch.setenv("HEARTBEAT_URL", f"{service.url}/ping/planted-token")
        await notify_operators(bulk_import, run(dry_run=True), Completed())
        await notify_operators(sweep, run(), Completed())
        await notify_operators(bulk_import, run(dry_run=False, plan_id="1abcdefg"), Completed())
        assert service.asked == []

        await notify_operators(bulk_import, run(dry_run=False), Completed())

    assert [head.split(b"\r\n")[0] for head in service.asked] == [b"GET /ping/planted-token HTTP/1.1"]


async def test_a_night_on_which_nothing_is_to_be_written_is_no_alarm_outside(monkeypatch):
    async with listening() as service:
        service.answer = whole(b"OK")
        monkeypatch.setenv("HEARTBEAT_URL", service.url)
        await notify_operators(bulk_import, run(dry_run=False), Completed(name="Frozen"))

    assert len(service.asked) == 1


async def test_an_address_that_fails_breaks_nothing_and_is_not_shown(monkeypatch, caplog):
    async with listening() as service:
        service.answer = elsewhere("http://127.0.0.1:9")
        monkeypatch.setenv("HEARTBEAT_URL", f"{service.url}/ping/planted-token")
        await notify_operators(bulk_import, run(dry_run=False), Completed())
    with pytest.raises(TransientError) as gone:
        await send_heartbeat(f"{service.url}/ping/planted-token")
    with pytest.raises(RemoteError) as wrong:
        await send_heartbeat("planted-token")

    assert "All is well, and nobody was told" in caplog.text
    assert "planted" not in f"{gone.value}{wrong.value}"
