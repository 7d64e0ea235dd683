"""What an operation of a saved plan is kept from, by rules that were changed since."""

from dataclasses import replace

import pytest

from slack_docebo.domain.changed_rules import reason_by_rules
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.policy import Leavers, Policy
from slack_docebo.domain.scope import Guests, Scope

THEN = Policy(leavers=Leavers.DEACTIVATE, out_of_scope_leaves=True, scope=Scope(guests=Guests.ALL, invited=True))
ADDRESS = "ada@example.com"


def scoped(**changes: object) -> Policy:
    return replace(THEN, scope=replace(THEN.scope, **changes))


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.LEAVE])
def test_the_same_rules_keep_nobody(kind):
    assert reason_by_rules(Operation("U1", "T1", "ada", kind, reason=""), "", THEN, replace(THEN)) == ""


@pytest.mark.parametrize(
    ("kind", "now", "reason"),
    [
        (Kind.DEACTIVATE, replace(THEN, leavers=Leavers.KEEP), "LEAVERS was deactivate when this was planned"),
        (Kind.UNMAP, replace(THEN, leavers=Leavers.KEEP), "LEAVERS was deactivate when this was planned"),
        (Kind.DEACTIVATE, replace(THEN, out_of_scope_leaves=False), "LEAVERS_OUT_OF_SCOPE was on"),
        (Kind.UPDATE, replace(THEN, leavers=Leavers.KEEP), ""),
        (Kind.CREATE, scoped(guests=Guests.NONE), "SCOPE_GUESTS was all when this was planned, and is none by now"),
        (Kind.UPDATE, scoped(invited=False), "SCOPE_INVITED was on"),
        (Kind.CREATE, scoped(exclude=("ada@*",)), "out of scope by now: excluded"),
        (Kind.MAP, scoped(exclude=("U1",)), "out of scope by now: excluded"),
        (Kind.UPDATE, scoped(include=("bob@*",)), "out of scope by now: not included"),
        (Kind.CREATE, scoped(email_domains=("example.org",)), "out of scope by now: e-mail domain"),
        (Kind.CREATE, scoped(exclude=("bob@*",)), ""),
        (Kind.DEACTIVATE, scoped(exclude=("ada@*",)), ""),
        (Kind.MAP, scoped(members=frozenset({"U2"})), "out of scope by now: in none of the user groups"),
        (Kind.MAP, scoped(members=frozenset({"U1"})), ""),
    ],
)
def test_rules_that_leave_somebody_alone_by_now_keep_a_plan_of_before_from_it(kind, now, reason):
    found = reason_by_rules(Operation("U1", "T1", "ada", kind, reason=""), ADDRESS, THEN, now)

    assert found.startswith(reason)
    assert bool(found) is bool(reason)


@pytest.mark.parametrize("kind", [Kind.CREATE, Kind.UPDATE])
def test_nobody_is_mapped_by_a_plan_of_before_mapping_was_switched_off(kind):
    operation = Operation("U1", "T1", "ada", kind, reason="", maps=True)
    then, now = replace(THEN, map=True), replace(THEN, map=False)

    assert reason_by_rules(operation, ADDRESS, then, now).startswith("MAP_SLACK_USER_DATA was on")
    assert reason_by_rules(operation, ADDRESS, now, now) == ""  # its account was shut by us, which stays known


def test_who_has_dropped_out_of_a_user_group_is_left_alone_though_no_setting_was_changed():
    scope = replace(THEN.scope, members=frozenset({"U2"}), excluded_members=frozenset({"U3"}))
    policy = replace(THEN, scope=scope)

    def reason(slack_id: str, *other_ids: str) -> str:
        operation = Operation(slack_id, "T1", "ada", Kind.UPDATE, reason="")
        return reason_by_rules(operation, "", policy, policy, other_ids=other_ids)

    assert reason("U1") == "out of scope by now: in none of the user groups"
    assert reason("U2", "U3") == "out of scope by now: in an excluded user group"
    assert reason("U1", "U2") == ""
