"""`make up SANDBOX=1` as its user meets it: everything comes up, works together, and is gone after Ctrl-C."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import threading
import tomllib
import urllib.request
from argparse import Namespace
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

import deployments.up as up_module
from deployments.local import free_port, is_healthy
from deployments.up import READS, SHELL, installation
from sandbox.docebo.tokens import CLIENT_SECRET
from sandbox.slack.workspace import BOT_TOKEN
from slack_docebo.errors import ConfigurationError
from slack_docebo.prefect_profile import PROFILES
from slack_docebo.settings import EVERYTHING, RUN, WebhookSettings, secrets_of
from tests.e2e.conftest import tables_of_the_first_server
from tests.e2e.prefect_http import finished, prefect_http, start
from tests.waiting import PATIENCE_SECONDS, until
from tests.webhook import NOBODY

ROOT = Path(__file__).parents[2]
PARTS = ("deployments.webhook", "worker start", "-m sandbox", "deployments.server")  # words among their arguments


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """What is started heeds SIGHUP, also where the tests themselves were started with nohup."""
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, former)


@pytest.fixture
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("prefect", "webhook", "slack", "docebo")}


@pytest.fixture
def up(ports, tmp_path):
    """What `make up SANDBOX=1` runs, with nothing of this process's own settings, until it says that it is ready."""
    command = up_command(ports, tmp_path, "--sandbox", "--users", "60")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    log = tmp_path / "up.log"

    def comes_to(point: Callable[[], bool]) -> None:
        until(lambda: point() or process.poll() is not None, log.read_text)
        assert process.poll() is None, log.read_text()

    with contextlib.ExitStack() as stack, log.open("wb") as output:
        with tables_of_the_first_server(tmp_path):
            # A session of its own, so that it can be interrupted like what runs in a terminal.
            process = subprocess.Popen(
                command, cwd=ROOT, env=clean, stdout=output, stderr=output, start_new_session=True
            )
            stack.callback(end, process, tmp_path)
            comes_to(lambda: is_healthy(f"http://127.0.0.1:{ports['prefect']}/api"))
        comes_to(lambda: "Ready." in log.read_text())
        yield process


def up_command(ports: dict[str, int], data: Path, *options: str) -> list[str]:
    places = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    return [sys.executable, "-m", "deployments.up", *options, "--data", str(data), *places]


def end(process: subprocess.Popen[bytes], data: Path) -> None:
    """Kill *process*, and what it has left."""
    process.kill()
    process.wait()
    for pid in still_there(data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def still_there(data: Path) -> list[int]:
    """The processes that were told to keep their data in this folder, which are all that were started."""
    mark, found = str(data).encode(), []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # not ours, or gone
            if mark in environment.read_bytes():
                found.append(int(environment.parent.name))
    return found


def processes(data: Path) -> Iterator[tuple[str, set[str]]]:
    """The arguments of each process, and the names of what its environment holds of our secrets."""
    for pid in still_there(data):
        with contextlib.suppress(OSError):  # gone
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
            given = {name for name, found, value in (line.partition("=") for line in environment) if found and value}
            yield arguments, given & set(secrets_of(*EVERYTHING))


def assert_each_has_its_own_secrets(data: Path) -> None:
    found = list(processes(data))
    of = {part: {name for words, names in found for name in names if part in words} for part in PARTS}

    assert of["deployments.webhook"] <= set(secrets_of(WebhookSettings))
    assert "SLACK_SIGNING_SECRET" in of["deployments.webhook"]
    assert of["worker start"] <= set(secrets_of(*RUN))
    assert {"SLACK_BOT_TOKEN", "DOCEBO_CLIENT_SECRET"} <= of["worker start"]
    assert of["-m sandbox"] == {"SLACK_SIGNING_SECRET"}
    assert of["deployments.server"] == set()
    assert not [words for words, _ in found if BOT_TOKEN in words or CLIENT_SECRET in words or "--signing" in words]


def signed_in(data: Path) -> dict[str, str]:
    """What `make up` keeps for whoever wants to connect."""
    kept = tomllib.loads((data / PROFILES.name).read_text())
    return kept["profiles"][kept["active"]]


def arguments(pids: list[int]) -> str:
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):  # gone
            found.append(Path(f"/proc/{pid}/cmdline").read_text())
    return "\n".join(found)


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ("", "is not set: the server starts with a login only"),
        pytest.param("ädmin:secret", "in ASCII", marks=pytest.mark.long),
    ],
)
def test_the_server_does_not_start_without_a_login_that_works(tmp_path, login, told):
    command = [sys.executable, "-m", "deployments.server", "--port", str(free_port())]
    env = {**os.environ, "PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_API_AUTH_STRING": login}
    ended = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("server: PREFECT_SERVER_API_AUTH_STRING ")
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "whose", ["prefect", *(pytest.param(whose, marks=pytest.mark.long) for whose in ("webhook", "slack", "docebo"))]
)
def test_a_port_of_somebody_else_is_told_in_one_line_and_nothing_is_started(whose, ports, tmp_path):
    with socket.create_server(("127.0.0.1", ports[whose])):
        command = up_command(ports, tmp_path, "--sandbox")
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)

    assert ended.returncode == 2
    assert ended.stderr == f"up: port {ports[whose]} is taken: stop what listens there, or use --{whose}-port\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("whose", ["prefect", "webhook", "slack", "docebo"])
