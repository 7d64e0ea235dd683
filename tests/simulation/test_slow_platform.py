"""A platform that allows few calls an hour: to list its accounts takes half an hour, of virtual time, and the run ends."""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest

from sandbox.server import Sandbox
from slack_docebo.engine.importing import plan_import
from slack_docebo.engine.writing.applying import apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.settings import Settings
from slack_docebo.storage.store import Store
from tests.importing import ON
from tests.simulation.apart import apart
from tests.simulation.clock import virtual_time
from tests.simulation.processes import Database, open_process

PAGE = 20  # of 5,000 accounts there are as many pages as of 50,000 at the usual size
PEOPLE = 5_000
CALLS_PER_HOUR = 1_000
BETWEEN_CALLS = 7.2  # seconds, once the burst is spent
RENAMED = 500
LEFT = 30


@dataclass(frozen=True)
class Run:
    """The result of an import."""

    line: str
    seconds: float
    calls: Counter[str]
    hurting: int  # operations each of which costs a call of its own, as the plan has said
    evidence_calls: int


def second_import() -> Run:
    """Import a company, let 500 people change their names and 30 leave, import again with the burst spent."""
    with (
        tempfile.TemporaryDirectory() as name,
        virtual_time() as loop,
        patch("slack_docebo.clients.docebo_requests.PAGE_SIZE", PAGE),
    ):
        return loop.run_until_complete(_second_import(Path(name)))


async def _second_import(folder: Path) -> Run:
    empty = folder / "empty.db"
    Store.open(f"sqlite:///{empty}").close()
    database = Database(folder, empty)
    sandbox = Sandbox(users=1, docebo_users=0, rate_limits=False)
    people = []
    for number in range(PEOPLE):
        address = f"p{number}@example.com"
        people.append(sandbox.slack.add(f"First{number}", f"Last{number}", address)["id"])
        sandbox.docebo.accounts.add(address, email=address, firstname=f"First{number}", lastname=f"Last{number}")
    await _import(sandbox, database, folder, "first")
    for number in range(RENAMED):
        sandbox.slack.change(people[number], {"profile": {"last_name": f"Name{number}"}})
    for number in range(RENAMED, RENAMED + LEFT):
        sandbox.slack.deactivate(people[number])
    return await _import(sandbox, database, folder, "second")


async def _import(sandbox: Sandbox, database: Database, folder: Path, name: str) -> Run:
    slack, docebo = map(httpx.ASGITransport, sandbox.applications())

    async def answered(transport: httpx.ASGITransport, request: httpx.Request) -> httpx.Response:
        answer = await transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

    begun = time.time()
    settings = Settings(
        _env_file=None,
        slack_bot_token="xoxb-sandbox-bot-token",
        slack_api_url="http://127.0.0.1:1/api/",
        slack_page_size=1000,
        slack_calls_per_minute=1_000_000,
        docebo_url="http://127.0.0.1:2",
        docebo_client_id="sandbox-client",
        docebo_client_secret="sandbox-client-secret",
        docebo_calls_per_hour=CALLS_PER_HOUR,
        database_url=database.url,
        report_dir=folder / "reports",
    )
    runtime = open_process(
        name,
        settings,
        read_rows(table({**ON, "LEAVERS": "deactivate"})),
        database.store_of(name),
        to_slack=lambda request: answered(slack, request),
        to_docebo=lambda request: answered(docebo, request),
        begun=begun,
        keeps_budget=True,
    ).runtime
    while name == "second" and runtime.budget.left():
        await runtime.budget.spend()
    begun = time.time()
    plan_id = await plan_import(runtime)
    begin(runtime, plan_id)
    await apply_accounts(runtime, plan_id, lambda _: None)
    await apply_mappings(runtime, plan_id)
    facts = finish(runtime, plan_id).plan.facts
    summary = finish(runtime, plan_id)
    return Run(
        line=summary.line,
        seconds=time.time() - begun,
        calls=Counter(runtime.docebo.calls),
        hurting=int(str(facts["hurting"])),
        evidence_calls=runtime.evidence.calls,
    )


@pytest.mark.long
def test_a_run_ends_though_no_list_is_young_when_it_writes() -> None:
    run = apart(second_import)

    reading_and_writing = sum(run.calls.values()) - LEFT
    assert "500 updated, 30 deactivated" in run.line
    assert run.calls["list users"] == 251
    # Docebo and Slack are asked about each, and Docebo once whether they are shut out.
    assert (run.hurting, run.evidence_calls) == (LEFT, 2 * LEFT + 1)
    assert run.seconds > 1800
    assert run.seconds <= 1.2 * reading_and_writing * BETWEEN_CALLS
