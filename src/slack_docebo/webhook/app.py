"""The ASGI application: Slack's events in, health and metrics out."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from slack_docebo.current_settings import Current
from slack_docebo.errors import StorageError, UnverifiedRequest
from slack_docebo.settings import ListeningSettings, WebhookSettings
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.refusals import RefusalKind
from slack_docebo.webhook.hosts import Hosts, comes_from_a_page, own_hosts
from slack_docebo.webhook.intake import read_payload
from slack_docebo.webhook.metrics import age
from slack_docebo.webhook.reception import Reception
from slack_docebo.webhook.verification import RequestVerifier

LARGEST_BODY = 1024 * 1024
LONGEST_LENGTH = 12  # digits of a Content-Length
BODY_SECONDS = 10.0
REFUSED_BODY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class RefusedBody(Exception):
    """The body is too large, too slow or broken off; *status* says which."""

    def __init__(self, status: int) -> None:
        self.status = status


def webhook_app(current: Current[WebhookSettings], reception: Reception) -> Starlette:
    """Return the application that takes events over HTTP."""

    def signing_secrets() -> list[SecretStr]:
        signing = current()
        previous = signing.slack_signing_secret_previous
        return [signing.slack_signing_secret, *([previous] if previous else [])]

    verifier = RequestVerifier(signing_secrets)
    settings = current()
    # Without a configured public name, any Host is served: the signature has to do.
    hosts = own_hosts(settings) if settings.webhook_public_url else None

    async def events(request: Request) -> Response:
        began = time.perf_counter()
        response = _objection(request, hosts) or _unsigned(request, verifier, reception)
        if response:
            await _discard_body(request)
        else:
            response = await _answer(request, verifier, reception)
        reception.metrics.answers.labels(response.status_code).inc()
        if response.status_code in {200, 503}:
            reception.metrics.seconds.observe(time.perf_counter() - began)
        return response

    routes = [Route(path, events, methods=["POST"]) for path in ("/slack/events", "/slack/events/")]  # as Bolt does
    if settings.observation_address == settings.webhook_address:
        routes += _observation(own_hosts(settings), reception)
    return _app(routes)


def observation_app(settings: ListeningSettings, reception: Reception) -> Starlette:
    """Return the application with health and metrics only."""
    return _app(_observation(own_hosts(settings), reception))


def _app(routes: list[Route]) -> Starlette:
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # a redirect would be to the Host of the request
    return app


def _objection(request: Request, hosts: Hosts | None) -> Response | None:
    """Return the refusal of a request that another site's page made a browser send; None if it is to be served."""
    if comes_from_a_page(request.headers):
        return _refusal(403, "not for pages")
    host = request.headers.get("host")  # HTTP/1.0 has none, and browsers speak 1.1
    if hosts and host is not None and not hosts.include(host):
        hosts.complain(host)
        return _refusal(421, "unknown name: see WEBHOOK_PUBLIC_URL and WEBHOOK_ALLOWED_HOSTS")
    return None


def _unsigned(request: Request, verifier: RequestVerifier, reception: Reception) -> Response | None:
    """Return the refusal of a request whose headers are not Slack's; None if its body has to be read."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return _refusal(415, "Slack sends its events as application/json")
    if "content-encoding" in request.headers and request.headers["content-encoding"].strip().lower() != "identity":
        return _refusal(415, "Slack does not compress its events")
    try:
        verifier.check_headers(*_signature(request))
    except UnverifiedRequest as error:
        return _unverified(error, reception)
    return None


async def _answer(request: Request, verifier: RequestVerifier, reception: Reception) -> Response:
    try:
        body = await _body(request, BODY_SECONDS)
        verifier.check(body, *_signature(request))
        return PlainTextResponse(await reception.receive(read_payload(body)))
    except UnverifiedRequest as error:
        return _unverified(error, reception)
    except RefusedBody as refused:
        return _refusal(refused.status, "the body cannot be taken")
    except StorageError:
        return PlainTextResponse("not stored, send it again", 503)


def _signature(request: Request) -> tuple[str | None, str | None]:
    return request.headers.get("x-slack-request-timestamp"), request.headers.get("x-slack-signature")


async def _discard_body(request: Request) -> None:
    """Read the body of a request that is refused without it.

    A connection that is closed while a body is on its way is reset, and the client never reads the answer:
    https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    """
    with suppress(RefusedBody):
        await _body(request, REFUSED_BODY_SECONDS)


def _unverified(error: UnverifiedRequest, reception: Reception) -> Response:
    reception.refusals.refused(RefusalKind.UNSIGNED)
    logger.debug("refused: %s", error)
    return _refusal(401, "not signed by Slack")


def _refusal(status: int, reason: str) -> Response:
    # The connection is closed because the rest of the body may still be on its way.
    return PlainTextResponse(reason, status, headers={"Connection": "close"})


async def _body(request: Request, seconds: float) -> bytes:
    """Return the raw body; raise RefusedBody as soon as it is too large or *seconds* are over."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > LONGEST_LENGTH or int(declared) > LARGEST_BODY):
        raise RefusedBody(413)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise RefusedBody(413)
    except TimeoutError:
        raise RefusedBody(408) from None
    except ClientDisconnect:
        raise RefusedBody(400) from None
    return bytes(body)


def _observation(hosts: Hosts, reception: Reception) -> list[Route]:
    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_request: Request) -> Response:
        now = datetime.now(UTC)
        facts: dict[str, Any] = {"store": "up", "prefect": await reception.prefect()}
        try:
            status = await reception.status()
            figures = await reception.figures()
        except StorageError as error:
            # Only a store that is down makes us unready: while Prefect is down, the inbox keeps the events.
            return JSONResponse({**facts, "store": f"down: {error}"}, 503)
        waiting = {
            "waiting": status.waiting,
            "oldest_seconds": round(age(status, now), 1),
            "parked": status.parked,
            **{f"last_{name}_seconds": figures.age(name, now) for name in Milestone},
            "refused_in_a_row": reception.refusals.in_a_row,
        }
        return JSONResponse(facts | waiting)

    async def metrics(_request: Request) -> Response:
        reception.metrics.observe_refusals(reception.refusals.in_a_row)
        try:
            reception.metrics.observe(await reception.status(), now=datetime.now(UTC))
            reception.metrics.observe_runs(await reception.figures())
        except StorageError:
            reception.metrics.store_faults.inc()
        return Response(reception.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def known(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def served(request: Request) -> Response:
            return _objection(request, hosts) or await endpoint(request)

        return served

    endpoints = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    return [Route(path, known(endpoint)) for path, endpoint in endpoints.items()]
