"""Forks: the worker's children, one for each run or its hooks, from a small process with everything imported."""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from multiprocessing import forkserver
from typing import Any
from uuid import UUID

import anyio
from anyio.abc import TaskStatus
from prefect.client.schemas.objects import FlowRun, State
from prefect.runner._control_channel import ControlChannel
from prefect.runner._process_manager import ProcessHandle

from deployments.flow_run import GRACE_SECONDS, THE_WORKER_ENDS, execute, run_hooks

SHORT_FOLDER = "/tmp"  # noqa: S108 - what is made in it is a folder that nobody else may enter
LONGEST_FOLDER = 103 - len("/pymp-xxxxxxxx/listener-xxxxxxxx")  # bytes: what the address of a socket has room for
FORK_SERVER_DIED = 255  # what multiprocessing takes for the exit code then

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["deployments.preload"])


def begin_to_import() -> None:
    """Start the small process, so that everything is imported before the first run comes.

    Its socket is in a folder of its own, below that for temporary files if the address has room.
    """
    usual = tempfile.gettempdir()
    if len(os.fsencode(usual)) > LONGEST_FOLDER:
        tempfile.tempdir = SHORT_FOLDER
    try:
        forkserver.ensure_running()
    finally:
        tempfile.tempdir = usual


class ForkedRun:
    """Starts a run in a child and waits for its end, as Prefect's FlowRunExecutor wants it done."""

    def __init__(self, control_channel: ControlChannel) -> None:
        self._control_channel = control_channel
        self._child: Any = None

    @property
    def exit_code(self) -> int | None:
        """How the child has ended; None before that."""
        return None if self._child is None else self._child.exitcode

    async def start(
        self, flow_run: FlowRun, task_status: TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        port, token = self._control_channel.register(flow_run.id)

        def started(child: Any) -> None:
            self._child = child
            task_status.started(ProcessHandle(child))

        await _forked(execute, flow_run.id, port, token, started=started)


class ForkedHooks:
    """Runs the hooks of a run whose own process could not run them, in a child that has the run's secrets."""

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        await self._run(flow_run.id, state)

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        await self._run(flow_run.id, state)

    async def _run(self, flow_run_id: UUID, state: State[Any]) -> None:
        await _forked(run_hooks, flow_run_id, state.type, state.name, state.message)


async def _forked(
    target: Callable[..., None], *arguments: object, started: Callable[[Any], object] = lambda _child: None
) -> None:
    """Call *target* in a child forked from the small process, and return when the child is gone.

    If it is cancelled, as all runs are when the worker is stopped, it ends the child first.
    """
    child = _forks.Process(target=target, args=arguments)
    child.start()
    started(child)
    try:
        await anyio.wait_readable(child.sentinel)  # in this thread: a second one could take the exit code away
        child.join()
    finally:
        with anyio.CancelScope(shield=True):
            await _wait_until_gone(child)


async def _wait_until_gone(child: Any) -> None:
    """Return when *child* has ended; end it if this worker is stopped or the process that forked it has died."""
    if child.exitcode not in {None, FORK_SERVER_DIED}:
        return
    for number in (signal.SIGKILL,) if child.exitcode else (THE_WORKER_ENDS, signal.SIGKILL):
        with anyio.move_on_after(GRACE_SECONDS):
            alive = _signalled(child.pid, number)
            while alive:
                await anyio.sleep(0.05)
                alive = _signalled(child.pid, 0)
            return


def _signalled(pid: int, number: int) -> bool:
    """Send a signal, or none with 0; tell whether there is such a process."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
