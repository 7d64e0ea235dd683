"""The kinds of breach that the simulation has found: one short story each, in which a promise was broken."""

from contextlib import ExitStack

import pytest

from tests.simulation.apart import apart
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.organisation import BRANCH_RULE, GROUP, MANAGER_RULE, NAMES_RULES, TEAM_RULE
from tests.simulation.promises import Promise
from tests.simulation.runs import NAMED, RUNS
from tests.simulation.stage import play, told
from tests.simulation.story import Step, Story

ANOTHER = pytest.mark.long  # story of a kind, in which another attribute, setting or fault shows what one here shows
HOUR = 3600.0
SETTINGS = {
    "LEAVERS": "deactivate",
    "LIMIT_DEACTIVATIONS": "none",
    "LIMIT_UNMAPPINGS": "none",
    "LIMIT_REJECTIONS": "100",
    "SOURCE_MAY_SHRINK": "40",
    "REALTIME_RETRY_DELAYS": "30, 120, 600",
}
BRANCHES = {"ATTRIBUTES": f"{NAMES_RULES}, {BRANCH_RULE}", "BRANCH_MOVES": "true", "LIMIT_BRANCH_MOVES": "none"}
MANAGERS = {"ATTRIBUTES": f"{NAMES_RULES}, {MANAGER_RULE} clear"}
TEAMS = {"ATTRIBUTES": f"{NAMES_RULES}, {TEAM_RULE} clear", "PROFILE_MAX_AGE_DAYS": "1"}


def at(hours: float, what: str, *people: int, seconds: float = 0) -> Step:
    """Return that *what* happens, or starts, *hours* and *seconds* after the beginning."""
    return Step(hours * HOUR + seconds, what, people)


def fault(process: str, way: str, number: int, kind: str) -> Step:
    """Return that the call of this *number* of a process goes wrong; *way* is "read" or "write"."""
    return Step(0.0, "fault", call=(process, way, number, kind))


def company(*steps: Step, size: int = 5, with_accounts: tuple[int, ...] = (), **settings: str) -> Story:
    """Return the story of *size* people to whom *steps* happen."""
    return Story(size, tuple((SETTINGS | settings).items()), steps, with_accounts)


def assert_kept(promise: Promise, story: Story) -> None:
    played = apart(play, story)
    broken = [breach for breach in played.breaches if breach.promise is promise]
    assert not broken, "\n" + told(story, played)


def test_people_of_another_docebo_at_another_address_are_not_written() -> None:
    story = company(at(0, "import"), at(1, "change_docebo_url"), at(3, "import"))
    assert_kept(Promise.ONLY_OWN, story)


@ANOTHER
def test_an_account_that_is_shown_to_be_an_administrators_before_the_first_row_is_not_written() -> None:
    assert_kept(Promise.ADMINISTRATORS, company(at(0, "import"), at(1, "rename", 1), at(1, "promote", 1, seconds=2)))


@ANOTHER
def test_an_account_that_is_shown_to_be_an_administrators_after_the_row_of_another_is_not_written() -> None:
    story = company(at(0, "import"), at(1, "swap_addresses", 1, 2), at(1, "promote", 2, seconds=4))
    assert_kept(Promise.ADMINISTRATORS, story)


@ANOTHER
def test_people_of_a_restored_tenant_are_not_written() -> None:
    story = company(at(0, "import"), at(1, "restore_another_platform"), at(3, "import"))
    assert_kept(Promise.ONLY_OWN, story)


@ANOTHER
def test_of_an_account_that_was_given_by_hand_nobody_knows_what_only_a_run_that_died_over_its_list_has_seen() -> None:
    story = company(
        *(at(0, "import"), at(1, "correct_mapping", 1), at(2, "import")),
        fault("import 2", "read", 9, "killed at work"),
        *(at(3, "restore_another_platform"), at(5, "rename", 1)),
    )
    assert_kept(Promise.ONLY_OWN, story)


@ANOTHER
def test_an_account_that_was_given_by_hand_is_known_by_what_an_event_has_seen_of_it_that_has_to_be_tried_again() -> (
    None
):
    story = company(
        *(at(0, "import"), at(1, "correct_mapping", 1), at(1, "rename", 1, seconds=1)),
        *(at(1, "restore_another_platform", seconds=3), at(30, "import")),
    )
    assert_kept(Promise.ONLY_OWN, story)


def test_an_account_that_was_handed_over_is_not_deactivated_for_its_former_owner() -> None:
    story = company(at(0, "import"), at(1, "hand_over", 1), at(5, "leave", 1))
    assert_kept(Promise.ONLY_OWN, story)


