"""Switch provisioning and mapping on in the Prefect of the environment."""

import asyncio

from deployments.settings_variable import ensure_settings
from slack_docebo.integration_settings import table

ON = {"NOTIFICATION_MAIL_ID": "", "PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true"}

if __name__ == "__main__":
    asyncio.run(ensure_settings(table(ON)))
