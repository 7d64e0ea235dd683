"""Leavers are deactivated, whatever form Docebo answers in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.realtime.upkeep import tidy
from slack_docebo.engine.writing.verifying import CONTRADICTED
from slack_docebo.errors import ChangeLimitExceeded
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.events import EventState
from slack_docebo.storage.store import Store
from tests.between import Call, between, refusing
from tests.importing import ON, prove, run_import, settings_for
from tests.integration.after_an_import import delete_mappings
from tests.integration.realtime_world import world

LEAVERS = {"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "SOURCE_MAY_SHRINK": "100"}
PEOPLE = 210  # three calls


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=20, rate_limits=False) as running:
        yield running


@pytest.mark.long
@pytest.mark.parametrize("form", ["array", "silent", "ids", "rows"])
async def test_all_of_many_leavers_are_done_whatever_form_the_answer_has(sandbox, sqlite_url, form):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url)
    people = [str(sandbox.slack.add("Ada", f"No{n}", f"ada{n}@example.com")["id"]) for n in range(PEOPLE)]
    await run_import(settings, rows=LEAVERS)
    sandbox.docebo.switches = replace(sandbox.docebo.switches, status_answer=form)
    for slack_id in people:
        sandbox.slack.deactivate(slack_id)

    done = await run_import(settings, rows=LEAVERS)

    assert done.count(outcome=Outcome.APPLIED) == PEOPLE
    assert not any(account.active for account in sandbox.docebo.accounts if account.email.startswith("ada"))


EXPIRING = {**LEAVERS, "LEAVERS": "expire"}


def ada_of(sandbox):
    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    return account


@pytest.mark.long
@pytest.mark.parametrize("is_listed", [True, False])
async def test_an_account_expires_with_the_day_and_who_returns_has_it_again(sandbox, sqlite_url, is_listed):
    sandbox.reset()
    sandbox.docebo.switches = replace(sandbox.docebo.switches, columns_listed=is_listed)
    settings, today = settings_for(sandbox.facts(), sqlite_url), datetime.now(UTC).date().isoformat()
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings, rows=EXPIRING)
    sandbox.slack.deactivate(slack_id)

    left = await run_import(settings, rows=EXPIRING)
    assert (ada_of(sandbox).active, ada_of(sandbox).expiration) == (True, today)
    assert left.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
    assert (await run_import(settings, rows=EXPIRING)).count(outcome=Outcome.APPLIED) == 0

    sandbox.slack.reactivate(slack_id)
    await run_import(settings, rows=EXPIRING)
    assert not ada_of(sandbox).expiration
    assert (await run_import(settings, rows=EXPIRING)).count(outcome=Outcome.APPLIED) == 0


async def test_a_leaver_whose_account_ends_on_a_day_in_another_form_is_shut_out_and_gets_in_on_return(
    sandbox, sqlite_url
):
    def day_first(_call: Any, answer: Any) -> Any:
        for item in answer.get("data", {}).get("items", ()) if isinstance(answer.get("data"), dict) else ():
            if day := item.get("expiration_date"):
                item["expiration_date"] = "/".join(reversed(day.split("-")))
        return answer

    sandbox.reset()
    sandbox.docebo.switches = replace(sandbox.docebo.switches, columns_listed=True)
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    with between(sandbox.docebo_url, changed=day_first) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        await run_import(settings, rows=EXPIRING)
        sandbox.docebo.edit(ada_of(sandbox).user_id, {"expiration": "2099-01-15"})  # 15/01/2099 < 2026 as a text
        sandbox.slack.deactivate(slack_id)

        left = await run_import(settings, rows=EXPIRING)
        assert ada_of(sandbox).expiration == datetime.now(UTC).date().isoformat()
        assert left.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
        assert (await run_import(settings, rows=EXPIRING)).count(outcome=Outcome.APPLIED) == 0

        sandbox.slack.reactivate(slack_id)
        await run_import(settings, rows=EXPIRING)
        assert not ada_of(sandbox).expiration


@pytest.mark.long
@pytest.mark.parametrize("is_listed", [True, False])
async def test_an_account_that_docebo_lets_nobody_change_keeps_no_other_one_open_or_shut(
    sandbox, sqlite_url, is_listed
):
    sandbox.reset()
    sandbox.docebo.switches = replace(sandbox.docebo.switches, columns_listed=is_listed)
    ada, bea = (sandbox.slack.add(name, "Lovelace", f"{name}@example.com")["id"] for name in ("ada", "bea"))
    locked: set[int] = set()
    with between(sandbox.docebo_url, instead=refusing(locked)) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        await run_import(settings, rows=EXPIRING)
        of_both = [sandbox.docebo.accounts.by_email(f"{name}@example.com")[0] for name in ("ada", "bea")]

        async def look(change: Callable[[str], Any]) -> None:
            locked.add(of_both[0].user_id)
            change(ada)
            refused = await run_import(settings, rows=EXPIRING)
            assert (refused.count(outcome=Outcome.APPLIED), refused.count(outcome=Outcome.FAILED)) == (0, 1)
            with Store.open(sqlite_url) as store, store.reading() as tables:
                told = [one.error for one in tables.operations.rows(refused.plan.id) if one.outcome is Outcome.FAILED]
            assert CONTRADICTED not in told
            locked.clear()
            change(bea)
            await run_import(settings, rows=EXPIRING)

        await look(sandbox.slack.deactivate)
        assert all(account.expiration for account in of_both)
        await look(sandbox.slack.reactivate)
        assert not any(account.expiration for account in of_both)


@pytest.mark.long
async def test_who_returns_to_an_account_whose_end_docebo_does_not_take_away_is_told_with_what_to_set_by_hand(
    sandbox, sqlite_url
):
    sandbox.reset()
    sandbox.docebo.switches = replace(sandbox.docebo.switches, empty_ignored=True)
    settings = settings_for(sandbox.facts(), sqlite_url)
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings, rows=EXPIRING)
    sandbox.slack.deactivate(slack_id)
    await run_import(settings, rows=EXPIRING)
    sandbox.slack.reactivate(slack_id)

    back = await run_import(settings, rows=EXPIRING)

    with Store.open(sqlite_url) as store, store.reading() as tables:
        [told] = [one.error for one in tables.operations.rows(back.plan.id) if one.outcome is Outcome.FAILED]
    assert "when it expires" in told


def without_dates(call: Call, answer: Any) -> Any:
    """A list of accounts that does not show when they expire."""
    if call.method == "GET" and call.path.startswith("/manage/v1/user?"):
        for item in answer["data"]["items"]:
            del item["expiration_date"]
        return answer
    return None


@pytest.fixture(params=[True, False], ids=["dates are listed", "dates are not listed"])
def expiring(request, sandbox, sqlite_url) -> Iterator[Settings]:
    """Settings for a Docebo that lists when accounts expire, or does not."""
    sandbox.reset()
    facts = sandbox.facts()
    if request.param:
        yield settings_for(facts, sqlite_url)
    else:
        with between(facts["docebo_url"], changed=without_dates) as address:
            yield settings_for(facts | {"docebo_url": address}, sqlite_url)


@pytest.mark.long
async def test_who_returns_to_an_account_that_expired_and_was_shut_since_gets_in(sandbox, expiring):
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(expiring, rows=EXPIRING)
    sandbox.slack.deactivate(slack_id)
    await run_import(expiring, rows=EXPIRING)
    sandbox.docebo.edit(ada_of(sandbox).user_id, {"active": False})

    sandbox.slack.reactivate(slack_id)
    await run_import(expiring, rows=EXPIRING)

    assert (ada_of(sandbox).active, ada_of(sandbox).expiration) == (True, None)


async def undo(settings: Settings, plan_id: str) -> None:
    async with open_runtime(settings, read_rows(table({**ON, **EXPIRING})), run_id="undo") as runtime:
        await apply_saved(runtime, plan_undo(runtime, plan_id), lambda _: None)


@pytest.mark.variants(1)
async def test_who_is_back_once_an_expiration_was_undone_gets_in(sandbox, expiring):
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(expiring, rows=EXPIRING)
    sandbox.slack.deactivate(slack_id)
    left = await run_import(expiring, rows=EXPIRING)

    await undo(expiring, left.plan.id)
    sandbox.slack.reactivate(slack_id)
    await run_import(expiring, rows=EXPIRING)

    assert (ada_of(sandbox).active, ada_of(sandbox).expiration) == (True, None)


@pytest.mark.long
async def test_who_leaves_once_a_return_was_undone_is_shut_out(sandbox, expiring):
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(expiring, rows=EXPIRING)
    sandbox.slack.deactivate(slack_id)
    await run_import(expiring, rows=EXPIRING)
    sandbox.slack.reactivate(slack_id)
    back = await run_import(expiring, rows=EXPIRING)

    sandbox.slack.deactivate(slack_id)
    await undo(expiring, back.plan.id)
    await run_import(expiring, rows=EXPIRING)

    assert ada_of(sandbox).expiration == datetime.now(UTC).date().isoformat()


@pytest.mark.long
@pytest.mark.parametrize(("days_away", "is_kept"), [(7, True), (60, False)])
async def test_who_returns_to_an_account_that_expired_has_its_end_of_before_if_that_is_to_come(
    sandbox, sqlite_url, days_away, is_kept
):
    sandbox.reset()
    settings, begun = settings_for(sandbox.facts(), sqlite_url), datetime.now(UTC)
    end = (begun + timedelta(days=30)).date().isoformat()
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings, rows=EXPIRING)
    sandbox.docebo.edit(ada_of(sandbox).user_id, {"expiration": end})
    sandbox.slack.deactivate(slack_id)
    await run_import(settings, rows=EXPIRING)
    assert ada_of(sandbox).expiration == begun.date().isoformat()

    sandbox.slack.reactivate(slack_id)
    with time_machine.travel(begun + timedelta(days=days_away)):
        await run_import(settings, rows=EXPIRING)

    assert ada_of(sandbox).expiration == (end if is_kept else None)


AHEAD, BEHIND = {"TIME_ZONE": "Pacific/Kiritimati"}, {"TIME_ZONE": "Etc/GMT+12"}  # whose calendars differ at any moment


@pytest.mark.variants(1)
async def test_who_returns_to_an_account_that_ends_on_a_day_that_todays_time_zone_has_not_reached_gets_in(
    sandbox, expiring
):
    begun, slack_id = datetime.now(UTC), str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(expiring, rows={**EXPIRING, **AHEAD})
    sandbox.slack.deactivate(slack_id)
    left = await run_import(expiring, rows={**EXPIRING, **AHEAD})

    with time_machine.travel(begun + timedelta(hours=2)):  # when a list shows an account that we have shut
        away = await run_import(expiring, rows={**EXPIRING, **BEHIND})
        sandbox.slack.reactivate(slack_id)
        back = await run_import(expiring, rows={**EXPIRING, **BEHIND})

    assert away.undecided == left.undecided  # nobody is told to look why the account is open
    assert back.count(Kind.UPDATE, outcome=Outcome.APPLIED) == 1
    assert (ada_of(sandbox).active, ada_of(sandbox).expiration) == (True, None)


@pytest.mark.variants(1)
async def test_who_returns_once_the_plans_of_then_are_deleted_has_the_end_of_before(sandbox, expiring):
    begun, end = datetime.now(UTC), "2999-12-31"
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(expiring, rows=EXPIRING)
    sandbox.docebo.edit(ada_of(sandbox).user_id, {"expiration": end})
    sandbox.slack.deactivate(slack_id)
    await run_import(expiring, rows=EXPIRING)

    with time_machine.travel(begun + timedelta(days=100)):
        before = await run_import(expiring, rows=EXPIRING)
        async with open_runtime(expiring, read_rows(table({**ON, **EXPIRING})), run_id="sweep") as runtime:
            assert tidy(runtime).plans
        after = await run_import(expiring, rows=EXPIRING)
        sandbox.slack.reactivate(slack_id)
        await run_import(expiring, rows=EXPIRING)

    assert before.undecided == after.undecided
    assert ada_of(sandbox).expiration == (end if expiring.docebo_url == sandbox.docebo_url else None)  # if shown


@pytest.mark.parametrize("meanwhile", ["the mapping is deleted", "it passes on while nothing is provisioned"])
@pytest.mark.variants(1)
async def test_who_returns_under_a_new_id_to_an_account_that_expired_has_its_end_of_before(
    sandbox, sqlite_url, meanwhile
):
    sandbox.reset()
    settings, end = settings_for(sandbox.facts(), sqlite_url), "2999-12-31"
    rows = {**EXPIRING, "REHIRES": "hand-over", "LIMIT_REMAPPINGS": "none"}
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings, rows=rows)
    sandbox.docebo.edit(ada_of(sandbox).user_id, {"expiration": end})
    sandbox.slack.deactivate(slack_id)
    await run_import(settings, rows=rows)
    sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    if meanwhile == "the mapping is deleted":
        delete_mappings(settings, sandbox.slack.team.id, slack_id)
    else:
        await run_import(settings, rows={**rows, "PROVISION_SLACK_USER_DATA": "false"})

    await run_import(settings, rows=rows)

    assert (ada_of(sandbox).active, ada_of(sandbox).expiration) == (True, end)


@pytest.mark.long
async def test_expirations_count_as_deactivations_in_the_limits(sandbox, sqlite_url):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url)
    slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    await run_import(settings, rows=EXPIRING)
    sandbox.slack.deactivate(slack_id)

    with pytest.raises(ChangeLimitExceeded, match="deactivate"):
        await run_import(settings, rows={**EXPIRING, "LIMIT_DEACTIVATIONS": "0"})
    assert not ada_of(sandbox).expiration


@dataclass
class Lagging:
    """An installation whose Docebo lists each account as it did first, until `listed` is cleared."""

    look: Callable[[], Awaitable[None]]  # by events or by an import
    listed: dict[str, Any]
    ada: str  # who is here, and whose account was listed so


@pytest.fixture(params=["events", "imports"])
async def lagging(request, leavers, sandbox, sqlite_url, tmp_path) -> AsyncIterator[Lagging]:
    sandbox.reset()
    rows = {**LEAVERS, "LEAVERS": leavers, **AHEAD}  # where it may be tomorrow already
    listed: dict[str, Any] = {}

    def as_before(call: Call, answer: Any) -> Any:
        if not call.path.startswith("/manage/v1/user?"):
            return None
        for place, item in enumerate(answer["data"]["items"]):
            answer["data"]["items"][place] = listed.setdefault(item["user_id"], item)
        return answer

    with between(sandbox.docebo_url, changed=as_before) as url:
        slack_id = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        prove(settings)

        async def look() -> None:
            if request.param == "imports":
                await run_import(settings, rows=rows)
                return
            async with world(sandbox, sqlite_url, tmp_path, addresses={"DOCEBO_URL": url}, **rows) as here:
                here.put(here.event(slack_id))
                await here.serve()

        await run_import(settings, rows=rows)
        await run_import(settings, rows=rows)  # which lists the account as open
        yield Lagging(look, listed, slack_id)


def is_open(account: Any) -> bool:
    return account.active and not account.expiration


@pytest.mark.variants(1)
@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
async def test_who_is_back_before_docebo_lists_that_the_account_was_shut_gets_in(sandbox, lagging):
    sandbox.slack.deactivate(lagging.ada)
    await lagging.look()
    assert not is_open(ada_of(sandbox))
    sandbox.slack.reactivate(lagging.ada)

    await lagging.look()

    assert is_open(ada_of(sandbox))


@pytest.mark.parametrize("leavers", ["expire", pytest.param("deactivate", marks=pytest.mark.long)])
@pytest.mark.variants(1)
async def test_who_leaves_before_docebo_lists_that_the_account_was_opened_is_shut_out(sandbox, lagging):
    sandbox.slack.deactivate(lagging.ada)
    await lagging.look()
    lagging.listed.clear()
    sandbox.slack.reactivate(lagging.ada)
    await lagging.look()
    assert is_open(ada_of(sandbox))
    sandbox.slack.deactivate(lagging.ada)

    await lagging.look()

    assert not is_open(ada_of(sandbox))


@pytest.mark.long
@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
async def test_who_leaves_before_docebo_lists_the_new_address_is_shut_out(sandbox, lagging):
    account = ada_of(sandbox)
    sandbox.slack.change(lagging.ada, {"profile": {"last_name": "King", "email": "king@example.com"}})
    await lagging.look()
    assert (account.lastname, account.email) == ("King", "king@example.com")
    sandbox.slack.deactivate(lagging.ada)

    await lagging.look()

    assert not is_open(account)


@pytest.mark.variants(1)
@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
async def test_whose_account_became_an_administrators_before_docebo_lists_it_so_is_not_shut_out(
    sandbox, lagging, sqlite_url
):
    sandbox.docebo.edit(ada_of(sandbox).user_id, {"level": "godadmin"})
    sandbox.slack.deactivate(lagging.ada)

    await lagging.look()

    assert is_open(ada_of(sandbox))
    with Store.open(sqlite_url) as store, store.reading() as tables:
        assert tables.inbox.oldest(1, EventState.PARKED) == []  # trying again would find the same
