import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from deployments.local import connection_settings, free_port
from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind
from slack_docebo.engine.looking.diagnosis import Level
from slack_docebo.engine.looking.doctor import examine
from slack_docebo.engine.reading.dialect_changes import DialectAction, dialect_change
from slack_docebo.integration_settings import table
from slack_docebo.private_files import new_file
from slack_docebo.settings import EVERYTHING, variables
from slack_docebo.storage.contacts import Side
from slack_docebo.storage.refusals import Refusal, RefusalKind
from slack_docebo.storage.store import Store
from tests.between import Answer, between, in_json
from tests.importing import ON, run_import, settings_for
from tests.integration.commands import run
from tests.integration.prefect_variables import Quiet, prefect_with, served
from tests.releases import expand
from tests.webhook import envelope, running_webhook, signed

SIGNING_SECRET = "planted-signing-secret"


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    with Sandbox(users=50, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def environment(company, sqlite_url, monkeypatch, tmp_path):
    """A working installation on the sandbox, apart from Prefect, which is down."""
    company.reset()
    monkeypatch.chdir(tmp_path)  # no .env there
    for name in variables(*EVERYTHING):
        monkeypatch.delenv(name, raising=False)
    settings = {
        **connection_settings(company.facts(), tmp_path),
        "DATABASE_URL": sqlite_url,
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def switch(company: Sandbox, switches: dict[str, bool | str]) -> None:
    httpx.put(f"{company.docebo_control_url}switches", json=switches).raise_for_status()


def set_by_hand(company: Sandbox, database_url: str, question: str, answer: str) -> None:
    """Answer a question about this Docebo's dialect as the command does."""
    change = dialect_change(DialectAction.SET, question, answer)
    with Store.open(database_url) as store, store.transaction() as tables:
        change.keep(tables.dialect(company.facts()["docebo_url"]), datetime.now(UTC))


async def findings() -> dict[str, tuple[Level, str]]:
    return {finding.check: (finding.level, finding.message) async for finding in examine()}


@pytest.mark.long
async def test_slack_docebo_and_the_database_are_found_well_while_prefect_is_down(environment):
    found = await findings()

    for check in ("settings", "database", "Slack", "Slack workspace", "Slack's SCIM", "Docebo", "Docebo call budget"):
        assert found[check][0] is Level.OK, found[check]
    assert "is new and empty" in found["database"][1]
    for check in ("Prefect", "deployments", "integration_settings"):
        assert found[check][0] is Level.FAIL
        assert "start it, or set PREFECT_API_URL" in found[check][1]


@pytest.mark.long
async def test_an_examination_tells_the_status_page_whose_credentials_work(environment, company, sqlite_url):
    environment.setenv("SLACK_BOT_TOKEN", "xoxb-of-before")
    await findings()

    with Store.open(sqlite_url) as store, store.reading() as tables:
        contacts = tables.contacts.last(company.docebo_url)
    assert (contacts[Side.SLACK].is_broken, contacts[Side.SLACK].worked_at) == (True, None)
    assert contacts[Side.DOCEBO].worked_at
    assert not contacts[Side.DOCEBO].is_broken


async def test_a_database_that_newer_code_has_migrated_is_told(environment, sqlite_url):
    environment.setenv("DATABASE_URL", sqlite_url)
    expand(sqlite_url)

    level, message = (await findings())["database"]

    assert level is Level.WARN
    assert "newer code has migrated it (revision 9999): update the code here, too" in message


@pytest.mark.long
async def test_files_that_others_may_read_or_replace_are_named(environment, tmp_path):
    assert (await findings())["files"][0] is Level.OK
    environment.setenv("REPORT_DIR", str(tmp_path / "reports"))
    with new_file(tmp_path / "reports" / "1abc.csv"):
        pass
    (tmp_path / "reports" / "1abc.csv").chmod(0o644)
    tmp_path.chmod(0o770)  # the database is in it

    level, message = (await findings())["files"]
    assert level is Level.WARN
    assert f"{tmp_path}/reports/1abc.csv and 1 more: take their rights away" in message


class UnguardedPrefect(Quiet):
    """Answers everybody, or whoever has the login from wherever they come."""

    login = False

    def do_GET(self) -> None:  # noqa: N802 - the library calls it so
        self.send_response(200 if self.headers.get("Authorization") or not self.login else 401)
        self.end_headers()

    do_POST = do_GET  # noqa: N815


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    ("login", "level", "told"),
    [(False, Level.FAIL, "no login is asked for"), (True, Level.WARN, "pages of other origins are answered")],
)
async def test_a_prefect_server_that_lets_strangers_in_is_told(environment, login, level, told):
    with served(type("Handler", (UnguardedPrefect,), {"login": login})) as address:
        environment.setenv("PREFECT_API_URL", address)
        environment.setenv("PREFECT_API_AUTH_STRING", "admin:secret")
        found = (await findings())["Prefect's door"]

    assert found[0] is level
    assert told in found[1]
    assert "python -m deployments.server" in found[1]


class BusyPrefect(Quiet):
    """Answers nobody, as a server that has no time for its database."""

    def do_GET(self) -> None:  # noqa: N802 - the library calls it so
        self.send_response(503)
        self.end_headers()

    do_POST = do_GET  # noqa: N815


async def test_a_prefect_server_that_fails_is_told_with_what_to_do(environment):
    with served(BusyPrefect) as address:
        environment.setenv("PREFECT_API_URL", address)
        found = await findings()

    for check in ("Prefect", "deployments", "integration_settings"):
        assert found[check] == (Level.FAIL, "Prefect answers HTTP 503: look at its log, then look again")


class PrefectOf(Quiet):
    """Answers each question, by its path, with what is in *answers*."""

    answers: Mapping[str, object] = {}

    def do_GET(self) -> None:  # noqa: N802 - the library calls it so
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.answers.get(self.path.removeprefix("/api/"), {})).encode())

    do_POST = do_GET  # noqa: N815


