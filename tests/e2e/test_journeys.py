"""Each job as an administrator does it, in a real browser: from the status page, by clicking, to what Docebo shows then.

What is seen on the way is kept, wide and narrow, below dist/journeys.
"""

import asyncio
import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import TimeoutError, expect  # noqa: A004  (Playwright's name)

from deployments.local import ROOT
from deployments.prefect_ui import BUSY, PATIENCE, PrefectUI, prefect_ui
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.integration_settings import VARIABLE, rows_by_key
from slack_docebo.storage.events import Event
from slack_docebo.storage.store import Store
from tasks.status_page import KEY
from tests.e2e.prefect_http import artifacts_of, deployment, finished, pause, set_rows, start, start_nothing, state
from tests.smtp import Mailbox
from tests.waiting import until

pytestmark = pytest.mark.long
WIDTHS = (1280, 800)
PICTURES = ROOT / "dist" / "journeys"


class Seat:
    """An administrator before a browser."""

    def __init__(self, ui: PrefectUI, http, folder: Path) -> None:
        self.ui = ui
        self.http = http
        self.folder = folder
        self.clicks = 0  # since the status page
        self.run_id = ""  # of the last run

    async def open_status_page(self) -> None:
        """Open the bookmark; the page is as of the last run."""
        finished(self.http, start(self.http, "sweep/sweep"))
        [page] = self.http.post("artifacts/filter", json={"artifacts": {"key": {"any_": [KEY]}}}).json()
        await self.ui.open_page_of_artifact(page["id"])
        await self.ui.page.get_by_role("tabpanel", name="Artifact").get_by_role("table").first.wait_for()
        self.clicks = 0

    async def click(self, words: str) -> None:
        """Click the link with *words*, which leads to a form that is filled in."""
        await self.ui.page.get_by_role("link", name=words).first.click()
        await self.ui.page.get_by_role("heading", name="Parameters").wait_for()
        self.clicks += 1

    async def follow(self, words: str | re.Pattern[str]) -> None:
        """Click the link with *words*, which leads to another page."""
        before = self.ui.page.url
        await self.ui.page.get_by_role("link", name=words).first.click()
        await self.ui.page.wait_for_url(lambda url: url != before)
        await self.ui.page.get_by_role("tabpanel", name="Artifact").wait_for()
        self.clicks += 1

    async def switch(self, field: str) -> None:
        await self.ui.page.get_by_label(field).click()
        self.clicks += 1

    async def choose(self, field: str, value: str) -> None:
        """Open the list of *field*, and choose *value*."""
        await self.ui.choose(field, value)
        self.clicks += 2

    async def add_item(self, value: str) -> None:
        """Add *value* to the form's first list."""
        await self.ui.add_item(value)
        self.clicks += 1

    async def run(self, ends_as: str = "Completed") -> str:
        """Submit the form; return the run's message, with its page open."""
        await self.keep("form")
        await self.ui.start()
        self.clicks += 1
        assert self.clicks <= 6
        self.clicks = 0
        self.run_id = self.ui.page.url.split("/flow-run/")[1].split("?")[0]
        run = finished(self.http, self.run_id)
        assert run["state"]["name"] == ends_as, run["state"]
        await self.ui.page.reload()
        await self.ui.settle()
        return run["state"]["message"]

    async def read(self, key: str) -> None:
        """Open what the run has published under the shortest key that begins so."""
        found = [one for one in artifacts_of(self.http, self.run_id) if one["key"].startswith(key)]
        shortest = min(found, key=lambda one: len(one["key"]))
        await self.ui.open_page_of_artifact(shortest["id"])
        await self.keep(key)

    async def keep(self, name: str) -> None:
        """Keep what the window shows."""
        for width in WIDTHS:
            await self.ui.page.set_viewport_size({"width": width, "height": 800})
            await self.ui.page.screenshot(path=self.folder / f"{datetime.now(UTC):%H%M%S}-{name}-{width}.png")
        await self.ui.page.set_viewport_size({"width": WIDTHS[0], "height": 800})


@pytest.fixture
async def seat(deployed, at_work, company, prefect_api, request):
    expect.set_options(timeout=PATIENCE)
    set_rows(deployed)
    finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=False))  # everybody is in line
    async with prefect_ui(prefect_api.removesuffix("/api"), os.environ["PREFECT_API_AUTH_STRING"]) as ui:
        yield Seat(ui, deployed, emptied(PICTURES / request.node.originalname))
    company.docebo_gate.faults.clear()


