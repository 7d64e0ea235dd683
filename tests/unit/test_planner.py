from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.domain.attributes import fingerprint, refused_key, wanted
from slack_docebo.domain.disputes import seen_on
from slack_docebo.domain.findings import FoundAccount
from slack_docebo.domain.matching import Accounts, MatchBy
from slack_docebo.domain.observation import Gone, Present, Unknown
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Account, Applied, Mapping, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Leavers, Policy
from slack_docebo.domain.returns import Rehires
from slack_docebo.domain.scope import Scope
from tests.attribute_mapping import parse_rules

ON = Policy(provision=True, map=True)
ADA = SourceUser("U1", "T1", handle="ada", email="ada@example.com", first_name="Ada", last_name="Lovelace")
HERS = Account(7, "ada@example.com", "ada@example.com", first_name="Ada", last_name="Lovelace")
PRINT = fingerprint(wanted(ADA, ON.rules, creating=False))
MAPPED = Mapping("U1", "T1", "ada", 7, fingerprint=PRINT)
GONE = replace(ADA, deactivated=True)


def plan(user, account=None, mapping=None, policy=ON, holder=None) -> Operation:
    planner = Planner(policy, Accounts([account] if account else []))
    return planner.plan(user, mapping, planner.match(user, mapping), holder=holder)


@pytest.mark.parametrize(
    ("user", "account", "mapping", "policy", "kind", "reason"),
    [
        pytest.param(ADA, None, None, ON, Kind.CREATE, "new", id="a newcomer is created"),
        pytest.param(ADA, HERS, None, ON, Kind.MAP, "found by e-mail", id="a known person is mapped"),
        pytest.param(ADA, HERS, MAPPED, ON, Kind.LEAVE, "in line", id="who is in line is left alone"),
        pytest.param(
            ADA,
            replace(HERS, last_name="King"),
            MAPPED,
            ON,
            Kind.UPDATE,
            "differs: last_name",
            id="what was changed in Docebo by hand is set right",
        ),
        pytest.param(
            replace(ADA, handle="countess"), HERS, MAPPED, ON, Kind.MAP, "found by mapping", id="a new handle is noted"
        ),
        pytest.param(
            ADA,
            replace(HERS, administrator=True, last_name="King"),
            replace(MAPPED, fingerprint=""),
            ON,
            Kind.LEAVE,
            "administrator account, never touched",
            id="an administrator is never touched",
        ),
        pytest.param(
            ADA,
            replace(HERS, last_name="King"),
            MAPPED,
            replace(ON, protected=("ada@*",)),
            Kind.LEAVE,
            "protected account, never touched",
            id="nor is a protected account, whatever was written to it before",
        ),
        pytest.param(
            ADA,
            replace(HERS, administrator=True, last_name="King"),
            None,
            ON,
            Kind.MAP,
            "found by e-mail",
            id="an administrator is mapped, for that changes nothing in Docebo",
        ),
        pytest.param(
            ADA,
            None,
            None,
            replace(ON, provision=False),
            Kind.LEAVE,
            "no account, and provisioning is off",
            id="map only",
        ),
        pytest.param(
            ADA,
            replace(HERS, last_name="King"),
            None,
            replace(ON, provision=False),
            Kind.MAP,
            "found by e-mail",
            id="map only: the account stays as it is",
        ),
        pytest.param(ADA, HERS, None, replace(ON, map=False), Kind.LEAVE, "in line", id="provision only: no mapping"),
        pytest.param(
            ADA, None, None, Policy(), Kind.LEAVE, "provisioning and mapping are off", id="both off: nothing is done"
        ),
        pytest.param(GONE, HERS, MAPPED, ON, Kind.LEAVE, "deactivated in Slack", id="leavers are kept by default"),
        pytest.param(
            GONE,
            HERS,
            MAPPED,
            replace(ON, leavers=Leavers.UNMAP),
            Kind.UNMAP,
            "deactivated in Slack",
            id="leavers are unmapped on wish",
        ),
        pytest.param(
            GONE,
            HERS,
            MAPPED,
            replace(ON, leavers=Leavers.DEACTIVATE),
            Kind.DEACTIVATE,
            "deactivated in Slack",
            id="leavers are deactivated on wish",
        ),
        pytest.param(
            GONE,
            replace(HERS, administrator=True),
            MAPPED,
            replace(ON, leavers=Leavers.DEACTIVATE),
            Kind.LEAVE,
            "deactivated in Slack; administrator account, never touched",
            id="but not administrators",
        ),
        pytest.param(
            replace(ADA, guest=True),
            HERS,
            MAPPED,
            replace(ON, leavers=Leavers.DEACTIVATE),
            Kind.LEAVE,
            "multi-channel guest",
            id="who drops out of scope has not left",
        ),
        pytest.param(
            replace(ADA, guest=True),
            HERS,
            MAPPED,
            replace(ON, leavers=Leavers.DEACTIVATE, out_of_scope_leaves=True),
            Kind.DEACTIVATE,
            "multi-channel guest",
            id="unless the setting says so",
        ),
        pytest.param(
            replace(ADA, unconfirmed=True),
            None,
            None,
            ON,
            Kind.LEAVE,
            "address not confirmed in Slack",
            id="an address that is not confirmed gets no account",
        ),
        pytest.param(
            replace(ADA, unconfirmed=True, first_name="Mal"),
            HERS,
            None,
            ON,
            Kind.LEAVE,
            "address not confirmed in Slack",
            id="and renames nobody",
        ),
        pytest.param(
            replace(ADA, unconfirmed=True, email="ada@else.org"),
            HERS,
            MAPPED,
            replace(
                ON, scope=Scope(email_domains=("example.com",)), leavers=Leavers.DEACTIVATE, out_of_scope_leaves=True
            ),
            Kind.LEAVE,
            "e-mail domain",
            id="nor does it make anybody a leaver",
        ),
        pytest.param(
            replace(ADA, unconfirmed=True, guest=True),
            HERS,
            MAPPED,
            replace(ON, leavers=Leavers.DEACTIVATE, out_of_scope_leaves=True),
            Kind.DEACTIVATE,
            "multi-channel guest",
            id="or keep anybody from being one",
        ),
    ],
)
def test_plan(user, account, mapping, policy, kind, reason):
    operation = plan(user, account, mapping, policy)

    assert (operation.kind, operation.reason) == (kind, reason)


