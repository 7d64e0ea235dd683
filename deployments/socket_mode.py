"""`python -m deployments.socket_mode`: take Slack's events through Socket Mode, until stopped.

WEBHOOK_HOST and WEBHOOK_PORT are where health and metrics are looked at.
"""

import sys

from deployments.webhook import listen, run
from slack_docebo.settings import Current, SocketModeSettings
from slack_docebo.storage.store import Store
from slack_docebo.webhook.app import observation_app
from slack_docebo.webhook.reception import open_reception
from slack_docebo.webhook.socket_mode import listening


async def serve_socket_mode(settings: SocketModeSettings) -> None:
    """Take events through Socket Mode until stopped."""
    current = Current(settings)
    with Store.open(settings.database_url.get_secret_value()) as store:
        async with (
            open_reception(current, store) as reception,
            listening(lambda: current().slack_app_token, reception, base_url=settings.slack_api_url),
        ):
            await listen(settings, observation_app(reception))


if __name__ == "__main__":
    sys.exit(run("deployments.socket_mode", __doc__, SocketModeSettings, serve_socket_mode))
