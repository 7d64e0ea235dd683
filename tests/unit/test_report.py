import csv
from dataclasses import replace
from datetime import UTC, datetime

from slack_docebo.domain.operations import CREATED_STAYS, Kind, Outcome
from slack_docebo.domain.rules import NOT_HELD, Shortfall
from slack_docebo.engine.reporting.attention import Alike, attention_lines
from slack_docebo.engine.reporting.files import write_values
from slack_docebo.engine.reporting.mailed import ReportedImport, is_wanted
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.integration_settings import ReportMail
from slack_docebo.storage.plans import LET_THROUGH, Plan, PlanKind, PlanState

PLAN = Plan(
    "1abcdefg",
    PlanKind.BULK_IMPORT,
    datetime(2026, 3, 4, tzinfo=UTC),
    docebo="https://lms.example.com",
    slack_team="T1",
)


def line(*tally: tuple[Kind, str, Outcome, int], state: PlanState = PlanState.PARTLY_APPLIED) -> str:
    plan = Plan(PLAN.id, PLAN.kind, PLAN.created_at, docebo=PLAN.docebo, slack_team=PLAN.slack_team, state=state)
    return Summary(plan, list(tally)).line


def test_only_what_was_done_counts_as_done():
    assert line(
        (Kind.CREATE, "new", Outcome.APPLIED, 2),
        (Kind.CREATE, "new", Outcome.FAILED, 1),
        (Kind.UPDATE, "differs", Outcome.SKIPPED, 3),
        (Kind.UPDATE, "differs", Outcome.PLANNED, 4),
        (Kind.LEAVE, "in line", Outcome.LEFT, 5),
    ) == ("plan 1abcdefg (applied in part): 2 created, 4 to update, 5 left alone, 1 failed, 3 skipped")


def test_who_waits_is_counted_among_those_left_alone_and_not_among_those_who_failed():
    assert line(
        (Kind.LEAVE, "in line", Outcome.LEFT, 5),
        (Kind.LEAVE, "several accounts match: 3, 4", Outcome.LEFT, 1),
        (Kind.CREATE, "new", Outcome.FAILED, 2),
    ).endswith(": 6 left alone, 1 of them waiting for somebody's decision, 2 failed")


def test_a_plan_that_was_let_through_over_a_limit_says_so():
    over = {"over_limit": ["428 to create, the limit is 3"]}
    through = replace(PLAN, state=PlanState.APPLIED, facts={**over, LET_THROUGH: True})

    assert "**Over the limit:** 428 to create" in Summary(replace(PLAN, facts=over), []).markdown()
    assert "**Over the limit:** 428 to create" in Summary(replace(through, state=PlanState.REFUSED), []).markdown()
    assert "**Over the limit, and let through:** 428 to create" in Summary(through, []).markdown()


def test_why_people_are_left_alone_is_said_apart_from_what_is_done():
    page = Summary(
        PLAN,
        [
            (Kind.CREATE, "new", Outcome.APPLIED, 2),
            (Kind.LEAVE, "deactivated in Slack", Outcome.LEFT, 37),
            (Kind.LEAVE, "several accounts match: 3, 4", Outcome.LEFT, 1),
        ],
    ).markdown()

    assert "| create | new | 2 |" in page
    _, left = page.split("## Left alone\n")
    assert left.strip().splitlines()[2:4] == ["| deactivated in Slack | 37 |", "| several accounts match | 1 |"]
    assert "leave alone |" not in left


def test_of_how_many_people_custom_fields_are_known_is_said_with_how_long_the_others_take():
    settings, facts = {"PROFILE_MINUTES": "60"}, {"custom_fields_known": [7_412, 10_000]}
    page = Summary(replace(PLAN, settings=settings, facts=facts), []).markdown()

    known = "Custom fields of Slack profiles are known for 7,412 of 10,000 people"
    assert f"{known}; the others are read after it, in about 29 minutes." in page


def test_a_plan_that_waits_says_whom_slack_is_asked_for_before_it_is_applied():
    tally = [
        (Kind.CREATE, "new", Outcome.PLANNED, 1),
        (Kind.UPDATE, "differs: title", Outcome.PLANNED, 2),
        (Kind.LEAVE, "in line", Outcome.LEFT, 5),
    ]
    told = "Slack is first asked about those who are new or changed (3 at most)"

    assert told in Summary(PLAN, tally).markdown()
    assert told not in Summary(replace(PLAN, state=PlanState.APPLIED), tally).markdown()


def test_a_plan_about_nobody_says_so():
    assert line(state=PlanState.APPLIED) == "plan 1abcdefg (applied): nobody"


