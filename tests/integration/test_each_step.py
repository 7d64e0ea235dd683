"""Whatever step of a run is disturbed, the next run reaches the state that one without a disturbance reaches."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.mappings.backups import backups
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.mappings.mapping_file import MappingFile
from slack_docebo.engine.mappings.resetting import back_up, delete_planned, plan_reset
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.realtime.serve_result import ServeResult
from slack_docebo.engine.realtime.serving import InboxLease, serve
from slack_docebo.engine.writing.applying import begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.engine.writing.left_behind import settle_sent_by
from slack_docebo.errors import PlanNotApplicable, SyncError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.events import EventState
from slack_docebo.storage.store import Store
from tests.faults import sides
from tests.importing import ON, mapped, prove, run_import, settings_for
from tests.integration.realtime_world import world
from tests.integration.steps import Befalls, Killed, Steps, disturbed

ROWS = {
    **ON,
    "LEAVERS": "deactivate",
    "LIMIT_DEACTIVATIONS": "none",
    "LIMIT_CREATIONS": "none",
    "LIMIT_UPDATES": "none",
}
ROWS |= {"SOURCE_MAY_SHRINK": "100", "REALTIME_RETRY_DELAYS": "0, 0, 0, 0"}
MOST_STEPS = 500


@dataclass
class Company:
    """A small company that was imported once: Ada, Bob, who is to leave, and Cyd, who has left and comes back."""

    sandbox: Sandbox
    settings: Settings
    url: str
    imported: str  # the id of the first plan

    @property
    def team(self) -> str:
        return str(self.sandbox.slack.team.id)

    def id_of(self, name: str) -> str:
        [slack_id] = [user["id"] for user in self.sandbox.slack if user["profile"].get("first_name") == name]
        return str(slack_id)

    def state(self) -> tuple[Any, ...]:
        """What both sides and the mappings look like, and what our accounts say of who made them."""
        with Store.open(self.url) as store, store.reading() as tables:
            entries = [one for plan in tables.plans.recent(99) for one in tables.operations.rows(plan.id)]
            events = {entry.state for entry in tables.inbox.oldest(99)}
        assert [one.error for one in entries if one.outcome is Outcome.FAILED] == []
        applied = Counter(one.operation.kind for one in entries if one.outcome is Outcome.APPLIED)
        carried_out = self.sandbox.docebo_gate.counters.rows
        assert applied[Kind.CREATE] == carried_out["created"]
        assert applied[Kind.UPDATE] + applied[Kind.DEACTIVATE] == carried_out["updated"]
        assert events <= {EventState.APPLIED, EventState.SUPERSEDED}
        assert self.sandbox.docebo_gate.counters.violations == []
        return sides(self.sandbox, self.url)

    def backed_up(self) -> dict[str, int]:
        """Return all mappings that are in any backup."""
        files = [MappingFile(one.path, team=self.team) for one in backups(self.settings.report_dir)]
        records = [record.mapping for file in files for _, record in file.records()]
        return {one.slack_id: one.docebo_id for one in records}


Happens = Callable[[Company], Awaitable[None]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        yield running


def database_in(folder: Path) -> str:
    folder.mkdir()
    return f"sqlite:///{folder}/store.db"


async def founded(sandbox: Sandbox, folder: Path) -> Company:
    """Return the company as it was at first, with a new database."""
    sandbox.reset()
    url = database_in(folder)
    settings = settings_for(sandbox.facts(), url)
    prove(settings)
    for first, last in (("Ada", "Lovelace"), ("Bob", "Byron"), ("Cyd", "Charisse")):
        sandbox.slack.add(first, last, f"{first.lower()}@example.com")
    imported = (await run_import(settings, rows=ROWS)).plan.id
    company = Company(sandbox, settings, url, imported)
    sandbox.slack.deactivate(company.id_of("Cyd"))
    await run_import(settings, rows=ROWS)
    return company


async def imports(company: Company) -> None:
    await run_import(company.settings, rows=ROWS)


async def serves(company: Company) -> None:
    async with open_runtime(company.settings, read_rows(table(ROWS)), run_id="serves") as runtime:
        with InboxLease(runtime) as lease:
            assert lease.take()
            await serve(runtime, await validate(runtime), lease, ServeResult(), linger_seconds=0)


async def undoes(company: Company) -> None:
    async with open_runtime(company.settings, read_rows(table(ROWS)), run_id="undoes") as runtime:
        await settle_sent_by(runtime, company.imported)
        with suppress(PlanNotApplicable):  # for there is nothing left to undo
            await apply_saved(runtime, plan_undo(runtime, company.imported, deactivate_created=True), lambda _: None)


async def resets(company: Company) -> None:
    async with open_runtime(company.settings, read_rows(table(ROWS)), run_id="resets") as runtime:
        workspace = await validate(runtime)
        plan_id = plan_reset(runtime, workspace, Accounts(), ())
        back_up(runtime, workspace, plan_id, ())
        begin(runtime, plan_id)
        delete_planned(runtime, workspace, plan_id)
        finish(runtime, plan_id)


async def forgets(company: Company) -> None:
    with Store.open(company.url) as store:
        forget(store, company.settings.report_dir, company.id_of("Ada"))


async def nothing(_company: Company) -> None:
    """Nothing happens."""


async def everybody_changes(company: Company) -> None:
    """Somebody joins, one leaves, one comes back, and one gets another name in Slack."""
    slack = company.sandbox.slack
    slack.add("Dan", "Dare", "dan@example.com")
    slack.deactivate(company.id_of("Bob"))
    slack.reactivate(company.id_of("Cyd"))
    slack.change(company.id_of("Ada"), {"profile": {"last_name": "King"}})


async def slack_tells_of_everybody(company: Company) -> None:
    await everybody_changes(company)
    await tell(company, "Ada", "Bob", "Cyd", "Dan")


async def dan_joins(company: Company) -> None:
    company.sandbox.slack.add("Dan", "Dare", "dan@example.com")
    await tell(company, "Dan")


async def dan_marries(company: Company) -> None:
    company.sandbox.slack.change(
        company.id_of("Dan"), {"profile": {"last_name": "Devil"}, "updated": int(time.time()) + 9}
    )
    await tell(company, "Dan")


async def dan_joins_and_marries(company: Company) -> None:
    await dan_joins(company)
    await dan_marries(company)


async def bob_leaves(company: Company) -> None:
    company.sandbox.slack.deactivate(company.id_of("Bob"))
    await tell(company, "Bob")


async def bob_comes_back(company: Company) -> None:
    company.sandbox.slack.reactivate(company.id_of("Bob"))
    company.sandbox.slack.change(company.id_of("Bob"), {"updated": int(time.time()) + 9})
    await tell(company, "Bob")


async def tell(company: Company, *names: str) -> None:
    """Let Slack tell of them as they are now."""
    async with world(company.sandbox, company.url, company.settings.report_dir, **ROWS) as here:
        here.put(*map(here.event, map(company.id_of, names)))


# What happens before each run, and the run.
ROADS: dict[str, list[tuple[Happens, Happens]]] = {
    "forgetting": [(nothing, forgets)],  # the shortest, which `make test` plays
    "an import": [(everybody_changes, imports)],
    "real time": [(slack_tells_of_everybody, serves)],
    "two events about one person": [(dan_joins_and_marries, serves)],
    "one event after the other": [(dan_joins, serves), (dan_marries, serves)],
    "an event that takes another back": [(bob_leaves, serves), (bob_comes_back, serves)],
    "an undo": [(nothing, undoes)],
    "a reset": [(nothing, resets)],
}


@pytest.mark.variants(1)
@pytest.mark.parametrize("befalls", Befalls)
@pytest.mark.parametrize("road", ROADS)
async def test_whatever_step_is_disturbed_the_next_run_ends_as_if_nothing_had_been(sandbox, tmp_path, road, befalls):
    company = await founded(sandbox, tmp_path / "undisturbed")
    for happens, run in ROADS[road]:
        await happens(company)
        await run(company)
    expected = company.state()

    for at in range(1, MOST_STEPS):
        company = await founded(sandbox, tmp_path / str(at))
        before, steps = mapped(company.url, company.team), Steps(at, befalls)
        for happens, run in ROADS[road]:
            await happens(company)
            with disturbed(steps), suppress(SyncError, Killed):
                await run(company)
        if not steps.was_disturbed:
            break
        await run(company)
        assert company.state() == expected, f"step {at}"
        if road == "a reset":
            assert company.backed_up() == before, f"step {at}"
        elif road != "an undo" and road != "forgetting":
            # What a dead run has done is recorded for it by the next import, which has nothing else to do.
            assert (await run_import(company.settings, rows=ROWS)).count(outcome=Outcome.APPLIED) == 0, f"step {at}"
            assert company.state() == expected, f"step {at}"
    assert 1 < at < MOST_STEPS - 1
