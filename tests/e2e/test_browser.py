"""Prefect's UI as an administrator uses it: forms, a run and its report, settings; in a real browser."""

import os
import re

import pytest
from playwright.async_api import expect

from deployments.local import ROOT
from deployments.prefect_ui import PATIENCE, prefect_ui
from slack_docebo.integration_settings import VARIABLE, documented_rows, rows_by_key
from tests.e2e.prefect_http import deployment, finished, set_rows, start, title_of

STEP = re.compile(r"Type \*([^*]+)\* into \*([^*]+)\*|[Cc]lick \*([^*]+)\*")  # what the docs tell to do
DEPLOYMENTS = [
    "bulk-import/import-everybody",
    "apply-plan/apply-a-plan-or-part",
    "bulk-import/reconcile",
    "doctor/is-everything-in-place",
    "decide/decide-about-people",
    "dialect/how-this-docebo-answers",
    "explain-user/explain-a-person",
    "find-person/find-a-person",
    "plan-people/everybody-of-a-plan-and-why",
    "fields/fields-of-both-sides",
    "go/go-on-writing",
    "mappings/import-export-or-show-mappings",
    "parked-events/parked-events",
    "personal-data/personal-data-of-a-person",
    "realtime-sync/slack-events",
    "relink/link-another-docebo-address",
    "reset-mappings/delete-mappings",
    "restore-mappings/restore-a-backup",
    "send-test-message/send-a-test-message",
    "settings/change-settings",
    "stop/stop-writing",
    "sweep/sweep",
    "try-attributes/try-attribute-rules",
    "undo/undo-a-run",
]
WRONG = [
    ("bulk-import/import-everybody", "Saved plan", "../../x", "'an id like k8tfq19f, or nothing' was expected"),
    ("bulk-import/reconcile", "Saved plan", "123456789", "'an id like k8tfq19f, or nothing' was expected"),
    (
        "explain-user/explain-a-person",
        "Slack id or docebo:ID",
        "ada@example.com",
        "'a Slack id, like U024BE7LH, or docebo:",
    ),
]
WRONG_IDS = [
    ("realtime-sync/slack-events", "ada@example.com"),
    ("reset-mappings/delete-mappings", "everybody"),
]


@pytest.fixture(scope="module")
async def ui(deployed, prefect_api):
    expect.set_options(timeout=PATIENCE)
    async with prefect_ui(prefect_api.removesuffix("/api"), os.environ["PREFECT_API_AUTH_STRING"]) as opened:
        yield opened


def test_these_are_all_deployments(deployed):
    stored = deployed.post("deployments/filter", json={}).raise_for_status().json()

    assert len(stored) == len(DEPLOYMENTS)


@pytest.mark.long
@pytest.mark.parametrize("name", DEPLOYMENTS)
async def test_the_form_shows_what_each_parameter_is_called_and_does(deployed, ui, name):
    schema = deployment(deployed, name)["parameter_openapi_schema"]

    await ui.open_form(name)

    for parameter in schema["properties"].values():
        await expect(ui.page.get_by_text(title_of(parameter, schema)).first).to_be_visible()
        help_text = " ".join(parameter["description"].split())
        await expect(ui.page.get_by_role("paragraph").filter(has_text=help_text)).to_be_visible()


@pytest.mark.long
@pytest.mark.parametrize(("name", "field", "value", "refusal"), WRONG)
async def test_the_form_refuses_a_wrong_value_and_starts_nothing(deployed, ui, name, field, value, refusal):
    await ui.open_form(name)
    run_name = await ui.page.get_by_label("Run Name").input_value()

    await ui.fill(field, value)
    await ui.submit()

    await expect(ui.page.get_by_role("main").get_by_text(refusal).first).to_be_visible()
    assert runs_named(deployed, run_name) == []


@pytest.mark.long
@pytest.mark.parametrize(("name", "value"), WRONG_IDS)
async def test_the_form_refuses_what_is_no_slack_id(deployed, ui, name, value):
    await ui.open_form(name)
    run_name = await ui.page.get_by_label("Run Name").input_value()

    await ui.add_item(value)
    await ui.submit()

    await expect(
        ui.page.get_by_role("main")
        .get_by_text("'a Slack id, like U024BE7LH, or several with blanks or commas between' was expected")
        .first
    ).to_be_visible()
    assert runs_named(deployed, run_name) == []


