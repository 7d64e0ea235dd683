"""A run: the settings of this moment, and the resources opened with them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec

import prefect.states
from prefect import get_run_logger
from prefect import runtime as prefect_runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.logging import get_logger
from prefect.states import Completed, Scheduled
from prefect.variables import Variable

from slack_docebo.domain.operations import Outcome
from slack_docebo.domain.texts import line
from slack_docebo.engine.looking.diagnosis import Diagnosis
from slack_docebo.engine.looking.explaining import Explanation
from slack_docebo.engine.mappings.relinking import Relinked
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.reporting.troubles import FIRST, Trouble, message_after, state_message
from slack_docebo.errors import (
    AlreadyRunning,
    ChangeLimitExceeded,
    ConfigurationError,
    Frozen,
    Halted,
    NotConfirmed,
    SyncError,
    ToBeContinued,
)
from slack_docebo.integration_settings import VARIABLE, IntegrationSettings, read_rows
from slack_docebo.lookup_tables import find_tables
from slack_docebo.redaction import redact_logs
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.safe_points import is_told_to_end
from slack_docebo.settings import RUN, PrefectSettings, Settings, load_settings, secrets_open_to_others
from slack_docebo.storage.gate import import_lock
from slack_docebo.storage.plans import PlanState
from tasks.attended import is_unattended
from tasks.logs import as_one_line
from tasks.settings_in_prefect import follow_settings
from tasks.shown_people import check_people_shown
from tasks.status_page import refresh_status_page, say_that_no_run_begins

# Prefect shows the lines of PREFECT_LOGGING_EXTRA_LOGGERS on the run's page, without a level its warnings alone.
logging.getLogger("slack_docebo").setLevel(logging.INFO)
redact_logs()
with suppress(ConfigurationError):  # which is told when the run begins
    load_settings(PrefectSettings)  # Prefect's own lines may quote its login, from the first on


def _without_its_words(exc: BaseException, tb: TracebackType | None = None) -> str:  # noqa: ARG001  (Prefect passes it)
    """Return what the state of a task says of *exc*: the words of one that is none of ours may name somebody."""
    kind = type(exc).__name__
    return f"{kind}: {exc}" if isinstance(exc, SyncError) else f"{kind}; the run's log has the details"


prefect.states.format_exception = _without_its_words  # (it has no other place for it)

P = ParamSpec("P")
FlowResult = Summary | list[Summary] | ServeResult | Explanation | Diagnosis | Relinked | str
OWN_STATES: dict[type[SyncError], str] = {
    ChangeLimitExceeded: Trouble.REFUSED,
    NotConfirmed: Trouble.REFUSED,
    AlreadyRunning: Trouble.ALREADY_RUNNING,
    Halted: Trouble.STOPPED,
    Frozen: Trouble.FROZEN,
    ToBeContinued: Trouble.TO_BE_CONTINUED,
}


@asynccontextmanager
async def open_run(behaviour: IntegrationSettings | None = None) -> AsyncIterator[Runtime]:
    """Open a runtime with the present environment and Variable; a change takes effect with the next run.

    With *behaviour* it is as if those settings were saved.

    The run holds the lock of an import: raises AlreadyRunning if another run that holds it is at work on the same
    Docebo, on this machine or another. Should another take this one's place nevertheless, as when this one stands still
    and is cut off from the database, each further write raises LockLost.
    """
    async with open_resources(behaviour) as runtime:
        with import_lock(runtime.store, runtime.settings.docebo_url, holder=runtime.run_name):
            yield runtime


@asynccontextmanager
async def open_resources(behaviour: IntegrationSettings | None = None) -> AsyncIterator[Runtime]:
    """Open a runtime like `open_run`, whoever else is at work."""
    async with AsyncExitStack() as until_the_end:
        try:
            runtime = await until_the_end.enter_async_context(_resources(behaviour))
        except SyncError:
            if behaviour is None:  # else it may be because of settings that are not saved
                await say_that_no_run_begins()
            raise
        try:
            yield runtime
        except Exception:
            await _write_status_page(runtime, goes_by_saved=behaviour is None)
            raise
        # Not for one that is told to end: it has no time.
        await _write_status_page(runtime, goes_by_saved=behaviour is None)


async def _write_status_page(runtime: Runtime, *, goes_by_saved: bool) -> None:
    """Write the page by the settings that are saved, also after a run that went by others; no run fails over it."""
    try:
        if not goes_by_saved:
            runtime.behaviour = await integration_settings()
    except Exception as error:
        get_logger("flow_runs").warning("The status page was not written: %s", type(error).__name__)
        return
    await refresh_status_page(runtime)


async def renew_status_page() -> None:
    """Write the status page after what was done without a runtime; what is wrong with opening one, the page says."""
    with suppress(SyncError):
        async with open_resources():
            pass


@asynccontextmanager
async def _resources(behaviour: IntegrationSettings | None) -> AsyncIterator[Runtime]:
    _one_line_errors()
    load_settings(PrefectSettings)  # a login in the address would be in every link to a run
    settings = load_settings(Settings)
    if told := secrets_open_to_others(*RUN):
        get_run_logger().warning(told)
    behaviour = behaviour or await integration_settings()
    behaviour = behaviour.with_tables(await find_tables(behaviour.tables, settings.tables_dir, Variable.aget))
    await check_people_shown(behaviour)
    run = prefect_runtime.flow_run
    async with open_runtime(settings, behaviour, run_id=run.id or "", run_name=run.name or "") as runtime:
        yield runtime


async def integration_settings() -> IntegrationSettings:
    """Read the table of settings from Prefect; raise ConfigurationError if it is not there or wrong."""
    rows = await Variable.aget(VARIABLE)
    if rows is None:
        raise ConfigurationError(
            f"Prefect has no Variable {VARIABLE}: make it with `python -m deployments.bootstrap`, then fill in the form Change the settings"
        )
    try:
        return read_rows(rows)
    except ConfigurationError:
        async with get_client() as client:
            await follow_settings(client)  # it is where they are mended
        raise


def continued(run: Callable[P, Awaitable[State[Any]]]) -> Callable[P, Awaitable[State[Any]]]:
    """Let a run that was told to end wait for the next worker, as the same run: for flows that may begin again.

    Prefect treats such a run as scheduled. A run that comes to no safe point was cancelled, and waits as well.
    """

    @wraps(run)
    async def wait_for_the_next_worker(*args: P.args, **kwargs: P.kwargs) -> State[Any]:
        try:
            state = await run(*args, **kwargs)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not is_told_to_end():
                raise
            task.uncancel()
            return _continued()
        return _continued() if state.name == Trouble.TO_BE_CONTINUED else state

    return wait_for_the_next_worker


def _continued() -> State[Any]:
    told = "Nothing is to be done: the run was told to end with its worker, and the next one goes on with it"
    return Scheduled(name=Trouble.TO_BE_CONTINUED, message=told)


def concluded(run: Callable[P, Awaitable[FlowResult]]) -> Callable[P, Awaitable[State[Any]]]:
    """Turn a flow's end into a state whose one line begins with what to do, without a traceback for known errors."""

    @wraps(run)
    async def conclude(*args: P.args, **kwargs: P.kwargs) -> State[Any]:
        try:
            result = await run(*args, **kwargs)
            told = _one_line(result)
            if isinstance(result, ServeResult) and result.elsewhere and not result.events:
                # The other run sees to them: nothing is left to do.
                return Completed(name=Trouble.ALREADY_RUNNING, message=line(told))
            if isinstance(result, ServeResult) and result.order:
                return _ended_by_order(result.order)
            if trouble := _trouble(result):
                # Green means that nothing new is left to do: colour, tiles, hooks and automations go by the type.
                return State(type=StateType.FAILED, name=trouble, message=state_message(FIRST[trouble], told))
            return Completed(message=line(told))
        except SyncError as error:
            if isinstance(error, Frozen) and await is_unattended():
                return _ended_by_order(error)
            name = OWN_STATES.get(type(error), Trouble.FAILED)
            return State(type=StateType.FAILED, name=name, message=message_after(error))
        except Exception as error:  # unforeseen: the log has its words, which may name somebody
            get_logger("flow_runs").exception("A fault of slack-docebo's")
            return State(type=StateType.FAILED, name=Trouble.FAILED, message=message_after(error))

    return conclude


