"""The state in which a run ends, and its one line."""

import ast
import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings
from prefect.states import exception_to_failed_state

from slack_docebo.domain.disputes import dispute
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.returns import reported
from slack_docebo.domain.standing import is_undecided
from slack_docebo.domain.texts import without_numbers
from slack_docebo.engine.realtime.serve_result import Became, ServedEvent, ServeResult
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.reporting.troubles import A_CRASH, A_FAULT, FIRST, OTHER_CODE, WRONG_FORM, cause_in
from slack_docebo.errors import ChangeLimitExceeded, SyncError
from slack_docebo.safe_points import safe_point, tell_to_end
from slack_docebo.storage.plans import Plan, PlanKind, PlanState
from tasks.run import concluded, continued
from tests.documented import ROOT
from tests.ending import a_process_that_ends

UNDECIDED = (Kind.LEAVE, "several accounts match: 1, 2", Outcome.LEFT, 1)
# Of what there is to do.
IMPERATIVES = {
    "Choose",
    "Confirm",
    "Correct",
    "Decide",
    "Deploy",
    "Leave",
    "Let",
    "Look",
    "Make",
    "Report",
    "Start",
    "Use",
    "Wait",
}
MESSAGE = re.compile(r"\b(state_message|message_after)\(")
DISPUTED_BEFORE = {without_numbers(dispute(7)): 1}


def ended(*tally, state=PlanState.PARTLY_APPLIED, before=None):
    plan = Plan(
        "1abcdefg",
        PlanKind.BULK_IMPORT,
        datetime(2026, 3, 4, tzinfo=UTC),
        docebo="https://a.example",
        slack_team="T1",
        state=state,
        facts={"left_as_before": before or {}},
    )
    told = [(Kind.LEAVE, reason, Outcome.LEFT, people) for reason, people in (before or {}).items()]
    return Summary(plan, [*tally, *told])


def served(*became: Became, undecided: int = 0) -> ServeResult:
    """The result of a run whose events became so, each about somebody else."""
    at = datetime(2026, 3, 4, tzinfo=UTC)
    events = {f"Ev{number}": ServedEvent(f"U{number}", at, one) for number, one in enumerate(became)}
    return ServeResult(events, undecided=undecided)


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (ended((Kind.UPDATE, "differs", Outcome.APPLIED, 1), state=PlanState.APPLIED), "Completed"),
        (ended((Kind.UPDATE, "differs", Outcome.SKIPPED, 3)), "Skipped"),
        (ended((Kind.UPDATE, "a", Outcome.SKIPPED, 3), (Kind.MAP, "b", Outcome.APPLIED, 1)), "Completed"),
        (ended((Kind.UPDATE, "a", Outcome.FAILED, 1), (Kind.MAP, "b", Outcome.SKIPPED, 1)), "PartlyFailed"),
        (ended(UNDECIDED, state=PlanState.APPLIED), "Undecided"),
        (ended(state=PlanState.APPLIED, before=DISPUTED_BEFORE), "Completed"),  # as it was the night before
        (ended(UNDECIDED, state=PlanState.PLANNED), "Completed"),  # a dry run
        (served(Became.IN_LINE), "Completed"),
        (served(Became.PARKED, undecided=1), "Parked"),
        (served(Became.LEFT, undecided=1), "Undecided"),
    ],
)
async def test_a_run_that_leaves_something_to_people_is_not_green(result, name):
    state = await state_after(result)

    assert state.is_completed() is (name == "Completed")
    assert state.is_failed() is (name != "Completed")
    assert state.name == name


async def state_after(result):
    async def run():
        if isinstance(result, Exception):
            raise result
        return result

    return await concluded(run)()


async def test_a_message_begins_with_the_one_thing_to_do():
    parked = await state_after(served(Became.PARKED))
    done = await state_after(served(Became.IN_LINE))

    assert parked.message == "Look at the parked events and replay them: 1 event: 1 parked"
    assert done.message == "1 event: 1 in line"


def kinds(of: type[SyncError]) -> list[type[SyncError]]:
    return [of, *(kind for nearer in of.__subclasses__() for kind in kinds(nearer))]


