"""What is learned of a platform or set by hand, and the page that says so."""

import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.docebo.switches import Switches
from sandbox.slack.switches import SlackSwitches
from slack_docebo.domain.dialect import (
    ADDRESS_SEARCH,
    LANGUAGE_FORM,
    NEW_PASSWORD,
    PROVEN,
    QUESTIONS,
    REFUSED_VALUES,
    ROW_COLUMNS,
    ROWS_PER_CALL,
    SET_BY_HAND,
    SUPERADMIN_LEVEL,
    UNKNOWN_OPTIONS,
    USER_LEVEL,
    Dialect,
    Learned,
)

PAGE = Path(__file__).parents[2] / "docs" / "dialect.md"


def table_rows(cells: int) -> list[list[str]]:
    """The rows of the page's tables with so many columns, without their heads."""
    rows = [
        line.strip("|").split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    found = [[cell.strip() for cell in row] for row in rows if len(row) == cells]
    return [row for row in found if row[0] not in {"Question", "What is open"} and not row[0].startswith("---")]


def test_the_page_lists_each_question_with_what_is_assumed_and_what_shows_it():
    assert table_rows(3) == [[asked.name, asked.assumed or "not known", asked.shown_by] for asked in QUESTIONS]


def test_the_page_says_of_each_switch_of_the_sandbox_how_sure_we_are_and_what_is_done():
    listed = [name for row in table_rows(4) for name in re.findall(r"`(\w+)`", row[3])]

    assert sorted(listed) == sorted(field.name for kind in (Switches, SlackSwitches) for field in fields(kind))
    assert {row[1] for row in table_rows(4)} == {"documented", "seen", "guess"}
    assert [row for row in table_rows(4) if not all(row)] == []


@pytest.mark.parametrize(
    ("question", "given", "kept"),
    [
        (ROWS_PER_CALL, " 050 ", "50"),
        (LANGUAGE_FORM, "name", "name"),
        (UNKNOWN_OPTIONS, "provisioned_by,change_user_password", "change_user_password, provisioned_by"),
    ],
)
def test_an_answer_by_hand_is_kept_in_the_form_of_one_that_was_learned(question, given, kept):
    assert question.by_hand(given) == kept


@pytest.mark.parametrize(
    ("question", "given", "told"),
    [
        (ROWS_PER_CALL, "101", "a number from 1 to 100"),
        (ROWS_PER_CALL, "", "a number from 1 to 100"),
        (LANGUAGE_FORM, "english", "code, name"),
        (UNKNOWN_OPTIONS, "branch_option", "some of change_user_password"),
        (PROVEN, "create", "forgotten, not set"),
        (ROW_COLUMNS, "own", "can be alike"),  # others' values would be emptied where that is not so
        (ADDRESS_SEARCH, "full", "can be in parts"),  # people would get a second account
        (NEW_PASSWORD, "none", "can be random"),  # nobody new would get an account
    ],
)
def test_an_answer_that_a_question_cannot_have_is_refused_with_those_it_can(question, given, told):
    with pytest.raises(ValueError, match=told):
        question.by_hand(given)


def test_digests_are_shown_as_their_number():
    assert [REFUSED_VALUES.shown(answer) for answer in ("9f3a, 77b0", "")] == ["2 values", "not known"]


@pytest.mark.parametrize(("source", "rows"), [("a call that was refused", 100), (SET_BY_HAND, 10)])
def test_only_what_was_set_by_hand_holds_for_longer_than_a_month(source, rows):
    now = datetime(2026, 5, 31, tzinfo=UTC)
    learned = {ROWS_PER_CALL.name: Learned("10", now - timedelta(days=31), source)}

    assert Dialect.of(learned, now).rows_per_call == rows


@pytest.mark.parametrize("question", [USER_LEVEL, SUPERADMIN_LEVEL])
def test_a_level_can_be_named_by_a_word_that_is_not_known(question):
    assert question.by_hand(" /framework/level/Learner ") == "learner"
    for word in ("", "power_user", "/framework/level/godadmin", "user", "3"):
        with pytest.raises(ValueError, match="own word for the level, unless its level is known"):
            question.by_hand(word)


def test_a_word_that_is_named_for_both_levels_is_a_superadmins():
    known = Dialect({USER_LEVEL.name: "boss", SUPERADMIN_LEVEL.name: "boss"})

    assert (known.user_level, known.superadmin_level) == ("", "boss")
