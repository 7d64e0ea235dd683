"""The flows for single jobs on a real Prefect server: what they do is shown before."""

import asyncio
import json
import os
import re

import pytest
from prefect.client.schemas import FlowRun
from prefect.states import Failed
from prefect.variables import Variable

from deployments.local import connection_settings
from deployments.settings_variable import ensure_settings
from sandbox.server import Sandbox
from slack_docebo.integration_settings import VARIABLE, rows_by_key, table
from slack_docebo.storage.store import Store
from tasks.hooks import notify_operators
from tasks.status_page import KEY
from tests.e2e.prefect_http import artifacts_of, asked_for_by, deployment, prefect_http, start_nothing, submit_form
from tests.importing import ON, mapped, run_import, settings_for
from tests.smtp import Mailbox


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(users=8, docebo_users=0, rate_limits=False) as running:
        yield running


@pytest.fixture
async def imported(sandbox, prefect_api, empty_database, tmp_path, monkeypatch) -> str:
    """The id of the plan that has created everybody's account."""
    sandbox.reset()
    monkeypatch.chdir(tmp_path)
    for name, value in connection_settings(sandbox.facts(), tmp_path).items():
        monkeypatch.setenv(name, value)
    await ensure_settings(table(ON))
    done = await run_import(settings_for(sandbox.facts(), empty_database))
    return done.plan.id


def published(state, key: str) -> str:
    """What the run that ended in *state* has published under *key*."""
    with prefect_http() as http:
        return next(
            one["data"] for one in artifacts_of(http, str(state.state_details.flow_run_id)) if one["key"] == key
        )


def of_run(http, state) -> list[dict]:
    """The artifacts of the run that ended in *state*."""
    return artifacts_of(http, str(state.state_details.flow_run_id))


def active(sandbox: Sandbox) -> int:
    return sum(account.active for account in sandbox.docebo.accounts)


@pytest.mark.long
async def test_undoing_is_shown_and_then_done(imported, sandbox):
    from flows.undo import undo

    before = active(sandbox)
    listed = await undo(return_state=True)
    shown = await undo(of=imported, deactivate_created=True, return_state=True)
    unchanged = active(sandbox)
    done = await undo(of=imported, deactivate_created=True, dry_run=False, return_state=True)

    assert listed.message.startswith("1 plan can be undone")
    assert [row["plan"] for row in json.loads(published(listed, "plans"))] == [imported]
    assert (shown.name, unchanged) == ("Completed", before)
    assert "to deactivate" in shown.message
    assert (done.name, active(sandbox) < before) == ("Completed", True)
    assert "deactivated" in done.message


