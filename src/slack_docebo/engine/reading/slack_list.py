"""Slack's list of people: read page by page, with the proof that nobody is missing."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from slack_docebo.clients.slack_refusals import StaleCursor
from slack_docebo.clients.slack_wire import UserPage
from slack_docebo.concurrency import to_completion
from slack_docebo.engine.reading.attribute_fields import record_profile_fields
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.missing import check_missing_people
from slack_docebo.engine.reading.profiles import fields_wanted, shows_fields, with_fields_known
from slack_docebo.engine.reading.renewing import renewed
from slack_docebo.engine.reading.scim import read_scim, with_scim
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reading.user_groups import record_groups
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime
from slack_docebo.safe_points import safe_point
from slack_docebo.storage.reads import ProvenRead, slack_source
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

ReadPage = Callable[[SourceSnapshot, str], Awaitable[str]]
RESTARTS = 2
PAGE_LIMIT_KEPT = timedelta(days=7)  # that Slack gave fewer people at once may have been the trouble of one day


async def read_page(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, cursor: str) -> str:
    """Read one page of Slack's list into *people*, and return the cursor of the next page, "" at the end.

    A cursor promises more people. So an empty last page is read again, and raises IncompleteRead if it stays empty.
    """
    safe_point()
    asked = runtime.slack.page_size
    page = await runtime.slack.list_users(cursor, team_id=workspace.team)
    if runtime.slack.page_size < asked:
        await to_completion(_remember_page_size, runtime, workspace)
    if _breaks_off(page, cursor):
        page = await runtime.slack.list_users(cursor, team_id=workspace.team)
    if _breaks_off(page, cursor):
        raise IncompleteRead(
            f"Slack announced more than {people.people} users and sent an empty page instead: run again later. Should it"
            " be so each time, change SLACK_PAGE_SIZE"
        )
    people.shows_workspace |= any(user.may_be_member_of(workspace.team) for user in page.users)
    shown = await renewed(runtime, workspace.team, page.users)
    people.with_fields |= {user.slack_id for user in shown if shows_fields(user, fields_wanted(runtime.behaviour))}
    users = await to_completion(with_fields_known, runtime, workspace.team, shown)
    people.add(replace(page, users=users if people.scim is None else with_scim(users, people.scim)))
    return page.next_cursor


async def read_source(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, read: ReadPage) -> None:
    """Read Slack's list into *people*, page by page with *read*, and prove that it is complete.

    Raises IncompleteRead where it is not. Pages that *people* holds from an earlier try are dropped.
    """
    people.scim = await read_scim(runtime)
    if people.pages:
        people.restart()
    await read_whole_list(runtime, workspace, people, read)
    people.prove()


async def read_whole_list(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, read: ReadPage) -> None:
    """Read Slack's list into *people*; raise IncompleteRead if too many are missing for any conclusion."""
    people.expected = _mapped(runtime.store, runtime.settings.docebo_url, workspace)
    await _read_list(runtime, workspace, people, read)
    people.check_end()
    if not people.shows_workspace:
        raise IncompleteRead(
            f"nobody in Slack's list is a member of workspace {workspace.team}, for which the token was checked: see whether"
            " SLACK_BOT_TOKEN was exchanged for one of another workspace, and run again"
        )
    if last := last_list(runtime.store, workspace):
        await check_missing_people(runtime, workspace, people, last)


async def _read_list(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, read: ReadPage) -> None:
    """Read Slack's list into *people* to its end, without proof that nobody is missing."""
    runtime.slack.page_size = _page_size(runtime, workspace)
    for _ in range(RESTARTS + 1):
        try:
            cursor = await read(people, "")
            while cursor:
                cursor = await read(people, cursor)
        except StaleCursor:
            people.restart()
        else:
            return
    raise IncompleteRead(f"Slack's cursor went stale {RESTARTS + 1} times; run again later")


def last_list(store: Store, workspace: Workspace) -> ProvenRead | None:
    """Return the last complete read of the list, or None before the first."""
    with store.reading() as tables:
        return tables.reads.last(slack_source(workspace.team))


def record_list(runtime: Runtime, tables: Tables, workspace: Workspace, people: SourceSnapshot, *, hidden: int) -> None:
    """Store the read as the measure for the next ones, with its user groups and profile fields.

    *hidden* is how many mapped people Slack neither lists nor shows when asked. They count as listed, or each night's
    list could lack a few more; not where somebody has allowed a shorter list than usual.
    """
    listed, source = people.people, slack_source(workspace.team)
    usual = type(runtime.behaviour).model_fields["source_may_shrink"].default
    before = tables.reads.last(source)
    if before and runtime.behaviour.source_may_shrink <= usual:
        listed = max(listed, min(listed + hidden, before.people))
    read = ProvenRead(
        source=source, people=listed, pages=people.pages, proven_at=runtime.now(), flow_run=runtime.run_id
    )
    tables.reads.record(read)
    record_groups(runtime, workspace.team, tables)
    record_profile_fields(runtime, workspace.team, tables)


def _breaks_off(page: UserPage, cursor: str) -> bool:
    """Tell whether *page*, reached by a *cursor*, ends the list without showing anybody."""
    return bool(cursor) and not page.users and not page.next_cursor


def _page_size(runtime: Runtime, workspace: Workspace) -> int:
    """Return how many people to ask for at once: the setting or, for some days, as many as Slack could give."""
    with runtime.store.reading() as tables:
        limit = tables.page_limits.get(slack_source(workspace.team), since=runtime.now() - PAGE_LIMIT_KEPT)
    return min(limit or runtime.settings.slack_page_size, runtime.settings.slack_page_size)


def _remember_page_size(runtime: Runtime, workspace: Workspace) -> None:
    with runtime.store.transaction() as tables:
        tables.page_limits.learn(slack_source(workspace.team), runtime.slack.page_size, now=runtime.now())


def _mapped(store: Store, docebo: str, workspace: Workspace) -> frozenset[str]:
    with store.reading() as tables:
        return frozenset(tables.mappings(docebo).slack_ids(workspace.team))
