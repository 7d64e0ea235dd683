"""The report of an import, mailed to those who want it."""

from urllib.parse import urlsplit

from prefect import get_run_logger
from prefect.utilities.urls import url_for

from slack_docebo.clients.notifier import notifier
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.reporting.attention import alike, attention_rows
from slack_docebo.engine.reporting.mailed import ReportedImport, is_wanted
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.errors import SyncError
from slack_docebo.runtime import Runtime
from slack_docebo.settings import NotificationSettings, load_settings
from tasks.notifications import without_login


async def mail_report(runtime: Runtime, summary: Summary) -> None:
    """Mail what the import has done, if REPORT_MAIL wants that; one that is not taken is a line in the log."""
    if not is_wanted(runtime.behaviour.report_mail, summary):
        return
    rows = await to_completion(attention_rows, runtime.store, summary.plan.id, PeopleShown.IDS)
    link = without_login(url_for("flow-run", runtime.run_id) or "")
    report = ReportedImport(summary, alike(rows), urlsplit(runtime.settings.docebo_url).netloc, link)
    settings = load_settings(NotificationSettings).model_copy(update={"notification_urls": None})
    try:
        await notifier(settings, runtime.behaviour.notification_mail_id).send(report.title, report.body)
    except SyncError as error:
        get_run_logger().warning("The report was not mailed: %s", error)
