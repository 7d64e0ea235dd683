"""prefect.yaml and bootstrap as their users meet them: a fresh clone, a real server, a real worker."""

import json
import os
import subprocess
import sys
import time

import pytest

from deployments.local import worker
from deployments.login import keep_login
from deployments.up import PROFILES
from tests.e2e.conftest import run_command
from tests.e2e.prefect_http import PATIENCE, deployment, finished, set_rows, start, submit_form


def test_deploying_stores_the_folder_deployed_from_and_nothing_secret(deployed, clone):
    stored = deployment(deployed, "bulk-import/manual")

    assert stored["pull_steps"] == [
        {"prefect.deployments.steps.set_working_directory": {"directory": str(clone.resolve())}}
    ]
    assert "env" not in stored["job_variables"]


def test_the_reconciliation_runs_at_night_for_real_and_once(deployed):
    stored = deployment(deployed, "bulk-import/reconcile")

    (schedule,) = stored["schedules"]
    assert schedule["active"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 2 * * *", "Etc/UTC")
    assert stored["parameters"] == {"dry_run": False}
    assert stored["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert stored["global_concurrency_limit"]["limit"] == 1


def test_every_field_of_every_form_has_a_title_and_help(deployed):
    stored = deployed.post("deployments/filter", json={}).raise_for_status().json()

    assert len(stored) >= 2
    bare = [
        (one["name"], name)
        for one in stored
        for name, field in one["parameter_openapi_schema"]["properties"].items()
        if not field.get("description") or field.get("title", name) == name
    ]
    assert bare == []


@pytest.mark.parametrize(
    "wrong", [{"dry_run": "perhaps"}, {"plan_id": "../../x"}, {"plan_id": "123456789"}, {"verify_target": 3}]
)
def test_a_wrong_value_is_refused_before_a_run_begins(deployed, wrong):
    assert submit_form(deployed, "bulk-import/manual", **wrong).status_code == 409


def test_bootstrap_a_second_time_changes_nothing(deployed, clone, run_module):
    assert run_module("deployments.bootstrap", cwd=clone).count("there already") == 3


def test_the_commands_find_server_and_login_where_make_up_keeps_them(deployed, clone, environment, monkeypatch):
    kept = {name: os.environ[name] for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")}
    profiles = clone / "var" / PROFILES
    keep_login(profiles, "slack-docebo", api=kept["PREFECT_API_URL"], login=kept["PREFECT_API_AUTH_STRING"])
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    try:
        bootstrapped = run_command("deployments.bootstrap", cwd=clone)
        listed = run_command("prefect", "deployment", "ls", cwd=clone)
        doctor = [sys.executable, "-c", "from slack_docebo.cli import main; main()", "doctor", "--json"]
        found = subprocess.run(doctor, cwd=clone, env=os.environ | environment, capture_output=True, check=False)
    finally:
        profiles.unlink()

    assert bootstrapped.count("there already") == 3
    assert "bulk-import/manual" in listed
    levels = {finding["check"]: finding["level"] for finding in json.loads(found.stdout)}
    assert levels["Prefect's door"] == levels["deployments"] == "ok"


def test_a_wrong_login_is_told_in_one_line(deployed, clone, monkeypatch):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:wrong")

    for module in ("deployments.bootstrap", "deployments.ready"):
        ended = subprocess.run([sys.executable, "-m", module], cwd=clone, capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert ended.stderr.endswith(": Prefect refuses the login: check PREFECT_API_AUTH_STRING\n"), ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_dry_run_started_in_the_form_is_done_by_a_worker_started_elsewhere(deployed, at_work, company):
    set_rows(deployed)

    run_id = start(deployed, "bulk-import/manual", dry_run=True)
    ended = finished(deployed, run_id)

    assert ended["state_type"] == "COMPLETED", ended["state"]
    assert ended["name"] == "manual: everybody, dry run"
    assert "to create" in ended["state"]["message"]
    assert company.docebo_gate.counters.rows["created"] == 0


def test_a_secret_can_be_kept_in_a_secret_block(deployed, clone, run_module, environment, tmp_path):
    """The worker resolves it when a run starts; neither the deployment nor the work pool holds its value."""
    set_rows(deployed)
    secret = environment["DOCEBO_CLIENT_SECRET"]
    block_type = deployed.get("block_types/slug/secret").raise_for_status().json()["id"]
    schemas = deployed.post("block_schemas/filter", json={"block_schemas": {"block_type_id": {"any_": [block_type]}}})
    block = {
        "name": "docebo-client-secret",
        "data": {"value": secret},
        "block_type_id": block_type,
        "block_schema_id": schemas.raise_for_status().json()[0]["id"],
    }
    made = deployed.post("block_documents/", json=block).raise_for_status().json()
    try:
        run_module("deployments.bootstrap", cwd=clone)
        without = {**environment, "DOCEBO_CLIENT_SECRET": ""}
        with worker(tmp_path, env=without):
            run_id = start(deployed, "bulk-import/manual", dry_run=True)
            ended = finished(deployed, run_id)
        stored = deployed.get("work_pools/slack-docebo").text + deployed.post("deployments/filter", json={}).text
    finally:
        deployed.delete(f"block_documents/{made['id']}").raise_for_status()
        run_module("deployments.bootstrap", cwd=clone)

    assert ended["state_type"] == "COMPLETED", ended["state"]
    assert secret not in stored


@pytest.mark.parametrize("name", ["bulk-import/reconcile", "sweep/sweep"])
def test_a_schedule_makes_runs(deployed, name):
    """With SQLAlchemy 2.1 Prefect's scheduler failed on each of them, and only its own log said so."""
    query = {
        "deployments": {"id": {"any_": [deployment(deployed, name)["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    deadline = time.monotonic() + PATIENCE
    while not deployed.post("flow_runs/filter", json=query).raise_for_status().json():
        assert time.monotonic() < deadline
        time.sleep(0.5)
