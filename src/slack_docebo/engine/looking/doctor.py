"""The examination of an installation: each setting, and what it connects to, is checked and gives one finding."""

import asyncio
import hashlib
import hmac
import json
import secrets
import smtplib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from slack_docebo.clients.answers import BoundedClient
from slack_docebo.clients.docebo import DoceboClient, open_docebo
from slack_docebo.clients.docebo_rows import BATCH_NAMES
from slack_docebo.clients.mail_server import greet_mail_server, to_check
from slack_docebo.clients.notifier import notifier
from slack_docebo.clients.prefect_client import PrefectClient
from slack_docebo.clients.recording import Recorder
from slack_docebo.clients.slack import open_slack
from slack_docebo.concurrency import within
from slack_docebo.domain.description import differences, places
from slack_docebo.domain.dialect import PROVEN, QUESTIONS, REFUSED_VALUES, SET_BY_HAND, Dialect
from slack_docebo.domain.formulas import quoted
from slack_docebo.domain.targets import TITLED
from slack_docebo.engine.looking.diagnosis import Finding, Level, fail, ok, warn
from slack_docebo.engine.looking.fields import rules_filling
from slack_docebo.engine.reading.connection import (
    Rights,
    lack_of_rights,
    missing_scopes,
    note_contacts,
    of_another_workspace,
    rights_of,
    unknown_levels,
)
from slack_docebo.errors import ConfigurationError, RemoteError, SyncError
from slack_docebo.integration_settings import VARIABLE, IntegrationSettings, read_rows
from slack_docebo.lookup_tables import find_tables
from slack_docebo.private_files import may_others_write, open_to_others
from slack_docebo.redaction import SHORTEST
from slack_docebo.runtime import grant
from slack_docebo.settings import (
    EVERYTHING,
    DoctorSettings,
    SigningSettings,
    load_settings,
    secrets_open_to_others,
    short_secrets,
)
from slack_docebo.storage.budget import CallBudget
from slack_docebo.storage.contacts import Side
from slack_docebo.storage.migrations import HEAD
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.upgrade import revision

SECONDS = 10.0
REGULAR = {Milestone.IMPORT: timedelta(hours=26), Milestone.SWEEP: timedelta(hours=3)}  # how long ago each may be
NAMELESS = "(not named)"  # a workspace
MANY_REFUSALS = 5  # in a row
FEW_PLANS = 20  # in which one with the settings of today is looked for
ALWAYS_WRITTEN = frozenset({"username", "email", "firstname", "lastname", "active"})  # columns of rows
FEW_CALLS = 50  # as many as the reconciliation of a small platform makes
EVENTS = "realtime-sync/slack-events"
TAG = "slack-docebo"  # of all deployments
POOL = "slack-docebo-flows"
START_WORKER = f"python -m prefect worker start --pool {POOL} --type slack-docebo"
FOREIGN_ORIGIN = "https://elsewhere.invalid"
START_IT = "start it with `python -m deployments.server` and PREFECT_SERVER_API_AUTH_STRING"


async def examine() -> AsyncIterator[Finding]:
    """Yield the finding of each check as soon as it is made; where one fails, the others are made all the same."""
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
    yield _lengths("lengths of secrets", settings)
    checks = _Checks(settings)
    fine = set[str]()
    for name, check in (
        ("database", checks.database),
        ("files", checks.files),
        ("Prefect", checks.prefect),
        ("Prefect's door", checks.prefects_door),
        ("deployments", checks.deployments),
        ("integration_settings", checks.table),
        ("Slack", checks.slack),
        ("Slack workspace", checks.workspace),
        ("Docebo", checks.docebo),
        ("linked Docebo", checks.platform),
        ("order to stop", checks.halt),
        ("regular runs", checks.regular_runs),
        ("Docebo call budget", checks.budget),
        ("Docebo services", checks.services),
        ("Docebo's description", checks.description),
        ("Docebo's importer", checks.importer),
        ("Docebo's mandatory fields", checks.mandatory_fields),
        ("Docebo's levels", checks.levels),
        ("Docebo's ways", checks.ways),
        ("request URL", checks.request_url),
        ("what Slack sends", checks.refusals),
        ("notifications", checks.notifications),
    ):
        try:
            finding = await check(name)
        except SyncError as error:
            finding = fail(name, str(error))
        except Exception as error:  # also an error of the check itself is a finding
            finding = fail(name, f"{type(error).__name__}: this check could not be made")
        if finding.level is Level.OK:
            fine.add(name)
        yield finding
    works = {Side.SLACK: fine.issuperset({"Slack", "Slack workspace"}), Side.DOCEBO: "Docebo" in fine}
    with suppress(SyncError), Store.open(settings.database_url.get_secret_value()) as store:
        note_contacts(store, settings.docebo_url, works, now=datetime.now(UTC))


