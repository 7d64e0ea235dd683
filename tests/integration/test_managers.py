"""Managers are written after an import, when all accounts exist, and only where somebody's has changed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from sandbox.docebo.switches import switched
from slack_docebo.domain.dialect import ROWS_PER_CALL, SET_BY_HAND
from slack_docebo.domain.managers import NOT_THEIRS, PERHAPS_IN_A_CIRCLE
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.people import Mapping
from slack_docebo.domain.targets import manager_column
from slack_docebo.engine.planning import managing
from slack_docebo.engine.planning.managing import plan_managers
from slack_docebo.engine.writing.verifying import Verifier
from slack_docebo.errors import ChangeLimitExceeded, ConfigurationError
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.store import Store
from tests.between import Answer, Call, between, in_json
from tests.importing import settings_for
from tests.integration.after_an_import import (
    apply_by_id,
    decide_never,
    delete_mappings,
    hand_over,
    import_then,
    note_sent,
    refused_plan,
    undo,
)

RULES = "first_name, last_name, email, manager = scim:manager"
SUBORDINATES = "GET /manage/v1/managers/{id}/subordinates"


class Company:
    """A company whose hierarchy comes by SCIM, and an installation that imports it."""

    def __init__(self, sandbox, database_url: str) -> None:
        self.sandbox = sandbox
        facts = sandbox.facts()
        self.settings = settings_for(
            facts, database_url, slack_scim_token=facts["scim_token"], slack_scim_url=facts["scim_url"]
        )

    def hire(self, name: str, manager: str = "") -> str:
        slack_id = str(self.sandbox.slack.add(name, "Lovelace", f"{name.lower()}@example.com")["id"])
        self.report_to(slack_id, manager)
        return slack_id

    def report_to(self, slack_id: str, manager: str) -> None:
        self.sandbox.slack.scim[slack_id] = {"manager": manager} if manager else {}

    async def ada_goes_over_from_grace_to_joan(self) -> tuple[str, str, str]:
        """Import Grace, Joan, and Ada, who reports to Grace, and then to Joan; return their Slack ids."""
        grace, joan = self.hire("Grace"), self.hire("Joan")
        ada = self.hire("Ada", grace)
        await self.import_everybody()
        self.report_to(ada, joan)
        return grace, joan, ada

    def account(self, name: str):
        [found] = self.sandbox.docebo.accounts.by_email(f"{name.lower()}@example.com")
        return found

    def manager_of(self, name: str) -> int:
        return int(self.account(name).managers.get(1, 0))

    def hierarchy(self) -> dict[str, str]:
        """Return who reports to whom, by first names."""
        accounts = {account.user_id: account for account in self.sandbox.docebo.accounts}
        return {
            account.firstname: accounts[account.managers[1]].firstname
            for account in accounts.values()
            if 1 in account.managers
        }

    def batches(self) -> int:
        return int(self.sandbox.docebo_gate.counters.calls["POST /manage/v1/user/batch"])

    async def import_everybody(self, rules: str = RULES, **rows: str):
        """Import as the flow does; return the summary of the managers' plan, None without one, and the problems."""
        told = Counter()

        async def plan(*of) -> str | None:
            plan_id, problems = await plan_managers(*of)
            told.update(problems)
            return plan_id

        return await import_then(self.settings, {"ATTRIBUTES": rules, **rows}, plan), told

    async def plan_of_managers(self) -> str:
        """Import everybody, and leave who is whose manager to a plan over a limit, which waits for somebody to apply it."""
        await self.import_everybody(rules="first_name, last_name, email")
        with pytest.raises(ChangeLimitExceeded) as refused:
            await self.import_everybody(LIMIT_UPDATES="0")
        return refused_plan(refused)

    async def apply(self, plan_id: str):
        return await apply_by_id(self.settings, {"ATTRIBUTES": RULES, "LIMIT_UPDATES": "0"}, plan_id)

    def hand_to_a_stranger(self, name: str, *, with_username: bool = False) -> None:
        """Let somebody give the account to another person by hand, perhaps *with* its user name."""
        stranger = {"email": "eve@example.com", "firstname": "Eve", "lastname": "Moneypenny"}
        self.sandbox.docebo.edit(self.account(name).user_id, stranger | ({} if with_username else {"username": "eve"}))

    async def undo(self, plan_id: str, **rows: str):
        return await undo(self.settings, {"ATTRIBUTES": RULES, **rows}, plan_id)


@pytest.fixture
def company(shared_sandbox, sqlite_url):
    shared_sandbox.reset()
    return Company(shared_sandbox, sqlite_url)


async def test_a_newcomer_gets_a_newcomer_as_manager_in_the_same_night_and_the_next_costs_nothing(company):
    boss = company.hire("Grace")
    company.hire("Ada", boss)

    done, problems = await company.import_everybody()
    batches = company.batches()
    again, _ = await company.import_everybody()

    assert company.manager_of("Ada") == company.account("Grace").user_id
    assert done.count(outcome=Outcome.APPLIED) == 1
    assert not problems
    assert again is None
    assert company.batches() == batches


