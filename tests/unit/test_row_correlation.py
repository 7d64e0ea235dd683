"""Which answer of a batch belongs to which row."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.clients.docebo_rows import Row, RowResult, correlate
from slack_docebo.errors import OutcomeUnknown

ADA = Row(None, {"username": "ada", "email": "ada@x.org", "first_name": "Ada", "last_name": "Lovelace"})
BOB = Row(None, {"username": "bob", "email": "bob@x.org"})
CAT = Row(None, {"username": "cat", "email": "cat@x.org"})
SEVEN = Row(7, {"first_name": "Ada"})
NINE = Row(9, {"email": "nine@x.org"})


def done(user_id: object = None, username: str | None = None, **more: Any) -> dict[str, Any]:
    return {"success": True, "message": "", "output": {"user_id": user_id, "username": username, "error": None}, **more}


def failed(message: object, user_id: object = None, username: str | None = None, **more: Any) -> dict[str, Any]:
    output = {"user_id": user_id, "username": username, "error": message}
    return {"success": False, "message": message, "output": output, **more}


@pytest.mark.parametrize("base", [0, 1])
def test_answers_in_order_are_read_whichever_number_the_first_has(base):
    answers = [done("11", "ada", row_index=base), failed("No", username="bob", row_index=base + 1)]

    assert correlate([ADA, BOB], answers) == [RowResult(11), RowResult(None, "No", "No")]


def test_answers_in_another_order_are_told_by_the_user_name():
    answers = [done("12", "BOB"), done("13", "cat"), done("11", "/ada")]

    assert correlate([ADA, BOB, CAT], answers) == [RowResult(11), RowResult(12), RowResult(13)]


@pytest.mark.parametrize("shown", ["jos\u00e9@m\u00fcnchen.example", "JOS\u00c9@xn--mnchen-3ya.example"])
def test_a_user_name_is_known_again_in_another_form_of_its_accents_and_its_domain(shown):
    jose = Row(None, {"username": "jose\u0301@m\u00fcnchen.example"})

    assert correlate([ADA, jose], [done("12", shown), done("11", "ada")]) == [RowResult(11), RowResult(12)]


def test_answers_in_another_order_are_told_by_the_id():
    assert correlate([SEVEN, NINE], [failed("No", "9"), done(7)]) == [RowResult(7), RowResult(9, "No", "No")]


def test_an_existing_account_answers_with_a_user_name_one_did_not_send():
    assert correlate([SEVEN, NINE], [done("7", "ada"), done("9", "nina")]) == [RowResult(7), RowResult(9)]


def test_swapped_user_names_do_not_confuse_rows_that_have_ids():
    rows = [Row(7, {"username": "new"}), Row(9, {"username": "old"})]

    assert correlate(rows, [done(7, "old"), done(9, "new")]) == [RowResult(7), RowResult(9)]


def test_a_tenant_that_uses_addresses_as_user_names_is_understood():
    assert correlate([ADA, BOB], [done(12, "Bob@x.org"), done(11, "ada@x.org")]) == [RowResult(11), RowResult(12)]


def test_row_numbers_stand_in_where_answers_show_nobody():
    answers = [failed("No", row_index=2), done(11, "ada", row_index=1)]

    assert correlate([ADA, BOB], answers) == [RowResult(11), RowResult(None, "No", "No")]


def test_of_answers_that_show_nobody_and_are_not_numbered_nobody_knows_which_account_was_made():
    assert correlate([ADA, BOB], [done(12), done(11)]) == [RowResult(None), RowResult(None)]
    assert correlate([ADA, BOB], [failed("No"), failed("No")]) == [RowResult(None, "No", "No")] * 2
    assert correlate([ADA], [done(11)]) == [RowResult(11)]


def test_an_account_made_without_telling_its_id_is_a_success_without_an_id():
    assert correlate([ADA], [done(None, "ada")]) == [RowResult(None)]


def test_of_rows_that_share_an_address_nobody_knows_which_account_was_made():
    rows = [Row(None, {"username": "a", "email": "same@x.org"}), Row(None, {"username": "b", "email": "same@x.org"})]

    assert correlate(rows, [done(1, "same@x.org"), done(2, "same@x.org")]) == [RowResult(None), RowResult(None)]


@pytest.mark.parametrize(
    ("rows", "answers"),
    [
        pytest.param([ADA, BOB], [done(11, "ada")], id="too few"),
        pytest.param([ADA], [done(11, "ada"), done(12, "bob")], id="too many"),
        pytest.param([ADA], {"success": True}, id="not a list"),
        pytest.param([ADA], None, id="nothing"),
        pytest.param([ADA], ["yes"], id="not objects"),
        pytest.param([ADA], [{"row_index": 0, "output": {"username": "ada"}}], id="no verdict"),
        pytest.param([ADA], [{"success": "perhaps"}], id="a verdict that is none"),
        pytest.param([ADA], [done(11, "eve")], id="about somebody else"),
        pytest.param([SEVEN], [done(8)], id="about another account"),
        pytest.param([ADA, BOB], [done(11, "ada"), done(12, "ada")], id="twice about one"),
        pytest.param([SEVEN, NINE], [done(7), done(7)], id="twice about one account"),
        pytest.param([ADA, BOB], [failed("No"), done(11, "ada")], id="order and user name disagree"),
        pytest.param(
            [ADA, BOB], [failed("No", row_index=0), done(11, "ada", row_index=1)], id="number and name disagree"
        ),
        pytest.param([ADA, BOB], [done(11), failed("No")], id="the order alone tells who has failed"),
        pytest.param([ADA, BOB], [done(11, row_index=0), done(12, row_index=0)], id="twice the same number"),
        pytest.param([ADA, BOB], [done(11, row_index=4), done(12, row_index=5)], id="numbers of other rows"),
    ],
)
def test_nothing_is_guessed(rows, answers):
    with pytest.raises(OutcomeUnknown):
        correlate(rows, answers)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        pytest.param("ada@x.org is refused", "… is refused", id="address"),
        pytest.param("refused, as by eve@y.org", "refused, as by …", id="the address of somebody else"),
        pytest.param(["Bad", {"id": "email", "message": "value"}], "Bad; value", id="list"),
        pytest.param("Array", "refused without a reason", id="PHP's word for a list"),
        pytest.param(None, "refused without a reason", id="none"),
    ],
)
def test_a_reason_is_shown_without_personal_data(message, shown):
    [result] = correlate([ADA], [failed(message, username="ada")])
    assert (result.docebo_id, result.error) == (None, shown)


def test_a_reason_kept_in_the_output_is_found():
    answer = {"success": False, "message": "Array", "output": {"username": "ada", "error": "Branch not found"}}

    [result] = correlate([ADA], [answer])
    assert result.said == "Branch not found"


def test_what_docebo_said_is_kept_whole_beside_what_is_shown():
    [result] = correlate([ADA], [failed("O&#039;Neil is  not\nallowed", username="ada")])
    assert (result.error, result.said) == ("… is not allowed", "O'Neil is not allowed")


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[Row], list[dict[str, Any]], list[RowResult]]:
    """Rows, the answers to them in some order, and what they mean."""
    names = draw(st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), unique=True, min_size=1, max_size=20))
    create = draw(st.booleans())
    rows, answers, results = [], [], []
    for number, name in enumerate(names, start=100):
        success = draw(st.booleans())
        rows.append(Row(None if create else number, {"username": name}))
        shown_id: object = draw(st.sampled_from([number, str(number)])) if success or not create else None
        answers.append(done(shown_id, name) if success else failed("No way", shown_id, name))
        results.append(
            RowResult(number if success or not create else None, *(("", "") if success else ("No …", "No way")))
        )
    random.Random(draw(st.integers())).shuffle(answers)
    return rows, answers, results


@given(batches())
def test_any_order_of_complete_answers_gives_every_row_its_own(batch):
    rows, answers, results = batch

    assert correlate(rows, answers) == results


@given(batches(), st.data())
def test_a_lost_answer_leaves_the_whole_call_unknown(batch, data):
    rows, answers, _ = batch
    del answers[data.draw(st.integers(0, len(answers) - 1))]

    with pytest.raises(OutcomeUnknown):
        correlate(rows, answers)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["success", "message", "output", "user_id", "username", "row_index", "error"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.sampled_from([ADA, BOB, SEVEN]), max_size=3), json_values)
def test_any_answer_is_either_understood_or_unknown(rows, answer):
    try:
        results = correlate(rows, answer)
    except OutcomeUnknown:
        return
    assert len(results) == len(rows)


@pytest.mark.parametrize("error", ["no room", ["no room"], {"message": "no room"}])
def test_a_success_beside_an_error_is_none(error):
    answer = done("11", "ada", message="Created")
    answer["output"]["error"] = error

    assert correlate([ADA, BOB], [answer, done("12", "bob")]) == [
        RowResult(None, "no room", "no room"),
        RowResult(12),
    ]


@pytest.mark.parametrize("error", [None, "", [], {}, 0, "0", False, "false"])
def test_an_error_that_is_none_leaves_a_success_what_it_is(error):
    answer = done("11", "ada")
    answer["output"]["error"] = error
    assert correlate([ADA], [answer]) == [RowResult(11)]
