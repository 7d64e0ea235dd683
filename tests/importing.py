"""A bulk import without Prefect, for tests and benchmarks of what lies below it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from slack_docebo.domain.dialect import PROVEN, ROW_COLUMNS, RowColumns
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.targets import TARGETS
from slack_docebo.engine.importing import plan_import
from slack_docebo.engine.mappings.resetting import back_up, delete_planned, plan_reset
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import read_changed
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing.applying import apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store

ON = {"NOTIFICATION_MAIL_ID": "", "PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true"}


def settings_for(facts: Mapping[str, Any], database_url: str, **changes: Any) -> Settings:
    """Return settings that lead to the sandbox with these *facts*; with PostgreSQL `report_dir` has to be given."""
    values = {
        "slack_bot_token": facts["slack_token"],
        "slack_api_url": facts["slack_url"],
        "slack_page_size": 1000,
        "slack_calls_per_minute": 1_000_000,
        "docebo_url": facts["docebo_url"],
        "docebo_client_id": facts["docebo_client_id"],
        "docebo_client_secret": facts["docebo_client_secret"],
        "docebo_calls_per_hour": 10_000_000,
        "docebo_timeout_seconds": 3,  # also how long a call of somebody who has died is waited for
        "database_url": database_url,
    }
    if database_url.startswith("sqlite:///"):
        values["report_dir"] = Path(database_url.removeprefix("sqlite:///")).parent / "reports"
    values |= changes
    assert "report_dir" in values, "the default is in the checkout"
    return Settings(_env_file=None, **values)


async def run_import(
    settings: Settings,
    *,
    dry_run: bool = False,
    verify_target: bool = True,
    rows: Mapping[str, str] = ON,
    tables: Mapping[str, LookupTable] = MappingProxyType({}),
) -> Summary:
    """Do what the flow `bulk_import` does, in the same order."""
    behaviour = read_rows(table({**ON, **rows})).with_tables(tables)
    async with open_runtime(settings, behaviour, run_id=f"test-{os.getpid()}-{os.urandom(4).hex()}") as runtime:
        plan_id = await (plan_import(runtime) if verify_target else plan_trusting(runtime))
        if not dry_run:
            await carry_out(runtime, plan_id)
        return finish(runtime, plan_id)


async def plan_trusting(runtime: Runtime) -> str:
    """Read Slack and, of Docebo, only who has changed there; return the id of the plan."""
    workspace = await validate(runtime)
    with SourceSnapshot() as people:
        await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
        accounts = await read_changed(runtime, workspace, people)
        return await make_plan(
            runtime, workspace, people, accounts, kind=PlanKind.BULK_IMPORT, listed=people, trusting=True
        )


async def carry_out(runtime: Runtime, plan_id: str) -> None:
    """Apply the plan."""

    def unseen(_rows: int) -> None:
        pass

    begin(runtime, plan_id)
    await apply_accounts(runtime, plan_id, unseen)
    await apply_mappings(runtime, plan_id)


async def reset(runtime: Runtime) -> str:
    """Delete all mappings, as the flow `reset_mappings` does; return the id of the plan, and so of the backup."""
    workspace = await validate(runtime)
    plan_id = plan_reset(runtime, workspace, Accounts(), ())
    back_up(runtime, workspace, plan_id, ())
    delete_planned(runtime, workspace, plan_id)
    return plan_id


def prove(settings: Settings) -> None:
    """Let the platform be one whose rows were seen to do what they say: no row is sent alone any more."""
    known = ("another username", "create", "create in a branch", "update", "move", *TARGETS, "username", "active")
    fields = (f"field_{number}" for number in range(12, 30))
    with Store.of(settings) as store, store.transaction() as tables:
        entries = tables.dialect(settings.docebo_url)
        for question, answer in ((PROVEN, ", ".join([*known, *fields])), (ROW_COLUMNS, RowColumns.OWN)):
            entries.learn(question.name, answer, source="a test", now=datetime.now(UTC))


async def paged(*pages: list[SourceUser]) -> AsyncIterator[list[SourceUser]]:
    """Yield *pages* like a source that is being read."""
    for page in pages:
        yield page


def mapped(database_url: str, team: str) -> dict[str, int]:
    """Return the mapping: Docebo id by Slack id."""
    with Store.open(database_url) as store, store.reading() as tables:
        return {mapping.slack_id: mapping.docebo_id for mapping in tables.mappings().all(team)}


if __name__ == "__main__":  # `python -m tests.importing FACTS DATABASE_URL`: an import that can be killed
    facts_, database_url_ = json.loads(sys.argv[1]), sys.argv[2]
    print(asyncio.run(run_import(settings_for(facts_, database_url_))).line)
