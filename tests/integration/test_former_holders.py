"""Without mappings, an account was given to somebody before: only who is surely gone from Slack makes room for the next."""

from contextlib import nullcontext

import pytest

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.looking.explaining import explain
from slack_docebo.engine.mappings.deciding import DecisionAction, DecisionRequest, decide
from slack_docebo.engine.planning.named import plan_named, read_named
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.realtime.serve_result import Became
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ChangeLimitExceeded, IncompleteRead
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.store import Store
from tests.between import between, in_json
from tests.importing import ON, carry_out, mapped, prove, run_import, settings_for
from tests.integration.after_an_import import apply_by_id, decide_never, delete_mappings
from tests.integration.realtime_world import world

WITHOUT_MAPPINGS = {**ON, "MAP_SLACK_USER_DATA": "false", "SOURCE_MAY_SHRINK": "50"}
HAND_OVER = {**WITHOUT_MAPPINGS, "REHIRES": "hand-over"}
ROADS = pytest.mark.parametrize("road", ["import", "trusting import", "named", "event"])


@pytest.fixture
def sandbox(small_sandbox):
    small_sandbox.reset()
    small_sandbox.slack.add("Eva", "Stays", "eva@example.com")
    return small_sandbox


@pytest.fixture
def unlisted():
    """The Slack ids that the list leaves out."""
    return set()


@pytest.fixture
def asked():
    """The Slack ids for which Slack was asked, one by one."""
    return []


@pytest.fixture
def settings(sandbox, sqlite_url, unlisted, asked):
    """Settings that lead to a Slack whose list leaves out the *unlisted*."""

    def without(call, answer):
        if "users.info" in call.path:
            asked.append(call.path.partition("user=")[2].partition("&")[0])
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [one for one in answer["members"] if one["id"] not in unlisted]}

    with between(sandbox.slack_url, changed=without) as url:
        yield settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)


def account(sandbox):
    return sandbox.docebo.accounts.by_username("ada@example.com")


async def ada_is_in_line(sandbox, settings):
    """Bring Ada in line, and return her Slack id."""
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=WITHOUT_MAPPINGS)
    return ada


async def ada_has_left(sandbox, settings):
    ada = await ada_is_in_line(sandbox, settings)
    sandbox.slack.deactivate(ada)
    return ada


async def ada_is_hidden(sandbox, settings, unlisted):
    """Let Slack neither list nor show her any more."""
    ada = await ada_is_in_line(sandbox, settings)
    unlisted.add(ada)
    sandbox.slack.invisible.add(ada)
    return ada


async def told(sandbox, settings, tmp_path, road, slack_id, **rows):
    """Let one of the roads bring somebody in line."""
    rows = {**WITHOUT_MAPPINGS, **rows}
    if road == "event":
        async with world(sandbox, settings.database_url.get_secret_value(), tmp_path, **rows) as here:
            here.put(here.event(slack_id, kind="team_join"))
            return await here.serve()
    if road == "named":
        async with open_runtime(settings, read_rows(table(rows)), run_id="named") as runtime:
            workspace = await validate(runtime)
            plan_id = await plan_named(runtime, workspace, await read_named(runtime, [slack_id], []))
            await carry_out(runtime, plan_id)
            return finish(runtime, plan_id)
    return await run_import(settings, rows=rows, verify_target=road == "import")


@ROADS
@pytest.mark.parametrize(("match_by", "rehires"), [("email", "hand-over"), ("username", "report")])
@pytest.mark.variants(2)  # all roads
async def test_the_account_of_whom_slack_neither_lists_nor_calls_gone_is_not_given_to_the_next_with_the_address(
    sandbox, settings, unlisted, tmp_path, road, match_by, rehires
):
    ada = await ada_is_hidden(sandbox, settings, unlisted)
    bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]

    served = await told(sandbox, settings, tmp_path, road, bob, MATCH_BY=match_by, REHIRES=rehires)

    assert (account(sandbox).firstname, account(sandbox).lastname) == ("Ada", "Lovelace")
    assert served.undecided == 1
    async with open_runtime(settings, read_rows(table(WITHOUT_MAPPINGS)), run_id="explain") as runtime:
        assert f"belongs to {ada}" in (await explain(runtime, bob)).operation.reason


