"""An account that Docebo says to have made, not which one, and that nobody finds: there is no second one before it is found."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.decisions import SEEN
from slack_docebo.domain.dialect import PROVEN
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.unfound import NOT_FOUND_YET
from slack_docebo.engine.mappings.deciding import DecisionAction, DecisionRequest, decide
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing import left_behind, proving
from slack_docebo.errors import ConfigurationError, Unproven
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.store import Store
from tests.between import Call, between
from tests.importing import ON, mapped, prove, run_import, settings_for


class Secretive:
    """A Docebo that does not say the ids of new accounts and, as long as it hides them, shows them by no list and no search."""

    def __init__(self) -> None:
        self.hides = True
        self.sent: list[str] = []  # the usernames of new accounts, one for each row

    def __call__(self, call: Call, answer: Any) -> Any:
        if call.path.endswith("/user/batch"):
            body = json.loads(call.body)
            if not body["options"]["update_user_info"]:
                self.sent += [row["username"] for row in body["items"]]
                return {**answer, "data": [{**row, "output": {}} for row in answer["data"]]}
        if self.hides and re.match(r"/manage/v1/user\?", call.path):
            data = answer["data"]
            shown = [one for one in data["items"] if one["username"] not in self.sent]
            hidden = len(data["items"]) - len(shown)
            counted = {name: data[name] - hidden for name in ("count", "total_count") if name in data}
            return {**answer, "data": {**data, "items": shown, **counted}}
        return None


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setattr(proving, "SEARCHED_AFTER", (0, 0))
    with Sandbox(users=1, docebo_users=5, rate_limits=False) as running:
        yield running


@pytest.fixture
def docebo() -> Secretive:
    return Secretive()


@pytest.fixture
def settings(sandbox: Sandbox, docebo: Secretive, sqlite_url: str) -> Iterator[Settings]:
    with between(sandbox.docebo_url, changed=docebo) as url:
        yield settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)


def join(sandbox: Sandbox, *names: str) -> list[str]:
    return [sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")["id"] for name in names]


def made(sandbox: Sandbox) -> list[str]:
    return [account.username for account in sandbox.docebo.accounts if account.provisioned_by]


def waiting(summary: Summary) -> int:
    return sum(n for kind, reason, _, n in summary.tally if kind is Kind.LEAVE and NOT_FOUND_YET in reason)


async def decided(settings: Settings, action: DecisionAction, *slack_ids: str, docebo_id: int = 0) -> str:
    async with open_runtime(settings, read_rows(table(ON)), run_id="by-hand") as runtime:
        request = DecisionRequest(action, slack_ids, docebo_id=docebo_id, why="looked in Docebo", by="Grace")
        return await decide(runtime, await validate(runtime), request)


@pytest.mark.long
async def test_whose_account_nobody_finds_gets_no_second_one_under_another_address(
    sandbox, docebo, settings, monkeypatch
):
    [ada] = join(sandbox, "ada")
    prove(settings)
    await run_import(settings)
    sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})

    second = await run_import(settings)
    monkeypatch.setattr(left_behind, "INDEX_LAG", timedelta(0))  # after which nobody looks for what was sent
    third, fourth = await run_import(settings), await run_import(settings)

    assert made(sandbox) == docebo.sent == ["ada@example.com"]
    assert [waiting(one) for one in (second, third, fourth)] == [1, 1, 1]
    assert (second.undecided, second.newly_undecided, third.newly_undecided) == (1, 1, 0)


@pytest.mark.long
async def test_an_account_that_shows_later_is_that_of_the_person_for_whom_it_was_made(sandbox, docebo, settings):
    [ada] = join(sandbox, "ada")
    prove(settings)
    await run_import(settings)
    await run_import(settings)

    docebo.hides = False
    sandbox.slack.change(ada, {"profile": {"email": "countess@example.com"}})
    await run_import(settings)
    again = await run_import(settings)

    assert docebo.sent == ["ada@example.com"]
    assert [one.email for one in sandbox.docebo.accounts if one.provisioned_by] == ["countess@example.com"]
    assert ada in mapped(settings.database_url.get_secret_value(), sandbox.slack.team.id)
    assert waiting(again) == 0


async def test_a_docebo_that_shows_no_new_account_makes_one_in_all_its_runs(sandbox, docebo, settings):
    join(sandbox, "ada", "bea", "cid", "dan")

    with pytest.raises(Unproven):
        await run_import(settings)
    later = [await run_import(settings) for _ in range(2)]

    assert len(made(sandbox)) == len(docebo.sent) == 1
    assert [one.count(Kind.CREATE, outcome=Outcome.FAILED) for one in later] == [3, 3]
    assert [waiting(one) for one in later] == [1, 1]

    docebo.hides = False
    await run_import(settings)
    assert len(made(sandbox)) == len(docebo.sent) == 4


@pytest.mark.long
async def test_a_docebo_that_was_seen_to_show_new_accounts_and_does_not_any_more_makes_those_of_one_call(
    sandbox, docebo, settings
):
    join(sandbox, *(f"person{number}" for number in range(250)))
    prove(settings)

    with pytest.raises(Unproven, match="Docebo does not say which"):
        await run_import(settings)
    second = await run_import(settings)

    assert len(made(sandbox)) == len(docebo.sent) == 100
    assert (waiting(second), second.count(Kind.CREATE, outcome=Outcome.FAILED)) == (100, 150)
    with Store.open(settings.database_url.get_secret_value()) as store, store.reading() as tables:
        assert "create" not in tables.dialect(settings.docebo_url).get(PROVEN.name).split(", ")


@pytest.mark.long
async def test_who_waits_for_an_account_that_somebody_has_found_is_linked_and_the_others_go_on(
    sandbox, docebo, settings
):
    join(sandbox, "ada", "bea")
    with pytest.raises(Unproven):
        await run_import(settings)
    [username] = docebo.sent
    waits = sandbox.slack.by_email(username)["id"]
    docebo_id = sandbox.docebo.accounts.by_username(username).user_id

    await decided(settings, DecisionAction.LINK, waits, docebo_id=docebo_id)
    with pytest.raises(Unproven):
        await run_import(settings)

    there = mapped(settings.database_url.get_secret_value(), sandbox.slack.team.id)
    assert there[waits] == docebo_id
    assert sorted(docebo.sent) == ["ada@example.com", "bea@example.com"]


async def test_who_waits_gets_an_account_once_somebody_says_that_none_was_made(sandbox, docebo, settings):
    [ada] = join(sandbox, "ada")
    prove(settings)
    await run_import(settings)
    sandbox.docebo.delete(sandbox.docebo.accounts.by_username("ada@example.com").user_id)
    await run_import(settings)
    docebo.hides = False

    await run_import(settings)
    sent_before = list(docebo.sent)
    with pytest.raises(ConfigurationError, match="no account is looked for"):
        await decided(settings, DecisionAction.NOT_MADE, ada, "U0NOBODY00")
    await decided(settings, DecisionAction.NOT_MADE, ada)
    await run_import(settings)

    assert (sent_before, docebo.sent) == (["ada@example.com"], ["ada@example.com"] * 2)
    assert ada in mapped(settings.database_url.get_secret_value(), sandbox.slack.team.id)


@pytest.mark.long
async def test_that_somebody_waits_can_be_acknowledged_and_makes_nobody_an_account(sandbox, docebo, settings):
    [ada] = join(sandbox, "ada")
    prove(settings)
    await run_import(settings)
    await run_import(settings)

    await decided(settings, DecisionAction.LEAVE_SO, ada)
    third = await run_import(settings)

    assert any(reason.startswith(SEEN + NOT_FOUND_YET) for _, reason, _, _ in third.tally)
    assert third.undecided == 0
    assert docebo.sent == ["ada@example.com"]


@pytest.mark.long
async def test_what_is_not_found_is_remembered_longer_than_plans_are_kept(sandbox, docebo, settings):
    join(sandbox, "ada")
    prove(settings)
    await run_import(settings)
    await run_import(settings)
    await run_import(settings)

    with Store.open(settings.database_url.get_secret_value()) as store, store.transaction() as tables:
        purged = tables.plans.purge(datetime.now(UTC) + timedelta(days=1), limit=10)
    last = await run_import(settings)

    assert purged > 0
    assert waiting(last) == 1
    assert docebo.sent == ["ada@example.com"]


@pytest.mark.parametrize("elsewhere", [True, False])
def test_an_account_on_another_platform_is_not_the_one_that_is_looked_for(sqlite_url, elsewhere):
    here, then = "https://lms.example.com", datetime.now(UTC) - timedelta(hours=1)
    creation = Operation("U1", "T1", "ada", Kind.CREATE, "new", changes={"username": "ada@example.com"})
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        for plan_id, docebo in (("1sent", here), ("2later", "https://other.example.com" if elsewhere else here)):
            tables.plans.create(Plan(plan_id, PlanKind.BULK_IMPORT, then, docebo=docebo, slack_team="T1"))
            tables.operations.add(plan_id, 0, [creation])
        tables.intents.note("1sent", [0], flow_run="dead", now=then)
        tables.operations.record("2later", [RowOutcome(0, Outcome.APPLIED, 7)], now=datetime.now(UTC), flow_run="r")

        assert bool(tables.unfound.all(here)) is elsewhere
