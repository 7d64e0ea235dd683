"""The fields that the attribute mapping names, by title, label or id, and what is looked up for them."""

import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reporting.files import values_file
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from tests.importing import ON, run_import, settings_for
from tests.integration.realtime_world import world


@pytest.fixture
def sandbox_of() -> Iterator[Callable[..., Sandbox]]:
    """Starts a small sandbox with the switches that are given."""
    with ExitStack() as stack:
        yield lambda **switches: stack.enter_context(Sandbox(users=40, rate_limits=False, switches=switches))


@pytest.mark.long
@pytest.mark.parametrize(
    ("title", "named"),
    [("Cost centre", "cost Centre"), (" Cost\u00a0 centre", "Cost centre"), ("Co\u0302te", "C\u00f4te")],
)
async def test_fields_are_named_by_title_and_label_in_any_case(shared_sandbox, sqlite_url, tmp_path, title, named):
    shared_sandbox.reset()
    field = shared_sandbox.docebo.add_field(title, "textfield", mandatory=False, invisible_to_user=False)
    rules = f'first_name, last_name, email, field:"{named}" = custom:department'
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=rules) as here:
        await here.settle()
        slack_id = next(user["id"] for user in shared_sandbox.slack if user["profile"].get("email"))
        here.sandbox.slack.change(slack_id, {"profile": {"fields": {"Xf0DEPARTMT": {"value": "Sales", "alt": ""}}}})

        here.put(here.event(slack_id))
        await here.serve()

        assert here.account(slack_id).fields[field.id] == "Sales"


@pytest.mark.long
async def test_profile_fields_of_each_type_are_read(shared_sandbox, sqlite_url, tmp_path):
    shared_sandbox.reset()
    shown = {
        "Department": "Sales",
        "Start date": "2026-05-31",
        "Office": "Rome",
        "Manager": "U0BOSS",
        "Website": "https://a.example",
    }
    of_docebo = {
        label: shared_sandbox.docebo.add_field(label, "textfield", mandatory=False, invisible_to_user=False).id
        for label in shown
    }
    rules = ", ".join(f'field_{of_docebo[label]} = custom:"{label}"' for label in shown)
    ids = {one["label"]: one["id"] for one in shared_sandbox.slack.profile_fields}
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=f"email, {rules}") as here:
        await here.settle()
        slack_id = next(user["id"] for user in shared_sandbox.slack if user["profile"].get("email"))
        fields = {ids[label]: {"value": value, "alt": ""} for label, value in shown.items()}
        here.sandbox.slack.change(slack_id, {"profile": {"fields": fields}})

        here.put(here.event(slack_id))
        await here.serve()

        assert {label: here.account(slack_id).fields[of_docebo[label]] for label in shown} == shown


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("field:Colour = title", "rule 4: Docebo has no field of this name: there are "),
        ("field:Twin = title", r"Docebo has several fields called Twin: name .* by its id, \d+ or \d+"),
        (
            "field:Role = custom:Colour",
            "rule 4: Slack has no field of this name: there are Department, Manager, Office, Start date",
        ),
        ("field:Role = title, field_{role} = handle", "rule 4 and rule 5 have one target"),
        (
            "field_999999 = 'ann@example.com'",
            r"rule 4: Docebo has no additional field with this id: there are [\d, ]+$",
        ),
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


@pytest.mark.long
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


@pytest.mark.long
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
    assert f"| field_{field.id} (Grade) | table grades has no row for it | 1 | 2 |" in done.markdown()
    file = values_file(settings.report_dir, done.plan.id)
    assert list(csv.reader(file.read_text(encoding="utf-8").splitlines()))[1:] == [
        [f"field_{field.id} (Grade)", "Jester", "table grades has no row for it", "2"]
    ]
    assert [again.count(outcome=outcome) for outcome in ("applied", "planned", "failed")] == [0, 0, 0]


@pytest.mark.long
async def test_a_table_of_which_no_row_fits_anybody_is_told_though_everybody_gets_a_value_by_it(
    shared_sandbox, sqlite_url
):
    shared_sandbox.reset()
    settings = settings_for(shared_sandbox.facts(), sqlite_url)
    rows = {"ATTRIBUTES": "first_name, email, last_name = table(zones, time_zone), language = table(names, handle)"}
    handle = next(one["name"] for one in shared_sandbox.slack if one["profile"].get("email") and not one["deleted"])
    tables = {
        "zones": LookupTable.of("zones", [("Rome", "Italian"), ("*", "Other")]),
        "names": LookupTable.of("names", [(handle, "it"), ("*", "en")]),
    }

    done = await run_import(settings, rows={**rows, "SCOPE_GUESTS": "all"}, tables=tables)

    [told] = [one for one in done.plan.facts["remarks"] if one.startswith("table ")]
    assert told.startswith("table zones: none of its rows fits what anybody in scope has in Slack")
    assert told.split(":")[0] in done.markdown()


