"""Checks of Docebo: the grant, the platform, and whether it is as our requests assume."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from slack_docebo.clients.docebo import DoceboClient, open_docebo
from slack_docebo.clients.docebo_rows import BATCH_NAMES
from slack_docebo.domain.description import missing_from, places, uses_with
from slack_docebo.domain.dialect import PROVEN, QUESTIONS, REFUSED_VALUES, SET_BY_HAND, Dialect
from slack_docebo.domain.formulas import as_in_rules
from slack_docebo.domain.targets import TITLED
from slack_docebo.engine.looking.checks.seen import SECONDS, Seen
from slack_docebo.engine.looking.diagnosis import Finding, fail, ok, warn
from slack_docebo.engine.looking.fields import rules_filling
from slack_docebo.engine.reading.connection import Rights, lack_of_rights, rights_of, unknown_levels
from slack_docebo.errors import AccessDenied, ContractViolation, Rejected, RemoteError, SyncError
from slack_docebo.runtime import grant
from slack_docebo.storage.budget import CallBudget
from slack_docebo.storage.store import Store

ALWAYS_WRITTEN = frozenset({"username", "email", "firstname", "lastname", "active"})  # columns of rows
MOST_SERVICES = 30  # of a platform, whose descriptions are read: each is a call
NO_SUCH_CALL = (Rejected, AccessDenied, ContractViolation)  # as a platform says; no run makes these calls
SPARED = "not looked at, to leave the few calls that may be made to runs"


async def superadmin(check: str, seen: Seen) -> Finding:
    """Look whether the grant works, and belongs to a superadmin."""
    async with _docebo(seen) as docebo:
        session = await docebo.session()
    rights = rights_of(session, _dialect(seen).superadmin_level)
    if rights is not Rights.SUPERADMIN:
        say = fail if rights is Rights.LESSER else warn
        return say(check, f"the grant works, but {lack_of_rights(session, rights)}")
    return ok(check, f"the grant works, and account {session.docebo_id} is a superadmin")


async def platform(check: str, seen: Seen) -> Finding:
    """Look whether the mappings in the database are those of this platform."""
    with seen.reading() as tables:
        tables.platforms.check(seen.settings.docebo_url)
    return ok(check, f"the mappings in the database are those of {seen.settings.docebo_url}, or there are none yet")


async def services(check: str, seen: Seen) -> Finding:
    """Look whether Docebo's own link with Slack is on, too."""
    try:
        async with _docebo(seen) as docebo:
            services = await docebo.services()
    except NO_SUCH_CALL as error:
        return warn(
            check,
            f"it is not told whether Docebo's own link with Slack is on ({error}): look among its apps, and switch it off",
        )
    slack = [service for service in services if "slack" in f"{service.app} {service.url}".lower()]
    if slack:
        return warn(
            check,
            f"this platform lists a Slack service ({', '.join(service.app for service in slack)}): switch Docebo's"
            " own link with Slack off, or two systems write the same accounts",
        )
    return ok(check, f"{len(services)} are listed, none for Slack")


async def description(check: str, seen: Seen) -> Finding:
    """Compare the platform's own description of its API with what we send, before anything is written."""
    if seen.has_few_calls:
        return warn(check, SPARED)
    async with _docebo(seen) as docebo:
        try:
            services = await docebo.services()
        except NO_SUCH_CALL as error:
            return warn(check, f"it cannot be found ({error}): the first run shows more")
        manage = next((service for service in services if service.app.lower() == "manage"), None)
        if manage is None:
            return warn(check, "the platform lists no description of its user management: the first run shows more")
        try:
            description = await docebo.described(manage)
            found = missing_from(description, uses_with(_columns(seen)))
        except (RemoteError, ValueError) as error:
            return warn(check, f"it cannot be read ({error}): the first run shows more")
    if found:
        say = fail if any(difference.fatal for difference in found) else warn
        told = "; ".join(difference.text for difference in found)
        return say(check, f"it differs from what is sent here: {told}. Try a dry run and one person first")
    return ok(check, "it lists every call, field and value that is used here")


async def own_mappings(check: str, seen: Seen) -> Finding:
    """Look in all parts of the platform's API for a place where Docebo may keep mappings of its own."""
    if seen.has_few_calls:
        return warn(check, SPARED)
    there, read = list[str](), 0
    async with _docebo(seen) as docebo:
        try:
            services = await docebo.services()
        except NO_SUCH_CALL as error:
            return warn(check, f"it cannot be told whether there is a place for them ({error})")
        for service in services[:MOST_SERVICES]:
            with suppress(RemoteError, ValueError):  # of a part that describes itself elsewhere, or not at all
                there += places(await docebo.described(service))
                read += 1
    if there:
        return warn(
            check,
            f"the platform lists what may be a place for them ({', '.join(there[:5])}); nothing is written there:"
            " Docebo's Slack app does not read our table, nor we its",
        )
    if not read:
        return warn(
            check, "it cannot be told whether there is a place for them: no part of the API shows its description"
        )
    return ok(check, f"no place for them in {read} descriptions, of {len(services)} parts of the platform's API")


