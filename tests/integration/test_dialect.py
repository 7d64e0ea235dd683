"""How a Docebo answers is found out by what it refuses and takes, once, and costs nobody the account."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.docebo.switches import Switches, switched
from sandbox.server import Sandbox
from slack_docebo.domain.dialect import LANGUAGE_FORM, OPTION_FORM, PAGES, PROVEN, REFUSED_VALUES, ROWS_PER_CALL
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.options import Options
from slack_docebo.engine.importing import plan_import
from slack_docebo.engine.reading.dialects import learn
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.engine.writing import proving
from slack_docebo.engine.writing.adapting import Adapter
from slack_docebo.errors import OutcomeUnknown, Unproven
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.storage.store import Store
from tests.between import between, refused, refusing
from tests.importing import ON, carry_out, prove, run_import, settings_for

BATCH = "POST /manage/v1/user/batch"
USERS, ACCOUNTS = 130, 40
SETTINGS = {
    "ATTRIBUTES": "email = email, first_name = first_name, last_name = last_name, language = language,"
    " time_zone = time_zone",
    "LEAVERS": "deactivate",
    "LIMIT_DEACTIVATIONS": "none",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=USERS, docebo_users=ACCOUNTS, rate_limits=False) as running:
        yield running


async def imported(
    sandbox: Sandbox, database_url: str, rows: dict[str, str] | None = None, **otherwise: Any
) -> Summary:
    sandbox.docebo.switches = switched(Switches(), otherwise)
    return await run_import(settings_for(sandbox.facts(), database_url), rows={**SETTINGS, **(rows or {})})


def known(database_url: str, docebo: str) -> dict[str, str]:
    with Store.open(database_url) as store, store.reading() as tables:
        return {name: answer.value for name, answer in tables.dialect(docebo).all().items()}


@pytest.mark.long
@pytest.mark.parametrize("status", ["400", "413", "503"])
async def test_how_many_rows_a_call_may_have_is_found_out_once(sandbox, sqlite_url, status):
    sandbox.reset()
    await imported(sandbox, sqlite_url, max_batch_rows=50, batch_too_large=status)
    assert 25 <= int(known(sqlite_url, sandbox.docebo_url)[ROWS_PER_CALL.name]) <= 50
    for number in range(60):
        sandbox.slack.add("New", f"Comer {number}", f"newcomer{number}@example.com")
    sandbox.docebo_gate.counters.reset()

    done = await imported(sandbox, sqlite_url, max_batch_rows=50)

    assert done.count(outcome=Outcome.APPLIED) == 60
    assert sandbox.docebo_gate.counters.calls[BATCH] == 2


@pytest.mark.long
async def test_a_small_call_that_is_refused_makes_no_later_call_smaller(sandbox, sqlite_url):
    sandbox.reset()
    await imported(sandbox, sqlite_url)
    for number in range(40):
        sandbox.slack.add("New", f"Comer {number}", f"newcomer{number}@example.com")

    done = await imported(sandbox, sqlite_url, max_batch_rows=20)

    assert done.count(outcome=Outcome.APPLIED) == 40
    assert ROWS_PER_CALL.name not in known(sqlite_url, sandbox.docebo_url)


@pytest.mark.long
async def test_a_number_of_rows_that_was_learned_is_tried_in_full_again_after_a_month(sandbox, sqlite_url):
    sandbox.reset()
    await imported(sandbox, sqlite_url)
    for number in range(60):
        sandbox.slack.add("New", f"Comer {number}", f"newcomer{number}@example.com")
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        long_ago = datetime.now(UTC) - timedelta(days=31)
        tables.dialect(sandbox.docebo_url).learn(ROWS_PER_CALL.name, "10", source="a test", now=long_ago)
    sandbox.docebo_gate.counters.reset()

    await imported(sandbox, sqlite_url)

    assert sandbox.docebo_gate.counters.calls[BATCH] == 1


@pytest.mark.long
@pytest.mark.parametrize(("kind", "calls"), [("busy", 2), ("carried_out_then_busy", 1)])
async def test_a_call_that_another_one_is_in_the_way_of_is_sent_again_as_a_whole_and_only_if_nothing_was_done(
    sandbox, sqlite_url, kind, calls
):
    sandbox.reset()
    await imported(sandbox, sqlite_url)
    for number in range(30):
        sandbox.slack.add("New", f"Comer {number}", f"newcomer{number}@example.com")
    sandbox.docebo_gate.counters.reset()
    sandbox.docebo_gate.faults.add(BATCH, kind)

    done = await imported(sandbox, sqlite_url)

    assert done.count(outcome=Outcome.APPLIED) == 30
    assert sandbox.docebo_gate.counters.calls[BATCH] == calls


@pytest.mark.long
async def test_a_docebo_that_is_always_at_work_ends_the_run_and_gets_no_smaller_calls(sandbox, sqlite_url):
    sandbox.reset()
    await imported(sandbox, sqlite_url)
    for number in range(30):
        sandbox.slack.add("New", f"Comer {number}", f"newcomer{number}@example.com")
    sandbox.docebo_gate.counters.reset()
    sandbox.docebo_gate.faults.add(BATCH, "busy", times=-1)

    with pytest.raises(OutcomeUnknown, match="another call is under way"):
        await imported(sandbox, sqlite_url)

    assert sandbox.docebo_gate.counters.calls[BATCH] == 3
    assert not sandbox.docebo_gate.counters.rows["created"]


@pytest.mark.long
async def test_a_call_without_an_answer_is_sent_again_in_halves_after_a_look(sandbox, sqlite_url):
    sandbox.reset()
    await imported(sandbox, sqlite_url)
    for number in range(30):
        sandbox.slack.add("New", f"Comer {number}", f"newcomer{number}@example.com")
    sandbox.docebo_gate.counters.reset()
    sandbox.docebo_gate.faults.add(BATCH, "dropped")

    done = await imported(sandbox, sqlite_url)

    assert done.count(outcome=Outcome.APPLIED) == 30
    assert sandbox.docebo_gate.counters.calls[BATCH] == 3


@pytest.mark.long
async def test_a_value_for_which_rows_are_refused_is_left_out_by_the_next_run_from_the_start(sandbox, sqlite_url):
    sandbox.reset()
    zones = {"ATTRIBUTES": "email, first_name, last_name, time_zone"}
    await imported(sandbox, sqlite_url, zones)

    def join(name: str) -> None:
        user = sandbox.slack.add("New", name, f"{name}@example.com")
        sandbox.slack.change(user["id"], {"tz": "Mars/Olympus"})

    join("first")
    first = await imported(sandbox, sqlite_url, zones)
    join("second")
    sandbox.docebo_gate.counters.reset()
    second = await imported(sandbox, sqlite_url, zones)

    assert first.count(Kind.CREATE, outcome=Outcome.APPLIED) == second.count(Kind.CREATE, outcome=Outcome.APPLIED) == 1
    assert "Mars" not in known(sqlite_url, sandbox.docebo_url)[REFUSED_VALUES.name]
    assert sandbox.docebo_gate.counters.calls[BATCH] == 1
    with Store.open(sqlite_url) as store, store.reading() as tables:
        told = [entry.error for entry in tables.operations.rows(second.plan.id) if entry.operation.kind is Kind.CREATE]
    assert told == ["done, but without what Docebo refuses for an account: time_zone"]


@pytest.mark.parametrize("rows_per_call", [100, 5])
@pytest.mark.variants(1)
async def test_many_newcomers_with_values_of_their_own_that_are_refused_get_their_accounts_in_the_same_run(
    sandbox, sqlite_url, rows_per_call
):
    sandbox.reset()
    role = sandbox.docebo.add_field("Role", "textfield", mandatory=False, invisible_to_user=False).id
    rules = {"ATTRIBUTES": f"email, first_name, last_name, field_{role} = title, time_zone"}
    await imported(sandbox, sqlite_url, rules, max_batch_rows=rows_per_call)
    for number in range(12):
        user = sandbox.slack.add("New", f"Comer {number}", f"newcomer{number}@example.com")
        zone = "Asia/Tokyo" if number == 11 else f"Mars/{number}"
        sandbox.slack.change(user["id"], {"tz": zone, "profile": {"title": "Astronaut"}})
    sandbox.docebo_gate.counters.reset()

    done = await imported(sandbox, sqlite_url, rules, max_batch_rows=rows_per_call)
    calls = sandbox.docebo_gate.counters.calls[BATCH]
    again = await imported(sandbox, sqlite_url, rules, max_batch_rows=rows_per_call)

    made = [sandbox.docebo.accounts.by_email(f"newcomer{number}@example.com")[0] for number in range(12)]
    assert [account.fields[role] for account in made] == ["Astronaut"] * 12
    assert made[11].timezone == "Asia/Tokyo"
    assert done.count(Kind.CREATE, outcome=Outcome.APPLIED) == 12
    # Nor is anybody said to be updated.
    assert (again.count(Kind.UPDATE), again.count(outcome=Outcome.FAILED)) == (0, 0)
    assert sandbox.docebo_gate.counters.calls[BATCH] == calls


@pytest.mark.long
async def test_thousands_of_refused_values_are_all_remembered(sandbox, sqlite_url):
    values = [{"time_zone": f"Mars/{number}"} for number in range(5_000)]
    async with open_runtime(settings_for(sandbox.facts(), sqlite_url), read_rows(table(ON)), run_id="run") as runtime:
        Adapter(runtime).refuse(*values[:-1])
        Adapter(runtime).refuse(values[-1])

        knows = Adapter(runtime)
        assert all(knows.left_out(value, creates=False) == ["time_zone"] for value in values)
        assert knows.left_out({"time_zone": "Asia/Tokyo"}, creates=False) == []


async def test_a_platform_that_refuses_many_usernames_is_not_sent_them_again_each_night_and_one_that_refuses_one_is(
    sandbox, sqlite_url
):
    names = [{"username": f"ada-{number}"} for number in range(9)]
    async with open_runtime(settings_for(sandbox.facts(), sqlite_url), read_rows(table(ON)), run_id="run") as runtime:
        Adapter(runtime).refuse(names[0])
        of_one = Adapter(runtime).left_out(names[0], creates=False)
        Adapter(runtime).refuse(*names)
        of_many = [Adapter(runtime).left_out(name, creates=False) for name in names]

    assert (of_one, of_many) == ([], [["username"]] * 9)


async def test_a_refused_value_is_tried_again_after_a_month_though_others_were_refused_meanwhile(sandbox, sqlite_url):
    async with open_runtime(settings_for(sandbox.facts(), sqlite_url), read_rows(table(ON)), run_id="run") as runtime:
        today = runtime.now()
        for days, zone in ((40, "Mars/1"), (20, "Mars/2")):
            runtime.now = lambda days=days: today - timedelta(days=days)
            Adapter(runtime).refuse({"time_zone": zone})
            assert Adapter(runtime).left_out({"time_zone": "Mars/1"}, creates=False) == ["time_zone"]
        runtime.now = lambda: today

        assert Adapter(runtime).left_out({"time_zone": "Mars/1"}, creates=False) == []


@pytest.mark.long
async def test_a_value_that_is_refused_for_everybody_costs_no_call_for_each_of_them(sandbox, sqlite_url):
    sandbox.reset()
    rules = {"ATTRIBUTES": 'email, first_name, last_name, time_zone = "Mars/Olympus"'}
    calls = sandbox.docebo_gate.counters.calls

    done = await imported(sandbox, sqlite_url, rules)
    assert done.count(outcome=Outcome.APPLIED) > 100
    assert done.count(outcome=Outcome.FAILED) == 0
    assert calls[BATCH] + calls["GET /manage/v1/user/{id}"] < 25
    sandbox.docebo_gate.counters.reset()
    await imported(sandbox, sqlite_url, rules)

    assert calls[BATCH] + calls["GET /manage/v1/user/{id}"] == 0


@pytest.mark.long
async def test_a_value_that_was_refused_is_written_once_it_is_an_option_of_the_field(sandbox, sqlite_url):
    sandbox.reset()
    role = sandbox.docebo.add_field("Role", "textfield", mandatory=False, invisible_to_user=False)
    user = sandbox.slack.add("Ada", "Lovelace", "ada@example.com", {"profile": {"title": "Analyst"}})
    rules = {"ATTRIBUTES": f"email, first_name, last_name, field_{role.id} = title", "SCOPE_INCLUDE": user["id"]}
    settings = settings_for(sandbox.facts(), sqlite_url)
    async with open_runtime(settings, read_rows(table({**ON, **rules})), run_id="run") as runtime:
        plan = await plan_import(runtime)
        role.type, role.options = "dropdown", {7: "Analyst"}  # between reading and writing
        await carry_out(runtime, plan)
    [ada] = sandbox.docebo.accounts.by_email("ada@example.com")
    assert role.id not in ada.fields

    await imported(sandbox, sqlite_url, rules)

    assert ada.fields[role.id] == "7"


@pytest.mark.long
async def test_what_is_to_be_emptied_beside_a_refused_value_is_emptied(sandbox, sqlite_url):
    sandbox.reset()
    role = sandbox.docebo.add_field("Role", "textfield", mandatory=False, invisible_to_user=False).id
    rules = {"ATTRIBUTES": f"email, first_name, last_name, time_zone, field_{role} = title clear"}
    for name in ("ada", "bea"):
        sandbox.slack.add("New", name, f"{name}@example.com", {"tz": "Asia/Tokyo", "profile": {"title": "Analyst"}})
    await imported(sandbox, sqlite_url, rules)
    ada, bea = (sandbox.slack.by_email(f"{name}@example.com")["id"] for name in ("ada", "bea"))

    sandbox.slack.change(ada, {"tz": "Mars/Olympus", "profile": {"title": ""}})
    await imported(sandbox, sqlite_url, rules)
    sandbox.slack.change(bea, {"profile": {"title": ""}})
    await imported(sandbox, sqlite_url, rules)

    of_both = (sandbox.docebo.accounts.by_email(f"{name}@example.com")[0] for name in ("ada", "bea"))
    assert [account.fields.get(role, "") for account in of_both] == ["", ""]


@pytest.mark.variants(1)
@pytest.mark.parametrize("is_listed", [True, False])
async def test_an_account_that_docebo_lets_nobody_change_keeps_no_value_from_others(sandbox, sqlite_url, is_listed):
    """No list shows a country, as it does an additional field."""
    sandbox.reset()
    role = sandbox.docebo.add_field("Role", "textfield", mandatory=False, invisible_to_user=False).id
    target = f"field_{role}" if is_listed else "country"
    ada, bea = (sandbox.slack.add("New", name, f"{name}@example.com")["id"] for name in ("ada", "bea"))
    rules = {"ATTRIBUTES": f"email, first_name, last_name, {target} = title", "SCOPE_INCLUDE": f"{ada},{bea}"}
    locked: set[int] = set()
    with between(sandbox.docebo_url, instead=refusing(locked)) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        await run_import(settings, rows=rules)
        accounts = [sandbox.docebo.accounts.by_email(f"{name}@example.com")[0] for name in ("ada", "bea")]
        locked.add(accounts[0].user_id)
        sandbox.slack.change(ada, {"profile": {"title": "Italy"}})
        refused = await run_import(settings, rows=rules)
        locked.clear()
        sandbox.slack.change(bea, {"profile": {"title": "Italy"}})
        await run_import(settings, rows=rules)

    held = [account.fields[role] if is_listed else account.country for account in accounts]
    assert (refused.count(outcome=Outcome.APPLIED), refused.count(outcome=Outcome.FAILED)) == (0, 1)
    assert held == ["Italy"] * 2


@pytest.mark.long
async def test_an_account_that_docebo_lets_nobody_change_keeps_no_value_from_others_beside_many_refused_values(
    sandbox, sqlite_url
):
    sandbox.reset()
    names = ("cid", "dan", "eva", "ada", "bea")
    ids = {name: sandbox.slack.add("New", name, f"{name}@example.com")["id"] for name in names}
    rules = {"ATTRIBUTES": "email, first_name, last_name, time_zone", "SCOPE_INCLUDE": ",".join(ids.values())}
    locked: set[int] = set()
    with between(sandbox.docebo_url, instead=refusing(locked)) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        prove(settings)
        await run_import(settings, rows=rules)
        ada, bea = (sandbox.docebo.accounts.by_email(f"{name}@example.com")[0] for name in ("ada", "bea"))
        locked.add(ada.user_id)
        for name in names[:-1]:
            sandbox.slack.change(ids[name], {"tz": "Asia/Tokyo" if name == "ada" else f"Mars/{name}"})
        refused = await run_import(settings, rows=rules)
        locked.clear()
        sandbox.slack.change(ids["bea"], {"tz": "Asia/Tokyo"})
        await run_import(settings, rows=rules)

    assert refused.count(outcome=Outcome.FAILED) == 1
    assert [ada.timezone, bea.timezone] == ["Asia/Tokyo"] * 2


@pytest.mark.long
async def test_accounts_are_asked_for_what_they_have_within_the_calls_for_evidence_however_many_are_refused(
    sandbox, sqlite_url
):
    sandbox.reset()
    people = [sandbox.slack.add("New", f"{n}", f"new{n}@example.com")["id"] for n in range(9)]
    rules = {"ATTRIBUTES": "email, first_name, last_name, country = title", "SCOPE_INCLUDE": ",".join(people)}
    with between(sandbox.docebo_url, instead=lambda call: refused(call, lambda row: "country" in row)) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        prove(settings)
        await run_import(settings, rows=rules)
        for number, slack_id in enumerate(people):
            sandbox.slack.change(slack_id, {"profile": {"title": f"Atlantis {number}"}})
        sandbox.docebo_gate.counters.reset()
        done = await run_import(settings, rows={**rules, "EVIDENCE_CALLS": "0"})

    assert sandbox.docebo_gate.counters.calls["GET /manage/v1/user/{id}"] == 0
    assert (done.count(outcome=Outcome.APPLIED), done.count(outcome=Outcome.FAILED)) == (0, 9)


@pytest.mark.long
async def test_in_which_form_a_language_is_taken_is_found_out_once(sandbox, sqlite_url):
    sandbox.reset()
    await imported(sandbox, sqlite_url, batch_language="name")
    assert known(sqlite_url, sandbox.docebo_url)[LANGUAGE_FORM.name] == "name"
    sandbox.slack.add("New", "Comer", "newcomer@example.com")
    sandbox.docebo_gate.counters.reset()

    await imported(sandbox, sqlite_url, batch_language="name")

    assert sandbox.docebo_gate.counters.calls[BATCH] == 1


@pytest.mark.long
async def test_a_language_without_a_known_name_costs_nobody_the_account(sandbox, sqlite_url):
    sandbox.reset()
    for account in sandbox.docebo.accounts:
        sandbox.docebo.edit(account.user_id, {"language": "en"})

    done = await imported(sandbox, sqlite_url, batch_language="name", session_languages=False)

    assert done.count(outcome=Outcome.FAILED) == 0
    with Store.open(sqlite_url) as store, store.reading() as tables:
        told = [entry for entry in tables.operations.rows(done.plan.id) if "language" in entry.error]
    assert told
    assert {entry.outcome for entry in told} == {Outcome.APPLIED}


@pytest.mark.long
async def test_a_dropdown_takes_the_option_with_this_label_and_goes_without_where_there_is_none(sandbox, sqlite_url):
    sandbox.reset()
    [department] = [field.id for field in sandbox.docebo.fields.values() if field.type == "dropdown"]
    seller = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    other = sandbox.slack.add("Grace", "Hopper", "grace@example.com")["id"]
    sandbox.slack.change(seller, {"profile": {"title": "sales"}})
    sandbox.slack.change(other, {"profile": {"title": "Admiral"}})
    rules = {"ATTRIBUTES": f"{SETTINGS['ATTRIBUTES']}, field_{department} = title"}

    done = await imported(sandbox, sqlite_url, rules)
    again = await imported(sandbox, sqlite_url, rules)

    ada, grace = (sandbox.docebo.accounts.by_email(f"{name}@example.com")[0] for name in ("ada", "grace"))
    assert (ada.fields[department], grace.fields.get(department, "")) == ("1", "")
    assert done.count(outcome=Outcome.FAILED) == 0
    with Store.open(sqlite_url) as store, store.reading() as tables:
        planned = {entry.operation.slack_id: entry.operation for entry in tables.operations.rows(done.plan.id)}
        changed = {
            entry.operation.slack_id for entry in tables.operations.rows(again.plan.id) if entry.operation.changes
        }
    assert f"without field_{department}, which cannot hold" in planned[other].reason
    assert seller not in changed


@pytest.mark.long
async def test_in_which_form_an_option_is_taken_is_found_out_once(sandbox, sqlite_url):
    sandbox.reset()
    [department] = [field.id for field in sandbox.docebo.fields.values() if field.type == "dropdown"]
    for number, title in enumerate(("Sales", "Engineering", "Sales")):
        user = sandbox.slack.add("New", f"Comer {number}", f"newcomer{number}@example.com")
        sandbox.slack.change(user["id"], {"profile": {"title": title}})
    rules = {"ATTRIBUTES": f"{SETTINGS['ATTRIBUTES']}, field_{department} = title"}

    done = await imported(sandbox, sqlite_url, rules, option_form="label")

    made = [sandbox.docebo.accounts.by_email(f"newcomer{number}@example.com")[0] for number in range(3)]
    assert [account.fields[department] for account in made] == ["1", "2", "1"]
    assert done.count(outcome=Outcome.FAILED) == 0
    assert known(sqlite_url, sandbox.docebo_url)[OPTION_FORM.name] == "label"


@pytest.mark.long
async def test_an_option_that_is_ignored_by_its_id_is_written_by_its_label_from_the_next_import_on(
    sandbox, sqlite_url, monkeypatch
):
    monkeypatch.setattr(proving, "SEARCHED_AFTER", (0,))
    sandbox.reset()
    [department] = [field.id for field in sandbox.docebo.fields.values() if field.type == "dropdown"]
    user = sandbox.slack.add("New", "Comer", "newcomer@example.com")
    sandbox.slack.change(user["id"], {"profile": {"title": "Sales"}})
    rules = {"ATTRIBUTES": f"{SETTINGS['ATTRIBUTES']}, field_{department} = title"}
    by_label = {"option_form": "label", "forms_ignored": True}

    with pytest.raises(Unproven, match="run again, and rows have another form"):
        await imported(sandbox, sqlite_url, rules, **by_label)
    done = await imported(sandbox, sqlite_url, rules, **by_label)

    [made] = sandbox.docebo.accounts.by_email("newcomer@example.com")
    assert made.fields[department] == "1"
    assert done.count(outcome=Outcome.FAILED) == 0


async def test_options_that_accounts_have_shown_are_not_written_otherwise_because_another_field_ignores_its_own(
    sandbox, sqlite_url
):
    async with open_runtime(settings_for(sandbox.facts(), sqlite_url), read_rows(table(ON)), run_id="run") as runtime:
        runtime.docebo.fields.options = {field_id: Options.of({"1": "Sales", "2": "Legal"}) for field_id in (7, 8)}
        learn(runtime, PROVEN, "field_7", source="an account that was read")

        assert not Adapter(runtime).write_otherwise({"field_8": "Sales"}, ())
        assert Adapter(runtime).written({"field_7": "Sales"}) == {"field_7": "1"}
        learn(runtime, PROVEN, "create", source="an account that was read")
        assert not Adapter(runtime).write_otherwise({"field_8": "Sales"}, {"field_7"})  # by this very account
        assert Adapter(runtime).write_otherwise({"field_8": "Sales"}, {"first_name"})


async def test_that_pages_go_by_a_cursor_is_found_out_once(sqlite_url):
    listing = "GET /manage/v1/user"
    with Sandbox(users=10, docebo_users=0, rate_limits=False) as sandbox:
        for number in range(450):
            sandbox.docebo.accounts.add(f"other{number}")
        calls = []
        for _ in range(2):
            sandbox.docebo_gate.counters.reset()
            await imported(sandbox, sqlite_url, pages_by_cursor=True)
            calls.append(sandbox.docebo_gate.counters.calls[listing])
            learned = known(sqlite_url, sandbox.docebo_url)[PAGES.name]
        sandbox.docebo_gate.counters.reset()
        await imported(sandbox, sqlite_url, pages_by_cursor=False)

        assert learned == "cursor"
        assert calls[1] == sandbox.docebo_gate.counters.calls[listing] == 3


@pytest.mark.long
async def test_a_refused_value_costs_nobody_the_account_in_the_branch_of_the_rule(sandbox, sqlite_url):
    sandbox.reset()
    user = sandbox.slack.add("New", "Comer", "newcomer@example.com")
    sandbox.slack.change(user["id"], {"tz": "Mars/Olympus"})

    done = await imported(sandbox, sqlite_url, {"ATTRIBUTES": 'email, time_zone, branch = "SLACK"'})

    [made] = sandbox.docebo.accounts.by_email("newcomer@example.com")
    assert (made.branches, done.count(outcome=Outcome.FAILED)) == ((42,), 0)


@pytest.mark.long
@pytest.mark.parametrize(
    ("listed", "form", "kept"), [(True, "id", "1"), (True, "label", "1"), (False, "label", "Italy"), (False, "id", "")]
)
async def test_a_country_is_written_as_this_docebo_takes_it_and_left_out_where_it_does_not(
    sandbox, sqlite_url, listed, form, kept
):
    sandbox.reset()
    home = sandbox.docebo.add_field(
        "Home", "country", mandatory=False, invisible_to_user=False, options={1: "Italy", 2: "France"}
    )
    for name, title in (("ada", "Italy"), ("grace", "Atlantis")):
        user = sandbox.slack.add(name.title(), "Lovelace", f"{name}@example.com")
        sandbox.slack.change(user["id"], {"profile": {"title": title}})
    rules = {"ATTRIBUTES": f"{SETTINGS['ATTRIBUTES']}, field:Home = title", "SCOPE_INCLUDE": "ada@*, grace@*"}

    done = await imported(sandbox, sqlite_url, rules, country_options=listed, option_form=form)
    again = await imported(sandbox, sqlite_url, rules, country_options=listed, option_form=form)

    ada, grace = (sandbox.docebo.accounts.by_email(f"{name}@example.com")[0] for name in ("ada", "grace"))
    assert (ada.fields.get(home.id, ""), grace.fields.get(home.id, "")) == (kept, "")
    assert done.count(outcome=Outcome.FAILED) == 0
    assert done.count(outcome=Outcome.APPLIED) == 2
    if listed:
        assert again.count(outcome=Outcome.APPLIED) == 0
        assert f"| field_{home.id} (Home) | Docebo's field cannot hold it | 1 | 1 |" in done.markdown()
