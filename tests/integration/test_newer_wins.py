"""Older never overwrites newer, whatever stamps, clocks and imports do."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest

from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved, plan_import
from slack_docebo.engine.planning.named import plan_named, read_named
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.reading.accounts import read_target
from slack_docebo.engine.reading.outages import IN_A_ROW
from slack_docebo.engine.realtime import case_reader
from slack_docebo.engine.realtime.upkeep import tidy
from slack_docebo.engine.writing.applying import apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import IncompleteRead
from slack_docebo.runtime import Runtime, open_runtime
from slack_docebo.storage.events import EventState
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.reads import ProvenRead
from slack_docebo.storage.schema import applied, identity
from tests.between import Call, between, in_json
from tests.importing import ON, paged, run_import, settings_for
from tests.integration.realtime_world import World, replaced, world

USERS = 20

CENTURY = 100 * 365 * 24 * 3600


@pytest.fixture
async def here(here: World) -> World:
    await here.settle()
    return here


def member(here: World) -> str:
    return here.members()[0]


def rename(here: World, slack_id: str, name: str) -> None:
    here.sandbox.slack.change(slack_id, {"profile": {"last_name": name}})


@pytest.mark.parametrize("ahead", [700, CENTURY])
@pytest.mark.variants(1)
async def test_a_stamp_of_the_future_silences_nobody_and_lets_nothing_older_through(here, ahead):
    slack_id = member(here)
    older = here.event(slack_id, profile={"last_name": "Older"})
    older = replaced(older, updated=int(time.time()) - 60)
    rename(here, slack_id, "One")
    here.put(replaced(here.event(slack_id), updated=int(time.time()) + ahead))
    await here.serve()
    assert here.account(slack_id).lastname == "One"

    here.put(older)
    await here.serve()
    assert here.account(slack_id).lastname == "One"

    rename(here, slack_id, "Two")
    here.put(here.event(slack_id))
    await here.serve()
    assert here.account(slack_id).lastname == "Two"


@pytest.mark.long
async def test_a_stamp_ahead_by_as_much_as_clocks_differ_silences_nobody(here):
    slack_id = member(here)
    rename(here, slack_id, "One")
    here.put(replaced(here.event(slack_id), updated=int(time.time()) + 300))
    await here.serve()
    rename(here, slack_id, "Two")
    here.put(here.event(slack_id))

    await here.serve()

    assert here.account(slack_id).lastname == "Two"


@pytest.mark.long
async def test_a_stamp_of_the_future_that_is_on_record_silences_nobody(here):
    slack_id = member(here)
    ahead = int(time.time()) + CENTURY
    with here.runtime.store.transaction() as tables:
        tables.connection.execute(applied.update().values(slack_updated=ahead))
    rename(here, slack_id, "Two")
    here.put(here.event(slack_id))

    await here.serve()

    assert here.account(slack_id).lastname == "Two"
    tidy(here.runtime)
    now = here.runtime.now()
    with here.runtime.store.reading() as tables:
        known = tables.applied(here.runtime.settings.docebo_url)
        assert known.stamps(here.workspace.team, [slack_id], now=now + timedelta(days=365 * 200))[slack_id] < ahead


@pytest.mark.long
async def test_an_event_without_a_stamp_is_read_from_slack(here):
    slack_id = member(here)
    rename(here, slack_id, "Now")
    here.put(replaced(here.event(slack_id, profile={"last_name": "Then"}), updated=0))

    await here.serve()

    assert here.account(slack_id).lastname == "Now"


@pytest.mark.parametrize("ahead", [0, 3600], ids=["a clock like ours", "the webhook's clock is an hour ahead"])
@pytest.mark.variants(1)
async def test_an_event_that_comes_long_after_its_time_does_not_overwrite_what_an_import_read(here, ahead):
    slack_id = member(here)
    rename(here, slack_id, "Now")
    now = here.runtime.now()
    with here.runtime.store.transaction() as tables:
        read = ProvenRead(f"slack:{here.workspace.team}", 20, 1, now - timedelta(minutes=30))
        tables.reads.record(read)
    late = here.event(slack_id, profile={"last_name": "Then"})
    stamp = int((now - timedelta(hours=1)).timestamp()) + ahead
    here.put(replaced(late, updated=stamp, received_at=now + timedelta(seconds=ahead)))

    await here.serve()

    assert here.account(slack_id).lastname == "Now"


@pytest.mark.long
async def test_an_event_that_comes_long_after_its_time_does_not_overwrite_who_was_named(here):
    slack_id = member(here)
    late = here.event(slack_id, profile={"last_name": "Then"})
    late = replaced(late, updated=late.updated + 1)
    rename(here, slack_id, "Now")
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="named") as named:
        await carried_out(named, await plan_named(named, here.workspace, await read_named(named, [slack_id], [])))
    here.put(late)

    await here.serve()

    assert here.account(slack_id).lastname == "Now"


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.variants(1)
async def test_an_event_that_has_waited_for_an_hour_is_not_believed_before_slack_was_asked(here, is_there):
    # As in a database that was restored from a backup, which knows nothing of what was applied since.
    new = here.sandbox.slack.add("Ada", "Then", "ada@example.com")["id"]
    then = here.runtime.now() - timedelta(minutes=70)
    here.put(here.event(new, kind="team_join", updated=int(then.timestamp()), received_at=then))
    rename(here, new, "Now")
    if not is_there:
        here.sandbox.slack.deactivate(new)

    await here.serve()

    accounts = here.sandbox.docebo.accounts.by_email("ada@example.com")
    assert [account.lastname for account in accounts] == ["Now"] * is_there


@pytest.mark.long
async def test_a_join_that_comes_after_who_was_named_had_left_already_makes_no_account(here):
    new = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    late = here.event(new, kind="team_join")
    here.sandbox.slack.deactivate(new)
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="named") as named:
        plan_id = await plan_named(named, here.workspace, await read_named(named, [new], []))
        await carried_out(named, plan_id)
        finish(named, plan_id)
    here.put(late)

    await here.serve()

    assert here.sandbox.docebo.accounts.by_email("ada@example.com") == []


@pytest.mark.parametrize(
    "becomes", ["waits for another attempt", "is parked", "is dropped", "is parked, of that second"]
)
@pytest.mark.variants(2)
async def test_who_has_left_and_is_back_is_not_deactivated_by_the_older_event_while_the_newer_one(here, becomes):
    slack_id = member(here)
    here.sandbox.slack.deactivate(slack_id)
    left = here.event(slack_id)
    here.sandbox.slack.reactivate(slack_id)
    rename(here, slack_id, "Back")
    back = here.event(slack_id, updated=left.updated + (5 if becomes != "is parked, of that second" else 0))
    here.put(left, back)
    now = here.runtime.now()
    with here.runtime.store.transaction() as tables:
        tables.inbox.park([left.event_id], "over a limit", now, run="")
        if becomes == "waits for another attempt":
            tables.inbox.retry_later([back.event_id], "no room", now + timedelta(hours=1), run="")
        else:
            tables.inbox.park([back.event_id], "no room", now, run="")
        if becomes == "is dropped":
            tables.inbox.drop([back.event_id], now)
    here.replay(left)

    served = await here.serve()

    assert (here.account(slack_id).active, here.account(slack_id).lastname) == (True, "Back")
    assert served.operations == {Kind.UPDATE: 1}


async def planned(here: World, runtime: Runtime, slack_id: str) -> str:
    """The plan of an import that has read *slack_id* as Slack has that person now."""
    seen = await runtime.slack.user(slack_id)
    assert isinstance(seen, Present)
    accounts = await read_target(runtime)
    return await make_plan(runtime, here.workspace, paged([seen.value]), accounts, kind=PlanKind.BULK_IMPORT)


async def carried_out(runtime: Runtime, plan_id: str) -> None:
    """Apply the plan and die before the run's end."""
    begin(runtime, plan_id)
    await apply_accounts(runtime, plan_id, lambda _: None)
    await apply_mappings(runtime, plan_id)


