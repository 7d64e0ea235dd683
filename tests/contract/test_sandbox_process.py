import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sandbox.__main__ import main
from sandbox.server import Sandbox
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_tells_where_it_is_answers_and_stops_cleanly() -> None:
    with start("--json", "--users", "80", "--docebo-users", "0", "--switch", "string_ids=off") as process:
        assert process.stdout
        facts = json.loads(process.stdout.readline())
        identity = httpx.post(
            facts["slack_url"] + "auth.test", headers={"Authorization": f"Bearer {facts['slack_token']}"}
        )
        switches = httpx.get(facts["docebo_control_url"] + "switches").json()
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert identity.json()["team_id"] == facts["slack_team_id"]
    assert sum(facts["slack_users"].values()) == 80
    assert facts["docebo_users"] == {"api_superadmin": 1, "service_connect": 1}
    assert switches["string_ids"] is False
    assert (process.returncode, rest, errors) == (0, "", "")


def test_for_people_it_names_what_it_contains() -> None:
    with start() as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(15)]
        process.send_signal(signal.SIGINT)

    text = "".join(lines)
    assert process.returncode == 0
    assert "500: " in text
    assert "deactivated" in text
    assert "guest_single_channel" in text


def test_a_setting_that_does_not_fit_is_said_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--switch", "no_such=1"]) == 2
    assert "no_such" in capsys.readouterr().err


def test_a_port_in_use_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"), Sandbox(1, slack_port=taken.getsockname()[1]):
            pass
