"""What a child of the worker executes: one flow run, or the hooks of a run that died.

The flow is found by its name among ours, and checks the run's parameters. Nothing else that the server says is used: no
pull step, entrypoint, command, environment, template or stored result.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterable
from multiprocessing import connection, parent_process
from typing import Any
from uuid import UUID

import httpx
from prefect._internal.control_listener import configure_from_env
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import AsyncClientContext
from prefect.engine import handle_engine_signals
from prefect.exceptions import ObjectNotFound
from prefect.flow_engine import run_flow
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger
from prefect.runner._hook_runner import HookRunner
from prefect.settings import PREFECT_CLIENT_RETRY_EXTRA_CODES, temporary_settings
from prefect.states import Crashed, Scheduled

from deployments.sealed_results import seal_results
from deployments.shared_tokens import share_tokens
from deployments.wrong_form import misfits, refusing
from slack_docebo.engine.reporting.troubles import OTHER_CODE, state_message
from slack_docebo.safe_points import is_told_to_end, tell_to_end
from slack_docebo.settings import NotificationSettings, Settings, unset_secrets

logger = logging.getLogger(__name__)

THE_WORKER_ENDS = signal.SIGHUP  # a run that gets this ends at its next safe point
SAFE_POINT_SECONDS = 15  # before it is cancelled where it stands
GRACE_SECONDS = 25  # before it is killed: Kubernetes gives a worker 30
BLOCKS = (
    "SLACK_BOT_TOKEN",
    "SLACK_SCIM_TOKEN",
    "DOCEBO_CLIENT_SECRET",
    "DOCEBO_PASSWORD",
    "DOCEBO_PRIVATE_KEY",
    "SMTP_PASSWORD",
    "NOTIFICATION_URLS",
    "HEARTBEAT_URL",
)
"""The secrets that a run needs and a Secret block can hold. Not DATABASE_URL: webhook and command line need it, too."""


def block_name(variable: str) -> str:
    """Return the name of the Secret block that can hold the environment *variable*."""
    return variable.lower().replace("_", "-")


def execute(flow_run_id: UUID, control_port: int, control_token: str) -> None:
    """Run the flow run to its end; called in a child of its own."""
    _begin(flow_run_id)
    # As Prefect's own starters do: over this connection the worker says that a SIGTERM means cancellation.
    os.environ["PREFECT__CONTROL_PORT"] = str(control_port)
    os.environ["PREFECT__CONTROL_TOKEN"] = control_token
    os.environ["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "false"  # the worker sees to them
    configure_from_env()
    with handle_engine_signals(flow_run_id):
        asyncio.run(_execute(flow_run_id))


def run_hooks(flow_run_id: UUID, state_type: StateType, name: str, message: str | None) -> None:
    """Run the hooks for the state of a run whose own process could not; called in a child of its own."""
    _begin(flow_run_id)
    asyncio.run(_run_hooks(flow_run_id, State(type=state_type, name=name, message=message)))


async def _execute(flow_run_id: UUID) -> None:
    # Between two steps of the event loop, unlike what Prefect makes of SIGTERM: an exception in the midst of whatever
    # is being done, which asyncio catches at times.
    asyncio.get_running_loop().add_signal_handler(THE_WORKER_ENDS, _end, asyncio.current_task())  # type: ignore[arg-type]  # (in a task there is one)
    async with AsyncClientContext.get_or_create() as context:  # the engine takes the same client
        flow_run, name, flow = await _found(context.client, flow_run_id)
        if is_told_to_end():  # before it has begun
            await context.client.set_flow_run_state(flow_run_id, Scheduled(message="Its worker ended before it began"))
            return
        log = flow_run_logger(flow_run)
        if flow and not (unknown := flow_run.parameters.keys() - flow.parameters.properties):
            if wrong := misfits(flow, flow_run.parameters):
                flow, flow_run = refusing(flow, wrong), flow_run.model_copy(update={"parameters": {}})
            await run_flow(flow, flow_run=flow_run, return_type="state", error_logger=log)  # type: ignore[misc,arg-type]  # (our flows are asynchronous)
            return
        if flow:
            told = f"{name} has no parameter {', '.join(sorted(unknown))}; nothing was run"
        else:
            told = f"{name!r} is none of the flows that are installed here; nothing was run"
        message = state_message(OTHER_CODE, told)
        log.error(message)
        await context.client.set_flow_run_state(flow_run_id, Crashed(message=message))


def note_worker_end() -> None:
    """Note when the worker ends, until a run at work takes over: for the process that all children inherit from."""
    signal.signal(THE_WORKER_ENDS, lambda *_: tell_to_end())


def _end(run: asyncio.Task[Any]) -> None:
    """Let the run end at a safe point, or where it stands when it comes to none."""
    if not is_told_to_end():  # a second time would interrupt what the first has begun
        tell_to_end()
        asyncio.get_running_loop().call_later(SAFE_POINT_SECONDS, run.cancel)


async def _run_hooks(flow_run_id: UUID, state: State[Any]) -> None:
    async with get_client() as client:
        flow_run, _name, flow = await _found(client, flow_run_id)
    if flow is None:
        return

    async def resolved(_flow_run: FlowRun) -> Flow[..., Any]:
        return flow

    hooks = HookRunner(resolve_flow=resolved)  # each does nothing for a state that is not its own
    await hooks.run_crashed_hooks(flow_run, state)
    await hooks.run_cancellation_hooks(flow_run, state)


async def _found(client: PrefectClient, flow_run_id: UUID) -> tuple[FlowRun, str, Flow[..., Any] | None]:
    """Return the run, the name of its flow on the server, and our flow of that name."""
    from deployments.our_flows import FLOWS  # in the worker itself, which imports this module, it is not needed

    flow_run, _ = await asyncio.gather(client.read_flow_run(flow_run_id), _take_secrets(client, _missing_secrets()))
    name = (await client.read_flow(flow_run.flow_id)).name
    return flow_run, name, FLOWS.get(name)


def _missing_secrets() -> list[str]:
    """Return those of BLOCKS that neither the environment, `.env` nor a file sets."""
    unset = unset_secrets(Settings, NotificationSettings)
    return [variable for variable in BLOCKS if variable in unset]


async def _take_secrets(client: PrefectClient, variables: Collection[str]) -> None:
    """Set each of *variables* to the text of its Secret block, if there is one."""
    if not await _are_there(client, map(block_name, variables)):
        return  # as in most installations, and events wait for the run to begin

    async def take(variable: str) -> None:
        try:
            block = await client.read_block_document_by_name(block_name(variable), "secret")
        except ObjectNotFound:
            return
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.INTERNAL_SERVER_ERROR:
                raise
            logger.warning(
                "the Secret block %s cannot be read and is not used: if it was made under another"
                " PREFECT_SERVER_ENCRYPTION_KEY, give the server that one back, or make the block anew",
                block_name(variable),
            )
            return
        try:
            value: Any = block.data.get("value")
            os.environ[variable] = value
        except (TypeError, ValueError):  # a number, a table, a zero byte
            logger.warning("the Secret block %s holds no text: it is not used", block_name(variable))

    # One that cannot be read is readable at no further try. Set once, for that takes 30 ms.
    with temporary_settings({PREFECT_CLIENT_RETRY_EXTRA_CODES: None}):
        await asyncio.gather(*map(take, variables))


async def _are_there(client: PrefectClient, names: Iterable[str]) -> bool:
    """Tell, by one short request, whether any of the Secret blocks is there."""
    wanted = {"block_documents": {"name": {"any_": [*names]}}, "block_types": {"slug": {"any_": ["secret"]}}}
    answer = await client.request("POST", "/block_documents/count", json=wanted)
    return int(answer.json()) > 0


def _begin(flow_run_id: UUID) -> None:
    """Prepare this child: it reads no stored result, takes signals from the worker, and ends when the worker does."""
    seal_results()
    share_tokens()
    os.environ["PREFECT__FLOW_RUN_ID"] = str(flow_run_id)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # in order, so that logs are sent
    threading.Thread(target=_end_with_the_worker, daemon=True, name="end-with-the-worker").start()


def _end_with_the_worker() -> None:
    """End this child when the worker is gone or, at once, when the process that forked it and reports its end is."""
    worker = parent_process().sentinel  # type: ignore[union-attr]  # (a child has one)
    fork_server = os.getppid()
    while not connection.wait([worker], timeout=1):
        if os.getppid() != fork_server:
            os.kill(os.getpid(), signal.SIGKILL)  # the worker takes the run for crashed, whatever it would say itself
    logger.warning("The worker is gone: this run ends, too")
    os.kill(os.getpid(), THE_WORKER_ENDS)
    time.sleep(GRACE_SECONDS)  # the run has so long to end by itself in the main thread, and this thread ends with it
    os.kill(os.getpid(), signal.SIGKILL)
