"""`python -m deployments.up`: Prefect server, worker and webhook on this machine, and the sandbox if asked for.

Data stay below var/, with the login of Prefect's server. Ctrl-C stops everything.
"""

import argparse
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from honcho import manager as honcho

from deployments.ending import Heir, end_in_order
from deployments.local import (
    DATABASE,
    LIBRARY_LOGS,
    OFTEN,
    OUR_WORKER,
    QUIET_PREFECT,
    ROOT,
    STOP_SECONDS,
    WORKER,
    connection_settings,
    is_taken,
    prefect_server_process,
    without_proxy,
)
from deployments.login import AT_CLIENTS, AT_SERVER, given_login, keep_login, kept_login, new_login
from sandbox.docebo.tokens import CLIENT_ID, CLIENT_SECRET
from sandbox.slack.workspace import BOT_TOKEN, SCIM_TOKEN
from slack_docebo.errors import ConfigurationError
from slack_docebo.prefect_profile import PROFILES
from slack_docebo.private_files import make_folder, rewritten_file
from slack_docebo.settings import (
    EVERYTHING,
    RUN,
    ListeningSettings,
    LogSettings,
    NotificationSettings,
    PrefectSettings,
    ProcessSettings,
    Settings,
    SigningSettings,
    SocketModeSettings,
    WebhookSettings,
    given_to,
    load_settings,
    secrets_open_to_others,
    unset_secrets,
    variables,
)

JSON_RUN_LOGS = {"PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json"}
SHELL = "connection.sh"
INTERRUPTED = {130, 143}  # Ctrl-C is how this is meant to end


class _Imports(Settings, NotificationSettings):
    """What is needed where no events come: imports run all the same."""


class _WithWebhook(_Imports, WebhookSettings):  # type: ignore[misc]  # (pydantic gives both a constructor)
    """The same, with events over HTTP."""


class _WithSocketMode(_Imports, SocketModeSettings):  # type: ignore[misc]  # (likewise)
    """The same, with events through Socket Mode."""


READS: dict[str, tuple[type[ProcessSettings], ...]] = {
    "worker": RUN,
    "webhook": (WebhookSettings,),
    "socket-mode": (SocketModeSettings,),
    "ready": (PrefectSettings, ListeningSettings),
    "sandbox": (SigningSettings,),  # it signs with the secret, for it is Slack
}
"""Which settings each process is given; Prefect's server none of ours."""
OF_PREFECTS_SERVER = ("PREFECT_SERVER_", "PREFECT_API_DATABASE_")
"""Begin the names of what it alone is given: the key of the Secret blocks and its database's password are among it."""


@dataclass
class Installation:
    """Commands by the name of their process, and the environment from which each gets its own settings."""

    commands: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def environment_of(self, name: str) -> dict[str, str]:
        """Return what the process *name* is given, beside what everybody has."""
        given = given_to(*READS.get(name, ()), environment=self.environment)
        if name == "server":
            return given
        return {one: value for one, value in given.items() if not one.upper().startswith(OF_PREFECTS_SERVER)}


def installation(*, data: Path, webhook_port: int, events: str) -> Installation:
    """Return the worker and what takes *events* ("webhook", "socket-mode" or ""), connected as the environment says."""
    listening = {events: f"{sys.executable} -m deployments.{events.replace('-', '_')}"} if events else {}
    return Installation(
        commands={"worker": shlex.join(WORKER), **listening},
        environment={
            **without_proxy(os.environ),
            **QUIET_PREFECT,
            **OUR_WORKER,
            "PREFECT_HOME": str(data / "prefect"),
            **OFTEN,
            **LIBRARY_LOGS,
            **(JSON_RUN_LOGS if load_settings(LogSettings).log_format == "json" else {}),
            "WEBHOOK_PORT": str(webhook_port),
            "PYTHONUNBUFFERED": "1",
        },
    )


