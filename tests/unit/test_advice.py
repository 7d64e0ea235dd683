"""Whoever needs somebody is told with what is wrong and the one thing to do."""

import pytest

from slack_docebo.domain.advice import attention
from slack_docebo.domain.disputes import dispute
from slack_docebo.domain.operations import Outcome
from slack_docebo.domain.returns import reported


@pytest.mark.parametrize(
    ("outcome", "told", "wrong", "to_do"),
    [
        (Outcome.LEFT, dispute(7), "account 7 is disputed", "If it is somebody else's by now, delete the mapping"),
        (Outcome.LEFT, reported(7, "U1"), "returned under a new Slack id", "set REHIRES to hand-over"),
        (
            Outcome.LEFT,
            "several accounts match: 1, 2",
            "several accounts match: 1, 2",
            "or link the person to the right one",
        ),
        (Outcome.LEFT, "account 7 belongs to U1", "account 7 belongs to U1", "correct the address of one of them"),
        (
            Outcome.LEFT,
            "deactivated in Slack; deactivated before, and Docebo shows the account as active",
            "deactivated in Slack; deactivated before, and Docebo shows the account as active",
            "Deactivate it in Docebo",
        ),
        (Outcome.LEFT, "the username is taken by account 7", "the username is taken", "Rename that account"),
        (Outcome.LEFT, "an account with this address is created for U1", "an account", "correct it for one of them"),
        (Outcome.FAILED, "Docebo refuses it: no room", "Docebo refuses it: no room", "the next run tries again"),
        (
            Outcome.FAILED,
            "Docebo fails at this person's row each time, with HTTP 503",
            "Docebo fails at this person's row",
            "If it stays so, ask Docebo's support",
        ),
        (Outcome.SKIPPED, "account 7 exists by now", "account 7 exists by now", "Make a new plan"),
    ],
)
def test_each_trouble_ends_with_the_one_thing_to_do(outcome, told, wrong, to_do):
    found = attention(outcome, told)

    assert found.wrong.startswith(wrong)
    assert to_do in found.to_do
