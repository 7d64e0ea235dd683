"""What keeps other web pages away from Prefect's server: a guard around its application.

Prefect answers under any name, lets every origin open websockets, and takes a page's write that asks for no CORS. So
a page that somebody opens in a browser beside the server could use it. The guard looks at what browsers say about
where a request comes from (pages cannot change it), before Prefect sees anything. Programs say nothing of the kind;
for them there is the login.
"""

import base64
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slack_docebo.hosts import bare, leads_here

LOOPBACK = "localhost"
ELSEWHERE = {"cross-site", "same-site"}  # another port of this machine is "same-site"
# Outside of /api, and so without a login: the whole schema, and pages that load scripts from a public address.
CLOSED = {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",  # Prefect's pages do not work without
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "frame-src": "'none'",
    "frame-ancestors": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{what} {where}" for what, where in POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Passes to *app* what is addressed to one of *names* and comes from its own pages or from no page at all.

    An IP address and `localhost` are always right names. *origins* are the addresses under which people reach the pages
    through a proxy that passes on another `Host`.
    """

    def __init__(self, app: ASGIApp, *, names: Collection[str], origins: Collection[str]) -> None:
        self._app = app
        self._names = {LOOPBACK, *map(bare, names)}
        self._origins = {origin.lower() for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope) if scope["type"] != "lifespan" else None
        if refusal is None:
            await self._app(scope, receive, send_with_policy)
        elif scope["type"] == "websocket":
            await receive()  # the attempt to connect; closed before it is accepted, the client is answered 403
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send_with_policy)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not leads_here(hosts[0], self._names):
            return PlainTextResponse(
                f"This server is not called {', '.join(hosts)!r}. Start it with --allowed-host, or PREFECT_UI_URL,"
                " if it should be.",
                421,
            )
        origins = headers.getlist("origin")
        if any(not self._is_own_origin(origin, hosts[0]) for origin in origins) or _comes_from_elsewhere(
            headers, scope.get("method")
        ):
            return PlainTextResponse("Not for pages of another origin.", 403)
        if scope["path"] in CLOSED:
            return PlainTextResponse("Closed: whoever has the login finds the schema at /api/openapi.json.", 404)
        if not _could_be_the_login(headers.get("authorization", "")):
            return JSONResponse({"exception_message": "Unauthorized"}, 401)
        return None

    def _is_own_origin(self, origin: str, host: str) -> bool:
        origin, host = origin.lower(), host.lower()
        return origin in {f"http://{host}", f"https://{host}"} | self._origins


def _comes_from_elsewhere(headers: Headers, method: str | None) -> bool:
    """Tell whether another origin's page sent the request; opening its link in a window is allowed."""
    follows_a_link = (
        method == "GET" and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )
    return headers.get("sec-fetch-site") in ELSEWHERE and not follows_a_link


def _could_be_the_login(authorization: str) -> bool:
    """Tell whether it is ASCII, like the login: Prefect answers anything else with 500 and a traceback."""
    try:
        return all(base64.b64decode(word).isascii() for word in authorization.split()[1:])  # which Prefect parts alike
    except ValueError:
        return True  # that is no Base64 Prefect sees itself
