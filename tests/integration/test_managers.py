"""Managers are written after an import, when all accounts exist, and only where somebody's has changed."""

from collections import Counter

import pytest

from slack_docebo.domain.planning import Outcome
from slack_docebo.engine.planning.managing import plan_managers
from slack_docebo.errors import ConfigurationError
from tests.importing import settings_for
from tests.integration.after_an_import import import_then, undo

RULES = "first_name, last_name, email, manager = scim:manager"


class Company:
    """A company whose hierarchy comes by SCIM, and an installation that imports it."""

    def __init__(self, sandbox, database_url: str) -> None:
        self.sandbox = sandbox
        facts = sandbox.facts()
        self._settings = settings_for(
            facts, database_url, slack_scim_token=facts["scim_token"], slack_scim_url=facts["scim_url"]
        )

    def hire(self, name: str, manager: str = "") -> str:
        slack_id = str(self.sandbox.slack.add(name, "Lovelace", f"{name.lower()}@example.com")["id"])
        self.report_to(slack_id, manager)
        return slack_id

    def report_to(self, slack_id: str, manager: str) -> None:
        self.sandbox.slack.scim[slack_id] = {"manager": manager} if manager else {}

    def account(self, name: str):
        [found] = self.sandbox.docebo.accounts.by_email(f"{name.lower()}@example.com")
        return found

    def manager_of(self, name: str) -> int:
        return int(self.account(name).managers.get(1, 0))

    def batches(self) -> int:
        return int(self.sandbox.docebo_gate.counters.calls["POST /manage/v1/user/batch"])

    async def import_everybody(self, rules: str = RULES, **rows: str):
        """Import as the flow does; return the summary of the managers' plan, None without one, and the problems."""
        told = Counter()

        async def plan(*of) -> str | None:
            plan_id, problems = await plan_managers(*of)
            told.update(problems)
            return plan_id

        return await import_then(self._settings, {"ATTRIBUTES": rules, **rows}, plan), told

    async def undo(self, plan_id: str):
        return await undo(self._settings, {"ATTRIBUTES": RULES}, plan_id)


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


async def test_another_manager_is_one_row_and_undoing_brings_the_former_back(company):
    grace, joan = company.hire("Grace"), company.hire("Joan")
    ada = company.hire("Ada", grace)
    await company.import_everybody()
    company.report_to(ada, joan)

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


async def test_what_slack_does_not_say_removes_no_manager(company):
    boss = company.hire("Grace")
    ada = company.hire("Ada", boss)
    await company.import_everybody()
    company.report_to(ada, "")

    done, _ = await company.import_everybody(rules=f"{RULES} clear")

    assert done is None
    assert company.manager_of("Ada") == company.account("Grace").user_id


async def test_a_type_of_managers_is_named_where_there_are_several(company):
    boss = company.hire("Grace")
    company.hire("Ada", boss)
    company.sandbox.docebo.manager_types = {1: "Direct manager", 4: "Mentor"}

    with pytest.raises(ConfigurationError, match=r"MANAGER_TYPE is empty.* there are Direct manager, Mentor"):
        await company.import_everybody()
    await company.import_everybody(MANAGER_TYPE="mentor")

    assert company.account("Ada").managers == {4: company.account("Grace").user_id}


async def test_a_manager_may_be_named_by_address(company):
    company.hire("Grace")
    ada = company.hire("Ada")
    company.sandbox.slack.change(ada, {"profile": {"title": "grace@example.com"}})

    await company.import_everybody(rules="first_name, last_name, email, manager = title")

    assert company.manager_of("Ada") == company.account("Grace").user_id
