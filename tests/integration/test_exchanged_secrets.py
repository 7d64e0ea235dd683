"""A secret is exchanged in its file, and whoever is at work goes on with the new one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deployments.local import connection_settings, free_port
from sandbox.server import Sandbox
from slack_docebo import current_settings
from slack_docebo.errors import AccessDenied
from slack_docebo.integration_settings import read_written
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import EVERYTHING, Settings, load_settings, variables
from tests.waiting import until
from tests.webhook import envelope, signed, webhook_process

ROOT = Path(__file__).parents[2]
ON = read_written({"PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true"})


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    with Sandbox(users=20, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def environment(company, sqlite_url, monkeypatch, tmp_path) -> dict[str, str]:
    """A run's settings, its two secrets in files that hold wrong ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(current_settings, "LOOK_SECONDS", 0.0)
    for name in variables(*EVERYTHING):
        monkeypatch.delenv(name, raising=False)
    facts = connection_settings(company.facts(), tmp_path) | {"DATABASE_URL": sqlite_url}
    right = {name: facts.pop(name) for name in ("SLACK_BOT_TOKEN", "DOCEBO_CLIENT_SECRET")}
    for name in right:
        (tmp_path / name).write_text(f"xoxb-no-more-{name.lower()}")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    for name, value in facts.items():
        monkeypatch.setenv(name, value)
    return right


async def test_a_run_at_work_takes_up_an_exchanged_slack_token(environment, company, tmp_path):
    async with open_runtime(load_settings(Settings), ON, run_id="run") as runtime:
        with pytest.raises(AccessDenied, match="invalid_auth"):
            await runtime.slack.identify()

        (tmp_path / "SLACK_BOT_TOKEN").write_text(environment["SLACK_BOT_TOKEN"])

        assert (await runtime.slack.identify()).team_id == company.slack.team.id


async def test_a_run_at_work_takes_up_an_exchanged_docebo_secret(environment, tmp_path):
    async with open_runtime(load_settings(Settings), ON, run_id="run") as runtime:
        with pytest.raises(AccessDenied, match="invalid_client"):
            await runtime.docebo.session()

        (tmp_path / "DOCEBO_CLIENT_SECRET").write_text(environment["DOCEBO_CLIENT_SECRET"])

        assert (await runtime.docebo.session()).docebo_id


@pytest.mark.long
def test_the_webhook_goes_on_with_an_exchanged_signing_secret_and_has_nothing_of_docebos(sqlite_url, tmp_path):
    """As Kubernetes does it: the files are links into a folder that is replaced as a whole."""
    for number, secret in enumerate(("signing-of-before", "signing-of-now")):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "SECRET").write_text(f"{secret}\n")
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "SECRET").symlink_to("..data/SECRET")
    port, log = free_port(), tmp_path / "webhook.log"
    env = {
        **dict.fromkeys(variables(*EVERYTHING), ""),
        "SLACK_SIGNING_SECRET_FILE": str(tmp_path / "SECRET"),
        "DATABASE_URL": sqlite_url,
        "WEBHOOK_PORT": str(port),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PYTHONPATH": str(ROOT),
    }
    with (
        webhook_process(log, env, cwd=tmp_path),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):

        def answer(number: int, secret: str) -> int:
            body = json.dumps(envelope(number)).encode()
            return http.post("/slack/events", content=body, headers=signed(body, secret=secret)).status_code

        assert answer(1, "signing-of-before") == 200
        assert answer(2, "signing-of-now") == 401

        (tmp_path / "..data_tmp").symlink_to("..1")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

        until(lambda: answer(2, "signing-of-now") == 200, log.read_text)
        assert answer(3, "signing-of-before") == 401
    assert "signing-of" not in log.read_text()
    assert "it was read again" in log.read_text()


@pytest.mark.long
def test_the_webhook_names_a_file_that_others_can_read_when_it_starts(open_folder):
    (open_folder / "secret").write_text("planted-signing-secret")
    (open_folder / "secret").chmod(0o644)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SLACK_SIGNING_SECRET_FILE": str(open_folder / "secret"),
    }
    env |= {"DATABASE_URL": "mysql://nowhere"}  # so that it ends

    done = subprocess.run(
        [sys.executable, "-m", "deployments.webhook"],
        env=env,
        cwd=open_folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"can read secrets: run `chmod 600 {open_folder / 'secret'}`" in done.stderr
    assert "planted" not in done.stderr


@pytest.mark.parametrize("name", ["SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN"])
@pytest.mark.long
def test_a_listening_process_with_an_unusable_file_says_so_in_one_line_and_ends(tmp_path, name):
    module = "deployments.webhook" if name == "SLACK_SIGNING_SECRET" else "deployments.socket_mode"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), f"{name}_FILE": str(tmp_path / "planted")}

    done = subprocess.run([sys.executable, "-m", module], env=env, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stderr == f"{module}: environment: {name}_FILE cannot be read: No such file or directory\n"