COLUMNS = (
    'email, date_format = "en-gb", country = time_zone.startsWith("Europe/") ? "Italy" : "India",'
    ' expiration_date = "2099-12-31"'
)


@pytest.mark.parametrize(
    ("listed", "mapping"),
    [(False, "true"), (False, "false"), (True, "true")],
    ids=["the list hides country and format", "and nothing is mapped", "the list shows them"],
)
@pytest.mark.long
async def test_further_columns_are_written_once_whether_or_not_a_list_shows_them(
    sandbox_of, sqlite_url, listed, mapping
):
    sandbox = sandbox_of(columns_listed=listed)
    settings = settings_for(sandbox.facts(), sqlite_url)
    calls = sandbox.docebo_gate.counters.calls

    rows = {"ATTRIBUTES": COLUMNS, "MAP_SLACK_USER_DATA": mapping}

    await run_import(settings, rows=rows)
    written = {one.user_id: (one.date_format, one.country, one.expiration) for one in made(sandbox)}
    calls.clear()
    again = await run_import(settings, rows=rows)

    assert {expiration for _, _, expiration in written.values()} == {"2099-12-31"}
    assert {country for _, country, _ in written.values()} == {"Italy", "India"}
    assert {form for form, _, _ in written.values()} == {"en-gb"}
    assert again.count(outcome="applied") == again.count("update") == 0
    assert calls["POST /manage/v1/user/batch"] == 0


@pytest.mark.long
async def test_what_a_list_hides_is_written_again_when_the_result_changes_and_is_not_undone(sandbox_of, sqlite_url):
    sandbox = sandbox_of()
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows={"ATTRIBUTES": 'email, country = "Italy"'})

    changed = await run_import(settings, rows={"ATTRIBUTES": 'email, country = "India"'})
    async with open_runtime(settings, read_rows(table(ON)), run_id="undo") as runtime:
        undo = plan_undo(runtime, changed.plan.id)
        with runtime.store.reading() as tables, closing(tables.operations.rows(undo)) as undone:
            restored = [entry.operation.changes for entry in undone]

    assert changed.count("update", outcome="applied") > len(made(sandbox)) > 0  # those who were there before, too
    assert {one.country for one in made(sandbox)} == {"India"}
    assert [changes for changes in restored if "country" in changes] == []


@pytest.mark.variants(1)
@pytest.mark.parametrize("keyed", [True, False])
async def test_an_option_is_found_by_its_label_in_whatever_form_options_are_listed(sandbox_of, sqlite_url, keyed):
    sandbox = sandbox_of(lists_keyed=keyed, branches_shown=keyed)
    options = {7: "Junior", 9: "Senior"}
    grade = sandbox.docebo.add_field("Grade", "dropdown", mandatory=False, invisible_to_user=False, options=options)
    rules = {"ATTRIBUTES": 'email, language, field:Grade = "senior"', "DESTINATION_BRANCH": "42"}
    settings = settings_for(sandbox.facts(), sqlite_url)

    done = await run_import(settings, rows=rules)
    again = await run_import(settings, rows=rules)

    assert {one.fields[grade.id] for one in made(sandbox)} == {"9"}
    assert (done.count(outcome="failed"), again.count(outcome="applied")) == (0, 0)


@pytest.mark.parametrize("form", ["label", "id"])
@pytest.mark.variants(1)
async def test_fields_of_each_type_are_filled_in_docebos_form_and_nobody_is_refused(sandbox_of, sqlite_url, form):
    sandbox = sandbox_of(option_form=form)
    day, guest, wrong = (
        sandbox.docebo.add_field(title, kind, mandatory=False, invisible_to_user=False).id
        for title, kind in (("Day", "date"), ("Guest", "yesno"), ("Wrong", "date"))
    )
    # A day has one form, and is tried after yes and no: it says nothing of how these are written.
    rules = f'email, field_{guest} = guest, field_{day} = date("31.5.2026", "DD.MM.YYYY"), field_{wrong} = handle'
    settings = settings_for(sandbox.facts(), sqlite_url)

    done = await run_import(settings, rows={"ATTRIBUTES": rules, "SCOPE_GUESTS": "all"})
    again = await run_import(settings, rows={"ATTRIBUTES": rules, "SCOPE_GUESTS": "all"})

    filled = [one.fields for one in made(sandbox)]
    assert {fields[day] for fields in filled} == {"2026-05-31"}
    assert {fields[guest] for fields in filled} == {"1", "2"}
    assert [fields for fields in filled if wrong in fields] == []
    assert f"| field_{wrong} (Wrong) | Docebo's field cannot hold it |" in done.markdown()
    assert (done.count(outcome="failed"), again.count(outcome="applied")) == (0, 0)
    assert (sandbox.docebo_gate.counters.rows["failed"] == 0) is (form == "id")


