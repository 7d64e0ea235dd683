"""Plans, undo and explain as an administrator meets them: from the command line, while Prefect is down."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from slack_docebo.errors import TooManyRejected
from slack_docebo.integration_settings import VARIABLE, table
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.plans import Plan, PlanKind, PlanState
from slack_docebo.storage.store import Store
from tests.importing import ON, run_import, settings_for
from tests.integration.commands import environment, run, run_at_terminal, run_process_at_terminal
from tests.integration.prefect_variables import prefect_with

CREATED = "create"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=60, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def env(sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox.facts(), sqlite_url, tmp_path)


@pytest.fixture
def settings(sandbox: Sandbox, sqlite_url: str):
    return settings_for(sandbox.facts(), sqlite_url)


def target(sandbox: Sandbox) -> dict:
    return {a.user_id: (a.username, a.email, a.firstname, a.lastname, a.active) for a in sandbox.docebo.accounts}


async def test_a_run_over_a_limit_is_refused_and_exactly_its_plan_can_be_let_through(sandbox, settings, env):
    await run_import(settings, rows={"LIMIT_CREATIONS": "0"}, dry_run=True)
    first = json.loads(run(env, "plan", "make", "--json").stdout)
    before = target(sandbox)

    applied = run(env, "plan", "apply", first["plan"], "--yes", "--json")

    assert "create" in first["over_limit"][0]
    assert (applied.returncode, json.loads(applied.stdout)["state"]) == (0, "applied")
    assert len(target(sandbox)) > len(before)
    assert run(env, "plan", "apply", first["plan"], "--yes").returncode == 2  # not twice


def test_a_reset_that_was_only_looked_at_is_listed_as_planned(env, sqlite_url):
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        made_at = datetime(2026, 3, 4, tzinfo=UTC)
        tables.plans.create(
            Plan("1reset00", PlanKind.RESET_MAPPINGS, made_at, docebo=env["DOCEBO_URL"], slack_team="T1")
        )
        tables.plans.set_state("1reset00", PlanState.ABANDONED)

    listed = run(env, "plan", "list").stdout
    [for_programs] = json.loads(run(env, "plan", "list", "--json").stdout)

    assert all(words in listed for words in ("Reset of mappings", "planned"))
    assert for_programs["state"] == "abandoned"


async def test_a_plan_of_which_nobody_is_done_is_listed_as_its_summary_says(settings, env):
    planned = await run_import(settings, dry_run=True)
    with Store.of(settings) as store, store.transaction() as tables:
        tables.plans.set_state(planned.plan.id, PlanState.PARTLY_APPLIED)  # as a run leaves it that is stopped at once

    said = "ended early, nobody is done yet"
    assert said in run(env, "plan", "show", planned.plan.id).stdout
    listed = run(env, "plan", "list").stdout
    assert (said in listed, "applied in part" in listed) == (True, False)


@pytest.mark.long
async def test_an_undo_over_a_limit_exits_3_and_writes_nothing(sandbox, settings, env):
    done = await run_import(settings)
    before = target(sandbox)

    refused = run(env, "undo", done.plan.id, "--deactivate-created", "--apply")

    assert (refused.returncode, "nothing was written" in refused.stderr) == (3, True)
    assert target(sandbox) == before


@pytest.mark.long
async def test_a_plan_is_applied_once_somebody_at_the_terminal_has_seen_it_and_said_yes(sandbox, settings, env):
    planned = await run_import(settings, dry_run=True)
    before = target(sandbox)

    applied = run_process_at_terminal(env, "plan", "apply", planned.plan.id, typed="Y\n")

    assert (applied.returncode, planned.line in applied.stderr) == (0, True), applied.stderr
    assert len(target(sandbox)) > len(before)


@pytest.mark.parametrize("typed", ["\n", "n\n", "yesterday\n", "\x04"], ids=["Enter", "n", "another word", "Ctrl-D"])
@pytest.mark.variants(1)
async def test_any_other_answer_at_the_terminal_changes_nothing_and_exits_3(sandbox, settings, env, typed):
    planned = await run_import(settings, dry_run=True)
    before = target(sandbox)

    refused = run_at_terminal(env, "plan", "apply", planned.plan.id, typed=typed)

    assert (refused.returncode, "was not confirmed" in refused.stderr) == (3, True), refused.stderr
    assert target(sandbox) == before
    assert json.loads(run(env, "plan", "show", planned.plan.id, "--json").stdout)["state"] == "planned"


@pytest.mark.long
async def test_where_nobody_can_be_asked_a_plan_wants_yes_in_so_many_words(sandbox, settings, env):
    planned = await run_import(settings, dry_run=True)
    before = target(sandbox)

    refused = run(env, "plan", "apply", planned.plan.id)

    assert (refused.returncode, "add --yes" in refused.stderr) == (2, True)
    assert target(sandbox) == before


async def test_where_the_first_of_many_are_shown_that_is_said_and_nothing_else(settings, env):
    planned = await run_import(settings, dry_run=True)

    shown = run(env, "plan", "show", planned.plan.id, "--limit", "1", "--json")
    whole = run(env, "plan", "show", planned.plan.id, "--limit", "1000", "--json")

    assert len(json.loads(shown.stdout)["operations"]) == 1
    assert (shown.returncode, shown.stderr) == (0, "These are the first 1: --limit shows more.\n")
    assert (whole.returncode, whole.stderr) == (0, "")


@pytest.mark.long
async def test_undo_restores_attributes_and_status_and_deactivates_what_was_created_when_asked(sandbox, settings, env):
    before = target(sandbox)
    done = await run_import(settings)

    shown = run(env, "undo", done.plan.id, "--deactivate-created")
    plan_id = shown.stderr.split()[-1]
    undone = run(env, "plan", "apply", plan_id, "--yes")
    after = target(sandbox)

    assert (shown.returncode, undone.returncode) == (0, 0), undone.stderr
    assert {i: account for i, account in after.items() if i in before} == before
    assert not any(account[-1] for i, account in after.items() if i not in before)


@pytest.mark.long
async def test_undo_leaves_created_accounts_and_skips_what_was_changed_since(sandbox, settings, env):
    await run_import(settings)
    account = next(a for a in sandbox.docebo.accounts if a.provisioned_by)
    slack_id = sandbox.slack.by_email(account.email)["id"]
    sandbox.slack.change(slack_id, {"profile": {"last_name": "Newname", "first_name": "New"}})
    done = await run_import(settings)
    sandbox.docebo.edit(account.user_id, {"lastname": "Byhand"})
    before = target(sandbox)

    undone = run(env, "undo", done.plan.id, "--apply")

    assert undone.returncode == 5, undone.stderr
    assert target(sandbox) == before
    assert run(env, "undo", "nosuchrun").returncode == 2


@pytest.mark.long
async def test_rows_that_docebo_refuses_are_a_partial_failure_and_not_a_success(sandbox, settings, env):
    planned = await run_import(settings, dry_run=True)
    refused = [user["profile"]["email"] for user in sandbox.slack if user["profile"].get("email")][:20]
    sandbox.docebo_gate.faults.add(
        "POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=refused, message="No."
    )

    assert run(env, "plan", "apply", planned.plan.id, "--yes").returncode == 5
    failed = json.loads(run(env, "plan", "show", planned.plan.id, "--outcome", "failed", "--json").stdout)
    assert {row["operation"] for row in failed["operations"]} == {CREATED}


@pytest.mark.long
async def test_who_is_refused_each_time_is_acknowledged_from_the_shell(sandbox, settings, env):
    ada = sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    sandbox.docebo_gate.faults.add(
        "POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=["ada@example.com"], message="No."
    )
    first = await run_import(settings)

    words = "--why", "ticket 4711", "--by", "Bob", "--json"
    kept = json.loads(run(env, "decide", "leave-so", ada, *words).stdout)
    again = json.loads(run(env, "plan", "make", "--json").stdout)["plan"]
    applied = run(env, "plan", "apply", again, "--yes", "--json")
    listed = json.loads(run(env, "decide", "list", "--json").stdout)
    back = run(env, "decide", "take-back", ada)

    assert (first.failed, first.is_done) == (1, False)
    assert kept["told"].startswith("1 person is acknowledged")
    assert (applied.returncode, json.loads(applied.stdout)["acknowledged"]) == (0, {"failed": 1})
    assert [(one["Slack user"], one["decided"], one["by"]) for one in listed["decisions"]] == [
        (ada, "leave it so", "Bob")
    ]
    assert (back.returncode, "Nothing was decided about anybody." in back.stdout) == (0, True)
    assert run(env, "decide", "leave-so", "--why", "x", "--by", "y").returncode == 2


@pytest.mark.long
async def test_a_run_whose_rows_are_refused_one_after_the_other_is_stopped(sqlite_url):
    with Sandbox(users=400, docebo_users=0, rate_limits=False) as sandbox:
        everybody = [user["profile"].get("email", "") for user in sandbox.slack]
        sandbox.docebo_gate.faults.add(
            "POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=everybody, message="No."
        )
        with pytest.raises(TooManyRejected, match="103 of 103"):
            await run_import(settings_for(sandbox.facts(), sqlite_url))

        # Three rows alone, each once more and with a password; then a batch.
        assert sandbox.docebo_gate.counters.calls["POST /manage/v1/user/batch"] == 10


async def test_two_plans_are_compared_person_by_person(sandbox, settings, env):
    one = (await run_import(settings, dry_run=True)).plan.id
    same = run(env, "plan", "diff", one, one)
    user = sandbox.slack.add("Grace", "Hopper", "grace@example.com")
    other = (await run_import(settings, dry_run=True)).plan.id

    rows = json.loads(run(env, "plan", "diff", one, other, "--json").stdout)

    assert "the same about everybody" in same.stdout
    assert [(row["Slack user"], row[one], row[other]) for row in rows] == [(user["id"], "not in the plan", CREATED)]


@pytest.mark.parametrize("ask", ["by e-mail", "as a mail has it", "by Slack id", "by account"])
@pytest.mark.variants(1)
async def test_explain_says_the_same_however_the_person_is_named(sandbox, settings, env, ask):
    await run_import(settings)
    account = next(a for a in sandbox.docebo.accounts if a.provisioned_by)
    slack_id = sandbox.slack.by_email(account.email)["id"]
    sandbox.slack.change(slack_id, {"profile": {"last_name": "Newname"}})
    before, counters = target(sandbox), sandbox.docebo_gate.counters
    counters.reset()
    who = {
        "by e-mail": account.email,
        "as a mail has it": f"Somebody <{account.email}>",
        "by Slack id": slack_id,
        "by account": f"docebo:{account.user_id}",
    }[ask]

    found = json.loads(run(env, "explain", who, "--json").stdout)

    assert (found["slack_id"], found["account"]["docebo_id"], found["matched_by"]) == (
        slack_id,
        account.user_id,
        "mapping",
    )
    assert (found["operation"]["kind"], found["operation"]["changes"]) == ("update", {"last_name": "Newname"})
    assert [row["operation"] for row in found["history"]] == [CREATED]
    assert target(sandbox) == before
    assert counters.calls.total() <= 5


@pytest.mark.long
async def test_explain_finds_a_deactivated_person_by_the_address_of_the_account(sandbox, settings, env):
    await run_import(settings)
    account = next(a for a in sandbox.docebo.accounts if a.provisioned_by)
    sandbox.slack.deactivate(sandbox.slack.by_email(account.email)["id"])

    shown = run(env, "explain", account.email).stdout

    assert "deactivated in Slack" in shown


@pytest.mark.long
async def test_rules_are_tried_on_one_person_with_what_each_reads_and_gives(sandbox, settings, env):
    await run_import(settings)
    account = next(a for a in sandbox.docebo.accounts if a.provisioned_by)
    person = sandbox.slack.by_email(account.email)
    sandbox.slack.change(person["id"], {"profile": {"fields": {"Xf0DEPARTMT": {"value": "Sales", "alt": ""}}}})
    before = target(sandbox)
    rules = 'last_name = upper(last_name), first_name = custom:Department == "Sales" ? handle : phone'

    shown = run(env, "attributes", "try", account.email, "--rules", rules)
    (tried,) = json.loads(run(env, "attributes", "try", account.email, "--rules", rules, "--json").stdout)

    last_name, first_name = tried["attributes"]
    assert "custom:Department: 'Sales'" in shown.stdout
    assert 'first_name = custom:Department == "Sales" ? handle : phone' in shown.stdout
    assert (last_name["inputs"], last_name["source"], last_name["target"]) == (
        {"last_name": account.lastname},
        account.lastname.upper(),
        account.lastname,
    )
    assert (first_name["source"], first_name["inputs"]["custom:Department"]) == (person["name"], "Sales")
    assert target(sandbox) == before


async def test_a_command_looks_values_up_in_prefects_variables_and_in_files(sandbox, settings, env, tmp_path):
    held = {
        VARIABLE: table({**ON, "ATTRIBUTES": "email, first_name = table(zones, time_zone)"}),
        "table_zones": {"Europe/Rome": "Roma", "*": "elsewhere"},
    }

    (tmp_path / "offices.csv").write_text("zone,office\n*,nowhere\n", encoding="utf-8")
    with prefect_with(**held) as address:
        here = {**env, "PREFECT_API_URL": address, "TABLES_DIR": str(tmp_path)}
        saved = json.loads(run(here, "attributes", "try", "--json").stdout)
        other = run(here, "attributes", "try", "--rules", "first_name = table(offices, time_zone)", "--json").stdout
        missing = run(here, "attributes", "try", "--rules", "first_name = table(floors, time_zone)")

    assert {one["attributes"][1]["source"] for one in saved} == {"Roma", "elsewhere"}
    assert {row["source"] for one in json.loads(other) for row in one["attributes"]} == {"nowhere"}
    assert (missing.returncode, "there is no table floors" in missing.stderr) == (2, True)


@pytest.mark.long
async def test_rules_are_tried_on_a_sample_that_is_read_in_full(sandbox, settings, env):
    await run_import(settings)
    calls = sandbox.slack_gate.counters
    calls.reset()

    tried = json.loads(run(env, "attributes", "try", "--rules", "last_name = custom:Department", "--json").stdout)

    assert len({one["slack_id"] for one in tried}) == 20
    assert {row["note"] for one in tried for row in one["attributes"]} == {"empty in Slack: left as it is"}
    assert calls.calls["users.profile.get"] == 20


async def test_fields_of_both_sides_are_listed_with_options_and_rules_even_where_a_rule_fits_none(
    sandbox, settings, env
):
    await run_import(settings, dry_run=True)
    field = sandbox.docebo.add_field("Cost centre", "dropdown", mandatory=False, invisible_to_user=False)
    field.options.update({1: "North", 2: "South"})
    rules = 'first_name, last_name, email, field:"COST centre" = title(custom:department), field:Nowhere = title'
    with Store.of(settings) as store, store.transaction() as tables:
        (plan,) = tables.plans.recent(1)
        wrong = replace(
            plan, id="k8tfq19f", created_at=datetime.now(UTC), settings={**plan.settings, "ATTRIBUTES": rules}
        )
        tables.plans.create(wrong)

    shown = {one["name"]: one for one in json.loads(run(env, "fields", "--json").stdout)}

    filled = 'field:"COST centre" = title(custom:department)'
    assert shown['field:"Cost centre"'] == {
        "side": "Docebo",
        "name": 'field:"Cost centre"',
        "id": f"field_{field.id}",
        "type": "dropdown",
        "mandatory": False,
        "options": ["North", "South"],
        "rules": [filled],
    }
    assert (shown["custom:Department"]["id"], shown["custom:Department"]["rules"]) == ("Xf0DEPARTMT", [filled])
    assert (shown["custom:Office"]["type"], shown["custom:Office"]["options"]) == ("options_list", ["London", "Rome"])
    assert [shown[f"custom:{label}"]["type"] for label in ("Manager", "Website")] == ["user", "link"]
    assert (shown["title"]["side"], shown["title"]["rules"]) == ("Slack", ["field:Nowhere = title"])
    assert (shown["first_name"]["rules"], shown["time_zone"]["rules"]) == (["first_name"], [])
    assert (shown["branch"]["options"], shown["manager"]["options"]) == (["SLACK", "Sandbox"], ["Direct manager"])
    assert shown["scim:department"]["side"] == "Slack"


@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize("command", [["explain"], ["attributes", "try"]])
@pytest.mark.variants(1)
async def test_a_script_is_told_whether_anybody_was_found(sandbox, settings, env, command, more):
    await run_import(settings)
    somebody = next(user["id"] for user in sandbox.slack if not user["deleted"] and user["id"] != "USLACKBOT")

    assert run(env, *command, somebody, *more).returncode == 0
    assert run(env, *command, "U0NOBODY00", *more).returncode == 1
    assert run(env, *command, "nobody@example.com", *more).returncode == 1


def test_wrong_usage_and_missing_settings_exit_2(env):
    assert run(env, "attributes", "try", "U1", "--rules", "last_name = lower(x)").returncode == 2
    assert run(env, "explain", "nonsense").returncode == 2
    assert run(env, "nonsense").returncode == 2
    assert run({**env, "DOCEBO_URL": ""}, "plan", "make").returncode == 2


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["plan", "show", ""], "no plan is named: give its id, as `plan list` shows it"),
        (["plan", "diff", "8e1enxp0", " "], "no plan is named: give its id, as `plan list` shows it"),
        (["plan", "apply", ""], "no plan is named: give its id, as `plan list` shows it"),
        (["events", "show", ""], "no event is named: give its id, as `events list` shows it"),
        (["events", "replay", "Ev1", ""], "no event is named: give its id, as `events list` shows it"),
        (["events", "let-through", ""], "no incident is named: give its id, as `events list --parked` shows it"),
        (["mappings", "import", ""], "no file is named: give its path"),
        (["mappings", "export", ""], "no file is named: give its path"),
        (["settings", "export", ""], "no file is named: give its path"),
    ],
)
def test_of_a_blank_argument_a_command_says_in_one_line_what_is_missing_and_how_to_find_it(env, command, told):
    ended = run(env, *command)

    assert (ended.returncode, ended.stderr.count("\n"), told in ended.stderr) == (2, 1, True)


@pytest.mark.long
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        pytest.param({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "check SLACK_BOT_TOKEN", id="token"),
        pytest.param(
            {"DOCEBO_CLIENT_SECRET": "wrong"}, "check DOCEBO_CLIENT_ID and DOCEBO_CLIENT_SECRET", id="client secret"
        ),
        pytest.param({"SLACK_TEAM_ID": "T0OTHER"}, "linked to T0OTHER", id="workspace"),
        pytest.param({"DATABASE_URL": "sqlite:////proc/no/store.db"}, "/proc/no/store.db", id="database"),
    ],
)
async def test_what_has_to_be_corrected_first_is_one_line_and_exits_2(settings, env, variables, told):
    await run_import(settings, dry_run=True)

    ended = run({**env, **variables}, "plan", "make")

    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_what_was_decided_is_listed_while_an_import_is_at_work_and_nothing_is_decided(settings, env):
    await run_import(settings, dry_run=True)
    with (
        Store.of(settings) as store,
        RunLock(store, settings.docebo_url, PlanKind.BULK_IMPORT, holder="reconcile"),
    ):
        assert run(env, "decide", "list", "--json").returncode == 0
        assert run(env, "decide", "never", "U1", "--why", "x", "--by", "y").returncode == 4