@ANOTHER
def test_an_account_that_is_passed_on_to_somebody_new_with_its_user_name_is_not_given_its_former_owners_data() -> None:
    story = company(at(0, "import"), at(1, "pass_account_on", 1), at(3, "rename", 1), at(5, "import"))
    assert_kept(Promise.OWN_DATA, story)


@ANOTHER
def test_an_account_that_is_passed_on_to_somebody_new_whose_address_is_hidden_is_not_given_back_by_its_user_name() -> (
    None
):
    story = company(
        at(0, "import"), at(1, "pass_account_on", 1), at(2, "hide", 5), at(3, "reset"), at(4, "import"),
    )  # fmt: skip
    assert_kept(Promise.OWN_DATA, story)


@ANOTHER
def test_an_account_that_is_passed_on_to_somebody_new_is_not_deactivated_as_its_former_owner_leaves() -> None:
    story = company(at(0, "import"), at(1, "import"), at(2, "pass_account_on", 1), at(5, "leave", 1))
    assert_kept(Promise.ABSENCE, story)


@pytest.mark.parametrize("mapping", ["true", pytest.param("false", marks=ANOTHER)])
def test_an_account_that_slips_through_a_shifting_list_gets_no_double(mapping: str) -> None:
    story = company(
        at(0, "import"),
        fault("import 2", "read", 8, "slow"),
        at(1, "import"),
        at(1, "delete_customer_and_add_one", seconds=8),
        with_accounts=(0, 1, 2, 3, 4),
        MAP_SLACK_USER_DATA=mapping,
    )
    assert_kept(Promise.SECOND_ACCOUNT, story)


@ANOTHER
def test_who_was_out_of_scope_gets_no_second_account_by_a_list_that_is_behind() -> None:
    story = company(
        *(at(0, "import"), at(0.5, "swap_addresses", 2, 4), at(1, "swap_addresses", 4, 1), at(2, "import")),
        *(at(2, "delay_event", seconds=2), at(2.5, "fall_behind"), at(2.5, "swap_addresses", 2, 1, seconds=5)),
        at(2.85, "import"),
        with_accounts=(0, 1, 2, 3, 4),
        MAP_SLACK_USER_DATA="false",
        PROTECTED_ACCOUNTS="p1@example.com",
        SCOPE_EXCLUDE="p2@example.com",
    )
    assert_kept(Promise.SECOND_ACCOUNT, story)


@ANOTHER
def test_a_mapping_does_not_leave_an_account_that_a_shifting_list_did_not_show() -> None:
    story = company(
        at(0, "import"),
        fault("import 2", "read", 8, "slow"),
        at(1, "import"),
        at(1, "delete_customer_and_add_one", seconds=8),
        with_accounts=(0, 1, 2, 3, 4),
    )
    assert_kept(Promise.MOVED_MAPPING, story)


@ANOTHER
def test_limits_hold_for_people_who_leave_hour_by_hour() -> None:
    leaving = (at(hour, "leave", hour) for hour in (1, 2, 3))
    assert_kept(Promise.LIMITS, company(at(0, "import"), *leaving, LIMIT_DEACTIVATIONS="2"))


def test_a_late_join_makes_no_account_for_somebody_who_has_left() -> None:
    story = company(at(0, "import"), at(1, "delay_event"), at(1, "hire"), at(1, "leave", 5, seconds=60))
    assert_kept(Promise.NEWEST, story)


def test_the_new_holder_of_an_address_does_not_get_the_account_of_the_former() -> None:
    story = company(at(0, "import"), at(1, "pass_address_on", 1), at(4, "reset"), at(5, "rename", 5))
    assert_kept(Promise.OWN_DATA, story)


@ANOTHER
def test_who_returns_while_docebos_lists_lag_is_not_recorded_as_failed() -> None:
    story = company(at(1, "lag"), at(2, "hire"), at(5, "rehire", 5))
    assert_kept(Promise.TRUE_OUTCOME, story)


def test_who_returns_while_slack_says_nothing_of_the_id_that_the_account_was_made_for_is_not_recorded_as_failed() -> (
    None
):
    story = company(at(1, "lag"), at(7, "join_grid"), at(7, "import", seconds=60), at(10, "rehire", 0))
    assert_kept(Promise.TRUE_OUTCOME, story)


def test_whose_account_was_made_is_not_recorded_as_failed_after_a_lock_of_the_database() -> None:
    story = company(at(0, "import"), fault("import 1", "write", 1, "done, then locked"))
    assert_kept(Promise.TRUE_OUTCOME, story)


@ANOTHER
def test_whose_account_was_made_is_not_recorded_as_failed_after_the_503_of_a_gateway() -> None:
    story = company(at(0, "import"), fault("import 1", "write", 1, "done, then unavailable"))
    assert_kept(Promise.TRUE_OUTCOME, story)


