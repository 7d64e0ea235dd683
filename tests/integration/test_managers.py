"""Managers are written after an import, when all accounts exist, and only where somebody's has changed."""

from functools import partial

import pytest

from slack_docebo.domain.planning import Outcome
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.managing import plan_managers
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.sides import read_page, read_source, read_target
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.plans import PlanKind
from tests.importing import ON, carry_out, settings_for

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
        async with self._open(rules, **rows) as runtime:
            workspace = await validate(runtime)
            with SourceSnapshot() as people:
                await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
                accounts = await read_target(runtime)
                plan_id = await make_plan(
                    runtime, workspace, people, accounts, kind=PlanKind.BULK_IMPORT, listed=people
                )
                await carry_out(runtime, plan_id)
                finish(runtime, plan_id)
                managers, problems = await plan_managers(runtime, workspace, people)
                if managers is None:
                    return None, problems
                begin(runtime, managers)
                await apply_accounts(runtime, managers, lambda _: None)
                return finish(runtime, managers), problems

    async def undo(self, plan_id: str):
        async with self._open(RULES) as runtime:
            undo = plan_undo(runtime, plan_id)
            return await apply_saved(runtime, undo, lambda _: None)

    def _open(self, rules: str, **rows: str):
        behaviour = read_rows(table({**ON, "ATTRIBUTES": rules, **rows}))
        return open_runtime(self._settings, behaviour, run_id="run")


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