def test_a_creation_carries_every_attribute_and_the_address_as_username():
    assert plan(ADA).changes == {
        "username": "ada@example.com",
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
    }


def test_an_update_carries_only_what_differs_and_what_it_replaces():
    operation = plan(ADA, replace(HERS, last_name="King"), MAPPED)

    assert (operation.docebo_id, operation.changes, operation.before) == (
        7,
        {"last_name": "Lovelace"},
        {"last_name": "King"},
    )


def test_of_a_mapped_person_the_name_is_written_and_the_address_only_when_it_is_confirmed():
    renamed = replace(ADA, email="boss@example.com", last_name="King")

    assert plan(replace(renamed, unconfirmed=True), HERS, MAPPED).changes == {"last_name": "King"}
    assert plan(renamed, HERS, MAPPED).changes == {"last_name": "King", "email": "boss@example.com"}


def test_an_address_that_is_not_confirmed_empties_nothing():
    policy = replace(ON, rules=parse_rules("email clear, field_3 = email clear"))
    account = replace(HERS, fields={3: "ada@example.com"})

    assert plan(replace(ADA, email="", unconfirmed=True), account, MAPPED, policy).changes == {}
    assert plan(replace(ADA, email="new@x.org", unconfirmed=True), account, MAPPED, policy).changes == {}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(None, Kind.LEAVE), (Unknown("no answer"), Kind.LEAVE), (Present(HERS), Kind.LEAVE), (Gone("404"), Kind.CREATE)],
)
def test_whose_former_account_is_not_shown_gets_another_only_when_that_one_is_gone(answer, kind):
    accounts = Accounts()
    if answer:
        accounts.keep_answer(7, answer)
    planner = Planner(replace(ON, map=False), accounts)

    assert planner.asks_for_account(ADA, Applied(7)) is (answer is None)
    assert planner.plan(ADA, None, planner.match(ADA, Applied(7))).kind is kind


