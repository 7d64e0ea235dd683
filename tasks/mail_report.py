"""The report of an import, mailed to those who want it."""

from urllib.parse import urlsplit

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException

from slack_docebo.clients.notifier import notifier
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.reporting.attention import alike, attention_rows
from slack_docebo.engine.reporting.mailed import ReportedImport, is_wanted
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.errors import SyncError
from slack_docebo.runtime import Runtime
from slack_docebo.settings import NotificationSettings, load_settings
from tasks.artifacts import summary_page
from tasks.links import whole_address


async def mail_report(runtime: Runtime, summary: Summary) -> None:
    """Mail what the import has done, if REPORT_MAIL wants that; one that is not taken is a line in the log."""
    if not is_wanted(runtime.behaviour.report_mail, summary):
        return
    rows = await to_completion(attention_rows, runtime.store, summary.plan.id, PeopleShown.IDS)
    try:
        async with get_client() as client:
            page = whole_address(await summary_page(client, summary.plan.id))
    except (httpx.HTTPError, PrefectException):  # a report without a link is one all the same
        page = ""
    report = ReportedImport(summary, alike(rows), urlsplit(runtime.settings.docebo_url).netloc, page)
    settings = load_settings(NotificationSettings).model_copy(update={"notification_urls": None})
    try:
        await notifier(settings, runtime.behaviour.notification_mail_id).send(report.title, report.body)
    except SyncError as error:
        get_run_logger().warning("The report was not mailed: %s", error)
