"""Imports that are disturbed: what goes wrong, how, and what both sides look like afterwards."""

import json
import subprocess
import sys
import time

from sandbox.server import Sandbox
from slack_docebo.errors import SyncError
from slack_docebo.settings import Settings
from slack_docebo.storage.plans import PlanState
from tests.importing import mapped, run_import

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
READ_LIKE_WRITTEN = [("GET /manage/v1/user", kind) for kind in COMMON]
DOCEBO = [*READ_LIKE_WRITTEN, *(("GET /manage/v1/user", kind) for kind in ("empty_page", "shrinking"))]
ASKED_AGAIN = [  # contract/test_slack_client.py
    ("users.list", kind)
    for kind in ("error_500", "html_503", "dropped", "carried_out_then_dropped", "slow", "rate_limited")
]
SHOWN_OTHERWISE = [  # by an answer of the same kind, a read that is not whole, and the clients' contract tests
    ("users.list", "ok_false"),
    ("users.list", "repeated_cursor"),
    ("users.list", "shrinking"),
    ("POST /manage/v1/user/batch", "error_500"),
    ("POST /manage/v1/user/batch", "rate_limited"),
]
WRITES = [("POST /manage/v1/user/batch", kind) for kind in (*COMMON, "carried_out_then_dropped")]
OPTIONS = {"rate_limited": {"retry_after": 0.1}, "slow": {"seconds": 1.3}, "ok_false": {"error": "internal_error"}}
FAULTS = [*SLACK, *DOCEBO, *WRITES]


async def disturbed_import(sandbox: Sandbox, settings: Settings, method: str, kind: str, skip: int) -> bool:
    """Import while the call number *skip* of *method* goes wrong; tell whether that run said it had done everything."""
    strict = {"SOURCE_MAY_SHRINK": "0"}  # half of a last page is less than the usual tolerance
    if kind == "shrinking":
        await run_import(settings, dry_run=True)  # the proven read that a short one is measured against
    gate = sandbox.slack_gate if method == "users.list" else sandbox.docebo_gate
    gate.faults.add(method, kind, skip=skip, **OPTIONS.get(kind, {}))
    try:
        return (await run_import(settings, rows=strict)).plan.state is PlanState.APPLIED
    except SyncError:
        return False
    finally:
        gate.faults.clear()
        sandbox.slack.token_errors.update(dict.fromkeys(sandbox.slack.token_errors))


def sides(sandbox: Sandbox, url: str) -> tuple:
    """Who has which account with which attributes, and who is mapped to which account, without the chance of ids."""
    accounts = sandbox.docebo.accounts
    return (
        sorted((a.username, a.email, a.firstname, a.lastname, a.active, a.level) for a in accounts),
        {slack_id: accounts[docebo_id].username for slack_id, docebo_id in mapped(url, "T0SANDBOX").items()},
    )


def import_with_room_for(kilobytes: int, sandbox: Sandbox, url: str) -> str:
    """Run an import as a process that may make no file larger, as on a full disk, and return what it said at last."""
    limit = ["prlimit", f"--fsize={kilobytes * 1024}"]
    command = [*limit, sys.executable, "-m", "tests.importing", json.dumps(sandbox.facts()), url]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stderr.strip().splitlines()[-1] if run.returncode else ""


def import_killed_at_call(calls: int, sandbox: Sandbox, url: str) -> None:
    """Run an import as a process and kill it as soon as it has made so many calls."""
    command = [sys.executable, "-m", "tests.importing", json.dumps(sandbox.facts()), url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        while (
            run.poll() is None
            and sandbox.slack_gate.counters.calls.total() + sandbox.docebo_gate.counters.calls.total() < calls
        ):
            time.sleep(0.005)
        run.kill()