async def importer(check: str, seen: Seen) -> Finding:
    """Look for the columns of our rows among those of the platform's importer, which reads such rows from files."""
    if seen.has_few_calls:
        return warn(check, SPARED)
    try:
        async with _docebo(seen) as docebo:
            known = await docebo.importer_columns()
    except NO_SUCH_CALL as error:
        return warn(check, f"its columns are not told ({error}): the first run shows more")
    written = _columns(seen)
    if "username" not in known:
        return ok(check, "it does not tell its columns in the words that are used here: the first run shows more")
    if lacking := sorted(written - known):
        return warn(
            check,
            f"it has no column {', '.join(lacking)}: rows with it may be refused, or it may be ignored. Try a dry run and"
            " one person first",
        )
    return ok(check, f"it has the {len(written)} columns that are written by the rules of now")


def _columns(seen: Seen) -> set[str]:
    """Return the columns of rows by the present rules; those of additional fields and managers contain numbers."""
    targets = {rule.target for rule in seen.behaviour.attributes} if seen.behaviour else set()
    return {BATCH_NAMES[target] for target in targets if target in BATCH_NAMES} | ALWAYS_WRITTEN


async def mandatory_fields(check: str, seen: Seen) -> Finding:
    """Name the fields that an account must have, as the platform says, and that no rule fills."""
    if seen.has_few_calls:
        return warn(check, SPARED)
    async with _docebo(seen) as docebo:
        fields = [field for field in await docebo.fields.all() if field.mandatory]
    rules = seen.behaviour.attributes if seen.behaviour else ()
    if unfilled := [as_in_rules(f"{TITLED}{field.title}") for field in fields if not rules_filling(rules, field)]:
        return warn(
            check,
            f"no rule fills {', '.join(unfilled)}: the platform may refuse new accounts without. Add a rule for each to"
            " SLACK | ATTRIBUTES, or let it be optional in Docebo",
        )
    return ok(check, f"rules fill the {len(fields)} that there are" if fields else "there are none")


async def levels(check: str, seen: Seen) -> Finding:
    """Look whether anybody on the first page of accounts is known to be a plain user."""
    if seen.has_few_calls:
        return warn(check, SPARED)
    async with _docebo(seen) as docebo:
        async for _ in docebo.list_users():
            break
    told = unknown_levels(docebo.levels.in_doubt)
    return warn(check, told) if told else ok(check, "the first accounts have levels that are known")


async def dialect(check: str, seen: Seen) -> Finding:
    """Tell what is known of this platform where Docebo's documentation leaves it open."""
    with seen.reading() as tables:
        learned = tables.dialect(seen.settings.docebo_url).all()
    answers = Dialect.of(learned, datetime.now(UTC)).answers
    told = [
        f"{name} is {answers[name]}, {SET_BY_HAND if learned[name].source == SET_BY_HAND else 'learned'} on"
        f" {learned[name].at:%Y-%m-%d}"
        for name in (question.name for question in QUESTIONS if question not in {PROVEN, REFUSED_VALUES})
        if answers.get(name)
    ]
    if not told:
        return ok(check, "nothing unusual is known of this platform yet; docs/dialect.md says what is assumed")
    return ok(check, f"{'; '.join(told)}; the form How this Docebo answers says more, as does `slack-docebo dialect`")


def _dialect(seen: Seen) -> Dialect:
    """Return the platform's dialect; an empty one if the database cannot be read, as its own check says."""
    try:
        with seen.reading() as tables:
            return tables.dialect(seen.settings.docebo_url).known(datetime.now(UTC))
    except SyncError:
        return Dialect({})


@asynccontextmanager
async def _docebo(seen: Seen) -> AsyncIterator[DoceboClient]:
    """Open the platform, within the budget of calls if the database can be read: otherwise its own check says so."""
    settings, known = seen.settings, _dialect(seen)
    options: dict[str, Any] = {"recorder": seen.recorder, "user_level": known.user_level, "paging": known.pages}
    with ExitStack() as stack:
        with suppress(SyncError):
            store = stack.enter_context(Store.of(settings))
            options["before_call"] = CallBudget(store, settings.docebo_url, settings.docebo_calls_per_hour).spend
        async with open_docebo(
            settings.docebo_url, lambda: grant(settings), timeout=SECONDS, attempts=1, **options
        ) as docebo:
            yield docebo
