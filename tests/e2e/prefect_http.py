"""What a person does in Prefect's UI, over the API the UI uses."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from prefect import Flow
from prefect.states import State

from slack_docebo.clients.prefect_client import READING
from slack_docebo.engine.reporting.troubles import Trouble
from slack_docebo.integration_settings import VARIABLE, table
from tests.waiting import PATIENCE_SECONDS, until

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
ON_CHANGED_SETTINGS = "slack-docebo: settings that were changed are looked at"
SCHEDULED = ("bulk-import/reconcile", "sweep/sweep")


class SignedIn(httpx.Auth):
    """Signs in, and gets a token for writing once."""

    requires_response_body = True

    def __init__(self, clients: Mapping[str, str]) -> None:
        user, _, password = clients["PREFECT_API_AUTH_STRING"].partition(":")
        self._login = httpx.BasicAuth(user, password)
        self._tokens = f"{clients['PREFECT_API_URL']}/csrf-token"
        self._token = {"Prefect-Csrf-Client": f"test-{id(self)}"}

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:
        if request.method not in READING:
            if "Prefect-Csrf-Token" not in self._token:
                asking = httpx.Request("GET", self._tokens, params={"client": self._token["Prefect-Csrf-Client"]})
                answer = yield next(self._login.auth_flow(asking))
                self._token["Prefect-Csrf-Token"] = answer.json()["token"]
            request.headers.update(self._token)
        yield next(self._login.auth_flow(request))


class PatientTransport(httpx.HTTPTransport):
    """Asks again while Prefect answers 503: with SQLite it does so for as long as its own services write."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            response = super().handle_request(request)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                return response
            response.close()
            time.sleep(0.5)


def prefect_http(clients: Mapping[str, str] = os.environ, **options: Any) -> httpx.Client:
    """Return a client of the API at PREFECT_API_URL that is signed in."""
    settings = {"timeout": PATIENCE_SECONDS, "transport": PatientTransport(), **options}
    return httpx.Client(base_url=clients["PREFECT_API_URL"], auth=SignedIn(clients), **settings)


def deployment(http: httpx.Client, name: str) -> dict[str, Any]:
    """Return the deployment called *name*, like "flow-name/deployment-name"."""
    return http.get(f"deployments/name/{name}").raise_for_status().json()


def pause(http: httpx.Client, name: str, *, paused: bool = True) -> None:
    """Keep the schedules of the deployment *name* from starting runs, or let them."""
    http.patch(f"deployments/{deployment(http, name)['id']}", json={"paused": paused}).raise_for_status()


def start_nothing(http: httpx.Client) -> None:
    """Keep schedules, and automations of deployments, from starting runs."""
    for name in SCHEDULED:
        pause(http, name)
    let_automation(http, ON_CHANGED_SETTINGS, enabled=False)


def let_automation(http: httpx.Client, name: str, *, enabled: bool) -> None:
    """Switch the automation called *name* on or off."""
    found = http.post("automations/filter", json={"automations": {"name": {"any_": [name]}}}).raise_for_status().json()
    (automation,) = (one for one in found if one["name"] == name)
    http.patch(f"automations/{automation['id']}", json={"enabled": enabled}).raise_for_status()


def submit_form(http: httpx.Client, name: str, **parameters: Any) -> httpx.Response:
    """Ask for a run of the deployment *name* and return the answer."""
    path = f"deployments/{deployment(http, name)['id']}/create_flow_run"
    return http.post(path, json={"parameters": parameters})


def start(http: httpx.Client, name: str, **parameters: Any) -> str:
    """Start a run of the deployment *name* and return the run's id."""
    return submit_form(http, name, **parameters).raise_for_status().json()["id"]


def state(http: httpx.Client, run_id: str, *types: str) -> dict[str, Any]:
    """Wait until the run is in a state of one of *types*, and return the run."""
    flow_run: dict[str, Any] = {}

    def is_there() -> bool:
        flow_run.update(http.get(f"flow_runs/{run_id}").raise_for_status().json())
        arrived = flow_run["state_type"] in types
        assert arrived or flow_run["state_type"] not in FINAL, f"the run is {flow_run['state']}"
        return arrived

    until(is_there, lambda: f"the run is {flow_run['state']}")
    return flow_run


def finished(http: httpx.Client, run_id: str) -> dict[str, Any]:
    """Wait for the end of the run, and return it."""
    return state(http, run_id, *FINAL)