def with_sandbox(plain: Installation, *, data: Path, users: int, slack_port: int, docebo_port: int) -> Installation:
    """Return the same beside a Slack workspace of *users* users and a Docebo platform, provisioning and mapping on."""
    secret = secrets.token_hex(16)
    facts = {
        "slack_token": BOT_TOKEN,
        "slack_url": f"http://127.0.0.1:{slack_port}/api/",
        "scim_token": SCIM_TOKEN,
        "scim_url": f"http://127.0.0.1:{slack_port}/scim/v2/",
        "docebo_url": f"http://127.0.0.1:{docebo_port}",
        "docebo_client_id": CLIENT_ID,
        "docebo_client_secret": CLIENT_SECRET,
    }
    webhook = f"http://127.0.0.1:{plain.environment['WEBHOOK_PORT']}/slack/events"
    options = {
        "users": users,
        "slack-port": slack_port,
        "docebo-port": docebo_port,
        "request-url": webhook,
    }
    command = " ".join([sys.executable, "-m sandbox --no-rate-limits", *(f"--{k} {v}" for k, v in options.items())])
    return Installation(
        commands={**plain.commands, "sandbox": command},
        environment={**plain.environment, **connection_settings(facts, data), "SLACK_SIGNING_SECRET": secret},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Start everything, and stop the rest when one process ends."""
    parser = argparse.ArgumentParser(prog="python -m deployments.up", description=__doc__)
    parser.add_argument("--sandbox", action="store_true", help="with a Slack workspace and a Docebo of its own")
    parser.add_argument("--users", type=int, default=500, help="users of the sandbox's workspace (500)")
    parser.add_argument("--prefect-port", type=int, default=4200, help="port of Prefect's UI and API (4200)")
    parser.add_argument("--webhook-port", type=int, help="port of the webhook (WEBHOOK_PORT)")
    parser.add_argument("--slack-port", type=int, default=4310, help="port of the sandbox's Slack (4310)")
    parser.add_argument("--docebo-port", type=int, default=4320, help="port of the sandbox's Docebo (4320)")
    parser.add_argument("--data", type=Path, help="where data are kept (var, or var/sandbox)")
    options = parser.parse_args(arguments)
    data = (options.data or ROOT / "var" / ("sandbox" if options.sandbox else "")).absolute()
    profiles = (options.data or ROOT / "var").absolute() / PROFILES.name
    os.chdir(ROOT)
    end_in_order()
    try:
        make_folder(data)
        options.webhook_port = options.webhook_port or load_settings(ListeningSettings).webhook_port
        _check_ports(options, "prefect", *_others(options))
        events = "webhook" if options.sandbox else _event_process()
        given = given_login()
        if told := secrets_open_to_others(*EVERYTHING):
            print(f"up: {told}", file=sys.stderr)
        what = installation(data=data, webhook_port=options.webhook_port, events=events)
        if options.sandbox:
            ports = {"slack_port": options.slack_port, "docebo_port": options.docebo_port}
            _remove_sandbox_database(data)
            what = with_sandbox(what, data=data, users=options.users, **ports)
            _keep_for_shells(what, data / SHELL)
        what.environment = {**os.environ, **what.environment}
        for name in (AT_SERVER, f"{AT_SERVER}_FILE", f"{AT_CLIENTS}_FILE"):  # each is given the login by itself
            what.environment.pop(name, None)
        os.environ.clear()  # the server, which we start ourselves, inherits from us
        os.environ.update(what.environment_of("server"))
        return _start(what, options, data, profiles, given)
    except ConfigurationError as error:
        print(f"up: {error}", file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:  # a folder or a disk that takes no file, a server that does not start
        print(f"up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _start(what: Installation, options: argparse.Namespace, data: Path, profiles: Path, given: str | None) -> int:
    profile = "sandbox" if options.sandbox else "slack-docebo"
    known = given or kept_login(profiles, profile)
    login = known or new_login()
    print("Starting; the first time takes a minute ...", flush=True)
    heir = Heir()
    try:
        # Around all others: a worker that can reach the server when it is stopped ends its runs properly.
        with prefect_server_process(data, options.prefect_port, login, heir) as (server, clients):
            keep_login(profiles, profile, api=clients["PREFECT_API_URL"], login=login)
            what.environment |= clients
            if failed := _get_ready(what, options):
                return failed
            _check_ports(options, *_others(options))  # a minute has gone
            _show_login(login, profiles, new=not known)
            if options.sandbox:
                print(f"  Shell        source {_from_here(data / SHELL)}, then slack-docebo doctor\n", flush=True)
            return _supervise(what, server, heir)
    except RuntimeError:  # the server did not start
        _check_ports(options, "prefect")  # which tells why, if somebody was quicker
        raise


def _others(options: argparse.Namespace) -> tuple[str, ...]:
    """Return who listens beside Prefect's server, which is started first."""
    return ("webhook", "slack", "docebo") if options.sandbox else ("webhook",)


def _check_ports(options: argparse.Namespace, *names: str) -> None:
    """Raise ConfigurationError if a port that we need is taken: we would find, and deploy to, the other server."""
    for whose in names:
        if is_taken(port := getattr(options, f"{whose}_port")):
            raise ConfigurationError(f"port {port} is taken: stop what listens there, or use --{whose}-port")


def _event_process() -> str:
    """Return the name of the process that takes events, "" if none; raise ConfigurationError naming what is missing."""
    unset = unset_secrets(*EVERYTHING)
    ways: dict[str, tuple[str, type[_Imports]]] = {
        "webhook": ("SLACK_SIGNING_SECRET", _WithWebhook),
        "socket-mode": ("SLACK_APP_TOKEN", _WithSocketMode),
    }
    way, kind = next(((way, kind) for way, (secret, kind) in ways.items() if secret not in unset), ("", _Imports))
    try:
        load_settings(kind)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; SANDBOX=1 tries it without Slack and Docebo") from None
    return way


def _remove_sandbox_database(data: Path) -> None:
    """Remove the database of an earlier sandbox, whose people and accounts are gone and would be missed."""
    for file in data.glob(f"{DATABASE}*"):
        file.unlink()


def _show_login(login: str, profiles: Path, *, new: bool) -> None:
    """Show a new login once, and not where it would stay: in a file of logs."""
    kept = _from_here(profiles)
    if new and sys.stdout.isatty():
        print(f"  Login        {login}   shown this once, and kept in {kept}\n", flush=True)
    else:
        print(f"  Login        PREFECT_API_AUTH_STRING of the active profile in {kept}\n", flush=True)


def _keep_for_shells(what: Installation, file: Path) -> None:
    """Write down how the sandbox is reached, for shells whose `slack-docebo` is to use it instead of `.env`."""
    connections = {name: what.environment[name] for name in variables(Settings) & what.environment.keys()}
    with rewritten_file(file) as out:
        out.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(connections.items()))