POOL = "work_pools/slack-docebo-flows"
FREE = {"is_paused": False, "concurrency_limit": None}
AT_WORK = {f"{POOL}/workers/filter": [{"status": "ONLINE"}], POOL: FREE, f"{POOL}/queues/default": FREE}
OURS = [{"name": name, "paused": False} for name in ("slack-events", "sweep", "reconcile", "undo-a-run")]


@pytest.mark.variants(3)
@pytest.mark.parametrize(
    ("answers", "level", "told"),
    [
        ({}, Level.OK, "1 worker at work"),
        ({POOL: {**FREE, "is_paused": True}}, Level.FAIL, "the work pool slack-docebo-flows is paused"),
        ({f"{POOL}/queues/default": {**FREE, "is_paused": True}}, Level.FAIL, "the work queue default is paused"),
        ({POOL: {**FREE, "concurrency_limit": 0}}, Level.WARN, "has a concurrency limit of 0"),
        (
            {POOL: {**FREE, "concurrency_limit": 9}, f"{POOL}/queues/default": {**FREE, "is_paused": True}},
            Level.FAIL,
            "the work queue default is paused",
        ),
    ],
)
async def test_a_worker_that_is_given_no_runs_is_not_called_well(environment, answers, level, told):
    with served(type("Handler", (PrefectOf,), {"answers": AT_WORK | answers})) as address:
        environment.setenv("PREFECT_API_URL", address)
        found = (await findings())["Prefect"]

    assert found[0] is level
    assert told in found[1]


@pytest.mark.variants(1)
@pytest.mark.parametrize("deleted", ["slack-events", "sweep", "reconcile"])
async def test_a_deployment_that_runs_by_itself_and_was_deleted_is_named(environment, deleted):
    left = [one for one in OURS if one["name"] != deleted]
    with served(type("Handler", (PrefectOf,), {"answers": {"deployments/filter": left}})) as address:
        environment.setenv("PREFECT_API_URL", address)
        found = (await findings())["deployments"]

    assert found == (Level.FAIL, f"missing: {deleted}; run `python -m deployments.ready`")


