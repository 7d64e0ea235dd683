"""`slack-docebo events`: Slack's events in the inbox are listed and shown, and parked ones replayed."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from slack_docebo.cli.output import Json, Limit, first, required, show_done, show_json, show_rows
from slack_docebo.cli.store import open_store, outdate_status_page
from slack_docebo.domain.moments import to_the_second
from slack_docebo.domain.texts import number_of
from slack_docebo.errors import ConfigurationError
from slack_docebo.storage.events import EventState, InboxEntry

app = App(name="events")

Parked = Annotated[
    bool,
    Parameter(negative="", help="Only those that nobody tries any more: they failed too often, or wait for a limit."),
]
EventId = Annotated[str, Parameter(validator=required("no event is named: give its id, as `events list` shows it"))]
Incident = Annotated[
    str, Parameter(validator=required("no incident is named: give its id, as `events list --parked` shows it"))
]
All = Annotated[bool, Parameter(name="--all", negative="", help="Every parked event.")]


@app.command(name="list")
def list_(*, parked: Parked = False, limit: Limit = 100, json: Json = False) -> None:
    """List the events that wait, and those that are parked, the oldest first."""
    states = [EventState.PARKED] if parked else [EventState.PARKED, EventState.WAITING, EventState.CLAIMED]
    with open_store() as store, store.reading() as tables:
        entries = first(tables.inbox.oldest(limit + 1, *states), limit)
    held = json or any(entry.incident for entry in entries)  # a table is narrow
    show_rows([_row(entry, with_incident=held) for entry in entries], json=json, empty="No event is waiting or parked.")


@app.command
def show(event_id: EventId, *, json: Json = False) -> None:
    """Show one event and what is kept of the person's profile."""
    with open_store() as store, store.reading() as tables:
        entry = tables.inbox.get(event_id)
    if entry is None:
        raise ConfigurationError(f"there is no event {event_id}; applied ones are purged after INBOX_KEEP_DAYS")
    row = {**_row(entry, with_incident=True), "team": entry.event.slack_team, "updated": entry.event.updated}
    profile = {name: value for name, value in (entry.event.profile or {}).items() if value}
    if json:
        show_json({**row, "profile": profile})
    else:
        show_rows([{"what": name, "value": value} for name, value in {**row, **profile}.items()], json=False, empty="")


@app.command
def replay(*event_ids: EventId, all_: All = False, json: Json = False) -> None:
    """Let parked events be tried anew: those named, or all. The next run takes them; the webhook asks for one."""
    if bool(event_ids) == all_:
        raise ConfigurationError("name the events to replay, or give --all")
    with open_store() as store:
        with store.transaction() as tables:
            if unknown := set(event_ids) - tables.inbox.parked_ids(event_ids):
                raise ConfigurationError(
                    f"not parked: {', '.join(sorted(unknown))}; `events list --parked` shows those that are"
                )
            count = tables.inbox.replay(None if all_ else event_ids, datetime.now(UTC))
        outdate_status_page(store)
    show_done(f"{number_of('event', count)} will be tried anew.", {"replayed": count}, json=json)


@app.command
def let_through(incident: Incident, *, json: Json = False) -> None:
    """Let the events that a limit holds back be applied, all that wait with this incident: `events list` names it."""
    # A run's modules, and with them the clients, are not needed to look at events.
    from slack_docebo.engine.realtime.holding import let_through as let_incident_through

    with open_store() as store:
        count = len(let_incident_through(store, incident, datetime.now(UTC)))
        outdate_status_page(store)
    told = f"{number_of('event', count)} will be applied over the limit."
    show_done(told, {"incident": incident, "let_through": count}, json=json)


def _row(entry: InboxEntry, *, with_incident: bool) -> dict[str, str | int]:
    incident = {"incident": entry.incident} if with_incident else {}
    return {
        "event": entry.event.event_id,
        "state": entry.state,
        "Slack user": entry.event.slack_id,
        "kind": entry.event.kind,
        "received": to_the_second(entry.event.received_at),
        "attempts": entry.attempts,
        "error": entry.error,
        **incident,
    }
