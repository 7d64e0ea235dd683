"""An installation of the first versions: what waits in its work pool is moved, once, and nothing gains rights by that."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import get_client

from deployments.former_releases import FORMER_POOL, leave_former_names, leave_former_pool
from slack_docebo.clients.prefect import BY_WEBHOOK
from slack_docebo.work_pool import WORK_POOL
from tests.e2e.prefect_http import state

LATER = (datetime.now(UTC) + timedelta(days=300)).isoformat()


@pytest.fixture
def former(deployed):
    """A deployment in the former pool, which demands what the form does, and a way to make runs of it."""
    deployed.post("work_pools/", json={"name": FORMER_POOL, "type": "process"}).raise_for_status()
    flow = deployed.post("flows/", json={"name": "explain-user"}).raise_for_status().json()["id"]
    body = {
        "name": f"former {uuid4()}",
        "flow_id": flow,
        "work_pool_name": FORMER_POOL,
        "parameter_openapi_schema": {"type": "object", "properties": {"who": {"type": "string"}}},
        "schedules": [
            {"schedule": {"interval": 3600, "anchor_date": (datetime.now(UTC) - timedelta(days=1)).isoformat()}}
        ],
    }
    made = deployed.post("deployments/", json=body).raise_for_status().json()["id"]
    yield made
    deployed.delete(f"deployments/{made}").raise_for_status()
    deployed.delete(f"work_pools/{FORMER_POOL}").raise_for_status()


def waiting(deployed, deployment, tags=(), **parameters):
    body = {
        "parameters": parameters,
        "tags": tags,
        "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": LATER}},
    }
    return deployed.post(f"deployments/{deployment}/create_flow_run", json=body).raise_for_status().json()["id"]


def runs_of(deployed, deployment):
    chosen = {"flow_runs": {"deployment_id": {"any_": [deployment]}}, "limit": 200}
    return deployed.post("flow_runs/filter", json=chosen).raise_for_status().json()


async def leave_it():
    async with get_client() as client:
        return await leave_former_pool(client)


@pytest.mark.long
def test_what_waits_is_moved_once_even_if_two_do_it_at_once(deployed, former):
    run_id = waiting(deployed, former, who="U1")

    async def twice():
        await asyncio.gather(leave_it(), leave_it())

    asyncio.run(twice())

    assert deployed.get(f"work_pools/{FORMER_POOL}").json()["is_paused"]
    assert deployed.get(f"deployments/{former}").json()["work_pool_name"] == WORK_POOL
    assert state(deployed, run_id, "CANCELLED")
    (moved,) = [run for run in runs_of(deployed, former) if run["parameters"] == {"who": "U1"} and run["id"] != run_id]
    assert (moved["work_pool_name"], moved["state_type"]) == (WORK_POOL, "SCHEDULED")
    assert not asyncio.run(leave_it())


@pytest.mark.long
def test_a_late_run_of_a_schedule_does_not_become_a_persons(deployed, former):
    yesterday = datetime.now(UTC) - timedelta(hours=3)
    asked = {"start_time": yesterday.isoformat(), "end_time": datetime.now(UTC).isoformat(), "min_runs": 1}
    deployed.post(f"deployments/{former}/schedule", json=asked).raise_for_status()
    late = [
        run
        for run in runs_of(deployed, former)
        if datetime.fromisoformat(run["expected_start_time"]) < datetime.now(UTC)
    ]
    assert late
    assert all(run["auto_scheduled"] for run in late)

    asyncio.run(leave_it())

    assert all(state(deployed, run["id"], "CANCELLED") for run in late)
    assert all(run["auto_scheduled"] for run in runs_of(deployed, former))


@pytest.mark.long
def test_a_run_of_the_webhook_is_moved_and_stays_one_that_nobody_started(deployed, former):
    waiting(deployed, former, tags=[BY_WEBHOOK], who="U1")

    asyncio.run(leave_it())

    of_webhook = [run for run in runs_of(deployed, former) if run["parameters"] == {"who": "U1"}]
    assert {(run["work_pool_name"], run["state_type"], *run["tags"]) for run in of_webhook} == {
        (FORMER_POOL, "CANCELLED", BY_WEBHOOK),
        (WORK_POOL, "SCHEDULED", BY_WEBHOOK),
    }


@pytest.mark.long
def test_a_run_that_the_server_would_not_take_today_does_not_keep_the_others(deployed, former):
    wrong, right = waiting(deployed, former, who="U1"), waiting(deployed, former, who="U2")
    stricter = {
        "parameter_openapi_schema": {"type": "object", "properties": {"who": {"type": "string", "enum": ["U2"]}}}
    }
    deployed.patch(f"deployments/{former}", json=stricter).raise_for_status()

    asyncio.run(leave_it())

    assert state(deployed, wrong, "CANCELLED")["state"]["message"].endswith("start it again")
    assert "takes its place" in state(deployed, right, "CANCELLED")["state"]["message"]


@pytest.mark.long
async def test_a_deployment_of_a_former_name_goes_once_no_run_of_it_waits(deployed):
    flow = deployed.post("flows/", json={"name": "explain-user"}).raise_for_status().json()["id"]
    body = {"name": "manual", "flow_id": flow, "work_pool_name": WORK_POOL}
    former = deployed.post("deployments/", json=body).raise_for_status().json()["id"]
    run_id = waiting(deployed, former)

    async with get_client() as client:
        kept = await leave_former_names(client)
        deployed.delete(f"flow_runs/{run_id}").raise_for_status()
        deleted = await leave_former_names(client)
        again = await leave_former_names(client)

    assert (kept, deleted, again) == (False, True, False)
    assert deployed.get(f"deployments/{former}").status_code == httpx.codes.NOT_FOUND
    assert deployed.get("deployments/name/explain-user/explain-a-person").is_success
