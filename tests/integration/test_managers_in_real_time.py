"""An event that changes whose manager somebody is gets the manager written at once, where an import would write it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.managing import plan_managers
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import Workspace, validate
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.realtime.rounds import serve_round
from slack_docebo.engine.realtime.serve_result import Became, ServeResult
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.storage.events import EventState
from slack_docebo.storage.plans import PlanState
from tests.importing import run_import
from tests.integration.realtime_world import World, world

RULES = "first_name, last_name, email, manager = title"
BATCH = "POST /manage/v1/user/batch"


class Team:
    """Ada and her managers, all with accounts, in an installation whose rule names managers by address."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.ids: dict[str, str] = {}

    def hire(self, name: str, manager: str = "") -> str:
        slack = self.here.sandbox.slack
        user = slack.add(name, "Lovelace", address(name), {"profile": {"title": manager and address(manager)}})
        self.ids[name] = user["id"]
        return self.ids[name]

    async def settle(self, *names: str) -> None:
        """Give them accounts, then forget the calls that took."""
        await self.here.settle([self.ids[name] for name in names])

    async def tell(self, name: str, manager: str | None = None):
        """Let Slack send an event about *name*, who may have another manager by now, and serve it."""
        if manager is not None:
            self.here.sandbox.slack.change(self.ids[name], {"profile": {"title": manager and address(manager)}})
        event = self.here.event(self.ids[name])
        self.here.put(event)
        served = await self.here.serve()
        assert self.here.state(event) is EventState.APPLIED
        return served

    def manager_of(self, name: str) -> int:
        return int(self.here.account(self.ids[name]).managers.get(1, 0))

    def account_of(self, name: str) -> int:
        return int(self.here.account(self.ids[name]).user_id)


def address(name: str) -> str:
    return f"{name.lower()}@example.com"


@pytest.fixture
async def team(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=RULES) as here:
        found = Team(here)
        for name in ("Grace", "Joan"):
            found.hire(name)
        found.hire("Ada", "Grace")
        await found.settle("Grace", "Joan", "Ada")
        yield found


async def test_an_account_that_shows_another_persons_address_gets_no_manager_by_an_event(team):
    await run_import(team.here.runtime.settings, rows={"ATTRIBUTES": RULES})  # which sees the address that was written
    account = team.here.account(team.ids["Ada"])
    team.here.sandbox.docebo.edit(account.user_id, {"email": address("Eve"), "firstname": "Eve"})
    team.hire("Eve")

    await team.tell("Ada", "Joan")

    assert team.manager_of("Ada") == team.account_of("Grace")


@pytest.mark.long
async def test_whoever_comes_with_a_manager_who_has_an_account_gets_that_manager_at_once(team):
    assert team.manager_of("Ada") == team.account_of("Grace")

    team.hire("Eve", "Joan")
    served = await team.tell("Eve")

    assert team.manager_of("Eve") == team.account_of("Joan")
    assert served.operations == {Kind.CREATE: 1}
    assert team.here.sandbox.docebo_gate.counters.calls[BATCH] == 2  # the account, then the manager


@pytest.mark.long
async def test_an_event_that_changes_nothing_but_the_manager_is_one_row(team):
    served = await team.tell("Ada", "Joan")

    assert team.manager_of("Ada") == team.account_of("Joan")
    assert served.operations == {Kind.UPDATE: 1}
    assert [row["why"] for row in served.rows] == ["another manager"]
    assert team.here.sandbox.docebo_gate.counters.calls[BATCH] == 1
    assert (team.here.docebo_calls, team.here.slack_calls) == (4, 1)  # two accounts, who reports to her, the row; Slack


@pytest.mark.long
async def test_a_manager_who_is_no_other_costs_no_call(team):
    team.here.sandbox.slack.set_status(team.ids["Ada"], "in a meeting")
    served = await team.tell("Ada")

    assert (team.here.docebo_calls, team.here.slack_calls) == (0, 0)
    assert served.count(Became.IN_LINE) == 1


async def test_a_manager_without_an_account_waits_for_the_next_import(team):
    mary = team.hire("Mary")
    await team.tell("Ada", "Mary")
    assert (team.manager_of("Ada"), team.here.docebo_calls) == (team.account_of("Grace"), 0)

    await team.here.settle([mary])
    assert team.manager_of("Ada") == team.account_of("Grace")  # nothing has come about Ada since
    async with begun_import(team) as run:
        await run.carry_out(await run.plan())

    assert team.manager_of("Ada") == team.account_of("Mary")


async def test_nobody_out_of_scope_becomes_a_manager(team):
    team.here.sandbox.slack.deactivate(team.ids["Joan"])

    await team.tell("Ada", "Joan")

    assert team.manager_of("Ada") == team.account_of("Grace")
    assert team.here.docebo_calls == 0


@pytest.mark.long
async def test_an_event_that_has_waited_for_long_says_nothing_of_the_manager_of_now(team):
    long_ago = datetime.now(UTC) - timedelta(minutes=40)
    eve = team.hire("Eve", "Joan")
    team.here.put(team.here.event(eve, received_at=long_ago, updated=int(long_ago.timestamp())))

    served = await team.here.serve()

    assert served.operations == {Kind.CREATE: 1}
    assert team.manager_of("Eve") == 0


