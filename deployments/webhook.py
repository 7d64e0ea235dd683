"""`python -m deployments.webhook`: take Slack's events on WEBHOOK_HOST and WEBHOOK_PORT, until stopped.

Health and metrics are looked at there, too, or on WEBHOOK_OBSERVATION_HOST and WEBHOOK_OBSERVATION_PORT if these are set.
"""

import argparse
import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import uvloop
from starlette.types import ASGIApp

from deployments.connections import MOST, Connections, most_connections
from deployments.listener import server
from deployments.logs import configure_logs
from slack_docebo.current_settings import Current
from slack_docebo.domain.texts import line
from slack_docebo.errors import ConfigurationError, SyncError
from slack_docebo.settings import (
    ReceptionSettings,
    WebhookSettings,
    load_settings,
    secrets_open_to_others,
)
from slack_docebo.storage.store import Store
from slack_docebo.webhook.app import observation_app, webhook_app
from slack_docebo.webhook.metrics import Metrics
from slack_docebo.webhook.reception import open_reception

OBSERVERS = 100  # connections where only health and metrics are served

Address = tuple[str, int]
R = TypeVar("R", bound=ReceptionSettings)

logger = logging.getLogger(__name__)


async def listen(settings: ReceptionSettings, metrics: Metrics, apps: Mapping[Address, ASGIApp]) -> None:
    """Serve each of *apps* at its address until SIGINT or SIGTERM comes, and finish what is under way then."""
    most = most_connections(MOST + OBSERVERS) - OBSERVERS
    servers = []
    for address, app in apps.items():
        may_be = most if address == settings.webhook_address else OBSERVERS
        connections = Connections(metrics, most=may_be, trusted=settings.trusted_proxies)
        servers.append((server(app, connections), _bound(address)))

    def stop() -> None:
        for one, _ in servers:
            one.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(one.serve(sockets=sockets) for one, sockets in servers))


async def serve_webhook(settings: WebhookSettings) -> None:
    """Take events over HTTP until stopped."""
    current = Current(settings)
    with Store.of(settings) as store:
        async with open_reception(current, store) as reception:
            apps = {
                settings.observation_address: observation_app(settings, reception),
                settings.webhook_address: webhook_app(current, reception),  # of both, where there is one address
            }
            await listen(settings, reception.metrics, apps)


def _bound(address: Address) -> list[socket.socket]:
    """Return sockets that listen at *address*, one for each kind of address its host has."""
    host, port = address
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sockets = [socket.create_server(place[:2], family=family) for family, _, _, _, place in dict.fromkeys(found)]
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port} cannot be listened on ({error.strerror}): see WEBHOOK_HOST and WEBHOOK_PORT, or"
            " WEBHOOK_OBSERVATION_HOST and WEBHOOK_OBSERVATION_PORT"
        ) from None
    logger.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    return sockets


def run(name: str, description: str | None, kind: type[R], serve: Callable[[R], Coroutine[Any, Any, None]]) -> int:
    """Read settings of *kind* and serve until stopped; a known error is one line and its exit code."""
    argparse.ArgumentParser(prog=f"python -m {name}", description=description).parse_args()
    try:
        settings = load_settings(kind)
        configure_logs(settings.log_format)
        if told := secrets_open_to_others(kind):
            logger.warning(told)
        gc.freeze()  # what is loaded by now stays: the garbage collector need not look at it
        uvloop.run(serve(settings))
    except SyncError as error:
        print(line(f"{name}: {error}"), file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(run("deployments.webhook", __doc__, WebhookSettings, serve_webhook))
