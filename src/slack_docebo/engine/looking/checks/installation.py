"""Checks of our own: database, files, secrets, orders, regular runs, the call budget, and notifications."""

import asyncio
import smtplib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from slack_docebo.clients.mail_server import ping_mail_server, to_check
from slack_docebo.clients.notifier import notifier
from slack_docebo.concurrency import within
from slack_docebo.engine.looking.checks.seen import SECONDS, Seen
from slack_docebo.engine.looking.diagnosis import Finding, fail, ok, warn
from slack_docebo.errors import ConfigurationError
from slack_docebo.private_files import may_others_write, open_to_others
from slack_docebo.redaction import SHORTEST
from slack_docebo.settings import SigningSettings, load_settings, short_secrets
from slack_docebo.storage.budget import CallBudget
from slack_docebo.storage.migrations import HEAD
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.store import Store
from slack_docebo.storage.upgrade import revision

REGULAR = {Milestone.IMPORT: timedelta(hours=26), Milestone.SWEEP: timedelta(hours=3)}  # how long ago each may be


async def lengths_of_secrets(check: str, seen: Seen) -> Finding:
    """Check that each secret is long enough to be redacted from messages that quote it."""
    short = short_secrets(seen.settings)
    with suppress(ConfigurationError):  # only the webhook must have it
        short += short_secrets(load_settings(SigningSettings))
    if short:
        return warn(
            check,
            f"{', '.join(short)}: a secret of less than {SHORTEST} characters is not taken out of messages that quote it;"
            " have a longer one made where you can",
        )
    return ok(check, "each is long enough to be taken out of messages that quote it")


async def database(check: str, seen: Seen) -> Finding:
    """Look whether the database can be written to, and is at the newest revision."""

    def open_and_look() -> tuple[str, str | None, bool]:
        with Store.of(seen.settings) as store, store.transaction() as tables:
            is_new = not (tables.plans.recent(1) or tables.inbox.status().counts)
            return store.url, revision(tables.connection), is_new

    name, found, is_new = await asyncio.to_thread(open_and_look)
    if found != HEAD:
        advice = f"newer code has migrated it (revision {found}): update the code here, too"
        return warn(check, f"{name} can be written to, but {advice}")
    if is_new:
        return ok(
            check,
            f"{name} is new and empty, as before the first run; if there were runs, DATABASE_URL is another by now",
        )
    return ok(check, f"{name} can be written to and is at the newest revision")


async def files(check: str, seen: Seen) -> Finding:
    """Check whether other users of this machine may read or change our files."""
    reports = seen.settings.report_dir
    with Store.of(seen.settings) as store:
        found = open_to_others(reports)
        if store.folder and may_others_write(store.folder):
            found.append(store.folder)
    if found:
        some = f"{found[0]} and {len(found) - 1} more" if len(found) > 1 else str(found[0])
        return warn(
            check,
            f"other users may read or change {some}: take their rights away with chown and chmod go=",
        )
    return ok(check, f"what is below {reports} is for this user only")


async def order_to_stop(check: str, seen: Seen) -> Finding:
    """Tell whether somebody has stopped everything, or FREEZE keeps runs from writing."""
    with seen.reading() as tables:
        halt = tables.halts.get(seen.settings.docebo_url)
    if seen.behaviour and (last := seen.behaviour.frozen_until(datetime.now(UTC))):
        return warn(check, f"nothing is written until the end of {last}: that is what FREEZE in the settings says")
    return (
        warn(check, f"everything is {halt}: the form Go, or `slack-docebo go`, lets runs write")
        if halt
        else ok(check, "none")
    )


async def regular_runs(check: str, seen: Seen) -> Finding:
    """Tell when the regular runs last happened, and whether that is too long ago."""
    now = datetime.now(UTC)
    with seen.reading() as tables:
        last = tables.milestones.last(seen.settings.docebo_url, now=now)
    frozen_at = last.pop(Milestone.FREEZE, None)  # which is no run, and excuses that there was no import
    told = [f"the last {name} was {_age(now - at)} ago" for name, at in sorted(last.items())]
    late = {name for name, at in last.items() if now - at > REGULAR[name]}
    if frozen_at and now - frozen_at <= REGULAR[Milestone.IMPORT]:
        late.discard(Milestone.IMPORT)
    if late:
        return warn(check, f"{', '.join(told)}: is a schedule paused, is a worker at work, do runs end well?")
    return ok(check, ", ".join(told) or "there was no import of everybody and no sweep yet")


async def budget(check: str, seen: Seen) -> Finding:
    """Count the calls to Docebo that are left, for the checks that would make some."""
    with Store.of(seen.settings) as store:
        left = CallBudget(store, seen.settings.docebo_url, seen.settings.docebo_calls_per_hour).left()
    seen.calls_left = left
    message = f"{left} calls may be made at once, and no more than {seen.settings.docebo_calls_per_hour} an hour"
    if seen.has_few_calls:
        return warn(check, f"{message}: runs wait until there are more")
    return ok(check, message)


async def notifications(check: str, seen: Seen) -> Finding:
    """Check whether anybody is told of trouble; the mail server is pinged, and no mail is sent."""
    to = seen.behaviour.notification_mail_id if seen.behaviour else ""
    if not notifier(seen.settings, to):
        return warn(
            check,
            "nobody is told of trouble: set NOTIFICATION_MAIL_ID in the form Change the settings, or NOTIFICATION_URLS",
        )
    if not to:
        return ok(check, "the addresses of NOTIFICATION_URLS are understood")
    try:
        await within(2 * SECONDS, ping_mail_server, seen.settings, to, SECONDS)
    except (OSError, smtplib.SMTPException) as error:
        code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
        return fail(check, f"the mail server does not take us ({type(error).__name__}{code}): {to_check(error)}")
    return ok(
        check, f"the mail server {seen.settings.smtp_host} takes mail from us to NOTIFICATION_MAIL_ID; none was sent"
    )


def _age(since: timedelta) -> str:
    hours, minutes = divmod(round(since.total_seconds() / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
