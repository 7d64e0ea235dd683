"""A run whose process did not end by itself: said in the words of an administrator, where Prefect has its own."""

import signal
from collections.abc import Callable
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.runner._state_proposer import StateProposer

from slack_docebo.engine.reporting.troubles import A_CRASH, state_message


class Crashes(StateProposer):
    """Proposes states as Prefect's does, but says of a crash what there is to do, and how the process ended."""

    def __init__(self, client: PrefectClient, exit_code: Callable[[], int | None]) -> None:
        super().__init__(client=client)
        self._exit_code = exit_code

    async def propose_crashed(self, flow_run: FlowRun, message: str) -> State[Any] | None:  # noqa: ARG002  (Prefect's words)
        return await super().propose_crashed(flow_run, state_message(A_CRASH, how_it_ended(self._exit_code())))


def how_it_ended(exit_code: int | None) -> str:
    """Say how the process of a run ended, None where it could not be started."""
    log = "the worker's log says more"
    match exit_code:
        case None:
            return f"its process could not be started; {log}"
        case code if code == -signal.SIGKILL:
            return "its process was killed, most often because the machine or container was short of memory"
        case code if code < 0 and -code in set(signal.Signals):
            return f"its process was ended from outside, by {signal.Signals(-code).name}"
        case code if code - 128 == signal.SIGTERM:
            return "its process was told to end from outside, by SIGTERM"
        case code:
            return f"its process ended with exit code {code}; {log}"
