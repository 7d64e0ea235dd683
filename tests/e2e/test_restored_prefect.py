"""Prefect's database, restored alone from a backup that is older than what was done since: as docs/backup.md says."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prefect.states import State

from bench.installation import ROOT, deploy
from deployments.local import DATABASE, QUIET_PREFECT, connection_settings, prefect_server, worker
from sandbox.server import Sandbox
from slack_docebo.integration_settings import VARIABLE
from slack_docebo.storage.store import Store
from tests.e2e.prefect_http import (
    deployment,
    finished,
    is_done,
    pause,
    prefect_http,
    set_rows,
    start,
    start_nothing,
    state,
)
from tests.integration.commands import environment, run
from tests.postgresql import PostgresServer, programs
from tests.waiting import until

pytestmark = pytest.mark.long
IMPORT = "bulk-import/import-everybody"
NIGHTLY = "bulk-import/reconcile"
Backup = Callable[[], Callable[[], None]]


@pytest.fixture
def company() -> Iterator[Sandbox]:
    with Sandbox(users=60, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture(params=["sqlite", "postgresql"])
def backup(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backup:
    """Back Prefect's database up when called, and return what restores it in its place."""
    if request.param == "sqlite":
        return lambda: sqlite_backup(tmp_path / "prefect")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.url(server.create_database())
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", url.replace("postgresql:", "postgresql+asyncpg:"))
    return lambda: postgresql_backup(url, tmp_path)


def sqlite_backup(folder: Path) -> Callable[[], None]:
    with closing(sqlite3.connect(folder / "prefect.db")) as here, closing(sqlite3.connect(folder / "kept.db")) as there:
        here.backup(there)  # what `.backup` is
    restoring = "mkdir former && mv prefect.db* former && cp kept.db prefect.db"
    return lambda: subprocess.run(restoring, shell=True, cwd=folder, check=True)


def postgresql_backup(url: str, folder: Path) -> Callable[[], None]:
    kept = folder / "prefect.dump"
    subprocess.run([programs() / "pg_dump", "--format=custom", f"--file={kept}", url], check=True)
    restoring = [programs() / "pg_restore", "--clean", "--if-exists", "--exit-on-error", f"--dbname={url}", kept]
    return lambda: subprocess.run(restoring, check=True)


def keep_secret(http: httpx.Client, name: str, value: str) -> None:
    """Make the Secret block called *name*, or exchange its value."""
    found = http.get(f"block_types/slug/secret/block_documents/name/{name}")
    if found.is_success:
        change = {"data": {"value": value}, "merge_existing_data": False}
        http.patch(f"block_documents/{found.json()['id']}", json=change).raise_for_status()
        return
    block_type = http.get("block_types/slug/secret").raise_for_status().json()["id"]
    of_type = {"block_schemas": {"block_type_id": {"any_": [block_type]}}}
    schema = http.post("block_schemas/filter", json=of_type).raise_for_status().json()[0]["id"]
    body = {"name": name, "data": {"value": value}, "block_type_id": block_type, "block_schema_id": schema}
    http.post("block_documents/", json=body).raise_for_status()


def may_shrink(http: httpx.Client) -> str:
    rows = http.get(f"variables/name/{VARIABLE}").raise_for_status().json()["value"]
    return next(row["value"] for row in rows if row["key"] == "SOURCE_MAY_SHRINK")


def load_settings(file: Path, env: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "deployments.bootstrap", "--settings", file]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, check=True)


def of_the_night_before(http: httpx.Client) -> str:
    """Have the nightly run due since yesterday, as one is that the backup has planned, and return its id."""
    pause(http, NIGHTLY, paused=False)
    due = {"start_time": (datetime.now(UTC) - timedelta(days=1)).isoformat(), "max_runs": 1}
    here = deployment(http, NIGHTLY)["id"]
    http.post(f"deployments/{here}/schedule", json=due).raise_for_status()
    planned = {"deployments": {"id": {"any_": [here]}}, "sort": "EXPECTED_START_TIME_ASC"}
    return http.post("flow_runs/filter", json=planned).raise_for_status().json()[0]["id"]


