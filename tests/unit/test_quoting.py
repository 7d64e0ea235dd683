"""What the other sides say, quoted so that it names nobody."""

import random

import pytest

from slack_docebo.domain.quoting import LONGEST_QUOTE, WITHHELD, quoted, quoted_code

TAKEN = "the username or the e-mail address is another account's"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The user name is taken by Grace Hopper (ghopper, +49 30 1234567)", TAKEN),
        ("User already exists", TAKEN),
        ("The e-mail address ada@example.com is not available", TAKEN),
        ("ada@example.com is not a valid email", "Docebo does not take the e-mail address"),
        (
            "Branch Grace Hopper not found",
            "Docebo does not take the branch: check DESTINATION_BRANCH and the rule for branch in ATTRIBUTES",
        ),
        ("The licence of Hopper Ltd. is used up", "Docebo takes no further users: look at its licence"),
        ("The value of field 12 is too long, ask Grace Hopper", "a value is too long for Docebo"),
        ("The value of field 12 is wrong, ask Grace Hopper", "The value of field … is wrong, …"),
        ("the account of grace hopper is locked by U012AB3CD", "the account of … is … by …"),
        ("get_total_count must be a boolean", "get_total_count must be a …"),
        ("Grace Hopper: “page_size” is invalid", "… “page_size” is invalid"),
        ("No.", "No."),
        ("grace_hopper@x.org", WITHHELD),
        ("Der Name gehört Grace Hopper", WITHHELD),
        ("", ""),
    ],
)
def test_a_message_is_told_without_anybody_in_it(said, shown):
    assert quoted(said) == shown


@pytest.mark.parametrize(
    "name",
    [
        "Grace Hopper",
        "grace hopper",
        "Rich Field",
        "Will Fields",
        "MAY CALL",
        "山田太郎",
        "O'Neil",
        "Anne-Marie",
        "x.y@z",
        "+49301234567",
        "DE1234",
        "<@U1>",
    ],
)
@pytest.mark.parametrize("said", ["the value for {} is refused", "{}: not allowed", "Not allowed ({})", "refused; {}!"])
def test_no_part_of_a_name_is_told_wherever_it_stands(name, said):
    shown = quoted(said.format(name))

    assert "refused" in shown or "allowed" in shown or shown == WITHHELD
    assert not [part for part in name.split() if part in shown.split() and not part.islower()]
    assert name not in shown


def test_only_words_that_messages_are_made_of_are_told():
    """Names of every kind, drawn as letters: whatever is let through is a word of the message around it."""
    drawn = random.Random(18)
    for _ in range(200):
        name = "".join(drawn.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(drawn.randint(6, 12)))
        assert quoted(f"the value {name} is refused") == "the value … is refused"


def test_a_long_message_is_shortened():
    assert len(quoted("not allowed " * 100)) < LONGEST_QUOTE + len("… (1,000 more)")


def test_an_error_code_of_slack_is_told_if_its_words_name_nobody():
    assert quoted_code("method_deprecated") == "method_deprecated"
    assert quoted_code("user_grace_hopper_not_found") == "user_…_…_not_found"
    assert quoted_code("users:read.email,grace.hopper") == "users:read.email,….…"
