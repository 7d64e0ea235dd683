"""Flow *Parked events*: what failed too often, or waits for a limit, is looked at, tried anew or dropped."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.realtime.parked import ParkedAction, ParkedChoice
from tasks.attended import require_a_person
from tasks.forms import EventIds, OurId, titled
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, open_resources
from tasks.run_names import parked_events_run
from tasks.settle_parked_events import settle_parked_events


@flow(name="parked-events", flow_run_name=parked_events_run, **ON_TROUBLE)
@concluded
async def parked_events(
    action: Annotated[ParkedAction, titled("What to do")] = ParkedAction.SHOW,
    event_ids: Annotated[EventIds, titled("Events")] = [],  # noqa: B006  (Prefect shows it, nobody changes it)
    incident: Annotated[OurId, titled("Incident")] = "",
    everything: Annotated[bool, titled("All that are parked")] = False,
    confirm: Annotated[int, titled("Number of events, to drop them", ge=0)] = 0,
) -> str:
    """Show the parked events in a table of this run, let some be tried anew, or drop them.

    Args:
        action: show: look, change nothing. replay: try the chosen events anew; over a limit they are held again, see
            Let through of realtime-sync. drop: never try them again; the next import looks at the people.
        event_ids: Ids of events, as the table has them; a list may be pasted into one field.
        incident: Instead of ids: everybody who waits with this incident.
        everything: Instead of ids: every parked event.
        confirm: To drop events, type how many they are.
    """
    await require_a_person()
    async with open_resources() as runtime:
        choice = ParkedChoice(tuple(event_ids), incident, everything)
        return await settle_parked_events(runtime, action, choice, confirm)
