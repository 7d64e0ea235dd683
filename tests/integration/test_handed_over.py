"""Accounts that are handed over to somebody else in Docebo: address and name are that one's, and the user name stays."""

from contextlib import contextmanager, nullcontext
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, update

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.situation import LINK_TO_UNDO, NOT_KEPT
from slack_docebo.engine.importing import plan_import
from slack_docebo.engine.mappings.deciding import DecisionAction, DecisionRequest, decide
from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading import bearers
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.checking import read_for, recheck
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.schema import operation
from slack_docebo.storage.store import Store
from tests.between import between
from tests.importing import ON, mapped, prove, run_import, settings_for
from tests.integration.after_an_import import apply_by_id, delete_mappings, import_then, undo
from tests.integration.realtime_world import world

SHUT_OUT = {"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"}
BOBS = {"email": "bob@example.com", "firstname": "Bob", "lastname": "Byron"}


@pytest.fixture
def sandbox():
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        running.slack.add("Ann", "Lovelace", "ann@example.com", {"profile": {"title": "Countess"}})
        yield running


def account_of_ann(sandbox, username="lovelace"):
    """Make an account that bears what Slack says of Ann."""
    return sandbox.docebo.accounts.add(username, email="ann@example.com", firstname="Ann", lastname="Lovelace")


@pytest.mark.parametrize("attributes", ["email", "email, field_13 = title"], ids=["to be mapped", "to be updated"])
@pytest.mark.variants(1)
async def test_an_account_found_by_its_address_that_bears_another_one_by_now_is_given_to_nobody_by_a_saved_plan(
    sandbox, sqlite_url, attributes
):
    account = account_of_ann(sandbox)
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {"ATTRIBUTES": attributes}
    planned = await run_import(settings, rows=rows, dry_run=True)
    sandbox.docebo.edit(account.user_id, BOBS)

    applied = await apply_by_id(settings, rows, planned.plan.id)

    assert applied.count(outcome=Outcome.SKIPPED) == 1
    assert mapped(sqlite_url, sandbox.slack.team.id) == {}
    assert {name: getattr(account, name) for name in BOBS} == BOBS
    assert not account.fields


async def test_an_account_that_bears_another_address_by_now_is_not_passed_on_by_a_saved_plan_to_who_is_back(
    sandbox, sqlite_url
):
    account = account_of_ann(sandbox)
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = {"REHIRES": "hand-over", "LIMIT_REMAPPINGS": "none"}
    await run_import(settings, rows=rows)
    former = sandbox.slack.by_email("ann@example.com")["id"]
    sandbox.slack.deactivate(former)
    sandbox.slack.add("Ann", "Lovelace", "ann@example.com")
    planned = await run_import(settings, rows=rows, dry_run=True)
    sandbox.docebo.edit(account.user_id, BOBS)

    await apply_by_id(settings, rows, planned.plan.id)

    assert mapped(sqlite_url, sandbox.slack.team.id) == {former: account.user_id}
    await run_import(settings, rows=rows)
    assert {name: getattr(account, name) for name in BOBS} == BOBS


USERNAMES = pytest.mark.parametrize("username", ["lovelace", "ann@example.com"])


async def handed_over_to_bob(sandbox, settings, username="lovelace", **rows):
    """Give Ann's account, which is mapped unless *rows* say otherwise, to Bob, but for its user name."""
    account = account_of_ann(sandbox, username)
    await run_import(settings, rows=rows)
    sandbox.docebo.edit(account.user_id, BOBS)
    return account