def test_who_is_forgotten_during_an_import_is_not_created_by_it() -> None:
    story = company(fault("import 1", "write", 1, "paused"), at(0, "import"), at(0, "forget", 2, seconds=300))
    assert_kept(Promise.FORGOTTEN, story)


@ANOTHER
def test_who_was_forgotten_stays_so_under_another_id() -> None:
    assert_kept(Promise.FORGOTTEN, company(at(0, "import"), at(1, "forget", 2), at(2, "rehire", 2)))


@ANOTHER
def test_who_is_forgotten_before_anybody_has_seen_the_address_is_somebody_new_under_another_id() -> None:
    story = company(
        *(at(0, "import"), at(1, "lose_event"), at(1, "hire"), at(1, "forget", 5, seconds=1), at(2, "rehire", 5)),
    )
    assert_kept(Promise.FORGOTTEN, story)


@ANOTHER
def test_an_account_that_a_second_look_shows_to_be_an_administrators_is_not_written() -> None:
    story = company(
        at(0, "import"),
        at(1, "lose_event"),
        at(1, "rename", 1),
        fault("import 2", "write", 1, "lost"),
        at(2, "import"),
        at(2, "promote", 1, seconds=4),
    )
    assert_kept(Promise.ADMINISTRATORS, story)


def test_whose_address_slack_hides_is_not_deactivated() -> None:
    story = company(at(0, "import"), at(1, "hide", 1), at(2, "import"), LEAVERS_OUT_OF_SCOPE="true")
    assert_kept(Promise.ABSENCE, story)


def test_an_account_that_was_linked_by_hand_to_a_leaver_and_handed_over_is_not_written_once_that_one_is_back() -> None:
    story = company(
        *(at(0, "import"), at(1, "correct_mapping", 1), at(1, "leave", 1, seconds=600)),
        *(at(2, "hand_over", 1), at(2, "hand_over", 1, seconds=60), at(3, "come_back", 1)),  # both accounts
    )
    assert_kept(Promise.ONLY_OWN, story)


def test_a_paused_import_writes_nothing_after_another_took_its_place() -> None:
    story = company(fault("import 1", "write", 1, "paused"), at(0, "import"), at(0, "import", seconds=300))
    assert_kept(Promise.FENCED, story)


@pytest.mark.parametrize("answer", ["no", pytest.param("lost", marks=ANOTHER)])
def test_an_account_that_a_paused_import_has_made_with_an_older_name_gets_the_newer_one_of_the_event(
    answer: str,
) -> None:
    lost = [fault("real time 1", "write", 1, "lost")] if answer == "lost" else []
    story = company(fault("import 1", "write", 1, "paused"), *lost, at(0, "import"), at(0, "rename", 0, seconds=2.5))
    assert_kept(Promise.NEWEST, story)


def test_a_batch_is_waited_for_whose_caller_died_in_a_later_attempt() -> None:
    story = company(
        fault("import 1", "write", 1, "unavailable"),
        fault("import 1", "write", 2, "unavailable"),
        fault("import 1", "write", 3, "killed at work"),
        at(0, "import"),
        at(0, "import", seconds=58),
    )
    assert_kept(Promise.ONE_BATCH, story)


@pytest.mark.parametrize("rehires", [pytest.param("report", marks=ANOTHER), "hand-over"])
def test_who_is_hired_again_under_a_new_id_has_an_account_or_is_told_of(rehires: str) -> None:
    assert_kept(Promise.EVERYBODY, company(at(0, "import"), at(1, "rehire", 1), REHIRES=rehires))


@ANOTHER
def test_who_is_hired_again_and_whose_address_two_accounts_bear_is_told_of() -> None:
    story = company(
        *(at(0, "import"), at(6, "correct_mapping", 3), at(7, "import"), at(8, "rehire", 3)), REHIRES="hand-over"
    )
    assert_kept(Promise.EVERYBODY, story)


def test_what_a_killed_import_overwrote_is_looked_at_again() -> None:
    unannounced = (step for person in range(4) for step in (at(1, "lose_event"), at(1, "rename", person)))
    story = company(
        at(0, "import"),
        *unannounced,
        fault("import 2", "write", 1, "paused"),
        at(2, "import"),
        at(2, "rename", 2, seconds=100),
        fault("import 2", "write", 2, "killed at work"),
    )
    assert_kept(Promise.NEWEST, story)


def test_somebody_who_joins_during_an_import_does_not_fail_it() -> None:
    story = company(at(0, "import"), fault("import 2", "read", 8, "slow"), at(1, "import"), at(1, "hire", seconds=8))
    assert_kept(Promise.UNDISTURBED, story)


def test_no_import_fails_over_a_company_that_joins_enterprise_grid() -> None:
    assert_kept(Promise.UNDISTURBED, company(at(0, "import"), at(1, "join_grid"), at(2, "import")))