@pytest.mark.long
@ROADS
@pytest.mark.parametrize("is_listed", [True, False])
async def test_the_account_of_who_is_surely_gone_goes_to_the_next_with_the_address(
    sandbox, settings, unlisted, tmp_path, road, is_listed
):
    ada = await ada_is_hidden(sandbox, settings, unlisted)
    sandbox.slack.invisible.clear()
    sandbox.slack.deactivate(ada)
    if is_listed:
        unlisted.clear()
    bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]

    await told(sandbox, settings, tmp_path, road, bob, REHIRES="hand-over")

    assert (account(sandbox).firstname, account(sandbox).lastname) == ("Bob", "Neu")


async def test_who_has_got_an_account_keeps_it_with_another_address_also_when_its_former_holder_is_back(
    sandbox, settings, tmp_path
):
    ada = await ada_has_left(sandbox, settings)
    bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]
    await run_import(settings, rows=HAND_OVER)
    sandbox.slack.change(bob, {"profile": {"email": "bob@example.com"}})

    await run_import(settings, rows=HAND_OVER)
    assert (account(sandbox).firstname, account(sandbox).email) == ("Bob", "bob@example.com")
    assert len(sandbox.docebo.accounts.by_email("bob@example.com")) == 1

    sandbox.slack.reactivate(ada)
    await told(sandbox, settings, tmp_path, "event", ada, REHIRES="hand-over")
    assert (account(sandbox).firstname, account(sandbox).email) == ("Bob", "bob@example.com")


@pytest.mark.long
@ROADS
async def test_an_account_that_passes_to_the_next_with_the_address_counts_as_a_moved_mapping(
    sandbox, settings, tmp_path, road
):
    await ada_has_left(sandbox, settings)
    bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]
    limited = {"REHIRES": "hand-over", "LIMIT_REMAPPINGS": "0"}

    with nullcontext() if road == "event" else pytest.raises(ChangeLimitExceeded, match="1 to map to another account"):
        served = await told(sandbox, settings, tmp_path, road, bob, **limited)
        assert [event.became for event in served.served.values()] == [Became.HELD]

    assert account(sandbox).firstname == "Ada"


@pytest.mark.long
async def test_accounts_that_pass_on_night_by_night_are_counted_together_and_later_changes_of_theirs_are_not(
    sandbox, settings
):
    rows = {**HAND_OVER, "LIMIT_REMAPPINGS": "1"}
    people = [sandbox.slack.add(name, "Alt", f"{name.lower()}@example.com")["id"] for name in ("Ada", "Joan")]
    await run_import(settings, rows=rows)
    for slack_id in people:
        sandbox.slack.deactivate(slack_id)
    bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    sandbox.slack.change(bob, {"profile": {"last_name": "King"}})
    await run_import(settings, rows=rows)
    assert account(sandbox).lastname == "King"

    sandbox.slack.add("Carl", "Neu", "joan@example.com")
    with pytest.raises(ChangeLimitExceeded, match="2 to map to another account"):
        await run_import(settings, rows=rows)

    assert sandbox.docebo.accounts.by_username("joan@example.com").firstname == "Joan"


@pytest.mark.long
@pytest.mark.parametrize("becomes", ["back", "hidden"])
async def test_a_saved_plan_gives_nobody_the_account_of_a_former_holder_who_is_not_gone_any_more(
    sandbox, settings, unlisted, becomes
):
    ada = await ada_has_left(sandbox, settings)
    bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]
    planned = await run_import(settings, rows=HAND_OVER, dry_run=True)
    assert planned.count(Kind.UPDATE) == 1
    if becomes == "back":
        sandbox.slack.reactivate(ada)
    else:
        sandbox.slack.invisible.add(ada)

    await apply_by_id(settings, HAND_OVER, planned.plan.id)

    assert (account(sandbox).firstname, account(sandbox).lastname) == ("Ada", "Lovelace")
    with Store.of(settings) as store, store.reading() as tables:
        [entry] = [one for one in tables.operations.rows(planned.plan.id) if one.operation.slack_id == bob]
    assert entry.outcome is Outcome.SKIPPED