def test_what_was_only_looked_at_is_not_called_abandoned():
    to_unmap = (Kind.UNMAP, "reset", Outcome.PLANNED, 3)
    assert line(to_unmap, state=PlanState.ABANDONED) == "plan 1abcdefg (not carried out): 3 to unmap"
    reset = Summary(replace(PLAN, kind=PlanKind.RESET_MAPPINGS, state=PlanState.ABANDONED), [to_unmap])
    assert (reset.line, "planned, nothing is written yet" in reset.markdown()) == (
        "plan 1abcdefg (planned): 3 to unmap",
        True,
    )


def test_a_plan_whose_run_ended_before_anybody_was_done_is_not_called_done_in_part():
    stopped = Summary(
        replace(PLAN, state=PlanState.PARTLY_APPLIED),
        [(Kind.CREATE, "new", Outcome.PLANNED, 3), (Kind.LEAVE, "in line", Outcome.LEFT, 5)],
        rest=PLAN.id,
    )

    assert stopped.line == "plan 1abcdefg (ended early, nobody is done yet): 3 to create, 5 left alone"
    assert stopped.markdown().startswith("# Import 1abcdefg: ended early, nobody is done yet")
    assert [step.words for step in stopped.next_steps] == ["Apply this plan"]


def test_what_is_perhaps_not_meant_in_the_settings_stands_before_the_numbers():
    page = Summary(replace(PLAN, facts={"remarks": ["SCOPE_EXCLUDE: entry 1 of the list fits nobody"]}), []).markdown()

    assert page.index("SCOPE_EXCLUDE") < page.index("## In numbers")


def test_an_attribute_that_is_kept_back_for_more_than_a_few_people_is_named():
    told = Summary(
        PLAN,
        [
            (Kind.LEAVE, "Docebo keeps its own form of last_name", Outcome.LEFT, 5),
            (Kind.LEAVE, "Docebo does not take language, time_zone", Outcome.LEFT, 4),
            (Kind.LEAVE, "Docebo does not take language", Outcome.LEFT, 3),
            (Kind.LEAVE, "in line", Outcome.LEFT, 50),
        ],
    )

    assert told.kept_back == {"language": 7}
    assert "**Not as in Slack:** language (7 people)" in told.markdown()
    assert "Not as in Slack" not in Summary(PLAN, [(Kind.LEAVE, "in line", Outcome.LEFT, 50)]).markdown()


def words(*tally: tuple[Kind, str, Outcome, int], **of_plan) -> list[str]:
    return [step.words for step in Summary(replace(PLAN, **of_plan), list(tally)).next_steps]


def test_a_plan_can_be_applied_as_a_whole_or_in_part_and_what_was_done_undone():
    to_create, created = (Kind.CREATE, "new", Outcome.PLANNED, 30), (Kind.CREATE, "new", Outcome.APPLIED, 30)
    applying = ["Apply exactly this plan", "Apply a part of it first"]

    assert words(to_create, state=PlanState.PLANNED) == applying
    over = "Apply exactly this plan although it exceeds a limit"
    assert words(to_create, state=PlanState.PLANNED, facts={"over_limit": ["30 to create, the limit is 20"]})[0] == over
    assert words(to_create, state=PlanState.PLANNED, kind=PlanKind.REALTIME_SYNC) == applying[:1]  # it has no parts
    assert words((Kind.LEAVE, "in line", Outcome.LEFT, 30), state=PlanState.PLANNED) == []  # there is nothing to apply
    assert words(created, state=PlanState.APPLIED) == ["Show what undoing this would do"]
    restoring = ["Show what restoring these mappings would do"]
    assert words(created, state=PlanState.APPLIED, kind=PlanKind.RESET_MAPPINGS) == restoring


def test_an_undoing_leads_to_undoing_creations_too_and_says_that_the_next_import_does_the_same_again():
    stays = (Kind.LEAVE, CREATED_STAYS, Outcome.LEFT, 2)
    undoing = Summary(replace(PLAN, kind=PlanKind.UNDO, state=PlanState.PLANNED, facts={"undoes": "1before0"}), [stays])

    [created, again] = undoing.next_steps
    assert (created.flow, created.values) == ("undo", {"of": "1before0", "deactivate_created": True})
    assert (again.flow, "next import" in again.words) == ("settings", True)
    assert "It undoes what 1before0 has done." in undoing.markdown()


def test_that_a_plan_exceeds_a_limit_is_said_first():
    summary = Summary(replace(PLAN, state=PlanState.PLANNED, facts={"over_limit": ["2 to create, the limit is 1"]}), [])

    assert summary.line == f"plan {PLAN.id} (planned, over a limit): nobody"
    assert summary.markdown().index("Over the limit") < summary.markdown().index("## In numbers")


def test_about_those_who_wait_for_a_decision_somebody_can_say_that_they_were_seen():
    waiting = (Kind.LEAVE, "several accounts match: 3, 4", Outcome.LEFT, 2)

    [step] = Summary(replace(PLAN, state=PlanState.APPLIED), [waiting]).next_steps

    assert (step.flow, step.values) == ("decide", {"action": "leave it so", "all_who_wait": True})
    assert step.words.endswith("type 2")
    assert words(waiting, state=PlanState.PLANNED) == []  # it is about whom the last import has left
    assert words(waiting, state=PlanState.APPLIED, kind=PlanKind.REALTIME_SYNC) == []  # others wait, too