def test_a_port_that_is_taken_while_the_server_starts_is_told_alike(whose, ports, tmp_path, monkeypatch):
    with contextlib.ExitStack() as meanwhile:

        @contextlib.contextmanager
        def server(*_):
            meanwhile.enter_context(socket.create_server(("127.0.0.1", ports[whose])))
            if whose == "prefect":
                raise RuntimeError("the server did not start")
            yield None, {"PREFECT_API_URL": NOBODY}

        monkeypatch.setattr(up_module, "prefect_server_process", server)
        monkeypatch.setattr(up_module, "_get_ready", lambda *_: 0)
        options = Namespace(sandbox=True, **{f"{name}_port": port for name, port in ports.items()})
        told = f"^port {ports[whose]} is taken: stop what listens there, or use --{whose}-port$"
        with pytest.raises(ConfigurationError, match=told):
            up_module._start(up_module.Installation(), options, tmp_path, tmp_path / PROFILES.name, None)


def test_the_webhooks_port_is_that_of_the_settings(ports, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = {**os.environ, "WEBHOOK_PORT": str(taken.getsockname()[1])}
        del ports["webhook"]
        command = up_command(ports, tmp_path, "--sandbox")
        ended = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"up: port {env['WEBHOOK_PORT']} is taken: ")


def test_when_prefects_server_is_killed_the_rest_is_ended_and_whoever_has_started_it_knows():
    """Else webhook and worker went on for ever, and nothing was run."""
    supervise = (
        "import subprocess, sys; from deployments.up import Heir, Installation, _supervise;"
        "server = subprocess.Popen(['sh', '-c', 'kill -9 $$']);"
        "sys.exit(_supervise(Installation({'worker': 'exec sleep 600'}), server, Heir()))"
    )
    command = [sys.executable, "-c", supervise]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)

    assert ended.returncode == 1
    assert "Prefect's server has ended" in ended.stderr
    assert "worker stopped" in ended.stdout