def _ended_by_order(order: Halted) -> State[Any]:
    """Return the end of a run that left everything as it is, as somebody ordered, and for which nobody waits."""
    return Completed(name=OWN_STATES[type(order)], message=line(f"Nothing is to be done: {order}"))


def _one_line(result: FlowResult) -> str:
    """Return *result* in one line."""
    match result:
        case str():
            return result
        case list():
            return "; then ".join(summary.line for summary in result)
        case _:
            return result.line


def _trouble(result: FlowResult) -> Trouble | None:
    """Return what is left to do after a run that has done its work, though not for everybody."""
    match result:
        case list():
            return next(filter(None, map(_trouble, result)), None)
        case ServeResult(held=held) if held:
            return Trouble.HELD
        case ServeResult(parked=parked) if parked:
            return Trouble.PARKED
        case Summary() if result.plan.state is PlanState.PLANNED:  # a dry run
            return None
        case Summary() if result.failed:
            return Trouble.PARTLY_FAILED
        case Summary() if result.skipped and not result.count(outcome=Outcome.APPLIED):
            return Trouble.SKIPPED
        case Summary(newly_undecided=undecided) | ServeResult(undecided=undecided) if undecided:
            return Trouble.UNDECIDED
    return None


def _one_line_errors() -> None:
    """Keep the run's log to one line a message, without tracebacks of our own errors unless debugging is on."""
    for name in ("prefect.task_runs", "prefect.flow_runs"):
        logger = logging.getLogger(name)
        for change in (_without_traceback, as_one_line):
            if change not in logger.filters:
                logger.addFilter(change)


def _without_traceback(record: logging.LogRecord) -> bool:
    if (
        record.exc_info
        and isinstance(record.exc_info[1], SyncError)
        and not logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
    ):
        record.exc_info = None
    return True