@pytest.mark.long
async def test_a_saved_plan_gives_on_the_account_of_a_former_holder_who_is_still_gone(sandbox, settings):
    await ada_has_left(sandbox, settings)
    sandbox.slack.add("Bob", "Neu", "ada@example.com")
    planned = await run_import(settings, rows=HAND_OVER, dry_run=True)

    with pytest.raises(IncompleteRead, match="EVIDENCE_CALLS"):
        await apply_by_id(settings, {**HAND_OVER, "EVIDENCE_CALLS": "0"}, planned.plan.id)
    await apply_by_id(settings, HAND_OVER, planned.plan.id)

    assert (account(sandbox).firstname, account(sandbox).lastname) == ("Bob", "Neu")


@pytest.mark.long
@pytest.mark.parametrize("is_hidden", [True, False])
async def test_slack_is_asked_only_for_former_holders_whose_accounts_somebody_would_get(
    sandbox, settings, unlisted, asked, is_hidden
):
    ada = await ada_is_hidden(sandbox, settings, unlisted)
    await run_import(settings, rows=HAND_OVER)
    assert ada not in asked
    if not is_hidden:
        sandbox.slack.invisible.clear()
        sandbox.slack.deactivate(ada)
    sandbox.slack.add("Bob", "Neu", "ada@example.com")

    await run_import(settings, rows=HAND_OVER)
    assert asked.count(ada) == 1
    again = await run_import(settings, rows=HAND_OVER)

    assert asked.count(ada) == 1 + is_hidden  # of whom nothing is known yet
    assert again.count(outcome=Outcome.APPLIED) == 0


async def test_more_former_holders_than_slack_may_be_asked_for_stop_the_run_before_the_first(
    sandbox, settings, unlisted, asked
):
    ada = await ada_is_hidden(sandbox, settings, unlisted)
    sandbox.slack.add("Bob", "Neu", "ada@example.com")

    with pytest.raises(IncompleteRead, match="EVIDENCE_CALLS"):
        await run_import(settings, rows={**WITHOUT_MAPPINGS, "EVIDENCE_CALLS": "0"})

    assert ada not in asked
    assert account(sandbox).firstname == "Ada"


@pytest.mark.long
async def test_who_has_an_address_that_is_not_confirmed_keeps_the_account_from_the_next_with_the_former_one(
    sandbox, settings
):
    ada = await ada_is_in_line(sandbox, settings)
    sandbox.slack.change(ada, {"is_email_confirmed": False, "profile": {"email": "king@example.com"}})
    sandbox.slack.add("Bob", "Neu", "ada@example.com")

    await run_import(settings, rows=WITHOUT_MAPPINGS)

    assert (account(sandbox).firstname, account(sandbox).lastname) == ("Ada", "Lovelace")


@pytest.mark.long
async def test_a_list_that_shows_the_organisations_ids_alone_gives_nobody_the_account_of_another(
    sandbox, settings, monkeypatch
):
    for name in ("ada", "bob"):
        sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
    await run_import(settings, rows=WITHOUT_MAPPINGS)
    shown = type(sandbox._slack_api)._shown

    def of_organisation(self, user, arguments):
        return shown(self, {**user, "id": f"W9{user['id'][2:]}"}, arguments)

    monkeypatch.setattr(type(sandbox._slack_api), "_shown", of_organisation)
    rows = {**WITHOUT_MAPPINGS, "LIMIT_CREATIONS": "none"}

    first, second = [await run_import(settings, rows=rows) for _ in range(2)]

    assert (first.count(Kind.CREATE), first.undecided, second.undecided) == (0, 0, 0)
    assert second.count(outcome=Outcome.APPLIED) == 0


@pytest.mark.long
async def test_an_account_that_was_handed_over_in_docebo_is_the_next_ones_once_the_former_mapping_is_deleted(
    sandbox, settings, sqlite_url
):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings)
    handed_over = account(sandbox).user_id
    bobs = {"username": "bob@example.com", "email": "bob@example.com", "firstname": "Bob", "lastname": "Neu"}
    sandbox.docebo.edit(handed_over, bobs)
    delete_mappings(settings, sandbox.slack.team.id, ada)
    bob = sandbox.slack.add("Bob", "Neu", "bob@example.com")["id"]

    await run_import(settings)

    assert mapped(sqlite_url, sandbox.slack.team.id)[bob] == handed_over


