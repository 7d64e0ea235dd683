"""The call that tells an outside monitor that all is well; the monitor alerts people when the call is missing."""

import httpx

from slack_docebo.clients.answers import BoundedClient
from slack_docebo.errors import RemoteError, TransientError

SECONDS = 10.0
OPERATION = "HEARTBEAT_URL"


async def send_heartbeat(url: str) -> None:
    """Call *url*; raise RemoteError, which does not show the URL, unless the answer is a success."""
    try:
        async with BoundedClient(OPERATION, seconds=SECONDS) as http:
            answer = await http.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TransientError(OPERATION, f"it does not answer ({type(error).__name__})") from None
    if not answer.is_success:
        raise RemoteError(OPERATION, "it refuses the call: check the address", status=answer.status_code)