@ANOTHER
def test_an_older_event_under_the_local_id_is_not_applied_after_a_newer_one_under_the_organisations() -> None:
    story = company(
        *(at(0, "import"), at(1, "join_grid"), at(2, "delay_event"), at(2, "hire", seconds=1)),
        at(2, "rename", 5, seconds=2),
    )
    assert_kept(Promise.NEWEST, story)


def test_a_list_that_broke_off_is_no_success_of_an_import_that_trusts() -> None:
    story = company(
        at(0, "import"), fault("trusting import 1", "read", 5, "short"), at(1, "trusting import"), size=8
    )  # fmt: skip
    assert_kept(Promise.SHORT_READ, story)


@ANOTHER
def test_a_list_that_broke_off_is_no_success_of_a_saved_plan() -> None:
    story = company(
        *(at(0, "import"), fault("late plan 1", "read", 10, "short"), at(1, "late plan")),
        size=7,
        with_accounts=(0, 1, 2, 3, 4, 5, 6),
        **BRANCHES | {"LIMIT_BRANCH_MOVES": "3"},
    )
    assert_kept(Promise.SHORT_READ, story)


@ANOTHER
def test_a_list_that_was_disproved_is_not_the_measure_of_the_next() -> None:
    story = company(at(0, "import"), fault("import 2", "read", 7, "short"), at(1, "import"), size=8)
    assert_kept(Promise.MEASURE, story)


def test_a_plan_that_was_cut_off_does_not_move_a_corrected_mapping_back() -> None:
    story = company(
        at(0, "import"),
        at(1, "lose_event"),
        at(1, "rename", 1),
        fault("import 2", "write", 1, "killed at work"),
        at(1, "import"),
        at(2, "correct_mapping", 1),
        at(3, "cut-off plan"),
    )
    assert_kept(Promise.BY_HAND, story)


def test_a_reset_deletes_no_mapping_that_is_in_no_backup() -> None:
    story = company(at(0, "import"), at(1, "delete_account", 1), at(1, "reset"), at(1, "rename", 1, seconds=2))
    assert_kept(Promise.BACKED_UP, story)


def test_a_name_in_docebos_own_form_is_not_written_for_ever_without_mapping() -> None:
    story = company(at(0, "import"), at(1, "take_odd_name", 1), MAP_SLACK_USER_DATA="false")
    assert_kept(Promise.QUIET, story)


def test_the_reason_of_a_refusal_names_nobody_else() -> None:
    assert_kept(Promise.PRIVATE, company(at(0, "import"), at(1, "refuse_rows", 2), at(1, "hire")))


@ANOTHER
def test_who_returns_in_time_has_all_days_of_grace_again() -> None:
    story = company(
        *(at(0, "import"), at(1, "leave", 1), at(2, "import"), at(10, "come_back", 1), at(11, "import")),
        *(at(20, "leave", 1), at(21, "import"), at(27, "import")),
        LEAVERS_AFTER_DAYS="1",
    )
    assert_kept(Promise.GRACE, story)


def test_who_returns_while_an_import_is_at_work_is_no_leaver_of_the_list_of_before() -> None:
    story = company(
        *(at(0, "import"), at(1, "leave", 1), at(2, "import")),
        fault("import 2", "read", 7, "slow"),
        *(at(2, "come_back", 1, seconds=8), at(50, "leave", 1)),
        LEAVERS_AFTER_DAYS="1",
    )
    assert_kept(Promise.GRACE, story)


@ANOTHER
def test_who_returns_and_is_written_while_an_import_plans_is_no_leaver_of_the_list_of_before() -> None:
    story = company(
        *(at(0, "import"), at(1, "leave", 1), at(2, "import")),
        *(fault("import 2", "read", 8, "slow"), fault("real time 2", "write", 1, "slow")),
        *(at(2, "lose_event", seconds=8), at(2, "come_back", 1, seconds=8), at(2, "rename", 1, seconds=8)),
        at(50, "leave", 1),
        LEAVERS_AFTER_DAYS="1",
    )
    assert_kept(Promise.GRACE, story)


@ANOTHER
@pytest.mark.parametrize("leavers", ["deactivate", "expire"])
def test_who_returns_after_the_grace_gets_in_again(leavers: str) -> None:
    story = company(
        *(at(0, "import"), at(1, "leave", 1), at(2, "import"), at(27, "import"), at(50, "come_back", 1)),
        LEAVERS=leavers,
        LEAVERS_AFTER_DAYS="1",
    )
    played = apart(play, story)
    assert not played.breaches, "\n" + told(story, played)
    assert any("1 deactivated" in line for line in played.log)