async def test_settings_are_checked_with_what_they_do_to_people_and_then_saved(imported, sandbox, deployed):
    from flows.settings import settings
    from slack_docebo.settings_form import SettingsForm, filled, revision

    rows = await Variable.aget(VARIABLE)
    values = filled(rows)
    values["leaving"]["leavers"] = "deactivate"
    values["scope"]["scope_email_domains"] = "@Nowhere.example"
    values["accounts"]["attributes"] = "first_name, email"
    form = {"values": SettingsForm.model_validate(values), "revision": revision(rows)}
    everybody = active(sandbox)

    checked = await settings(**form, return_state=True)
    unnamed = await settings(**form, check_only=False, return_state=True)
    unchanged = await Variable.aget(VARIABLE)
    saved = await settings(**form, check_only=False, changed_by="Ada", return_state=True)
    late = await settings(**form, check_only=False, changed_by="Bob", return_state=True)

    assert (checked.name, unnamed.name, unchanged) == ("Completed", "Refused", rows)
    assert "3 settings (SCOPE_EMAIL_DOMAINS, ATTRIBUTES, LEAVERS)" in checked.message
    assert "; accounts keep the last_name that they have, for no rule fills that any more" in checked.message
    assert re.search(
        r"; \d people would be looked after, \d fewer than in the last import or dry run with the settings of now; plan ",
        checked.message,
    )
    to_save = asked_for_by(deployed, published(checked, "settings-next"), "Save these settings: type your name")
    assert (to_save["values"], to_save["check_only"], to_save["revision"]) == (values, False, revision(rows))
    assert "left alone" in checked.message
    assert saved.name == "Completed"
    to_import = asked_for_by(
        deployed, published(saved, "settings-next"), "See what an import would do now, and to whom"
    )
    assert to_import["dry_run"]
    now = rows_by_key(await Variable.aget(VARIABLE))
    assert (now["SCOPE_EMAIL_DOMAINS"], now["LEAVERS"]) == ("nowhere.example", "deactivate")
    assert (late.is_failed(), "are others by now" in late.message) == (True, True)
    assert active(sandbox) == everybody
    with Store.open(os.environ["DATABASE_URL"]) as store, store.reading() as tables:
        recorded = tables.setting_changes.recent(10)
    assert [(one.by, *one.change) for one in recorded] == [
        ("Ada", "ATTRIBUTES", "first_name, last_name, email", "first_name, email"),
        ("Ada", "LEAVERS", "keep", "deactivate"),
        ("Ada", "SCOPE_EMAIL_DOMAINS", "", "nowhere.example"),
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("leavers", "next_", "not_yet"),
    [
        ("deactivate", "Save these settings: type your name", "Apply exactly this plan"),
        ("keep", "Apply exactly this plan", "Save these settings: type your name"),  # nothing is different
    ],
)
async def test_a_plan_that_rests_on_unsaved_settings_leads_to_saving_them_first(
    imported, sandbox, deployed, leavers, next_, not_yet
):
    from flows.settings import settings
    from slack_docebo.settings_form import SettingsForm, filled, revision

    sandbox.slack.add("Ada", "New", "ada@example.com")
    rows = await Variable.aget(VARIABLE)
    values = filled(rows)
    values["leaving"]["leavers"] = leavers
    form = {"values": SettingsForm.model_validate(values), "revision": revision(rows)}

    checked = await settings(**form, return_state=True)
    with prefect_http() as http:
        [page] = [one["data"] for one in of_run(http, checked) if one["key"].startswith("summary-")]

    assert "1 to create" in checked.message
    assert asked_for_by(deployed, page, next_)
    assert not_yet not in page


async def test_the_form_of_the_settings_is_filled_with_those_of_now(imported, deployed):
    from prefect.client.orchestration import get_client

    from slack_docebo.settings_form import filled, revision
    from tasks.settings_in_prefect import FORM, follow_settings

    rows = [*await Variable.aget(VARIABLE), *table({"SCOPE_GUESTS": "all", "LEAVERS": "nobody knows"})]
    await Variable.aset(VARIABLE, rows, overwrite=True)
    async with get_client() as client:
        await follow_settings(client)

    shown = deployment(deployed, FORM)["parameters"]
    assert shown == {"values": filled(rows), "revision": revision(rows)}
    assert (shown["values"]["scope"]["scope_guests"], shown["values"]["leaving"]["leavers"]) == ("all", "keep")


@pytest.mark.long
async def test_the_reconciliation_begins_when_the_settings_say_also_after_a_deploy(imported, deployed, prefect_deploy):
    from prefect.client.orchestration import get_client

    from tasks.settings_in_prefect import RECONCILIATION, follow_settings

    def schedule():
        (one,) = deployment(deployed, RECONCILIATION)["schedules"]
        return one["schedule"]["cron"], one["schedule"]["timezone"], one["active"]

    async def follow(**rows: str):
        await ensure_settings(table({**ON, **rows}))
        async with get_client() as client:
            await follow_settings(client)
        return schedule()

    unset = await follow()
    changed = await follow(RECONCILE_AT="4:05", TIME_ZONE="Europe/Rome")
    await asyncio.to_thread(prefect_deploy, "--name", "reconcile")
    after_deploy = await follow(RECONCILE_AT="4:05", TIME_ZONE="Europe/Rome")
    await asyncio.to_thread(prefect_deploy, "--name", "reconcile")
    start_nothing(deployed)

    assert unset == schedule() == ("30 2 * * *", "Etc/UTC", True)
    assert changed == after_deploy == ("5 4 * * *", "Europe/Rome", True)


