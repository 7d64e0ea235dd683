"""A part of a plan on the sandbox: these first, then everybody."""

from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.people import PeopleShown
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.parting import PartChoice, find_part, take_part
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reporting.choosing import applicable, rows, undoable
from slack_docebo.engine.reporting.listing import list_people
from slack_docebo.engine.reporting.outcomes import page_of
from slack_docebo.engine.reporting.outcomes import table as report_table
from slack_docebo.engine.reporting.status import status
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.reporting.summary import Summary, summary
from slack_docebo.engine.writing.applying import begin
from slack_docebo.errors import ChangeLimitExceeded, ConfigurationError, Halted, NotConfirmed, PlanNotApplicable
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.plans import PlanState
from tests.both_databases import ON_BOTH
from tests.importing import ON, run_import, settings_for


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=12, docebo_users=0, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def settings(sandbox: Sandbox, usual_database_url: str, tmp_path) -> Settings:
    return settings_for(sandbox.facts(), usual_database_url, report_dir=tmp_path)


def at_work(settings: Settings, run: str, **rows: str):
    return open_runtime(settings, read_rows(table({**ON, **rows})), run_id=run)


async def apply_part(settings: Settings, plan_id: str, choice: PartChoice, **rows: str) -> Summary:
    async with at_work(settings, f"part-{choice}", **rows) as runtime:
        chosen, of = find_part(runtime.store, plan_id, choice)
        part = take_part(runtime, plan_id, choice, confirm=f"{len(chosen)} of {of}")
        return await apply_saved(runtime, part, lambda _: None)


async def apply_rest(settings: Settings, plan_id: str) -> Summary:
    async with at_work(settings, "rest") as runtime:
        return await apply_saved(runtime, plan_id, lambda _: None)


def people(runtime: Runtime, plan_id: str) -> list[str]:
    return find_part(runtime.store, plan_id, PartChoice())[0]


@pytest.mark.long
@ON_BOTH
async def test_the_first_are_done_and_then_the_rest(settings, sandbox):
    planned = await run_import(settings, dry_run=True)
    everybody, before = planned.count(Kind.CREATE), len(sandbox.docebo.accounts)

    first = await apply_part(settings, planned.plan.id, PartChoice(first=3))

    assert (first.plan.state, first.count(outcome=Outcome.APPLIED)) == (PlanState.APPLIED, 3)
    assert len(sandbox.docebo.accounts) == before + 3
    rest = await apply_rest(settings, planned.plan.id)
    assert (rest.plan.state, rest.count(outcome=Outcome.APPLIED)) == (PlanState.APPLIED, everybody - 3)
    assert len(sandbox.docebo.accounts) == before + everybody
    again = await run_import(settings)
    assert again.count(outcome=Outcome.APPLIED) == 0


async def test_everybody_who_is_chosen_is_shown_however_many_a_page_at_a_time(settings, monkeypatch):
    planned = await run_import(settings, dry_run=True)
    monkeypatch.setattr("slack_docebo.engine.reporting.outcomes.PAGE", 5)
    choice = PartChoice(kinds=(Kind.CREATE,))

    async with at_work(settings, "shown") as runtime:
        chosen, _ = find_part(runtime.store, planned.plan.id, choice)
        pages = [page_of(chosen, page) for page in (1, 2)]
        shown = [report_table(runtime.store, planned.plan.id, PeopleShown.IDS, of=set(page)) for page in pages]
        with pytest.raises(ConfigurationError, match="choose a page up to 2"):
            page_of(chosen, 3)

    assert [*pages[0], *pages[1]] == chosen
    assert [[row["Slack user"] for row in rows] for rows in shown] == pages
    first, last = (choice.steps(planned.plan.id, len(chosen), len(chosen), page) for page in (1, 2))
    assert [step.words for step in first] == [
        f"Apply this to those who are chosen: type {len(chosen)} of {len(chosen)} as the number of people",
        "The next page, 2 of 2",
    ]
    assert first[1].values == {
        "plan_id": planned.plan.id,
        "first": 0,
        "operations": ["create"],
        "slack_ids": [],
        "page": 2,
    }
    assert [step.words for step in last][1:] == ["The page before, 1 of 2"]