def test_what_make_up_has_started_ends_with_it_also_when_it_is_killed():
    """Else the ports stayed taken, and a worker with the code of then took runs of the next start."""
    supervise = (
        "import subprocess; from deployments.up import Heir, Installation, _supervise;"
        "server = subprocess.Popen(['sleep', '600'], start_new_session=True); print(server.pid);"
        "heir = Heir(); heir.name(server.pid);"
        "_supervise(Installation({'worker': 'echo $$; exec sleep 600'}), server, heir)"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", supervise], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        server, _, worker = (int(process.stdout.readline().split()[-1].strip("(pid=)")) for _ in range(3))
        assert all(map(is_alive, (server, worker)))
        process.kill()
        until(lambda: not any(map(is_alive, (server, worker))))


def test_prefects_server_ends_with_make_up_also_when_that_is_killed_while_it_starts(ports, tmp_path):
    """Else its port stayed taken, and the next `make up` was refused until somebody had found and ended it."""
    start = (
        "import sys; from deployments import local, up;"
        "local.prefect_server_command = lambda folder, *_: (['sleep', '600'], {'KEPT_IN': str(folder)});"
        "local.is_healthy = lambda _: sys.exit(print('not yet', flush=True) or sys.stdin.read());"
        "up.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", start, *up_command(ports, tmp_path, "--sandbox")[3:]]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert "not yet\n" in iter(process.stdout.readline, "")
            assert still_there(tmp_path)
            process.kill()

            until(lambda: still_there(tmp_path) == [])
        finally:
            end(process, tmp_path)


def is_alive(pid: int) -> bool:
    """Tell whether this process is there, and has not only not been waited for."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("given", ["", "intern.example.com", "*"])
def test_what_is_on_this_machine_is_not_reached_by_way_of_a_proxy_which_would_be_told_the_login(
    given, tmp_path, monkeypatch
):
    monkeypatch.setenv("http_proxy", NOBODY)
    monkeypatch.setenv("NO_PROXY", given)
    for name, value in installation(data=tmp_path, webhook_port=1, events="").environment.items():
        monkeypatch.setenv(name, value)

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert is_healthy(f"http://127.0.0.1:{server.server_port}/api")
    assert urllib.request.proxy_bypass("localhost:4200")  # which other libraries ask
    assert bool(urllib.request.proxy_bypass("intern.example.com")) == bool(given)


class Health(BaseHTTPRequestHandler):
    """A server that is well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


@pytest.mark.long
def test_a_folder_that_cannot_be_made_is_told_in_one_line(ports, tmp_path):
    (tmp_path / "file").touch()
    command = up_command(ports, tmp_path / "file", "--sandbox")
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert f"Not a directory: '{tmp_path / 'file'}'" in ended.stderr


def test_all_that_is_missing_is_told_before_anything_is_started(ports, tmp_path):
    needed = ("SLACK_BOT_TOKEN", "DOCEBO_URL", "DOCEBO_CLIENT_ID", "DOCEBO_CLIENT_SECRET")
    env = {**os.environ, **dict.fromkeys(needed, "")}
    command = up_command(ports, tmp_path)
    ended = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )

    assert ended.returncode == 2
    assert all(f"{name} is not set" in ended.stderr for name in needed)
    assert "SLACK_SIGNING_SECRET" not in ended.stderr
    assert ended.stderr.endswith("SANDBOX=1 tries it without Slack and Docebo\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("secrets", "way"),
    [
        ({}, ""),
        ({"SLACK_SIGNING_SECRET": "5f4dcc3b5aa765d61d83"}, "webhook"),
        ({"SLACK_APP_TOKEN": "xapp-planted"}, "socket-mode"),
        ({"SLACK_APP_TOKEN": "xapp-planted", "SLACK_SIGNING_SECRET": "5f4dcc3b5aa765d61d83"}, "webhook"),
    ],
)
def test_events_come_by_the_way_whose_secret_is_set_and_imports_run_without_one(secrets, way, tmp_path, monkeypatch):
    from deployments.up import _event_process, installation

    monkeypatch.chdir(tmp_path)
    for name in secrets_of(*EVERYTHING):
        monkeypatch.delenv(name, raising=False)
    needed = {"SLACK_BOT_TOKEN": "xoxb-1", "DOCEBO_URL": "https://acme.docebosaas.com", "DOCEBO_CLIENT_ID": "sync"}
    for name, value in {**needed, "DOCEBO_CLIENT_SECRET": "planted-secret", **secrets}.items():
        monkeypatch.setenv(name, value)

    commands = installation(data=tmp_path, webhook_port=8400, events=_event_process()).commands

    assert set(commands) == {"worker", way} - {""}


def test_the_worker_logs_for_a_collector_as_well_where_env_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    (tmp_path / ".env").write_text("LOG_FORMAT=json\n")

    worker = installation(data=tmp_path, webhook_port=8400, events="webhook").environment_of("worker")

    assert worker["PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER"] == "json"


def test_what_opens_prefects_database_and_its_blocks_is_for_prefects_server_alone(tmp_path):
    its_own = dict.fromkeys(
        ("PREFECT_SERVER_ENCRYPTION_KEY", "PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_PASSWORD"),
        "planted",
    )
    parts = installation(data=tmp_path, webhook_port=8400, events="webhook")
    parts.environment |= its_own

    given = {name: parts.environment_of(name).items() & its_own.items() for name in ("server", *READS)}

    assert {name for name, found in given.items() if found} == {"server"}
    assert given["server"] == its_own.items()