def test_an_account_held_by_somebody_else_is_reported_and_not_written():
    operation = plan(ADA, HERS, holder=Mapping("U9", "T1", "eve", 7))

    assert (operation.kind, operation.reason) == (Kind.LEAVE, "account 7 belongs to U9")


def test_one_account_is_never_given_to_two_people():
    by_username = Account(7, "bob@example.com", "ada@example.com", first_name="Ada", last_name="Lovelace")
    bob = SourceUser("U2", "T1", handle="bob", email="bob@example.com", first_name="Bob")
    planner = Planner(ON, Accounts([by_username]))

    kinds = [planner.plan(user, None, planner.match(user, None)).kind for user in (ADA, bob)]

    assert kinds == [Kind.MAP, Kind.LEAVE]


EXCLUDING_ADA = replace(ON, scope=replace(ON.scope, exclude=[ADA.slack_id]))


def test_the_account_of_who_is_out_of_scope_is_known_from_then_on():
    planner = Planner(EXCLUDING_ADA, Accounts([HERS]))

    assert planner.plan(ADA, None, planner.match(ADA, None)).reason == "excluded"

    assert planner.found.accounts == {"U1": FoundAccount(7, None)}
    assert planner.found.seen == {7: seen_on(HERS)}


@pytest.mark.parametrize(
    "is_not_here",
    [{"deactivated": True}, {"forgotten": True}, {"external": True}, {"bot": True}, {"unsaid": ("deactivated",)}],
    ids=str,
)
def test_who_is_not_a_person_of_the_workspace_any_more_keeps_no_account_from_others(is_not_here):
    planner, user = Planner(ON, Accounts([HERS])), replace(ADA, **is_not_here)

    planner.plan(user, None, planner.match(user, None))

    assert planner.found.accounts == {}


def test_who_has_left_by_now_gets_nothing_of_the_account_that_the_one_who_is_back_gets():
    planner, back = Planner(replace(ON, rehires=Rehires.HAND_OVER), Accounts([HERS])), replace(ADA, slack_id="U2")
    renamed = replace(ADA, first_name="Augusta")  # as an event has shown her, which came before she left

    def plan_both() -> list[Operation]:
        return [
            planner.plan(back, None, planner.match(back, None), holder=MAPPED),
            planner.plan(renamed, MAPPED, planner.match(renamed, MAPPED)),
        ]

    plan_both()
    planner.returns.settle({"U1": Present(GONE)})
    planner = planner.anew()

    passed_on, left = plan_both()

    assert (passed_on.kind, passed_on.docebo_id) == (Kind.MAP, 7)
    assert (left.kind, left.reason) == (Kind.LEAVE, "Slack shows U2 in place of this id by now")


@pytest.mark.parametrize("holder", [Mapping("U9", "T1", "eve", 7), None])
def test_an_account_that_is_somebody_elses_is_not_that_of_who_is_out_of_scope_and_bears_its_address(holder):
    planner = Planner(EXCLUDING_ADA, Accounts([HERS]))
    former_holders = () if holder else {"U9"}

    planner.plan(ADA, None, planner.match(ADA, None), holder=holder, former_holders=former_holders)

    assert planner.found.accounts == {}


