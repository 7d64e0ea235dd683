"""`python -m deployments.webhook`: take Slack's events on WEBHOOK_HOST and WEBHOOK_PORT, until stopped."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
import uvloop
from starlette.types import ASGIApp

from deployments.logs import configure_logs
from slack_docebo.errors import ConfigurationError, SyncError
from slack_docebo.settings import (
    Current,
    ReceptionSettings,
    WebhookSettings,
    load_settings,
    open_files,
    others_can_read,
)
from slack_docebo.storage.store import Store
from slack_docebo.webhook.app import webhook_app
from slack_docebo.webhook.reception import open_reception

R = TypeVar("R", bound=ReceptionSettings)

UNDER_WAY_SECONDS = 10  # how long requests under way may take when we are stopped

logger = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn raises them anew before what was stored late could be written."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def listen(settings: ReceptionSettings, app: ASGIApp) -> None:
    """Answer requests until SIGINT or SIGTERM comes, and those that are under way then."""
    config = uvicorn.Config(
        app,
        host=settings.webhook_host,
        port=settings.webhook_port,
        lifespan="off",
        access_log=False,  # one line per event and probe; /metrics counts them
        proxy_headers=False,  # nobody asks for the client's address
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=UNDER_WAY_SECONDS,
    )
    server = _Server(config)

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await server.serve()


async def serve_webhook(settings: WebhookSettings) -> None:
    """Take events over HTTP until stopped."""
    current = Current(settings)
    with Store.open(settings.database_url.get_secret_value()) as store:
        async with open_reception(current, store) as reception:
            await listen(settings, webhook_app(current, reception))


def run(name: str, description: str | None, kind: type[R], serve: Callable[[R], Coroutine[Any, Any, None]]) -> int:
    """Read settings of *kind* and serve until stopped; a known error is one line and its exit code."""
    argparse.ArgumentParser(prog=f"python -m {name}", description=description).parse_args()
    try:
        settings = load_settings(kind)
        configure_logs(settings.log_format)
        if opened := open_files(kind):
            logger.warning(others_can_read(opened))
        gc.freeze()  # what is loaded now stays: the garbage collector need not look at it over and over
        uvloop.run(serve(settings))
    except SyncError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(run("deployments.webhook", __doc__, WebhookSettings, serve_webhook))