@pytest.mark.variants(1)
@pytest.mark.parametrize(("managers", "becomes"), [("any", Outcome.APPLIED), ("marked", Outcome.FAILED)])
async def test_managers_are_written_where_docebo_answers_for_refused_rows_alone(company, managers, becomes):
    docebo = company.sandbox.docebo
    docebo.switches = switched(docebo.switches, {"batch_answer": "failed", "managers": managers})
    boss = company.hire("Grace")
    for name in ("Ada", "Bea"):
        company.hire(name, boss)

    rules = f'{RULES}, country = "Italy"'  # which no list shows either
    await company.import_everybody(rules="email")

    done, _ = await company.import_everybody(rules=rules)
    again, _ = await company.import_everybody(rules=rules)

    assert done.count(outcome=becomes) == 2
    assert company.account("Ada").country == "Italy"
    assert len(company.hierarchy()) == (2 if becomes is Outcome.APPLIED else 0)
    assert (again is None) is (becomes is Outcome.APPLIED)


@pytest.mark.long
async def test_whose_account_was_anothers_has_the_manager_of_its_own_person(company):
    grace = company.hire("Grace")
    ada = company.hire("Ada", grace)
    await company.import_everybody()
    account = company.account("Ada")
    hand_over(company.sandbox, company.settings, ada, account, "Joan")
    account.managers.clear()
    company.hire("Joan", grace)

    await company.import_everybody()

    assert company.account("Joan") == account
    assert company.manager_of("Joan") == company.account("Grace").user_id


@pytest.mark.long
@pytest.mark.parametrize("shown", ["eve@example.com", "before@example.com"])  # who has it may have another one by now
async def test_an_account_that_shows_another_person_gets_no_manager_and_is_nobodys(company, shown):
    grace, joan = company.hire("Grace"), company.hire("Joan")
    ada, bob = company.hire("Ada", grace), company.hire("Bob")
    await company.import_everybody()
    await company.import_everybody()  # which sees the address that the first one has written
    account = company.account("Ada")
    company.sandbox.docebo.edit(account.user_id, {"email": shown, "firstname": "Eve"})
    company.hire("Eve")
    company.report_to(ada, joan)
    company.report_to(bob, ada)

    done, problems = await company.import_everybody()

    assert (done, dict(problems)) == (None, {NOT_THEIRS: 1})
    assert company.hierarchy() == {"Eve": "Grace"}


@pytest.mark.long
async def test_another_manager_is_one_row_and_undoing_brings_the_former_back(company):
    await company.ada_goes_over_from_grace_to_joan()
    done, _ = await company.import_everybody()
    assert company.manager_of("Ada") == company.account("Joan").user_id

    await company.undo(done.plan.id)
    assert company.manager_of("Ada") == company.account("Grace").user_id


async def test_who_cannot_be_written_is_told_and_nobody_else_waits(company):
    boss = company.hire("Grace")
    company.hire("Ada", boss)
    company.hire("Bob", "U0NOBODY")
    left, right = company.hire("Left"), company.hire("Right")
    company.report_to(left, right)
    company.report_to(right, left)

    done, problems = await company.import_everybody()

    assert done.count(outcome=Outcome.APPLIED) == 1
    assert dict(problems) == {
        "Slack lists nobody in scope as this manager": 1,
        "the managers report to each other in a circle": 2,
    }
    assert [company.manager_of(name) for name in ("Bob", "Left", "Right")] == [0, 0, 0]


@pytest.mark.long
async def test_what_slack_does_not_say_removes_no_manager(company):
    boss = company.hire("Grace")
    ada = company.hire("Ada", boss)
    await company.import_everybody()
    company.report_to(ada, "")

    done, _ = await company.import_everybody(rules=f"{RULES} clear")

    assert done is None
    assert company.manager_of("Ada") == company.account("Grace").user_id


@pytest.mark.long
async def test_nobody_comes_into_a_circle_with_a_manager_who_stays_because_slack_says_nothing_of_one(company):
    grace = company.hire("Grace")
    ada = company.hire("Ada", grace)
    await company.import_everybody()
    company.report_to(ada, "")
    company.report_to(grace, ada)

    done, problems = await company.import_everybody()

    assert done is None
    assert dict(problems) == {"the managers report to each other in a circle": 1}
    assert company.manager_of("Grace") == 0


@pytest.mark.long
@pytest.mark.parametrize("named_type", ["", "Direct manager"])
async def test_nobody_gets_a_manager_who_reports_to_that_person_as_somebody_has_set_by_hand_in_docebo(
    company, named_type
):
    grace, ada, bob = company.hire("Grace"), company.hire("Ada"), company.hire("Bob")
    await company.import_everybody()
    company.account("Ada").managers[1] = company.account("Grace").user_id
    company.report_to(grace, ada)
    company.report_to(bob, ada)

    done, problems = await company.import_everybody(MANAGER_TYPE=named_type)
    company.account("Ada").managers.clear()
    then, _ = await company.import_everybody(MANAGER_TYPE=named_type)

    assert company.manager_of("Bob") == company.account("Ada").user_id
    assert [text.split(":")[0] for text in problems] == [
        "in Docebo the manager, or somebody further up, reports to the person"
    ]
    assert [one.count(outcome=Outcome.APPLIED) for one in (done, then)] == [1, 1]
    assert company.manager_of("Grace") == company.account("Ada").user_id