async def test_what_was_read_before_somebody_left_does_not_make_the_account_one_that_others_have_deactivated(here):
    slack_id = member(here)
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="import") as runtime:
        seen, accounts = await runtime.slack.user(slack_id), await read_target(runtime)
        here.sandbox.slack.deactivate(slack_id)
        here.put(here.event(slack_id))
        await here.serve()
        plan_id = await make_plan(runtime, here.workspace, paged([seen.value]), accounts, kind=PlanKind.BULK_IMPORT)
        await carried_out(runtime, plan_id)
    await here.settle()
    here.sandbox.slack.reactivate(slack_id)
    here.put(here.event(slack_id))
    await here.settle()

    assert here.account(slack_id).active


@pytest.mark.long
async def test_who_is_back_by_an_event_since_the_plan_was_made_does_not_leave_by_it(here):
    slack_id = member(here)
    here.sandbox.slack.deactivate(slack_id)
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="import") as runtime:
        plan_id = await planned(here, runtime, slack_id)
        here.sandbox.slack.reactivate(slack_id)
        here.put(here.event(slack_id))
        await here.serve()

        await carried_out(runtime, plan_id)

    assert here.account(slack_id).active


@pytest.mark.long
async def test_who_has_left_by_an_event_since_the_plan_was_made_gets_no_account_by_it(here):
    new = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="import") as runtime:
        plan_id = await planned(here, runtime, new)
        here.sandbox.slack.deactivate(new)
        here.put(here.event(new))
        await here.serve()

        await carried_out(runtime, plan_id)

    assert here.sandbox.docebo.accounts.by_email("ada@example.com") == []