@pytest.mark.long
async def test_what_is_decided_about_a_person_is_kept_and_shown_by_name_where_that_is_wanted(
    imported, sandbox, tmp_path
):
    from flows.decide import decide
    from slack_docebo.engine.mappings.deciding import DecisionAction

    who = sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    names = {**ON, "PEOPLE_SHOWN": "names"}
    await ensure_settings(table(names))
    await run_import(settings_for(sandbox.facts(), f"sqlite:///{tmp_path}/slack-docebo.db"), dry_run=True, rows=names)
    words = {"why": "an intern", "decided_by": "Bob"}
    kept = await decide(DecisionAction.NEVER, slack_ids=[who], **words, return_state=True)
    shown = await decide(return_state=True)

    assert (kept.name, kept.message) == (
        "Completed",
        f"{who} will never be touched by a run, from its next batch on; 1 decision is kept",
    )
    [row] = json.loads(published(shown, "decisions"))
    assert (row["Slack user"], row["name"], row["e-mail address"], row["why"]) == (
        who,
        "Ada New",
        "ada@example.com",
        "an intern",
    )


@pytest.mark.long
async def test_who_is_refused_is_acknowledged_by_the_form_that_the_summary_links_to(imported, sandbox, deployed):
    from flows.bulk_import import bulk_import
    from flows.decide import decide

    who = sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    refused = {"usernames": ["ada@example.com"], "message": "no room"}
    sandbox.docebo_gate.faults.add("POST /manage/v1/user/batch", "rows_refused", times=-1, **refused)
    night = await bulk_import(dry_run=False, return_state=True)
    with prefect_http() as http:
        [page] = [one["data"] for one in of_run(http, night) if one["key"].startswith("summary-")]
    form = asked_for_by(deployed, page, "Acknowledge this person")
    kept = await decide(**{**form, "why": "ticket 4711", "decided_by": "Bob"}, return_state=True)
    next_night = await bulk_import(dry_run=False, return_state=True)
    with prefect_http() as http:
        found = {one["key"].rpartition("-")[0]: one["data"] for one in of_run(http, next_night)}

    assert (night.name, kept.name, next_night.name) == ("PartlyFailed", "Completed", "Completed")
    assert (form["action"], form["slack_ids"]) == ("leave it so", [who])
    assert ("ticket 4711" in found["acknowledged"], who in found["acknowledged"]) == (True, True)
    assert ("## Acknowledged" in found["summary"], "to-look-at" in found) == (True, False)


@pytest.mark.long
async def test_who_was_linked_by_hand_is_brought_in_line_by_the_next_form(imported, sandbox, deployed):
    from flows.decide import decide
    from slack_docebo.engine.mappings.deciding import DecisionAction

    who = sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    account = sandbox.docebo.accounts.add("countess", email="countess@example.com")
    words = {"why": "she said so", "decided_by": "Bob"}
    linked = await decide(DecisionAction.LINK, slack_ids=[who], docebo_id=account.user_id, **words, return_state=True)

    assert linked.is_completed(), linked.message
    next_ = asked_for_by(
        deployed, published(linked, "decisions-next"), "Bring this person in line now: see first what that does"
    )
    assert (next_["slack_ids"], next_["dry_run"]) == ([who], True)


@pytest.mark.long
async def test_rules_that_were_tried_go_to_the_settings_by_the_next_form(imported, deployed):
    from flows.fields import fields
    from flows.try_attributes import try_attributes
    from slack_docebo.settings_form import filled, revision

    rows = await Variable.aget(VARIABLE)
    listed = await fields(return_state=True)
    tried = await try_attributes(rules="first_name, last_name = upper(last_name), email", return_state=True)

    to_try = asked_for_by(deployed, published(listed, "fields-next"), "Try rules on twenty people")
    assert to_try == {"rules": "first_name, last_name, email", "who": ""}
    page = published(tried, "tried-attributes-next")
    to_check = asked_for_by(deployed, page, "Put these rules into the settings: see first what that changes")
    values = filled(rows)
    values["accounts"]["attributes"] = "first_name, last_name = upper(last_name), email"
    assert (to_check["values"], to_check["check_only"], to_check["revision"]) == (values, True, revision(rows))