@pytest.mark.parametrize("told", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.long)])
def test_nothing_is_left_when_it_is_ended_while_it_starts(told, ports, tmp_path):
    process = subprocess.Popen(up_command(ports, tmp_path, "--sandbox"), cwd=ROOT, start_new_session=True)
    try:
        until(lambda: still_there(tmp_path))
        os.killpg(process.pid, told)
        process.wait(PATIENCE_SECONDS)

        assert still_there(tmp_path) == []
    finally:
        end(process, tmp_path)


@pytest.mark.long
def test_nothing_is_left_when_the_terminal_of_make_is_closed(ports, tmp_path):
    # make is told by the kernel, and keeps it to itself.
    (tmp_path / "Makefile").write_text(f"up:\n\t@{shlex.join(up_command(ports, tmp_path, '--sandbox'))}\n")
    ours, theirs = os.openpty()
    make = ["setsid", "--ctty", "make", "-f", str(tmp_path / "Makefile"), "up"]
    process = subprocess.Popen(make, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        os.close(theirs)
        until(lambda: still_there(tmp_path))
        os.close(ours)
        process.wait(PATIENCE_SECONDS)

        assert still_there(tmp_path) == []
    finally:
        end(process, tmp_path)


@pytest.mark.long
def test_nothing_is_left_when_the_terminal_is_closed(up, tmp_path):
    os.killpg(up.pid, signal.SIGHUP)
    up.wait(PATIENCE_SECONDS)

    assert still_there(tmp_path) == []


@pytest.mark.long
def test_nothing_is_left_when_it_is_killed(up, tmp_path):
    until(lambda: len(re.findall(r"started \(pid", (tmp_path / "up.log").read_text())) == 3)
    up.kill()

    until(lambda: still_there(tmp_path) == [], lambda: arguments(still_there(tmp_path)))


def in_a_shell(data: Path, command: str) -> str:
    """What *command* prints in a shell that reaches the sandbox as its README says, and knows nothing else."""
    words = f"source {ROOT / '.venv/bin/activate'} && source {data / SHELL} && {command}"
    clean = {name: os.environ[name] for name in ("HOME", "PATH")}
    return subprocess.run(["bash", "-c", words], env=clean, cwd=data, capture_output=True, text=True, check=True).stdout


def parts(webhook):
    facts = httpx.get(f"{webhook}/readyz").json()
    return facts["store"], facts["prefect"]


def workers(api):
    return api.post("work_pools/slack-docebo-flows/workers/filter", json={}).raise_for_status().json()


def test_all_parts_come_up_work_together_and_end_with_ctrl_c(up, ports, tmp_path):
    webhook, slack = (f"http://127.0.0.1:{ports[name]}" for name in ("webhook", "slack"))
    with prefect_http(signed_in(tmp_path)) as api:
        until(lambda: answers(f"{webhook}/readyz") and answers(f"{slack}/_sim/events"))
        # On a busy machine an answer to the webhook, or its own to Slack, or a sign of life, may be late.
        until(lambda: parts(webhook) == ("up", "up"), lambda: parts(webhook))
        until(lambda: httpx.post(f"{slack}/_sim/events/url-verification").json()["verified"])
        run = finished(api, start(api, "bulk-import/import-everybody"))
        until(lambda: [worker["status"] for worker in workers(api)] == ["ONLINE"])

    assert run["state_type"] == "COMPLETED", run["state"]
    assert "to create" in run["state"]["message"]
    assert still_there(tmp_path)
    assert_each_has_its_own_secrets(tmp_path)
    login = signed_in(tmp_path)["PREFECT_API_AUTH_STRING"]
    assert len(login) > 40
    assert stat.S_IMODE((tmp_path / PROFILES.name).stat().st_mode) == 0o600
    assert login not in arguments([up.pid, *still_there(tmp_path)])
    assert login not in (tmp_path / "up.log").read_text()  # shown in a terminal only, and this is none
    listed = in_a_shell(tmp_path, "slack-docebo plan list --json")
    assert [plan["state"] for plan in json.loads(listed)] == ["planned"]
    assert stat.S_IMODE((tmp_path / SHELL).stat().st_mode) == 0o600

    os.killpg(up.pid, signal.SIGINT)

    assert up.wait(PATIENCE_SECONDS) == 0, (tmp_path / "up.log").read_text()
    assert still_there(tmp_path) == []
