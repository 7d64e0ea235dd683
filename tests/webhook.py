"""A webhook for tests: the real application on a real port, and requests as Slack signs them."""

import asyncio
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from deployments.connections import Connections
from deployments.listener import server
from deployments.local import process
from sandbox.slack.events import APP_ID, DEFAULT_SIGNING_SECRET
from slack_docebo.current_settings import Current
from slack_docebo.settings import WebhookSettings
from slack_docebo.storage.events import InboxEntry
from slack_docebo.storage.store import Store
from slack_docebo.webhook.app import webhook_app
from slack_docebo.webhook.reception import open_reception
from tests.waiting import PATIENCE_SECONDS, until

NOBODY = "http://127.0.0.1:9/api"  # where no Prefect answers
TEAM = "T0SANDBOX"
NOTHING: Mapping[str, Any] = {}
NOTICE = {"type": "app_rate_limited", "team_id": TEAM, "minute_rate_limited": 1, "api_app_id": APP_ID}


def settings(**changes: Any) -> WebhookSettings:
    """Return the settings of a webhook for the sandbox's app."""
    values = {
        "slack_signing_secret": DEFAULT_SIGNING_SECRET,
        "slack_app_id": APP_ID,
        "docebo_url": "https://acme.docebosaas.com",
        "prefect_api_url": NOBODY,
    }
    return WebhookSettings(_env_file=None, **{**values, **changes})


def signed(body: bytes, *, secret: str = DEFAULT_SIGNING_SECRET, at: float | None = None) -> dict[str, str]:
    """Return the headers that Slack sends with *body*."""
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
    }


def envelope(number: int = 1, kind: str = "user_profile_changed", **changes: Any) -> dict[str, Any]:
    """Return event number *number* as Slack wraps it."""
    user = {"id": f"U{number:09d}", "updated": 1_700_000_000 + number, "profile": {"email": f"p{number}@example.com"}}
    event = {"type": kind, "user": user}
    wrapped = {
        "type": "event_callback",
        "api_app_id": APP_ID,
        "team_id": TEAM,
        "event_id": f"Ev{number}",
        "event": event,
    }
    return {**wrapped, **changes}


def entries(store: Store) -> list[InboxEntry]:
    """Return what the inbox holds."""
    with store.reading() as tables:
        return tables.inbox.oldest(10_000)


@dataclass
class Webhook:
    """A webhook at work."""

    url: str
    store: Store
    http: httpx.Client

    def post(self, payload: Any, **headers: str) -> httpx.Response:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.http.post("/slack/events", content=body, headers=signed(body) | headers)

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def entries(self) -> list[InboxEntry]:
        return entries(self.store)


@contextmanager
def running_webhook(store: Store, bounds: Mapping[str, Any] = NOTHING, **changes: Any) -> Iterator[Webhook]:
    """Serve the webhook from a thread of this process, with *bounds* of its connections."""
    listener = socket.create_server(("127.0.0.1", 0))  # who connects before we serve waits in its queue
    begun = threading.Event()
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        try:
            current = Current(settings(**changes))
            async with open_reception(current, store) as reception:
                app = webhook_app(current, reception)
                servers.append(server(app, Connections(reception.metrics, **bounds)))
                begun.set()
                await servers[0].serve(sockets=[listener])
        finally:
            begun.set()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="webhook", daemon=True)
    thread.start()
    assert begun.wait(PATIENCE_SECONDS), "the webhook has not started"
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url) as http:
            yield Webhook(url, store, http)
    finally:
        servers[0].should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()
        assert not thread.is_alive(), "the webhook has not stopped"


@contextmanager
def webhook_process(
    log: Path, environment: Mapping[str, str], cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the webhook as a process of its own; it listens when it is yielded."""
    with process([sys.executable, "-m", "deployments.webhook"], log=log, env=environment, cwd=cwd) as child:
        until(lambda: "Started server" in log.read_text() or child.poll() is not None, log.read_text)
        assert child.poll() is None, log.read_text()
        yield child