@pytest.mark.long
async def test_an_answer_that_this_docebo_gives_is_looked_at_set_by_hand_and_forgotten_by_the_next_form(
    imported, deployed
):
    from flows.dialect import dialect
    from slack_docebo.engine.reading.dialect_changes import DialectAction

    asked = {"action": DialectAction.SET, "question": "rows per call"}

    def answer(state) -> dict[str, str]:
        return next(row for row in json.loads(published(state, "dialect")) if row["question"] == "rows per call")

    checked = await dialect(**asked, answer="50", return_state=True)
    page = published(checked, "dialect-next")
    wanted = asked_for_by(deployed, page, "Set it")
    done = await dialect(**{**wanted, "action": DialectAction(wanted["action"])}, return_state=True)
    back = asked_for_by(deployed, published(done, "dialect-next"), "Forget rows per call, which was set by hand")
    forgotten = await dialect(
        action=DialectAction.FORGET, question="rows per call", check_only=False, return_state=True
    )

    assert checked.message.startswith(
        "nothing was changed; with Check only off, rows per call: from 100, assumed, to 50, set by"
    )
    assert (answer(checked)["answer"], answer(checked)["source"]) == ("100", "assumed")
    assert answer(checked)["what it means"] == "the most people who are written in one call"
    assert wanted == {**asked, "answer": "50", "check_only": False}
    assert (done.name, answer(done)["answer"], answer(done)["source"]) == ("Completed", "50", "set by hand")
    assert (back["action"], back["check_only"]) == ("forget", True)
    assert answer(forgotten)["source"] == "assumed"
    assert submit_form(deployed, "dialect/how-this-docebo-answers", question="rows").status_code == 409


@pytest.mark.long
async def test_a_reset_that_was_looked_at_says_what_to_type(imported, sandbox, deployed):
    from flows.reset_mappings import reset_mappings

    shown = await reset_mappings(return_state=True)

    words = f"Delete these mappings: to confirm, type everybody of {sandbox.slack.team.name}"
    page = published(shown, f"summary-{shown.message.split()[1]}")
    assert asked_for_by(deployed, page, words)["dry_run"] is False


async def test_a_part_of_a_plan_is_shown_and_then_applied(imported, sandbox, deployed, tmp_path):
    from flows.apply_plan import apply_plan

    for name in ("Ada", "Bob", "Cyd"):
        sandbox.slack.add(name, "New", f"{name.lower()}@example.com")
    planned = await run_import(settings_for(sandbox.facts(), f"sqlite:///{tmp_path}/slack-docebo.db"), dry_run=True)
    before = len(sandbox.docebo.accounts)
    part = {"plan_id": planned.plan.id, "first": 2}

    shown = await apply_plan(**part, return_state=True)
    refused = await apply_plan(**part, dry_run=False, return_state=True)
    unchanged = len(sandbox.docebo.accounts)
    done = await apply_plan(**part, dry_run=False, confirm="2 of 3", return_state=True)

    assert (shown.name, refused.name, unchanged) == ("Completed", "Refused", before)
    assert shown.message.startswith("2 of the 3 people")
    page = published(shown, f"next-{planned.plan.id}")
    words = "Apply this to those who are chosen: type 2 of 3 as the number of people"
    wanted = {**part, "operations": [], "slack_ids": [], "page": 1, "dry_run": False, "confirm": ""}
    assert asked_for_by(deployed, page, words) == wanted
    assert (done.name, len(sandbox.docebo.accounts)) == ("Completed", before + 2)


@pytest.mark.long
async def test_a_person_is_found_by_name_and_explained(imported, sandbox, deployed, tmp_path):
    from flows.find_person import find_person

    ada, eve = (sandbox.slack.add(name, "Lovelace", f"{name}@example.com")["id"] for name in ("Ada", "Eve"))
    await ensure_settings(table({**ON, "PEOPLE_SHOWN": "names"}))
    settings = settings_for(sandbox.facts(), f"sqlite:///{tmp_path}/slack-docebo.db")
    await run_import(settings, rows={**ON, "PEOPLE_SHOWN": "names"})
    one = await find_person(who="ada LOVE", return_state=True)
    two = await find_person(who="lovelace", return_state=True)

    assert (one.name, one.message.startswith(f"{ada}: ")) == ("Completed", True)
    assert "Ada Lovelace" in published(one, f"explained-{ada.lower()}")
    assert two.message == "2 people were found"
    of_eve = f"Explain Eve Lovelace, `Eve@example.com` ({eve})"  # there may be two of one name
    assert asked_for_by(deployed, published(two, "found-people-next"), of_eve) == {"who": eve}