@pytest.mark.long
async def test_nobody_comes_into_a_circle_by_way_of_a_manager_set_by_hand_and_one_set_by_us(company):
    grace = company.hire("Grace")
    ada = company.hire("Ada")
    company.hire("Bob", ada)
    await company.import_everybody()
    company.account("Ada").managers[1] = company.account("Grace").user_id
    company.report_to(grace, company.sandbox.slack.by_email("bob@example.com")["id"])

    done, problems = await company.import_everybody()

    assert done is None
    assert sum(problems.values()) == 1
    assert company.manager_of("Grace") == 0


async def test_of_many_who_get_another_manager_docebo_is_asked_for_those_who_are_managers_themselves(
    company, monkeypatch
):
    monkeypatch.setattr(managing, "FEW", 1)
    joan = company.hire("Joan")
    ada, carl = company.hire("Ada"), company.hire("Carl")
    company.hire("Bob", ada)
    await company.import_everybody()
    company.account("Joan").managers[1] = company.account("Ada").user_id
    asked = company.sandbox.docebo_gate.counters.calls
    before = asked[SUBORDINATES]
    company.report_to(ada, joan)
    company.report_to(carl, joan)

    _, problems = await company.import_everybody()

    assert company.hierarchy() == {"Bob": "Ada", "Joan": "Ada", "Carl": "Joan"}
    assert sum(problems.values()) == 1
    assert asked[SUBORDINATES] == before + 1


@pytest.mark.long
async def test_who_swaps_places_with_the_manager_is_in_no_circle(company):
    grace = company.hire("Grace")
    ada = company.hire("Ada", grace)
    boss = company.hire("Boss")
    await company.import_everybody()
    company.report_to(ada, boss)
    company.report_to(grace, ada)

    done, problems = await company.import_everybody()

    assert done.count(outcome=Outcome.APPLIED) == 2
    assert not problems
    assert company.manager_of("Grace") == company.account("Ada").user_id


@pytest.mark.long
async def test_a_docebo_that_does_not_tell_who_reports_to_whom_gets_its_managers(company):
    grace = company.hire("Grace")
    company.hire("Ada", grace)
    company.sandbox.docebo_gate.faults.add(SUBORDINATES, "html_200", times=-1)

    await company.import_everybody()

    assert company.manager_of("Ada") == company.account("Grace").user_id


async def test_a_type_of_managers_is_named_where_there_are_several(company):
    boss = company.hire("Grace")
    company.hire("Ada", boss)
    company.sandbox.docebo.manager_types = {1: "Direct manager", 4: "Mentor"}

    with pytest.raises(ConfigurationError, match=r"MANAGER_TYPE is empty.* there are Direct manager, Mentor"):
        await company.import_everybody()
    await company.import_everybody(MANAGER_TYPE="mentor")

    assert company.account("Ada").managers == {4: company.account("Grace").user_id}


async def test_a_docebo_that_does_not_tell_its_types_of_managers_is_told_with_the_rule_to_take_out(company):
    def instead(call: Call) -> Answer | None:
        is_asked = call.path.startswith("/manage/v1/managers?")
        return in_json({"name": "Not Found", "message": ["?"], "code": 1, "status": 404}, 404) if is_asked else None

    with between(company.sandbox.docebo_url, instead=instead) as docebo:
        company.settings = company.settings.model_copy(update={"docebo_url": docebo})
        with pytest.raises(ConfigurationError, match=r"types of managers.*HTTP 404.*take the rule out"):
            await company.import_everybody()


@pytest.mark.long
async def test_after_a_change_of_the_type_everybody_gets_a_manager_of_it_and_each_undo_restores_its_own(company):
    grace, joan = company.hire("Grace"), company.hire("Joan")
    ada = company.hire("Ada", grace)
    company.sandbox.docebo.manager_types = {1: "Direct manager", 4: "Mentor"}
    await company.import_everybody(MANAGER_TYPE="1")
    company.report_to(ada, joan)
    direct, _ = await company.import_everybody(MANAGER_TYPE="1")

    mentor, _ = await company.import_everybody(MANAGER_TYPE="4")

    grace, joan = company.account("Grace").user_id, company.account("Joan").user_id
    assert company.account("Ada").managers == {1: joan, 4: joan}
    assert mentor.count(outcome=Outcome.APPLIED) == 1
    assert (await company.import_everybody(MANAGER_TYPE="4"))[0] is None
    assert (await company.import_everybody(MANAGER_TYPE="1"))[0] is None
    await company.undo(direct.plan.id, MANAGER_TYPE="4")
    assert company.account("Ada").managers == {1: grace, 4: joan}


@pytest.mark.long
async def test_a_manager_may_be_named_by_address(company):
    company.hire("Grace")
    ada = company.hire("Ada")
    company.sandbox.slack.change(ada, {"profile": {"title": "grace@example.com"}})

    await company.import_everybody(rules="first_name, last_name, email, manager = title")

    assert company.manager_of("Ada") == company.account("Grace").user_id


