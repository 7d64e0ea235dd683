"""A yes or a no in another form than JSON's: by that nobody counts as erased, as a bot or as confirmed, and no account as open."""

from dataclasses import asdict

import pytest

from sandbox.server import Sandbox
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.operations import Outcome
from slack_docebo.storage.store import Store
from tests.between import between
from tests.importing import ON, mapped, run_import, settings_for
from tests.integration.realtime_world import world

ROWS = {**ON, "LEAVERS": "deactivate", "LEAVERS_OUT_OF_SCOPE": "true", "LIMIT_DEACTIVATIONS": "none"}
FLAGS = ("is_bot", "is_restricted", "is_ultra_restricted", "is_stranger", "is_forgotten", "is_invited_user")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        for name in ("ada", "bob", "eva"):
            running.slack.add(name.title(), "Lovelace", f"{name}@example.com")
        yield running


@pytest.mark.long
@pytest.mark.parametrize("no", ["false", "0"])
async def test_a_no_that_is_a_text_makes_nobody_a_leaver(sandbox, sqlite_url, no):
    in_text = []

    def shown(call, answer):
        if not (in_text and "users.list" in call.path):
            return None
        flags = dict.fromkeys(FLAGS, no)
        return {**answer, "members": [{**member, **flags} for member in answer["members"]]}

    with between(sandbox.slack_url, changed=shown) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
        await run_import(settings, rows=ROWS)
        in_text.append(True)
        done = await run_import(settings, rows=ROWS)

    accounts = [
        sandbox.docebo.accounts.get(docebo_id) for docebo_id in mapped(sqlite_url, sandbox.slack.team.id).values()
    ]
    assert len(accounts) >= 3
    assert all(account.active for account in accounts)
    assert done.count(outcome=Outcome.APPLIED) == 0


async def test_an_address_that_is_unconfirmed_in_text_finds_no_account(sandbox, sqlite_url):
    boss = sandbox.docebo.accounts.add("boss", email="boss@example.com", firstname="Bea", lastname="Boss").user_id
    mallory = sandbox.slack.add("Mal", "Lory", "boss@example.com")["id"]

    def shown(call, answer):
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [{**one, "is_email_confirmed": "false"} for one in answer["members"]]}

    with between(sandbox.slack_url, changed=shown) as url:
        await run_import(settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url), rows=ROWS)

    assert sandbox.docebo.accounts.get(boss).firstname == "Bea"
    assert mallory not in mapped(sqlite_url, sandbox.slack.team.id)


@pytest.mark.variants(1)
@pytest.mark.parametrize("comes_back", [False, True])
async def test_an_account_whose_status_is_neither_yes_nor_no_is_neither_shut_nor_opened(
    small_sandbox, sqlite_url, comes_back
):
    small_sandbox.reset()
    company, odd = small_sandbox, []

    def shown(call, answer):
        if not call.path.startswith("/manage/v1/user?"):
            return None
        for item in answer["data"]["items"]:
            item["status"] = "suspended" if int(item["user_id"]) in odd else item["status"]
        return answer

    with between(company.docebo_url, changed=shown) as url:
        settings = settings_for({**company.facts(), "docebo_url": url}, sqlite_url)
        ada = company.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        await run_import(settings, rows=ROWS)
        account = company.docebo.accounts[mapped(sqlite_url, company.slack.team.id)[ada]]
        company.slack.deactivate(ada)
        if comes_back:
            await run_import(settings, rows=ROWS)
            company.slack.reactivate(ada)
        odd.append(account.user_id)
        before = account.active
        done = await run_import(settings, rows=ROWS)

        assert (account.active, done.count(outcome=Outcome.APPLIED)) == (before, 0)
        odd.clear()
        await run_import(settings, rows=ROWS)
        assert account.active is comes_back  # nothing of what we did was forgotten


