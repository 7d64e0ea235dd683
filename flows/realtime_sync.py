"""Flow *Slack Real-Time Sync*."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import InboxLease, rest_while_halted, take_or_watch
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.errors import ConfigurationError
from tasks.carry_out import carry_out
from tasks.forms import Addresses, OurId, SlackIds, titled
from tasks.hooks import ON_TROUBLE
from tasks.let_events_through import let_events_through
from tasks.plan_managers import plan_who_manages_named
from tasks.plan_named_users import plan_named_users
from tasks.process_events import process_events
from tasks.retrieve_named_users import retrieve_named_users
from tasks.run import concluded, continued, open_resources, open_run
from tasks.run_names import realtime_sync_run
from tasks.validate_connection import validate_connection


@flow(name="realtime-sync", flow_run_name=realtime_sync_run, **ON_TROUBLE)
@continued
@concluded
async def realtime_sync(
    slack_ids: Annotated[SlackIds, titled("Slack ids")] = [],  # noqa: B006  (Prefect shows it, nobody changes it)
    emails: Annotated[Addresses, titled("E-mail addresses")] = [],  # noqa: B006
    linger_seconds: Annotated[int, titled("Linger, seconds", ge=-1)] = 60,
    dry_run: Annotated[bool, titled("Dry run")] = False,
    let_through: Annotated[OurId, titled("Let through")] = "",
) -> ServeResult | Summary | list[Summary]:
    """Bring the users of Slack's waiting events into Docebo, or exactly the users named here.

    Args:
        slack_ids: Synchronise just these users, as Slack has them now, instead of the waiting events; a list may
            be pasted into one field.
        emails: The same, by the address they have in Slack. Parameters are kept by Prefect, so prefer ids.
        linger_seconds: How long the run waits for further events before it ends, so that not every event pays for the
            start of a process. 0: it ends at once. -1: it waits for ever, and hands over to a new run every hour.
        dry_run: For named users only: plan and report, write nothing.
        let_through: Id of an incident, as a run that ended as Held says: everybody whose events wait with it is served,
            over the limit.
    """
    _check_what_is_asked_for(named=bool(slack_ids or emails), dry_run=dry_run, let_through=let_through)
    if slack_ids or emails:
        async with open_run() as runtime:  # what an import or a reset does meanwhile would be undone
            workspace = await validate_connection(runtime)
            people = await retrieve_named_users(runtime, slack_ids, emails)
            plan_id = await plan_named_users(runtime, workspace, people)
            summary = await carry_out(runtime, plan_id, dry_run=dry_run)
            # Managers come after everything else, when their people have accounts.
            of_managers = None if dry_run else await plan_who_manages_named(runtime, workspace, people)
            return [summary, await carry_out(runtime, of_managers)] if of_managers else summary
    async with open_resources() as runtime:
        with InboxLease(runtime) as lease:
            if let_through:
                event_ids = await let_events_through(runtime, let_through)
                if served := await take_or_watch(runtime, lease, let_through, event_ids):
                    return served
            elif order := rest_while_halted(runtime):
                return ServeResult(order=order)
            elif not lease.take():
                return ServeResult(elsewhere=lease.taken_by)
            workspace = await validate_connection(runtime)
            return await process_events(runtime, workspace, lease, linger_seconds=linger_seconds)


def _check_what_is_asked_for(*, named: bool, dry_run: bool, let_through: str) -> None:
    """Raise ConfigurationError for a form of which one part would be passed over: a dry run would write."""
    if named and let_through:
        raise ConfigurationError("nothing was done: name people or an incident to let through, one of both")
    if dry_run and not named:
        raise ConfigurationError("nothing was done: a dry run is of people who are named: give ids or addresses")