@pytest.mark.long
async def test_an_address_that_is_somebody_elses_in_slack_names_nobody(team):
    team.here.sandbox.slack.change(team.ids["Joan"], {"profile": {"email": "joan.newly@example.com"}})

    await team.tell("Ada", "Joan")

    assert team.manager_of("Ada") == team.account_of("Grace")


@pytest.mark.long
async def test_nobody_becomes_the_manager_of_the_own_manager(team):
    await team.tell("Grace", "Ada")

    assert team.manager_of("Grace") == 0
    assert team.here.docebo_calls == 0


@pytest.mark.long
async def test_nobody_becomes_the_manager_of_who_may_be_the_own_manager_by_a_call_of_a_dead_run(team):
    url, ada = team.here.runtime.settings.docebo_url, team.account_of("Ada")
    with team.here.runtime.store.transaction() as tables:
        tables.managers(url).doubt({(ada, 1): team.account_of("Joan")})

    for name in ("Grace", "Joan"):
        await team.tell(name, "Ada")

    assert [team.manager_of(name) for name in ("Grace", "Joan")] == [0, 0]
    assert team.here.docebo_calls == 0


@pytest.mark.long
async def test_what_events_have_written_is_undone_like_anything_else(team):
    served = await team.tell("Ada", "Joan")

    undone = await apply_saved(team.here.runtime, plan_undo(team.here.runtime, served.plans[-1]), lambda _: None)

    assert undone.count(outcome=Outcome.APPLIED) == 1
    assert team.manager_of("Ada") == team.account_of("Grace")


async def test_managers_over_a_limit_wait_and_are_not_tried_again_in_the_same_run(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=RULES, LIMIT_UPDATES="0") as here:
        team, served = Team(here), ServeResult()
        for name, manager in (("Grace", ""), ("Ada", "Grace")):
            team.hire(name, manager)
            here.put(here.event(team.ids[name]))
        await serve_round(here.runtime, here.workspace, served)
        calls = here.docebo_calls
        here.put(here.event(team.ids["Ada"]))
        await serve_round(here.runtime, here.workspace, served)

        assert team.manager_of("Ada") == 0
        assert [plan.state for plan in here.plans()] == [PlanState.REFUSED, PlanState.APPLIED]
        assert here.docebo_calls == calls
        assert served.operations == {Kind.CREATE: 2}


@pytest.mark.parametrize(("more", "written"), [({}, True), ({"Xf0STARTDAT": None}, False)], ids=["whole", "in part"])
async def test_a_custom_field_names_the_manager_where_the_event_shows_all_that_are_mapped(
    shared_sandbox, sqlite_url, tmp_path, more, written
):
    shared_sandbox.reset()
    rules = "first_name, last_name, email, manager = custom:Xf0DEPARTMT, country = custom:Xf0STARTDAT on-create-only"
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=rules) as here:
        team = Team(here)
        for name in ("Grace", "Ada"):
            team.hire(name)
        await team.settle("Grace", "Ada")
        fields = {"Xf0DEPARTMT": team.ids["Grace"], "Xf0STARTDAT": "2026-02-01", **more}
        shown = {name: value for name, value in fields.items() if value is not None}
        event = here.event(team.ids["Ada"], profile={"custom": shown})
        here.put(event)

        await here.serve()

        assert team.manager_of("Ada") == (team.account_of("Grace") if written else 0)


async def test_an_import_that_has_read_slack_before_the_event_does_not_have_the_last_word(team):
    team.hire("Mary")
    await team.settle("Mary")
    team.here.sandbox.slack.change(team.ids["Ada"], {"profile": {"title": address("Joan")}})
    async with begun_import(team) as run:
        older = await run.plan()
        await team.tell("Ada", "Mary")
        assert team.manager_of("Ada") == team.account_of("Mary")
        await run.carry_out(older)
        assert team.manager_of("Ada") == team.account_of("Joan")

        await team.here.serve()  # what was applied since is looked at again

    assert team.manager_of("Ada") == team.account_of("Mary")


class Import:
    """A run that has read Slack's list, and plans managers from it."""

    def __init__(self, runtime: Runtime, workspace: Workspace, people: SourceSnapshot) -> None:
        self.runtime = runtime
        self._workspace = workspace
        self._people = people

    async def plan(self) -> str:
        plan_id, _ = await plan_managers(self.runtime, self._workspace, self._people)
        assert plan_id is not None
        return plan_id

    async def carry_out(self, plan_id: str) -> None:
        begin(self.runtime, plan_id)
        await apply_accounts(self.runtime, plan_id, lambda _: None)
        finish(self.runtime, plan_id)


@asynccontextmanager
async def begun_import(team: Team) -> AsyncIterator[Import]:
    async with open_runtime(team.here.runtime.settings, team.here.runtime.behaviour, run_id="import") as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
            yield Import(runtime, workspace, people)