def _lengths(check: str, settings: DoctorSettings) -> Finding:
    short = short_secrets(settings)
    with suppress(ConfigurationError):  # only the webhook must have it
        short += short_secrets(load_settings(SigningSettings))
    if short:
        return warn(
            check,
            f"{', '.join(short)}: a secret of less than {SHORTEST} characters is not taken out of messages that quote it;"
            " have a longer one made where you can",
        )
    return ok(check, "each is long enough to be taken out of messages that quote it")


class _Checks:
    """The checks of one installation. The table and the workspace that earlier ones find are used by later ones."""

    def __init__(self, settings: DoctorSettings) -> None:
        self._settings = settings
        self._behaviour: IntegrationSettings | None = None
        self._team = ""
        self._recorder = Recorder(settings.debug_record) if settings.debug_record else None
        self._left: int | None = None  # calls to Docebo that may be made at once

    async def database(self, check: str) -> Finding:
        def open_and_look() -> tuple[str, str | None, bool]:
            with Store.open(self._settings.database_url.get_secret_value()) as store, store.transaction() as tables:
                is_new = not (tables.plans.recent(1) or tables.inbox.status().counts)
                return store.url, revision(tables.connection), is_new

        name, found, is_new = await asyncio.to_thread(open_and_look)
        if found != HEAD:
            advice = f"newer code has migrated it (revision {found}): update the code here, too"
            return warn(check, f"{name} can be written to, but {advice}")
        if is_new:
            return ok(
                check, f"{name} is new and empty: right before the first run, else DATABASE_URL is another than before"
            )
        return ok(check, f"{name} can be written to and is at the newest revision")

    async def files(self, check: str) -> Finding:
        reports = self._settings.report_dir
        with Store.open(self._settings.database_url.get_secret_value()) as store:
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

    async def prefect(self, check: str) -> Finding:
        answer = await self._ask_prefect("POST", f"work_pools/{POOL}/workers/filter", json={})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return fail(check, f"answers, but has no work pool {POOL}: run `python -m deployments.bootstrap`")
        online = sum(1 for worker in answer.raise_for_status().json() if worker.get("status") == "ONLINE")
        if not online:
            return fail(check, f"answers, but no worker is at work: start `{START_WORKER}`")
        return ok(check, f"answers at {self._settings.prefect_api_url}; {online} worker(s) at work")

    async def prefects_door(self, check: str) -> Finding:
        """Ask Prefect without the login, and with it as a page of another origin would: both have to be refused."""
        table = f"variables/name/{VARIABLE}"
        if _is_served(await self._send_to_prefect("GET", table, auth=None)):
            return fail(check, f"no login is asked for, so whoever reaches it reads and starts runs: {START_IT}")
        if _is_served(await self._send_to_prefect("GET", table, headers={"Origin": FOREIGN_ORIGIN})):
            return warn(check, f"a login is asked for, but pages of other origins are answered: {START_IT}")
        return ok(check, "asks for a login, and answers no page of another origin")

    async def deployments(self, check: str) -> Finding:
        query = {"deployments": {"tags": {"all_": [TAG]}}}
        found = (await self._ask_prefect("POST", "deployments/filter", json=query)).raise_for_status().json()
        paused = sorted(str(one.get("name")) for one in found if one.get("paused"))
        if not found:
            return fail(check, "there are none: run `prefect --no-prompt deploy --all` in the project's folder")
        if (await self._ask_prefect("GET", f"deployments/name/{EVENTS}")).status_code == httpx.codes.NOT_FOUND:
            return fail(check, f"{EVENTS} is missing: run `prefect --no-prompt deploy --all`")
        if paused:
            return warn(check, f"paused: {', '.join(paused)}; resume them in Prefect's UI when that is not meant")
        return ok(check, f"{len(found)} are there")

    async def table(self, check: str) -> Finding:
        answer = await self._ask_prefect("GET", f"variables/name/{VARIABLE}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return fail(check, "Prefect has no such Variable: run `python -m deployments.bootstrap`")
        self._behaviour = read_rows(answer.raise_for_status().json()["value"])
        await find_tables(self._behaviour.tables, self._settings.tables_dir, self._variable)
        off = [
            name
            for name, on in (
                ("PROVISION_SLACK_USER_DATA", self._behaviour.provision_slack_user_data),
                ("MAP_SLACK_USER_DATA", self._behaviour.map_slack_user_data),
            )
            if not on
        ]
        remarks = [*self._behaviour.remarks, *await asyncio.to_thread(self._remarks_of_last_import, self._behaviour)]
        if off:
            remarks.append(f"switched off: {' and '.join(off)}; set to true in the Variable {VARIABLE}")
        if remarks:
            return warn(check, "; ".join(dict.fromkeys(remarks)))
        return ok(check, "every row is right; provisioning and mapping are on")

    async def _variable(self, name: str) -> object:
        answer = await self._ask_prefect("GET", f"variables/name/{name}")
        is_missing = answer.status_code == httpx.codes.NOT_FOUND
        return None if is_missing else answer.raise_for_status().json()["value"]

    def _remarks_of_last_import(self, behaviour: IntegrationSettings) -> list[str]:
        """Return what the newest import with these settings has remarked on them."""
        try:
            with Store.open(self._settings.database_url.get_secret_value()) as store, store.reading() as tables:
                plans = tables.plans.recent(FEW_PLANS, PlanKind.BULK_IMPORT)
        except SyncError:
            return []  # the check of the database says so
        same = (plan.facts.get("remarks") for plan in plans if plan.settings == behaviour.written)
        newest = next((found for found in same if isinstance(found, list)), [])
        return list(map(str, newest))

    async def slack(self, check: str) -> Finding:
        async with open_slack(
            lambda: self._settings.slack_bot_token,
            base_url=self._settings.slack_api_url,
            attempts=1,
            recorder=self._recorder,
        ) as client:
            identity = await client.identify()
        self._team = identity.team_id or NAMELESS
        rules, groups = (
            (self._behaviour.attributes, self._behaviour.reads_user_groups) if self._behaviour else ((), False)
        )
        if missing := missing_scopes(identity, rules, user_groups=groups):
            return fail(check, f"the token lacks {', '.join(missing)}: add it to the app and install it again")
        return ok(check, f"the token is valid for workspace {identity.team_id}, with the scopes that are needed")

    async def workspace(self, check: str) -> Finding:
        if not self._team:
            return warn(check, "not looked at, because the token was refused")
        with Store.open(self._settings.database_url.get_secret_value()) as store, store.reading() as tables:
            linked = tables.links.get(self._settings.docebo_url)
        expected = self._settings.slack_team_id or (linked.slack_team if linked else "")
        is_named = not self._team.startswith(("E", NAMELESS))
        if not is_named and not expected:
            return fail(
                check, "the token is for an organisation, or Slack does not name its workspace: set SLACK_TEAM_ID"
            )
        if not expected:
            return ok(check, f"{self._team} will be linked to this Docebo by the first run")
        if expected != self._team and is_named:
            return fail(check, of_another_workspace(self._team, expected))
        return ok(check, f"{expected} is the one linked to this Docebo")

    async def docebo(self, check: str) -> Finding:
        async with AsyncExitStack() as stack:
            session = await (await self._docebo(stack)).session()
        rights = rights_of(session, self._settings.docebo_superadmin_level)
        if rights is not Rights.SUPERADMIN:
            say = fail if rights is Rights.LESSER else warn
            return say(check, f"the grant works, but {lack_of_rights(session, rights)}")
        return ok(check, f"the grant works, and account {session.docebo_id} is a superadmin")

    async def platform(self, check: str) -> Finding:
        with Store.open(self._settings.database_url.get_secret_value()) as store, store.reading() as tables:
            tables.platforms.check(self._settings.docebo_url)
        return ok(
            check, f"the mappings in the database are those of {self._settings.docebo_url}, or there are none yet"
        )

    async def halt(self, check: str) -> Finding:
        with Store.open(self._settings.database_url.get_secret_value()) as store, store.reading() as tables:
            halt = tables.halts.get(self._settings.docebo_url)
        if self._behaviour and (last := self._behaviour.frozen_until(datetime.now(UTC))):
            return warn(check, f"nothing is written until the end of {last}: that is what FREEZE in the settings says")
        return (
            warn(check, f"everything is {halt}: the form Go, or `slack-docebo go`, lets runs write")
            if halt
            else ok(check, "none")
        )

    async def regular_runs(self, check: str) -> Finding:
        now = datetime.now(UTC)
        with Store.open(self._settings.database_url.get_secret_value()) as store, store.reading() as tables:
            last = tables.milestones.last(self._settings.docebo_url)
        told = [f"the last {name} was {_age(now - at)} ago" for name, at in sorted(last.items())]
        if any(now - last[name] > longest for name, longest in REGULAR.items() if name in last):
            return warn(check, f"{', '.join(told)}: is a schedule paused, is a worker at work, do runs end well?")
        return ok(check, ", ".join(told) or "there was no import of everybody and no sweep yet")

    async def budget(self, check: str) -> Finding:
        with Store.open(self._settings.database_url.get_secret_value()) as store:
            left = CallBudget(store, self._settings.docebo_url, self._settings.docebo_calls_per_hour).left()
        self._left = left
        message = f"{left} calls may be made at once, and no more than {self._settings.docebo_calls_per_hour} an hour"
        if left < FEW_CALLS:
            return warn(check, f"{message}: runs wait until there are more")
        return ok(check, message)

    async def services(self, check: str) -> Finding:
        async with AsyncExitStack() as stack:
            services = await (await self._docebo(stack)).services()
        slack = [service for service in services if "slack" in f"{service.app} {service.url}".lower()]
        if slack:
            return warn(
                check,
                f"this platform lists a Slack service ({', '.join(service.app for service in slack)}): switch Docebo's"
                " own link with Slack off, or two systems write the same accounts",
            )
        return ok(check, f"{len(services)} are listed, none for Slack")

    async def description(self, check: str) -> Finding:
        """Hold the platform's own description of its API against what we send, before anything is written."""
        if self._left is not None and self._left < FEW_CALLS:
            return warn(check, "not looked at, to leave the few calls that may be made to runs")
        async with AsyncExitStack() as stack:
            client = await self._docebo(stack)
            services = await client.services()
            manage = next((service for service in services if service.app.lower() == "manage"), None)
            if manage is None:
                return warn(check, "the platform lists no description of its user management: the first run shows more")
            try:
                description = await client.described(manage)
                found, there = differences(description), places(description)
            except (RemoteError, ValueError) as error:
                return warn(check, f"it cannot be read ({error}): the first run shows more")
        if found:
            say = fail if any(difference.fatal for difference in found) else warn
            told = "; ".join(difference.text for difference in found)
            return say(check, f"it differs from what is sent here: {told}. Try a dry run and one person first")
        if there:
            return warn(
                check,
                f"it lists what may be a place for a mapping of Docebo's own ({', '.join(there[:5])}); nothing is written"
                " there: Docebo's Slack app does not read our table, nor we its",
            )
        return ok(check, "it lists every call, field and value that is used here")

    async def importer(self, check: str) -> Finding:
        """Look the columns of our rows up among those of the platform's importer, which reads rows like ours from files."""
        if self._left is not None and self._left < FEW_CALLS:
            return warn(check, "not looked at, to leave the few calls that may be made to runs")
        async with AsyncExitStack() as stack:
            known = await (await self._docebo(stack)).importer_columns()
        targets = {rule.target for rule in self._behaviour.attributes} if self._behaviour else set()
        written = {BATCH_NAMES[target] for target in targets if target in BATCH_NAMES} | ALWAYS_WRITTEN
        if "username" not in known:
            return ok(check, "it does not tell its columns in the words that are used here: the first run shows more")
        if lacking := sorted(written - known):
            return warn(
                check,
                f"it has no column {', '.join(lacking)}: rows with it may be refused, or it may be ignored. Try a dry run and"
                " one person first",
            )
        return ok(check, f"it has the {len(written)} columns that are written by the rules of now")

    async def mandatory_fields(self, check: str) -> Finding:
        """Name what the platform says an account must have, and no rule fills."""
        if self._left is not None and self._left < FEW_CALLS:
            return warn(check, "not looked at, to leave the few calls that may be made to runs")
        async with AsyncExitStack() as stack:
            fields = [field for field in await (await self._docebo(stack)).user_fields() if field.mandatory]
        rules = self._behaviour.attributes if self._behaviour else ()
        if unfilled := [quoted(f"{TITLED}{field.title}") for field in fields if not rules_filling(rules, field)]:
            return warn(
                check,
                f"no rule fills {', '.join(unfilled)}: the platform may refuse new accounts without. Add a rule for each to"
                " SLACK | ATTRIBUTES, or let it be optional in Docebo",
            )
        return ok(check, f"rules fill the {len(fields)} that there are" if fields else "there are none")

    async def ways(self, check: str) -> Finding:
        """Tell what is known of this platform where Docebo's documentation leaves it open."""
        with Store.open(self._settings.database_url.get_secret_value()) as store, store.reading() as tables:
            learned = tables.dialect(self._settings.docebo_url).all()
        answers = Dialect.of(learned, datetime.now(UTC)).answers
        told = [
            f"{name} is {answers[name]}, {SET_BY_HAND if learned[name].source == SET_BY_HAND else 'learned'} on"
            f" {learned[name].at:%Y-%m-%d}"
            for name in (question.name for question in QUESTIONS if question not in {PROVEN, REFUSED_VALUES})
            if answers.get(name)
        ]
        if not told:
            return ok(check, "nothing unusual is known of this platform yet; docs/dialect.md says what is assumed")
        return ok(check, f"{'; '.join(told)}; `slack-docebo dialect` and the form of that name say more")

    async def levels(self, check: str) -> Finding:
        """Look whether anybody on the first page of accounts is known to be a plain user."""
        if self._left is not None and self._left < FEW_CALLS:
            return warn(check, "not looked at, to leave the few calls that may be made to runs")
        async with AsyncExitStack() as stack:
            docebo = await self._docebo(stack)
            async for _ in docebo.list_users():
                break
        told = unknown_levels(docebo.levels.in_doubt)
        return warn(check, told) if told else ok(check, "the first accounts have levels that are known")

    async def request_url(self, check: str) -> Finding:
        url = self._settings.webhook_public_url
        try:
            secret = load_settings(SigningSettings).slack_signing_secret
        except ConfigurationError as error:
            return warn(check, f"not tried from here: {error}; the webhook must have it, or no events come")
        if not url:
            return warn(check, "WEBHOOK_PUBLIC_URL is not set, so whether Slack can reach the webhook was not tried")
        challenge = secrets.token_hex(16)
        body = json.dumps({"type": "url_verification", "challenge": challenge, "token": ""}).encode()
        stamp = str(int(time.time()))
        signature = hmac.new(secret.get_secret_value().encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature.hexdigest()}",
        }
        try:
            async with BoundedClient("The webhook", seconds=SECONDS) as http:
                answer = await http.post(url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return fail(check, f"{url} does not answer ({type(error).__name__}): start the webhook, look at the proxy")
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return fail(check, "the webhook refuses our signature: it runs with another SLACK_SIGNING_SECRET")
        if answer.status_code == httpx.codes.MISDIRECTED_REQUEST:
            return fail(check, f"the proxy before {url} passes on another name: add it to WEBHOOK_ALLOWED_HOSTS")
        if not answer.is_success or challenge not in answer.text:
            return fail(check, f"{url} answers HTTP {answer.status_code}, but not as the webhook: check the path")
        if not await asyncio.to_thread(self._has_events):
            return warn(
                check,
                f"a request to {url} that we signed came through. Whether the secret is Slack's shows with its first event:"
                " change a profile in Slack, and look again",
            )
        return ok(check, f"a request to {url} that we signed came through, and Slack's events have")

    def _has_events(self) -> bool:
        with Store.open(self._settings.database_url.get_secret_value()) as store, store.reading() as tables:
            return bool(tables.inbox.status().counts)

    async def refusals(self, check: str) -> Finding:
        with Store.open(self._settings.database_url.get_secret_value()) as store, store.reading() as tables:
            many = [one.line for one in tables.refusals.all() if one.number >= MANY_REFUSALS]
        return warn(check, "; ".join(many)) if many else ok(check, "the webhook has not refused many requests in a row")

    async def notifications(self, check: str) -> Finding:
        to = self._behaviour.notification_mail_id if self._behaviour else ""
        if not notifier(self._settings, to):
            return warn(check, "nobody is told of trouble: set NOTIFICATION_MAIL_ID in the table, or NOTIFICATION_URLS")
        if not to:
            return ok(check, "the addresses of NOTIFICATION_URLS are understood")
        try:
            await within(2 * SECONDS, greet_mail_server, self._settings, to, SECONDS)
        except (OSError, smtplib.SMTPException) as error:
            code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
            return fail(check, f"the mail server does not take us ({type(error).__name__}{code}): {to_check(error)}")
        return ok(check, f"the mail server {self._settings.smtp_host} takes mails from us to there; none was sent")

    async def _docebo(self, stack: AsyncExitStack) -> DoceboClient:
        settings = self._settings
        before: Callable[[], Awaitable[None]] | None = None
        try:
            store = stack.enter_context(Store.open(settings.database_url.get_secret_value()))
            before = CallBudget(store, settings.docebo_url, settings.docebo_calls_per_hour).spend
        except SyncError:
            pass  # the check of the database says so; the grant can be tried without a budget
        options: dict[str, Any] = {"recorder": self._recorder, "user_level": settings.docebo_user_level}
        options |= {"before_call": before} if before else {}
        return await stack.enter_async_context(
            open_docebo(settings.docebo_url, lambda: grant(settings), timeout=SECONDS, attempts=1, **options)
        )

    async def _ask_prefect(self, verb: str, path: str, **request: Any) -> httpx.Response:
        answer = await self._send_to_prefect(verb, path, **request)
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise SyncError("Prefect refuses the login: check PREFECT_API_AUTH_STRING")
        return answer

    async def _send_to_prefect(self, verb: str, path: str, **request: Any) -> httpx.Response:
        settings = self._settings
        login = settings.prefect_api_auth_string
        try:
            async with PrefectClient(settings.prefect_api_url, lambda: login, seconds=SECONDS) as http:
                return await http.request(verb, path, **request)
        except httpx.HTTPError as error:
            raise SyncError(
                f"Prefect does not answer at {self._settings.prefect_api_url} ({type(error).__name__}): start it, or"
                " set PREFECT_API_URL"
            ) from None


def _is_served(answer: httpx.Response) -> bool:
    """Tell whether Prefect served the request; 404 counts, for it shows that the request was not refused."""
    return answer.is_success or answer.status_code == httpx.codes.NOT_FOUND


def _age(since: timedelta) -> str:
    hours, minutes = divmod(round(since.total_seconds() / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