@pytest.mark.long
async def test_a_switch_and_an_entry_that_are_perhaps_not_meant_are_told_after_an_import(
    environment, company, sqlite_url
):
    rows = {**ON, "MAP_SLACK_USER_DATA": "WAHR", "SCOPE_EXCLUDE": "*@exampel.com, *"}
    done = await run_import(settings_for(company.facts(), sqlite_url), rows=rows, dry_run=True)
    with prefect_with(integration_settings=table(rows)) as address:
        environment.setenv("PREFECT_API_URL", address)
        level, message = (await findings())["integration_settings"]

    told = ("MAP_SLACK_USER_DATA says 'WAHR' and is off", "SCOPE_EXCLUDE: entry 1 of the list fits nobody")
    assert level is Level.WARN
    assert all(one in message and one in done.markdown() for one in told)


async def test_a_lookup_table_that_is_not_there_is_named(environment, company, sqlite_url):
    rows = {**ON, "ATTRIBUTES": "first_name, last_name, email, time_zone = table(zones, time_zone)"}

    with prefect_with(integration_settings=table(rows)) as address:
        environment.setenv("PREFECT_API_URL", address)
        level, message = (await findings())["integration_settings"]

    assert level is Level.FAIL
    assert "there is no table zones: make the Variable table_zones in Prefect" in message


async def test_a_missing_variable_is_named(environment):
    environment.delenv("SLACK_BOT_TOKEN")

    assert await findings() == {
        "settings": (Level.FAIL, "environment: SLACK_BOT_TOKEN is not set (see .env.example)"),
    }


async def test_an_env_file_that_others_can_read_is_named_with_what_to_do(environment, open_folder):
    environment.chdir(open_folder)
    (open_folder / ".env").touch()
    (open_folder / ".env").chmod(0o644)

    told = "other users of this machine can read secrets: run `chmod 600 .env`"
    assert (await findings())["files of secrets"] == (Level.WARN, told)

    (open_folder / ".env").chmod(0o600)

    assert (await findings())["files of secrets"][0] is Level.OK


@pytest.mark.long
async def test_a_secret_that_is_too_short_to_be_taken_out_of_messages_is_named_and_not_shown(environment):
    environment.setenv("SLACK_SIGNING_SECRET", SIGNING_SECRET)
    assert (await findings())["lengths of secrets"][0] is Level.OK
    environment.setenv("SMTP_PASSWORD", "tiny")
    environment.setenv("SLACK_SIGNING_SECRET", "seven77")

    level, message = (await findings())["lengths of secrets"]

    assert level is Level.WARN
    assert message.startswith("SMTP_PASSWORD, SLACK_SIGNING_SECRET: a secret of less than 8 characters")
    assert "tiny" not in message
    assert "seven77" not in message


async def test_a_wrong_token_is_told_and_the_rest_is_looked_at(environment):
    environment.setenv("SLACK_BOT_TOKEN", "xoxb-planted")

    found = await findings()

    assert found["Slack"][0] is Level.FAIL
    assert "token" in found["Slack"][1]
    assert "planted" not in str(found)
    assert found["Docebo"][0] is Level.OK


async def test_a_token_that_rotates_is_told_while_it_holds(environment, company):
    company.slack.switches = replace(company.slack.switches, token_expires_in=40_000)

    level, message = (await findings())["Slack"]

    assert level is Level.WARN
    assert "expires in 11 h 6 min" in message
    assert "SLACK_BOT_TOKEN_FILE" in message


async def test_a_missing_scope_is_named(environment, company):
    company.slack.scopes = frozenset({"users:read"})

    assert (await findings())["Slack"] == (
        Level.FAIL,
        "Slack's bot token lacks users:read.email: add it to the app and install it again",
    )


async def test_an_account_that_is_no_superadmin_is_told(environment, company):
    switch(company, {"superadmin": False})

    level, message = (await findings())["Docebo"]

    assert level is Level.FAIL
    assert "no superadmin" in message


