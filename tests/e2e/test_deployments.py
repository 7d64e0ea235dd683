"""prefect.yaml and bootstrap as their users meet them: a fresh clone, a real server, a real worker."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore

from deployments.automations import automations, ensure_automations
from deployments.local import WORKER
from deployments.login import keep_login
from slack_docebo.integration_settings import VARIABLE, rows_by_key
from slack_docebo.prefect_profile import PROFILES
from tasks.status_page import KEY
from tests.e2e.conftest import run_command
from tests.e2e.prefect_http import (
    SCHEDULED,
    artifacts_of,
    asked_for_by,
    deployment,
    finished,
    pause,
    set_rows,
    start,
    start_nothing,
    submit_form,
    title_of,
)
from tests.integration.commands import run
from tests.waiting import until


def test_deploying_stores_nothing_to_be_executed_and_nothing_secret(deployed):
    stored = deployment(deployed, "bulk-import/import-everybody")

    assert (stored["pull_steps"], stored["job_variables"]) == ([], {})


def test_the_reconciliation_runs_at_night_and_for_real(deployed):
    stored = deployment(deployed, "bulk-import/reconcile")

    (schedule,) = stored["schedules"]
    assert schedule["active"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 2 * * *", "Etc/UTC")
    assert stored["parameters"] == {"dry_run": False}


def test_what_somebody_has_paused_stays_so_when_it_is_deployed_again(deployed, prefect_deploy):
    pause(deployed, "bulk-import/reconcile")

    prefect_deploy("--name", "reconcile")

    assert deployment(deployed, "bulk-import/reconcile")["paused"]


def test_every_field_of_every_form_has_a_title_and_help(deployed):
    stored = deployed.post("deployments/filter", json={}).raise_for_status().json()

    assert len(stored) >= 2
    bare = [
        (one["name"], name)
        for one in stored
        for name, field in one["parameter_openapi_schema"]["properties"].items()
        if not field.get("description") or title_of(field, one["parameter_openapi_schema"]) in {"", name}
    ]
    assert bare == []


@pytest.mark.parametrize(
    "wrong", [{"dry_run": "perhaps"}, {"plan_id": "../../x"}, {"plan_id": "123456789"}, {"verify_target": 3}]
)
def test_a_wrong_value_is_refused_before_a_run_begins(deployed, wrong):
    assert submit_form(deployed, "bulk-import/import-everybody", **wrong).status_code == 409


def test_bootstrap_a_second_time_changes_nothing(deployed, bootstrap):
    assert bootstrap().count("there already") == 3


async def test_an_automation_is_there_once_though_somebody_else_makes_it_at_the_same_moment(deployed, monkeypatch):
    async with get_client() as client:
        make, [wanted] = client.create_automation, automations()

        async def make_after_somebody_else(automation: AutomationCore) -> UUID:
            await make(automation)
            return await make(automation)

        for present in await client.read_automations_by_name(wanted.name):
            await client.delete_automation(present.id)
        monkeypatch.setattr(client, "create_automation", make_after_somebody_else)

        assert [await ensure_automations(client) for _ in range(2)] == [True, False]
        assert len(await client.read_automations_by_name(wanted.name)) == 1


def test_bootstrap_moves_what_waits_in_the_pool_of_the_first_versions(deployed, bootstrap):
    deployed.post("work_pools/", json={"name": "slack-docebo", "type": "process"}).raise_for_status()
    flow_id = deployed.post("flows/", json={"name": "of before"}).raise_for_status().json()["id"]
    old = {
        "name": "of before",
        "flow_id": flow_id,
        "work_pool_name": "slack-docebo",
        "job_variables": {"command": "python -m prefect.engine"},
    }
    made = deployed.post("deployments/", json=old).raise_for_status().json()["id"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for when in (None, tomorrow):
        state_ = {"type": "SCHEDULED", "state_details": {"scheduled_time": when}}
        body = {"parameters": {"when": when}, "state": state_}
        deployed.post(f"deployments/{made}/create_flow_run", json=body).raise_for_status()

    told, again = bootstrap(), bootstrap()

    try:
        assert "All that was in work pool slack-docebo: written" in told
        assert "in work pool slack-docebo:" not in again
        moved = deployed.get(f"deployments/{made}").raise_for_status().json()
        assert (moved["work_pool_name"], moved["job_variables"]) == ("slack-docebo-flows", {})
        assert deployed.get("work_pools/slack-docebo").raise_for_status().json()["is_paused"]
        query = {"flow_runs": {"deployment_id": {"any_": [made]}}}
        runs = deployed.post("flow_runs/filter", json=query).raise_for_status().json()
        assert Counter((run["work_pool_name"], run["parameters"]["when"]) for run in runs) == Counter(
            (pool, when) for pool in ("slack-docebo", "slack-docebo-flows") for when in (None, tomorrow)
        )
        assert {run["state_type"] for run in runs if run["work_pool_name"] == "slack-docebo"} == {"CANCELLED"}
        (later,) = (run for run in runs if run["state_type"] == "SCHEDULED" and run["parameters"]["when"])
        assert later["expected_start_time"][:19] == tomorrow[:19]
    finally:
        deployed.delete(f"deployments/{made}").raise_for_status()
        deployed.delete("work_pools/slack-docebo").raise_for_status()


@pytest.fixture
def kept_by_make_up(deployed, clone, monkeypatch):
    """Address and login are in the clone's profile, as `make up` leaves them, and not in the environment."""
    kept = {name: os.environ[name] for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")}
    profiles = clone / PROFILES
    keep_login(profiles, "slack-docebo", api=kept["PREFECT_API_URL"], login=kept["PREFECT_API_AUTH_STRING"])
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    yield
    profiles.unlink()


@pytest.mark.long
def test_the_commands_find_server_and_login_where_make_up_keeps_them(kept_by_make_up, clone, environment):
    doctor = [sys.executable, "-c", "from slack_docebo.cli import main; main()", "doctor", "--json"]
    found = subprocess.run(doctor, cwd=clone, env=os.environ | environment, capture_output=True, check=False)

    assert run_command("deployments.bootstrap", cwd=clone).count("there already") == 3
    levels = {finding["check"]: finding["level"] for finding in json.loads(found.stdout)}
    assert (levels["Prefect's door"], levels["deployments"]) == ("ok", "warn")  # their schedules are paused here


@pytest.mark.long
def test_prefects_own_commands_find_them_too(kept_by_make_up, clone):
    assert "bulk-import/import-everybody" in run_command("prefect", "deployment", "ls", cwd=clone)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([sys.executable, "-m", "deployments.ready"], id="ready"),
        pytest.param([sys.executable, "-m", "deployments.bootstrap"], id="bootstrap", marks=pytest.mark.long),
        pytest.param(WORKER, id="worker", marks=pytest.mark.long),
    ],
)
def test_a_wrong_login_is_told_in_one_line(deployed, clone, monkeypatch, command):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:wrong")

    ended = subprocess.run(
        command, cwd=clone, env=os.environ | {"PYTHONPATH": str(clone)}, capture_output=True, text=True, check=False
    )

    assert ended.returncode != 0
    assert ended.stderr.endswith(": Prefect refuses the login: check PREFECT_API_AUTH_STRING\n"), ended.stderr
    assert "Traceback" not in ended.stderr