async def test_from_the_list_of_everybody_a_form_leads_to_applying_the_plan_to_some_of_them(settings):
    planned = await run_import(settings, dry_run=True)
    async with at_work(settings, "listed") as runtime:
        of_plan = {"plan_id": planned.plan.id, "what": "created", "reason": "", "page": 1, "shown": PeopleShown.IDS}
        listed = list_people(runtime.store, settings.docebo_url, **of_plan)
        [step] = [step for step in listed.next_steps if step.flow == "apply-plan"]
        await apply_saved(runtime, planned.plan.id, lambda _: None)
        afterwards = list_people(runtime.store, settings.docebo_url, **of_plan)

    assert step.values == {"plan_id": planned.plan.id, "operations": ["create"]}
    assert listed.people == planned.count(Kind.CREATE)
    assert not [step for step in afterwards.next_steps if step.flow == "apply-plan"]


@pytest.mark.long
async def test_once_the_first_are_done_everybody_else_is_a_click_away_until_the_rest_is_done(settings):
    planned = await run_import(settings, dry_run=True)
    first = await apply_part(settings, planned.plan.id, PartChoice(first=3))
    async with at_work(settings, "looks") as runtime:
        told = status(runtime)
        summaries = {first.plan.id: "/v2/summary"}
        page = told.page(next_import=None, forms={}, summaries=summaries, shown=lambda step: step.words)
    await apply_rest(settings, planned.plan.id)
    async with at_work(settings, "looks again") as runtime:
        afterwards, of_first = status(runtime), summary(runtime.store, first.plan.id)

    rest = {"plan_id": planned.plan.id, "dry_run": False}
    assert first.next_steps[0] == Step("Apply the rest of the plan, to everybody else", "bulk-import", rest)
    assert [step.values for step in told.to_do if "applied in part" in step.words] == [rest]
    assert "apply the rest. See: [the last import](/v2/summary)" in page
    assert not [step for step in afterwards.to_do if "applied in part" in step.words]
    assert (told.last_import.plan.id, afterwards.last_import.plan.id) == (first.plan.id, planned.plan.id)
    assert of_first.rest == ""


async def test_what_a_stopped_import_has_left_is_something_to_do_until_it_is_done(settings):
    planned = await run_import(settings, dry_run=True)
    async with at_work(settings, "stopped") as runtime:
        with runtime.store.transaction() as tables:
            tables.halts.stop(settings.docebo_url, "audit", now=runtime.now())
        with pytest.raises(Halted):
            await apply_saved(runtime, planned.plan.id, lambda _: None)
        with runtime.store.transaction() as tables:
            tables.halts.go(settings.docebo_url)
        stopped, to_do = summary(runtime.store, planned.plan.id), status(runtime).to_do
    await apply_rest(settings, planned.plan.id)
    async with at_work(settings, "looks") as runtime:
        done, afterwards = summary(runtime.store, planned.plan.id), status(runtime).to_do

    rest = {"plan_id": planned.plan.id, "dry_run": False}
    assert [step.values for step in stopped.next_steps if step.flow == "bulk-import"] == [rest]
    assert [step.values for step in to_do if "ended early" in step.words] == [rest]
    assert not [step for step in (*done.next_steps, *afterwards) if step.flow == "bulk-import"]


@pytest.mark.long
async def test_a_part_is_undone_by_its_own_id(settings, sandbox):
    planned = await run_import(settings, dry_run=True)
    first = await apply_part(settings, planned.plan.id, PartChoice(first=2))

    async with at_work(settings, "undo", LEAVERS="deactivate") as runtime:
        undone = await apply_saved(runtime, plan_undo(runtime, first.plan.id, deactivate_created=True), lambda _: None)

    assert undone.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 2