@pytest.mark.parametrize(
    ("shown", "left_out"),
    [
        ({"is_restricted": True, "is_ultra_restricted": True}, ["is_restricted", "is_ultra_restricted"]),
        ({"is_bot": True}, ["is_bot"]),
    ],
)
async def test_an_event_that_does_not_say_whether_who_joins_is_a_guest_or_a_bot_makes_no_account(
    small_sandbox, sqlite_url, tmp_path, shown, left_out
):
    small_sandbox.reset()
    joined = small_sandbox.slack.add("Gus", "Guest", "gus@example.com", {**shown, "is_email_confirmed": True})
    told = {key: value for key, value in joined.items() if key not in left_out}

    async with world(small_sandbox, sqlite_url, tmp_path) as here:
        here.put(here.event(joined["id"], kind="team_join", profile=asdict(source_user(told))))
        await here.serve()

    assert not small_sandbox.docebo.accounts.by_email("gus@example.com")


@pytest.mark.long
@pytest.mark.parametrize("left_out", ["is_restricted", "is_bot"])
async def test_whom_slacks_list_does_not_call_a_member_a_guest_or_a_bot_gets_no_account_and_keeps_the_one_there_is(
    small_sandbox, sqlite_url, left_out
):
    small_sandbox.reset()
    settings = settings_for(small_sandbox.facts(), sqlite_url)
    gus = small_sandbox.slack.add("Gus", "Guest", "gus@example.com")["id"]
    eva = small_sandbox.slack.add("Eva", "Employee", "eva@example.com")["id"]
    small_sandbox.docebo.accounts.add("eva@example.com", email="eva@example.com", firstname="E", lastname="Employee")
    for slack_id in (gus, eva):
        small_sandbox.slack.change(slack_id, {}, (left_out,))

    done = await run_import(settings, rows=ROWS)
    again = await run_import(settings, rows=ROWS)

    assert not small_sandbox.docebo.accounts.by_email("gus@example.com")
    assert small_sandbox.docebo.accounts.by_username("eva@example.com").firstname == "Eva"
    assert (done.newly_undecided, again.newly_undecided) == (1, 0)

    small_sandbox.slack.change(gus, {left_out: False})
    await run_import(settings, rows=ROWS)
    assert small_sandbox.docebo.accounts.by_email("gus@example.com")


@pytest.mark.long
async def test_who_was_shut_out_is_not_let_in_while_slack_does_not_say_whether_that_is_a_guest(
    small_sandbox, sqlite_url
):
    small_sandbox.reset()
    settings = settings_for(small_sandbox.facts(), sqlite_url)
    gus = small_sandbox.slack.add("Gus", "Guest", "gus@example.com")["id"]
    await run_import(settings, rows=ROWS)
    small_sandbox.slack.change(gus, {"deleted": True})
    await run_import(settings, rows=ROWS)
    account = small_sandbox.docebo.accounts.by_username("gus@example.com")
    small_sandbox.slack.change(gus, {"deleted": False}, ("is_restricted",))

    for is_restricted, gets_in in ((None, False), (False, True)):
        if is_restricted is not None:
            small_sandbox.slack.change(gus, {"is_restricted": is_restricted})
        await run_import(settings, rows=ROWS)
        assert account.active is gets_in


async def test_whose_handle_slack_does_not_show_keeps_that_of_the_mapping(small_sandbox, sqlite_url):
    small_sandbox.reset()
    ada = small_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    hidden: list[bool] = []

    def shown(call, answer):
        if not (hidden and "users.list" in call.path):
            return None
        return {**answer, "members": [{**one, "name": None} for one in answer["members"]]}

    with between(small_sandbox.slack_url, changed=shown) as url:
        settings = settings_for({**small_sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
        await run_import(settings, rows=ROWS)
        hidden.append(True)
        done = await run_import(settings, rows=ROWS)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        [mapping] = [one for one in tables.mappings().all(small_sandbox.slack.team.id) if one.slack_id == ada]
    assert (mapping.slack_name, done.count(outcome=Outcome.APPLIED)) == ("ada.lovelace", 0)
