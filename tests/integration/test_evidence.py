"""What counts as evidence that somebody, or an account, is gone: only an answer about exactly this one, of the right side."""

import re
from dataclasses import replace

import pytest

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.errors import IncompleteRead
from slack_docebo.storage.events import EventState
from tests.between import Call, between, in_json, showing
from tests.importing import ON, mapped, run_import, settings_for
from tests.integration.realtime_world import world

ROWS = {**ON, "LEAVERS": "deactivate", "TARGET_MAY_SHRINK": "50", "SOURCE_MAY_SHRINK": "50"}


@pytest.fixture
def sandbox(small_sandbox):
    small_sandbox.reset()
    for name in ("eva", "ada", "bob"):
        small_sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
    return small_sandbox


def slack_id(sandbox, name):
    return sandbox.slack.by_email(f"{name}@example.com")["id"]


def account(sandbox, name):
    return sandbox.docebo.accounts.by_username(f"{name}@example.com")


@pytest.mark.parametrize("verify_target", [True, False])
@pytest.mark.variants(1)
async def test_an_answer_about_another_account_says_nothing_of_the_one_asked_for(sandbox, sqlite_url, verify_target):
    ada, bob = slack_id(sandbox, "ada"), slack_id(sandbox, "bob")

    def merged(call: Call):
        if call.method == "GET" and call.path == f"/manage/v1/user/{accounts.get(ada)}":
            user = account(sandbox, "bob")
            shown = {"user_id": str(user.user_id), "username": user.username, "email": user.email, "valid": "1"}
            return in_json({"data": {"user_data": {**shown, "level": "6"}, "additional_fields": []}})
        return None

    accounts: dict[str, int] = {}
    with between(sandbox.docebo_url, merged) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=ROWS)
        accounts |= mapped(sqlite_url, sandbox.slack.team.id)
        sandbox.docebo.delete(accounts[ada])
        sandbox.slack.deactivate(ada)

        summary = await run_import(settings, rows=ROWS, verify_target=verify_target)

    assert account(sandbox, "bob").active
    assert summary.count(Kind.DEACTIVATE, Kind.UNMAP) == 0
    assert mapped(sqlite_url, sandbox.slack.team.id)[bob] == accounts[bob]


@pytest.mark.long
async def test_an_answer_about_somebody_else_says_nothing_of_the_person_asked_for(sandbox, sqlite_url):
    ada = slack_id(sandbox, "ada")

    def other(call: Call, answer):
        if "users.list" in call.path:
            return {**answer, "members": [member for member in answer["members"] if member["id"] != ada]}
        if "users.info" in call.path and ada in call.path:
            return {"ok": True, "user": {"id": "U0OTHER01", "team_id": sandbox.slack.team.id, "deleted": True}}
        return None

    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=ROWS)
    with between(sandbox.slack_url, changed=other) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
        summary = await run_import(settings, rows=ROWS)

    assert account(sandbox, "ada").active
    assert summary.count(Kind.DEACTIVATE, Kind.UNMAP) == 0


async def test_where_slack_knows_nobody_at_all_nobody_is_gone(sandbox, sqlite_url):
    ada = slack_id(sandbox, "ada")
    broken: list[bool] = []

    def nobody(call: Call):
        return in_json({"ok": False, "error": "user_not_found"}) if broken and "users.info" in call.path else None

    def without_ada(call: Call, answer):
        if not (broken and "users.list" in call.path):
            return None
        return {**answer, "members": [member for member in answer["members"] if member["id"] != ada]}

    with between(sandbox.slack_url, nobody, without_ada) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
        await run_import(settings, rows=ROWS)
        accounts = mapped(sqlite_url, sandbox.slack.team.id)
        broken.append(True)

        summary = await run_import(settings, rows=ROWS)

    assert account(sandbox, "ada").active
    assert summary.count(Kind.DEACTIVATE, Kind.UNMAP) == 0
    assert mapped(sqlite_url, sandbox.slack.team.id) == accounts