@pytest.mark.parametrize("leavers", ["deactivate", pytest.param("expire", marks=ANOTHER)])
def test_who_is_shut_out_again_by_an_undo_gets_in_again_though_a_reset_has_deleted_the_mapping(leavers: str) -> None:
    story = company(
        *(at(0, "import"), at(1, "leave", 1), at(26, "import"), at(27, "reset")),
        *(at(52, "lose_event"), at(52, "come_back", 1), at(53, "import"), at(54, "undo")),
        LEAVERS=leavers,
        LEAVERS_AFTER_DAYS="1",
    )
    assert_kept(Promise.CAUGHT_UP, story)


@ANOTHER
def test_limits_hold_for_people_who_are_moved_hour_by_hour() -> None:
    moving = (
        step for hour in (1, 2, 3) for step in (at(hour, "change_department", hour - 1), at(hour + 0.5, "import"))
    )
    assert_kept(Promise.LIMITS, company(at(0, "import"), *moving, **BRANCHES | {"LIMIT_BRANCH_MOVES": "2"}))


def test_a_manager_who_was_set_without_an_answer_and_refused_then_is_in_doubt_and_not_failed() -> None:
    story = company(
        *(at(0, "import"), at(1, "lose_event"), at(1, "lose_event")),
        *(at(1, "change_manager", 3, 2), at(1, "change_manager", 4, 2), at(2, "import")),
        fault("import 2", "write", 1, "done, then unavailable"),
        fault("import 2", "write", 2, "done, then unavailable"),
        fault("import 2", "write", 3, "unavailable"),
        **MANAGERS,
    )
    assert_kept(Promise.TRUE_OUTCOME, story)


def test_who_was_moved_by_hand_is_not_moved_back() -> None:
    assert_kept(Promise.STAYS, company(at(0, "import"), at(1, "move_by_hand", 1), at(2, "import"), **BRANCHES))


@ANOTHER
def test_who_is_moved_by_us_to_where_somebody_had_moved_the_account_before_may_be_moved_on_from_there() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_department", 1), at(1, "move_by_hand", 1), at(2, "import")),
        *(at(3, "change_department", 1) for _ in range(3)),  # to that of the beginning
        at(4, "import"),
        **BRANCHES,
    )
    played = apart(play, story)
    assert not played.breaches, "\n" + told(story, played)
    moving = [line for line in played.log if "1 moved" in line]
    assert [line.partition("import ")[2][:1] for line in moving] == ["2", "3"], told(story, played)


@ANOTHER
def test_a_protected_account_is_not_moved() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_department", 1), at(2, "import")),
        with_accounts=(1,),
        PROTECTED_ACCOUNTS="p1@example.com",
        **BRANCHES,
    )
    assert_kept(Promise.SHIELDED, story)


def test_who_is_made_in_parts_under_a_protected_address_is_made_as_a_whole() -> None:
    story = company(
        *(at(0, "import"), at(1, "refuse_rows", 1), at(2, "delete_account", 1), at(3, "import")),
        **TEAMS | {"PROTECTED_ACCOUNTS": "p1@example.com"},
    )
    played = apart(play, story)
    assert not played.breaches, "\n" + told(story, played)


@ANOTHER
def test_who_was_given_a_protected_address_while_a_newer_one_came_is_left_alone_with_it() -> None:
    story = company(
        *(at(0, "import"), at(1, "swap_addresses", 1, 2), at(1, "swap_addresses", 3, 2, seconds=15)),
        fault("real time 1", "write", 1, "slow"),
        PROTECTED_ACCOUNTS="p1@example.com",
    )
    played = apart(play, story)
    assert not played.breaches, "\n" + told(story, played)


@ANOTHER
def test_moves_that_are_let_through_late_undo_no_newer_ones() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_department", 0), at(1, "change_department", 1), at(2, "import")),
        *(at(3, "change_department", person) for person in (0, 0, 1, 1)),
        *(at(4, "import"), at(5, "late plan")),
        **BRANCHES | {"LIMIT_BRANCH_MOVES": "1"},
    )
    assert_kept(Promise.NEWEST, story)


def test_moves_that_are_undone_are_brought_back() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_department", 1), at(2, "import"), at(3, "undo of what followed")), **BRANCHES
    )
    assert_kept(Promise.UNDONE, story)


@ANOTHER
@pytest.mark.parametrize("way", ["killed at work", "paused"])
def test_what_an_undo_that_was_cut_off_has_brought_back_is_not_to_be_told_by_the_next(way: str) -> None:
    story = company(
        *(at(0, "import"), at(1, "undo of what followed"), at(1.1, "undo of what followed")),
        fault("undo of what followed 1", "write", 2, way),
        **TEAMS,
    )
    assert_kept(Promise.UNDONE, story)


