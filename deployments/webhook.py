"""`python -m deployments.webhook`: take Slack's events on WEBHOOK_HOST and WEBHOOK_PORT, until stopped."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp

from deployments.logs import configure_logs
from slack_docebo.domain.texts import line
from slack_docebo.errors import ConfigurationError, SyncError
from slack_docebo.settings import Settings, load_settings
from slack_docebo.storage.store import Store
from slack_docebo.webhook.app import webhook_app
from slack_docebo.webhook.reception import open_reception

UNDER_WAY_SECONDS = 10  # how long requests under way may take when we are stopped


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn raises them anew before what was stored late could be written."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def listen(settings: Settings, app: ASGIApp) -> None:
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


async def serve_webhook(settings: Settings) -> None:
    """Take events over HTTP until stopped."""
    with Store.open(settings.database_url.get_secret_value()) as store:
        async with open_reception(settings, store) as reception:
            await listen(settings, webhook_app(settings, reception))


def run(name: str, description: str | None, serve: Callable[[Settings], Coroutine[Any, Any, None]]) -> int:
    """Read the settings and serve until stopped; a known error is one line and its exit code."""
    argparse.ArgumentParser(prog=f"python -m {name}", description=description).parse_args()
    try:
        settings = load_settings()
        configure_logs(settings.log_format)
        gc.freeze()  # what is loaded now stays: the garbage collector need not look at it over and over
        uvloop.run(serve(settings))
    except SyncError as error:
        print(line(f"{name}: {error}"), file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(run("deployments.webhook", __doc__, serve_webhook))