@pytest.mark.long
async def test_the_journal_of_others_holds_no_address_of_a_manager(company):
    company.hire("Ada", company.hire("Grace"))

    done, _ = await company.import_everybody()

    with Store.of(company.settings) as store, store.reading() as tables:
        [entry] = tables.journal.applied(plan_id=done.plan.id)
    assert entry.operation.changes == {"manager_1": str(company.account("Grace").user_id)}


@pytest.mark.long
async def test_a_manager_is_not_undone_once_there_is_a_later_one(company):
    grace, joan, mary = company.hire("Grace"), company.hire("Joan"), company.hire("Mary")
    ada = company.hire("Ada", grace)
    await company.import_everybody()
    company.report_to(ada, joan)
    done, _ = await company.import_everybody()
    company.report_to(ada, mary)
    await company.import_everybody()

    undone = await company.undo(done.plan.id)

    assert undone.count(outcome=Outcome.SKIPPED) == 1
    assert company.manager_of("Ada") == company.account("Mary").user_id


async def test_a_manager_whom_somebody_has_replaced_by_hand_since_stays_when_the_run_is_undone(company):
    grace, joan, _ = (company.hire(name) for name in ("Grace", "Joan", "Mary"))
    ada, bob = company.hire("Ada", grace), company.hire("Bob", grace)
    await company.import_everybody()
    for slack_id in (ada, bob):
        company.report_to(slack_id, joan)
    done, _ = await company.import_everybody()
    company.account("Ada").managers[1] = company.account("Mary").user_id

    undone = await company.undo(done.plan.id)

    assert (undone.count(outcome=Outcome.SKIPPED), undone.count(outcome=Outcome.APPLIED)) == (1, 1)
    assert company.hierarchy() == {"Ada": "Mary", "Bob": "Grace"}


async def test_the_only_manager_of_a_run_whom_somebody_has_replaced_by_hand_since_stays_when_it_is_undone(company):
    grace, joan, _ = (company.hire(name) for name in ("Grace", "Joan", "Mary"))
    ada = company.hire("Ada", grace)
    await company.import_everybody()
    company.report_to(ada, joan)
    done, _ = await company.import_everybody()
    company.account("Ada").managers[1] = company.account("Mary").user_id

    undone = await company.undo(done.plan.id)

    assert undone.count(outcome=Outcome.SKIPPED) == 1
    assert company.hierarchy() == {"Ada": "Mary"}


@pytest.mark.long
async def test_nobody_counts_as_replaced_because_docebo_does_not_tell_who_reports_to_one_of_the_managers(company):
    grace, joan, mary = (company.hire(name) for name in ("Grace", "Joan", "Mary"))
    ada, bob = company.hire("Ada", grace), company.hire("Bob", grace)
    await company.import_everybody()
    company.report_to(ada, joan)
    company.report_to(bob, mary)
    done, _ = await company.import_everybody()
    company.sandbox.docebo_gate.faults.add(SUBORDINATES, "html_200", times=5)  # of Joan, who is asked for first

    await company.undo(done.plan.id)

    assert company.hierarchy() == {"Ada": "Grace", "Bob": "Grace"}


@pytest.mark.long
async def test_a_manager_is_undone_where_docebo_does_not_tell_who_reports_to_whom(company):
    await company.ada_goes_over_from_grace_to_joan()
    done, _ = await company.import_everybody()
    company.sandbox.docebo_gate.faults.add(SUBORDINATES, "html_200", times=-1)

    await company.undo(done.plan.id)

    assert company.manager_of("Ada") == company.account("Grace").user_id


@pytest.mark.long
async def test_a_manager_whose_account_is_gone_is_not_brought_back(company):
    await company.ada_goes_over_from_grace_to_joan()
    done, _ = await company.import_everybody()
    company.sandbox.docebo.delete(company.account("Grace").user_id)

    undone = await company.undo(done.plan.id)

    assert undone.count(outcome=Outcome.SKIPPED) == 1
    assert company.manager_of("Ada") == company.account("Joan").user_id


@pytest.mark.long
async def test_managers_over_a_limit_are_let_through_by_the_id_of_their_plan(company):
    boss = company.hire("Grace")
    for name in ("Ada", "Bob", "Cid"):
        company.hire(name, boss)

    with pytest.raises(ChangeLimitExceeded) as refusal:
        await company.import_everybody(LIMIT_UPDATES="2")
    assert str(refusal.value).startswith("Look at plan ")  # the one thing to do comes first
    rows = {"ATTRIBUTES": RULES, "LIMIT_UPDATES": "2"}
    await apply_by_id(company.settings, rows, refused_plan(refusal))

    assert {company.manager_of(name) for name in ("Ada", "Bob", "Cid")} == {company.account("Grace").user_id}


