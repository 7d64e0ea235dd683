"""One person on whom an import fails is left alone with the reason; the others are seen to."""

from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.operations import NOT_PLANNED, Kind, Outcome
from slack_docebo.domain.planner import Planner
from slack_docebo.errors import ContractViolation, Halted, IncompleteRead, StorageConflict, StorageError
from slack_docebo.settings import Settings
from slack_docebo.storage.operations import OperationRepository
from slack_docebo.storage.plans import PlanState
from slack_docebo.storage.store import Store
from tests.importing import run_import, settings_for

PEOPLE = 30
PLANNING = "planning"


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def here(shared_sandbox: Sandbox, sqlite_url: str) -> tuple[Sandbox, Settings, list[str]]:
    """A company of so many people, one of whom is to fail, and the settings that lead to it."""
    shared_sandbox.reset()
    settings = settings_for(shared_sandbox.facts(), sqlite_url)
    people = [shared_sandbox.slack.add(f"First{n}", f"Last{n}", f"p{n}@example.com")["id"] for n in range(PEOPLE)]
    return shared_sandbox, settings, people


def left_alone(summary) -> list[tuple[str, int]]:
    return [(reason, people) for kind, reason, _, people in summary.tally if NOT_PLANNED in reason]


@pytest.mark.long
@pytest.mark.parametrize(
    "fault",
    [KeyError("p7@example.com"), ContractViolation("user"), IncompleteRead("a"), StorageConflict("a")],
    ids=lambda fault: type(fault).__name__,
)
async def test_for_whom_no_plan_can_be_made_is_left_alone_and_told_of(here, monkeypatch, fault):
    _, settings, people = here
    plan = Planner.plan

    def failing(planner, user, *rest, **named):
        if user.slack_id == people[7]:
            raise fault
        return plan(planner, user, *rest, **named)

    monkeypatch.setattr(Planner, "plan", failing)
    summary = await run_import(settings)

    assert summary.count(Kind.CREATE, outcome=Outcome.APPLIED) >= PEOPLE - 1
    assert [people for _, people in left_alone(summary)] == [1]
    assert (summary.undecided, summary.newly_undecided) == (1, 1)
    assert "p7@example.com" not in summary.markdown()


@pytest.mark.long
async def test_whose_plan_cannot_be_stored_is_left_alone(here, monkeypatch):
    _, settings, people = here
    add = OperationRepository.add

    def failing(repository, plan_id, first, operations):
        if any(op.slack_id == people[7] and op.kind is Kind.CREATE for op in operations):
            raise StorageConflict("a row of one person")
        add(repository, plan_id, first, operations)

    monkeypatch.setattr(OperationRepository, "add", failing)
    summary = await run_import(settings)

    assert summary.count(Kind.CREATE, outcome=Outcome.APPLIED) >= PEOPLE - 1
    assert [people for _, people in left_alone(summary)] == [1]


@pytest.mark.long
async def test_for_whom_of_the_leavers_no_plan_can_be_made_is_left_alone(here, monkeypatch, sqlite_url):
    sandbox, settings, people = here
    await run_import(settings)
    sandbox.slack.deactivate(people[3])
    sandbox.slack.deactivate(people[7])
    leave = Planner._plan_leaver

    def failing(planner, user, *rest, **named):
        if user.slack_id == people[7]:
            raise KeyError(user.email)
        return leave(planner, user, *rest, **named)

    monkeypatch.setattr(Planner, "_plan_leaver", failing)
    summary = await run_import(settings, rows={"LEAVERS": "deactivate"})

    assert summary.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
    assert [people for _, people in left_alone(summary)] == [1]


async def test_what_fails_for_everybody_fails_the_import(here, monkeypatch):
    sandbox, settings, _ = here

    def failing(*_, **_named):
        raise KeyError("everybody")

    monkeypatch.setattr(Planner, "plan", failing)
    with pytest.raises(KeyError):
        await run_import(settings)

    assert sandbox.docebo_gate.counters.calls["POST /manage/v1/user/batch"] == 0


async def test_an_order_to_stop_is_nobodys_own_failure(here, monkeypatch):
    _, settings, _ = here

    def failing(*_, **_named):
        raise Halted("stop")

    monkeypatch.setattr(Planner, "plan", failing)
    with pytest.raises(Halted):
        await run_import(settings)


@pytest.mark.long
async def test_the_counts_are_of_everybody_once_however_often_they_were_planned(here, monkeypatch):
    _, settings, people = here
    whole = await run_import(settings, dry_run=True)
    plan = Planner.plan

    def failing(planner, user, *rest, **named):
        if user.slack_id == people[7]:
            raise KeyError(user.email)
        return plan(planner, user, *rest, **named)

    monkeypatch.setattr(Planner, "plan", failing)
    summary = await run_import(settings)

    assert summary.plan.looked_after == whole.plan.looked_after - 1
    assert summary.plan.state is PlanState.APPLIED


async def test_a_database_that_takes_nothing_fails_the_import_after_one_more_try(here, monkeypatch):
    _, settings, _ = here
    transaction, tries = Store.transaction, []

    def failing(store, **options):
        if PLANNING in tries:
            tries.append("again")
            raise StorageError("the database is full")
        return transaction(store, **options)

    def full(*_):
        tries.append(PLANNING)
        raise StorageError("the database is full")

    monkeypatch.setattr(OperationRepository, "add", full)
    monkeypatch.setattr(Store, "transaction", failing)
    with pytest.raises(StorageError, match="full"):
        await run_import(settings, dry_run=True)

    assert tries == [PLANNING, "again"]