def emptied(folder: Path) -> Path:
    """Make *folder*, without what an earlier session has left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def join(company, *names: str) -> list[str]:
    """Let people join Slack; return their ids."""
    return [company.slack.add(name, "Newcomer", f"{name.lower()}@journeys.example")["id"] for name in names]


def accounts(company) -> dict[str, bool]:
    """Whose accounts are there, by the first part of the address, and whether they are active."""
    theirs = (account for account in company.docebo.accounts if account.email.endswith("@journeys.example"))
    return {account.email.partition("@")[0]: account.active for account in theirs}


async def test_some_first_then_everybody_then_undone(seat, company):
    join(company, "Amy", "Ben", "Cleo")
    await seat.open_status_page()
    await seat.click("Import, or apply a saved plan")
    assert "3 to create" in await seat.run()
    await seat.open_status_page()
    await seat.follow(re.compile("^plan .* 3 to create"))
    await seat.click("Apply a part of it first")
    await seat.ui.fill("Only the first so many people", "1")
    assert (await seat.run()).startswith("1 of the 3 people")
    await seat.read("next")
    await seat.click("Apply this to those who are chosen")
    await seat.ui.fill("Number of people, to apply it", "1 of 3")
    await seat.run()
    after_one = accounts(company)
    await seat.open_status_page()
    await seat.click("apply the rest")
    await seat.run()
    after_all = accounts(company)
    await seat.open_status_page()
    await seat.follow(re.compile("^plan .* 2 created"))
    await seat.click("Show what undoing this would do")
    await seat.run()
    await seat.read("summary")
    await seat.click("Show what it would do if accounts that were created were deactivated")
    await seat.run()
    await seat.read("summary")
    await seat.click("Apply exactly this plan")
    await seat.run()

    assert len(after_one) == 1
    assert after_all == {"amy": True, "ben": True, "cleo": True}
    undone = accounts(company)
    assert [name for name, active in undone.items() if active] == list(after_one)


async def test_a_saved_plan_is_chosen_among_those_that_can_be_applied(seat, company):
    wes, _ = join(company, "Wes", "Xia")
    planned = finished(seat.http, start(seat.http, "bulk-import/import-everybody"))
    plan_id = re.search("plan ([0-9a-z]{8}) ", planned["state"]["message"])[1]
    await seat.open_status_page()
    await seat.click("Apply a saved plan, or a part of it")
    assert "can be applied, nothing was written" in await seat.run()
    await seat.read("next-plans")
    await seat.click(f"Show who is in plan {plan_id}")
    await seat.add_item(wes)
    assert (await seat.run()).startswith("1 of the 2 people")
    await seat.read("next")
    await seat.click("Apply this to those who are chosen")
    await seat.ui.fill("Number of people, to apply it", "1 of 2")
    await seat.run()

    assert ("wes" in accounts(company), "xia" in accounts(company)) == (True, False)


async def test_a_run_is_chosen_among_those_that_can_be_undone(seat, company):
    join(company, "Una")
    done = finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))
    plan_id = re.search("plan ([0-9a-z]{8}) ", done["state"]["message"])[1]
    await seat.open_status_page()
    await seat.click("Undo a run")
    assert "can be undone, nothing was written" in await seat.run()
    await seat.read("next-plans")
    await seat.click(f"Show what undoing plan {plan_id}")
    await seat.switch("Deactivate what was created")
    assert "1 to deactivate" in await seat.run()
    await seat.read("summary")
    await seat.click("Apply exactly this plan")
    await seat.run()

    assert accounts(company)["una"] is False


async def test_the_last_import_is_one_click_away(seat):
    await seat.open_status_page()
    await seat.ui.page.get_by_role("link", name=re.compile("^plan [0-9a-z]{8} ")).click()

    await seat.ui.page.get_by_role("heading", name=re.compile("^Import [0-9a-z]{8}: done")).wait_for()


async def test_runs_to_look_at_are_one_click_away_whatever_their_states_are_called(seat, company):
    join(company, "Kay")
    set_rows(seat.http, LIMIT_CREATIONS="0")
    assert finished(seat.http, start(seat.http, "bulk-import/reconcile"))["state_name"] == "Refused"
    await seat.open_status_page()
    await seat.ui.page.get_by_role("link", name="those to look at").click()
    refused = seat.ui.page.get_by_role("main").get_by_text("Refused", exact=True).first
    for _ in range(PATIENCE // BUSY):  # the dashboard's week ends some seconds ago, and does not move
        with suppress(TimeoutError):
            of_flow = seat.ui.page.get_by_role("button", expanded=False).filter(has_text="bulk-import")
            await of_flow.click(timeout=BUSY)
            await refused.wait_for(timeout=BUSY)
            break
        await seat.ui.page.reload()

    await expect(refused).to_be_visible()


async def test_whether_everything_is_in_place_is_shown_with_what_mends_it(seat, company, monkeypatch):
    await seat.open_status_page()
    await seat.click("Is everything in place?")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(company.slack, "scopes", frozenset({"users:read"}))
        told = await seat.run(ends_as="Failed")
    await seat.read("doctor")
    await seat.click("Look again")
    mended = await seat.run()

    assert "1 of 27 checks failed: Slack" in told
    assert mended.startswith("nothing is in the way of a run; ")


async def test_a_row_that_is_refused_each_night_is_acknowledged(seat, company):
    join(company, "Max")
    company.docebo_gate.faults.add(
        "POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=["max@journeys.example"], message="no room"
    )
    failed = finished(seat.http, start(seat.http, "bulk-import/reconcile"))
    assert failed["state_name"] == "PartlyFailed"
    await seat.open_status_page()
    await seat.click("Import, or apply a saved plan")
    await seat.ui.fill("Saved plan", re.search("plan ([0-9a-z]{8}) ", failed["state"]["message"])[1])
    assert "1 failed" in await seat.run()  # and is green: nothing is wrong with a look
    await seat.read("summary")
    await seat.click("Acknowledge this person")
    await seat.ui.fill("Why", "as ticket 4711 says")
    await seat.ui.fill("Your name", "Ada")
    assert (await seat.run()).startswith("1 person is acknowledged")

    night = finished(seat.http, start(seat.http, "bulk-import/reconcile"))
    assert (night["state_name"], "1 of them acknowledged" in night["state"]["message"]) == ("Completed", True)


async def test_whom_a_night_leaves_alone_is_a_click_on_the_reason(seat, company):
    bot = next(user["id"] for user in company.slack if user.get("is_bot"))
    finished(seat.http, start(seat.http, "bulk-import/reconcile"))
    await seat.open_status_page()
    await seat.ui.page.get_by_role("link", name=re.compile("^plan [0-9a-z]{8} ")).click()
    await seat.click("bot")
    assert re.match("plan [0-9a-z]{8}, left alone: [0-9]+ people", await seat.run())
    await seat.read("listed-")

    assert bot in await seat.ui.page.get_by_role("tabpanel").inner_text()


async def test_how_this_docebo_answers_is_set_by_hand_and_forgotten_again(seat):
    await seat.open_status_page()
    await seat.click("How this Docebo answers")
    await seat.choose("What to do", "set")
    await seat.choose("Question", "rows per call")
    await seat.ui.fill("Answer, to set", "50")
    assert (await seat.run()).startswith("nothing was changed")
    await seat.read("dialect-next")
    await seat.click("Set it")
    done = await seat.run()
    await seat.read("dialect-next")
    await seat.click("Forget rows per call, which was set by hand")
    await seat.switch("Check only")
    forgotten = await seat.run()

    assert "from 100, assumed, to 50, set by hand" in done
    assert "from 50, set by hand, to 100, assumed" in forgotten


async def test_rules_are_tried_before_they_are_put_into_the_settings(seat):
    await seat.open_status_page()
    await seat.click("The fields of both sides")
    assert "fields" in await seat.run()
    await seat.open_status_page()
    await seat.click("Try rules for attributes")
    await seat.ui.fill("Rules to try", "first_name, last_name = upper(last_name), email")
    assert (await seat.run()).startswith("tried on 20 people")
    await seat.read("tried-attributes-next")
    await seat.click("Put these rules into the settings")
    assert "1 setting (ATTRIBUTES) would change" in await seat.run()
    await seat.read("settings-next")
    await seat.click("Save these settings")
    await seat.ui.fill("Your name, to save", "Ada")
    await seat.run()

    rows = rows_by_key(seat.http.get(f"variables/name/{VARIABLE}").json()["value"])
    assert rows["ATTRIBUTES"] == "first_name, last_name = upper(last_name), email"


async def test_a_table_is_pasted_checked_and_imported(seat, company):
    (nia,) = join(company, "Nia")
    shown = {"email": "baroness@elsewhere.example", "firstname": "Nia", "lastname": "Newcomer"}
    account = company.docebo.accounts.add("baroness", **shown)
    await seat.open_status_page()
    await seat.click("Import or export mappings")
    await seat.choose("What to do", "import")
    await seat.ui.fill("Table, to import", f"slack_id,slack_name,slack_team,user_id\n{nia},nia,,{account.user_id}\n")
    assert (await seat.run()).startswith("1 mapping would be written, nothing was")
    await seat.read("mappings-next")
    await seat.click("Write them: type 1 as their number")
    await seat.ui.fill("Number of mappings, to write them", "1")
    assert await seat.run() == "1 mapping written"
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))

    assert company.docebo.accounts.get(account.user_id).email == "nia@journeys.example"


async def test_one_person_is_explained_and_decided_about(seat, company):
    (dora,) = join(company, "Dora")
    await seat.open_status_page()
    await seat.click("Explain a person, by id")
    await seat.ui.fill("Slack id or docebo:ID", dora)
    assert (await seat.run()).startswith(f"{dora}: create ")
    await seat.read("next")
    await seat.click("Decide about this person")
    await seat.choose("What to do", "never this person")
    await seat.ui.fill("Why", "an intern")
    await seat.ui.fill("Your name", "Ada")
    await seat.run()
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))
    while_decided = accounts(company)
    await seat.read("decisions-next")
    await seat.click(f"Take back what was decided about {dora}")
    await seat.run()
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))

    assert "dora" not in while_decided
    assert "dora" in accounts(company)


async def test_a_person_is_found_by_a_part_of_the_name(seat, company):
    (jil,) = join(company, "Jil")
    join(company, "Jon")
    set_rows(seat.http, PEOPLE_SHOWN="names")
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))
    await seat.open_status_page()
    await seat.click("Find a person by name or address")
    await seat.ui.fill("Part of the name or of the e-mail address", "newcomer ji")
    assert (await seat.run()).startswith(f"{jil}: leave alone (in line)")
    await seat.read("explained")

    shown = await seat.ui.page.get_by_role("tabpanel").inner_text()
    assert [part for part in ("Jil Newcomer", "jil@journeys.example", "in line") if part not in shown] == []
    assert "Jon" not in shown


async def test_a_person_is_linked_to_an_account_and_brought_in_line(seat, company):
    (kim,) = join(company, "Kim")
    account = company.docebo.accounts.add("countess", email="countess@journeys.example", firstname="Countess")
    await seat.open_status_page()
    await seat.click("Decide about people")
    await seat.choose("What to do", "link to an account")
    await seat.add_item(kim)
    await seat.ui.fill("Docebo user, to link", str(account.user_id))
    await seat.ui.fill("Why", "she said so")
    await seat.ui.fill("Your name", "Ada")
    await seat.run()
    await seat.read("decisions-next")
    await seat.click("Bring this person in line now")
    await seat.switch("Dry run")
    await seat.run()

    assert accounts(company)["kim"]
    assert company.docebo.accounts.get(account.user_id).firstname == "Kim"


async def test_just_one_person_is_brought_in_line_after_an_explanation(seat, company):
    (pia,) = join(company, "Pia")
    join(company, "Rob")
    await seat.open_status_page()
    await seat.click("Explain a person, by id")
    await seat.ui.fill("Slack id or docebo:ID", pia)
    await seat.run()
    await seat.read("next")
    await seat.click("Bring just this person in line")
    assert "1 to create" in await seat.run()
    await seat.read("summary")
    await seat.click("Apply exactly this plan")
    await seat.run()

    assert ("pia" in accounts(company), "rob" in accounts(company)) == (True, False)


async def test_a_single_person_is_synchronised_by_the_id(seat, company):
    (yan,) = join(company, "Yan")
    join(company, "Zoe")
    await seat.open_status_page()
    await seat.click("Synchronise single people")
    await seat.add_item(yan)
    await seat.run()

    assert ("yan" in accounts(company), "zoe" in accounts(company)) == (True, False)


async def test_all_that_is_kept_about_a_person_is_given_out(seat, company, environment):
    (lea,) = join(company, "Lea")
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))
    await seat.open_status_page()
    await seat.click("Give out or forget a person")
    await seat.ui.fill("Slack user", lea)
    await seat.choose("What to do", "give out")
    told = await seat.run()

    assert "lea@journeys.example" in given_out(environment, told)
    assert "lea@journeys.example" not in told


async def test_what_was_parked_is_looked_at_and_tried_anew(seat, company, environment):
    (eve,) = join(company, "Eve")
    company.docebo_gate.faults.add(
        "POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=["eve@journeys.example"], message="no room"
    )
    set_rows(seat.http, REALTIME_RETRY_DELAYS="0")
    comes(environment, company, eve)
    assert (
        finished(seat.http, start(seat.http, "realtime-sync/slack-events", linger_seconds=1))["state_name"] == "Parked"
    )
    company.docebo_gate.faults.clear()
    await seat.open_status_page()
    await expect(seat.ui.page.get_by_role("link", name="which, and why")).to_have_count(1)
    await seat.click("Replay or drop parked events")
    await seat.run()
    await seat.read("parked-events")
    assert "no room" in await seat.ui.page.get_by_role("tabpanel").inner_text()
    await seat.read("parked-events-next")
    await seat.click("Replay all that are parked")
    await seat.run()
    finished(seat.http, start(seat.http, "realtime-sync/slack-events", linger_seconds=0))

    assert accounts(company)["eve"]


async def test_what_was_parked_is_dropped_once_its_number_is_typed(seat, company, environment):
    (ola,) = join(company, "Ola")
    company.docebo_gate.faults.add(
        "POST /manage/v1/user/batch", "rows_refused", times=-1, usernames=["ola@journeys.example"], message="no room"
    )
    set_rows(seat.http, REALTIME_RETRY_DELAYS="0")
    comes(environment, company, ola)
    finished(seat.http, start(seat.http, "realtime-sync/slack-events", linger_seconds=1))
    await seat.open_status_page()
    await seat.click("1 event is parked: look at why, and replay it.")
    await seat.choose("What to do", "drop")
    await seat.ui.fill("Number of events, to drop them", "1")
    await seat.run()
    await seat.open_status_page()

    assert await seat.ui.page.get_by_role("link", name="is parked").count() == 0
    assert "ola" not in accounts(company)


async def test_events_over_a_limit_are_looked_at_and_let_through(seat, company, environment):
    newcomers = join(company, "Sam", "Tia")
    set_rows(seat.http, LIMIT_CREATIONS="0")
    for slack_id in newcomers:
        comes(environment, company, slack_id)
    held = finished(seat.http, start(seat.http, "realtime-sync/slack-events", linger_seconds=1))
    assert held["state_name"] == "Held"
    await seat.open_status_page()
    await seat.ui.page.get_by_role("link", name="the plan", exact=True).click()
    assert "to create" in await seat.run()
    await seat.open_status_page()
    await seat.click("2 events are held back by a limit, as incident")
    await seat.run()

    assert {"sam", "tia"} <= accounts(company).keys()


async def test_a_wrong_setting_is_named_and_nothing_is_saved(seat):
    before = seat.http.get(f"variables/name/{VARIABLE}").json()["value"]
    await seat.open_status_page()
    await seat.click("Change the settings")
    await seat.ui.fill("Most creations", "a few")
    told = await seat.run("Failed")

    assert told.startswith("Correct this, and start again: ")
    assert "LIMIT_CREATIONS" in told
    assert seat.http.get(f"variables/name/{VARIABLE}").json()["value"] == before


async def test_what_exceeds_a_limit_is_looked_at_and_let_through(seat, company):
    join(company, "Fay", "Gus")
    set_rows(seat.http, LIMIT_CREATIONS="1")
    assert finished(seat.http, start(seat.http, "bulk-import/reconcile"))["state_name"] == "Refused"
    await seat.open_status_page()
    await seat.ui.page.get_by_role("link", name="A limit has refused plan").click()
    await seat.run()
    await seat.read("summary")
    await seat.click("Apply exactly this plan although it exceeds a limit")
    await seat.run()

    assert {"fay", "gus"} <= accounts(company).keys()


async def test_mappings_are_deleted_and_brought_back(seat, company, environment):
    before = mapped(environment)
    await seat.open_status_page()
    await seat.click("Delete mappings")
    await seat.run()
    await seat.read("summary")
    await seat.click("Delete these mappings")
    await seat.ui.fill("Name of the workspace, to delete them", f"everybody of {company.slack.team.name}")
    await seat.run()
    deleted = mapped(environment)
    await seat.open_status_page()
    await seat.click("Restore mappings from a backup")
    await seat.run()
    await seat.read("next-backups")
    await seat.click("Show what restoring ")
    assert (await seat.run()).startswith(f"{before} mappings would be written")
    await seat.read("next")
    await seat.click("Restore these mappings")
    await seat.ui.fill("Number of mappings, to restore them", str(before))
    await seat.run()

    assert (deleted, mapped(environment)) == (0, before)


async def test_the_mapping_of_one_person_is_deleted_and_brought_back_from_the_summary(seat, company, environment):
    (vic,) = join(company, "Vic")
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))
    before = mapped(environment)
    await seat.open_status_page()
    await seat.click("Delete mappings")
    await seat.add_item(vic)
    await seat.run()
    await seat.read("summary")
    await seat.click("Delete these mappings")
    await seat.ui.fill("Name of the workspace, to delete them", company.slack.team.name)
    await seat.run()
    deleted = mapped(environment)
    await seat.read("summary")
    await seat.click("Show what restoring these mappings would do")
    assert (await seat.run()).startswith("1 mapping would be written")
    await seat.read("next")
    await seat.click("Restore these mappings")
    await seat.ui.fill("Number of mappings, to restore them", "1")
    await seat.run()

    assert (deleted, mapped(environment)) == (before - 1, before)


async def test_mappings_are_shown_in_docebo_and_brought_back_from_there(seat, company, environment):
    set_rows(seat.http, MIRROR_FIELDS="Slack ID, Slack Name, Journey", LIMIT_UPDATES="none")
    await seat.open_status_page()
    await seat.click("Import or export mappings")
    await seat.choose("What to do", "make the fields in Docebo")
    assert (await seat.run()).startswith("1 of 3 fields would be made in Docebo")
    await seat.read("mappings-next")
    await seat.click("Make the fields that are missing")
    assert await seat.run() == "1 of 3 fields were made in Docebo"
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))
    before = mapped(environment)
    with Store.open(environment["DATABASE_URL"]) as store, store.transaction() as tables:
        mappings = tables.mappings(environment["DOCEBO_URL"])
        lost = mappings.delete("T0SANDBOX", list(mappings.slack_ids("T0SANDBOX")))
    await seat.open_status_page()
    meanwhile = mapped(environment)  # by an event that has waited
    await seat.click("Import or export mappings")
    await seat.choose("What to do", "rebuild from the fields in Docebo")
    told = await seat.run()
    number = re.match("[0-9]+", told)[0]
    await seat.read("mappings-next")
    await seat.click(f"Write them: type {number} as their number")
    await seat.ui.fill("Number of mappings, to write them", number)
    await seat.run()

    assert lost == before > 0
    assert mapped(environment) == meanwhile + int(number) > meanwhile


async def test_where_no_other_docebo_is_meant_the_form_that_links_to_one_says_so(seat):
    await seat.open_status_page()
    await seat.click("Link to another address of Docebo")
    await seat.choose("The Docebo at the new address is", "same")

    assert "nothing is to be relinked: this database is linked to" in await seat.run("Failed")


async def test_runs_are_stopped_and_let_go_on(seat, company):
    join(company, "Hal")
    await seat.open_status_page()
    await seat.click("Stop: let no run write")
    await seat.ui.fill("Why, for those who meet the order", "an audit")
    await seat.run()
    stopped = finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))
    meanwhile = accounts(company)
    await seat.open_status_page()
    await expect(seat.ui.page.get_by_role("link", name="Nothing is written: stopped since")).to_have_count(1)
    await seat.click("Go: let runs write again")
    await seat.run()
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))

    assert (stopped["state_name"], "hal" in meanwhile) == ("Stopped", False)
    assert accounts(company)["hal"]


async def test_a_run_is_ended_by_the_menu_of_its_page(seat):
    run_id = start(seat.http, "realtime-sync/slack-events", linger_seconds=600)
    state(seat.http, run_id, "RUNNING")
    await seat.ui.open(f"/v2/runs/flow-run/{run_id}")
    await seat.ui.page.get_by_role("button", name="Open menu").first.click()
    await seat.ui.page.get_by_role("menuitem", name="Cancel", exact=True).click()
    await seat.ui.page.get_by_role("button", name="Cancel Flow Run").click()

    assert finished(seat.http, run_id)["state_name"] == "Cancelled"


async def test_the_nightly_import_is_paused_by_the_switch_of_its_deployment(seat, prefect_deploy):
    def is_on() -> bool:
        [nightly] = deployment(seat.http, "bulk-import/reconcile")["schedules"]
        return nightly["active"]

    pause(seat.http, "bulk-import/reconcile", paused=False)
    await seat.ui.page.get_by_role("link", name="Deployments", exact=True).first.click()
    await seat.ui.search("reconcile", "Search deployments")
    await seat.ui.open_deployment(seat.ui.page.get_by_role("link", name="reconcile", exact=True))
    switch = seat.ui.page.get_by_role("switch", name="toggle At")
    before = is_on()
    await switch.click()
    until(lambda: not is_on())
    await asyncio.to_thread(prefect_deploy, "--name", "reconcile")
    after_a_deploy = is_on()
    await switch.click()
    until(is_on)
    start_nothing(seat.http)

    assert (before, after_a_deploy) == (True, False)


async def test_a_setting_is_changed_by_what_was_checked(seat):
    await seat.open_status_page()
    await seat.click("Change the settings")
    await seat.choose("Guests", "all")
    await seat.run()
    await seat.read("settings-next")
    await seat.click("Save these settings: type your name")
    await seat.ui.fill("Your name, to save", "Ada")
    await seat.run()

    assert rows_by_key(seat.http.get(f"variables/name/{VARIABLE}").json()["value"])["SCOPE_GUESTS"] == "all"


async def test_a_test_message_and_what_is_kept_about_a_person_are_asked_for(seat, company, mails):
    (ida,) = join(company, "Ida")
    set_rows(seat.http, NOTIFICATION_MAIL_ID="journeys@example.com")
    await seat.open_status_page()
    await seat.click("Send a test message")
    await seat.run()
    await seat.open_status_page()
    await seat.click("Give out or forget a person")
    await seat.ui.fill("Slack user", ida)
    await seat.choose("What to do", "forget")
    await seat.ui.fill("The Slack id again, to forget", ida)
    await seat.run()
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))
    while_forgotten = accounts(company)
    await seat.open_status_page()
    await seat.click("Give out or forget a person")
    await seat.ui.fill("Slack user", ida)
    await seat.choose("What to do", "look after again")
    await seat.run()
    finished(seat.http, start(seat.http, "bulk-import/import-everybody", dry_run=False))

    assert "this is a test" in Mailbox(mails[0], "journeys@example.com").next_mail()["Subject"]
    assert "ida" not in while_forgotten
    assert "ida" in accounts(company)


def comes(environment: dict[str, str], company, slack_id: str) -> None:
    """Let Slack's event about somebody wait in the inbox."""
    user = source_user(company.slack.get(slack_id))
    event = Event(
        f"Ev{slack_id}",
        user.team,
        slack_id,
        updated=user.updated,
        kind="team_join",
        received_at=datetime.now(UTC),
        profile=asdict(user),
    )
    with Store.open(environment["DATABASE_URL"]) as store, store.transaction() as tables:
        tables.inbox.put([event])


def given_out(environment: dict[str, str], told: str) -> str:
    """What the file of one person holds that a run has *told* of."""
    [file] = [path for path in Path(environment["REPORT_DIR"]).glob("*-person.json") if str(path) in told]
    return file.read_text()


def mapped(environment: dict[str, str]) -> int:
    with Store.open(environment["DATABASE_URL"]) as store, store.reading() as tables:
        return tables.mappings(environment["DOCEBO_URL"]).count("T0SANDBOX")
