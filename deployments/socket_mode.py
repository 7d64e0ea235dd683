"""`python -m deployments.socket_mode`: take Slack's events through Socket Mode, until stopped.

Health and metrics are looked at on WEBHOOK_OBSERVATION_HOST and WEBHOOK_OBSERVATION_PORT, or else on WEBHOOK_HOST and
WEBHOOK_PORT.
"""

import sys

from deployments.webhook import listen, run
from slack_docebo.current_settings import Current
from slack_docebo.settings import SocketModeSettings
from slack_docebo.storage.store import Store
from slack_docebo.webhook.app import observation_app
from slack_docebo.webhook.reception import open_reception
from slack_docebo.webhook.socket_mode import listening


async def serve_socket_mode(settings: SocketModeSettings) -> None:
    """Take events through Socket Mode until stopped."""
    current = Current(settings)
    with Store.of(settings) as store:
        async with (
            open_reception(current, store) as reception,
            listening(lambda: current().slack_app_token, reception, base_url=settings.slack_api_url),
        ):
            apps = {settings.observation_address: observation_app(settings, reception)}
            await listen(settings, reception.metrics, apps)


if __name__ == "__main__":
    sys.exit(run("deployments.socket_mode", __doc__, SocketModeSettings, serve_socket_mode))
