"""The fields that the attribute mapping names, by title, label or id, and what is looked up for them."""

import csv

import pytest

from slack_docebo.domain.lookup import LookupTable
from slack_docebo.engine.reporting.report import values_file
from slack_docebo.errors import ConfigurationError
from tests.importing import ON, run_import, settings_for
from tests.integration.realtime_world import world


async def test_fields_are_named_by_title_and_label_in_any_case(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    field = shared_sandbox.docebo.add_field("Cost centre", "textfield", mandatory=False, invisible_to_user=False)
    rules = 'first_name, last_name, email, field:"cost Centre" = custom:department'
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=rules) as here:
        await here.settle()
        slack_id = next(user["id"] for user in shared_sandbox.slack if user["profile"].get("email"))
        here.sandbox.slack.change(slack_id, {"profile": {"fields": {"Xf0DEPARTMT": {"value": "Sales", "alt": ""}}}})

        here.put(here.event(slack_id))
        await here.serve()

        assert here.account(slack_id).fields[field.id] == "Sales"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("field:Colour = title", "Docebo has no field called Colour: there are "),
        ("field:Twin = title", r"Docebo has several fields called Twin: name .* by its id, \d+ or \d+"),
        ("field:Role = custom:Colour", "Slack has no field called Colour: there are Department, Start date"),
        ("field:Role = title, field_{role} = handle", "is the target of two rules"),
    ],
)
async def test_a_name_that_is_no_fields_or_several_fields_stops_a_run_before_it_reads(
    shared_sandbox, sqlite_url, rule, told
):
    shared_sandbox.reset()
    for title in ("Twin", "Twin", "Role"):
        role = shared_sandbox.docebo.add_field(title, "textfield", mandatory=False, invisible_to_user=False)
    rows = {**ON, "ATTRIBUTES": f"first_name, last_name, email, {rule.format(role=role.id)}"}

    with pytest.raises(ConfigurationError, match=told):
        await run_import(settings_for(shared_sandbox.facts(), sqlite_url), rows=rows)


async def test_what_is_not_stored_with_an_event_is_asked_for(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    rules = "first_name, last_name, email, field:Phone = phone"
    field = shared_sandbox.docebo.add_field("Phone", "textfield", mandatory=False, invisible_to_user=False)
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=rules) as here:
        await here.settle()
        slack_id = next(user["id"] for user in shared_sandbox.slack if user["profile"].get("email"))
        here.sandbox.slack.change(slack_id, {"profile": {"phone": "+44 20 1234"}})

        here.put(here.event(slack_id))
        await here.serve()

        assert here.account(slack_id).fields[field.id] == "+44 20 1234"


async def test_values_are_looked_up_and_those_without_a_row_are_listed(shared_sandbox, sqlite_url):
    shared_sandbox.reset()
    field = shared_sandbox.docebo.add_field("Grade", "textfield", mandatory=False, invisible_to_user=False)
    people = [one for one in shared_sandbox.slack if one["profile"].get("email") and not one["deleted"]]
    titles = {one["id"]: title for one, title in zip(people, ["Dean", "DEAN", "Jester", "Jester"], strict=False)}
    for slack_id, title in titles.items():
        shared_sandbox.slack.change(slack_id, {"profile": {"title": title}})
    settings = settings_for(shared_sandbox.facts(), sqlite_url)
    rows = {"ATTRIBUTES": "first_name, last_name, email, field:Grade = table(grades, title)", "SCOPE_GUESTS": "all"}
    grades = {"grades": LookupTable.of("grades", [("Dean", "A1")])}

    done = await run_import(settings, rows=rows, tables=grades)
    again = await run_import(settings, rows=rows, tables=grades)

    grade = {one.email: one.fields.get(field.id) for one in shared_sandbox.docebo.accounts}
    found = [grade.get(shared_sandbox.slack.get(slack_id)["profile"]["email"].lower()) for slack_id in titles]
    assert found == ["A1", "A1", None, None]
    assert f"| field_{field.id} | table grades has no row for it | 1 | 2 |" in done.markdown()
    file = values_file(settings.report_dir, done.plan.id)
    assert list(csv.reader(file.read_text(encoding="utf-8").splitlines()))[1:] == [
        [f"field_{field.id}", "Jester", "table grades has no row for it", "2"]
    ]
    assert [again.count(outcome=outcome) for outcome in ("applied", "planned", "failed")] == [0, 0, 0]
