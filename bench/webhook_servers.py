"""The webhook, and slack-bolt beside it, each as a process of its own: what it uses, and what it has stored."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.slack_events import APP, SECRET, TEAM
from deployments.local import free_port, process, wait_until_listening
from slack_docebo.storage.store import Store

UNREACHABLE_PREFECT = "http://127.0.0.1:9/api"


@contextmanager
def webhook(folder: Path) -> Iterator[tuple[int, int]]:
    """Run the webhook with a new SQLite store; yield its port and process id."""
    port = free_port()
    settings = {
        "SLACK_BOT_TOKEN": "xoxb-bench",
        "SLACK_TEAM_ID": TEAM,
        "SLACK_APP_ID": APP,
        "SLACK_SIGNING_SECRET": SECRET,
        "DOCEBO_URL": "https://bench.example",
        "DOCEBO_CLIENT_ID": "bench",
        "DOCEBO_CLIENT_SECRET": "bench",
        "DATABASE_URL": f"sqlite:///{folder / 'store.db'}",
        "WEBHOOK_PORT": str(port),
        "PREFECT_API_URL": UNREACHABLE_PREFECT,
    }
    with process([sys.executable, "-m", "deployments.webhook"], log=folder / "webhook.log", env=settings) as child:
        wait_until_listening(port, child, folder / "webhook.log")
        yield port, child.pid


@contextmanager
def bolt(folder: Path) -> Iterator[tuple[int, int]]:
    """Run slack-bolt's Starlette adapter with a listener that does nothing; yield its port and process id."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.webhook_servers:bolt_app", "--factory", "--port", str(port)]
    with process([*command, "--no-access-log"], log=folder / "bolt.log") as child:
        wait_until_listening(port, child, folder / "bolt.log")
        yield port, child.pid


def bolt_app() -> object:
    """Return slack-bolt's own way to answer these events: verified, dispatched, acknowledged, nothing stored."""
    from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.authorization import AuthorizeResult
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def authorize(**_context: object) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=TEAM, bot_token="xoxb-bench", bot_user_id="UBOT")

    app = AsyncApp(signing_secret=SECRET, authorize=authorize)

    @app.event("user_profile_changed")
    async def nothing() -> None:
        return

    handler = AsyncSlackRequestHandler(app)

    async def events(incoming: Request) -> Response:
        return await handler.handle(incoming)

    return Starlette(routes=[Route("/slack/events", events, methods=["POST"])])


def resident_kb(pid: int) -> int:
    """Return the memory that the process *pid* has in use."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def processor_seconds(pid: int) -> float:
    """Return the processor time that the process *pid* has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stored(folder: Path) -> set[str]:
    """Return the ids of the events in the inbox below *folder*."""
    with Store.open(f"sqlite:///{folder / 'store.db'}") as store, store.reading() as tables:
        return {entry.event.event_id for entry in tables.inbox.oldest(10_000_000)}