async def test_a_manager_whom_docebo_refuses_is_told_and_tried_again(company):
    company.hire("Ada", company.hire("Grace"))

    async def plan_and_rename(*of):
        plan_id, _ = await plan_managers(*of)
        company.sandbox.docebo.edit(company.account("Grace").user_id, {"username": "hopper"})
        return plan_id

    done = await import_then(company.settings, {"ATTRIBUTES": RULES}, plan_and_rename)
    again, _ = await company.import_everybody()

    assert done.count(outcome=Outcome.FAILED) == 1
    assert again.count(outcome=Outcome.APPLIED) == 1
    assert company.manager_of("Ada") == company.account("Grace").user_id


@pytest.mark.long
@pytest.mark.parametrize(
    ("managers", "outcome", "told"),
    [("marked", Outcome.FAILED, "Docebo may want them to be marked"), ("listed", Outcome.APPLIED, "")],
)
async def test_a_docebo_that_takes_not_everybody_as_a_manager_says_so_or_does_nothing(company, managers, outcome, told):
    company.hire("Ada", company.hire("Grace"))
    company.sandbox.docebo.switches = switched(company.sandbox.docebo.switches, {"managers": managers})

    async def plan_and_rename(*of):
        plan_id, _ = await plan_managers(*of)
        if managers == "listed":
            company.sandbox.docebo.edit(company.account("Grace").user_id, {"username": "hopper"})
        return plan_id

    done = await import_then(company.settings, {"ATTRIBUTES": RULES}, plan_and_rename)
    with Store.of(company.settings) as store, store.reading() as tables:
        [entry] = tables.operations.rows(done.plan.id)

    assert (entry.outcome, told in entry.error) == (outcome, True)
    assert company.manager_of("Ada") == 0


@pytest.mark.long
async def test_who_is_never_to_be_touched_is_in_no_plan_of_managers(company):
    ada = company.hire("Ada", company.hire("Grace"))
    await company.import_everybody("first_name, last_name, email")
    decide_never(company.settings, company.sandbox.slack.team.id, ada)

    done, _ = await company.import_everybody()

    assert done is None


async def test_a_manager_whose_account_is_somebody_elses_by_now_is_given_to_nobody(company):
    company.hire("Ada", company.hire("Grace"))
    await company.import_everybody("first_name, last_name, email")
    company.hand_to_a_stranger("Grace")

    done, problems = await company.import_everybody()

    assert done is None
    assert dict(problems) == {"the manager's account may be somebody else's by now": 1}


@pytest.mark.parametrize("is_renamed", [True, False])
@pytest.mark.variants(1)
async def test_long_after_the_accounts_were_read_nobody_becomes_manager_by_the_username_of_another(company, is_renamed):
    """Grace's account has another username, or is a stranger's; Eve's has the former one."""
    company.hire("Ada", company.hire("Grace"))
    company.hire("Eve")
    await company.import_everybody("first_name, last_name, email")
    grace, eve = company.account("Grace"), company.account("Eve")
    former = grace.username

    async def plan_and_wait(*of) -> str | None:
        plan_id, _ = await plan_managers(*of)
        if is_renamed:
            company.sandbox.docebo.edit(grace.user_id, {"username": "grace.hopper"})
        else:
            company.hand_to_a_stranger("Grace")
        company.sandbox.docebo.edit(eve.user_id, {"username": former})
        clock.shift(timedelta(hours=2))
        return plan_id

    with time_machine.travel(datetime.now(UTC)) as clock:
        done = await import_then(company.settings, {"ATTRIBUTES": RULES}, plan_and_wait)

    assert (company.hierarchy(), done.count(outcome=Outcome.APPLIED)) == (
        ({"Ada": "Grace"}, 1) if is_renamed else ({}, 0)
    )


async def assert_grace_is_made_nobodys_manager(company, becomes):
    """Plan that Grace is Ada's manager, let *becomes* happen to her, and assert that the saved plan leaves that."""
    grace = company.hire("Grace")
    company.hire("Ada", grace)
    plan_id = await company.plan_of_managers()
    becomes(grace)

    done = await company.apply(plan_id)

    assert done.count(outcome=Outcome.SKIPPED) == 1
    assert company.manager_of("Ada") == 0


@pytest.mark.parametrize("left", ["deactivated", "unknown"])
@pytest.mark.variants(1)
async def test_nobody_who_has_left_since_a_plan_was_made_becomes_a_manager_by_it(company, left):
    slack = company.sandbox.slack
    leaves = slack.deactivate if left == "deactivated" else slack.invisible.add

    await assert_grace_is_made_nobodys_manager(company, leaves)


async def test_who_reports_to_somebody_else_by_now_gets_no_former_manager_by_a_saved_plan(company):
    grace, joan = company.hire("Grace"), company.hire("Joan")
    ada = company.hire("Ada", grace)
    company.hire("Bob", grace)
    plan_id = await company.plan_of_managers()
    company.report_to(ada, joan)

    await company.apply(plan_id)

    assert [company.manager_of(name) for name in ("Ada", "Bob")] == [0, company.account("Grace").user_id]


@pytest.mark.parametrize("became", ["a stranger's with the user name", "a stranger's", "nobody's"])
@pytest.mark.variants(1)
async def test_an_account_that_is_not_the_managers_any_more_is_made_nobodys_manager_by_a_saved_plan(company, became):
    def changes_hands(grace):
        if became.startswith("a stranger's"):
            company.hand_to_a_stranger("Grace", with_username=became.endswith("name"))
            return
        delete_mappings(company.settings, company.sandbox.slack.team.id, grace)

    await assert_grace_is_made_nobodys_manager(company, changes_hands)


