"""Recognisable secrets and people, planted wherever they come in; nowhere do they come out but where docs/privacy.md says."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.local import LIBRARY_LOGS, connection_settings, free_port, process
from sandbox.server import Sandbox
from slack_docebo.integration_settings import VARIABLE, table
from slack_docebo.settings import RUN, WebhookSettings, given_to
from slack_docebo.storage.store import Store
from tests.e2e.prefect_http import prefect_http
from tests.integration.commands import run
from tests.smtp import PASSWORD, USER, MailServer, mail_server
from tests.waiting import until
from tests.webhook import envelope, signed

ROOT = Path(__file__).parents[2]

DATABASE_PASSWORD = "planted-database-password"
SIGNING_SECRET = "planted-signing-secret"
SECRETS = [
    DATABASE_PASSWORD,
    SIGNING_SECRET,
    PASSWORD,
    "planted-signing-secret-of-before",
    "planted-client-secret-that-is-wrong",
    "planted-apprise-token",
    "xoxb-planted-token-that-is-wrong",
    "xapp-planted-app-token",
]
PEOPLE = [
    "Zephyrine",  # whose rows Docebo refuses, quoting her
    "Quackenbush",
    "Featherstone",  # her name from the first event on
    "Thistlewick",  # whose rows it takes
    "Bramblethorpe",
    "Marchbanks",
    "planted.example",  # the domain of all their addresses
    "555-0142",  # their phone number
    "Grand Vizier",  # their title, by which the rules look for a manager
    "Sinecure Office",  # their department, by which the rules look for a branch and an option
    "Oleander",  # who is only in requests that are turned away
]
FOUND_BY = {"who": "thistlewi"}  # what is typed stays with the run, so it is no name
SHOW_NAMES = {
    "Prefect's database, artifact",
    "Prefect's database, artifact_collection",
    "Prefect's database, events",  # the server tells of each artifact with all that it holds
    "Prefect's file prefect.db",
    "Prefect's file prefect.db-wal",
}
ON = {
    "NOTIFICATION_MAIL_ID": "lms@example.com",
    "PROVISION_SLACK_USER_DATA": "true",
    "MAP_SLACK_USER_DATA": "true",
    "REALTIME_RETRY_DELAYS": "0",
    "ATTRIBUTES": "first_name, last_name, email, manager = title, branch = custom:Department,"
    " field:Department = custom:Department",
}
LOUD = {
    "PREFECT_LOGGING_LEVEL": "DEBUG",
    "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "slack_docebo,httpx,httpcore,sqlalchemy,apprise,urllib3,websockets",
}
TABLE_HEAD = "slack_id,slack_name,slack_team,user_id"
RUNS = """
import asyncio, importlib, json, os, sys
steps = json.loads(sys.argv[1])
flows = {name: getattr(importlib.import_module(f"flows.{name}"), name) for name, *_ in steps}
async def main():
    usual = dict(os.environ)
    for name, parameters, environment in steps:
        os.environ.update(environment)
        state = await flows[name](**parameters, return_state=True)
        print("ENDED", json.dumps([name, state.name, str(state.state_details.flow_run_id), state.message]), flush=True)
        os.environ.update(usual)