@pytest.mark.long
async def test_a_level_that_nobody_knows_is_told_with_the_answer_that_says_what_it_is(environment, company, sqlite_url):
    switch(company, {"session_level": "/framework/level/supervisore"})
    level, message = (await findings())["Docebo"]
    assert level is Level.WARN
    assert 'dialect set "level of superadmins"' in message

    set_by_hand(company, sqlite_url, "level of superadmins", "/framework/level/Supervisore")
    assert (await findings())["Docebo"][0] is Level.OK


@pytest.mark.long
@pytest.mark.parametrize("word", ["learner", "/framework/level/learner"])
async def test_a_level_that_makes_everybody_an_administrator_is_told_with_the_answer_that_says_what_it_is(
    environment, company, sqlite_url, word
):
    switch(company, {"user_level": word})
    level, message = (await findings())["Docebo's levels"]
    assert level is Level.WARN
    assert '"learner"' in message
    assert 'dialect set "level of plain users"' in message

    settings = settings_for(company.facts(), sqlite_url)
    untouched = await run_import(settings, dry_run=True)
    assert untouched.count(Kind.UPDATE) == 0
    assert "**Nobody is a plain user:** Docebo names the level of an account with a word" in untouched.markdown()

    set_by_hand(company, sqlite_url, "level of plain users", "Learner")
    assert (await findings())["Docebo's levels"][0] is Level.OK
    touched = await run_import(settings, dry_run=True)
    assert touched.count(Kind.UPDATE) > 0
    assert "Nobody is a plain user" not in touched.markdown()


async def test_wrong_credentials_at_docebo_are_told(environment):
    environment.setenv("DOCEBO_CLIENT_SECRET", "planted-wrong")

    level, message = (await findings())["Docebo"]

    assert level is Level.FAIL
    assert "planted" not in message


async def test_another_workspace_is_told(environment):
    environment.setenv("SLACK_TEAM_ID", "T0ANOTHER")

    level, message = (await findings())["Slack workspace"]

    assert level is Level.FAIL
    assert "linked to T0ANOTHER" in message


async def test_a_slack_service_of_the_platform_itself_is_told(environment, company):
    switch(company, {"slack_service_listed": True})

    level, message = (await findings())["Docebo services"]

    assert level is Level.WARN
    assert "slack" in message


async def test_a_place_for_mappings_in_any_part_of_the_platform_is_named_whatever_else_is_found(environment, company):
    switch(company, {"description_lacks": "provisioned_by"})
    urls = {name: f"/swagger/{name}.json" for name in ("manage", "gone", "ids")} | {
        "pages": "https://x.example/pages.json"
    }
    instead = {
        "/manage/v1/site/microservices": in_json({"data": [{"app": app, "url": url} for app, url in urls.items()]}),
        "/swagger/ids.json": in_json({"basePath": "/external-ids/v1", "paths": {"/mappings": {"get": {}}}}),
        "/swagger/gone.json": Answer(404, b"{}"),
    }
    with between(company.docebo_url, lambda call: instead.get(call.path)) as url:
        environment.setenv("DOCEBO_URL", url)
        found = await findings()

    assert "does not list provisioned_by" in found["Docebo's description"][1]
    assert found["Docebo's own mappings"][0] is Level.WARN
    assert "(/external-ids/v1/mappings); nothing is written there" in found["Docebo's own mappings"][1]


async def test_of_a_platform_none_of_whose_parts_can_be_looked_into_nobody_can_tell_of_a_place_for_mappings(
    environment, company
):
    instead = {
        "/manage/v1/site/microservices": in_json({"data": [{"app": "manage", "url": "/swagger/manage.json"}]}),
        "/swagger/manage.json": Answer(404, b"{}"),
    }
    with between(company.docebo_url, lambda call: instead.get(call.path)) as url:
        environment.setenv("DOCEBO_URL", url)
        level, message = (await findings())["Docebo's own mappings"]

    assert (level, "it cannot be told" in message) == (Level.WARN, True)


@pytest.mark.long
async def test_a_description_that_knows_all_that_is_used_is_told(environment):
    assert (await findings())["Docebo's description"][0] is Level.OK