@pytest.mark.long
async def test_where_slack_knows_nobody_any_more_nobody_is_gone(sandbox, sqlite_url):
    asked: list[str] = []
    hidden: set[str] = set()

    def nobody(call: Call):
        if not (hidden and "users.info" in call.path):
            return None
        asked.append(call.path)
        return in_json({"ok": False, "error": "user_not_found"}) if len(asked) > 1 else None

    def without(call: Call, answer):
        if not (hidden and "users.list" in call.path):
            return None
        return {**answer, "members": [member for member in answer["members"] if member["id"] not in hidden]}

    with between(sandbox.slack_url, nobody, without) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
        rows = {**ROWS, "SOURCE_MAY_SHRINK": "100", "LIMIT_DEACTIVATIONS": "none"}
        # Who has the first id has left; the others are not shown either, by a list that is not whole.
        first, *others = sorted(slack_id(sandbox, name) for name in ("ada", "bob", "eva"))
        sandbox.slack.add("Abe", "Lovelace", "abe@example.com")
        await run_import(settings, rows=rows)
        sandbox.slack.deactivate(first)
        hidden |= {first, *others}

        summary = await run_import(settings, rows=rows)

    assert len(asked) > 1
    assert summary.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
    assert [account(sandbox, name).active for name in ("ada", "bob", "eva")].count(True) == 2


async def test_an_event_is_not_done_with_by_an_answer_about_somebody_else(sandbox, sqlite_url, tmp_path):
    ada = slack_id(sandbox, "ada")

    def other(call: Call, answer):
        if "users.info" in call.path and ada in call.path and lost:
            return {"ok": True, "user": {**answer["user"], "id": slack_id(sandbox, "bob")}}
        return None

    lost: list[bool] = []
    with between(sandbox.slack_url, changed=other) as url:
        async with world(sandbox, sqlite_url, tmp_path, addresses={"SLACK_API_URL": f"{url}/"}) as here:
            await here.settle()
            sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
            event = here.event(ada, bare=True)
            here.put(event)
            lost.append(True)
            await here.serve()
            parked = here.state(event)
            lost.clear()
            here.replay(event)
            await here.serve()

    assert parked is EventState.PARKED
    assert account(sandbox, "ada").lastname == "King"
    assert account(sandbox, "bob").lastname == "Lovelace"


@pytest.mark.parametrize("shown", ["bob@example.com", ""])
@pytest.mark.variants(1)
async def test_who_is_shown_with_another_address_than_was_searched_for_gets_no_account_by_that(
    sandbox, sqlite_url, tmp_path, shown
):
    of_ada = sandbox.docebo.accounts.add("bob@example.com", email="ada@example.com", firstname="Ada")
    bob = slack_id(sandbox, "bob")

    def other(call: Call, answer):
        if "users.lookupByEmail" not in call.path:
            return None
        user = sandbox.slack.get(bob)
        return {"ok": True, "user": {**user, "profile": {**user["profile"], "email": shown}}}

    with between(sandbox.slack_url, changed=other) as url:
        async with world(sandbox, sqlite_url, tmp_path, addresses={"SLACK_API_URL": f"{url}/"}) as here:
            event = here.event(bob, kind="team_join")
            here.put(event)
            await here.serve()

            assert here.state(event) is EventState.PARKED
            assert here.docebo_id(bob) is None
    assert (of_ada.email, of_ada.firstname) == ("ada@example.com", "Ada")


def leaving_out(accounts: dict[str, int], slack_id: str):
    """Let Docebo's list leave out the account of *slack_id*, once *accounts* says which one that is."""

    def shortened(call: Call, answer):
        if not (accounts and call.path.startswith("/manage/v1/user?")):
            return None
        return showing(answer, lambda item: int(item["user_id"]) != accounts[slack_id])

    return shortened


async def test_where_docebo_shows_no_account_at_all_its_404_does_not_say_that_one_is_gone(sandbox, sqlite_url):
    ada = slack_id(sandbox, "ada")
    accounts: dict[str, int] = {}

    def no_such_page(call: Call):
        is_view = call.method == "GET" and re.fullmatch(r"/manage/v1/user/\d+", call.path)
        error = {"name": "Not Found", "message": "Page not found.", "code": 0, "status": 404}
        return in_json(error, 404) if accounts and is_view else None

    with between(sandbox.docebo_url, no_such_page, leaving_out(accounts, ada)) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=ROWS)
        accounts |= mapped(sqlite_url, sandbox.slack.team.id)
        sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})

        summary = await run_import(settings, rows=ROWS)

    assert summary.count(Kind.CREATE, Kind.UNMAP, outcome=Outcome.APPLIED) == 0
    assert mapped(sqlite_url, sandbox.slack.team.id) == accounts


