"""Whether what is shown of an account proves that its row did what it says."""

from typing import Any

import pytest

from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Account, View
from slack_docebo.domain.proof import changed_besides, is_plain, not_shown, proven_with, still_to_prove, traits

ADA = Account(
    7,
    "ada@example.com",
    "ada@example.com",
    first_name="Ada",
    last_name="Lovelace",
    language="en",
    time_zone="Europe/London",
)


def row(kind: Kind = Kind.UPDATE, before: dict[str, Any] | None = None, **changes: Any) -> Operation:
    return Operation("U1", "T1", "ada", kind, reason="", docebo_id=7, changes=changes, before=before or {})


def test_a_row_proves_its_kind_and_what_it_sets_and_what_it_empties():
    assert traits(row(last_name="King", field_3="")) == {"update", "last_name", "field_3 emptied"}
    assert traits(row(Kind.CREATE, email="a@b.c")) == {"create", "email"}
    assert traits(row(Kind.CREATE, email="a@b.c"), branch=4) == {"create in a branch", "email"}


def test_a_language_that_a_new_account_may_have_by_itself_is_proven_by_two():
    english, german = (traits(row(Kind.CREATE, language=one)) for one in ("en", "de"))

    once = proven_with(frozenset(), english)
    assert still_to_prove(english, once) == set()
    assert still_to_prove(traits(row(Kind.CREATE), branch=4), once) == {"create in a branch"}
    assert still_to_prove(german, once) == {"language de"}
    assert proven_with(once, german) == {"create", "language"}
    assert still_to_prove(traits(row(Kind.CREATE, language="fr")), proven_with(once, german)) == set()
    assert proven_with(once, traits(row(language="de"))) == {"create", "update", "language"}
    assert still_to_prove(traits(row(language="")), frozenset({"update", "language"})) == {"language emptied"}


@pytest.mark.parametrize(
    ("sent", "shown", "before"),
    [
        ({"last_name": "King"}, Account(7, "ada", last_name="King"), "Byron"),
        ({"last_name": "KING"}, Account(7, "ada", last_name="King"), "Byron"),
        ({"last_name": "A" * 60}, Account(7, "ada", last_name="A" * 50), "Byron"),
        ({"last_name": "Rock & Roll"}, Account(7, "ada", last_name="Rock &amp; Roll"), "Byron"),
        ({"last_name": "<King>"}, Account(7, "ada"), ""),
        ({"email": "ADA@example.com"}, ADA, ""),
        ({"active": True}, ADA, False),
        ({"field_3": ""}, ADA, "x"),
    ],
)
def test_what_is_shown_as_sent_or_in_a_form_of_docebos_own_is_believed(sent, shown, before):
    assert not_shown(row(before=dict.fromkeys(sent, before), **sent), [shown]) == []


@pytest.mark.parametrize(
    ("sent", "before"),
    [
        ({"last_name": "King"}, "Lovelace"),
        ({"first_name": "Adam"}, "Ada"),  # a part of what was sent, and what it had before
        ({"language": "de"}, "en"),
        ({"time_zone": "Europe"}, ""),
        ({"email": "other@example.com"}, ""),
        ({"active": False}, True),
        ({"field_3": "x"}, ""),
        ({"last_name": ""}, "Lovelace"),
    ],
)
def test_what_is_shown_otherwise_is_not_believed(sent, before):
    assert not_shown(row(before=dict.fromkeys(sent, before), **sent), [ADA]) == list(sent)


def test_what_is_only_spelt_anew_proves_nothing_and_is_no_failure_where_docebo_keeps_its_own_form():
    respelt = row(before={"first_name": "Ada", "last_name": "King"}, first_name="ADA!", last_name="Lovelace")

    assert traits(respelt) == {"update", "last_name"}
    assert not_shown(respelt, [ADA]) == []
    assert traits(row(before={"first_name": "Ada"}, first_name="Adam")) == {"update", "first_name"}


def test_a_language_that_no_look_can_tell_proves_nothing():
    view, listed = (Account(7, "ada", language=shown, unshown=frozenset({"language"})) for shown in ("", "Deutsch"))
    assert not_shown(row(before={"language": "en"}, language="de"), [view, listed]) == []


def test_one_of_two_looks_is_enough_for_what_the_other_leaves_out():
    view = Account(7, "ada@example.com", "ada@example.com")
    assert not_shown(row(email="ada@example.com", language="en"), [view, ADA]) == []


def test_a_text_that_docebo_may_keep_otherwise_proves_less():
    assert is_plain(row(last_name="O'Neill", active=True))
    assert not is_plain(row(last_name="Rock & Roll"))


@pytest.mark.parametrize("name", ["force_change", "branches", "level", "status"])
def test_what_changes_with_an_update_and_is_not_in_its_row_is_named(name):
    before, after = View(ADA, {name: "0"}), View(ADA, {name: "1"})

    assert changed_besides({"last_name": "King"}, before, after, branch=None) == [name]
    assert changed_besides({"last_name": "King"}, View(ADA), after, branch=None) == []


def test_an_attribute_that_changes_with_another_is_named():
    before = View(Account(7, "ada", "ada@example.com", "Ada", fields={3: "x"}))
    after = View(Account(7, "ada", "ada@example.com", "", fields={3: ""}))

    assert changed_besides({"last_name": "King"}, before, after, branch=None) == ["first_name", "field_3"]


def test_a_username_may_go_with_the_address_and_the_status_with_an_activation():
    before, after = (
        View(ADA, {"status": "0"}),
        View(
            Account(
                7,
                "new",
                "new",
                first_name="Ada",
                last_name="Lovelace",
                active=True,
                administrator=False,
                language="en",
                time_zone="Europe/London",
            ),
            {"status": "1"},
        ),
    )

    assert changed_besides({"email": "new", "active": True}, before, after, branch=None) == []


def test_a_new_account_is_an_active_plain_users_in_its_branch():
    made = View(Account(7, "ada", active=False, administrator=True), {"branches": "0,9"})

    assert changed_besides({}, None, made, branch=4) == ["level", "status", "branches"]
    assert changed_besides({}, None, View(ADA, {"branches": "0,4"}), branch=4) == []
    assert changed_besides({}, None, View(ADA), branch=4) == []


@pytest.mark.parametrize(("shown", "wrong"), [("4", []), ("0,4", []), ("3", ["branches"])])
def test_an_account_that_was_moved_has_to_be_in_its_new_branch(shown, wrong):
    before, after = View(ADA, {"branches": "3"}), View(ADA, {"branches": shown})
    assert changed_besides({"branch": "4"}, before, after, branch=4) == wrong
