"""Reading both sides: Slack's users with the proof that they are all, and all or a few of Docebo's accounts."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

from slack_docebo.clients.slack import StaleCursor
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.people import Mapping, SourceUser
from slack_docebo.domain.planning import Planner
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import observe_account, observe_person
from slack_docebo.engine.reading.snapshot import Restarted, SourceSnapshot
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.reads import ProvenRead, ReadRepository

ReadPage = Callable[[SourceSnapshot, str], Awaitable[str]]
RESTARTS = 2
FEW = 5  # people who are looked up one by one on any platform
DOCEBO_PAGE = 200
CALLS_PER_LOOK_UP = 2  # one to three


async def read_page(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, cursor: str) -> str:
    """Read one page of Slack's list into *people* and return the cursor of the next one, "" at the end."""
    page = await runtime.slack.list_users(cursor, team_id=workspace.team)
    people.add(page)
    return page.next_cursor


async def read_source(runtime: Runtime, workspace: Workspace, people: SourceSnapshot, read: ReadPage) -> None:
    """Read Slack's list into *people*, page by page with *read*, and prove that it is complete.

    Raises IncompleteRead where it is not: then nothing may be concluded from who is missing. Pages that *people* holds
    from an earlier try are dropped.
    """
    if people.pages:
        people.restart()
    for _ in range(RESTARTS + 1):
        try:
            cursor = await read(people, "")
            while cursor:
                cursor = await read(people, cursor)
        except StaleCursor:
            people.restart()
            continue
        break
    else:
        raise IncompleteRead(f"Slack's cursor went stale {RESTARTS + 1} times; run again later")
    source = _source(workspace)
    with runtime.store.transaction() as connection:
        reads = ReadRepository(connection)
        last = reads.last(source)
        people.prove(last_count=last.people if last else None, may_shrink_percent=runtime.behaviour.source_may_shrink)
        reads.record(ProvenRead(source, people.people, people.pages, runtime.now(), runtime.run_id))


def last_count(runtime: Runtime, workspace: Workspace) -> int:
    """Return how many people Slack's list held at the last complete read, 0 before the first."""
    return _last_count(runtime, _source(workspace))


async def confirm_gone(runtime: Runtime, workspace: Workspace, slack_ids: Iterable[str]) -> None:
    """Ask Slack for each of *slack_ids* that its list left out; raise IncompleteRead if one of them is still there.

    A list that ends a little too early looks complete. That somebody it left out still exists shows that it was not.
    """
    for slack_id in slack_ids:
        seen = await observe_person(runtime, slack_id)
        if not isinstance(seen, Present):
            continue
        user = seen.value
        if user.deactivated or user.forgotten or user.external:
            continue
        if user.team in {"", workspace.team}:
            raise IncompleteRead(
                f"Slack's list left out {slack_id}, who is still there: run again later. Should it be so each time,"
                " that person left this workspace and not the organisation: run reset-mappings for this Slack id"
            )


async def read_target(runtime: Runtime) -> Accounts:
    """Return every account of the platform."""
    accounts, pages, begun = Accounts(), 0, runtime.now()
    async for page in runtime.docebo.list_users():
        accounts.add(page)
        pages += 1
    with runtime.store.transaction() as connection:
        proven = ProvenRead(_target(runtime), len(accounts), pages, runtime.now(), runtime.run_id)
        ReadRepository(connection).record(proven)
    runtime.accounts_listed_at = begun
    return accounts


async def read_changed(runtime: Runtime, workspace: Workspace, people: AsyncIterable[list[SourceUser]]) -> Accounts:
    """Return the accounts of the *people* whose attributes are no longer what was last written.

    They are looked up one by one, or all accounts are listed where that takes fewer calls.
    """
    while True:
        try:
            changed = await _changed(runtime, workspace, people)
            break
        except Restarted:
            continue  # from the first page of the new listing
    return await (look_up(runtime, changed) if are_few(runtime, len(changed)) else read_target(runtime))


def are_few(runtime: Runtime, people: int) -> bool:
    """Tell whether looking up so many *people* one by one takes no more calls than listing every account."""
    return people <= max(FEW, _last_count(runtime, _target(runtime)) // (DOCEBO_PAGE * CALLS_PER_LOOK_UP))


async def look_up(runtime: Runtime, people: Iterable[tuple[SourceUser, Mapping | None]]) -> Accounts:
    """Return the accounts that a few *people* can be matched with, at one to three calls each."""
    accounts = Accounts()
    for user, mapping in people:
        accounts.add(await runtime.docebo.find_users(user.email) if user.email and not user.unconfirmed else [])
        if mapping and accounts.get(mapping.docebo_id) is None:
            seen = await observe_account(runtime, mapping.docebo_id)
            if isinstance(seen, Present):  # the view of one user lacks attributes that the listing has
                accounts.add(await runtime.docebo.find_users(seen.value.username))
    return accounts


async def _changed(
    runtime: Runtime, workspace: Workspace, people: AsyncIterable[list[SourceUser]]
) -> list[tuple[SourceUser, Mapping | None]]:
    """Return those whose attributes are no longer what was last written, with their mapping; raise Restarted."""
    planner = Planner(runtime.behaviour.policy(workspace.team), Accounts())
    changed: list[tuple[SourceUser, Mapping | None]] = []
    async for page in people:
        with runtime.store.reading() as connection:
            mappings = MappingRepository(connection, runtime.settings.docebo_url)
            known = mappings.of(workspace.team, [user.slack_id for user in page])
        pairs = ((user, known.get(user.slack_id)) for user in page)
        changed += [pair for pair in pairs if planner.plan_trusting(*pair) is None]
    return changed


def _last_count(runtime: Runtime, read: str) -> int:
    with runtime.store.reading() as connection:
        last = ReadRepository(connection).last(read)
    return last.people if last else 0


def _source(workspace: Workspace) -> str:
    return f"slack:{workspace.team}"


def _target(runtime: Runtime) -> str:
    return f"docebo:{runtime.settings.docebo_url}"
