"""What a run of real time does, shown while it does it: a table that grows, a line for each round, a message at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.texts import markdown
from slack_docebo.engine.realtime.serve_result import ROWS_SHOWN, Became, ServeResult
from slack_docebo.engine.reporting.shown import Cells, with_names
from slack_docebo.engine.reporting.troubles import FIRST, Trouble, state_message
from slack_docebo.runtime import Runtime
from tasks.artifacts import shown_as_text
from tasks.notifications import tell_once
from tasks.status_page import refresh_status_page

SECONDS_BETWEEN_UPDATES = 2.0
KEY = "events-served"
ENDED_AS = {Trouble.HELD: Became.HELD, Trouble.PARKED: Became.PARKED}


class ServedEvents:
    """Shows what has become of the events of one run; its failures do not end the run."""

    def __init__(self, runtime: Runtime, team: str, served: ServeResult) -> None:
        self._runtime = runtime
        self._team = team
        self._served = served
        self._artifact: UUID | None = None
        self._to_show: tuple[list[Cells], str] | None = None  # of the last round, as long as it is not shown
        self._told: dict[Trouble, set[str]] = {}  # of which events people were told
        self._telling: list[asyncio.Task[None]] = []
        self._log = get_run_logger()

    async def after_round(self) -> None:
        """Show what this round has done, without anybody waiting for it."""
        self._log.info("Round %d: %s so far", self._served.rounds, self._served.line)
        for trouble, became in ENDED_AS.items():
            if trouble not in self._told and (events := self._served.ids(became)):
                self._told[trouble] = events
                self._telling.append(asyncio.create_task(self._tell(trouble, f"{self._served.line} so far")))
        self._to_show = self._served.rows, self._served.line

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show news every few seconds during the block, and the rest at its end."""
        over = asyncio.Event()
        showing = asyncio.create_task(self._keep_showing(over))
        try:
            yield
        finally:
            over.set()  # and no cancellation: a table that was just made would be made once more
            await asyncio.gather(showing, *self._telling, return_exceptions=True)
            if self._served.events:
                await self._show(self._served.rows, self._served.line)

    async def tell_of_more(self) -> None:
        """Tell at the end of the run, once it has a page, if more events were parked or held since the last message."""
        for trouble, events in self._told.items():
            if self._served.ids(ENDED_AS[trouble]) - events:
                await self._tell(trouble, self._served.line, again=True)

    async def _keep_showing(self, over: asyncio.Event) -> None:
        while not over.is_set():
            if news := self._to_show:
                self._to_show = None
                await self._show(*news)
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS_BETWEEN_UPDATES):
                    await over.wait()

    async def _tell(self, trouble: Trouble, line: str, *, again: bool = False) -> None:
        message = state_message(FIRST[trouble], line)
        await refresh_status_page(self._runtime)  # where people look who are told
        try:
            await tell_once(UUID(self._runtime.run_id), "realtime-sync", trouble, message, self._log, again=again)
        except Exception as error:
            self._log.warning("No notification was sent: %s", type(error).__name__)

    async def _show(self, rows: list[Cells], line: str) -> None:
        try:
            rows = await to_completion(self._named, rows)
            description = f"What became of the events, the newest first, at most {ROWS_SHOWN}: {line}"
            if self._artifact is None:
                created = await acreate_table_artifact(shown_as_text(rows), key=KEY, description=markdown(description))
                self._artifact = UUID(str(created))
                return
            change = ArtifactUpdate(data=json.dumps(shown_as_text(rows)), description=markdown(description))
            async with get_client() as client:
                await client.update_artifact(self._artifact, change)
        except Exception as error:
            self._log.warning("The table of events was not written: %s", type(error).__name__)

    def _named(self, rows: list[Cells]) -> list[Cells]:
        with self._runtime.store.reading() as tables:
            return with_names(tables, self._team, rows, self._runtime.behaviour.people_shown)
