"""What a table of mappings says is a claim: nothing is written to an account before it has shown whose it is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slack_docebo.domain.standing import is_undecided
from slack_docebo.engine.mappings.backups import restorable, restore_backup
from slack_docebo.engine.mappings.deciding import DecisionAction, DecisionRequest, decide
from slack_docebo.engine.mappings.mapping_file import MappingFile, write_mappings
from slack_docebo.engine.mappings.restoring import Taken, import_file, restore_file
from tests.both_databases import ON_BOTH
from tests.importing import reset, run_import
from tests.integration.after_an_import import apply_by_id, undo
from tests.integration.realtime_world import ON, World, world

ADDRESS, OF_BEFORE = "ada@example.com", "countess@example.com"


@pytest.fixture
async def here(shared_sandbox, usual_database_url, tmp_path) -> AsyncIterator[World]:
    shared_sandbox.reset()
    async with world(shared_sandbox, usual_database_url, tmp_path, **ON) as opened:
        yield opened


@pytest.fixture
def ada(here: World) -> str:
    return here.sandbox.slack.add("Ada", "Lovelace", ADDRESS)["id"]


def account(here: World, username: str, email: str, first: str, last: str):
    return here.sandbox.docebo.accounts.add(username, email=email, firstname=first, lastname=last)


def take(here: World, folder: Path, rows: dict[str, int]) -> Taken:
    """Import a table that somebody has made by hand."""
    path = folder / "by-hand.csv"
    lines = [f"{slack_id},ada,,{docebo_id}" for slack_id, docebo_id in rows.items()]
    path.write_text("\n".join(["slack_id,slack_name,slack_team,user_id", *lines]), encoding="utf-8")
    store, docebo = here.runtime.store, here.runtime.settings.docebo_url
    file = MappingFile(path, team=here.workspace.team, docebo=docebo)
    return import_file(store, docebo, file, now=here.runtime.now(), dry_run=False)


async def imported(here: World, slack_id: str, *, dry_run: bool = False) -> str:
    """Import everybody, and return why this person is left alone, if so."""
    await run_import(here.runtime.settings, dry_run=dry_run, rows=ON)
    with here.runtime.store.reading() as tables:
        standing = tables.standings.of(here.runtime.settings.docebo_url, here.workspace.team, [slack_id]).get(slack_id)
    return standing.reason if standing else ""


async def left_to_the_other(here: World, slack_id: str, *, by_event: bool) -> None:
    """Serve an event about the person, or import everybody and see it told that the account shows another's address."""
    if by_event:
        here.put(here.event(slack_id))
        await here.serve()
    else:
        assert "another person's address" in await imported(here, slack_id)


def shown(one) -> tuple[str, str, str, bool]:
    return one.username, one.email, one.lastname, one.active


@pytest.mark.long
@ON_BOTH
async def test_a_wrong_row_of_a_table_is_not_believed_by_any_road(here, ada, tmp_path):
    bobs = account(here, "bob", "bob@elsewhere.example.com", "Bob", "Babbage")
    before = shown(bobs)
    take(here, tmp_path, {ada: bobs.user_id})

    why = await imported(here, ada)
    assert f"account {bobs.user_id} is not proven" in why
    assert "link the two" in why
    assert is_undecided(why)

    here.sandbox.slack.change(ada, {"profile": {"last_name": "Byron"}})
    here.put(here.event(ada))
    await here.serve()
    here.sandbox.slack.deactivate(ada)
    here.put(here.event(ada))
    await here.serve()
    await imported(here, ada)

    assert shown(bobs) == before
    assert here.docebo_id(ada) == bobs.user_id


