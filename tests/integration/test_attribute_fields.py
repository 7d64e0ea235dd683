"""The fields that the attribute mapping names, by title, label or id."""

import pytest

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
