"""A message to those whom notifications are for, to see that it arrives."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.variables import Variable

from slack_docebo.clients.notifier import notifier
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import VARIABLE, notification_mail_id
from slack_docebo.settings import NotificationSettings, load_settings

TITLE = "slack-docebo: this is a test"
BODY = "Somebody has asked for this message in Prefect. Nothing is wrong, and there is nothing to do."


@task(name="Send test", task_run_name="Send a test message", cache_policy=NO_CACHE)
async def send_test() -> str:
    """Send the message to every place, and say so; raise TransientError, naming them, where some do not take it."""
    to = notifier(load_settings(NotificationSettings), notification_mail_id(await Variable.aget(VARIABLE)))
    if not to:
        raise ConfigurationError(
            "nobody would be told: set NOTIFICATION_MAIL_ID in the form Change the settings, or NOTIFICATION_URLS"
        )
    await to.send(TITLE, BODY)
    sent = "a test message was taken by every place that notifications go to; see whether it arrives"
    get_run_logger().info(sent)
    return sent
