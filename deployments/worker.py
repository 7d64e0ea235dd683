"""Prefect's worker type `slack-docebo`: it runs our flows only, each in a child of its own.

    python -m prefect worker start --pool slack-docebo-flows --type slack-docebo

Prefect finds the type by the entry point that `pyproject.toml` names, if the project's folder is on Python's path.

`deployments.flow_run` decides what is run, and `deployments.forks` forks the children, watches them and ends them. The
worker also looks after the runs of workers that are gone (`deployments.lost_runs`). Crashes and cancellations are seen
to by the same parts of Prefect that do so for its process worker.
"""

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from typing import Any, Self
from uuid import UUID

import anyio
import httpx
from anyio.abc import TaskStatus
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.runner._flow_run_executor import FlowRunExecutionResult, FlowRunExecutorContext
from prefect.runner._process_manager import ProcessHandle
from prefect.settings import (
    PREFECT_CLIENT_RETRY_EXTRA_CODES,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    temporary_settings,
)
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from deployments.crashes import Crashes, how_it_ended
from deployments.forks import ForkedHooks, ForkedRun, begin_to_import
from deployments.lost_runs import ENDED, SIGN_SECONDS, LostRuns, begin_again, conclude
from deployments.sealed_results import seal_results
from deployments.shared_certificates import share_certificates
from deployments.shared_tokens import share_tokens
from slack_docebo.engine.reporting.troubles import A_CRASH, state_message
from tasks.links import TAG
from tasks.logs import as_one_line

TRIED_AGAIN = PREFECT_CLIENT_RETRY_EXTRA_CODES  # beside 503; Prefect's server answers 500 while Redis is away
OF_RUNS = {
    TRIED_AGAIN.name: "500",
    # Each run would ask for it twice before it begins. The worker has asked, and has the same code.
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED.name: "false",
}
"""What runs are told of Prefect beside what their worker is."""
PREFECTS_OWN_INTERVAL = 10  # seconds between two looks, by default; thirty that did not come are too many


class NoConfiguration(BaseJobConfiguration):
    """The configuration of a run, which ignores everything that pool, deployment or run say."""

    @classmethod
    async def from_template_and_values(cls, *_what_the_server_says: Any, **_client: Any) -> Self:
        return cls()