async def test_a_backup_with_a_wrong_row_gives_nobody_else_the_account_that_the_person_had(here, ada, tmp_path):
    strangers = account(here, "bob", "bob@elsewhere.example.com", "Bob", "Babbage")
    await run_import(here.runtime.settings, rows=ON)
    own = here.account(ada)
    take(here, tmp_path, {ada: strangers.user_id})
    backup = await reset(here.runtime)
    restore_backup(
        here.runtime, here.workspace.team, backup, confirm=restorable(here.runtime, here.workspace.team, backup)
    )
    here.sandbox.slack.change(ada, {"profile": {"email": OF_BEFORE}})
    heir = here.sandbox.slack.add("Ida", "Rhodes", ADDRESS)["id"]

    here.put(here.event(heir, kind="team_join"))
    await here.serve()
    await run_import(here.runtime.settings, rows=ON)

    assert here.docebo_id(heir) != own.user_id
    assert shown(own) == (ADDRESS, ADDRESS, "Lovelace", True)


async def test_what_a_table_says_is_not_believed_because_a_saved_plan_or_an_undo_has_read_the_account(
    here, ada, tmp_path
):
    bobs = account(here, "bob", "bob@elsewhere.example.com", "Bob", "Babbage")
    before = shown(bobs)
    ida = here.sandbox.slack.add("Ida", "Rhodes", "ida@example.com")["id"]
    await run_import(here.runtime.settings, rows=ON)
    here.sandbox.slack.change(ida, {"profile": {"last_name": "Tacke"}})
    planned = await run_import(here.runtime.settings, dry_run=True, rows=ON)

    take(here, tmp_path, {ada: bobs.user_id})
    await apply_by_id(here.runtime.settings, ON, planned.plan.id)
    await undo(here.runtime.settings, ON, planned.plan.id)

    assert f"account {bobs.user_id} is not proven" in await imported(here, ada)
    assert shown(bobs) == before


@pytest.mark.long
@pytest.mark.parametrize(
    "bears",
    [
        pytest.param(("countess", ADDRESS, "Augusta", "King"), id="the address"),
        pytest.param(("countess", OF_BEFORE, "Ada", "Lovelace"), id="the name"),
        pytest.param(("countess", "", "Ada", "Lovelace"), id="the name, and no address"),
    ],
)
async def test_an_account_that_shows_the_person_is_brought_in_line(here, ada, tmp_path, bears):
    hers = account(here, *bears)
    take(here, tmp_path, {ada: hers.user_id})

    await imported(here, ada)
    assert (hers.email, hers.firstname, hers.lastname) == (ADDRESS, "Ada", "Lovelace")

    # From then on it is known like any other, whatever she is called.
    here.sandbox.slack.change(ada, {"profile": {"last_name": "Byron", "email": OF_BEFORE}})
    await imported(here, ada)
    assert (hers.email, hers.lastname) == (OF_BEFORE, "Byron")


@pytest.mark.parametrize("by_event", [False, True])
@pytest.mark.variants(1)
async def test_a_claim_is_not_proven_by_a_user_name_that_the_account_has_kept_from_before_it_was_handed_over(
    here, tmp_path, by_event
):
    ada = here.sandbox.slack.add("Ada", "Lovelace", ADDRESS)["id"]
    here.sandbox.slack.add("Bob", "Byron", "bob@example.com")
    bobs = account(here, ADDRESS, "bob@example.com", "Bob", "Byron")
    before = shown(bobs)
    take(here, tmp_path, {ada: bobs.user_id})

    await left_to_the_other(here, ada, by_event=by_event)

    assert shown(bobs) == before


@pytest.mark.long
@pytest.mark.parametrize("by_event", [False, True])
@pytest.mark.parametrize("bearer_is_listed", ["before", "after"])
async def test_a_namesake_does_not_get_the_account_of_somebody_else_in_slack(
    here, tmp_path, by_event, bearer_is_listed
):
    add = here.sandbox.slack.add
    if bearer_is_listed == "before":
        add("Ada", "Lovelace", OF_BEFORE)
    ada = add("Ada", "Lovelace", ADDRESS)["id"]
    if bearer_is_listed == "after":
        add("Ada", "Lovelace", OF_BEFORE)
    hers = account(here, "countess", OF_BEFORE, "Ada", "Lovelace")
    before = shown(hers)
    take(here, tmp_path, {ada: hers.user_id})

    await left_to_the_other(here, ada, by_event=by_event)

    assert shown(hers) == before


