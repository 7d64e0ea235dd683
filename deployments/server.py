"""`python -m deployments.server`: Prefect's server with a login, behind the guard that keeps other web pages away.

It takes the place of `prefect server start`, which has no guard and asks for a login only if it is set.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from deployments.guard import Guard
from deployments.login import AT_SERVER, check_login, server_login
from deployments.places import Places
from slack_docebo.errors import ConfigurationError

# Set before Prefect reads its settings. Its pages call the API at the address that they come from.
PREFECT = {
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
# Where nothing else is said; left to itself, Prefect keeps runs for ever. compose.yaml and prefect-settings.yaml say the same.
KEPT = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "90d",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "7d",
}
STOP_SECONDS = 5  # for connections that are open at the end


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped; without a login, or with one that cannot work, that is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m deployments.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=4200, help="port to listen on (4200)")
    parser.add_argument("--no-services", action="store_true", help="only API and UI; the services run elsewhere")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which it may be reached, besides localhost, IP addresses and the host of PREFECT_UI_URL",
    )
    options = parser.parse_args(arguments)
    os.environ |= {**PREFECT, "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{options.port}"}
    for name, value in {**KEPT, "PREFECT_UI_API_URL": "/api"}.items():
        os.environ.setdefault(name, value)
    try:
        login = os.environ[AT_SERVER] = check_login(AT_SERVER, server_login())  # Prefect reads no file
    except ConfigurationError as error:
        print(f"server: {error}", file=sys.stderr)
        return 2

    from prefect.settings import get_current_settings  # which reads them when it is imported: now they are in place

    settings = get_current_settings().server
    uvicorn.run(
        guarded(login, names=options.allowed_host, with_services=not options.no_services),
        host=options.host,
        port=options.port,
        log_level=settings.logging_level.lower(),
        timeout_keep_alive=settings.api.keepalive_timeout,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
    )
    return 0


def guarded(login: str, *, names: Sequence[str], with_services: bool) -> Guard:
    """Return Prefect's application behind our guard, which lets in by *names* and by the host of PREFECT_UI_URL."""
    from prefect.server.api.server import RequestLimitMiddleware, create_app  # takes seconds
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    # Said by somebody, and not inferred from the address of another server.
    public = urlsplit(settings.ui_url if settings.ui_url and "ui_url" in settings.model_fields_set else "")
    app = create_app(final=True, webserver_only=not with_services)
    middleware: list[Any] = app.user_middleware
    limits = [one for one in middleware if one.cls is RequestLimitMiddleware]  # on SQLite
    app.user_middleware = [one for one in middleware if one not in limits]
    return Guard(
        Places(app, login=login, at_once=limits[0].kwargs["limit"] if limits else None),
        names=[*names, public.hostname or ""],
        origins=[f"{public.scheme}://{public.netloc}"],
    )


if __name__ == "__main__":
    sys.exit(main())