@pytest.mark.long
async def test_the_form_refuses_a_number_out_of_bounds(deployed, ui):
    await ui.open_form("realtime-sync/slack-events")
    run_name = await ui.page.get_by_label("Run Name").input_value()

    await ui.fill("Linger, seconds", "-5")
    await ui.submit()

    field = ui.page.get_by_label("Linger, seconds")
    await expect(field).to_have_js_property("validationMessage", "Value must be greater than or equal to -1.")
    assert runs_named(deployed, run_name) == []


async def test_a_dry_run_is_started_by_clicking_and_its_report_is_there_to_read(deployed, at_work, company, ui):
    set_rows(deployed)
    created = company.docebo_gate.counters.rows["created"]

    await open_form_as_the_first_hour_says(ui)
    await ui.run()

    await expect(ui.page.get_by_text("import: everybody, dry run").first).to_be_visible()
    run_page = ui.page.url
    await ui.open_artifact("MARKDOWN")
    report = ui.page.get_by_role("tabpanel", name="Artifact")
    await expect(report.get_by_role("heading", name="planned")).to_be_visible()
    await expect(report.get_by_role("columnheader", name="still planned")).to_be_visible()
    await ui.page.goto(run_page)
    await ui.open_artifact("TABLE created")
    await expect(report.get_by_role("columnheader", name="Slack user")).to_be_visible()
    await expect(report.get_by_role("cell", name="new").first).to_be_visible()
    assert company.docebo_gate.counters.rows["created"] == created


async def open_form_as_the_first_hour_says(ui):
    """Go from Prefect's first page to the form by the steps of docs/first-hour.md, word by word, up to *Submit*."""
    table, _, _ = (ROOT / "docs" / "first-hour.md").read_text("utf-8").partition("![The form")
    *steps, (_, _, last) = STEP.findall(table)
    assert last == "Submit"
    await ui.open("/")
    for typed, field, clicked in steps:
        if field:
            await ui.search(typed, field)
        elif clicked in {name.partition("/")[2] for name in DEPLOYMENTS}:
            await ui.open_deployment(ui.page.get_by_role("link", name=clicked, exact=True))
        else:
            kinds = [ui.page.get_by_role(kind, name=clicked, exact=True) for kind in ("link", "button", "menuitem")]
            await kinds[0].or_(kinds[1]).or_(kinds[2]).first.click()
    await ui.page.get_by_role("heading", name="Parameters").wait_for()


@pytest.mark.long
async def test_a_setting_is_checked_and_then_saved_in_a_form_that_is_filled(deployed, at_work, ui):
    whole_table = {key: default for key, default, _ in documented_rows()}
    set_rows(deployed, **{**whole_table, "SCOPE_EXCLUDE": "nobody@example.com"})
    finished(deployed, start(deployed, "sweep/sweep"))  # a look at how things stand, which fills the form

    async def change_and_run():
        await expect(ui.page.get_by_label("Not these people")).to_have_value("nobody@example.com")
        await ui.fill("Not these people", "*@Partner.example; u0nobody")
        await ui.run()
        return rows_by_key(deployed.get(f"variables/name/{VARIABLE}").raise_for_status().json()["value"])

    await ui.open_form("settings/change-settings")
    checked = await change_and_run()
    await ui.open_artifact("TABLE settings-changes")
    await expect(ui.page.get_by_role("cell", name="@Partner.example")).to_be_visible()
    await ui.open_form("settings/change-settings")
    await ui.page.get_by_label("Check only").click()
    await ui.fill("Your name, to save", "Ada")
    saved = await change_and_run()

    assert (checked["SCOPE_EXCLUDE"], saved["SCOPE_EXCLUDE"]) == ("nobody@example.com", "*@Partner.example, u0nobody")


@pytest.mark.long
async def test_a_setting_changed_in_the_variables_page_takes_effect_in_the_next_run(deployed, at_work, company, ui):
    whole_table = {key: default for key, default, _ in documented_rows()}
    set_rows(deployed, **{**whole_table, "PROVISION_SLACK_USER_DATA": "true", "MAP_SLACK_USER_DATA": "true"})

    await ui.edit_settings()
    await ui.change_setting("SCOPE_EXCLUDE", "*")
    await ui.open("/")
    await ui.open_form("bulk-import/import-everybody")
    await ui.run()

    ended = finished(deployed, ui.page.url.split("/flow-run/")[1].split("?")[0])
    assert ended["state"]["message"].endswith(f"{len(company.slack)} left alone"), ended["state"]


def runs_named(http, name):
    query = {"flow_runs": {"name": {"any_": [name]}}}
    return http.post("flow_runs/filter", json=query).raise_for_status().json()