@pytest.mark.long
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("plus_teams_only", "SCIM needs Slack's plan Business+ or Enterprise: unset SLACK_SCIM_TOKEN"),
        ("non_org_teams_only", "SLACK_SCIM_TOKEN has to be one that the organisation's owner has made"),
    ],
)
async def test_a_scim_that_is_refused_is_explained(environment, company, answer, told):
    company.slack.switches = replace(company.slack.switches, scim=answer)

    level, message = (await findings())["Slack's SCIM"]

    assert (level, told in message) == (Level.FAIL, True)


@pytest.mark.long
async def test_a_rule_that_reads_scim_wants_a_token(environment):
    environment.delenv("SLACK_SCIM_TOKEN")
    rows = {**ON, "ATTRIBUTES": "email, manager = scim:manager"}
    with prefect_with(integration_settings=table(rows)) as address:
        environment.setenv("PREFECT_API_URL", address)
        wanting = (await findings())["Slack's SCIM"]
    without = (await findings())["Slack's SCIM"]

    assert wanting[0] is Level.FAIL
    assert "SLACK_SCIM_TOKEN is missing" in wanting[1]
    assert without == (Level.OK, "no rule reads it, and there is no token for it")


@pytest.mark.long
@pytest.mark.parametrize(
    ("lacking", "level", "told"),
    [
        ("POST /manage/v1/user/batch", Level.FAIL, "accounts cannot be created or changed"),
        ("PUT /manage/v1/user/change_status", Level.WARN, "leavers cannot be deactivated"),
        ("provisioned_by, powerUser_option", Level.WARN, "does not list powerUser_option, provisioned_by"),
        ("do_nothing", Level.WARN, "lists existing for branch_option, not do_nothing"),
    ],
)
async def test_what_the_platforms_description_lacks_is_named_before_anything_is_written(
    environment, company, lacking, level, told
):
    switch(company, {"description_lacks": lacking})
    found = await findings()

    assert found["Docebo's description"][0] is level
    assert told in found["Docebo's description"][1]
    assert company.docebo_gate.counters.calls["POST /manage/v1/user/batch"] == 0


async def test_a_column_that_a_rule_writes_and_the_platform_does_not_describe_is_named(environment, company):
    switch(company, {"description_lacks": "country"})
    rows = {**ON, "ATTRIBUTES": "email, country = title"}
    with prefect_with(integration_settings=table(rows)) as address:
        environment.setenv("PREFECT_API_URL", address)
        level, message = (await findings())["Docebo's description"]

    assert level is Level.WARN
    assert "POST /manage/v1/user/batch does not list country: " in message


@pytest.mark.long
@pytest.mark.parametrize(
    ("lacking", "level", "told"),
    [
        ("", Level.OK, "it has the 5 columns"),
        ("lastname, firstname", Level.WARN, "it has no column firstname, lastname: rows with it may be refused"),
        ("username", Level.OK, "does not tell its columns in the words that are used here"),
    ],
)
async def test_what_the_platforms_importer_lacks_is_named(environment, company, lacking, level, told):
    switch(company, {"description_lacks": lacking})

    found = (await findings())["Docebo's importer"]

    assert (found[0], told in found[1]) == (level, True)


@pytest.mark.parametrize(
    "answer",
    [Answer(404, b"{}"), Answer(403, b"{}"), in_json({"data": None})],
    ids=["not there", "not for us", "nothing"],
)
@pytest.mark.variants(1)
async def test_a_platform_without_a_call_that_no_run_makes_is_no_reason_to_fail(environment, company, answer):
    unneeded = ("/manage/v1/site/microservices", "/manage/v1/user/importer_fields")
    with between(company.docebo_url, lambda call: answer if call.path.startswith(unneeded) else None) as url:
        environment.setenv("DOCEBO_URL", url)
        found = await findings()

    assert [found[check][0] for check in ("Docebo services", "Docebo's description")] == [Level.WARN] * 2
    assert found["Docebo's importer"][0] is not Level.FAIL
    assert "look among its apps" in found["Docebo services"][1]


