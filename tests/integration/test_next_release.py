"""This release's webhook beside a database that the next release has migrated; see `tests/releases.py`."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from deployments.local import ROOT, free_port
from sandbox.slack.events import DEFAULT_SIGNING_SECRET
from slack_docebo.storage.store import Store
from tests.releases import contract, expand
from tests.waiting import PATIENCE_SECONDS
from tests.webhook import NOBODY, entries, envelope, signed, webhook_process


class Installation:
    """A database, and what a webhook that works on it is told."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.log = folder / "webhook.log"
        self._port = free_port()
        self.environment = {
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database_url,
            "SLACK_SIGNING_SECRET": DEFAULT_SIGNING_SECRET,
            "PREFECT_API_URL": NOBODY,
            "WEBHOOK_HOST": "127.0.0.1",
            "WEBHOOK_PORT": str(self._port),
        }

    def deliver(self, number: int) -> bool:
        """Send event *number*, as Slack does four times at most, and tell whether it was acknowledged."""
        body = json.dumps(envelope(number)).encode()
        url = f"http://127.0.0.1:{self._port}/slack/events"
        for pause in (0, 0, 5, 20):
            time.sleep(pause)
            if httpx.post(url, content=body, headers=signed(body)).is_success:
                return True
        return False


@pytest.mark.parametrize("empty_url", [pytest.param("sqlite", marks=pytest.mark.long), "postgresql"], indirect=True)
def test_it_goes_on_storing_events_while_the_next_release_expands_the_tables_and_after_a_restart(empty_url, tmp_path):
    here = Installation(empty_url, tmp_path)
    with webhook_process(here.log, here.environment) as child:
        before = [here.deliver(number) for number in range(1, 9)]  # so many that its statements are prepared
        expand(empty_url)
        after = [here.deliver(number) for number in range(9, 12)]
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE_SECONDS) == 0
    here.log.unlink()
    with webhook_process(here.log, here.environment):
        anew = [here.deliver(number) for number in (11, 12)]  # Slack may send one again

    assert {*before, *after, *anew} == {True}
    with Store.open(empty_url) as store:
        assert [entry.event.event_id for entry in entries(store)] == [f"Ev{number}" for number in range(1, 13)]


@pytest.mark.long
def test_it_does_not_start_where_the_next_release_has_taken_away_what_it_needs(empty_url, tmp_path):
    Store.open(empty_url).close()
    contract(empty_url)
    here = Installation(empty_url, tmp_path)

    ended = subprocess.run(
        [sys.executable, "-m", "deployments.webhook"],
        env=here.environment | {"PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert ended.returncode == 1
    assert "is of a newer version of slack-docebo (revision 9999): install that version" in ended.stderr
    assert "Traceback" not in ended.stderr