@pytest.mark.long
@USERNAMES
@pytest.mark.parametrize("ann", ["stays", "leaves"])
async def test_an_account_that_shows_another_persons_address_and_only_the_user_name_of_before_is_left_alone(
    sandbox, sqlite_url, ann, username
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await handed_over_to_bob(sandbox, settings, username)
    sandbox.slack.add("Bob", "Byron", "bob@example.com")
    if ann == "leaves":
        sandbox.slack.deactivate(sandbox.slack.by_email("ann@example.com")["id"])

    for _ in range(2):
        await run_import(settings, rows={"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"})

    assert {name: getattr(account, name) for name in BOBS} == BOBS
    assert account.active


@pytest.mark.parametrize("comes_first", ["Ann", "Bob"])
@pytest.mark.variants(1)
async def test_an_event_changes_nothing_of_an_account_whose_new_owner_gets_the_address_that_is_its_username(
    sandbox, sqlite_url, tmp_path, comes_first
):
    account = await handed_over_to_bob(sandbox, settings_for(sandbox.facts(), sqlite_url), "ann@example.com")
    bob = sandbox.slack.add("Bob", "Byron", "bob@example.com")["id"]
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    sandbox.slack.change(ann, {"profile": {"email": "anna@example.com"}})
    sandbox.slack.change(bob, {"profile": {"email": "ann@example.com"}})

    async with world(sandbox, sqlite_url, tmp_path) as here:
        for slack_id in (ann, bob) if comes_first == "Ann" else (bob, ann):
            here.put(here.event(slack_id))
        await here.serve()

    assert {name: getattr(account, name) for name in BOBS} == BOBS


@pytest.mark.long
@USERNAMES
async def test_an_event_changes_nothing_of_an_account_that_shows_another_persons_address(
    sandbox, sqlite_url, tmp_path, username
):
    account = await handed_over_to_bob(sandbox, settings_for(sandbox.facts(), sqlite_url), username)
    sandbox.slack.add("Bob", "Byron", "bob@example.com")
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    sandbox.slack.change(ann, {"profile": {"first_name": "Anna"}})

    async with world(sandbox, sqlite_url, tmp_path) as here:
        here.put(here.event(ann))
        await here.serve()

    assert {name: getattr(account, name) for name in BOBS} == BOBS


@pytest.mark.long
async def test_an_address_that_nobody_in_slack_bears_makes_no_account_another_persons(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await handed_over_to_bob(sandbox, settings)

    await run_import(settings)

    assert (account.email, account.firstname) == ("ann@example.com", "Ann")


@pytest.mark.long
async def test_an_account_that_shows_another_persons_name_and_an_address_which_that_one_bears_no_more_is_left_alone(
    sandbox, sqlite_url
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await handed_over_to_bob(sandbox, settings)
    sandbox.slack.add("Bob", "Byron", "byron@example.com")  # bob@example.com before

    for _ in range(2):
        await run_import(settings)

    assert {name: getattr(account, name) for name in BOBS} == BOBS


@pytest.mark.long
async def test_an_event_leaves_an_account_with_an_address_that_nobody_bears_to_the_next_import(
    sandbox, sqlite_url, tmp_path
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await handed_over_to_bob(sandbox, settings)
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    sandbox.slack.change(ann, {"profile": {"first_name": "Anna"}})

    async with world(sandbox, sqlite_url, tmp_path) as here:
        here.put(here.event(ann))
        served = await here.serve()

    assert {name: getattr(account, name) for name in BOBS} == BOBS
    assert served.undecided == 0
    await run_import(settings)
    assert (account.email, account.firstname) == ("ann@example.com", "Anna")


WITHOUT_MAPPINGS = {"MAP_SLACK_USER_DATA": "false"}


@pytest.mark.long
@USERNAMES
@pytest.mark.parametrize("road", ["import", "real time"])
async def test_without_mappings_an_account_that_shows_another_persons_address_is_left_alone_too(
    sandbox, sqlite_url, tmp_path, road, username
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await handed_over_to_bob(sandbox, settings, username, **WITHOUT_MAPPINGS)
    bob = sandbox.slack.add("Bob", "Byron", "bob@example.com")["id"]
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    sandbox.slack.change(ann, {"profile": {"first_name": "Anna"}})
    before = {one.user_id for one in sandbox.docebo.accounts}

    for _ in range(2):
        if road == "import":
            told = await run_import(settings, rows=WITHOUT_MAPPINGS)
            assert told.undecided == 2
        else:
            async with world(sandbox, sqlite_url, tmp_path, **WITHOUT_MAPPINGS) as here:
                here.put(here.event(ann), here.event(bob))
                await here.serve()

    assert {name: getattr(account, name) for name in BOBS} == BOBS
    assert {one.user_id for one in sandbox.docebo.accounts} == before


@pytest.mark.long
async def test_an_account_that_was_handed_over_is_the_next_ones_once_the_mapping_is_deleted_and_that_one_is_linked(
    sandbox, sqlite_url
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await handed_over_to_bob(sandbox, settings)
    bob = sandbox.slack.add("Bob", "Byron", "bob@example.com")["id"]
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    async with open_runtime(settings, read_rows(table(ON)), run_id="decide") as runtime:
        with runtime.store.transaction() as tables:
            tables.mappings(runtime.settings.docebo_url).delete(sandbox.slack.team.id, [ann])
        await run_import(settings)
        assert {name: getattr(account, name) for name in BOBS} == BOBS
        link = DecisionRequest(DecisionAction.LINK, [bob], docebo_id=account.user_id, why="asked them", by="Grace")
        await decide(runtime, await validate(runtime), link)

    await run_import(settings)

    assert {name: getattr(account, name) for name in BOBS} == BOBS
    assert mapped(sqlite_url, sandbox.slack.team.id)[bob] == account.user_id
    assert sandbox.docebo.accounts[mapped(sqlite_url, sandbox.slack.team.id)[ann]].username == "ann@example.com"


@pytest.mark.parametrize("again", [False, True], ids=["", "and a dry run has seen it since"])
@pytest.mark.parametrize(
    "handed_over",
    [
        pytest.param(BOBS, id="user name kept"),
        pytest.param({**BOBS, "username": "bob"}, id="with user name", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("mapping", ["true", "false"], ids=["with mappings", "without mappings"])
@pytest.mark.variants(1)
async def test_an_account_that_was_handed_over_since_is_not_written_for_its_former_owner_by_a_saved_plan(
    sandbox, sqlite_url, mapping, handed_over, again
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = {"MAP_SLACK_USER_DATA": mapping, "ATTRIBUTES": "email, field_13 = title"}
    account = account_of_ann(sandbox)
    await run_import(settings, rows=rows)
    sandbox.slack.add("Bob", "Byron", "bob@example.com")
    sandbox.slack.change(sandbox.slack.by_email("ann@example.com")["id"], {"profile": {"title": "Queen"}})
    planned = await run_import(settings, rows=rows, dry_run=True)
    sandbox.docebo.edit(account.user_id, handed_over)
    if again:
        await run_import(settings, rows=rows, dry_run=True)

    applied = await apply_by_id(settings, rows, planned.plan.id)

    assert applied.count(Kind.UPDATE, outcome=Outcome.SKIPPED) == 1
    assert account.fields == {13: "Countess"}


@pytest.mark.long
@USERNAMES
async def test_an_account_that_was_handed_over_since_is_not_deactivated_for_its_former_owner_by_a_saved_plan(
    sandbox, sqlite_url, username
):
    settings, rows = (
        settings_for(sandbox.facts(), sqlite_url),
        {**ON, "LEAVERS": "deactivate", "SOURCE_MAY_SHRINK": "50"},
    )
    account = account_of_ann(sandbox, username)
    await run_import(settings, rows=rows)
    sandbox.slack.deactivate(sandbox.slack.by_email("ann@example.com")["id"])
    planned = await run_import(settings, rows={**rows, "LIMIT_DEACTIVATIONS": "none"}, dry_run=True)
    sandbox.docebo.edit(account.user_id, BOBS)

    applied = await apply_by_id(settings, {**rows, "LIMIT_DEACTIVATIONS": "none"}, planned.plan.id)

    assert applied.count(outcome=Outcome.SKIPPED) == 1
    assert account.active


@pytest.mark.long
@USERNAMES
async def test_an_account_that_was_handed_over_since_is_not_written_for_its_former_owner_by_an_undo(
    sandbox, sqlite_url, username
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), {"ATTRIBUTES": "email, field_13 = title"}
    account = account_of_ann(sandbox, username)
    done = await run_import(settings, rows=rows)
    sandbox.docebo.edit(account.user_id, BOBS)

    undone = await undo(settings, rows, done.plan.id)

    assert undone.count(Kind.UPDATE, outcome=Outcome.SKIPPED) == 1
    assert account.fields == {13: "Countess"}


@pytest.mark.long
async def test_an_account_that_we_have_made_and_that_was_handed_over_since_is_not_deactivated_by_an_undo(
    sandbox, sqlite_url
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    done = await run_import(settings)
    account = sandbox.docebo.accounts.by_username("ann@example.com")
    sandbox.docebo.edit(account.user_id, BOBS)

    undone = await undo(settings, {}, done.plan.id, deactivate_created=True)

    assert undone.count(Kind.DEACTIVATE, outcome=Outcome.SKIPPED) == 1
    assert account.active


NAMES, TITLE = {"ATTRIBUTES": "first_name, last_name, email"}, {"ATTRIBUTES": "field_13 = title"}
LEAVERS = {**TITLE, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "SOURCE_MAY_SHRINK": "50"}


def changes_in_slack(sandbox, rows):
    """Let there be something to do about Ann by these *rows*."""
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    if "LEAVERS" in rows:
        sandbox.slack.deactivate(ann)
    else:
        sandbox.slack.change(ann, {"profile": {"title": "Queen", "first_name": "Anna"}})


async def imported_account_of_ann(sandbox, settings, **rows):
    """Return Ann's account, mapped unless *rows* say otherwise."""
    account = account_of_ann(sandbox)
    await run_import(settings, rows=rows)
    return account


def reasons_of(database_url, summary):
    """Return why those were left out whom the plan of *summary* did not change."""
    with Store.open(database_url) as store, store.reading() as tables:
        return [entry.error for entry in tables.operations.rows(summary.plan.id) if entry.error]


async def apply_slowly(runtime, monkeypatch, plan_id):
    """Apply the plan two hours after its accounts were listed."""
    begin(runtime, plan_id)
    later = runtime.now() + timedelta(hours=2)
    monkeypatch.setattr(runtime, "now", lambda: later)
    await apply_accounts(runtime, plan_id, lambda _: None)
    return finish(runtime, plan_id)


@pytest.mark.parametrize("rows", [NAMES, TITLE, LEAVERS], ids=["name and address", "title", "leaver"])
@pytest.mark.variants(1)
async def test_an_account_that_is_handed_over_within_a_slow_import_is_not_written_for_its_former_owner(
    sandbox, sqlite_url, monkeypatch, rows
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await imported_account_of_ann(sandbox, settings, **rows)
    prove(settings)
    fields = dict(account.fields)
    changes_in_slack(sandbox, rows)
    async with open_runtime(settings, read_rows(table(ON | rows)), run_id="slow") as runtime:
        plan_id = await plan_import(runtime)
        sandbox.docebo.edit(account.user_id, BOBS)
        done = await apply_slowly(runtime, monkeypatch, plan_id)

    assert done.count(outcome=Outcome.SKIPPED) == 1
    assert {name: getattr(account, name) for name in BOBS} == BOBS
    assert (account.fields, account.active) == (fields, True)


@pytest.mark.long
async def test_an_account_that_is_seen_to_be_handed_over_before_the_first_row_is_not_written(sandbox, sqlite_url):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await imported_account_of_ann(sandbox, settings, **NAMES)
    changes_in_slack(sandbox, NAMES)
    async with open_runtime(settings, read_rows(table(ON | NAMES)), run_id="first") as runtime:
        plan_id = await plan_import(runtime)
        sandbox.docebo.edit(account.user_id, BOBS)
        begin(runtime, plan_id)
        await apply_accounts(runtime, plan_id, lambda _: None)
        done = finish(runtime, plan_id)

    assert done.count(Kind.UPDATE, outcome=Outcome.SKIPPED) == 1
    assert {name: getattr(account, name) for name in BOBS} == BOBS


@pytest.mark.long
async def test_an_account_that_is_handed_over_within_a_slow_undo_is_not_written_for_its_former_owner(
    sandbox, sqlite_url, monkeypatch
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await imported_account_of_ann(sandbox, settings, **TITLE)
    changes_in_slack(sandbox, TITLE)
    done = await run_import(settings, rows=TITLE)
    async with open_runtime(settings, read_rows(table(ON | TITLE)), run_id="undo") as runtime:
        plan_id = plan_undo(runtime, done.plan.id)
        await recheck(runtime, await validate(runtime), plan_id, await read_for(runtime, plan_id))
        sandbox.docebo.edit(account.user_id, BOBS)
        undone = await apply_slowly(runtime, monkeypatch, plan_id)

    assert undone.count(Kind.UPDATE, outcome=Outcome.SKIPPED) == 1
    assert account.fields == {13: "Queen"}


EDITED = {"email": "private@example.net", "firstname": "Annie"}


@pytest.mark.long
@pytest.mark.parametrize(
    "rows", [TITLE, TITLE | WITHOUT_MAPPINGS, LEAVERS], ids=["title", "title, without mappings", "leaver"]
)
async def test_a_saved_plan_is_applied_to_an_account_whose_address_somebody_has_edited_before_it_was_made(
    sandbox, sqlite_url, rows
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await imported_account_of_ann(sandbox, settings, **rows)
    sandbox.docebo.edit(account.user_id, EDITED)
    changes_in_slack(sandbox, rows)
    planned = await run_import(settings, rows=rows, dry_run=True)

    applied = await apply_by_id(settings, rows, planned.plan.id)

    assert applied.count(outcome=Outcome.APPLIED) == 1
    assert (account.fields, account.active) == (({13: "Countess"}, False) if rows is LEAVERS else ({13: "Queen"}, True))
    assert {name: getattr(account, name) for name in EDITED} == EDITED


@pytest.mark.parametrize("rows", [TITLE, LEAVERS], ids=["title", "leaver"])
@pytest.mark.variants(1)
async def test_a_saved_plan_is_not_applied_to_an_account_whose_new_address_somebody_bears_in_slack_since(
    sandbox, sqlite_url, rows
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    account = await imported_account_of_ann(sandbox, settings, **rows)
    sandbox.docebo.edit(account.user_id, BOBS)  # who is not in Slack yet
    changes_in_slack(sandbox, rows)
    planned = await run_import(settings, rows=rows, dry_run=True)
    sandbox.slack.add("Bob", "Byron", "bob@example.com")

    applied = await apply_by_id(settings, rows, planned.plan.id)

    assert applied.count(outcome=Outcome.SKIPPED) == 1
    assert (account.fields, account.active) == ({13: "Countess"}, True)


async def test_an_account_that_no_mapping_gives_to_anybody_is_not_written_by_a_plan_of_a_release_that_kept_no_sight_of_it(
    sandbox, sqlite_url
):
    settings, rows = settings_for(sandbox.facts(), sqlite_url), TITLE | WITHOUT_MAPPINGS
    account = await imported_account_of_ann(sandbox, settings, **rows)
    changes_in_slack(sandbox, rows)
    planned = await run_import(settings, rows=rows, dry_run=True)
    with create_engine(sqlite_url).begin() as connection:
        connection.execute(update(operation).values(username_digest="", address_digest=""))

    applied = await apply_by_id(settings, rows, planned.plan.id)

    assert reasons_of(sqlite_url, applied) == [NOT_KEPT]
    assert account.fields == {13: "Countess"}


@contextmanager
def list_without(sandbox, *addresses):
    """Yield the facts of a Slack that shows who bears *addresses* when it is asked, and leaves them out of its list."""

    def without(call, answer):
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [one for one in answer["members"] if one["profile"].get("email") not in addresses]}

    with between(sandbox.slack_url.removesuffix("/api/"), changed=without) as url:
        yield {**sandbox.facts(), "slack_url": f"{url}/api/"}


@pytest.mark.parametrize("ann", ["leaves", "stays"])
async def test_an_account_is_its_new_owners_also_where_slacks_list_leaves_that_one_out(sandbox, sqlite_url, ann):
    account = await handed_over_to_bob(sandbox, settings_for(sandbox.facts(), sqlite_url))
    sandbox.slack.add("Bob", "Byron", BOBS["email"])
    if ann == "leaves":
        sandbox.slack.deactivate(sandbox.slack.by_email("ann@example.com")["id"])

    with list_without(sandbox, BOBS["email"]) as facts:
        await run_import(settings_for(facts, sqlite_url), rows=SHUT_OUT)

    assert {name: getattr(account, name) for name in BOBS} == BOBS
    assert account.active


@pytest.mark.parametrize("unlisted", [["ann@example.com"], ["ann@example.com", BOBS["email"]]])
@pytest.mark.variants(1)
async def test_an_account_is_not_shut_for_its_former_owner_whom_slack_does_not_list_any_more(
    sandbox, sqlite_url, unlisted
):
    account = await handed_over_to_bob(sandbox, settings_for(sandbox.facts(), sqlite_url))
    sandbox.slack.add("Bob", "Byron", BOBS["email"])
    sandbox.slack.add("Cid", "Clarke", "cid@example.com")
    sandbox.slack.deactivate(sandbox.slack.by_email("ann@example.com")["id"])

    with list_without(sandbox, *unlisted) as facts:
        await run_import(settings_for(facts, sqlite_url), rows={**SHUT_OUT, "SOURCE_MAY_SHRINK": "100"})

    assert account.active


@pytest.mark.long
async def test_where_more_accounts_show_other_addresses_than_anybody_hands_over_slacks_list_is_believed(
    sandbox, sqlite_url, monkeypatch
):
    monkeypatch.setattr(bearers, "MOST_ADDRESSES", 0)
    account = await handed_over_to_bob(sandbox, settings_for(sandbox.facts(), sqlite_url))
    sandbox.slack.add("Bob", "Byron", BOBS["email"])

    with list_without(sandbox, BOBS["email"]) as facts:
        await run_import(settings_for(facts, sqlite_url))

    assert account.email == "ann@example.com"


async def test_an_account_that_a_plan_would_pass_on_to_its_new_owner_is_not_shut_for_the_former_one_meanwhile(
    sandbox, sqlite_url, tmp_path
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = {"REHIRES": "hand-over", "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "LIMIT_REMAPPINGS": "none"}
    account = await handed_over_to_bob(sandbox, settings, **rows)
    sandbox.slack.add("Bob", "Byron", BOBS["email"])
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    sandbox.slack.deactivate(ann)
    await run_import(settings, rows=rows, dry_run=True)

    async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
        here.put(here.event(ann))
        await here.serve()

    assert account.active


@pytest.mark.parametrize("is_listed", [True, False])
async def test_an_account_that_shows_another_persons_address_is_not_moved_to_another_branch(
    sandbox, sqlite_url, is_listed
):
    sandbox.docebo.add_branch("EU", "Europe")
    sandbox.docebo.add_branch("US", "America")
    rows = {
        "ATTRIBUTES": f"{NAMES['ATTRIBUTES']}, branch = title",
        "BRANCH_MOVES": "true",
        "LIMIT_BRANCH_MOVES": "none",
    }
    settings = settings_for(sandbox.facts(), sqlite_url)
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    sandbox.slack.change(ann, {"profile": {"title": "EU"}})
    account = await imported_account_of_ann(sandbox, settings)
    await import_then(settings, rows, plan_moves)
    before = account.branches
    sandbox.docebo.edit(account.user_id, BOBS)
    sandbox.slack.add("Bob", "Byron", "bob@example.com")
    sandbox.slack.change(ann, {"profile": {"title": "US"}})

    with nullcontext(sandbox.facts()) if is_listed else list_without(sandbox, BOBS["email"]) as facts:
        assert await import_then(settings_for(facts, sqlite_url), rows, plan_moves) is None

    assert account.branches == before


@pytest.mark.long
@pytest.mark.parametrize("maps", ["true", "false"])
async def test_an_undo_takes_an_account_whose_address_somebody_has_edited_once_the_two_are_linked(
    sandbox, sqlite_url, maps
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = TITLE | {"MAP_SLACK_USER_DATA": maps}
    account = await imported_account_of_ann(sandbox, settings, **rows)
    changes_in_slack(sandbox, TITLE)
    done = await run_import(settings, rows=rows)
    sandbox.docebo.edit(account.user_id, EDITED)
    undone = await undo(settings, rows, done.plan.id)
    [advice] = reasons_of(sqlite_url, undone)
    assert (account.fields, advice) == ({13: "Queen"}, f"changed in Docebo since: email{LINK_TO_UNDO}")

    async with open_runtime(settings, read_rows(table(ON | TITLE)), run_id="decide") as runtime:
        ann = sandbox.slack.by_email("ann@example.com")["id"]
        link = DecisionRequest(DecisionAction.LINK, [ann], docebo_id=account.user_id, why="asked her", by="Grace")
        await decide(runtime, await validate(runtime), link)
    await run_import(settings, rows=TITLE)
    await undo(settings, TITLE, done.plan.id)

    assert account.fields == {13: "Countess"}


@pytest.mark.parametrize("bearer", ["the same person", "somebody else"])
async def test_an_account_that_was_handed_over_while_we_wrote_its_address_is_not_found_by_that_without_a_mapping(
    sandbox, sqlite_url, bearer
):
    account, settings = account_of_ann(sandbox), settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings)
    ann = sandbox.slack.by_email("ann@example.com")["id"]
    sandbox.slack.change(ann, {"profile": {"email": "ann.king@example.com"}})
    await run_import(settings)
    bobs = {"username": "bob@example.com", "firstname": "Bob", "lastname": "Byron"}
    sandbox.docebo.edit(account.user_id, bobs)
    delete_mappings(settings, sandbox.slack.team.id, ann)
    if bearer == "somebody else":
        sandbox.slack.change(ann, {"profile": {"email": "ann.byron@example.com"}})
        sandbox.slack.add("Zoe", "King", "ann.king@example.com")

    summary = await run_import(settings)

    assert account.email == "ann.king@example.com"
    assert {name: getattr(account, name) for name in bobs} == bobs
    assert summary.undecided == 1


@pytest.mark.long
@pytest.mark.parametrize("road", ["import", "real time", "leaver"])
async def test_an_account_that_is_handed_over_before_anybody_has_seen_the_address_that_we_have_written_is_left_alone(
    sandbox, sqlite_url, tmp_path, road
):
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings)  # which makes it
    account = sandbox.docebo.accounts.by_username("ann@example.com")
    sandbox.docebo.edit(account.user_id, BOBS)
    sandbox.slack.add("Bob", "Byron", "bob@example.com")
    rows = LEAVERS if road == "leaver" else NAMES
    changes_in_slack(sandbox, rows)

    if road == "real time":
        async with world(sandbox, sqlite_url, tmp_path, **rows) as here:
            here.put(here.event(sandbox.slack.by_email("ann@example.com")["id"]))
            await here.serve()
    else:
        await run_import(settings, rows=rows)

    assert {name: getattr(account, name) for name in BOBS} == BOBS
    assert account.active
