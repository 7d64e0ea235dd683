"""Rules that read Slack's SCIM API."""

from dataclasses import replace

import pytest

from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.looking.trying import try_rules
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from tests.importing import ON, run_import, settings_for
from tests.integration.after_an_import import apply_by_id
from tests.integration.realtime_world import world

RULES = "first_name, last_name, email, field:Unit = scim:department clear"


@pytest.fixture
def company(shared_sandbox):
    shared_sandbox.reset()
    shared_sandbox.docebo.add_field("Unit", "textfield", mandatory=False, invisible_to_user=False)
    return shared_sandbox


@pytest.fixture
def ada(company):
    slack_id = company.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    company.slack.scim[slack_id] = {"department": "Sales"}
    return slack_id


def settings_of(company, database_url):
    facts = company.facts()
    return settings_for(facts, database_url, slack_scim_token=facts["scim_token"], slack_scim_url=facts["scim_url"])


def units(company) -> list[str]:
    field = next(field.id for field in company.docebo.fields.values() if field.title == "Unit")
    return [account.fields.get(field, "") for account in company.docebo.accounts.by_email("ada@example.com")]


@pytest.mark.long
async def test_an_import_writes_what_scim_says_for_a_call_per_thousand_people(company, sqlite_url, ada):
    settings, rows = settings_of(company, sqlite_url), {"ATTRIBUTES": RULES}

    await run_import(settings, rows=rows)
    again = await run_import(settings, rows=rows)

    assert units(company) == ["Sales"]
    assert again.count(outcome=Outcome.APPLIED) == 0
    assert again.plan.facts["calls"]["SCIM people"] == 1


@pytest.mark.long
async def test_whom_scim_does_not_show_keeps_what_is_there(company, sqlite_url, ada):
    settings, rows = settings_of(company, sqlite_url), {"ATTRIBUTES": RULES}
    await run_import(settings, rows=rows)
    company.slack.scim[ada] = {"division": "West"}  # the department is null now

    await run_import(settings, rows=rows)

    assert units(company) == ["Sales"]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.variants(1)
async def test_whether_or_not_scim_lists_who_has_left_slack_alone_decides_who_has(company, sqlite_url, ada, listed):
    company.slack.switches = replace(company.slack.switches, scim_lists_deactivated=listed)
    settings, rows = settings_of(company, sqlite_url), {"ATTRIBUTES": RULES, "LEAVERS": "deactivate"}
    await run_import(settings, rows=rows)
    company.slack.deactivate(ada)

    left = await run_import(settings, rows=rows)
    units_of_the_leaver = units(company)
    company.slack.reactivate(ada)
    await run_import(settings, rows=rows)

    assert left.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED) == 1
    assert units_of_the_leaver == units(company) == ["Sales"]


@pytest.mark.long
async def test_without_rules_that_read_it_scim_is_not_asked(company, sqlite_url, ada):
    done = await run_import(settings_of(company, sqlite_url))
    assert not any(name.startswith("SCIM") for name in done.plan.facts["calls"])


async def test_rules_that_are_tried_show_what_scim_says(company, sqlite_url, ada):
    behaviour = read_rows(table({**ON, "ATTRIBUTES": RULES, "SCOPE_INCLUDE": "ada@*"}))
    async with open_runtime(settings_of(company, sqlite_url), behaviour, run_id="tries") as runtime:
        [tried] = await try_rules(runtime)

    assert "Sales" in [one.source for one in tried.attributes]


OFF = {"ATTRIBUTES": f"{RULES}, manager = scim:manager", "PROVISION_SLACK_USER_DATA": "false"}


async def test_while_nothing_is_written_neither_scim_nor_manager_types_are_asked_for(company, sqlite_url, ada):
    done = await run_import(settings_of(company, sqlite_url), rows=OFF)

    assert not {name for name in done.plan.facts["calls"] if name.startswith("SCIM") or name == "manager types"}


async def test_while_nothing_is_written_an_event_asks_slack_for_the_person_alone(company, sqlite_url, tmp_path):
    facts = company.facts()
    of_scim = {"slack_scim_token": facts["scim_token"], "slack_scim_url": facts["scim_url"]}
    async with world(company, sqlite_url, tmp_path, addresses=of_scim, **OFF) as here:
        await here.settle([])
        ada = company.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        company.slack.change(ada, {"profile": {"email": ""}})
        here.put(here.event(ada, kind="team_join"))

        await here.serve()

        assert not any(name.startswith("SCIM") or name == "users.profile.get" for name in here.runtime.calls)


async def test_a_rule_without_a_token_stops_a_run_before_it_reads(company, sqlite_url):
    with pytest.raises(ConfigurationError, match="SLACK_SCIM_TOKEN is missing"):
        await run_import(settings_for(company.facts(), sqlite_url), rows={"ATTRIBUTES": RULES})


@pytest.mark.long
async def test_who_joins_gets_what_scim_says_in_real_time(company, sqlite_url, tmp_path):
    facts = company.facts()
    of_scim = {"slack_scim_token": facts["scim_token"], "slack_scim_url": facts["scim_url"]}
    async with world(company, sqlite_url, tmp_path, addresses=of_scim, ATTRIBUTES=RULES) as here:
        await here.settle([])
        slack_id = company.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
        company.slack.scim[slack_id] = {"department": "Sales"}
        here.put(here.event(slack_id, kind="team_join"))

        await here.serve()

    assert units(company) == ["Sales"]


@pytest.mark.long
async def test_a_saved_plan_writes_nothing_that_scim_says_no_more_though_docebo_has_the_former_value(
    company, sqlite_url, ada
):
    settings, rows = settings_of(company, sqlite_url), {"ATTRIBUTES": RULES}
    await run_import(settings, rows=rows)
    company.slack.scim[ada] = {"department": "Law"}
    planned = await run_import(settings, rows=rows, dry_run=True)
    company.slack.scim[ada] = {"department": "Sales"}

    applied = await apply_by_id(settings, rows, planned.plan.id)

    assert applied.count(outcome=Outcome.SKIPPED) == 1
    assert units(company) == ["Sales"]