@ANOTHER
def test_whose_account_was_handed_over_is_made_nobodys_manager() -> None:
    story = company(at(0, "import"), at(1, "hand_over", 1), at(3, "change_manager", 2, 1), at(4, "import"), **MANAGERS)
    assert_kept(Promise.PLACED, story)


@ANOTHER
def test_a_move_that_a_killed_run_has_sent_is_taken_back_where_slack_says_the_former_department_again() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_department", 1), at(2, "import")),
        fault("import 2", "write", 1, "killed at work"),
        *(at(3, "change_department", 1) for _ in range(3)),
        at(4, "import"),
        **BRANCHES,
    )
    assert_kept(Promise.CAUGHT_UP, story)


@ANOTHER
def test_a_manager_whom_a_killed_run_has_sent_is_replaced_where_slack_names_the_former_one_again() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_manager", 4, 2), at(2, "import")),
        fault("import 2", "write", 1, "killed at work"),
        *(at(3, "change_manager", 4, 1), at(4, "import")),
        **MANAGERS,
    )
    assert_kept(Promise.CAUGHT_UP, story)


@ANOTHER
def test_an_import_closes_no_circle_with_managers_whom_a_killed_run_may_have_given() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_manager", 2, 3), at(1, "change_manager", 4, 2), at(2, "import")),
        fault("import 2", "write", 1, "killed at work"),
        *(at(3, "lose_manager", 2), at(3, "lose_manager", 4), at(3, "change_manager", 3, 4), at(4, "import")),
        ATTRIBUTES=f"{NAMES_RULES}, {MANAGER_RULE}",
    )
    assert_kept(Promise.PLACED, story)


@ANOTHER
def test_who_would_come_into_a_circle_with_a_manager_who_stays_is_not_expected_to_have_one() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_manager", 0, 4), at(2, "import"), at(3, "lose_manager", 0)),
        *(at(3, "change_manager", 4, 0), at(4, "import")),
        ATTRIBUTES=f"{NAMES_RULES}, {MANAGER_RULE}",
        SCOPE_EXCLUDE="p1@example.com",  # who is the manager of the others
    )
    assert_kept(Promise.CAUGHT_UP, story)


@ANOTHER
def test_who_would_come_into_a_circle_with_a_manager_whom_somebody_has_changed_since_by_hand_is_not_expected_to_have_one() -> (
    None
):
    story = company(
        *(at(0, "import"), at(1, "change_manager", 0, 4), at(2, "import"), at(3, "lose_manager", 0)),
        *(at(3, "manage_by_hand", 0), at(3, "change_manager", 4, 0), at(4, "import")),
        ATTRIBUTES=f"{NAMES_RULES}, {MANAGER_RULE}",
        SCOPE_EXCLUDE="p1@example.com",
    )
    assert_kept(Promise.CAUGHT_UP, story)


@ANOTHER
def test_an_import_closes_no_circle_with_a_manager_whom_an_event_has_given_while_it_was_planned() -> None:
    story = company(
        *(at(0, "import"), at(1, "change_manager", 2, 3), at(2, "import")),
        fault("import 2", "read", 15, "paused"),
        *(
            at(2, "change_manager", 2, 1, seconds=9),
            at(2, "change_manager", 3, 2, seconds=9),
            at(2, "rename", 3, seconds=9),
        ),
        **MANAGERS,
    )
    assert_kept(Promise.PLACED, story)


def test_a_field_that_slacks_list_does_not_show_is_not_emptied() -> None:
    assert_kept(Promise.KNOWN, company(at(0, "import"), at(1, "show_fields_otherwise"), at(2, "import"), **TEAMS))


@ANOTHER
def test_a_field_that_was_changed_without_a_new_stamp_is_read_again() -> None:
    story = company(at(0, "import"), at(1, "keep_stamps"), at(2, "change_team", 1), at(3, "import"), **TEAMS)
    assert_kept(Promise.CAUGHT_UP, story)


@ANOTHER
def test_a_field_that_was_emptied_and_undone_is_not_emptied_again_where_slack_says_another_since() -> None:
    story = company(
        *(at(0, "import"), at(1, "lose_event"), at(1, "lose_team", 1), at(2, "import")),
        *(at(3, "undo of what followed"), at(5, "lose_event"), at(5, "change_team", 1), at(8, "import")),
        **TEAMS,
    )
    assert_kept(Promise.KNOWN, story)


@ANOTHER
def test_a_field_that_was_emptied_and_undone_is_read_again_though_no_stamp_tells_of_its_change() -> None:
    story = company(
        *(at(0, "import"), at(1, "lose_event"), at(1, "lose_team", 1), at(2, "import")),
        *(at(3, "undo of what followed"), at(4, "keep_stamps"), at(5, "change_team", 1), at(8, "import")),
        **TEAMS,
    )
    assert_kept(Promise.KNOWN, story)