@pytest.mark.parametrize("minutes", [-5, 0, 5], ids=lambda minutes: f"real time's clock is {minutes} minutes ahead")
@pytest.mark.variants(1)
async def test_what_a_killed_import_read_before_an_event_is_looked_at_again(here, monkeypatch, minutes):
    slack_id = member(here)
    before = here.account(slack_id).lastname
    rename(here, slack_id, "Meanwhile")
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="import") as importing:
        plan_id = await planned(here, importing, slack_id)
        rename(here, slack_id, before)
        event = here.event(slack_id)
        here.put(event)
        now = here.runtime.now
        monkeypatch.setattr(here.runtime, "now", lambda: now() + timedelta(minutes=minutes))
        await here.serve()
        assert here.state(event) is EventState.APPLIED

        await carried_out(importing, plan_id)  # and is killed

    assert here.account(slack_id).lastname == "Meanwhile"
    await here.serve()
    assert here.account(slack_id).lastname == before


@pytest.mark.parametrize("is_told_once_more", [True, False])
@pytest.mark.variants(1)
async def test_an_event_is_looked_at_again_though_one_that_was_applied_long_before_has_said_the_same(
    here, monkeypatch, is_told_once_more
):
    slack_id = member(here)
    before = here.account(slack_id).lastname
    here.put(here.event(slack_id))
    await here.serve()
    rename(here, slack_id, "Meanwhile")
    later = here.runtime.now() + timedelta(minutes=30)
    monkeypatch.setattr(here.runtime, "now", lambda: later)
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="import") as importing:
        importing.now, importing.begun = here.runtime.now, later  # type: ignore[method-assign]
        plan_id = await planned(here, importing, slack_id)
        for name in ("Otherwise", before):
            rename(here, slack_id, name)
            here.put(here.event(slack_id))
            await here.serve()
        await carried_out(importing, plan_id)
    if is_told_once_more:
        here.put(here.event(slack_id))

    await here.serve()

    assert here.account(slack_id).lastname == before


