"""Runs whose worker is gone with its machine or container: living workers find them and record it in Prefect."""

import time
from collections.abc import Collection, Mapping
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Crashed, Scheduled
from prefect.types._datetime import now

from slack_docebo.engine.reporting.troubles import A_CRASH, Trouble, cause_in, state_message

SIGN_SECONDS = 10  # between two signs of life of a worker
SILENCE_SECONDS = 35.0  # after which a worker is gone: three signs that did not come
BREATHING_SPACE = timedelta(seconds=30)  # before a run that has crashed begins again
ENDED = "slack-docebo.flow-run.ended"  # the event of a run whose process is gone, as its worker has seen
OWNER = "prefect.worker.name"  # label of a run
BEGUN_AGAIN = "slack-docebo.begun-again"  # label of a run that has crashed once


class SignsOfLife:
    """Finds out who has been silent for *patience* seconds, by the observer's clock alone.

    An observer that did not look for so long knows nothing of the time between.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._changed: dict[str, tuple[object, float]] = {}  # by name: the last sign, and when it was new to us
        self._looked = 0.0

    def silent(self, signs: Mapping[str, object], at: float) -> set[str]:
        """Return who has shown the same sign for too long; *signs* are the present ones, *at* is now in seconds."""
        if at - self._looked >= self._patience:
            self._changed.clear()
        self._looked = at
        known = self._changed
        self._changed = {
            name: known[name] if name in known and known[name][0] == sign else (sign, at)
            for name, sign in signs.items()
        }
        return {name for name, (_, since) in self._changed.items() if at - since >= self._patience}


class LostRuns:
    """The runs of a work pool as one of its workers sees them."""

    def __init__(self, worker: str, pool: str) -> None:
        self._worker = worker
        self._pool = pool
        self._signs = SignsOfLife(SILENCE_SECONDS)

    async def find(self, client: PrefectClient, mine: Collection[UUID]) -> list[FlowRun]:
        """Return the runs whose workers are gone, if this worker, the first by name, has to see to them.

        *mine* are the runs that this worker has at work: others under its name belong to a former worker.
        """
        workers = {
            worker.name: worker.last_heartbeat_time for worker in await client.read_workers_for_work_pool(self._pool)
        }
        begun = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
        runs = await client.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[self._pool])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=begun))),
        )
        owners = {str(run.id): str(run.labels[OWNER]) for run in runs if OWNER in run.labels and run.id not in mine}
        signs = {run_id: None if owner == self._worker else workers.get(owner) for run_id, owner in owners.items()}
        silent = self._signs.silent({**workers, **signs}, time.monotonic())
        if self._worker != min({self._worker, *workers} - silent | {self._worker}):
            return []
        for gone in workers.keys() & silent - {self._worker, *owners.values()}:
            await client.request(
                "DELETE",
                "/work_pools/{work_pool_name}/workers/{name}",
                path_params={"work_pool_name": self._pool, "name": gone},
            )
        return [run for run in runs if str(run.id) in silent]


async def conclude(client: PrefectClient, run: FlowRun) -> State | None:
    """Record in Prefect what became of a lost run; return the state if the run has crashed."""
    gone = f"its worker has given no sign of life for {SILENCE_SECONDS:g} seconds: the machine or container is gone"
    state: State = Crashed(message=state_message(A_CRASH, gone))
    if run.state and run.state.is_pending():
        state = Scheduled(name=Trouble.TO_BE_CONTINUED, message=f"It had not begun, and {gone}")
    elif run.state and run.state.is_cancelling():
        state = Cancelled(message=f"It was to be cancelled, and {gone}")
    await client.set_flow_run_state(run.id, state, force=True)
    return state if state.is_crashed() else None


async def begin_again(client: PrefectClient, flow_run_id: UUID) -> bool:
    """Restart, once, a crashed run that writes to everybody; tell whether it was restarted."""
    run = await client.read_flow_run(flow_run_id)
    if run.state is None or not run.state.is_crashed() or BEGUN_AGAIN in run.labels:
        return False
    if (await client.read_flow(run.flow_id)).name != "bulk-import" or run.parameters.get("dry_run") is not False:
        return False
    await client.update_flow_run_labels(run.id, {BEGUN_AGAIN: True})
    state: State = Scheduled(
        name=Trouble.TO_BE_CONTINUED,
        scheduled_time=now("UTC") + BREATHING_SPACE,
        message=f"It has crashed ({cause_in(run.state.message or '')}), and begins again by itself, once",
    )
    await client.set_flow_run_state(run.id, state, force=True)
    return True
