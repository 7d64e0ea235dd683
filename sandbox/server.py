"""Both servers in one thread of this process, on ports of 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette

from sandbox.connections import AbortableProtocol
from sandbox.control import gate_routes
from sandbox.docebo import api as docebo_api
from sandbox.docebo.control import DoceboControl
from sandbox.docebo.platform import API_PASSWORD, API_USERNAME, Platform
from sandbox.docebo.population import newcomers
from sandbox.docebo.switches import Switches, switched
from sandbox.docebo.tokens import CLIENT_ID, CLIENT_SECRET, Tokens
from sandbox.gate import Gate
from sandbox.hierarchy import organise
from sandbox.slack import api as slack_api
from sandbox.slack.control import SlackControl
from sandbox.slack.events import Events
from sandbox.slack.population import Population, Team
from sandbox.slack.scim import ScimApi
from sandbox.slack.workspace import BOT_TOKEN, SCIM_TOKEN, Workspace

START_SECONDS = 60
STOP_SECONDS = 1  # that answers under way are waited for
END_SECONDS = 60  # after which something has gone wrong


class Sandbox:
    """A Slack workspace of *users* users and the Docebo platform of the same company.

    Use it as a context manager: the servers answer between entering and leaving. State may be read at any
    time, and changed from the caller's thread while no call is under way.
    """

    def __init__(
        self,
        users: int = 50,
        seed: int = 7,
        *,
        docebo_users: int | None = None,
        latency_ms: float = 0,
        rate_limits: bool = True,
        time_scale: float = 1.0,
        switches: Mapping[str, Any] | None = None,
        team: Team | None = None,
        org_token: bool = False,
        request_url: str | None = None,
        signing_secret: str | None = None,
        slack_port: int = 0,
        docebo_port: int = 0,
        hierarchy: bool = False,
    ) -> None:
        team = team or Team()
        population = Population(users, seed, team)
        people = default_docebo_users(users) if docebo_users is None else docebo_users
        self.slack = Workspace(population)
        self.events = Events(self.slack, time_scale=time_scale)
        self.events.configure(request_url, signing_secret)
        self.slack_gate = Gate(latency=latency_ms / 1000, kinds=slack_api.FAULT_KINDS)
        self.docebo = Platform(
            list(newcomers(population, people)),
            switched(Switches(), dict(switches or {})),
            {"team_id": team.id, "team_name": team.name},
        )
        self.tokens = Tokens(self.docebo)
        self.docebo_gate = Gate(latency=latency_ms / 1000, kinds=docebo_api.FAULT_KINDS)
        self._slack_api = slack_api.SlackApi(
            self.slack, self.slack_gate, rate_limits=rate_limits, time_scale=time_scale, org_token=org_token
        )
        self._scim_api = ScimApi(self.slack, self.slack_gate, rate_limits=rate_limits, time_scale=time_scale)
        self._docebo_api = docebo_api.DoceboApi(self.docebo, self.tokens, self.docebo_gate, time_scale=time_scale)
        self._ports = (slack_port, docebo_port)
        self._servers: list[uvicorn.Server] = []
        self._thread: threading.Thread | None = None
        self._initial_events = (request_url, signing_secret)
        self._has_hierarchy = hierarchy
        if hierarchy:
            organise(self.slack, self.docebo)

    def __enter__(self) -> Self:
        sockets = _listen(self._ports)
        slack_socket, docebo_socket = sockets
        self.slack_url = f"http://127.0.0.1:{slack_socket.getsockname()[1]}/api/"
        self.docebo_url = f"http://127.0.0.1:{docebo_socket.getsockname()[1]}"
        self._servers = [_server(application) for application in self.applications()]
        self._thread = threading.Thread(target=self._run, args=(sockets,), name="sandbox", daemon=True)
        self._thread.start()
        self._wait_until_started()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop both servers and all their work; raise RuntimeError if they do not end."""
        for server in self._servers:
            server.should_exit = True
        if self._thread:
            self._thread.join(END_SECONDS)
            if self._thread.is_alive():
                raise RuntimeError(f"the sandbox has not stopped within {END_SECONDS} seconds")

    @property
    def slack_control_url(self) -> str:
        return self.slack_url.removesuffix("/api/") + "/_sim/"

    @property
    def docebo_control_url(self) -> str:
        return self.docebo_url + "/_sim/"

    def applications(self) -> tuple[Starlette, Starlette]:
        """Return the applications of Slack and Docebo, for a caller that needs no sockets."""
        return self._slack_app(), self._docebo_app()

    def facts(self) -> dict[str, Any]:
        """Return what a client needs to connect, and what the workspace and the platform contain."""
        return {
            "slack_url": self.slack_url,
            "slack_control_url": self.slack_control_url,
            "slack_token": BOT_TOKEN,
            "slack_team_id": self.slack.team.id,
            "scim_url": self.slack_url.removesuffix("/api/") + "/scim/v2/",
            "scim_token": SCIM_TOKEN,
            "slack_signing_secret": self.events.signing_secret,
            "docebo_url": self.docebo_url,
            "docebo_control_url": self.docebo_control_url,
            "docebo_client_id": CLIENT_ID,
            "docebo_client_secret": CLIENT_SECRET,
            "docebo_username": API_USERNAME,
            "docebo_password": API_PASSWORD,
            "slack_users": dict(self.slack.population.kinds().most_common()),
            "docebo_users": dict(self.docebo.kinds.most_common()),
        }

    def reset(self) -> None:
        """Undo everything that happened since the start, faults and switches included."""
        self._reset_slack()
        self._reset_docebo()
        if self._has_hierarchy:
            organise(self.slack, self.docebo)

    def _reset_slack(self) -> None:
        self.slack.reset()
        self.events.reset()
        self.events.configure(*self._initial_events)
        self.slack_gate.reset()
        self._slack_api.reset()
        self._scim_api.reset()

    def _reset_docebo(self) -> None:
        self.docebo.reset()
        self.docebo_gate.reset()
        self._docebo_api.reset()

    def _slack_app(self) -> Starlette:
        @contextlib.asynccontextmanager
        async def delivering(_app: Starlette) -> AsyncIterator[None]:
            await self.events.start()
            yield
            await self.events.stop()

        routes = self._slack_api.routes() + self._scim_api.routes() + SlackControl(self.slack, self.events).routes()
        return Starlette(routes=routes + gate_routes(self.slack_gate, self._reset_slack), lifespan=delivering)

    def _docebo_app(self) -> Starlette:
        routes = self._docebo_api.routes() + DoceboControl(self.docebo, self.tokens).routes()
        routes += gate_routes(self.docebo_gate, self._reset_docebo)
        return Starlette(routes=routes, exception_handlers={404: self._docebo_api.not_found})

    def _run(self, sockets: list[socket.socket]) -> None:
        async def serve() -> None:
            await asyncio.gather(
                *(server.serve([listener]) for server, listener in zip(self._servers, sockets, strict=True))
            )
            for connection in [c for server in self._servers for c in server.server_state.connections]:
                connection.transport.abort()
            await asyncio.sleep(0)

        asyncio.run(serve())

    def _wait_until_started(self) -> None:
        assert self._thread is not None
        deadline = threading.Event()
        for _ in range(START_SECONDS * 100):
            if all(server.started for server in self._servers):
                return
            if not self._thread.is_alive():
                break
            deadline.wait(0.01)
        self.stop()
        raise RuntimeError("the sandbox did not start")


def default_docebo_users(slack_users: int) -> int:
    """Return how many people have an account from the start: a few percent, and enough for every special case."""
    return min(slack_users // 2, max(16, slack_users * 3 // 100))


def _listen(ports: Iterable[int]) -> list[socket.socket]:
    """Bind a socket per port, or none at all."""
    with contextlib.ExitStack() as opened:
        listeners = []
        for port in ports:
            # Without the protocol named, asyncio leaves Nagle's algorithm on and answers take 40 ms longer.
            listener = opened.enter_context(socket.socket(proto=socket.IPPROTO_TCP))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listeners.append(listener)
        opened.pop_all()
    return listeners


def _server(app: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=AbortableProtocol,
        date_header=False,
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        # Longer than clients keep idle connections, so that the only dropped ones are those ordered.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return uvicorn.Server(config)
