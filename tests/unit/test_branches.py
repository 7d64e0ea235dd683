"""By what rules and rows name a branch."""

import pytest

from slack_docebo.domain.branches import Branch, Branches

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
