"""The examination of an installation: each setting, and what it connects to, is checked and gives one finding."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

from slack_docebo.clients.exchanges import Recorder
from slack_docebo.engine.looking.checks import docebo, installation, prefect, slack
from slack_docebo.engine.looking.checks.seen import Seen
from slack_docebo.engine.looking.diagnosis import Finding, Level, fail, ok, warn
from slack_docebo.engine.reading.connection import note_contacts
from slack_docebo.errors import SyncError
from slack_docebo.settings import EVERYTHING, DoctorSettings, load_settings, secrets_open_to_others
from slack_docebo.storage.contacts import Side
from slack_docebo.storage.store import Store

CHECKS = (
    ("lengths of secrets", installation.lengths_of_secrets),
    ("database", installation.database),
    ("files", installation.files),
    ("Prefect", prefect.worker),
    ("Prefect's door", prefect.prefect_access),
    ("deployments", prefect.deployments),
    ("integration_settings", prefect.settings),
    ("Slack", slack.token),
    ("Slack workspace", slack.workspace),
    ("Slack's SCIM", slack.scim),
    ("Docebo", docebo.superadmin),
    ("linked Docebo", docebo.platform),
    ("order to stop", installation.order_to_stop),
    ("regular runs", installation.regular_runs),
    ("Docebo call budget", installation.budget),
    ("Docebo services", docebo.services),
    ("Docebo's description", docebo.description),
    ("Docebo's own mappings", docebo.own_mappings),
    ("Docebo's importer", docebo.importer),
    ("Docebo's mandatory fields", docebo.mandatory_fields),
    ("Docebo's levels", docebo.levels),
    ("Docebo's dialect", docebo.dialect),
    ("request URL", slack.request_url),
    ("what Slack sends", slack.refusals),
    ("notifications", installation.notifications),
)


async def examine() -> AsyncIterator[Finding]:
    """Yield the finding of each check as soon as it is made; if one check fails, the others are still made."""
    try:
        settings = load_settings(DoctorSettings)
    except SyncError as error:
        yield fail("settings", str(error))
        return  # every other check needs the settings
    yield ok("settings", "every variable that is needed is set, and none is wrong")
    if told := secrets_open_to_others(*EVERYTHING):
        yield warn("files of secrets", told)
    else:
        yield ok("files of secrets", "no other user of this machine can read them")
    seen = Seen(settings, Recorder(settings.debug_record) if settings.debug_record else None)
    fine = set[str]()
    for name, check in CHECKS:
        try:
            finding = await check(name, seen)
        except SyncError as error:
            finding = fail(name, str(error))
        except Exception as error:  # also an error of the check itself is a finding
            finding = fail(name, f"{type(error).__name__}: this check could not be made")
        if finding.level is Level.OK:
            fine.add(name)
        yield finding
    works = {Side.SLACK: fine.issuperset({"Slack", "Slack workspace"}), Side.DOCEBO: "Docebo" in fine}
    with suppress(SyncError), Store.of(settings) as store:
        note_contacts(store, settings.docebo_url, works, now=datetime.now(UTC))