@pytest.mark.long
async def test_what_was_read_before_an_event_by_the_dry_run_of_a_saved_plan_is_looked_at_again(here):
    slack_id = member(here)
    before = here.account(slack_id).lastname
    rename(here, slack_id, "Meanwhile")
    plan_id = await planned(here, here.runtime, slack_id)
    rename(here, slack_id, before)
    here.put(here.event(slack_id))
    await here.serve()
    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="later") as later:
        monday = later.now() + timedelta(hours=3)
        later.now = lambda: monday  # type: ignore[method-assign]
        later.begun = monday
        await carried_out(later, plan_id)

    await here.serve()

    assert here.account(slack_id).lastname == before


@pytest.mark.long
async def test_an_event_under_another_id_of_the_person_is_looked_at_again(here):
    slack_id = member(here)
    rename(here, slack_id, "Meanwhile")
    plan_id = await planned(here, here.runtime, slack_id)
    event = replaced(here.event(slack_id, bare=True), slack_id="U0LOCAL")
    here.put(event)
    with here.runtime.store.transaction() as tables:
        person = tables.people.of(here.workspace.team, [slack_id])[slack_id]
        local = {"slack_team": here.workspace.team, "slack_id": "U0LOCAL", "person_id": person}
        tables.connection.execute(identity.insert().values(local))
        tables.inbox.finish([event.event_id], EventState.APPLIED, here.runtime.now(), run="")

    await carried_out(here.runtime, plan_id)

    assert here.state(event) is EventState.WAITING


@pytest.mark.long
async def test_an_event_in_work_while_an_import_writes_is_looked_at_again(here, monkeypatch):
    slack_id = member(here)
    before = here.account(slack_id).lastname
    rename(here, slack_id, "Meanwhile")
    plan_id = await planned(here, here.runtime, slack_id)
    rename(here, slack_id, before)
    rename_again = {"profile": {"title": "changes what the event shows, and nothing that is written"}}
    here.sandbox.slack.change(slack_id, rename_again)
    event = here.event(slack_id, bare=True)
    here.put(event)
    observe, written = case_reader.observe_person, []

    async def observe_person(runtime, who, **how):
        seen = await observe(runtime, who, **how)
        if not written:
            written.append(who)
            async with open_runtime(runtime.settings, runtime.behaviour, run_id="import") as importing:
                await carried_out(importing, plan_id)
        return seen

    monkeypatch.setattr(case_reader, "observe_person", observe_person)
    await here.serve()

    assert here.account(slack_id).lastname == before
    assert here.state(event) is EventState.APPLIED


@pytest.mark.parametrize("mapping", ["true", "false"])
@pytest.mark.variants(1)
async def test_who_joins_while_an_import_is_at_work_is_not_reported_as_failed(
    shared_sandbox, sqlite_url, tmp_path, monkeypatch, mapping
):
    shared_sandbox.reset()
    rows = {"REALTIME_RETRY_DELAYS": "", "MAP_SLACK_USER_DATA": mapping}
    async with world(shared_sandbox, sqlite_url, tmp_path, **rows) as here:
        ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
        event = here.event(ada["id"], kind="team_join")
        here.put(event)
        look_up, made = case_reader.look_up, []

        async def looked_up(runtime, *rest):
            accounts = await look_up(runtime, *rest)
            if not made:
                made.append(event)
                async with open_runtime(runtime.settings, runtime.behaviour, run_id="import") as importing:
                    await carried_out(importing, await planned(here, importing, ada["id"]))
            return accounts

        monkeypatch.setattr(case_reader, "look_up", looked_up)
        served = await here.serve()

        assert (here.state(event), served.parked) == (EventState.APPLIED, 0)
        assert len(here.sandbox.docebo.accounts.by_email("ada@example.com")) == 1


