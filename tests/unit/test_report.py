from datetime import UTC, datetime

from slack_docebo.domain.planning import Kind, Outcome
from slack_docebo.engine.reporting.report import Summary
from slack_docebo.storage.plans import Plan, PlanKind, PlanState

PLAN = Plan("1abcdefg", PlanKind.BULK_IMPORT, datetime(2026, 3, 4, tzinfo=UTC), "https://lms.example.com", "T1")


def line(*tally: tuple[Kind, str, Outcome, int], state: PlanState = PlanState.PARTLY_APPLIED) -> str:
    plan = Plan(PLAN.id, PLAN.kind, PLAN.created_at, PLAN.docebo, PLAN.slack_team, state=state)
    return Summary(plan, list(tally)).line


def test_only_what_was_done_counts_as_done():
    assert line(
        (Kind.CREATE, "new", Outcome.APPLIED, 2),
        (Kind.CREATE, "new", Outcome.FAILED, 1),
        (Kind.UPDATE, "differs", Outcome.SKIPPED, 3),
        (Kind.UPDATE, "differs", Outcome.PLANNED, 4),
        (Kind.LEAVE, "in line", Outcome.LEFT, 5),
    ) == ("plan 1abcdefg (partly-applied): 2 created, 4 to update, 5 left alone, 1 failed, 3 skipped")


def test_a_plan_about_nobody_says_so():
    assert line(state=PlanState.APPLIED) == "plan 1abcdefg (applied): nobody"


def test_an_attribute_that_is_kept_back_for_more_than_a_few_people_is_named():
    told = Summary(
        PLAN,
        [
            (Kind.LEAVE, "Docebo keeps its own form of last_name", Outcome.LEFT, 5),
            (Kind.LEAVE, "Docebo does not take language, time_zone", Outcome.LEFT, 4),
            (Kind.CREATE, "new; without language, field_3, which cannot hold what Slack says", Outcome.APPLIED, 3),
            (Kind.LEAVE, "in line", Outcome.LEFT, 50),
        ],
    )

    assert told.kept_back == {"language": 7}
    assert "**Not as in Slack:** language (7 people)" in told.markdown()
    assert "Not as in Slack" not in Summary(PLAN, [(Kind.LEAVE, "in line", Outcome.LEFT, 50)]).markdown()
