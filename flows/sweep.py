"""Flow *sweep*: picks up what any accident has left in the inbox."""

from prefect import flow

from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import InboxLease, rest_while_halted
from tasks.hooks import ON_TROUBLE
from tasks.process_events import process_events
from tasks.run import concluded, continued, open_resources
from tasks.tidy_inbox import tidy_inbox
from tasks.validate_connection import validate_connection


@flow(name="sweep", flow_run_name="sweep", **ON_TROUBLE)
@continued
@concluded
async def sweep() -> ServeResult:
    """Process events that wait while no run is at work, free what dead runs have claimed, and purge what is done."""
    async with open_resources() as runtime:
        upkeep = await tidy_inbox(runtime)
        with InboxLease(runtime) as lease:
            if not upkeep.due:
                return ServeResult()
            if order := rest_while_halted(runtime):
                return ServeResult(order=order)
            if not lease.take():
                return ServeResult(elsewhere=lease.taken_by)
            workspace = await validate_connection(runtime)
            return await process_events(runtime, workspace, lease, linger_seconds=0)
