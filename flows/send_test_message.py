"""Flow *Send test message*: does a notification reach those who are to be told?"""

from prefect import flow

from tasks.hooks import ON_TROUBLE
from tasks.run import concluded
from tasks.send_message import send_test


@flow(name="send-test-message", flow_run_name="send a test message", **ON_TROUBLE)
@concluded
async def send_test_message() -> str:
    """Send a message that says it is a test to NOTIFICATION_MAIL_ID and NOTIFICATION_URLS; fail if one does not take it."""
    return await send_test()
