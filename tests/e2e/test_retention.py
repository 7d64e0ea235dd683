"""What Prefect keeps goes when it is old enough: rows with old dates, and a server that is started on them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.local import prefect_server
from tests.e2e.prefect_http import prefect_http
from tests.waiting import until

pytestmark = pytest.mark.long
AGES = {"kept": 80, "gone": 100}  # days
EVENT_AGES = {"kept": 6, "gone": 8}
PAGE = "status-page"  # an artifact of no run
TIMES = {
    "flow_run": ("created", "updated", "expected_start_time", "start_time", "end_time"),
    "log": ("timestamp", "created", "updated"),
    "artifact": ("created", "updated"),
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Prefect's database with a run, its log line, artifact and event of each age, as its server has stored them."""
    with prefect_server(tmp_path) as clients, prefect_http(clients) as http:
        flow = http.post("flows/", json={"name": "bulk-import"}).raise_for_status().json()["id"]
        runs = {name: ended_run(http, flow, name) for name in AGES}
        http.post("artifacts/", json={"key": PAGE, "type": "markdown", "data": PAGE}).raise_for_status()
        path = tmp_path / "prefect" / "prefect.db"
        until(lambda: {name for name in AGES if in_events(path, runs[name])} == set(AGES))
    with closing(sqlite3.connect(path)) as connection:
        for name, run_id in runs.items():
            for table, columns in TIMES.items():
                key = "id" if table == "flow_run" else "flow_run_id"
                update(connection, table, columns, days=AGES[name], where=f"{key} = ?", value=run_id)
            update(connection, "events", ("occurred", "received"), days=EVENT_AGES[name], **of_run(run_id))
        update(connection, "artifact", TIMES["artifact"], days=AGES["gone"], where="key = ?", value=PAGE)
        connection.commit()
    return path


def ended_run(http: httpx.Client, flow: str, name: str) -> str:
    run_id = http.post("flow_runs/", json={"name": name, "flow_id": flow}).raise_for_status().json()["id"]
    now = datetime.now(UTC).isoformat()
    line = {"name": "a", "level": 20, "message": name, "timestamp": now, "flow_run_id": run_id}
    http.post("logs/", json=[line]).raise_for_status()
    artifact = {"key": name, "type": "markdown", "data": name, "flow_run_id": run_id}
    http.post("artifacts/", json=artifact).raise_for_status()
    done = {"state": {"type": "COMPLETED"}, "force": True}
    http.post(f"flow_runs/{run_id}/set_state", json=done).raise_for_status()
    return str(run_id)


def of_run(run_id: str) -> dict[str, str]:
    return {"where": "resource_id = ?", "value": f"prefect.flow-run.{run_id}"}


def in_events(path: Path, run_id: str) -> int:
    return count(path, "events", **of_run(run_id))


def update(connection: sqlite3.Connection, table: str, columns: Any, *, days: int, where: str, value: str) -> None:
    then = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")
    changes = ", ".join(f"{column} = ?" for column in columns)
    done = connection.execute(f"UPDATE {table} SET {changes} WHERE {where}", (*[then] * len(columns), value))
    assert done.rowcount, f"{table} has no row of {value}"


def count(path: Path, table: str, *, where: str, value: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table} WHERE {where}", (value,)).fetchone()[0])


@pytest.fixture
def swept(database: Path, tmp_path: Path) -> Iterator[Path]:
    """The database beside a server that has been started on it, and has looked for what is too old."""
    with prefect_server(tmp_path):
        for table, column in (("flow_run", "name"), ("log", "message"), ("artifact", "key")):
            until(lambda table=table, column=column: not count(database, table, where=f"{column} = ?", value="gone"))
        until(lambda: not count(database, "events", where="occurred < ?", value=before_days(7)))
        yield database


def before_days(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")


def test_old_runs_go_with_their_logs_artifacts_and_events_and_all_else_stays(swept):
    assert count(swept, "flow_run", where="name = ?", value="kept") == 1
    assert count(swept, "log", where="message = ?", value="kept") == 1
    assert count(swept, "artifact", where="key = ?", value="kept") == 1
    assert count(swept, "artifact", where="key = ?", value=PAGE) == 1
    assert count(swept, "events", where="occurred < ?", value=before_days(5)) >= 1
