"""By what rules and rows name a branch."""

from dataclasses import replace

import pytest

from slack_docebo.domain.branches import Branch, Branches, NewBranch, to_be_made
from slack_docebo.domain.formulas import OneSource
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.rules import NO_PATHS, AttributeRule, shortfalls

ROOT = Branch(0, "", "Acme", left=1, right=14)
TREE = [
    ROOT,
    Branch(1, "EU", "Europe", left=2, right=7),
    Branch(2, "EU-S", "Sales", left=3, right=4),
    Branch(3, "", "Law", left=5, right=6),
    Branch(4, "US", "America", left=8, right=13),
    Branch(5, "", "Sales", left=9, right=10),
    Branch(6, "X/Y", "Law/Tax", left=11, right=12),
]
BRANCHES = Branches.of(TREE)


@pytest.mark.parametrize(
    ("said", "branch_id"),
    [
        ("2", "2"),
        ("EU-S", "2"),
        (" Europe ", "1"),
        ("Europe/Law", "3"),
        ("America/Sales", "5"),
        ("Law", "3"),  # "Law/Tax" is another one's title
    ],
)
def test_a_branch_is_found_by_id_code_title_or_path(said, branch_id):
    assert BRANCHES.named(said) == branch_id


@pytest.mark.parametrize("said", ["Sales", "europe", "eu-s", "Acme/Europe", "7", ""])
def test_what_several_bear_or_nobody_or_in_another_case_is_no_branch(said):
    assert BRANCHES.named(said) is None


@pytest.mark.parametrize("said", ["2", "EU-S", "Europe", "Europe/Law", "America/Sales", "Law", "Sales", "Acme/Europe"])
def test_a_path_begins_below_the_root_whether_or_not_docebo_shows_the_root(said):
    assert Branches.of(TREE[1:]).named(said) == BRANCHES.named(said)
    assert Branches.of([replace(ROOT, left=0), *TREE[1:]]).named(said) == BRANCHES.named(said)


def test_where_docebo_shows_no_places_a_path_is_told_as_such_and_no_branch_is_to_be_made():
    flat = Branches.of(replace(one, left=0, right=0) for one in TREE)
    rule = AttributeRule("branch", OneSource("title"), values=flat)
    law, lawyer = (SourceUser("U1", "T1", title=title) for title in ("Law", "Europe/Law"))

    assert (rule.value(law), rule.value(lawyer)) == ("3", None)
    assert [shortfall.why for shortfall in shortfalls(lawyer, [rule], creating=True)] == [NO_PATHS]


def test_a_row_names_a_branch_by_what_is_its_own():
    assert BRANCHES.columns["1"] == {"branch_code": "EU"}
    assert BRANCHES.columns["3"] == {"branch_name": "Law"}
    assert BRANCHES.columns["5"] == {"branch_name_path": "America/Sales"}
    assert BRANCHES.columns["6"] == {"branch_code": "X/Y"}


def test_a_branch_that_nothing_tells_from_another_cannot_be_named():
    twins = Branches.of([Branch(1, "", "Twin"), Branch(2, "", "Twin")])
    assert [twins.named(said) for said in ("1", "2", "Twin")] == [None, None, None]


@pytest.mark.parametrize(
    "others", [Branch(3, "", "EU"), Branch(3, "X", "EU"), Branch(3, "", "eu "), Branch(3, "EU", "")], ids=str
)
def test_what_one_branch_has_as_code_and_another_as_title_is_not_guessed(others):
    both = Branches.of([Branch(2, "EU", "Europe"), others])

    assert both.named("EU") == ("2" if others.title == "eu " else None)
    assert both.named("Europe") == "2"


@pytest.mark.parametrize("at_the_top", [Branch(3, "X", "EU", left=8, right=9), Branch(3, "", "1", left=8, right=9)])
def test_what_one_branch_has_as_code_or_id_and_another_at_the_top_as_title_is_not_guessed(at_the_top):
    tree = [ROOT, Branch(1, "EU", "Europe", left=2, right=7), at_the_top]

    assert Branches.of(tree).named(at_the_top.title) is None
    assert Branches.of(tree).named("Europe") == "1"


def test_a_number_that_is_the_id_of_one_branch_and_the_code_of_another_is_not_guessed():
    numbered = Branches.of([Branch(1, "2", "One"), Branch(2, "9", "Two"), Branch(7, "7", "Seven")])

    assert [numbered.named(said) for said in ("1", "2", "7", "9", "One", "Two")] == ["1", None, "7", "2", "1", "2"]


def test_a_branch_at_the_top_is_found_by_its_path_though_others_bear_its_title():
    tree = [
        ROOT,
        Branch(1, "", "Sales", left=2, right=3),
        Branch(2, "", "Europe", left=4, right=7),
        Branch(3, "", "Sales", left=5, right=6),
    ]

    assert [Branches.of(tree).named(said) for said in ("Sales", "Europe/Sales")] == ["1", "3"]


@pytest.mark.parametrize("said", ["Sales Team", "Europe/Sales Team", " Europe / Sales  Team"])
def test_blanks_that_somebody_typed_keep_no_branch_from_being_found(said):
    tree = [ROOT, Branch(1, "", "Europe ", left=2, right=5), Branch(2, "", "Sales  Team ", left=3, right=4)]
    found = Branches.of(tree)

    assert found.named(said) == "2"
    assert found.columns["2"] == {"branch_name": "Sales  Team "}
    assert to_be_made({said: 1}, found) == []


def test_branches_to_be_made_have_their_parents_first_and_leave_out_what_is_there_or_borne_by_several():
    wanted = {"Europe/Press/Film": 2, "Europe/Press": 1, "HR": 5, "Sales": 3, "Asia/": 1, "Asia//East": 1}

    assert to_be_made(wanted, BRANCHES) == [
        NewBranch("", "Press", "Europe", 1),
        NewBranch("", "Film", "Europe/Press", 2),
        NewBranch("HR", "HR", "", 5),
    ]


def test_a_branch_that_was_made_as_listed_is_found():
    wanted = {"HR": 1, "Europe/Press/Film": 1}
    [press, film, hr] = to_be_made(wanted, BRANCHES)
    made = [
        Branch(7, hr.code, hr.title, left=14, right=15),
        Branch(8, press.code, press.title, left=5, right=8),
        Branch(9, film.code, film.title, left=6, right=7),
    ]
    tree = [Branch(0, "", "Acme", left=1, right=16), Branch(1, "EU", "Europe", left=2, right=9), *made]

    assert [Branches.of(tree).named(value) for value in wanted] == ["7", "9"]