@pytest.mark.parametrize("told", [False, True], ids=["nobody has told", "events were applied meanwhile"])
@pytest.mark.variants(1)
async def test_a_saved_plan_writes_no_name_that_slack_shows_no_more_though_docebo_has_the_former_one(here, told):
    slack_id, other = here.members()[:2]
    former = here.account(slack_id).lastname
    rename(here, slack_id, "Older")
    rename(here, other, "Changed")
    plan_id = await plan_import(here.runtime)
    for name in ("Newer", former):
        rename(here, slack_id, name)
        if told:
            here.put(here.event(slack_id))
            await here.serve()

    async with open_runtime(here.runtime.settings, here.runtime.behaviour, run_id="applies") as later:
        await apply_saved(later, plan_id, lambda _: None)

    assert (here.account(slack_id).lastname, here.account(other).lastname) == (former, "Changed")
    with here.runtime.store.reading() as tables:
        [entry] = tables.operations.of_people(plan_id, [slack_id])
    assert (entry.outcome, entry.error) == (
        Outcome.SKIPPED,
        "Slack gives the person another last_name by now: plan again",
    )


@contextmanager
def behind(here: World, slack_id: str, *methods: str) -> Iterator[str]:
    """Let these methods of Slack show the person for ever as now, and yield the address at which they do."""
    shown = here.sandbox.slack.get(slack_id)

    def changed(call, answer):
        if not any(method in call.path for method in methods):
            return None
        if "members" in answer:
            return {**answer, "members": [shown if one["id"] == slack_id else one for one in answer["members"]]}
        return {**answer, "user": shown} if answer["user"]["id"] == slack_id else None

    with between(here.sandbox.slack_url, changed=changed) as url:
        yield f"{url}/"


def without(slack_id: str, call: Call, shown: Any) -> Any:
    """Return what Slack's list shows, without this person."""
    if "users.list" not in call.path:
        return None
    return {**shown, "members": [one for one in shown["members"] if one["id"] != slack_id]}


@pytest.mark.long
async def test_an_event_is_not_done_with_while_slack_still_shows_what_was_before_it(here, tmp_path):
    slack_id = member(here)
    database_url = here.runtime.settings.database_url.get_secret_value()
    with behind(here, slack_id, "users.info") as url:
        rename(here, slack_id, "Newer")
        event = here.event(slack_id, profile={"email": ""})
        async with world(here.sandbox, database_url, tmp_path, addresses={"SLACK_API_URL": url}) as late:
            late.put(event)
            await late.serve()
    assert here.state(event) is EventState.PARKED
    assert "still shows what was before the event" in here.entry(event).error

    here.replay(event)
    await here.serve()

    assert here.state(event) is EventState.APPLIED
    assert here.account(slack_id).lastname == "Newer"


@pytest.mark.long
@pytest.mark.parametrize("change", ["leaves", "is renamed"])
@pytest.mark.parametrize("methods", [["users.list"], ["users.list", "users.info"]])
async def test_a_list_that_is_behind_an_event_takes_nothing_back(here, change, methods):
    slack_id = member(here)
    with behind(here, slack_id, *methods) as url:
        if change == "leaves":
            here.sandbox.slack.deactivate(slack_id)
        else:
            rename(here, slack_id, "Newer")
        here.put(here.event(slack_id))
        await here.serve()
        before = here.account(slack_id)

        database_url = here.runtime.settings.database_url.get_secret_value()
        settings = settings_for({**here.sandbox.facts(), "slack_url": url}, database_url)
        await run_import(settings, rows={**ON, "LEAVERS": "deactivate"})

    after = here.account(slack_id)
    assert (after.active, after.lastname) == (before.active, before.lastname)
    assert (after.active, after.lastname == "Newer") == (change != "leaves", change != "leaves")


