"""Settings are checked that are not saved: what both sides show by them is told, and nothing but the plan is kept."""

from functools import partial

from sqlalchemy import select

from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.slack_list import read_page, read_source
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage import schema
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store
from tests.importing import ON, run_import, settings_for

KEPT = (
    *(schema.person, schema.identity, schema.applied, schema.account, schema.mapping, schema.person_name),
    *(schema.leaver, schema.standing, schema.proven_read, schema.decision, schema.profile),
)


def kept(database_url: str):
    with Store.open(database_url) as store, store.reading() as tables:
        return {one.name: sorted(map(repr, tables.connection.execute(select(one)))) for one in KEPT}


async def test_a_check_of_settings_that_are_not_saved_keeps_nothing_of_what_it_sees(shared_sandbox, sqlite_url):
    shared_sandbox.reset()
    settings = settings_for(shared_sandbox.facts(), sqlite_url)
    await run_import(settings, rows={"MAP_SLACK_USER_DATA": "false", "SCOPE_GUESTS": "none"})
    members = [user for user in shared_sandbox.slack if user["profile"].get("email") and not user["deleted"]]
    shared_sandbox.slack.deactivate(members[0]["id"])
    shared_sandbox.slack.add("Joe", "Comer", "joe@example.com")
    shared_sandbox.docebo.accounts.add("joe@example.com", email="joe@example.com", firstname="Joe", lastname="Comer")
    before = kept(sqlite_url)
    rows = {"SCOPE_GUESTS": "all", "PEOPLE_SHOWN": "names", "SOURCE_MAY_SHRINK": "100", "LEAVERS": "unmap"}

    async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="a check") as runtime:
        workspace = await validate(runtime)
        with SourceSnapshot() as people:
            await read_source(runtime, workspace, people, partial(read_page, runtime, workspace))
            accounts = await read_target(runtime)
            plan_id = await make_plan(
                runtime, workspace, people, accounts, kind=PlanKind.BULK_IMPORT, listed=people, is_trial=True
            )
        told = finish(runtime, plan_id)

    assert told.count() > 0
    assert kept(sqlite_url) == before
