"""By what rules and rows name a branch."""

import pytest

from slack_docebo.domain.branches import Branch, Branches, NewBranch, to_be_made

ROOT = Branch(0, "", "Acme", 1, 14)
TREE = [
    ROOT,
    Branch(1, "EU", "Europe", 2, 7),
    Branch(2, "EU-S", "Sales", 3, 4),
    Branch(3, "", "Law", 5, 6),
    Branch(4, "US", "America", 8, 13),
    Branch(5, "", "Sales", 9, 10),
    Branch(6, "X/Y", "Law/Tax", 11, 12),
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


def test_a_row_names_a_branch_by_what_is_its_own():
    assert BRANCHES.columns["1"] == {"branch_code": "EU"}
    assert BRANCHES.columns["3"] == {"branch_name": "Law"}
    assert BRANCHES.columns["5"] == {"branch_name_path": "America/Sales"}
    assert BRANCHES.columns["6"] == {"branch_code": "X/Y"}


def test_a_branch_that_nothing_tells_from_another_cannot_be_named():
    twins = Branches.of([Branch(1, "", "Twin"), Branch(2, "", "Twin")])
    assert [twins.named(said) for said in ("1", "2", "Twin")] == [None, None, None]


def test_a_number_is_an_id_before_it_is_a_code():
    numbered = Branches.of([Branch(1, "2", "One"), Branch(2, "1", "Two")])
    assert numbered.named("1") == "1"


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
        Branch(7, hr.code, hr.title, 14, 15),
        Branch(8, press.code, press.title, 5, 8),
        Branch(9, film.code, film.title, 6, 7),
    ]
    tree = [Branch(0, "", "Acme", 1, 16), Branch(1, "EU", "Europe", 2, 9), *made]

    assert [Branches.of(tree).named(value) for value in wanted] == ["7", "9"]
