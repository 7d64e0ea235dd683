"""The few calls of Prefect's HTTP API that ask for a flow run, without importing Prefect."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr

from slack_docebo.clients.answers import OutOfBounds
from slack_docebo.clients.prefect_client import PrefectClient
from slack_docebo.errors import AccessDenied, ContractViolation, OutcomeUnknown, Rejected, RemoteError, TransientError

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
STUCK = timedelta(minutes=10)  # a run that is pending for so long was left by a worker that died
MOST_RUNS = 200  # in one answer
BY_WEBHOOK = "asked-for-by-webhook"  # tag of our runs: Prefect does not know that no person created them


class PrefectApi:
    """Looks for runs of a deployment and asks for new ones.

    Every method raises TransientError while Prefect cannot be reached, and AccessDenied if it refuses our credentials.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._deployments: dict[str, str] = {}

    async def check(self) -> None:
        """Return if Prefect answers and accepts our credentials, for which its `health` does not ask."""
        await self._call("GET", "admin/version")

    async def is_about_to_run(self, deployment: str) -> bool:
        """Tell whether a run of *deployment*, like "flow-name/deployment-name", is due and has not begun yet."""
        now = datetime.now(UTC)
        of_deployment = {"deployments": {"id": {"any_": [await self._deployment_id(deployment)]}}}
        runs = await self._runs(of_deployment, now, "SCHEDULED", "PENDING")
        return any(run.get("state_type") == "SCHEDULED" or _age(run, now) < STUCK for run in runs)

    async def is_running(self, *flows: str) -> bool:
        """Tell whether a run of any of *flows*, of whichever deployment, has begun and not ended."""
        return bool(await self._runs({"flows": {"name": {"any_": flows}}}, datetime.now(UTC), "RUNNING"))

    async def ask_for_run(self, deployment: str) -> str:
        """Ask for a run of *deployment* now and return its id; raise OutcomeUnknown if it may have been created."""
        deployment_id = await self._deployment_id(deployment)
        try:
            path, run = f"deployments/{deployment_id}/create_flow_run", {"tags": [BY_WEBHOOK]}
            answer = await self._call("POST", path, repeatable=False, json=run)
        except Rejected:
            self._deployments.pop(deployment, None)  # it may have been deployed anew, with another id
            raise
        return _id(answer, "create_flow_run")

    async def _runs(self, which: dict[str, Any], now: datetime, *states: str) -> list[dict[str, Any]]:
        # Runs of a schedule are created days ahead: what is not due does not count.
        query = {
            **which,
            "flow_runs": {
                "state": {"type": {"any_": list(states)}},
                "expected_start_time": {"before_": (now + timedelta(seconds=1)).isoformat()},
            },
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": MOST_RUNS,
        }
        runs = await self._call("POST", "flow_runs/filter", json=query)
        if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
            raise ContractViolation("flow_runs/filter", "the answer is not a list of runs")
        return runs

    async def _deployment_id(self, deployment: str) -> str:
        if deployment not in self._deployments:
            found = await self._call("GET", f"deployments/name/{deployment}")
            self._deployments[deployment] = _id(found, f"deployments/name/{deployment}")
        return self._deployments[deployment]

    async def _call(self, verb: str, path: str, *, repeatable: bool = True, **request: Any) -> Any:
        unanswered = TransientError if repeatable else OutcomeUnknown
        try:
            answer = await self._http.request(verb, path, **request)
        except NEVER_SENT as error:
            raise TransientError(path, "Prefect is out of reach") from error
        except httpx.TransportError as error:
            raise unanswered(path, "Prefect did not answer") from error
        except OutOfBounds as error:
            raise (ContractViolation if repeatable else OutcomeUnknown)(path, error.detail) from None
        if not answer.is_success:
            raise _refusal(path, answer.status_code)
        try:
            return answer.json()
        except ValueError:
            raise ContractViolation(path, "the answer is not JSON; check PREFECT_API_URL") from None
        except OutOfBounds as error:
            raise (ContractViolation if repeatable else OutcomeUnknown)(path, error.detail) from None


@asynccontextmanager
async def open_prefect(
    url: str,
    login: Callable[[], SecretStr | None],
    *,
    timeout: float,  # noqa: ASYNC109  (of each request, in seconds)
) -> AsyncIterator[PrefectApi]:
    """Open a client of the API at *url*; *login* is asked for "user:password" before every request."""
    async with PrefectClient(url, login, seconds=timeout) as http:
        yield PrefectApi(http)


def _refusal(path: str, status: int) -> RemoteError:
    if status in (401, 403):
        return AccessDenied(path, "check PREFECT_API_AUTH_STRING", status=status)
    if status == 404:
        return Rejected(path, "Prefect does not know it; deploy it, or check PREFECT_API_URL", status=status)
    # Prefect answers 503 when its database is busy: nothing was created then.
    return TransientError(path, status=status) if status >= 500 or status == 429 else Rejected(path, status=status)


def _id(answer: Any, operation: str) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        raise ContractViolation(operation, "the answer holds no id; check PREFECT_API_URL")
    found: str = answer["id"]
    return found


def _age(run: dict[str, Any], now: datetime) -> timedelta:
    """Return how long *run* has been in its state."""
    state = run.get("state")
    try:
        since = datetime.fromisoformat(str(state.get("timestamp") if isinstance(state, dict) else None))
        return now - since
    except (ValueError, TypeError):
        return timedelta()