@pytest.mark.long
@pytest.mark.parametrize("shown", ["ids", "names"])
async def test_values_that_have_no_place_are_a_table_only_where_people_are_shown_by_names(imported, sandbox, shown):
    from flows.bulk_import import bulk_import

    for slack_id in mapped(os.environ["DATABASE_URL"], sandbox.slack.team.id):
        sandbox.slack.change(slack_id, {"profile": {"title": "Jester"}})
    sandbox.slack.add("Ada", "New", "ada@example.com", {"profile": {"title": "Jester"}})
    rules = "first_name, last_name, email, expiration_date = title, branch = title"
    await ensure_settings(table({**ON, "PEOPLE_SHOWN": shown, "ATTRIBUTES": rules}))

    planned = await bulk_import(return_state=True)

    with prefect_http() as http:
        pages = {one["key"]: one["data"] for one in artifacts_of(http, str(planned.state_details.flow_run_id))}
    values = [json.loads(data) for key, data in pages.items() if key.startswith("values-")]
    assert planned.is_completed()
    assert "cannot hold it" in "".join(data for key, data in pages.items() if key.startswith("summary-"))
    named = shown == "names"
    assert [row["value"] for rows in values for row in rows if row["attribute"] != "branch"] == ["Jester"] * named
    branches = [json.loads(data) for key, data in pages.items() if key.startswith("branches-")]
    assert [(row["branch_name"], row["people"]) for rows in branches for row in rows] == [("Jester", "1")] * named


async def test_parked_events_are_shown_and_not_dropped_without_being_chosen(imported):
    from flows.parked_events import parked_events
    from slack_docebo.engine.realtime.parked import ParkedAction

    shown = await parked_events(return_state=True)
    refused = await parked_events(action=ParkedAction.DROP, return_state=True)

    assert (shown.name, shown.message) == ("Completed", "nothing was changed; parked: 0 events")
    assert published(shown, "parked-events") == "[]"
    assert (refused.is_failed(), "choose the parked events in one way" in refused.message) == (True, True)


@pytest.mark.long
async def test_where_no_plan_can_be_applied_nobody_is_sent_to_choose_one(imported):
    from flows.apply_plan import apply_plan

    assert (await apply_plan(return_state=True)).message == "no plan can be applied, nothing was written"


async def test_the_backups_that_can_be_chosen_are_shown(imported):
    from flows.restore_mappings import restore_mappings

    shown = await restore_mappings(return_state=True)

    assert (shown.name, shown.message) == ("Completed", "0 backups are there, nothing was written")


@pytest.mark.long
async def test_a_test_message_arrives(imported, mails, monkeypatch):
    from flows.send_test_message import send_test_message

    nobody = await send_test_message(return_state=True)
    server, port = mails
    for name, value in {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "STARTTLS": "false",
        "FROM": "sync@example.com",
    }.items():
        monkeypatch.setenv(f"SMTP_{name}", value)
    await ensure_settings(table({**ON, "NOTIFICATION_MAIL_ID": "tested@example.com"}))
    sent = await send_test_message(return_state=True)

    assert (nobody.is_failed(), "nobody would be told" in nobody.message) == (True, True)
    assert sent.is_completed()
    assert "this is a test" in Mailbox(server, "tested@example.com").next_mail()["Subject"]


async def test_a_person_is_not_forgotten_without_the_id_typed_twice(imported, sandbox, tmp_path):
    from flows.personal_data import personal_data
    from slack_docebo.engine.mappings.personal_data import PersonalDataRequest

    who = min(mapped(f"sqlite:///{tmp_path}/slack-docebo.db", sandbox.slack.team.id))
    refused = await personal_data(who, request=PersonalDataRequest.FORGET, return_state=True)
    shown = await personal_data(who, return_state=True)
    done = await personal_data(who, request=PersonalDataRequest.FORGET, confirm=who, return_state=True)

    assert (refused.name, shown.name, done.name) == ("Refused", "Completed", "Completed")
    assert f"{who} is not forgotten" in shown.message
    assert who not in mapped(f"sqlite:///{tmp_path}/slack-docebo.db", sandbox.slack.team.id)