class HealthyOnce(BaseHTTPRequestHandler):
    """A server that answers its first request, and is gone then."""

    def do_GET(self) -> None:
        self.server.socket.close()
        self.send_response(200)
        self.end_headers()


@pytest.mark.long
def test_a_server_that_goes_away_is_told_in_one_line(clone):
    with HTTPServer(("127.0.0.1", 0), HealthyOnce) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        api = {"PREFECT_API_URL": f"http://127.0.0.1:{server.server_port}/api"}
        command = [sys.executable, "-m", "deployments.ready"]
        ended = subprocess.run(command, cwd=clone, env=os.environ | api, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (2, "ready: Prefect does not answer: once it is up, run this again\n")


@pytest.mark.long
def test_a_dry_run_started_in_the_form_is_done_by_a_worker_started_elsewhere(deployed, at_work, company):
    set_rows(deployed)
    company.slack.add("Ada", "New", f"{uuid4().hex}@example.com")  # another test may have had everybody created
    created = company.docebo_gate.counters.rows["created"]

    run_id = start(deployed, "bulk-import/import-everybody", dry_run=True)
    ended = finished(deployed, run_id)

    assert ended["state_type"] == "COMPLETED", ended["state"]
    assert ended["name"] == "import: everybody, dry run"
    assert "to create" in ended["state"]["message"]
    assert company.docebo_gate.counters.rows["created"] == created
    summary = next(one["data"] for one in artifacts_of(deployed, run_id) if one["key"].startswith("summary-"))
    assert asked_for_by(deployed, summary, "Apply exactly this plan")["dry_run"] is False
    [page] = deployed.post("artifacts/filter", json={"artifacts": {"key": {"any_": [KEY]}}}).json()
    assert asked_for_by(deployed, page["data"], "Stop: let no run write") == {"reason": ""}
    assert page["flow_run_id"] is None  # else it would be deleted with the run


def test_a_table_that_is_loaded_fills_up_and_says_what_changes_and_the_one_before_is_kept(
    deployed, bootstrap, tmp_path
):
    set_rows(deployed, LIMIT_CREATIONS="7", SCOPE_GUESTS="all")
    before = deployed.get(f"variables/name/{VARIABLE}").json()["value"]
    exported = tmp_path / "integration-settings.csv"
    exported.write_text("Integration,Key,Value\nSLACK,SCOPE_GUESTS,none\nSLACK,MAP_SLACK_USER_DATA,ture\n")

    said = bootstrap("--settings", str(exported))

    loaded = rows_by_key(deployed.get(f"variables/name/{VARIABLE}").json()["value"])
    assert (loaded["LIMIT_CREATIONS"], loaded["SCOPE_GUESTS"], loaded["LEAVERS"]) == ("7", "none", "keep")
    assert "SCOPE_GUESTS: all -> none" in said
    assert "MAP_SLACK_USER_DATA says 'ture' and is off" in said
    assert deployed.get(f"variables/name/{VARIABLE}_before").json()["value"] == before
    set_rows(deployed)


def test_a_table_that_was_exported_comes_back_in_a_prefect_that_has_none(deployed, bootstrap, tmp_path):
    values = {"NOTIFICATION_MAIL_ID": "it@example.com", "PROTECTED_ACCOUNTS": "ceo@example.com", "LIMIT_CREATIONS": "7"}
    set_rows(deployed, **values)
    before = rows_by_key(deployed.get(f"variables/name/{VARIABLE}").json()["value"])
    exported = tmp_path / "settings.csv"

    done = run({**os.environ}, "settings", "export", str(exported))
    deployed.delete(f"variables/name/{VARIABLE}").raise_for_status()
    bootstrap("--settings", str(exported))

    assert done.returncode == 0, done.stderr
    after = rows_by_key(deployed.get(f"variables/name/{VARIABLE}").json()["value"])
    assert {key: after[key] for key in before} == before
    set_rows(deployed)


def test_each_schedule_makes_runs(deployed):
    """With SQLAlchemy 2.1 Prefect's scheduler failed on each of them, and only its own log said so."""
    queries = [
        {
            "deployments": {"id": {"any_": [deployment(deployed, name)["id"]]}},
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        }
        for name in SCHEDULED
    ]
    for name in SCHEDULED:
        pause(deployed, name, paused=False)
    try:
        for query in queries:
            until(lambda query=query: deployed.post("flow_runs/filter", json=query).raise_for_status().json())
    finally:
        for name in SCHEDULED:
            pause(deployed, name)


@pytest.mark.long
def test_a_limit_of_an_earlier_release_is_gone_after_deploying(deployed, prefect_deploy):
    """A run that died while it was started kept such a limit, and the nightly run did not start any more."""
    stored = deployment(deployed, "bulk-import/reconcile")
    limited = {"concurrency_limit": 1, "concurrency_options": {"collision_strategy": "CANCEL_NEW"}}
    deployed.patch(f"deployments/{stored['id']}", json=limited).raise_for_status()
    assert deployment(deployed, "bulk-import/reconcile")["global_concurrency_limit"]["limit"] == 1

    prefect_deploy("--name", "reconcile")
    start_nothing(deployed)

    redeployed = deployment(deployed, "bulk-import/reconcile")
    assert (redeployed["global_concurrency_limit"], redeployed["concurrency_options"]) == (None, None)