@pytest.mark.parametrize("with_username", [False, True])
@pytest.mark.long
async def test_an_undo_makes_nobody_the_manager_behind_whose_account_there_is_somebody_else_by_now(
    company, with_username
):
    await company.ada_goes_over_from_grace_to_joan()
    done, _ = await company.import_everybody()
    company.hand_to_a_stranger("Grace", with_username=with_username)

    undone = await company.undo(done.plan.id)

    assert undone.count(outcome=Outcome.SKIPPED) == 1
    assert company.manager_of("Ada") == company.account("Joan").user_id


@pytest.mark.long
async def test_an_undo_brings_nobody_back_into_a_circle_with_who_reports_to_that_person_since(company):
    grace, joan = company.hire("Grace"), company.hire("Joan")
    mary = company.hire("Mary", grace)
    ada = company.hire("Ada", mary)
    await company.import_everybody()
    company.report_to(ada, joan)
    company.report_to(mary, joan)
    done, _ = await company.import_everybody()
    company.report_to(grace, ada)
    await company.import_everybody()

    undone = await company.undo(done.plan.id)

    assert undone.count(outcome=Outcome.SKIPPED) == 1  # Mary, above Ada and so above Grace
    assert company.hierarchy() == {"Ada": "Mary", "Mary": "Joan", "Grace": "Ada"}


def hand_in_one_by_one(company):
    """Let Docebo take one row with each call."""
    with Store.of(company.settings) as store, store.transaction() as tables:
        dialect = tables.dialect(company.settings.docebo_url)
        dialect.learn(ROWS_PER_CALL.name, "1", source=SET_BY_HAND, now=datetime.now(UTC))


def while_accounts_are_read(monkeypatch, happens):
    """Let *happens* happen between the plan of who is whose manager and the first row, once."""
    read = managing.read_accounts

    async def read_accounts(*of):
        monkeypatch.setattr(managing, "read_accounts", read)
        happens()
        return await read(*of)

    monkeypatch.setattr(managing, "read_accounts", read_accounts)


def note_managers(company, managers):
    """Let another run have made these people managers."""
    accounts = {(company.account(one).user_id, 1): company.account(by).user_id for one, by in managers.items()}
    with Store.of(company.settings) as store, store.transaction() as tables:
        tables.managers(company.settings.docebo_url).note(accounts)


async def test_nobody_comes_into_a_circle_with_whom_an_event_gave_a_manager_while_the_import_was_planned(
    company, monkeypatch
):
    """Bob reports to Ada by an event, after the import has read that Ada reports to Grace, who reports to Bob."""
    bob = company.hire("Bob")
    grace = company.hire("Grace", bob)
    company.hire("Ada", grace)
    company.hire("Carl", grace)
    await company.import_everybody("first_name, last_name, email")
    while_accounts_are_read(monkeypatch, lambda: note_managers(company, {"Bob": "Ada"}))

    done, _ = await company.import_everybody()

    assert done.count(outcome=Outcome.SKIPPED) == 1
    assert company.hierarchy() == {"Grace": "Bob", "Carl": "Grace"}


def send(company, plan_id, kind, slack_id, account, manager_id):
    """Let a plan have sent to the *account* of *slack_id* that this is the manager, 0 for none, and not recorded yet what became."""
    column = {manager_column(1): str(manager_id or "")}
    team, at = company.sandbox.slack.team.id, datetime.now(UTC)
    sent = Operation(
        slack_id, team, "somebody", Kind.UPDATE, reason="another manager", docebo_id=account.user_id, changes=column
    )
    with Store.of(company.settings) as store, store.transaction() as tables:
        tables.plans.create(Plan(plan_id, kind, at, docebo=company.settings.docebo_url, slack_team=team))
        tables.operations.add(plan_id, 0, [sent])
    note_sent(company.settings, plan_id)


def dies(company, plan_id, slack_id, name, manager):
    """Let a run die that has sent who is the manager of *name*, "" for nobody; what became of that, Docebo does not show."""
    manager_id = company.account(manager).user_id if manager else 0
    send(company, plan_id, PlanKind.MANAGERS, slack_id, company.account(name), manager_id)


NAMED_TYPE = {"MANAGER_TYPE": "Direct manager"}


