"""In which state a run ends whose work is done, but not for everybody."""

from datetime import UTC, datetime

import pytest

from slack_docebo.domain.disputes import dispute
from slack_docebo.domain.planning import IN_LINE, Kind, Outcome
from slack_docebo.domain.returns import reported
from slack_docebo.domain.texts import without_numbers
from slack_docebo.engine.realtime.rounds import Served
from slack_docebo.engine.reporting.report import Summary
from slack_docebo.storage.plans import Plan, PlanKind, PlanState
from tasks.run import concluded


def summary(*rows, before=None):
    plan = Plan(
        id="p1",
        kind=PlanKind.BULK_IMPORT,
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        flow_run="",
        docebo="",
        slack_team="T1",
        slack_team_name="",
        state=PlanState.APPLIED,
        facts={"left_as_before": before or {}},
    )
    told = [(Kind.LEAVE, reason, Outcome.LEFT, people) for reason, people in (before or {}).items()]
    return Summary(plan, [*rows, *told])


LEFT = (Kind.LEAVE, IN_LINE, Outcome.LEFT, 9)
FAILED = (Kind.CREATE, "new", Outcome.FAILED, 1)


@pytest.mark.parametrize(
    ("result", "state"),
    [
        pytest.param(summary(LEFT), "Completed", id="nothing was to be done"),
        pytest.param(summary(LEFT, FAILED), "PartlyFailed", id="somebody failed"),
        pytest.param(summary((Kind.LEAVE, dispute(7), Outcome.LEFT, 1)), "Undecided", id="an account is disputed"),
        pytest.param(summary((Kind.LEAVE, reported(7, "U1"), Outcome.LEFT, 1)), "Undecided", id="somebody is back"),
        pytest.param(summary(before={without_numbers(dispute(7)): 1}), "Completed", id="as it was the night before"),
        pytest.param(Served(events=1, undecided=1), "Undecided", id="the same in real time"),
        pytest.param(Served(events=1, in_line=1), "Completed", id="all events are in line"),
    ],
)
async def test_a_run_that_leaves_decisions_open_does_not_end_as_if_all_were_done(result, state):
    @concluded
    async def run():
        return result

    assert (await run()).name == state
