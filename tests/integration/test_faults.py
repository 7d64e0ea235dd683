"""What goes wrong on the way, at a random point of an import, is put right by the next run."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from slack_docebo.errors import IncompleteRead, SyncError
from slack_docebo.storage.plans import PlanState
from tests.importing import mapped, run_import, settings_for

USERS, PAGE = 260, 40
SLACK = [
    ("users.list", kind)
    for kind in (
        "rate_limited",
        "error_500",
        "html_503",
        "html_200",
        "ok_false",
        "dropped",
        "slow",
        "carried_out_then_dropped",
        "token_expired",
        "repeated_cursor",
        "empty_page",
        "shrinking",
    )
]
COMMON = ("rate_limited", "error_500", "html_503", "html_200", "dropped", "slow", "token_expired")
DOCEBO = [("GET /manage/v1/user", kind) for kind in (*COMMON, "empty_page", "shrinking")]
WRITES = [("POST /manage/v1/user/batch", kind) for kind in (*COMMON, "carried_out_then_dropped")]
OPTIONS = {"rate_limited": {"retry_after": 0}, "slow": {"seconds": 1.3}, "ok_false": {"error": "internal_error"}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=USERS, rate_limits=False) as running:
        yield running


@pytest.fixture(scope="module")
async def undisturbed(sandbox, tmp_path_factory) -> tuple:
    """Both sides as a run without faults leaves them."""
    url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed')}/store.db"
    sandbox.reset()
    summary = await run_import(settings_for(sandbox.facts(), url))
    assert summary.plan.state is PlanState.APPLIED
    return sides(sandbox, url)


def sides(sandbox: Sandbox, url: str) -> tuple:
    """Who has which account with which attributes, and who is mapped to which account, without the chance of ids."""
    accounts = sandbox.docebo.accounts
    return (
        sorted((a.username, a.email, a.firstname, a.lastname, a.active, a.level) for a in accounts),
        {slack_id: accounts[docebo_id].username for slack_id, docebo_id in mapped(url, "T0SANDBOX").items()},
    )


@pytest.mark.parametrize(("method", "kind"), [*SLACK, *DOCEBO, *WRITES])
async def test_after_a_fault_one_more_run_makes_everything_right(sandbox, undisturbed, sqlite_url, method, kind):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url, slack_page_size=PAGE)
    if kind == "shrinking":
        await run_import(settings, dry_run=True)  # the proven read that a short one is measured against
    skip = random.Random(f"{method} {kind}").randrange({"users.list": 6, "GET /manage/v1/user": 1}.get(method, 3))
    gate = sandbox.slack_gate if method == "users.list" else sandbox.docebo_gate
    gate.faults.add(method, kind, skip=skip, **OPTIONS.get(kind, {}))

    try:
        summary = await run_import(settings)
    except SyncError:
        pass
    else:
        assert (summary.plan.state is not PlanState.APPLIED) or sides(sandbox, sqlite_url) == undisturbed
    gate.faults.clear()
    sandbox.slack.token_errors.update(dict.fromkeys(sandbox.slack.token_errors))
    await run_import(settings)

    assert sides(sandbox, sqlite_url) == undisturbed
    assert sandbox.docebo_gate.counters.violations == []


@pytest.mark.parametrize(("method", "kind"), [("users.list", "shrinking"), ("users.list", "repeated_cursor")])
async def test_a_read_that_is_not_whole_stops_the_run_before_its_first_write(sandbox, sqlite_url, method, kind):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url, slack_page_size=PAGE)
    await run_import(settings, dry_run=True)
    sandbox.slack_gate.faults.add(method, kind, skip=1, times=-1)

    with pytest.raises(IncompleteRead):
        await run_import(settings)

    assert sandbox.docebo_gate.counters.rows["created"] == 0


@pytest.mark.parametrize("seed", range(4))
async def test_after_kill_9_one_more_run_makes_everything_right(sandbox, undisturbed, sqlite_url, seed):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url)
    calls = random.Random(seed).randrange(4, 10)  # of the about nine that an import makes
    sandbox.slack_gate.latency = sandbox.docebo_gate.latency = 0.05

    await asyncio.to_thread(import_killed_at_call, calls, sandbox, sqlite_url)
    sandbox.slack_gate.latency = sandbox.docebo_gate.latency = 0
    await run_import(settings)

    assert sides(sandbox, sqlite_url) == undisturbed
    assert sandbox.docebo_gate.counters.violations == []


def import_killed_at_call(calls: int, sandbox: Sandbox, url: str) -> None:
    """Run an import as a process and kill it as soon as it has made so many calls."""
    command = [sys.executable, "-m", "tests.importing", json.dumps(sandbox.facts()), url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        while (
            run.poll() is None
            and sandbox.slack_gate.counters.calls.total() + sandbox.docebo_gate.counters.calls.total() < calls
        ):
            pass
        run.kill()