def reported(*tally: tuple[Kind, str, Outcome, int], in_need=()) -> ReportedImport:
    return ReportedImport(Summary(PLAN, list(tally)), in_need, "lms.example.com", "https://prefect.example.com/run")


def test_a_mailed_report_has_numbers_who_needs_somebody_and_a_link():
    tally = [(Kind.CREATE, "new", Outcome.APPLIED, 1200), (Kind.CREATE, "new", Outcome.FAILED, 2)]
    mail = reported(
        *tally, (Kind.LEAVE, "in line", Outcome.LEFT, 7), in_need=[Alike("no room", "Make room.", [{}, {}])]
    )

    assert mail.title == "slack-docebo lms.example.com: import, 1,200 created, 2 failed"
    assert mail.body.split("\n\n") == [
        "1,200 created, 2 failed; 7 were left alone.",
        "To look at:\n- 2 people: no room. Make room.",
        "Everybody by id, with links to what can be done next: https://prefect.example.com/run",
    ]


def test_a_night_without_changes_is_reported_to_those_alone_who_want_every_report():
    quiet, busy = (Kind.LEAVE, "in line", Outcome.LEFT, 7), (Kind.UPDATE, "differs", Outcome.APPLIED, 1)

    assert "There is nothing to do." in reported(quiet).body
    wanted = [[is_wanted(when, Summary(PLAN, [one])) for one in (quiet, busy)] for when in ReportMail]
    assert wanted == [[False, False], [False, True], [True, True]]


def test_who_is_refused_each_night_and_acknowledged_is_no_change_to_be_reported():
    refused = [(Kind.CREATE, "new", Outcome.FAILED, 1)]

    assert is_wanted(ReportMail.WHEN_CHANGED, Summary(PLAN, refused))
    assert not is_wanted(ReportMail.WHEN_CHANGED, Summary(PLAN, refused, acknowledged={Outcome.FAILED: 1}))


def in_need(slack_id: str, happened: str, wrong: str, to_do: str, **more: str) -> dict[str, str]:
    return {"Slack user": slack_id, "what happened": happened, "what is wrong": wrong, "what to do": to_do, **more}


def test_whoever_needs_somebody_is_told_by_what_is_wrong_with_a_link_for_each_of_the_first():
    alike = [in_need(f"U{n}", "left alone", f"several accounts match: {n}, 9", "Look.") for n in range(102)]
    other = in_need("U77", "failed: not created", "no room", "Make room.", name="Ada *L*")
    asked: list[Step] = []

    def shown(step: Step) -> str:
        asked.append(step)
        return f"[{step.words}]({step.flow})"

    _, _, first, second, _ = attention_lines([other, *alike], shown)

    assert first.startswith("- **102 people**: several accounts match. Look. Explain: [U0](explain-user), ")
    assert first.endswith(
        "[U9](explain-user) and 92 more, in the table *to look at*; [Decide about the first 100](decide)"
    )
    assert next(step for step in asked if step.flow == "decide").values == {"slack_ids": [f"U{n}" for n in range(100)]}
    assert second == (
        "- **1 person**: no room. Make room. Explain: [U77 (Ada *L*)](explain-user); [Acknowledge this person](decide)"
    )
    assert asked[-1].values == {"action": "leave it so", "slack_ids": ["U77"]}
    assert attention_lines([], str) == []


def test_what_accounts_do_not_get_is_counted_and_each_value_is_listed(tmp_path):
    found = [Shortfall("field_1", "Space", "table centres has no row for it")] * 3
    found += [
        Shortfall("field_1", "=Sea", "table centres has no row for it"),
        Shortfall("field_2", "Admiral", NOT_HELD),
    ]

    told, fault = write_values(found, {"field_1": "Cost|centre"}, tmp_path / "values.csv")

    plan = replace(PLAN, facts={"shortfalls": told, "shortfall_fault": fault})
    page = Summary(plan, []).markdown()
    assert "| field_1 (Cost\\|centre) | table centres has no row for it | 2 | 4 |" in page
    assert "| field_2 | Docebo's field cannot hold it | 1 | 1 |" in page
    assert "`1abcdefg-values.csv` below `REPORT_DIR`" in page
    assert "Space" not in page
    rows = list(csv.reader((tmp_path / "values.csv").read_text(encoding="utf-8").splitlines()))
    assert rows == [
        ["attribute", "value", "why", "people"],
        ["field_1 (Cost|centre)", "Space", "table centres has no row for it", "3"],
        ["field_1 (Cost|centre)", "'=Sea", "table centres has no row for it", "1"],
        ["field_2", "Admiral", "Docebo's field cannot hold it", "1"],
    ]