def accounts(company: Sandbox) -> Counter[str]:
    return Counter(account.email for account in company.docebo.accounts)


def made(http: httpx.Client, run_id: str) -> bool:
    return is_done(State.model_validate(finished(http, run_id)["state"]))


@dataclass(frozen=True)
class Lived:
    """What was done before the backup and after it."""

    restore: Callable[[], None]
    at_work: str  # the run of which the backup does not know the end
    since: str  # the run of which it knows nothing
    grace: Mapping[str, str]  # who joined since


def live(company: Sandbox, backup: Backup, folder: Path, connections: Mapping[str, str], secret: str) -> Lived:
    """Import; back Prefect up while a run is at work; exchange settings and secret, and import once more."""
    with prefect_server(folder) as clients, prefect_http(clients) as http:
        deploy({**connections, **clients})
        start_nothing(http)
        keep_secret(http, "docebo-client-secret", secret)
        set_rows(http, SOURCE_MAY_SHRINK="11")
        with worker(folder, env={**connections, **clients}):
            assert made(http, start(http, IMPORT, dry_run=False))
            company.slack.add("Ada", "Lovelace", "ada@example.com")
            company.slack_gate.faults.add("users.list", "slow", times=-1, seconds=5)
            at_work = start(http, IMPORT, dry_run=False)
            state(http, at_work, "RUNNING")
            restore = backup()
            company.slack_gate.faults.clear()
            assert made(http, at_work)
            grace = company.slack.add("Grace", "Hopper", "grace@example.com")
            set_rows(http, SOURCE_MAY_SHRINK="12")
            since = start(http, IMPORT, dry_run=False)
            assert made(http, since)
            keep_secret(http, "docebo-client-secret", "exchanged since")
    return Lived(restore, at_work, since, grace)


def test_settings_and_secrets_are_those_of_the_backup_and_what_our_database_knows_stays(company, backup, tmp_path):
    home = {**QUIET_PREFECT, "PREFECT_HOME": str(tmp_path / "prefect")}
    connections = {**home, **connection_settings(company.facts(), tmp_path)}
    secret, connections["DOCEBO_CLIENT_SECRET"] = connections["DOCEBO_CLIENT_SECRET"], ""
    connections["SLACK_PAGE_SIZE"] = "10"  # seven pages: a run that reads them can be held until the backup is there
    ours = f"sqlite:///{tmp_path / DATABASE}"
    lived = live(company, backup, tmp_path, connections, secret)
    before = accounts(company)
    lived.restore()
    exported = run(environment(company.facts(), ours, tmp_path), "settings", "export", str(tmp_path / "since.csv"))
    assert exported.returncode == 0, exported.stderr

    with prefect_server(tmp_path) as clients, prefect_http(clients) as http:
        restored = may_shrink(http)
        load_settings(tmp_path / "since.csv", {**connections, **clients})
        loaded = may_shrink(http)
        unknown = http.get(f"flow_runs/{lived.since}").status_code
        was = http.get(f"flow_runs/{lived.at_work}").raise_for_status().json()["state_type"]
        nightly = of_the_night_before(http)
        with worker(tmp_path, env={**connections, **clients}):
            assert made(http, nightly)
            until(lambda: is_done(State.model_validate(http.get(f"flow_runs/{lived.at_work}").json()["state"])))
            states = http.get("flow_run_states/", params={"flow_run_id": lived.at_work}).raise_for_status().json()
            left = finished(http, start(http, IMPORT, dry_run=True))["state"]["message"]

    assert (restored, loaded) == ("11", "12")
    assert (unknown, was) == (404, "RUNNING")
    assert "CRASHED" in [one["type"] for one in states]
    assert accounts(company) == before
    assert (before["ada@example.com"], before["grace@example.com"]) == (1, 1)
    assert f": {len(company.slack)} left alone" in left
    with Store.open(ours) as store, store.reading() as tables:
        assert lived.since in {plan.flow_run for plan in tables.plans.recent(10)}
        mapped = tables.mappings(company.docebo_url).of(lived.grace["team_id"], [lived.grace["id"]])
    assert list(mapped) == [lived.grace["id"]]