@ANOTHER
def test_a_manager_whom_slack_has_named_within_the_age_of_a_reading_is_no_breach() -> None:
    story = company(
        *(at(0, "import"), at(1, "keep_stamps"), at(2, "change_manager", 3, 2), at(5, "correct_mapping", 3)),
        *(at(6, "import"), at(7, "import")),
        **MANAGERS | {"PROFILE_MAX_AGE_DAYS": "1"},
    )
    played = apart(play, story)
    assert not played.breaches, "\n" + told(story, played)
    assert any("import 2 ends" in line and "1 updated" in line for line in played.log), told(story, played)


@ANOTHER
def test_a_list_that_lacks_only_whom_slack_does_not_show_when_asked_is_not_held_against_the_run() -> None:
    broken_off = fault("import 2", "read", 4, "short")
    assert_kept(Promise.SHORT_READ, company(at(0, "import"), at(1, "poison", 2), at(2, "import"), broken_off, size=3))


@ANOTHER
def test_an_import_may_refuse_a_list_that_really_left_out_somebody_who_joined_before_it_was_read() -> None:
    story = company(
        *(at(0, "import"), at(1, "import"), at(1, "hire", seconds=2)),
        *(fault("import 2", "read", 2, "unavailable"), fault("import 2", "read", 7, "short")),
    )
    assert_kept(Promise.UNDISTURBED, story)


@ANOTHER
def test_an_account_that_docebo_does_not_show_yet_is_in_doubt_until_the_next_import_records_it() -> None:
    story = company(
        *(at(0, "import"), at(1, "lag"), at(2, "lose_event"), at(2, "hire"), at(2, "import", seconds=2)),
        fault("import 2", "write", 1, "done, then locked"),
        size=2,
    )
    assert_kept(Promise.RECORDED, story)


def test_who_may_have_an_account_has_not_failed_where_nobody_new_is_sent_because_the_first_is_not_found() -> None:
    story = company(
        *(at(0, "import"), at(0.17, "import"), at(3, "delay_event"), at(6.2, "hire"), at(6.5, "import")),
        *(fault("import 3", "write", 1, "done, then unavailable"), at(6.5, "lag", seconds=2), at(6.85, "hire")),
        with_accounts=(0, 1, 2, 3, 4),
        MAP_SLACK_USER_DATA="false",
    )
    assert_kept(Promise.TRUE_OUTCOME, story)


@ANOTHER
def test_of_an_account_that_docebo_did_not_show_as_long_as_anybody_looked_is_told_that_nobody_can_tell() -> None:
    story = company(
        *(at(0, "import"), at(1, "lag"), at(2, "lose_event"), at(2, "hire"), at(2, "import", seconds=2)),
        fault("import 2", "write", 1, "done, then locked"),
        *(at(5, "rename", 0), at(5.1, "named run", 1), at(6, "rename", 1)),
        size=2,
    )
    played = apart(play, story)
    assert not played.breaches, "\n" + told(story, played)


@ANOTHER
def test_of_a_lost_answer_that_real_time_has_written_over_it_is_told_that_nobody_can_tell() -> None:
    story = company(
        *(at(0, "import"), at(1, "lose_event"), at(1, "rename", 1), at(1, "import", seconds=5)),
        fault("import 2", "write", 1, "done, then locked"),
        at(1, "rename", 1, seconds=16),
    )
    assert_kept(Promise.RECORDED, story)


def test_who_has_two_addresses_in_a_moment_keeps_the_newer_one_though_an_import_writes_something_else_meanwhile() -> (
    None
):
    story = company(
        *(at(0, "import"), at(0.9, "lose_event"), at(0.9, "take_odd_name", 1), at(1, "swap_addresses", 1, 2)),
        *(at(1, "swap_addresses", 1, 2, seconds=1), at(1, "import", seconds=1.6)),
    )
    assert_kept(Promise.NEWEST, story)


@ANOTHER
def test_an_import_soon_after_an_event_and_the_event_do_not_write_by_turns() -> None:
    story = company(at(0, "import"), at(0.2, "hide", 0), at(4, "take_odd_name", 0), with_accounts=(0,))
    assert_kept(Promise.QUIET, story)


@ANOTHER
def test_an_undo_gives_an_account_back_to_whoever_had_it_before_its_address_came_to_somebody_else() -> None:
    story = company(
        *(at(0, "import"), at(1, "reset"), at(2, "lose_event"), at(2, "lose_event"), at(2, "swap_addresses", 1, 2)),
        *(at(3, "import"), at(4, "undo")),
        with_accounts=(0, 1, 2),
    )
    assert_kept(Promise.OWN_DATA, story)