@pytest.mark.long
async def test_where_docebo_shows_no_account_any_more_its_404_does_not_say_that_one_is_gone(sandbox, sqlite_url):
    accounts: dict[str, int] = {}
    hidden: set[int] = set()
    asked: list[str] = []

    def no_more(call: Call):
        if not (hidden and call.method == "GET" and re.fullmatch(r"/manage/v1/user/\d+", call.path)):
            return None
        asked.append(call.path)
        error = {"name": "Not Found", "message": "User not found.", "code": 0, "status": 404}
        return in_json(error, 404) if len(asked) > 1 else None

    def without(call: Call, answer):
        if not (hidden and call.path.startswith("/manage/v1/user?")):
            return None
        return showing(answer, lambda item: int(item["user_id"]) not in hidden)

    rows = {**ROWS, "TARGET_MAY_SHRINK": "99"}
    with between(sandbox.docebo_url, no_more, without) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=rows)
        accounts |= mapped(sqlite_url, sandbox.slack.team.id)
        hidden |= set(accounts.values())
        for name in ("eva", "ada", "bob"):
            sandbox.slack.change(slack_id(sandbox, name), {"profile": {"email": f"new.{name}@example.com"}})

        summary = await run_import(settings, rows=rows)

    assert len(asked) > 1
    assert summary.count(Kind.CREATE, Kind.UNMAP, outcome=Outcome.APPLIED) == 0
    assert mapped(sqlite_url, sandbox.slack.team.id) == accounts


async def test_a_gateways_404_does_not_say_that_an_account_is_gone(sandbox, sqlite_url):
    ada = slack_id(sandbox, "ada")
    accounts: dict[str, int] = {}

    def gateway(call: Call):
        path = f"/manage/v1/user/{accounts.get(ada)}"
        return in_json({"message": "no Route matched"}, 404) if call.method == "GET" and call.path == path else None

    with between(sandbox.docebo_url, gateway, leaving_out(accounts, ada)) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=ROWS)
        accounts |= mapped(sqlite_url, sandbox.slack.team.id)
        sandbox.slack.change(ada, {"profile": {"email": "king@example.com"}})

        summary = await run_import(settings, rows=ROWS)

    assert summary.count(Kind.CREATE, Kind.UNMAP, outcome=Outcome.APPLIED) == 0
    assert mapped(sqlite_url, sandbox.slack.team.id) == accounts


def listing(slack_id, entries):
    """What changes Slack's list so that it has several *entries* of somebody, the first before all others."""

    def listed_otherwise(call: Call, answer):
        if "users.list" not in call.path:
            return None
        others = [member for member in answer["members"] if member["id"] != slack_id]
        [now] = [member for member in answer["members"] if member["id"] == slack_id]
        first, *rest = entries(now)
        return {**answer, "members": [first, *others, *rest]}

    return listed_otherwise


@pytest.mark.parametrize("stamps", [(-60, 0), (0, -60)], ids=["the older first", "the newer first"])
@pytest.mark.variants(1)
async def test_who_comes_back_while_the_list_is_read_does_not_leave_by_the_older_entry(sandbox, sqlite_url, stamps):
    ada = slack_id(sandbox, "ada")

    def entries(now):
        return [{**now, "updated": now["updated"] + ahead, "deleted": ahead < 0} for ahead in stamps]

    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows=ROWS)
    with between(sandbox.slack_url, changed=listing(ada, entries)) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
        summary = await run_import(settings, rows=ROWS)

    assert account(sandbox, "ada").active
    assert summary.count(outcome=Outcome.APPLIED) == 0


@pytest.mark.parametrize("deleted", [(False, True), (True, False), (True, False, True)])
@pytest.mark.variants(1)
async def test_whom_one_list_shows_as_here_and_as_gone_at_the_same_moment_does_not_leave(sandbox, sqlite_url, deleted):
    ada = slack_id(sandbox, "ada")

    def entries(now):
        return [{**now, "deleted": is_gone} for is_gone in deleted]

    await run_import(settings_for(sandbox.facts(), sqlite_url), rows=ROWS)
    with between(sandbox.slack_url, changed=listing(ada, entries)) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/"}, sqlite_url)
        summary = await run_import(settings, rows=ROWS)

    assert account(sandbox, "ada").active
    assert summary.count(outcome=Outcome.APPLIED) == 0