async def test_people_are_chosen_by_id_and_by_operation(settings, sandbox):
    ada = str(sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"])
    planned = await run_import(settings, dry_run=True)

    async with at_work(settings, "choose") as runtime:
        assert find_part(runtime.store, planned.plan.id, PartChoice([ada]))[0] == [ada]
        assert ada in find_part(runtime.store, planned.plan.id, PartChoice(kinds=[Kind.CREATE]))[0]
        for choice in (PartChoice(kinds=[Kind.DEACTIVATE]), PartChoice([ada], kinds=[Kind.MAP]), PartChoice(["U0NO"])):
            with pytest.raises(ConfigurationError, match="nothing like that is planned"):
                find_part(runtime.store, planned.plan.id, choice)


@pytest.mark.long
async def test_without_their_number_nobody_is_taken_out(settings):
    planned = await run_import(settings, dry_run=True)

    async with at_work(settings, "typed") as runtime:
        everybody = people(runtime, planned.plan.id)
        with pytest.raises(NotConfirmed, match=f"type 3 of {len(everybody)} as the number of people"):
            take_part(runtime, planned.plan.id, PartChoice(first=3), confirm="3")
        assert people(runtime, planned.plan.id) == everybody


async def test_the_same_order_given_twice_does_not_take_the_next_ones(settings):
    planned = await run_import(settings, dry_run=True)

    async with at_work(settings, "twice") as runtime:
        everybody = len(people(runtime, planned.plan.id))
        take_part(runtime, planned.plan.id, PartChoice(first=3), confirm=f"3 of {everybody}")
        with pytest.raises(NotConfirmed):
            take_part(runtime, planned.plan.id, PartChoice(first=3), confirm=f"3 of {everybody}")
        assert len(people(runtime, planned.plan.id)) == everybody - 3


@pytest.mark.long
async def test_a_part_keeps_within_the_limits_that_the_whole_exceeds_and_two_parts_do_not(settings, sandbox):
    limits = {"LIMIT_CREATIONS": "4"}
    planned = await run_import(settings, dry_run=True, rows=limits)
    before = len(sandbox.docebo.accounts)
    assert planned.plan.over_limit

    await apply_part(settings, planned.plan.id, PartChoice(first=3), **limits)
    with pytest.raises(ChangeLimitExceeded):
        await apply_part(settings, planned.plan.id, PartChoice(first=2), **limits)

    assert len(sandbox.docebo.accounts) == before + 3


@pytest.mark.long
async def test_a_part_whose_run_died_before_it_began_is_refused_before_anybody_lets_it_through(settings, sandbox):
    limits = {"LIMIT_CREATIONS": "2"}
    planned = await run_import(settings, dry_run=True, rows=limits)
    before = len(sandbox.docebo.accounts)
    async with at_work(settings, "dies", **limits) as runtime:
        of = len(people(runtime, planned.plan.id))
        part = take_part(runtime, planned.plan.id, PartChoice(first=3), confirm=f"3 of {of}")

    async with at_work(settings, "is told", **limits) as runtime:
        with pytest.raises(ChangeLimitExceeded):
            await apply_saved(runtime, part, lambda _: None)
        assert len(sandbox.docebo.accounts) == before
    async with at_work(settings, "lets it through", **limits) as runtime:
        await apply_saved(runtime, part, lambda _: None)

    assert len(sandbox.docebo.accounts) == before + 3


async def test_everybody_is_the_plan_itself(settings):
    planned = await run_import(settings, dry_run=True)

    async with at_work(settings, "whole") as runtime:
        everybody = len(people(runtime, planned.plan.id))
        assert (
            take_part(runtime, planned.plan.id, PartChoice(), confirm=f"{everybody} of {everybody}") == planned.plan.id
        )


async def test_of_a_plan_that_was_begun_nobody_is_taken_out(settings):
    planned = await run_import(settings, dry_run=True)

    async with at_work(settings, "begun") as runtime:
        everybody = people(runtime, planned.plan.id)
        begin(runtime, planned.plan.id)
        with pytest.raises(PlanNotApplicable, match="only as a whole"):
            take_part(runtime, planned.plan.id, PartChoice(first=1), confirm=f"1 of {len(everybody)}")
        assert people(runtime, planned.plan.id) == everybody
        assert summary(runtime.store, planned.plan.id).plan.state is PlanState.APPLYING


@pytest.mark.long
async def test_a_plan_is_chosen_from_those_that_can_be_applied_or_have_done_something(settings, sandbox):
    async with at_work(settings, "here") as runtime:
        store, docebo = runtime.store, runtime.settings.docebo_url
        planned = (await run_import(settings, dry_run=True)).plan.id
        assert (ids(applicable(store, docebo)), ids(undoable(store, docebo))) == ([planned], [])

        part = (await apply_part(settings, planned, PartChoice(first=2))).plan.id
        assert (ids(applicable(store, docebo)), ids(undoable(store, docebo))) == ([planned], [part])
        assert [row["people"] for row in rows(undoable(store, docebo))] == ["2 created"]

        await apply_rest(settings, planned)
        assert (ids(applicable(store, docebo)), len(undoable(store, docebo))) == ([], 2)


def ids(found: list[Summary]) -> list[str]:
    return [one.plan.id for one in found]