asyncio.run(main())
"""


@dataclass
class Installation:
    """Slack, Docebo, a database with a password, a mail server, and what processes connect with."""

    sandbox: Sandbox
    environment: dict[str, str]
    folder: Path
    mails: MailServer
    refused: dict[str, Any] = field(default_factory=dict)
    taken: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def installation(prefect_api: str, postgres_url: str, tmp_path: Path) -> Iterator[Installation]:
    with prefect_http() as http:
        http.delete(f"variables/name/{VARIABLE}")
        http.post("variables/", json={"name": VARIABLE, "value": table(ON)}).raise_for_status()
    with Sandbox(users=5, rate_limits=False) as sandbox, mail_server(sign_in=True) as (mails, smtp_port):
        port = free_port()
        sandbox.events.configure(f"http://127.0.0.1:{port}/slack/events", SIGNING_SECRET)
        environment = {
            **connection_settings(sandbox.facts(), tmp_path),
            **LIBRARY_LOGS,
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": with_password(postgres_url),
            "SLACK_TEAM_ID": sandbox.slack.team.id,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_SIGNING_SECRET_PREVIOUS": "planted-signing-secret-of-before",
            "SLACK_APP_TOKEN": "xapp-planted-app-token",
            "WEBHOOK_PORT": str(port),
            "DOCEBO_USERNAME": sandbox.facts()["docebo_username"],
            "DOCEBO_PASSWORD": sandbox.facts()["docebo_password"],
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(smtp_port),
            "SMTP_USERNAME": USER,
            "SMTP_PASSWORD": PASSWORD,
            "SMTP_STARTTLS": "false",
            "SMTP_FROM": "sync@example.com",
            "NOTIFICATION_URLS": "json://someone:planted-apprise-token@127.0.0.1:9/",  # nobody listens there
        }
        yield Installation(sandbox, environment, tmp_path, mails)


@dataclass
class Step:
    """A run of a flow, and the state in which it is to end."""

    flow: str
    state: str
    parameters: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    often: bool = False  # `make test` plays it; `make test-long` plays all


def with_password(url: str) -> str:
    return url.replace("@", f":{DATABASE_PASSWORD}@", 1)


@pytest.mark.parametrize("all_steps", [False, pytest.param(True, marks=pytest.mark.long)], ids=["short", "whole"])
def test_what_was_planted_is_found_nowhere(installation: Installation, prefect_api: str, all_steps: bool):
    found, steps = all_that_is_to_be_seen(installation, lambda step: step.often or all_steps)

    assert_it_all_happened(installation, steps, found)
    assert_no_leaks(installation, found, PEOPLE)


@pytest.mark.long
def test_where_names_are_shown_they_are_in_artifacts_and_what_prefect_tells_of_them_and_nowhere_else(
    installation: Installation, prefect_api: str
):
    with prefect_http() as http:
        rows = table({**ON, "PEOPLE_SHOWN": "names"})
        http.patch(f"variables/name/{VARIABLE}", json={"value": rows}).raise_for_status()
    found, steps = all_that_is_to_be_seen(installation, lambda _: True, [Step("find_person", "Completed", FOUND_BY)])

    shown = found["Prefect's database, artifact"]
    assert_it_all_happened(installation, steps, found)
    assert {
        word
        for word in ("Zephyrine", "Featherstone", "Thistlewick", "Bramblethorpe", "Grand Vizier", "Sinecure Office")
        if word not in shown
    } == set()
    others = "SELECT * FROM events WHERE event NOT LIKE 'prefect.artifact%'"
    found["Prefect's other events"] = "\n".join(map(str, rows_of(others)))
    for where in SHOW_NAMES:
        assert_no_leaks(installation, {where: found.pop(where)}, [])
    assert_no_leaks(installation, found, PEOPLE)


def all_that_is_to_be_seen(
    installation: Installation, wanted: Callable[[Step], bool], more: Sequence[Step] = ()
) -> tuple[dict[str, str], list[Step]]:
    """Let everything happen that is *wanted*, and *more*; return what is to be seen of it then, and the runs."""
    found: dict[str, str] = {}
    found |= events_come(installation)
    steps = [*filter(wanted, steps_of(installation)), *more]
    ended, found["the runs' output"] = runs(installation, steps)
    wait_until_told(ended)
    found |= {f"Prefect's database, {name}": rows for name, rows in prefect_tables().items()}
    found |= {f"Prefect's file {file}": text for file, text in prefect_files().items()}
    found["mails"] = "\n".join(mail.as_string() for mail in installation.mails.taken())
    found["doctor"] = told(installation, "doctor", "--json")
    found["the list of events"] = told(installation, "events", "list")
    found["the list of plans"] = told(installation, "plan", "list")

    assert [(name, state) for name, state, _, _ in ended] == [(step.flow, step.state) for step in steps], ended
    return found, steps


def assert_no_leaks(installation: Installation, found: dict[str, str], people: list[str]) -> None:
    """No secret that was planted is in what was *found*, and none of *people*."""
    facts = installation.sandbox.facts()
    planted = ("slack_token", "docebo_client_secret", "docebo_password")
    login = os.environ["PREFECT_API_AUTH_STRING"]
    secrets = [*SECRETS, *(facts[name] for name in planted), "access-1", "refresh-1", login, login.partition(":")[2]]
    folded = {where: text.casefold() for where, text in found.items()}
    leaks = [
        f"{word} in {where}: {around(text, word)}"
        for where, text in folded.items()
        for word in map(str.casefold, [*secrets, *people])
        if word in text
    ]
    assert not leaks, "\n\n".join(leaks)


def events_come(here: Installation) -> dict[str, str]:
    """Let people join and change while only the webhook is there, and strangers knock; return what it showed."""
    log = here.folder / "webhook.log"
    command = [sys.executable, "-m", "deployments.webhook"]
    down = {"PREFECT_API_URL": "http://127.0.0.1:9/api", "LOG_FORMAT": "json"}
    with process(
        command, log=log, env={**given_to(WebhookSettings, environment=here.environment), **down}, cwd=here.folder
    ) as child:
        webhook = httpx.Client(base_url=f"http://127.0.0.1:{here.environment['WEBHOOK_PORT']}")
        until(lambda: child.poll() is None and answers(webhook), log.read_text)
        here.refused = join(here.sandbox, "Zephyrine", "Quackenbush")
        here.taken = join(here.sandbox, "Thistlewick", "Bramblethorpe")
        here.sandbox.slack.change(here.refused["id"], {"profile": {"last_name": "Featherstone"}})
        assert here.sandbox.events.settle()
        answered = knock(webhook)
        shown = {path: webhook.get(path).text for path in ("/metrics", "/readyz", "/healthz")}
        webhook.close()
    return {"the webhook's log": log.read_text(), "the webhook's answers": answered, **shown}


def join(sandbox: Sandbox, first: str, last: str) -> dict[str, Any]:
    department = {"Xf0DEPARTMT": {"value": "Sinecure Office", "alt": ""}}
    words = {"phone": "+1 555-0142", "title": "Grand Vizier", "fields": department}
    return sandbox.slack.add(first, last, f"{first}.{last}@planted.example".lower(), {"profile": words})


def knock(webhook: httpx.Client) -> str:
    """Send what is turned away or not understood, with a person in it, and return the answers."""
    user = {
        "id": "oleander@planted.example",
        "updated": "Oleander",
        "profile": {"email": "oleander@planted.example", "real_name": 7},
    }
    bodies = [
        json.dumps(envelope(1, event={"type": "user_change", "user": user})).encode(),
        json.dumps(envelope(2, event={"type": "Oleander", "user": user})).encode(),
        json.dumps(envelope(3, event={"type": "user_change", "user": "Oleander"})).encode(),
        b'{"type": "event_callback", "event": {"user": "Oleander"',
    ]
    answers = [
        webhook.post("/slack/events", content=body, headers=signed(body, secret=secret))
        for body in bodies
        for secret in (SIGNING_SECRET, "a wrong one")
    ]
    return "\n".join(f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers)


def answers(webhook: httpx.Client) -> bool:
    try:
        return webhook.get("/healthz").is_success
    except httpx.TransportError:
        return False


def steps_of(here: Installation) -> list[Step]:
    """Everything, well and badly; Docebo refuses one person, and quotes her."""
    address = here.refused["profile"]["email"]
    here.sandbox.docebo_gate.faults.add(
        "POST /manage/v1/user/batch",
        "rows_refused",
        times=-1,
        usernames=[address],
        message=f"{address}: Zephyrine Featherstone (ZEPHYRINE) has no room, {address.upper()}",
    )
    everybody = {"dry_run": False}
    named = {"slack_ids": [here.refused["id"], here.taken["id"]]}
    gone = with_password("postgresql://postgres@127.0.0.1:9/gone")
    wrong_secret = {"DOCEBO_CLIENT_SECRET": "planted-client-secret-that-is-wrong"}
    wrong_token = {"SLACK_BOT_TOKEN": "xoxb-planted-token-that-is-wrong"}
    confirmed = {**everybody, "confirm": f"everybody of {here.sandbox.slack.team.name}"}
    return [
        Step("bulk_import", "Completed"),
        Step("bulk_import", "PartlyFailed", everybody, often=True),
        Step("realtime_sync", "Parked", {"linger_seconds": 1}, often=True),
        Step("realtime_sync", "PartlyFailed", named),
        Step("explain_user", "Completed", {"who": here.refused["id"]}),
        Step("explain_user", "Completed", {"who": here.taken["id"]}),
        Step("fields", "Completed"),
        Step("try_attributes", "Completed"),
        Step("try_attributes", "Completed", {"who": here.taken["id"], "rules": "first_name, field:Department = title"}),
        Step("decide", "Completed"),
        Step("plan_people", "Completed"),
        Step("dialect", "Completed"),
        Step("mappings", "Completed"),
        Step(
            "mappings",
            "Failed",
            {"action": "import", "table": f"{TABLE_HEAD}\n{here.taken['id']},ZEPHYRINE,,no number\n"},
        ),
        Step("parked_events", "Completed"),
        Step("personal_data", "Completed", {"slack_id": here.taken["id"]}),
        Step("personal_data", "Completed", {"slack_id": here.taken["id"], "request": "give out"}),
        Step("restore_mappings", "Completed"),
        Step("bulk_import", "Failed", everybody, wrong_secret),
        Step("bulk_import", "Failed", everybody, wrong_token, often=True),
        Step("bulk_import", "Failed", everybody, {"DATABASE_URL": gone}),
        Step("doctor", "Failed", {}, wrong_token),
        Step("reset_mappings", "Refused", {**everybody, "confirm": "another workspace"}),
        Step("reset_mappings", "Completed", confirmed, often=True),
    ]


def runs(here: Installation, steps: list[Step]) -> tuple[list[list[str]], str]:
    """Run *steps* at the highest volume; return how each run ended, and the output."""
    done = subprocess.run(
        [sys.executable, "-c", RUNS, json.dumps([[step.flow, step.parameters, step.environment] for step in steps])],
        env={**os.environ, **given_to(*RUN, environment=here.environment), **LOUD},
        cwd=here.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ended = [json.loads(line.split(" ", 1)[1]) for line in done.stdout.splitlines() if line.startswith("ENDED ")]
    return ended, done.stdout + done.stderr


def wait_until_told(ended: list[list[str]]) -> None:
    """Wait until Prefect's server has written down the ends of all runs: it does so seconds later."""
    last = {f"prefect.flow-run.{run_id}" for _, _, run_id, _ in ended}
    ends = "SELECT resource_id FROM events WHERE event IN ({})".format(
        ", ".join(f"'prefect.flow-run.{state}'" for _, state, _, _ in ended)
    )
    until(lambda: last <= {row[0] for row in rows_of(ends)})