@pytest.mark.long
@ROADS
async def test_who_returns_under_a_new_id_is_reported_without_mappings_too(sandbox, settings, tmp_path, road):
    ada = await ada_has_left(sandbox, settings)
    again = sandbox.slack.add("Ada", "King", "ada@example.com")["id"]

    served = await told(sandbox, settings, tmp_path, road, again)

    assert (account(sandbox).lastname, served.undecided) == ("Lovelace", 1)
    async with open_runtime(settings, read_rows(table(WITHOUT_MAPPINGS)), run_id="explain") as runtime:
        reason = (await explain(runtime, again)).operation.reason
    assert f"was given to {ada} before" in reason
    assert "set REHIRES to hand-over" in reason
    await told(sandbox, settings, tmp_path, road, again, REHIRES="hand-over")
    assert account(sandbox).lastname == "King"
    assert (await run_import(settings, rows=WITHOUT_MAPPINGS)).undecided == 0


@pytest.mark.long
async def test_a_saved_plan_gives_no_former_account_on_once_that_is_only_to_be_reported(sandbox, settings):
    await ada_has_left(sandbox, settings)
    sandbox.slack.add("Ada", "King", "ada@example.com")
    planned = await run_import(settings, rows=HAND_OVER, dry_run=True)

    await apply_by_id(settings, WITHOUT_MAPPINGS, planned.plan.id)

    assert account(sandbox).lastname == "Lovelace"


@pytest.mark.long
async def test_who_was_linked_by_hand_gets_the_account_of_a_former_holder_of_whom_nobody_can_tell(
    sandbox, settings, unlisted
):
    await ada_is_hidden(sandbox, settings, unlisted)
    bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]
    assert (await run_import(settings, rows=WITHOUT_MAPPINGS)).undecided == 1
    link = DecisionRequest(DecisionAction.LINK, [bob], docebo_id=account(sandbox).user_id, why="asked them", by="Grace")

    async with open_runtime(settings, read_rows(table(ON)), run_id="decide") as runtime:
        await decide(runtime, await validate(runtime), link)
    await run_import(settings, rows=WITHOUT_MAPPINGS)

    assert account(sandbox).firstname == "Bob"


@pytest.mark.long
@pytest.mark.parametrize("maps", ["true", "false"])
async def test_an_event_gives_nobody_the_account_of_whom_another_event_has_shown_lately(
    sandbox, sqlite_url, tmp_path, maps
):
    lags = []

    def behind(call):
        is_about_her = "users.info" in call.path and any(one in call.path for one in lags)
        return in_json({"ok": False, "error": "user_not_found"}) if is_about_her else None

    with between(sandbox.slack_url, behind) as url:
        addresses, rows = {"SLACK_API_URL": f"{url}/"}, {"MAP_SLACK_USER_DATA": maps, "REHIRES": "hand-over"}
        async with world(sandbox, sqlite_url, tmp_path, addresses=addresses, **rows) as here:
            ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
            here.put(here.event(ada, kind="team_join"))
            await here.serve()
            lags.append(ada)
            sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})
            bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]
            here.put(here.event(bob, kind="team_join"))
            await here.serve()

    assert account(sandbox).firstname == "Ada"


@pytest.mark.long
async def test_a_saved_plan_gives_nobody_the_account_of_whom_an_event_has_shown_again(
    sandbox, settings, sqlite_url, tmp_path
):
    shown: list[dict] = []

    def behind(call):
        is_about_her = shown and "users.info" in call.path and str(shown[0]["user"]["id"]) in call.path
        return in_json(shown[0]) if is_about_her else None

    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=HAND_OVER)
    left = sandbox.slack.deactivate(ada)
    sandbox.slack.add("Bob", "Neu", "ada@example.com")
    planned = await run_import(settings, rows=HAND_OVER, dry_run=True)
    with between(sandbox.slack_url, behind) as url:
        async with world(sandbox, sqlite_url, tmp_path, **HAND_OVER) as here:
            back = sandbox.slack.change(ada, {"deleted": False, "updated": left["updated"] + 60})
            here.put(here.event(ada))
            await here.serve()
        shown.append({"ok": True, "user": left})

        await apply_by_id(
            settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url), HAND_OVER, planned.plan.id
        )

    assert back["updated"] > left["updated"]
    assert account(sandbox).firstname == "Ada"