@pytest.mark.parametrize("is_first", [True, False])
def test_who_is_out_of_scope_keeps_no_account_from_who_is_in_scope_with_the_same_address(is_first):
    planner, again = Planner(EXCLUDING_ADA, Accounts([HERS])), replace(ADA, slack_id="U2")
    people = [ADA, again] if is_first else [again, ADA]

    kinds = {user.slack_id: planner.plan(user, None, planner.match(user, None)).kind for user in people}
    for user in (ADA, again):
        if user.slack_id in planner.claims.outdone:
            planner.plan(user, None, planner.match(user, None))

    assert kinds == {"U1": Kind.LEAVE, "U2": Kind.MAP}
    assert planner.found.accounts == {}


def test_a_username_taken_by_an_account_with_another_address_is_reported():
    policy = replace(ON, match_by=MatchBy.EMAIL)

    operation = plan(ADA, Account(8, "ADA@example.com", "else@example.com"), policy=policy)

    assert (operation.kind, operation.reason) == (Kind.LEAVE, "the username is taken by account 8")


def test_a_value_that_docebo_turns_into_its_own_form_is_written_twice_and_then_left():
    stubborn = replace(HERS, first_name="ADA")

    again = plan(ADA, stubborn, MAPPED)
    after = replace(MAPPED, fingerprint=again.fingerprint, echo=again.echo)

    assert again.kind is Kind.UPDATE
    assert plan(ADA, stubborn, after).reason == "Docebo keeps its own form of first_name"


def test_a_value_that_docebo_ignores_is_not_called_its_own_form():
    ignored = replace(HERS, first_name="Augusta")

    again = plan(ADA, ignored, MAPPED)
    after = replace(MAPPED, fingerprint=again.fingerprint, echo=again.echo)

    assert plan(ADA, ignored, after).reason == "Docebo does not take first_name"


def test_a_value_that_docebo_is_known_to_refuse_is_not_planned_and_the_others_are():
    other = replace(HERS, first_name="Augusta")
    knowing = replace(ON, refused=frozenset({refused_key("first_name", "Ada")}))

    left = plan(ADA, other, MAPPED, knowing)
    renamed = plan(ADA, replace(other, last_name="King"), MAPPED, knowing)
    returned = plan(ADA, replace(other, active=False), replace(MAPPED, deactivated=True), knowing)

    assert (left.changes, left.reason) == ({}, "found by mapping")
    again = plan(ADA, other, replace(MAPPED, fingerprint=left.fingerprint), knowing)
    assert (again.kind, again.reason) == (Kind.LEAVE, "Docebo does not take first_name")
    assert renamed.changes == {"first_name": "Ada", "last_name": "Lovelace"}
    assert returned.changes["active"] is True


def test_a_value_that_no_list_shows_is_planned_again_once_it_is_not_remembered_as_refused():
    at_home = replace(ADA, title="Atlantis")
    asked = replace(ON, rules=parse_rules("first_name, last_name, email, country = title"))
    knowing = replace(asked, refused=frozenset({refused_key("country", "Atlantis")}))

    written = replace(MAPPED, fingerprint=fingerprint(wanted(at_home, asked.rules, creating=False)))
    left = plan(at_home, HERS, written, knowing)
    since = replace(MAPPED, fingerprint=left.fingerprint)

    assert plan(at_home, HERS, since, knowing).kind is Kind.LEAVE
    assert plan(at_home, HERS, since, asked).changes == {"country": "Atlantis"}


def test_who_comes_back_is_activated_again_if_we_deactivated_the_account():
    operation = plan(ADA, replace(HERS, active=False), replace(MAPPED, deactivated=True))

    assert (operation.kind, operation.changes) == (Kind.UPDATE, {"active": True})


def test_an_account_that_an_administrator_suspended_stays_suspended():
    assert plan(ADA, replace(HERS, active=False), MAPPED).kind is Kind.LEAVE