async def test_a_name_proves_nothing_in_real_time_where_nobody_can_tell_whose_the_address_is(here, ada, tmp_path):
    hers = account(here, "countess", OF_BEFORE, "Ada", "Lovelace")
    before = shown(hers)
    take(here, tmp_path, {ada: hers.user_id})

    here.put(here.event(ada))
    await here.serve()
    assert shown(hers) == before

    await imported(here, ada)  # it sees everybody
    assert hers.email == ADDRESS


@pytest.mark.long
async def test_a_claim_that_somebody_confirms_by_hand_is_believed(here, ada, tmp_path):
    bobs = account(here, "bob", "bob@elsewhere.example.com", "Bob", "Babbage")
    take(here, tmp_path, {ada: bobs.user_id})
    await imported(here, ada)

    link = DecisionRequest(DecisionAction.LINK, [ada], docebo_id=bobs.user_id, why="she has married", by="Bob")
    await decide(here.runtime, here.workspace, link)
    await imported(here, ada)

    assert (bobs.email, bobs.lastname) == (ADDRESS, "Lovelace")


@pytest.mark.long
@ON_BOTH
async def test_once_the_mappings_of_a_wrong_table_are_deleted_everybody_has_the_own_account_again(here, ada, tmp_path):
    """As after a spreadsheet in which one column was sorted without the others."""
    await imported(here, ada)
    with here.runtime.store.reading() as tables:
        right = {one.slack_id: one.docebo_id for one in tables.mappings().all(here.workspace.team)}
    taken = take(here, tmp_path, dict(zip(right, reversed(right.values()), strict=True)))
    assert taken.changed >= len(right) - 1 > 1
    assert "is not proven" in await imported(here, ada)

    await reset(here.runtime)
    await imported(here, ada)

    assert {slack_id: here.docebo_id(slack_id) for slack_id in right} == right


@pytest.mark.long
async def test_a_row_that_says_what_is_known_already_lets_nobody_be_doubted(here, ada, tmp_path):
    await imported(here, ada)
    hers = here.account(ada)
    here.sandbox.slack.change(ada, {"profile": {"first_name": "Augusta", "last_name": "King", "email": OF_BEFORE}})
    take(here, tmp_path, {ada: hers.user_id})

    await imported(here, ada)

    assert (hers.email, hers.lastname) == (OF_BEFORE, "King")


@pytest.mark.long
async def test_an_account_that_was_gone_and_is_back_has_still_to_show_whose_it_is(here, ada, tmp_path):
    bobs = account(here, "bob", "bob@elsewhere.example.com", "Bob", "Babbage")
    take(here, tmp_path, {ada: bobs.user_id})
    here.sandbox.docebo.delete(bobs.user_id)
    await imported(here, ada, dry_run=True)  # Docebo says that it is gone, and this is kept

    bears = {"email": "bob@elsewhere.example.com", "firstname": "Bob", "lastname": "Babbage"}
    back = here.sandbox.docebo.accounts.add("bob", bobs.user_id, **bears)
    assert "is not proven" in await imported(here, ada)
    assert back.email == "bob@elsewhere.example.com"


@pytest.mark.long
async def test_a_backup_in_an_empty_database_is_a_claim_like_any_table(here, ada, tmp_path):
    await imported(here, ada)
    hers, backup = here.account(ada), tmp_path / "backup.csv"
    team, docebo, store = here.workspace.team, here.runtime.settings.docebo_url, here.runtime.store
    with store.reading() as tables:
        write_mappings(backup, tables.mappings(docebo).records(team), docebo=docebo)
    with store.transaction() as tables:  # as in a database that is new
        mappings = tables.mappings(docebo)
        mappings.delete(team, list(mappings.slack_ids(team)))
        tables.sightings(docebo).forget([hers.user_id])
    edited = {"username": "zed", "email": "zed@example.com", "firstname": "Zed", "lastname": "Quux"}
    here.sandbox.docebo.edit(hers.user_id, edited)  # the id is somebody else's by now

    restore_file(store, docebo, MappingFile(backup, team=team, docebo=docebo), dry_run=False)

    assert "is not proven" in await imported(here, ada)
    assert hers.email == "zed@example.com"