@pytest.mark.long
async def test_everybody_who_is_left_alone_is_listed_by_the_form_that_a_reason_leads_to(imported, sandbox, deployed):
    from flows.bulk_import import bulk_import
    from flows.plan_people import plan_people

    account = sandbox.docebo.accounts.add("countess", email="countess@example.com").user_id
    night = await bulk_import(return_state=True)
    with prefect_http() as http:
        found = {one["key"].rpartition("-")[0]: one["data"] for one in of_run(http, night)}
    page = found["summary"]
    assert str(account) in {row["Docebo user"] for row in json.loads(found["orphans"])}
    in_line = await plan_people(**asked_for_by(deployed, page, "in line"), return_state=True)
    others = await plan_people(return_state=True)

    assert (in_line.name, others.name) == ("Completed", "Completed"), (in_line.message, others.message)
    told = re.fullmatch(r"plan ([0-9a-z]{8}), left alone: ([0-9]+) people", in_line.message)
    assert told
    assert f"| {told[2]} |" in page
    table_ = json.loads(published(in_line, f"listed-{told[1]}"))
    assert ({row["why"] for row in table_}, len(table_)) == ({"in line"}, int(told[2]))
    next_ = asked_for_by(deployed, published(others, "people-next"), f"in line: {told[2]} people")
    assert (next_["reason"], next_["plan_id"]) == ("in line", told[1])


@pytest.mark.long
async def test_a_table_that_is_pasted_is_imported_by_the_next_form_and_prefect_keeps_nothing_of_it(
    imported, sandbox, deployed
):
    from flows.mappings import mappings
    from slack_docebo.engine.mappings.carrying import MappingAction

    ada = sandbox.slack.add("Ada", "New", "ada@example.com")["id"]
    account = sandbox.docebo.accounts.add("countess", email="countess@example.com").user_id
    table_ = f"slack_id,slack_name,slack_team,user_id\n{ada},zephyrine,,{account}\n"
    checked = await mappings(MappingAction.IMPORT, table=table_, return_state=True)
    form = asked_for_by(deployed, published(checked, "mappings-next"), "Write them: type 1 as their number")
    unconfirmed = await mappings(**form, return_state=True)
    done = await mappings(**{**form, "confirm": 1}, return_state=True)
    with prefect_http() as http:
        run = http.get(f"flow_runs/{checked.state_details.flow_run_id}").raise_for_status().json()

    assert (checked.name, unconfirmed.name, done.name) == ("Completed", "Refused", "Completed"), checked.message
    assert (run["parameters"]["table"], "zephyrine" in json.dumps(run)) == ("", False)
    assert done.message == "1 mapping written"
    assert mapped(os.environ["DATABASE_URL"], sandbox.slack.team.id)[ada] == account


@pytest.mark.long
async def test_mappings_are_exported_to_a_file_and_a_table_of_ids(imported, sandbox):
    from flows.mappings import mappings

    done = await mappings(return_state=True)

    there = mapped(os.environ["DATABASE_URL"], sandbox.slack.team.id)
    assert done.message.startswith(f"{len(there)} mappings written to "), done.message
    shown = json.loads(published(done, "mappings"))
    assert {row["Slack user"]: row["Docebo user"] for row in shown} == there


def status_page(http) -> str:
    """The status page as it is now."""
    [page] = http.post("artifacts/filter", json={"artifacts": {"key": {"any_": [KEY]}}}).json()
    return page["data"]


async def test_the_status_page_knows_of_a_stop_at_once_and_of_its_end(imported, deployed):
    from flows.stop import go, stop

    await stop(reason="an audit", return_state=True)
    stopped = status_page(deployed)
    await go(return_state=True)

    assert "| Writing to Docebo | stopped since" in stopped
    assert "[Nothing is written: stopped since" in stopped
    assert "| Writing to Docebo | allowed |" in status_page(deployed)


