"""`deployments/compose.yaml` without a container engine: its services as processes, and what stands between them."""

import asyncio
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
import yaml
from anyio.from_thread import start_blocking_portal
from psycopg import sql

from deployments.local import descendants, process
from tests.containers import Image
from tests.postgresql import PostgresServer
from tests.waiting import PATIENCE_SECONDS

COMPOSE = Path(__file__).parents[2] / "deployments" / "compose.yaml"
# Whom root starts services as: somebody who may read everything, for Python itself may be root's own, and who may write to
# nothing that is not given away.
NOBODY = "nobody"
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", "--regid=nogroup", "--clear-groups", "--no-new-privs"]
AS_NOBODY += [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
GRACE_SECONDS = 10  # an engine's, where compose.yaml says nothing
OF_ENV_FILE = re.compile(r"\$\{(\w+):-(.*?)\}")


class Composition:
    """Runs the file's commands with the file's variables, in *project* as the image does, or in the *image* itself.

    In either case not as root, who could write where an installation's user cannot.

    *addresses* says what stands here for the containers' names and ports; *env_file* is what `.env` would say. The
    volumes of services that run in the image are folders below *folder*.
    """

    def __init__(
        self,
        project: Path,
        folder: Path,
        *,
        addresses: Mapping[str, str],
        env_file: Mapping[str, str],
        image: Image | None = None,
    ) -> None:
        self._project = project
        self._folder = folder
        self._addresses = addresses
        self._env_file = env_file
        self._image = image
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()
        self._becomes_nobody = image is None and os.geteuid() == 0
        if self._becomes_nobody:
            shutil.chown(folder, NOBODY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for name in reversed(self._processes):  # nobody needs what they would still put in order
            self.kill(name)
        self._stack.close()

    def start(
        self, service: str, *options: str, name: str = "", told: Mapping[str, str] | None = None, **addresses: str
    ) -> subprocess.Popen[bytes]:
        """Start *service*, with further *options* and *addresses* of its own, and *told* further variables if need be."""
        found = self._service(service, **addresses)
        found["environment"] = {**found.get("environment", {}), **(told or {})}
        command, env = [*found["command"], *options], found["environment"]
        name = name or service
        if self._image and "build" in found:
            child = process(self._entered(found, command), log=self.log(name))
        else:
            env = {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # for `prefect`
                "PYTHONPATH": str(self._project),  # as the image has it
                "DO_NOT_TRACK": "1",
                "PREFECT_HOME": str(self._folder / "prefect"),
                "PREFECT_UI_STATIC_DIRECTORY": str(self._folder / "pages"),
                "HOME": str(self._folder),
                "TMPDIR": str(self._folder),
                "PREFECT_WORKER_QUERY_SECONDS": "1",
                **env,
            }
            command = [*AS_NOBODY, *command] if self._becomes_nobody else command
            child = process(command, log=self.log(name), env=env, cwd=self._project)
        self._processes[name] = self._stack.enter_context(child)
        return self._processes[name]

    def log(self, name: str) -> Path:
        """Return the file that holds what the container called *name* says."""
        return self._folder / f"{name}.log"

    def is_healthy(self, service: str) -> bool:
        """Tell what the health check of *service* says, in a container like that of the service."""
        found = self._service(service)
        kind, *command = found["healthcheck"]["test"]
        assert kind == "CMD"
        return subprocess.run(self._entered(found, command), capture_output=True, check=False).returncode == 0

    def end(self, name: str) -> None:
        """Tell the first process of a container to end, as an engine does, and wait as long as an engine would."""
        child = self._processes[name]
        grace = str(self._service(name).get("stop_grace_period", f"{GRACE_SECONDS}s"))
        os.kill(next(descendants(child.pid)), signal.SIGTERM)
        child.wait(float(grace.removesuffix("s")))

    def _service(self, service: str, **addresses: str) -> dict[str, Any]:
        text = OF_ENV_FILE.sub(lambda found: json.dumps(self._env_file.get(found[1], found[2])), COMPOSE.read_text())
        for theirs, ours in {**self._addresses, **addresses}.items():
            text = text.replace(theirs, ours)
        found: dict[str, Any] = yaml.safe_load(text)["services"][service]
        return found

    def _entered(self, service: Mapping[str, Any], command: Sequence[str]) -> list[str]:
        assert self._image
        mounts = [f"tmpfs:{folder}" for folder in service.get("tmpfs", [])]
        for volume in service.get("volumes", []):
            name, _, folder = volume.partition(":")
            here = self._folder / name
            if not here.exists():  # made as the image has it: its user's
                here.mkdir()
                os.chown(here, *map(int, self._image.config["User"].split(":")))
            mounts.append(f"{here}:{folder}")
        return self._image.command(command, environment=service.get("environment", {}), mounts=mounts)

    def run(self, service: str) -> None:
        """Run *service* to its end."""
        assert self.start(service).wait(PATIENCE_SECONDS) == 0, self.log(service).read_text()

    def kill(self, name: str) -> None:
        """Let a container die, with all that runs in it."""
        child = self._processes[name]
        if child.poll() is None:
            for pid in [child.pid, *descendants(child.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            child.wait(PATIENCE_SECONDS)

    def home_of(self, pid: int) -> str:
        """Return the name of the container in which the process *pid* runs."""
        return next(name for name, child in self._processes.items() if pid in descendants(child.pid))


@contextmanager
def first_start_of_postgresql(server: PostgresServer, *, password: str | None = None) -> Iterator[str]:
    """Make what PostgreSQL's image makes when it first starts, and yield its address.

    With a *password* nobody gets in without it.
    """
    role = sql.SQL("CREATE ROLE slack_docebo LOGIN SUPERUSER PASSWORD {}").format(sql.Literal(password))
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(role)
        connection.execute("CREATE DATABASE slack_docebo")
        connection.execute((COMPOSE.parent / "create-prefect-database.sql").read_text())
        rules = Path(connection.execute("SHOW hba_file").fetchone()[0])
        before = rules.read_text()
        if password:
            rules.write_text(f"host all slack_docebo 127.0.0.1/32 scram-sha-256\n{before}")
            connection.execute("SELECT pg_reload_conf()")
        yield f"{connection.info.host}:{connection.info.port}"
        rules.write_text(before)
        connection.execute("SELECT pg_reload_conf()")
        for name in ("prefect", "slack_docebo"):
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute("DROP ROLE slack_docebo")


@contextmanager
def load_balancer(ports: Sequence[int]) -> Iterator[int]:
    """Pass connections on to the next of *ports* that takes them, as a Kubernetes Service does; yield our own port."""
    turns = itertools.cycle(range(len(ports)))

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        first = next(turns)
        for port in (*ports[first:], *ports[:first]):
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        raise ConnectionRefusedError

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            their_reader, their_writer = await connect()
            await asyncio.gather(_copy(reader, their_writer), _copy(their_reader, writer))
        writer.close()

    with start_blocking_portal() as portal:
        server = portal.call(asyncio.start_server, pass_on, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()