def test_a_mapping_whose_slack_user_is_gone_is_a_leaver():
    planner = Planner(replace(ON, leavers=Leavers.DEACTIVATE), Accounts([HERS]))

    assert planner.plan_unlisted(MAPPED, Gone("Slack knows nobody")).kind is Kind.DEACTIVATE


def test_trusting_looks_at_nobody_who_is_as_last_written():
    planner = Planner(ON, Accounts())

    assert planner.plan_trusting(ADA, MAPPED).kind is Kind.LEAVE
    assert planner.plan_trusting(replace(ADA, last_name="King"), MAPPED) is None
    assert planner.plan_trusting(ADA, None) is None
    assert planner.plan_trusting(replace(ADA, unconfirmed=True), None).reason == "address not confirmed in Slack"


names = st.text(alphabet="abcDEé<>& 李", max_size=6)
users = st.builds(
    SourceUser,
    st.sampled_from(["U1", "U2", "U3"]),
    st.just("T1"),
    handle=names,
    email=st.sampled_from(["", "a@x.org", "A@X.org", "b@x.org", "c@x.org"]),
    first_name=names,
    last_name=names,
    title=names,
    deactivated=st.booleans(),
    guest=st.booleans(),
    unconfirmed=st.booleans(),
)
accounts_ = st.lists(
    st.builds(
        Account,
        st.integers(1, 5),
        st.sampled_from(["a@x.org", "b@x.org", "bob", "C@x.org"]),
        st.sampled_from(["", "a@x.org", "b@x.org"]),
        names,
        names,
        st.booleans(),
        st.booleans(),
    ),
    max_size=4,
    unique_by=(lambda account: account.docebo_id, lambda account: account.username.casefold()),
)
policies = st.builds(
    Policy,
    provision=st.booleans(),
    map=st.booleans(),
    leavers=st.sampled_from(Leavers),
    out_of_scope_leaves=st.booleans(),
    rules=st.sampled_from([ON.rules, parse_rules("first_name, field_3 = title clear, last_name on-create-only")]),
)


def applied(operation: Operation, accounts: list[Account], mapping: Mapping | None):
    """What a Docebo and a store that do as they are told look like afterwards."""
    values = {name: value for name, value in operation.changes.items() if not name.startswith("field_")}
    fields = {int(name[6:]): value for name, value in operation.changes.items() if name.startswith("field_")}
    docebo_id = operation.docebo_id
    if operation.kind is Kind.CREATE:
        docebo_id = 99
        accounts = [*accounts, Account(docebo_id=99, fields=fields, **values)]
    elif operation.kind in {Kind.UPDATE, Kind.DEACTIVATE}:
        accounts = [
            replace(account, **values, fields={**account.fields, **fields})
            if account.docebo_id == docebo_id
            else account
            for account in accounts
        ]
    if operation.kind is Kind.UNMAP:
        mapping = None
    elif operation.maps:
        mapping = Mapping(
            *(operation.slack_id, "T1", operation.slack_name, docebo_id),
            *(operation.fingerprint, operation.echo, operation.deactivated),
        )
    return accounts, mapping


@given(users, accounts_, policies)
def test_whatever_is_applied_leaves_nothing_to_do(user, accounts, policy):
    mapping = None
    for expect_rest in (False, True):
        planner = Planner(policy, Accounts(accounts))
        operation = planner.plan(user, mapping, planner.match(user, mapping))
        if expect_rest:
            assert operation.kind is Kind.LEAVE
        accounts, mapping = applied(operation, accounts, mapping)


@given(users, accounts_, policies)
def test_administrators_are_never_changed(user, accounts, policy):
    administrators = [replace(account, administrator=True) for account in accounts]
    for mapping in (None, *(Mapping(user.slack_id, "T1", "", account.docebo_id) for account in accounts)):
        planner = Planner(policy, Accounts(administrators))
        operation = planner.plan(user, mapping, planner.match(user, mapping))

        assert operation.kind in {Kind.CREATE, Kind.MAP, Kind.UNMAP, Kind.LEAVE}