async def test_who_is_named_is_not_written_as_before_an_event(here, tmp_path):
    slack_id = member(here)
    database_url = here.runtime.settings.database_url.get_secret_value()
    with behind(here, slack_id, "users.info") as url:
        rename(here, slack_id, "Newer")
        here.put(here.event(slack_id))
        await here.serve()
        async with world(here.sandbox, database_url, tmp_path, addresses={"SLACK_API_URL": url}) as late:
            people = await read_named(late.runtime, [slack_id], [])
            with pytest.raises(
                IncompleteRead, match=f"shows {slack_id} as before an event that was applied: run again"
            ):
                await plan_named(late.runtime, late.workspace, people)


@pytest.mark.parametrize("before", ["is not there", "has left"])
@pytest.mark.variants(1)
async def test_who_has_come_by_an_event_is_not_taken_for_gone_by_what_slack_said_before(here, before):
    if before == "has left":
        slack_id = member(here)
        here.sandbox.slack.deactivate(slack_id)
        here.put(here.event(slack_id))
        await here.serve()
        answer = {"ok": True, "user": here.sandbox.slack.get(slack_id)}
        here.sandbox.slack.reactivate(slack_id)
    else:
        slack_id = here.sandbox.slack.add("Ann", "Berg", "ann@example.com")["id"]
        answer = {"ok": False, "error": "user_not_found"}
    here.put(here.event(slack_id))
    await here.serve()
    assert here.account(slack_id).active

    def changed(call, shown):
        return answer if "users.info" in call.path and slack_id in call.path else without(slack_id, call, shown)

    with between(here.sandbox.slack_url, changed=changed) as url:
        database_url = here.runtime.settings.database_url.get_secret_value()
        settings = settings_for({**here.sandbox.facts(), "slack_url": f"{url}/"}, database_url)
        for _ in range(2):  # what Slack said in the first is not remembered
            await run_import(settings, rows={**ON, "LEAVERS": "deactivate"})

    assert here.account(slack_id).active


@pytest.mark.long
async def test_an_import_is_not_refused_for_want_of_calls_because_somebody_changes_the_profile(here):
    busy, left = here.members()[:2]
    with behind(here, busy, "users.list") as late:
        rename(here, busy, "Newer")
        here.put(here.event(busy))
        await here.serve()
        here.sandbox.slack.deactivate(left)

        with between(late, changed=partial(without, left)) as url:
            database_url = here.runtime.settings.database_url.get_secret_value()
            settings = settings_for({**here.sandbox.facts(), "slack_url": f"{url}/"}, database_url)
            await run_import(settings, rows={**ON, "LEAVERS": "deactivate", "EVIDENCE_CALLS": "1"})

    assert not here.account(left).active
    assert here.account(busy).lastname == "Newer"


@pytest.mark.long
async def test_once_slack_answers_nobody_it_is_asked_for_no_more_of_those_whom_its_list_shows_as_before(here):
    people = here.members()
    questions = []

    def instead(call):
        if "users.info" not in call.path:
            return None
        questions.append(call.path)
        return in_json({"ok": False, "error": "internal_error"}, status=500)

    def changed(call, shown):
        if "users.list" not in call.path:
            return None
        return {**shown, "members": [before[one["id"]] for one in shown["members"]]}

    before = {slack_id: here.sandbox.slack.get(slack_id) for slack_id in here.slack_ids}
    for slack_id in people:
        rename(here, slack_id, "Newer")
        here.put(here.event(slack_id))
    await here.serve()
    with between(here.sandbox.slack_url, instead, changed) as url:
        database_url = here.runtime.settings.database_url.get_secret_value()
        settings = settings_for({**here.sandbox.facts(), "slack_url": f"{url}/"}, database_url)
        await run_import(settings, rows=ON)

    assert len({urlsplit(path).query for path in questions}) == IN_A_ROW + 1  # and one for ourselves
    assert {here.account(slack_id).lastname for slack_id in people} == {"Newer"}