@pytest.mark.long
async def test_the_status_page_leads_to_the_form_of_what_was_just_saved(imported, deployed):
    from flows.settings import settings
    from slack_docebo.settings_form import SettingsForm, filled, revision

    rows = await Variable.aget(VARIABLE)
    values = filled(rows)
    values["scope"]["scope_guests"] = "all"
    form = {"values": SettingsForm.model_validate(values), "revision": revision(rows)}
    await settings(**form, check_only=False, changed_by="Ada", return_state=True)

    page = status_page(deployed)
    assert asked_for_by(deployed, page, "Change the settings")["revision"] == revision(await Variable.aget(VARIABLE))
    assert "Ada: SCOPE_GUESTS from none to all" in page


@pytest.mark.long
async def test_settings_that_are_only_checked_are_not_what_the_status_page_goes_by(imported, deployed):
    from flows.settings import settings
    from slack_docebo.settings_form import SettingsForm, filled, revision

    rows = await Variable.aget(VARIABLE)
    values = filled(rows)
    values["days"]["freeze"] = "2000-01-01 to 2999-12-31"
    checked = await settings(values=SettingsForm.model_validate(values), revision=revision(rows), return_state=True)

    assert "1 setting (FREEZE) would change" in checked.message
    assert "| Writing to Docebo | allowed |" in status_page(deployed)


@pytest.mark.long
async def test_settings_are_checked_all_the_same_where_the_status_page_cannot_be_written(
    imported, deployed, monkeypatch
):
    from flows.settings import settings
    from slack_docebo.settings_form import SettingsForm, filled, revision

    async def out_of_reach():
        raise ConnectionError

    rows = await Variable.aget(VARIABLE)
    monkeypatch.setattr("tasks.run.integration_settings", out_of_reach)
    values = SettingsForm.model_validate(filled(rows))
    checked = await settings(values=values, revision=revision(rows), return_state=True)

    assert checked.is_completed()
    assert "nothing was saved" in checked.message


@pytest.mark.long
@pytest.mark.parametrize("wrong", ["row", "secret", "no table"])
async def test_while_no_run_can_begin_the_status_page_says_so_and_leads_to_why(imported, deployed, monkeypatch, wrong):
    from flows.sweep import sweep
    from slack_docebo.settings_form import revision

    await sweep(return_state=True)
    rows = await Variable.aget(VARIABLE)
    wrong_rows = [*rows, *table({"SCOPE_INCLUDE": "'ada@example.com"})] if wrong == "row" else rows
    with monkeypatch.context() as patch:
        await Variable.aset(VARIABLE, wrong_rows, overwrite=True)
        if wrong == "no table":
            await Variable.aunset(VARIABLE)
        if wrong == "secret":
            patch.setenv("DOCEBO_CLIENT_SECRET", "")
        failed = await sweep(return_state=True)
    page = status_page(deployed)
    await Variable.aset(VARIABLE, rows, overwrite=True)
    await sweep(return_state=True)

    assert failed.is_failed()
    assert asked_for_by(deployed, page, "No run can begin: see why, and what to do.") == {}
    assert asked_for_by(deployed, page, "Change the settings")["revision"] == revision(
        None if wrong == "no table" else wrong_rows
    )
    assert "ada@example.com" not in page.partition("## Forms")[0]
    assert "No run can begin" not in status_page(deployed)


@pytest.mark.long
async def test_a_night_that_failed_is_something_to_do_at_once_until_everybody_was_imported(imported, deployed):
    from flows.bulk_import import bulk_import

    reconcile = deployment(deployed, "bulk-import/reconcile")["id"]
    failed = {"type": "FAILED", "name": "Failed", "message": "Start again later: users.list: | 90 of 100 people"}
    run = deployed.post(f"deployments/{reconcile}/create_flow_run", json={"state": failed}).raise_for_status().json()
    await notify_operators(bulk_import, FlowRun(**run), Failed(message=failed["message"]))
    after_the_night = status_page(deployed)
    await bulk_import(dry_run=False, return_state=True)
    deployed.delete(f"flow_runs/{run['id']}").raise_for_status()

    told = r"The last reconciliation failed. Start again later: users.list: \| 90 of 100 people"
    assert f"- [{told}](/v2/runs/flow-run/{run['id']})" in after_the_night
    assert "The last reconciliation failed" not in status_page(deployed)