def prefect_home() -> Path:
    return Path(os.environ["PREFECT_HOME"])


def rows_of(query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{prefect_home() / 'prefect.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def prefect_tables() -> dict[str, str]:
    names = [name for (name,) in rows_of("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: "\n".join(map(str, rows_of(f'SELECT * FROM "{name}"'))) for name in names}


def prefect_files() -> dict[str, str]:
    """What Prefect keeps beside its database, the server's log included."""
    files = [prefect_home().parent / "prefect-server.log", *prefect_home().rglob("*")]
    return {file.name: file.read_bytes().decode(errors="replace") for file in files if file.is_file()}


def told(here: Installation, *arguments: str) -> str:
    said = run({**os.environ, **here.environment}, *arguments)
    return said.stdout + said.stderr


def around(text: str, word: str) -> str:
    at = text.index(word)
    return text[max(0, at - 200) : at + 200]


def assert_it_all_happened(here: Installation, steps: list[Step], found: dict[str, str]) -> None:
    """Whoever looks in the wrong places finds nothing either."""
    ids = [here.refused["id"], here.taken["id"]]
    assert all(slack_id in found["Prefect's database, artifact"] for slack_id in ids)
    assert "has no room" in found["Prefect's database, artifact"]
    assert "HTTP Request: POST" in found["Prefect's database, log"]
    assert "DEBUG" in found["the runs' output"]
    assert "websockets.client" in found["the runs' output"]  # which shows what Prefect signs in with, but for us
    assert "(secret)" in found["the runs' output"]
    assert "events are kept" in found["the webhook's log"]
    assert 'slack_docebo_webhook_answers_total{status="401"} 4.0' in found["/metrics"]
    assert found["mails"].count("Subject: slack-docebo ") == sum(step.state != "Completed" for step in steps)
    assert ids[0] in found["the list of events"]
    for list_ in ("values", "branches"):
        assert any("Sinecure Office" in file.read_text() for file in (here.folder / "reports").glob(f"*-{list_}.csv"))
    reports = "".join(file.read_text() for file in (here.folder / "reports").iterdir())
    assert {word for word in PEOPLE[:5] if word not in reports} == {"Quackenbush"}  # she was renamed before any run
    assert "555-0142" not in reports
    with Store.open(here.environment["DATABASE_URL"]) as store, store.reading() as tables:
        assert "Zephyrine" in str(tables.inbox.oldest(100))
        assert tables.mappings().of(here.sandbox.slack.team.id, ids) == {}
