"""What a run that has explained somebody says in its state."""

from slack_docebo.domain.people import Account
from slack_docebo.engine.looking.explaining import Explanation


def test_an_id_by_which_nobody_was_found_is_told_as_such_and_not_as_a_person_for_whom_nothing_is_done():
    assert Explanation(slack_id="UNOBODY").line == Explanation().line == "nobody was found: is it the right id?"
    assert Explanation(slack_id="UNOBODY").next_steps == []


def test_of_an_account_that_nobody_in_slack_has_it_is_said_that_nothing_would_be_done():
    assert Explanation(account=Account(5, username="api.bot")).line == "nobody in Slack: nothing would be done"