@pytest.mark.long
async def test_who_becomes_an_administrator_while_the_accounts_are_listed_is_not_written(sandbox, sqlite_url):
    def listed_twice(call: Call, answer):
        if not (promoted and call.path.startswith("/manage/v1/user?")):
            return None
        items = answer["data"]["items"]
        before = [{**item, "level": "user"} for item in items if item["username"] == "ada@example.com"]
        return {**answer, "data": {**answer["data"], "items": [*before, *items]}}

    promoted: list[int] = []
    with between(sandbox.docebo_url, changed=listed_twice) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=ROWS)
        promoted.append(account(sandbox, "ada").user_id)
        sandbox.docebo.edit(promoted[0], {"level": "godadmin"})
        sandbox.slack.change(slack_id(sandbox, "ada"), {"profile": {"last_name": "King"}})

        await run_import(settings, rows=ROWS)

    assert account(sandbox, "ada").lastname == "Lovelace"


async def test_people_whom_slack_hides_night_by_night_do_not_make_ever_shorter_lists_the_measure(sandbox, sqlite_url):
    people = [sandbox.slack.add("Joe", f"Doe {n}", f"joe{n}@example.com")["id"] for n in range(36)]  # of 40
    rows = {**ON, "LEAVERS": "deactivate"}

    def without(call: Call, answer):
        if "users.list" not in call.path:
            return None
        return {**answer, "members": [one for one in answer["members"] if one["id"] not in sandbox.slack.invisible]}

    with between(sandbox.slack_url.removesuffix("/api/"), changed=without) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/api/"}, sqlite_url)
        await run_import(settings, rows=rows)
        sandbox.slack.invisible = set(people[:3])
        await run_import(settings, rows=rows)
        sandbox.slack.invisible = set(people[:6])

        with pytest.raises(IncompleteRead, match="listed 34 users, the last complete read had 40"):
            await run_import(settings, rows=rows)
        await run_import(settings, rows={**rows, "SOURCE_MAY_SHRINK": "20"})  # for one run, as that says
        again = await run_import(settings, rows=rows)

    assert again.count(outcome=Outcome.APPLIED) == 0
    assert all(account(sandbox, f"joe{n}").active for n in range(36))


async def test_who_is_shown_without_a_word_on_being_active_neither_leaves_nor_comes_back_nor_gets_an_account(
    sandbox, sqlite_url
):
    eva, ada, bob = (slack_id(sandbox, name) for name in ("eva", "ada", "bob"))
    silent = {eva, ada}

    def without(call: Call, answer):
        for one in answer.get("members", []) if isinstance(answer, dict) else []:
            if one["id"] in silent:
                one.pop("deleted")
        return answer

    with between(sandbox.slack_url.removesuffix("/api/"), changed=without) as url:
        settings = settings_for({**sandbox.facts(), "slack_url": f"{url}/api/"}, sqlite_url)
        rows = {**ROWS, "LEAVERS_OUT_OF_SCOPE": "true", "LIMIT_DEACTIVATIONS": "none"}
        await run_import(settings, rows=rows)
        made = [account(sandbox, name) is not None for name in ("eva", "ada", "bob")]
        silent.clear()
        await run_import(settings, rows=rows)
        sandbox.slack.deactivate(ada)
        await run_import(settings, rows=rows)
        silent |= {ada, bob}
        await run_import(settings, rows=rows)

    assert made == [False, False, True]
    assert [account(sandbox, name).active for name in ("eva", "ada", "bob")] == [True, False, True]


@pytest.mark.long
async def test_where_docebo_answers_400_all_missing_accounts_are_asked_for_at_two_calls_each_and_then_no_more(
    sandbox, sqlite_url
):
    sandbox.docebo.switches = replace(sandbox.docebo.switches, not_found_as_400=True)
    settings = settings_for(sandbox.facts(), sqlite_url)
    rows = {**ROWS, "PROVISION_SLACK_USER_DATA": "false"}  # nobody gets another account, who would be searched for
    await run_import(settings, rows=ROWS)
    await run_import(settings, rows=ROWS)  # lists them
    for name in ("eva", "ada"):  # below the limit a few are asked for before Slack has told anybody's address
        sandbox.docebo.delete(account(sandbox, name).user_id)

    first = await run_import(settings, rows=rows)
    second = await run_import(settings, rows=rows)

    assert first.plan.facts["evidence_calls"] == 4
    assert not second.plan.facts.get("evidence_calls")
    assert first.undecided == second.undecided == 0