def has_several_types(company):
    """Let Docebo have two types of managers, so that it is not asked who reports to whom."""
    company.sandbox.docebo.manager_types = {1: "Direct manager", 4: "Mentor"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("set_last", "sent", "has"),
    [
        pytest.param("Grace", ["Bob"], "Bob", id="done"),
        pytest.param("Bob", ["Grace"], "Bob", id="not done"),
        pytest.param("Bob", [""], "Bob", id="not removed"),
        pytest.param("Grace", ["Bob", "Joan"], "Bob", id="done by the first of two dead runs"),
    ],
)
async def test_nobody_comes_into_a_circle_with_a_manager_whom_a_dead_run_may_have_set(company, set_last, sent, has):
    has_several_types(company)
    slack_ids = {name: company.hire(name) for name in ("Grace", "Joan", "Bob")}
    ada = company.hire("Ada", slack_ids[set_last])
    await company.import_everybody(**NAMED_TYPE)
    for number, manager in enumerate(sent):
        dies(company, f"dead{number}", ada, "Ada", manager)
    company.account("Ada").managers[1] = company.account(has).user_id
    company.report_to(ada, "")
    company.report_to(slack_ids["Bob"], ada)

    done, problems = await company.import_everybody(**NAMED_TYPE)

    assert (done, dict(problems)) == (None, {PERHAPS_IN_A_CIRCLE: 1})
    assert company.hierarchy() == {"Ada": has}

    company.report_to(ada, slack_ids["Joan"])  # by which nobody is in doubt any more
    done, problems = await company.import_everybody(**NAMED_TYPE)
    assert (done.count(outcome=Outcome.APPLIED), dict(problems)) == (2, {})
    assert company.hierarchy() == {"Ada": "Joan", "Bob": "Ada"}


@pytest.mark.long
async def test_nobody_comes_into_a_circle_by_way_of_several_whom_a_dead_run_may_have_given_managers(company):
    joan, bob, ada = (company.hire(name) for name in ("Joan", "Bob", "Ada"))
    await company.import_everybody()
    dies(company, "dead", ada, "Ada", "Bob")
    dies(company, "dead too", bob, "Bob", "Joan")
    company.account("Ada").managers[1] = company.account("Bob").user_id
    company.account("Bob").managers[1] = company.account("Joan").user_id
    company.report_to(joan, ada)  # of whom Docebo tells who reports to her alone

    done, problems = await company.import_everybody()

    assert (done, dict(problems)) == (None, {PERHAPS_IN_A_CIRCLE: 1})
    assert company.hierarchy() == {"Ada": "Bob", "Bob": "Joan"}


@pytest.mark.long
async def test_nobody_comes_into_a_circle_with_the_manager_whom_an_account_has_of_its_former_owner(company):
    has_several_types(company)
    grace, bob = company.hire("Grace"), company.hire("Bob")
    ada = company.hire("Ada", bob)
    await company.import_everybody(**NAMED_TYPE)
    hand_over(company.sandbox, company.settings, ada, company.account("Ada"), "Eve")
    eve = company.hire("Eve")
    company.report_to(bob, eve)

    done, problems = await company.import_everybody(**NAMED_TYPE)

    assert (done, dict(problems)) == (None, {PERHAPS_IN_A_CIRCLE: 1})
    assert company.hierarchy() == {"Eve": "Bob"}

    company.report_to(eve, grace)
    await company.import_everybody(**NAMED_TYPE)
    assert company.hierarchy() == {"Eve": "Grace", "Bob": "Eve"}


@pytest.mark.long
async def test_a_saved_plan_closes_no_circle_with_a_manager_whom_a_dead_run_may_have_set_since(company):
    bob = company.hire("Bob")
    ada = company.hire("Ada")
    await company.import_everybody()
    company.report_to(bob, ada)
    with pytest.raises(ChangeLimitExceeded) as refused:
        await company.import_everybody(LIMIT_UPDATES="0")
    dies(company, "dead", ada, "Ada", "Bob")
    company.account("Ada").managers[1] = company.account("Bob").user_id
    company.report_to(ada, "")
    await company.import_everybody("first_name, last_name, email")  # which looks for what the dead run has done

    done = await company.apply(refused_plan(refused))

    assert done.count(outcome=Outcome.SKIPPED) == 1
    assert company.hierarchy() == {"Ada": "Bob"}


async def test_an_undo_closes_no_circle_with_a_manager_whom_a_dead_run_may_have_set_since(company):
    bob, joan = company.hire("Bob"), company.hire("Joan")
    ada = company.hire("Ada")
    company.report_to(bob, ada)
    await company.import_everybody()
    company.report_to(bob, joan)
    done, _ = await company.import_everybody()
    dies(company, "dead", ada, "Ada", "Bob")
    company.account("Ada").managers[1] = company.account("Bob").user_id
    await company.import_everybody("first_name, last_name, email")

    undone = await company.undo(done.plan.id)

    assert undone.count(outcome=Outcome.SKIPPED) == 1
    assert company.hierarchy() == {"Ada": "Bob", "Bob": "Joan"}


@pytest.mark.long
async def test_whom_a_plan_may_have_given_that_was_cut_off_and_is_not_wanted_any_more_is_replaced(company):
    grace, _, ada = await company.ada_goes_over_from_grace_to_joan()
    with pytest.raises(ChangeLimitExceeded) as refused:
        await company.import_everybody(LIMIT_UPDATES="0")
    plan_id = refused_plan(refused)
    note_sent(company.settings, plan_id)
    company.account("Ada").managers[1] = company.account("Joan").user_id
    company.report_to(ada, grace)

    done = await company.apply(plan_id)
    assert done.count(outcome=Outcome.SKIPPED) == 1
    await company.import_everybody()

    assert company.manager_of("Ada") == company.account("Grace").user_id