async def test_a_mandatory_field_that_no_rule_fills_is_named_before_anything_is_written(environment, company):
    before = (await findings())["Docebo's mandatory fields"]
    company.docebo.add_field("Country of work", "textfield", mandatory=True, invisible_to_user=False)

    after = (await findings())["Docebo's mandatory fields"]

    assert before == (Level.OK, "there are none")
    assert after[0] is Level.WARN
    assert after[1].startswith('no rule fills field:"Country of work": the platform may refuse new accounts without')


async def test_a_database_that_cannot_be_reached_is_told_and_the_rest_is_looked_at(environment):
    environment.setenv("DATABASE_URL", f"postgresql://sync:planted@127.0.0.1:{free_port()}/sync")

    found = await findings()

    assert found["database"][0] is Level.FAIL
    assert found["Slack"][0] is Level.OK
    assert found["Docebo"][0] is Level.OK
    assert "planted" not in str(found)


async def test_a_spent_budget_is_told(environment):
    environment.setenv("DOCEBO_CALLS_PER_HOUR", "10")

    assert (await findings())["Docebo call budget"][0] is Level.WARN


async def test_the_request_url_is_tried_with_a_signed_request(environment, sqlite_url):
    environment.setenv("SLACK_SIGNING_SECRET", SIGNING_SECRET)
    environment.setenv("WEBHOOK_PUBLIC_URL", f"http://127.0.0.1:{free_port()}/slack/events")
    assert (await findings())["request URL"][0] is Level.FAIL

    with Store.open(sqlite_url) as store, running_webhook(store, slack_signing_secret=SIGNING_SECRET) as webhook:
        environment.setenv("WEBHOOK_PUBLIC_URL", f"{webhook.url}/slack/events")
        level, message = (await findings())["request URL"]
        assert (level, "shows with its first event" in message) == (Level.WARN, True)
        body = json.dumps(envelope()).encode()
        headers = signed(body, secret=SIGNING_SECRET)
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{webhook.url}/slack/events", content=body, headers=headers)
        assert answer.is_success
        assert (await findings())["request URL"][0] is Level.OK

        environment.setenv("SLACK_SIGNING_SECRET", "another")
        level, message = (await findings())["request URL"]

    assert level is Level.FAIL
    assert "another SLACK_SIGNING_SECRET" in message


@pytest.mark.variants(1)
@pytest.mark.parametrize(("number", "level"), [(4, Level.OK), (5, Level.WARN)])
async def test_what_the_webhook_refused_in_a_row_is_told(environment, sqlite_url, number, level):
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        tables.refusals.replace([], [Refusal(RefusalKind.FOREIGN_APP, datetime.now(UTC), number)])

    found = (await findings())["what Slack sends"]

    assert found[0] is level
    assert ("5 events in a row were of another Slack app" in found[1]) == (level is Level.WARN)


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    ("answer", "told"),
    [("502 Bad Gateway", "start the webhook"), ("421 Misdirected Request", "WEBHOOK_ALLOWED_HOSTS")],
)
async def test_a_proxy_that_finds_no_webhook_or_passes_on_another_name_is_told(environment, answer, told):
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        environment.setenv("SLACK_SIGNING_SECRET", SIGNING_SECRET)
        environment.setenv("WEBHOOK_PUBLIC_URL", f"http://127.0.0.1:{port}/slack/events")
        level, message = (await findings())["request URL"]

    assert level is Level.FAIL
    assert told in message


@pytest.mark.long
async def test_nobody_to_notify_is_told_and_places_are_checked(environment):
    assert (await findings())["notifications"][0] is Level.WARN

    environment.setenv("NOTIFICATION_URLS", "nonsense://planted")
    level, message = (await findings())["notifications"]

    assert level is Level.FAIL
    assert "planted" not in message


def test_the_command_says_it_in_lines_and_in_json_and_fails_when_something_does(environment):
    lines, structured = run(os.environ, "doctor"), run(os.environ, "doctor", "--json")

    assert (lines.returncode, structured.returncode) == (1, 1)
    assert "ok   Slack: the token is valid" in lines.stdout
    assert "fail Prefect: Prefect does not answer" in lines.stdout
    assert {"check": "settings", "level": "ok"}.items() <= json.loads(structured.stdout)[0].items()
