"""The state in which a run ends, and its one line."""

from datetime import UTC, datetime

import pytest

from slack_docebo.domain.disputes import dispute
from slack_docebo.domain.planning import Kind, Outcome
from slack_docebo.domain.standing import is_undecided
from slack_docebo.engine.realtime.rounds import Served
from slack_docebo.engine.reporting.report import Summary
from slack_docebo.storage.plans import Plan, PlanKind, PlanState
from tasks.run import concluded

LEFT = (Kind.LEAVE, "several accounts match: 1, 2", Outcome.LEFT, 1)


def ended(*tally, state=PlanState.PARTLY_APPLIED, undecided=0):
    plan = Plan("1abcdefg", PlanKind.BULK_IMPORT, datetime(2026, 3, 4, tzinfo=UTC), "https://a.example", "T1")
    return Summary(Plan(plan.id, plan.kind, plan.created_at, plan.docebo, "T1", state=state), list(tally), undecided)


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (ended((Kind.UPDATE, "differs", Outcome.APPLIED, 1), state=PlanState.APPLIED), "Completed"),
        (ended((Kind.UPDATE, "differs", Outcome.SKIPPED, 3)), "Skipped"),
        (ended((Kind.UPDATE, "a", Outcome.SKIPPED, 3), (Kind.MAP, "b", Outcome.APPLIED, 1)), "Completed"),
        (ended((Kind.UPDATE, "a", Outcome.FAILED, 1), (Kind.MAP, "b", Outcome.SKIPPED, 1)), "PartlyFailed"),
        (ended(LEFT, state=PlanState.APPLIED, undecided=1), "Undecided"),
        (ended(LEFT, state=PlanState.PLANNED, undecided=1), "Completed"),  # a dry run
        (Served(events=1, in_line=1), "Completed"),
        (Served(events=1, parked=1, undecided=1), "Parked"),
        (Served(events=1, left=1, undecided=1), "Undecided"),
        (Served(elsewhere="import"), "AlreadyRunning"),
    ],
)
async def test_a_run_that_leaves_something_to_people_does_not_end_as_completed(result, name):
    async def run():
        return result

    state = await concluded(run)()

    assert state.is_completed()
    assert (state.name, state.message) == (name, result.line)


def test_a_line_says_what_became_of_the_events():
    assert Served(events=1, left=1).line == "1 event: 1 left alone"
    assert Served(events=2, superseded=1, retried=1).line == "2 events: 1 superseded, 1 to be retried"
    assert Served(events=1).line == "1 event: none is done yet"
    assert "1 of them newly waiting" in ended(LEFT, undecided=1).line


@pytest.mark.parametrize(
    ("reason", "undecided"),
    [
        (dispute(7), True),
        (f"deactivated in Slack; {dispute(7)}", True),
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