@pytest.mark.long
@pytest.mark.parametrize("as_zero", [True, False])
async def test_a_no_is_written_where_nothing_is_set_and_emptied_once(sandbox_of, sqlite_url, as_zero):
    sandbox = sandbox_of(unset_as_zero=as_zero)
    guest = sandbox.docebo.add_field("Guest", "yesno", mandatory=False, invisible_to_user=False).id
    settings = settings_for(sandbox.facts(), sqlite_url)
    await run_import(settings, rows={"ATTRIBUTES": "email"})
    people = len(made(sandbox))

    async def filled(value: str) -> int:
        done = await run_import(settings, rows={"ATTRIBUTES": f"email, field_{guest} = {value} clear"})
        return int(done.count("update", outcome="applied"))

    assert await filled('""') == 0
    assert await filled('"no"') >= people > 0
    assert {one.fields[guest] for one in made(sandbox)} == {"2"}
    assert await filled('""') >= people
    assert await filled('""') == 0


@pytest.mark.long
@pytest.mark.parametrize("listed", ["code", "name"])
async def test_a_language_is_given_by_its_code_or_by_its_name(sandbox_of, sqlite_url, listed):
    sandbox = sandbox_of(listed_language=listed)
    settings = settings_for(sandbox.facts(), sqlite_url)
    rules = {"ATTRIBUTES": 'email, language = title == "" ? "German" : "de"'}

    await run_import(settings, rows=rules)
    again = await run_import(settings, rows=rules)

    assert {one.language for one in made(sandbox)} == {"de"}
    assert again.count(outcome="applied") == 0


async def test_the_language_of_a_country_is_given_by_a_table_for_the_locale_in_an_import_and_by_an_event(
    shared_sandbox, sqlite_url, tmp_path
):
    shared_sandbox.reset()
    ada = shared_sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"locale": "zh-TW"})["id"]
    rules = {"ATTRIBUTES": "first_name, last_name, email, language = table(languages, locale)"}
    languages = LookupTable.of("languages", [("zh-TW", "ja"), ("de-DE", "zh"), ("*", "en")])
    await run_import(settings_for(shared_sandbox.facts(), sqlite_url), rows=rules, tables={"languages": languages})
    async with world(shared_sandbox, sqlite_url, tmp_path, **rules) as here:
        here.runtime.behaviour = here.runtime.behaviour.with_tables({"languages": languages})
        assert here.account(ada).language == "ja"

        shared_sandbox.slack.change(ada, {"locale": "de-DE"})
        here.put(here.event(ada, profile={"locale": ""}))  # events do not show it
        await here.serve()

        assert here.account(ada).language == "zh"


async def test_a_date_that_is_none_is_left_out_and_listed(sandbox_of, sqlite_url):
    sandbox = sandbox_of()
    settings = settings_for(sandbox.facts(), sqlite_url)

    done = await run_import(settings, rows={"ATTRIBUTES": "email, expiration_date = real_name"})

    assert {one.expiration for one in made(sandbox)} == {None}
    assert "| expiration_date | Docebo's field cannot hold it |" in done.markdown()


def made(sandbox):
    return [one for one in sandbox.docebo.accounts if one.provisioned_by]


@pytest.mark.long
@pytest.mark.parametrize("label", ["Xfinity", "Xf2", "Xf0DEPARTMT"])
async def test_a_label_that_looks_like_an_id_is_a_label_unless_there_is_a_field_with_that_id(
    shared_sandbox, sqlite_url, tmp_path, label
):
    shared_sandbox.reset()
    shared_sandbox.slack.profile_fields.append({"id": "Xf0ANOTHER0", "label": label, "type": "text"})
    async with world(shared_sandbox, sqlite_url, tmp_path, ATTRIBUTES=f"email, first_name = custom:{label}") as here:
        await here.settle()

        sources = {source for rule in here.runtime.behaviour.attributes for source in rule.sources}
        assert sources == {"email", "custom:Xf0DEPARTMT" if label == "Xf0DEPARTMT" else "custom:Xf0ANOTHER0"}