@ROADS
@pytest.mark.parametrize("rows", [WITHOUT_MAPPINGS, ON], ids=["without mappings", "once the mapping is deleted"])
@pytest.mark.variants(1)
async def test_whose_account_bears_nothing_but_the_name_any_more_gets_no_second_one(
    sandbox, settings, tmp_path, road, rows
):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings, rows=rows)
    delete_mappings(settings, sandbox.slack.team.id, ada)
    moved = {"username": "ada@moved.example", "email": "ada@moved.example"}
    sandbox.docebo.edit(account(sandbox).user_id, moved)

    served = await told(sandbox, settings, tmp_path, road, ada, **rows)

    assert account(sandbox) is None
    assert served.undecided == 1
    sandbox.slack.change(ada, {"profile": {"email": "ada@moved.example", "title": "Countess"}})
    assert (await told(sandbox, settings, tmp_path, road, ada, **rows)).undecided == 0
    assert len(sandbox.docebo.accounts.by_email("ada@moved.example")) == 1


@pytest.mark.long
@pytest.mark.parametrize("dry_run", [True, False])
async def test_an_account_that_bears_somebody_elses_address_and_the_former_name_is_that_ones(
    sandbox, settings, dry_run
):
    await ada_is_in_line(sandbox, settings)
    bobs = {"username": "bob@example.com", "email": "bob@example.com"}
    handed_over = sandbox.docebo.edit(account(sandbox).user_id, bobs)
    sandbox.slack.add("Bob", "Byron", "bob@example.com")

    if dry_run:  # which notes what the account bears by now
        await run_import(settings, rows=WITHOUT_MAPPINGS, dry_run=True)
    await run_import(settings, rows=WITHOUT_MAPPINGS)

    assert (handed_over.username, handed_over.firstname) == ("bob@example.com", "Bob")
    assert account(sandbox).firstname == "Ada"
    assert (await run_import(settings, rows=WITHOUT_MAPPINGS)).count(outcome=Outcome.APPLIED) == 0


@pytest.mark.long
@ROADS
async def test_the_account_of_whom_nobody_may_touch_goes_to_nobody(sandbox, settings, tmp_path, road):
    prove(settings)
    ada = await ada_has_left(sandbox, settings)
    bob = sandbox.slack.add("Bob", "Neu", "ada@example.com")["id"]
    planned = await run_import(settings, rows=HAND_OVER, dry_run=True)
    decide_never(settings, sandbox.slack.team.id, ada)

    applied = await apply_by_id(settings, HAND_OVER, planned.plan.id)
    await told(sandbox, settings, tmp_path, road, bob, REHIRES="hand-over")

    assert applied.count(outcome=Outcome.SKIPPED) == 1
    assert (account(sandbox).firstname, account(sandbox).lastname) == ("Ada", "Lovelace")


@pytest.mark.long
@ROADS
@pytest.mark.parametrize("is_made_by_hand", [True, False])
async def test_a_mapping_of_before_follows_to_the_account_that_comes_after_one_that_is_gone(
    sandbox, settings, tmp_path, road, is_made_by_hand
):
    prove(settings)
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    await run_import(settings)
    sandbox.docebo.delete(account(sandbox).user_id)
    if is_made_by_hand:
        sandbox.docebo.accounts.add("ada@example.com", email="ada@example.com", firstname="Ada", lastname="Lovelace")
    await run_import(settings, rows=WITHOUT_MAPPINGS)
    sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})

    await told(sandbox, settings, tmp_path, road, ada)

    assert account(sandbox).email == "king@example.com"
    assert len([one for one in sandbox.docebo.accounts if one.firstname == "Ada"]) == 1
