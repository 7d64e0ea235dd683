"""`deployments/compose.yaml` without a container engine: its services as processes, and what stands between them."""

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import yaml
from anyio.from_thread import start_blocking_portal

from deployments.local import descendants, process
from tests.waiting import PATIENCE_SECONDS

COMPOSE = Path(__file__).parents[2] / "deployments" / "compose.yaml"
OF_ENV_FILE = re.compile(r"\$\{(\w+):-(.*?)\}")


class Composition:
    """Runs the file's commands with the file's variables, in *project* as the image does.

    *addresses* says what stands here for the containers' names and ports; *env_file* is what `.env` would say.
    """

    def __init__(
        self, project: Path, folder: Path, *, addresses: Mapping[str, str], env_file: Mapping[str, str]
    ) -> None:
        self._project = project
        self._folder = folder
        self._addresses = addresses
        self._env_file = env_file
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for name in reversed(self._processes):  # nobody needs what they would still put in order
            self.kill(name)
        self._stack.close()

    def start(self, service: str, *options: str, name: str = "", **addresses: str) -> subprocess.Popen[bytes]:
        """Start *service*, with further *options* and *addresses* of its own if need be."""
        text = OF_ENV_FILE.sub(lambda found: json.dumps(self._env_file.get(found[1], found[2])), COMPOSE.read_text())
        for theirs, ours in {**self._addresses, **addresses}.items():
            text = text.replace(theirs, ours)
        found = yaml.safe_load(text)["services"][service]
        env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # for `prefect`
            "PYTHONPATH": str(self._project),  # as the image has it
            "DO_NOT_TRACK": "1",
            "PREFECT_HOME": str(self._folder / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            **found.get("environment", {}),
        }
        name = name or service
        log = self._folder / f"{name}.log"
        child = process([*found["command"], *options], log=log, env=env, cwd=self._project)
        self._processes[name] = self._stack.enter_context(child)
        return self._processes[name]

    def run(self, service: str) -> None:
        """Run *service* to its end."""
        assert self.start(service).wait(PATIENCE_SECONDS) == 0, (self._folder / f"{service}.log").read_text()

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
