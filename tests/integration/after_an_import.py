"""An import as the flow does it, with a plan that is made after that of everybody."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.docebo.accounts import Account
from sandbox.server import Sandbox
from slack_docebo.domain.decisions import Decision, Verdict
from slack_docebo.engine.importing import apply_saved, plan_everybody
from slack_docebo.engine.planning.parting import PartChoice, take_part
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import Workspace, validate
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.applying import apply_accounts, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ChangeLimitExceeded
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.events import Event, EventState
from slack_docebo.storage.store import Store
from tests.importing import ON, carry_out

PlanAfterwards = Callable[[Runtime, Workspace, SourceSnapshot], Awaitable[str | None]]


async def import_then(
    settings: Settings, rows: Mapping[str, str], plan: PlanAfterwards, *, run: str = "run"
) -> Summary | None:
    """Import everybody, then make *plan* and apply it; return its summary, None where there was nothing to do."""
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id=run) as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            everybody = await plan_everybody(runtime, workspace, people)
            await carry_out(runtime, everybody)
            finish(runtime, everybody)
            plan_id = await plan(runtime, workspace, people)
            if plan_id is None:
                return None
            begin(runtime, plan_id)
            await apply_accounts(runtime, plan_id, lambda _: None)
            return finish(runtime, plan_id)


def note_applied_event(settings: Settings, slack_id: str) -> None:
    """Let real time have served the person just now."""
    now = datetime.now(UTC)
    with Store.of(settings) as store, store.transaction() as tables:
        tables.inbox.put([Event("Ev1", "", slack_id, updated=0, kind="user_change", received_at=now)])
        tables.inbox.finish(["Ev1"], EventState.APPLIED, now, run="")


def note_sent(settings: Settings, plan_id: str) -> None:
    """Let a run have sent the first operation of the plan, and not recorded what became of it, like one that died."""
    with Store.of(settings) as store, store.transaction() as tables:
        tables.intents.note(plan_id, [0], flow_run="dead", now=datetime.now(UTC))


def refused_plan(refusal: pytest.ExceptionInfo[ChangeLimitExceeded]) -> str:
    """Return the id of the plan that is over a limit, as the refusal tells it to people."""
    return re.search("plan ([0-9a-z]{8})", str(refusal.value))[1]


def decide_never(settings: Settings, team: str, slack_id: str) -> None:
    """Let somebody have decided that the person is never touched."""
    decision = Decision(slack_id, Verdict.NEVER, why="asked for", by="Grace", since=datetime.now(UTC))
    with Store.of(settings) as store, store.transaction() as tables:
        tables.decisions.put(team, decision)


async def apply_by_id(settings: Settings, rows: Mapping[str, str], plan_id: str) -> Summary:
    """Apply the saved plan in a run of its own."""
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="apply") as runtime:
        return await apply_saved(runtime, plan_id, lambda _: None)


async def apply_first(settings: Settings, rows: Mapping[str, str], plan_id: str, *, confirm: str) -> Summary:
    """Apply the saved plan for the first person alone."""
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="part") as runtime:
        part = take_part(runtime, plan_id, PartChoice(first=1), confirm=confirm)
        return await apply_saved(runtime, part, lambda _: None)


async def undo(
    settings: Settings, rows: Mapping[str, str], plan_id: str, *, deactivate_created: bool = False
) -> Summary:
    """Undo what the plan, or the run, has done."""
    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="undo") as runtime:
        undoing = plan_undo(runtime, plan_id, deactivate_created=deactivate_created)
        return await apply_saved(runtime, undoing, lambda _: None)


def hand_over(sandbox: Sandbox, settings: Settings, slack_id: str, account: Account, name: str, **edited: Any) -> None:
    """Let somebody give the *account* of *slack_id*, who has left, to another person by hand, with whatever is *edited*."""
    sandbox.slack.deactivate(slack_id)
    address = f"{name.lower()}@example.com"
    names = {"username": address, "email": address, "firstname": name, "lastname": "Byron"}
    sandbox.docebo.edit(account.user_id, {**names, **edited})
    delete_mappings(settings, sandbox.slack.team.id, slack_id)


def delete_mappings(settings: Settings, team: str, *slack_ids: str) -> None:
    """Delete the mappings of these people, as a reset does."""
    with Store.of(settings) as store, store.transaction() as tables:
        tables.mappings(settings.docebo_url).delete(team, slack_ids)