def note_crashed(http: httpx.Client) -> None:
    """Have Prefect know that whatever it takes for running has died: imports of other tests would wait for its end."""
    at_work = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    for run in http.post("flow_runs/filter", json=at_work).raise_for_status().json():
        crashed = {"state": {"type": "CRASHED"}, "force": True}
        http.post(f"flow_runs/{run['id']}/set_state", json=crashed).raise_for_status()


def is_done(ended: State[Any]) -> bool:
    """Tell whether a run has done its work, be it that people newly wait for somebody's decision."""
    return ended.is_completed() or ended.name == Trouble.UNDECIDED


def artifacts_of(http: httpx.Client, run_id: str) -> list[dict[str, Any]]:
    """Return the artifacts of the run."""
    of_run = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
    return http.post("artifacts/filter", json=of_run).raise_for_status().json()


def process_of(http: httpx.Client, run_id: str) -> int:
    """Return the id of the process in which the run is at work."""
    return int(until(lambda: http.get(f"flow_runs/{run_id}").raise_for_status().json()["infrastructure_pid"]))


def title_of(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return what the form of *schema* calls *field*: a group has the title of its definition."""
    group = schema.get("definitions", {}).get(field.get("$ref", "").rpartition("/")[2], {})
    return field.get("title") or group.get("title", "")


def set_rows(http: httpx.Client, **values: str) -> None:
    """Replace the table of settings by *values* and, where they say nothing, both recipes on and no notifications."""
    rows = {"NOTIFICATION_MAIL_ID": "", "PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true", **values}
    answer = http.patch(f"variables/name/{VARIABLE}", json={"value": table(rows)})
    if answer.status_code == httpx.codes.NOT_FOUND:  # another test took the table away
        answer = http.post("variables/", json={"name": VARIABLE, "value": table(rows)})
    answer.raise_for_status()


async def set_table(values: Mapping[str, str] | None) -> None:
    """Make *values* the whole table of settings, or take the table away."""
    from prefect.variables import Variable  # after the fixture has said which server

    if values is None:
        await Variable.aunset(VARIABLE)
    else:
        await Variable.aset(VARIABLE, table(values), overwrite=True)


async def run_by_schedule(flow: Flow[..., Any], parameters: dict[str, Any]) -> State[Any]:
    """Run *flow* as a schedule would have started it, and return its end."""
    from prefect.client.orchestration import get_client  # after the fixture has said which server
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
    from prefect.client.schemas.schedules import IntervalSchedule
    from prefect.flow_engine import run_flow_async

    async with get_client() as client:
        deployment_id = await client.create_deployment(
            flow_id=await client.create_flow(flow),
            name="by-accident",
            parameters=parameters,
            schedules=[DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(days=1)), active=True)],
        )
        # As the server's own scheduler does every now and then, for a run that is due already.
        due = {"start_time": (datetime.now(UTC) - timedelta(days=1)).isoformat(), "max_runs": 1}
        await client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment_id}, json=due)
        of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        made = await client.read_flow_runs(deployment_filter=of_deployment)  # the scheduler may have made later ones
        flow_run = min(made, key=lambda one: one.expected_start_time)
        state = await run_flow_async(flow, flow_run=flow_run, parameters=parameters, return_type="state")
        await client.delete_deployment(deployment_id)
    return state


def logged(http: httpx.Client, run_id: str, words: str) -> str:
    """Wait until *words* stand in the run's log as its page shows it, and return the log."""
    query = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"}

    def log() -> str:
        lines = http.post("logs/filter", json=query).raise_for_status().json()
        return "\n".join(line["message"] for line in lines)

    return until(lambda: said if words in (said := log()) else "", lambda: f"{words!r} is not in the log:\n{log()}")


def wait_for_worker(http: httpx.Client) -> None:
    """Wait until Prefect sees a worker at work."""
    until(lambda: http.post("work_pools/slack-docebo-flows/workers/filter", json={}).raise_for_status().json())


def asked_for_by(http, page: str, title: str) -> dict[str, Any]:
    """Return the parameters of the run that the filled form asks for to which the page links, as the server takes them."""
    link = urlsplit(next(re.finditer(rf"\[{re.escape(title)}\]\((.*?)\)", page))[1])
    parameters = json.loads(parse_qs(link.query)["parameters"][0])
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00:00Z"}}
    deployment_id = link.path.split("/")[-2]
    run = http.post(f"deployments/{deployment_id}/create_flow_run", json={"parameters": parameters, "state": later})
    http.delete(f"flow_runs/{run.raise_for_status().json()['id']}").raise_for_status()
    return parameters