def test_a_list_that_is_behind_an_event_takes_nothing_back_where_the_person_was_named_since() -> None:
    story = company(
        *(at(0, "import"), at(1, "fall_behind"), at(1, "rename", 1, seconds=2)),
        *(at(1.5, NAMED, 1), at(1.6, "import")),
    )
    assert_kept(Promise.NEWEST, story)


def test_an_import_that_is_at_work_at_midnight_writes_nothing_more_on_a_day_that_is_frozen() -> None:
    story = company(
        at(0, "import"),
        *(step for person in range(4) for step in (at(15, "lose_event"), at(15, "rename", person))),
        *(at(16, "import", seconds=-12), fault("import 2", "write", 1, "slow")),
        FREEZE="2027-01-16",
    )
    assert_kept(Promise.FROZEN, story)


def test_who_was_shut_out_by_us_since_a_backup_that_is_restored_gets_in_again() -> None:
    story = company(
        *(at(0, "import"), at(0.1, "reset"), at(0.2, "import"), at(1, "leave", 1)),
        *(at(2, "restore"), at(3, "come_back", 1)),
    )
    assert_kept(Promise.CAUGHT_UP, story)


@ANOTHER
def test_an_account_is_not_handed_over_with_the_address_of_somebody_who_is_still_there() -> None:
    story = company(at(0, "import"), at(1, "lose_event"), at(1, "pass_address_on", 1), REHIRES="hand-over")
    assert_kept(Promise.OWN_DATA, story)


IN_A_GROUP = {"SCOPE_USERGROUPS": GROUP, "LEAVERS_OUT_OF_SCOPE": "true"}
OF_THE_ORGANISATION = (at(0, "join_grid"), at(0, "drop_local_ids"))


def test_a_member_of_a_group_whom_an_event_has_shown_under_another_id_before_an_import_is_no_leaver() -> None:
    story = company(
        *OF_THE_ORGANISATION,
        *(at(1, "rename", 2), at(2, "import"), at(3, "rename", 2)),
        with_accounts=(0, 1, 2, 3, 4),
        **IN_A_GROUP,
    )
    assert_kept(Promise.ABSENCE, story)


def test_a_member_of_a_group_whose_other_id_an_import_learns_during_a_round_is_no_leaver() -> None:
    story = company(
        *OF_THE_ORGANISATION,
        *(at(1, "import", seconds=-2), at(1, "rename", 2)),
        with_accounts=(0, 1, 2, 3, 4),
        **IN_A_GROUP,
    )
    assert_kept(Promise.ABSENCE, story)


@ANOTHER
def test_what_real_time_does_beside_mappings_addresses_groups_and_other_ids_it_does_where_nothing_goes_wrong() -> None:
    story = company(
        *(at(0, "import"), at(1, "reset"), at(2, "restore"), at(3, "move_docebo"), at(4, "rename", 1), at(5, "relink")),
        *(at(6, "change_membership", 1), at(7, "change_membership", 1), at(8, "join_grid"), at(9, "rename", 1)),
        *(at(10, "leave_grid"), at(11, "rename", 1), at(12, "rehire", 1), at(12, "change_membership", 1)),
        *(at(13, "leave", 0), at(13, "leave", 2), at(14, "let_through"), at(15, "replay_events")),
        SCOPE_USERGROUPS=GROUP,
        LEAVERS_OUT_OF_SCOPE="true",
        LIMIT_DEACTIVATIONS="2",
        REHIRES="hand-over",
    )
    played = apart(play, story)
    assert not played.breaches, "\n" + told(story, played)
    ends = " ".join(line for line in played.log if " ends: " in line)
    for done in ("mappings written", "is linked to", "1 deactivated", "held back"):
        assert done in ends, told(story, played)


def test_every_kind_of_run_does_its_work_where_nothing_goes_wrong() -> None:
    everyday = [at(hour, run) for hour, run in enumerate(RUNS)]
    story = company(*everyday, at(20, NAMED, 1), at(21, "deliver_by_older_webhook"), at(22, "rename", 1))
    played = apart(play, story)
    assert not played.breaches, "\n" + told(story, played)
    assert any("real time" in line and "updated" in line for line in played.log)
    assert any(NAMED in line and "1 mapped" in line for line in played.log), told(story, played)


def test_every_kind_has_a_mutant() -> None:
    assert {mutant.kind for mutant in MUTANTS} == set(range(1, 24))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_takes_out_what_is_there(mutant: Mutant) -> None:
    with ExitStack() as stack:
        assert [stack.enter_context(change) for change in mutant.without()]


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=lambda number: MUTANTS[number].name)
def test_a_mutant_is_found_by_a_story_of_its_kind(number: int) -> None:
    assert apart(found_by_a_story, number)


def found_by_a_story(number: int) -> str:
    return MUTANTS[number].found_by((), seconds=float("inf"))