# Sorted: Python has them in the order of the imports, which is not the same in each of pytest's processes.
@pytest.mark.parametrize(
    "kind", sorted(kinds(SyncError), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__
)
async def test_the_message_of_each_error_begins_with_what_there_is_to_do_and_goes_on_with_the_cause(kind):
    error = kind("the cause")

    state = await state_after(error)

    assert state.is_failed()
    told = str(error)
    assert cause_in(state.message) == told
    if kind is not ChangeLimitExceeded:  # whose words begin so
        assert state.message.removesuffix(f": {told}").partition(" ")[0].rstrip(",") in IMPERATIVES
        assert state.message.endswith(f": {told}")


def test_what_a_limit_stops_begins_itself_with_what_there_is_to_do():
    raised = re.compile(r"""raise ChangeLimitExceeded\(\s*(?:f?"(\w+) )?""")
    sources = (ROOT / "src").rglob("*.py")
    first = [word for file in sources for word in raised.findall(file.read_text(encoding="utf-8"))]

    assert len(first) > 2
    assert set(first) <= {"Look", "Raise"}


async def test_an_unforeseen_error_is_to_be_reported_and_its_words_stay_out_of_the_state():
    with temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"}):
        state = await state_after(KeyError("ada@example.com"))

    assert (state.name, state.is_failed()) == ("Failed", True)
    assert state.message.startswith("Report this, with the run's log: KeyError in test_endings.py, line ")
    assert "ada" not in state.message


async def test_the_words_of_an_unforeseen_error_stay_out_of_the_state_of_its_task_too():
    ours = await exception_to_failed_state(SyncError("the cause"), message="Task run encountered an exception")
    unforeseen = await exception_to_failed_state(
        KeyError("ada@example.com"), message="Task run encountered an exception"
    )

    assert ours.message == "Task run encountered an exception SyncError: the cause"
    assert unforeseen.message == "Task run encountered an exception KeyError; the run's log has the details"


def test_each_state_of_a_failure_is_made_with_what_there_is_to_do():
    made = [
        (f"{file.relative_to(ROOT)}:{call.lineno}", message)
        for folder in ("flows", "tasks", "deployments")
        for file in sorted((ROOT / folder).glob("*.py"))
        for call, message in failures_made_in(file)
    ]

    assert len(made) > 5
    assert [where for where, message in made if not MESSAGE.search(message)] == []
    assert {
        one.partition(" ")[0].rstrip(",") for one in (*FIRST.values(), A_FAULT, A_CRASH, WRONG_FORM, OTHER_CODE)
    } <= IMPERATIVES


def failures_made_in(file: Path) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls that make a state of a failure or a crash, each with how its message is made."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {
        target.id: ast.unparse(one.value)
        for one in ast.walk(tree)
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        given = {one.arg: ast.unparse(one.value) for one in call.keywords}
        how = ast.unparse(call.func)
        fails = how in {"Failed", "Crashed"} or "FAILED" in given.get("type", "") or "CRASHED" in given.get("state", "")
        if fails:
            message = given.get("message", "")
            yield call, names.get(message, message)


async def test_who_leaves_the_work_to_another_run_has_nothing_left_to_do():
    state = await state_after(ServeResult(elsewhere="import"))

    assert (state.name, state.is_completed()) == ("AlreadyRunning", True)


def told_to_end(go_on):
    @go_on
    @concluded
    async def run():
        safe_point()

    with a_process_that_ends():
        tell_to_end()
        return asyncio.run(run())


def test_a_run_that_is_told_to_end_waits_for_the_next_worker_or_for_somebody_who_starts_it_again():
    waiting, ended = told_to_end(continued), told_to_end(lambda run: run)

    assert (waiting.name, waiting.is_scheduled()) == ("ToBeContinued", True)
    assert (ended.name, ended.is_failed()) == ("ToBeContinued", True)


async def test_a_run_that_comes_to_no_safe_point_is_continued_all_the_same_and_one_that_is_cancelled_is_not():
    @continued
    @concluded
    async def stands_still():
        await asyncio.sleep(3600)

    with a_process_that_ends():
        run = asyncio.create_task(stands_still())
        await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

        run = asyncio.create_task(stands_still())
        await asyncio.sleep(0)
        tell_to_end()
        run.cancel()
        assert (await run).name == "ToBeContinued"


def test_who_waits_for_a_decision_after_an_event_is_to_be_looked_at_and_who_is_left_alone_by_the_rules_is_not():
    result = served(Became.LEFT, Became.LEFT)
    result.note(["Ev0"], Became.LEFT, datetime(2026, 3, 4, tzinfo=UTC), why="several accounts match: 3, 4")
    result.note(["Ev1"], Became.LEFT, datetime(2026, 3, 4, tzinfo=UTC), why="guest")

    [row] = result.in_need
    assert (row["Slack user"], row["what is wrong"]) == ("U0", "several accounts match: 3, 4")


def test_a_line_says_what_became_of_the_events():
    assert served(Became.LEFT).line == "1 event: 1 left alone"
    assert served(Became.SUPERSEDED, Became.RETRIED).line == "2 events: 1 superseded, 1 to be retried"
    assert served(Became.AT_WORK).line == "1 event: none is done yet"
    assert "1 of them waiting for somebody's decision" in ended(UNDECIDED).line


@pytest.mark.parametrize(
    ("reason", "undecided"),
    [
        (dispute(7), True),
        (f"deactivated in Slack; {dispute(7)}", True),
        (reported(7, "U1"), True),
        (without_numbers(reported(7, "U1")), True),
        (without_numbers(dispute(7)), True),
        ("several accounts match: 1, 2", True),
        ("account 7 belongs to U1", True),
        ("the username is taken by account 7", True),
        ("an account with this address is created for U1", True),
        ("in line", False),
        ("address not confirmed in Slack", False),
        ("administrator account, never touched", False),
    ],
)
def test_whose_account_is_in_question_waits_for_a_decision(reason, undecided):
    assert is_undecided(reason) is undecided