def _from_here(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _get_ready(what: Installation, options: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "deployments.ready", *(["--switched-on"] if options.sandbox else [])]
    if "webhook" not in what.commands:
        none = "none: set SLACK_SIGNING_SECRET, or SLACK_APP_TOKEN for Socket Mode; imports run all the same"
        command += ["--events", "through Socket Mode" if "socket-mode" in what.commands else none]
    return subprocess.run(command, env=what.environment_of("ready"), check=False).returncode


class _Supervisor(honcho.Manager):  # type: ignore[misc]  # (honcho has no types)
    """Ends the others when one process has ended, and also when Prefect's server has, which it has not started.

    Where it is killed, its *heir* ends all of them.
    """

    returncode: int | None

    def __init__(self, server: subprocess.Popen[bytes], heir: Heir) -> None:
        super().__init__()
        self._server = server
        self._heir = heir

    def _all_started(self) -> bool:
        started = bool(super()._all_started())
        if started:
            self._heir.name(*(process["pid"] for process in self._processes.values()))
        return started

    def _any_stopped(self) -> bool:
        if self.returncode is None and self._server.poll() is not None:
            print("up: Prefect's server has ended; the end of prefect-server.log may say why", file=sys.stderr)
            self.returncode = 1
        return self._server.poll() is not None or super()._any_stopped()


def _supervise(what: Installation, server: subprocess.Popen[bytes], heir: Heir) -> int:
    """Run the commands until we are interrupted or one of them, or the *server*, ends, and return the exit code."""
    honcho.KILL_WAIT = STOP_SECONDS
    manager = _Supervisor(server, heir)
    for name, command in what.commands.items():
        manager.add_process(name, command, env=what.environment_of(name))
    manager.loop()
    return 0 if manager.returncode in INTERRUPTED else int(manager.returncode or 0)


if __name__ == "__main__":
    sys.exit(main())
