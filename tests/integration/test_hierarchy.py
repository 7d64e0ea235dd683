"""Random nights of a company in which people change departments and managers, leave and return: the promises hold."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Outcome
from slack_docebo.engine.importing import plan_everybody
from slack_docebo.engine.planning.managing import plan_managers
from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from tests.examples import examples
from tests.importing import ON, carry_out, settings_for
from tests.integration.after_an_import import undo

PEOPLE = ("ada", "bob", "cid", "dee")
BRANCHES = ("EU", "US")
ROWS = {
    "ATTRIBUTES": "first_name, last_name, email, branch = title, manager = scim:manager",
    "BRANCH_MOVES": "true",
    "LEAVERS_BRANCH": "LEFT",
    "LIMIT_BRANCH_MOVES": "none",
}


@dataclass(frozen=True)
class Change:
    """What becomes of one person in Slack during a day."""

    person: str
    branch: str  # "" where Slack says nothing
    manager: str  # likewise
    is_there: bool


changes = st.builds(
    Change,
    st.sampled_from(PEOPLE),
    st.sampled_from((*BRANCHES, "")),
    st.sampled_from((*PEOPLE, "")),
    st.sampled_from((True, True, False)),
)
days = st.lists(st.lists(changes, min_size=1, max_size=3, unique_by=lambda one: one.person), min_size=1, max_size=2)


class Company:
    """The people in Slack, and where their accounts are in Docebo."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        sandbox.reset()
        sandbox.docebo.switches = replace(sandbox.docebo.switches, branches_shown=True)
        made = [sandbox.docebo.add_branch(code, code.title()) for code in (*BRANCHES, "LEFT")]
        self.left = (made[-1].id,)
        self._ids = {
            name: str(sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")["id"]) for name in PEOPLE
        }
        for name in PEOPLE:
            self.make(Change(name, "EU", "" if name == "ada" else "ada", is_there=True))

    def make(self, change: Change) -> None:
        """Let the change be seen in Slack."""
        slack_id, slack = self._ids[change.person], self.sandbox.slack
        if not change.is_there:
            slack.deactivate(slack_id)
            return
        if slack.get(slack_id)["deleted"]:
            slack.reactivate(slack_id)
        slack.change(slack_id, {"profile": {"title": change.branch}})
        slack.scim[slack_id] = {"manager": self._ids[change.manager]} if change.manager else {}

    def state(self) -> dict[str, tuple[tuple[int, ...], dict[int, int]]]:
        """Return the branches and managers of each account."""
        found = {name: self.sandbox.docebo.accounts.by_email(f"{name}@example.com")[0] for name in PEOPLE}
        return {name: (account.branches, dict(account.managers)) for name, account in found.items()}


async def night(settings: Settings) -> list[Summary]:
    """Import everybody, move, set managers; return what came of the plans that were made after the import."""
    done = []
    async with open_runtime(settings, read_rows(table({**ON, **ROWS})), run_id="night") as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            everybody = await plan_everybody(runtime, workspace, people)
            await carry_out(runtime, everybody)
            finish(runtime, everybody)
            moves = await plan_moves(runtime, workspace, people)
            done += [await _apply(runtime, moves)] if moves else []
            managers, _ = await plan_managers(runtime, workspace, people)
            done += [await _apply(runtime, managers)] if managers else []
    return done


async def _apply(runtime, plan_id: str) -> Summary:
    begin(runtime, plan_id)
    await apply_accounts(runtime, plan_id, lambda _: None)
    return finish(runtime, plan_id)


@pytest.fixture(scope="module")
def small() -> Iterator[Sandbox]:
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        yield running


@given(days)
@examples(
    2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes a second: to shrink one, minutes
)
async def test_a_night_again_writes_nothing_unknown_empties_nothing_and_an_undo_restores_branch_and_manager(
    small, migrated_sqlite, days
):
    company = Company(small)
    with tempfile.TemporaryDirectory() as folder:
        facts = small.facts()
        of_scim = {"slack_scim_token": facts["scim_token"], "slack_scim_url": facts["scim_url"]}
        settings = settings_for(facts, f"sqlite:///{shutil.copy(migrated_sqlite, folder)}", **of_scim)
        await night(settings)
        for day in days:
            before = company.state()
            for change in day:
                company.make(change)

            done = await night(settings)

            after = company.state()
            assert not any(summary.count(outcome=Outcome.FAILED) for summary in done)
            for one in day:
                (branch, manager), (branch_then, manager_then) = before[one.person], after[one.person]
                assert one.manager or manager_then == manager
                assert one.branch or not one.is_there or branch == company.left or branch_then == branch
            assert await night(settings) == []
            assert company.state() == after
        for summary in reversed(done):
            await undo(settings, ROWS, summary.plan.id)
        for person, (branch, manager) in company.state().items():
            assert branch == before[person][0]
            assert manager == before[person][1] or not before[person][1]  # who had none by us may have had one before
