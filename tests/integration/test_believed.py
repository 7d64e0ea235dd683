"""Docebo's yes is no evidence by itself: whether somebody gets in is believed once an account shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from sandbox.docebo.switches import Switches, switched
from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing import rereading
from slack_docebo.engine.writing.rereading import Rereading
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from tests.between import Answer, Call, between, in_json
from tests.importing import ON, prove, run_import, settings_for
from tests.integration.realtime_world import world

ROWS = {**ON, "LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "SOURCE_MAY_SHRINK": "50"}
NAMES = ("ada", "bob", "eva")
VIEW = "GET /manage/v1/user/{id}"


@pytest.fixture
def sandbox(small_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    small_sandbox.reset()
    monkeypatch.setattr(rereading, "SHOWN_AFTER", (0, 0))
    for name in NAMES:
        small_sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
    return small_sandbox


async def nightly(sandbox: Sandbox, database_url: str, *, leavers: str = "deactivate", ignored: str = "") -> Summary:
    """Import, where Docebo says that it has done what is *ignored*."""
    sandbox.docebo.switches = switched(Switches(), {"ignored": ignored})
    settings = settings_for(sandbox.facts(), database_url)
    prove(settings)
    return await run_import(settings, rows={**ROWS, "LEAVERS": leavers})


def leave(sandbox: Sandbox, *names: str) -> None:
    for name in names:
        sandbox.slack.deactivate(str(sandbox.slack.by_email(f"{name}@example.com")["id"]))


def come_back(sandbox: Sandbox, name: str) -> None:
    [slack_id] = [user["id"] for user in sandbox.slack if user["name"].startswith(name)]
    sandbox.slack.reactivate(slack_id)


async def shut_out(sandbox: Sandbox, settings: Any) -> Any:
    """Let everybody leave between two imports, and return what the second came to."""
    prove(settings)
    await run_import(settings, rows=ROWS)
    leave(sandbox, *NAMES)
    return await run_import(settings, rows=ROWS)


def who_gets_in(sandbox: Sandbox) -> set[str]:
    today = datetime.now(UTC).date().isoformat()
    accounts = {name: sandbox.docebo.accounts.by_username(f"{name}@example.com") for name in NAMES}
    return {name for name, one in accounts.items() if one.active and (one.expiration or "9") > today}


@pytest.mark.long
@pytest.mark.parametrize(("leavers", "ignored"), [("deactivate", "status"), ("expire", "expiration_date")])
async def test_that_leavers_are_shut_out_is_not_believed_before_an_account_shows_it(
    sandbox, sqlite_url, leavers, ignored
):
    await nightly(sandbox, sqlite_url)
    leave(sandbox, *NAMES)

    claimed = await nightly(sandbox, sqlite_url, leavers=leavers, ignored=ignored)
    assert who_gets_in(sandbox) == set(NAMES)
    done = await nightly(sandbox, sqlite_url, leavers=leavers)

    assert claimed.count(Kind.DEACTIVATE, outcome=Outcome.FAILED) == len(NAMES)
    assert done.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == len(NAMES)
    assert who_gets_in(sandbox) == set()


async def test_a_few_leavers_who_still_get_in_are_looked_at_one_by_one_where_a_list_of_all_takes_more_calls(
    sandbox, sqlite_url
):
    more = ("kim", "max", "tom")
    for name in more:
        sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
    for number in range(2_400):
        sandbox.docebo.accounts.add(f"other{number}")
    await nightly(sandbox, sqlite_url)
    leave(sandbox, *NAMES, *more)
    await nightly(sandbox, sqlite_url, ignored="status")
    sandbox.docebo_gate.counters.reset()

    await nightly(sandbox, sqlite_url)

    assert sandbox.docebo_gate.counters.calls["GET /manage/v1/user"] < 2 * 13  # a list has 13 pages


@pytest.mark.parametrize("by_event", [False, True])
@pytest.mark.parametrize("says", ["yes", "nothing", "500"])
@pytest.mark.variants(1)
async def test_whom_we_have_shut_out_before_docebo_shows_it_anywhere_gets_in_on_return(
    sandbox, sqlite_url, tmp_path, says, by_event
):
    """Docebo says that it has done so, says nothing of it, or fails at that row each time."""
    sandbox.docebo.switches = switched(Switches(), {"status_answer": "silent"} if says == "nothing" else {})
    ada = str(sandbox.slack.by_email("ada@example.com")["id"])
    is_behind = False

    def as_before(call: Call, answer: Any) -> Any:
        if not is_behind or not call.path.startswith("/manage/v1/user"):
            return None
        for shown in (answer["data"].get("user_data", {}), *answer["data"].get("items", ())):
            shown |= {key: "1" for key in ("valid", "status") if key in shown}
        return answer

    def done_and_failed(call: Call) -> Answer | None:
        account = sandbox.docebo.accounts.by_username("ada@example.com")
        if not (
            is_behind
            and says == "500"
            and call.path.endswith("change_status")
            and str(account.user_id) in call.body.decode()
        ):
            return None
        sandbox.docebo.edit(account.user_id, {"active": False})
        return in_json({"message": ["Internal error"]}, 500)

    with between(sandbox.docebo_url, done_and_failed, as_before) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        prove(settings)
        await run_import(settings, rows=ROWS)
        leave(sandbox, "ada", "bob")
        is_behind = True
        await run_import(settings, rows=ROWS)
        is_behind = False
        assert who_gets_in(sandbox) == {"eva"}
        sandbox.slack.reactivate(ada)
        if by_event:
            async with world(sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": url}) as here:
                here.put(here.event(ada))
                await here.serve()
        else:
            await run_import(settings, rows=ROWS)

    assert who_gets_in(sandbox) == {"ada", "eva"}


async def test_that_who_returns_gets_in_is_not_believed_before_the_account_shows_it(sandbox, sqlite_url):
    await nightly(sandbox, sqlite_url)
    leave(sandbox, "ada")
    await nightly(sandbox, sqlite_url)
    come_back(sandbox, "ada")

    claimed = await nightly(sandbox, sqlite_url, ignored="active")
    done = await nightly(sandbox, sqlite_url)

    assert claimed.count(Kind.UPDATE, outcome=Outcome.FAILED) == 1
    assert done.count(Kind.UPDATE, outcome=Outcome.APPLIED) == 1
    assert who_gets_in(sandbox) == set(NAMES)


@pytest.mark.long
async def test_what_docebo_says_of_many_leavers_is_held_against_one_account(sandbox, sqlite_url):
    await nightly(sandbox, sqlite_url)
    leave(sandbox, *NAMES)
    sandbox.docebo_gate.counters.reset()

    done = await nightly(sandbox, sqlite_url)

    assert who_gets_in(sandbox) == set()
    asked = len(NAMES) + 1  # each right before it is shut, and one of them after it
    assert sandbox.docebo_gate.counters.calls[VIEW] == asked
    assert done.plan.facts["evidence_calls"] == asked


async def test_an_account_that_we_have_shut_and_that_is_open_again_is_told_of_once_and_left_so(sandbox, sqlite_url):
    """Somebody has opened it, or Docebo has never shut it: nobody can tell."""
    await nightly(sandbox, sqlite_url)
    leave(sandbox, "ada")
    await nightly(sandbox, sqlite_url)
    sandbox.docebo.edit(sandbox.docebo.accounts.by_username("ada@example.com").user_id, {"active": True})

    same_hour = await nightly(sandbox, sqlite_url)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        next_night = await nightly(sandbox, sqlite_url)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        night_after = await nightly(sandbox, sqlite_url)

    assert "ada" in who_gets_in(sandbox)
    assert [night.newly_undecided for night in (same_hour, next_night, night_after)] == [0, 1, 0]
    assert night_after.undecided == 1


@pytest.mark.variants(1)
@pytest.mark.parametrize("others", [0, 6], ids=["asked one by one", "listed"])
async def test_of_whom_the_answer_tells_nothing_is_found_out_at_once(sandbox, sqlite_url, others):
    """Docebo names some only of those whom it was told of; what it shows of the others may be behind."""
    names = [*NAMES, *(f"n{number}" for number in range(others))]
    for name in names[len(NAMES) :]:
        sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
    told = sandbox.docebo_url
    shut: list[str] = []

    def changed(call: Call, answer: Any) -> Any:
        if call.path.endswith("/change_status"):
            shut.append("just now")
            return {"data": {"updated_ids": answer["data"]["updated_ids"][:1]}}
        is_list = call.method == "GET" and call.path.startswith("/manage/v1/user?")
        if shut and is_list:
            items = [{**item, "status": "1"} for item in answer["data"]["items"]]
            return {"data": {**answer["data"], "items": items}}
        return None

    with between(told, changed=changed) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        prove(settings)
        await run_import(settings, rows=ROWS)
        leave(sandbox, *names)
        done = await run_import(settings, rows={**ROWS, "SOURCE_MAY_SHRINK": "100"})

    assert done.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == len(names)
    assert done.count(outcome=Outcome.FAILED) == 0
    calls = done.plan.facts["calls"]
    assert done.plan.facts["evidence_calls"] == calls["user"] + calls.get("find users", 0)


async def test_it_stays_known_that_we_may_have_shut_accounts_whose_status_a_search_alone_shows_late(
    sandbox, sqlite_url
):
    """Else whoever is back would stay shut out, as if somebody else had shut the account."""
    late: list[str] = []

    def changed(call: Call, answer: Any) -> Any:
        if call.path.endswith("/change_status"):
            late.append("just now")
            return {"data": {"updated_ids": answer["data"]["updated_ids"][:1]}}
        if call.method == "GET" and call.path.startswith("/manage/v1/user?") and late:
            return {"data": {**answer["data"], "items": [{**item, "status": "1"} for item in answer["data"]["items"]]}}
        if "user_data" in answer.get("data", ()):
            hidden = {"status", "valid"}
            user = {name: value for name, value in answer["data"]["user_data"].items() if name not in hidden}
            return {"data": {**answer["data"], "user_data": user}}
        return None

    with between(sandbox.docebo_url, changed=changed) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        done = await shut_out(sandbox, settings)
        assert done.count(Kind.DEACTIVATE, outcome=Outcome.SKIPPED) == len(NAMES)
        late.clear()

        await run_import(settings, rows=ROWS)
        for name in NAMES:
            come_back(sandbox, name)
        await run_import(settings, rows=ROWS)

    assert who_gets_in(sandbox) == set(NAMES)


async def test_what_a_status_that_is_neither_yes_nor_no_leaves_open_has_not_failed(sandbox, sqlite_url):
    """Docebo does not name who was shut, and shows them as suspended: that may be what it makes of it."""
    shut: list[str] = []

    def changed(call: Call, answer: Any) -> Any:
        if call.path.endswith("/change_status"):
            shut.append("just now")
            return {"data": {"updated_ids": answer["data"]["updated_ids"][:1]}}
        if shut and "user_data" in answer.get("data", ()):
            user = {**answer["data"]["user_data"], "valid": "suspended", "status": "suspended"}
            return {"data": {**answer["data"], "user_data": user}}
        if shut and call.method == "GET" and call.path.startswith("/manage/v1/user?"):
            items = [{**item, "status": "suspended"} for item in answer["data"]["items"]]
            return {"data": {**answer["data"], "items": items}}
        return None

    with between(sandbox.docebo_url, changed=changed) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        done = await shut_out(sandbox, settings)

    assert done.count(Kind.DEACTIVATE, outcome=Outcome.FAILED) == 0
    assert done.count(Kind.DEACTIVATE, outcome=Outcome.SKIPPED) == len(NAMES) - 1


async def test_a_search_that_is_behind_takes_nothing_back_of_what_an_account_shows_by_its_id(sandbox, sqlite_url):
    before: dict[str, Any] = {}

    def as_before(call: Call, answer: Any) -> Any:
        if call.method != "GET" or not call.path.startswith("/manage/v1/user?"):
            return None
        items = [before.setdefault(item["user_id"], item) for item in answer["data"]["items"]]
        return {"data": {**answer["data"], "items": items}}

    with between(sandbox.docebo_url, changed=as_before) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings, rows=ROWS)
        ada = sandbox.docebo.accounts.by_username("ada@example.com").user_id
        async with open_runtime(settings, read_rows(table(ROWS)), run_id="test") as runtime:
            await runtime.docebo.find_users("ada@example.com")
            sandbox.docebo.edit(ada, {"level": "godadmin", "active": False, "email": "king@example.com"})
            shown = Rereading(runtime)
            await shown.view(ada)
            listed = await shown.with_username("ada@example.com")

    assert [(one.administrator, one.active, one.email) for one in listed] == [(False, True, "ada@example.com")]
    now = shown.accounts.get(ada)
    assert (now.administrator, now.active, now.email) == (True, False, "king@example.com")