@pytest.mark.long
async def test_whom_a_call_without_an_answer_may_have_given_that_is_not_sent_again_is_replaced(company, monkeypatch):
    grace, joan, ada = await company.ada_goes_over_from_grace_to_joan()
    settle = Verifier.settle

    async def settles_and_joan_loses_her_account(verifier, batch):
        rest = await settle(verifier, batch)
        delete_mappings(company.settings, company.sandbox.slack.team.id, joan)
        return rest

    async def plan_and_lose_the_answer(*of):
        plan_id, _ = await plan_managers(*of)
        company.sandbox.docebo_gate.faults.add("POST /manage/v1/user/batch", "carried_out_then_dropped")
        monkeypatch.setattr(Verifier, "settle", settles_and_joan_loses_her_account)
        return plan_id

    done = await import_then(company.settings, {"ATTRIBUTES": RULES}, plan_and_lose_the_answer)
    assert done.count(outcome=Outcome.SKIPPED) == 1
    assert company.manager_of("Ada") == company.account("Joan").user_id
    monkeypatch.setattr(Verifier, "settle", settle)
    company.report_to(ada, grace)
    await company.import_everybody()

    assert company.manager_of("Ada") == company.account("Grace").user_id


@pytest.mark.long
async def test_nobody_comes_into_a_circle_by_what_another_run_has_sent_and_not_recorded_yet(company, monkeypatch):
    bob = company.hire("Bob")
    company.hire("Ada", bob)
    await company.import_everybody("first_name, last_name, email")

    def sends():
        send(company, "other", PlanKind.REALTIME_SYNC, bob, company.account("Bob"), company.account("Ada").user_id)

    while_accounts_are_read(monkeypatch, sends)

    done, _ = await company.import_everybody()

    assert done.count(outcome=Outcome.SKIPPED) == 1
    assert company.manager_of("Ada") == 0


@pytest.mark.long
async def test_who_changes_places_with_the_manager_does_so_in_one_night_whatever_a_call_takes_and_back(company):
    grace = company.hire("Grace")
    bob = company.hire("Bob", grace)
    ada = company.hire("Ada", bob)
    await company.import_everybody()
    company.report_to(grace, ada)
    company.report_to(ada, company.hire("Joan"))
    hand_in_one_by_one(company)

    done, _ = await company.import_everybody()

    assert done.count(outcome=Outcome.APPLIED) == 2
    assert company.hierarchy() == {"Grace": "Ada", "Bob": "Grace", "Ada": "Joan"}

    company.report_to(grace, company.hire("Mary"))
    company.report_to(ada, bob)
    done, _ = await company.import_everybody()
    assert done.count(outcome=Outcome.APPLIED) == 2
    assert company.hierarchy() == {"Grace": "Mary", "Bob": "Grace", "Ada": "Bob"}

    undone = await company.undo(done.plan.id)
    assert undone.count(outcome=Outcome.APPLIED) == 2
    assert company.hierarchy() == {"Grace": "Ada", "Bob": "Grace", "Ada": "Joan"}


@pytest.mark.long
@pytest.mark.parametrize("becomes", ["nobody's", "somebody else's"])
async def test_an_account_that_is_not_the_managers_any_more_while_the_import_is_at_work_is_nobodys_manager(
    company, monkeypatch, becomes
):
    grace, joan = company.hire("Grace"), company.hire("Joan")
    company.hire("Ada", grace)
    company.hire("Bob", joan)
    await company.import_everybody("first_name, last_name, email")

    def changes_hands():
        with Store.of(company.settings) as store, store.transaction() as tables:
            mappings, team = tables.mappings(company.settings.docebo_url), company.sandbox.slack.team.id
            account = company.account("Grace").user_id
            mappings.delete(team, [grace])
            if becomes == "somebody else's":
                mappings.save([Mapping("U0EVE", team, "eve", account)], now=datetime.now(UTC))

    while_accounts_are_read(monkeypatch, changes_hands)

    done, _ = await company.import_everybody()

    assert done.count(outcome=Outcome.SKIPPED) == 1
    assert [company.manager_of(name) for name in ("Ada", "Bob")] == [0, company.account("Joan").user_id]


@pytest.mark.long
async def test_who_was_the_manager_of_the_new_one_waits_for_what_becomes_of_that_ones_row(company):
    grace, joan = company.hire("Grace"), company.hire("Joan")
    bob = company.hire("Bob", grace)
    await company.import_everybody()
    company.report_to(bob, joan)
    company.report_to(grace, bob)

    async def plan_and_rename(*of):
        plan_id, _ = await plan_managers(*of)
        company.sandbox.docebo.edit(company.account("Joan").user_id, {"username": "clarke"})
        return plan_id

    done = await import_then(company.settings, {"ATTRIBUTES": RULES}, plan_and_rename)

    assert [done.count(outcome=outcome) for outcome in (Outcome.FAILED, Outcome.SKIPPED)] == [1, 1]
    assert company.hierarchy() == {"Bob": "Grace"}

    await company.import_everybody()
    assert company.hierarchy() == {"Bob": "Joan", "Grace": "Bob"}