class FlowRunWorker(BaseWorker[NoConfiguration, BaseVariables, BaseWorkerResult]):
    """Runs our flows, each run in a child; when stopped, it ends them first, and their runs say so."""

    type = "slack-docebo"
    job_configuration = NoConfiguration
    _display_name = "slack-docebo"
    _description = "Runs the flows of slack-docebo and nothing else: it takes a run's parameters, and no code."

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """Return a template that takes no job variable, so that the server refuses what we would not read."""
        return {
            # Prefect does not take an empty configuration.
            "job_configuration": {"flows": "those that the worker has installed"},
            "variables": {"type": "object", "properties": {}, "additionalProperties": False},
        }

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.heartbeat_interval_seconds = SIGN_SECONDS
        self._lost_runs = LostRuns(self.name, self._work_pool_name)
        self._at_work: set[UUID] = set()

    async def setup(self) -> None:
        await end_if_refused()
        seal_results()
        share_certificates()
        share_tokens()
        os.environ |= OF_RUNS
        self._exit_stack.enter_context(temporary_settings({TRIED_AGAIN: {500}}))
        for handler in logging.getLogger().handlers:  # the terminal's, which shows the names of runs
            handler.addFilter(as_one_line)
        begin_to_import()
        end_between_two_steps()
        await super().setup()

    def is_worker_still_polling(self, query_interval_seconds: float) -> bool:
        """Tell the worker's health; it may miss Prefect's server for minutes before it is to be restarted."""
        return super().is_worker_still_polling(max(query_interval_seconds, PREFECTS_OWN_INTERVAL))

    async def sync_with_backend(self) -> None:
        """Give a sign of life, and see to the runs of those who give none."""
        await super().sync_with_backend()
        if self.is_setup and self._runs_task_group:
            self._runs_task_group.start_soon(self._conclude_lost_runs)

    async def _conclude_lost_runs(self) -> None:
        try:
            for lost in await self._lost_runs.find(self.client, self._at_work):
                if crashed := await conclude(self.client, lost):
                    await ForkedHooks().run_crashed_hooks(lost, crashed)
                    await begin_again(self.client, lost.id)
        except (httpx.HTTPError, PrefectException) as error:
            self._logger.warning("The runs of workers that are gone could not be seen to: %s", error)

    async def _submit_scheduled_flow_runs(self, flow_run_response: list[WorkerFlowRunResponse]) -> list[FlowRun]:
        """Ignore runs at work here: a run that continues is scheduled a moment before its process is gone."""
        others = [one for one in flow_run_response if one.flow_run.id not in self._at_work]
        return await super()._submit_scheduled_flow_runs(others)

    async def _submit_run_and_capture_errors(
        self, flow_run: FlowRun, task_status: TaskStatus[int | Exception] | None = None
    ) -> BaseWorkerResult | Exception:
        self._at_work.add(flow_run.id)
        try:
            return await super()._submit_run_and_capture_errors(flow_run, task_status)
        finally:
            self._at_work.discard(flow_run.id)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: NoConfiguration,  # noqa: ARG002  (Prefect passes it)
        task_status: TaskStatus[int] | None = None,
    ) -> BaseWorkerResult:
        ended: FlowRunExecutionResult | None = None
        # One for each run, as Prefect's process worker has it: one that was left without a server for half a minute
        # gives up watching for cancellations for good.
        async with FlowRunExecutorContext() as context:
            forked = ForkedRun(context.control_channel)
            context._state_proposer = Crashes(context.client, lambda: forked.exit_code)  # noqa: SLF001  (it takes none)
            executor = context.create_executor(
                flow_run,
                forked,
                hook_runner=ForkedHooks(),
                propose_submitting=False,  # BaseWorker has done so
            )

            async def execute(*, task_status: TaskStatus[ProcessHandle]) -> None:
                nonlocal ended
                ended = await executor.submit(task_status=task_status)

            async with anyio.create_task_group() as group:
                child = await group.start(execute)
                if task_status is not None:
                    task_status.started(child.pid)
        _emit_end(flow_run.id)
        await self._conclude_cancellation(flow_run.id)
        if ended is None or ended.status_code is None:
            raise RuntimeError("the run's process is lost")
        goes_on = ended.status_code != 0 and await begin_again(self.client, flow_run.id)
        # Whatever is not 0 would make the run a crashed one again.
        return BaseWorkerResult(identifier=str(ended.handle.pid), status_code=0 if goes_on else ended.status_code)

    async def _propose_crashed_state(
        self,
        flow_run: FlowRun,
        message: str,  # noqa: ARG002  (Prefect's words)
        client: PrefectClient | None = None,
    ) -> None:
        """Say what to do about a run that could not be given a process; one that has crashed has said so itself."""
        await super()._propose_crashed_state(flow_run, state_message(A_CRASH, how_it_ended(None)), client)

    async def _conclude_cancellation(self, flow_run_id: UUID) -> None:
        """Set the state of a run that was cancelled before it began: its child ends without doing so."""
        with suppress(ObjectNotFound):
            flow_run = await self.client.read_flow_run(flow_run_id)
            if flow_run.state and flow_run.state.is_cancelling():
                message = "The run was cancelled, and its process is gone"
                await self._mark_flow_run_as_cancelled(flow_run, {"message": message})


async def end_if_refused() -> None:
    """End this process with one line where Prefect does not take our login: else that would be a page of traceback."""
    async with get_client() as client:
        try:
            await client.api_version()
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.UNAUTHORIZED:
                sys.exit("worker: Prefect refuses the login: check PREFECT_API_AUTH_STRING")
        except httpx.TransportError:
            return  # out of reach: Prefect's own words about that are short


def _emit_end(flow_run_id: UUID) -> None:
    """Send the end of the run as its last sign: of a short run, a sign of life would come after the end.

    It is not sent in the run's own process: the server accepts events within milliseconds in any order.
    """
    related = [{"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}]
    emit_event(event=ENDED, resource={"prefect.resource.id": f"prefect.flow-run.{flow_run_id}"}, related=related)


def end_between_two_steps() -> None:
    """Let the first SIGTERM or SIGINT end the worker between two steps of the event loop; the second, at once.

    Prefect's own handler raises KeyboardInterrupt in the middle of whatever is being done, where it can be lost: then
    the worker goes on, and so do its runs.
    """
    loop = asyncio.get_running_loop()

    def end() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
