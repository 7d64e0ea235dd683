"""What keeps an operation from being carried out, by what has changed since it was planned."""

from dataclasses import replace

import pytest

from slack_docebo.domain.disputes import dispute, seen_on
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Account, Mapping
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.situation import Situation, carried_out, reason_to_skip
from slack_docebo.domain.targets import BRANCH, manager_column

ON = Policy(provision=True, map=True)
HERS = Account(7, "ada@example.com", "ada@example.com", first_name="Ada", last_name="King")
MAPPED = Mapping("U1", "T1", "ada", 7)
UPDATE = Operation(
    "U1",
    "T1",
    "ada",
    Kind.UPDATE,
    reason="differs: last_name",
    docebo_id=7,
    changes={"last_name": "Lovelace"},
    before={"last_name": "King"},
    prior=MAPPED,
    seen=seen_on(HERS),
)
CREATE = Operation("U2", "T1", "eve", Kind.CREATE, reason="new", changes={"username": HERS.email, "email": HERS.email})
MOVE = replace(UPDATE, kind=Kind.MOVE, changes={BRANCH: "5"}, before={BRANCH: "3"})
SHUT = replace(UPDATE, kind=Kind.DEACTIVATE, changes={"active": False}, before={"active": True}, prior=None)
MANAGED = replace(UPDATE, changes={manager_column(1): "8"}, before={})
TODAY = Situation(Accounts([HERS]), ON, ON, mapping=MAPPED, holder="U1", seen={7: seen_on(HERS)}, branch=3)


UNMAPPED = replace(TODAY, mapping=None, holder="", undoes=True, given={"W1"}, other_ids={"W1"})


def with_account(account: Account) -> Situation:
    return replace(TODAY, accounts=Accounts([account]))


@pytest.mark.parametrize(
    ("operation", "today", "reason"),
    [
        pytest.param(UPDATE, TODAY, "", id="as planned"),
        pytest.param(UPDATE, replace(TODAY, mapping=None), "the mapping has changed since", id="unmapped"),
        pytest.param(UPDATE, replace(TODAY, accounts=Accounts()), "the account is gone", id="deleted"),
        pytest.param(
            UPDATE, with_account(replace(HERS, last_name="Byron")), "changed in Docebo since: last_name", id="renamed"
        ),
        pytest.param(
            UPDATE,
            with_account(replace(HERS, administrator=True)),
            "administrator account, never touched",
            id="promoted",
        ),
        pytest.param(
            UPDATE,
            with_account(replace(HERS, username="eve", email="eve@example.com")),
            dispute(7),
            id="somebody else's",
        ),
        pytest.param(
            UPDATE,
            with_account(replace(HERS, email="eve@example.com")),
            "changed in Docebo since: email",
            id="perhaps somebody else's",
        ),
        pytest.param(
            replace(UPDATE, seen=seen_on(replace(HERS, email=""))),
            TODAY,
            "changed in Docebo since: email",
            id="perhaps somebody else's, and without an address before",
        ),
        pytest.param(
            replace(UPDATE, prior=None),
            replace(TODAY, mapping=None, holder="U2"),
            "the account belongs to U2 by now",
            id="linked by hand to another, and planned without mapping",
        ),
        pytest.param(SHUT, UNMAPPED, "", id="undone for whoever still has it, under another id"),
        pytest.param(
            SHUT,
            replace(UNMAPPED, given={"U2"}),
            "the account belongs to U2 by now",
            id="undone, and given to another since",
        ),
        pytest.param(CREATE, replace(TODAY, mapping=None, holder=""), "account 7 exists by now", id="made by hand"),
        pytest.param(MOVE, TODAY, "", id="where we brought it"),
        pytest.param(MOVE, replace(TODAY, branch=4), "changed by us since: branch", id="moved by us"),
        pytest.param(MOVE, replace(TODAY, places={7: {9}}), "changed in Docebo since: branch", id="moved by hand"),
        pytest.param(MANAGED, TODAY, "the manager's account is gone", id="without the manager"),
    ],
)
def test_what_has_changed_since_the_plan_stays_so(operation, today, reason):
    assert reason_to_skip(operation, today) == reason


def test_a_row_that_was_sent_is_done_where_the_persons_account_shows_it():
    done = with_account(replace(HERS, last_name="Lovelace"))

    assert carried_out(UPDATE, done) == 7
    assert carried_out(UPDATE, TODAY) is None
    assert carried_out(UPDATE, replace(done, mapping=None)) is None
