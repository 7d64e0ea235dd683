"""The first row of each kind goes alone, and the others follow only if its account shows what it was sent."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.docebo.switches import Switches, switched
from sandbox.server import Sandbox
from slack_docebo.domain.dialect import PROVEN
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.writing import proving
from slack_docebo.errors import Unproven
from slack_docebo.storage.store import Store
from tests.between import Answer, Call, between, in_json
from tests.importing import run_import, settings_for
from tests.integration.realtime_world import world

BATCH, VIEW = "POST /manage/v1/user/batch", "GET /manage/v1/user/{id}"
ROWS = {"ATTRIBUTES": "email, first_name, last_name, language, time_zone"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=60, docebo_users=20, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    running.reset()
    monkeypatch.setattr(proving, "SEARCHED_AFTER", (0, 0, 0))
    return running


async def imported(sandbox: Sandbox, database_url: str, rows: dict[str, str] | None = None, **switches: object):
    sandbox.docebo.switches = switched(Switches(), switches)
    return await run_import(settings_for(sandbox.facts(), database_url), rows=rows or ROWS)


def made(sandbox: Sandbox) -> list[str]:
    return [account.username for account in sandbox.docebo.accounts if account.provisioned_by]


def proven(database_url: str, docebo: str) -> set[str]:
    with Store.open(database_url) as store, store.reading() as tables:
        return set(tables.dialect(docebo).all()[PROVEN.name].value.split(", "))


@pytest.mark.long
async def test_what_was_proven_once_is_not_proven_again(sandbox, sqlite_url):
    first = await imported(sandbox, sqlite_url)
    known = proven(sqlite_url, sandbox.docebo_url)
    assert known >= {"create", "update", "username", "email", "first_name", "last_name", "language", "time_zone"}
    assert first.count(outcome=Outcome.FAILED) == 0
    sandbox.slack.add("New", "Comer", "newcomer@example.com")
    sandbox.slack.add("New", "Comer", "another@example.com")
    sandbox.docebo_gate.counters.reset()

    await imported(sandbox, sqlite_url)

    calls = sandbox.docebo_gate.counters.calls
    assert (calls[BATCH], calls[VIEW]) == (1, 0)


@pytest.mark.long
async def test_an_attribute_that_is_ignored_stops_the_first_import_after_one_account(sandbox, sqlite_url):
    with pytest.raises(Unproven, match=r"does not show language .*ATTRIBUTES"):
        await imported(sandbox, sqlite_url, ignored="language")

    assert len(made(sandbox)) <= 2  # the first may have had by itself what its row said
    assert "language" not in proven(sqlite_url, sandbox.docebo_url)
    without = {"ATTRIBUTES": "email, first_name, last_name, time_zone"}
    done = await imported(sandbox, sqlite_url, without, ignored="language")
    assert done.count(outcome=Outcome.FAILED) == 0
    assert len(made(sandbox)) > 1


async def test_a_language_that_is_ignored_in_one_form_is_written_in_the_other_from_the_next_import_on(
    sandbox, sqlite_url
):
    by_name = {"batch_language": "name", "forms_ignored": True}
    with pytest.raises(Unproven, match=r"does not show language .*run again, and rows have another form"):
        await imported(sandbox, sqlite_url, **by_name)

    done = await imported(sandbox, sqlite_url, **by_name)
    again = await imported(sandbox, sqlite_url, **by_name)

    assert done.count(outcome=Outcome.FAILED) == 0
    assert len(made(sandbox)) > 1
    assert again.count(Kind.CREATE, Kind.UPDATE) == 0


async def test_what_the_view_of_an_account_leaves_out_is_not_told_with_what_it_shows_otherwise(sandbox, sqlite_url):
    def with_another_zone(call: Call, answer: Any) -> Any:
        if re.fullmatch(r"/manage/v1/user/\d+", call.path) and call.method == "GET":
            answer["data"]["user_data"]["timezone"] = "Etc/UTC"
            return answer
        return None

    with (
        between(sandbox.docebo_url, changed=with_another_zone) as url,
        pytest.raises(Unproven, match="not show time_zone as"),
    ):
        await run_import(settings_for(sandbox.facts(), sqlite_url, docebo_url=url), rows=ROWS)


async def test_a_platform_whose_word_for_plain_users_is_not_known_is_told_with_what_to_set(sandbox, sqlite_url):
    with pytest.raises(Unproven, match=r'level .*"benutzer".*dialect set "level of plain users"'):
        await imported(sandbox, sqlite_url, user_level="Benutzer")


async def test_a_new_account_that_docebo_shows_a_little_later_proves_the_others(sandbox, sqlite_url):
    asked: dict[str, int] = {}

    def later(call: Call) -> Answer | None:
        if call.method != "GET" or not re.fullmatch(r"/manage/v1/user/\d+", call.path):
            return None
        asked[call.path] = asked.get(call.path, 0) + 1
        gone = {"name": "Not Found", "message": ["User not found"], "code": 0, "status": 404}
        return in_json(gone, 404) if asked[call.path] <= 2 and int(call.path.rpartition("/")[2]) not in there else None

    there = {account.user_id for account in sandbox.docebo.accounts}
    with between(sandbox.docebo_url, instead=later) as url:
        await run_import(settings_for(sandbox.facts(), sqlite_url, docebo_url=url), rows=ROWS)

    assert len(made(sandbox)) > 2


@pytest.mark.long
async def test_a_day_that_is_shown_in_another_form_is_told_as_that(sandbox, sqlite_url):
    def day_first(call: Call, answer: Any) -> Any:
        if re.fullmatch(r"/manage/v1/user/\d+", call.path) and call.method == "GET":
            for one in answer["data"]["additional_fields"]:
                one["value"] = "31/05/2099" if one["value"] == "2099-05-31" else one["value"]
            return answer
        return None

    field = sandbox.docebo.add_field("Until", "date", mandatory=False, invisible_to_user=False).id
    rows = {"ATTRIBUTES": f'email, first_name, last_name, field_{field} = "2099-05-31"'}
    with (
        between(sandbox.docebo_url, changed=day_first) as url,
        pytest.raises(Unproven, match=rf"field_{field} as it was sent \(field_{field}: Docebo shows the same day in"),
    ):
        await run_import(settings_for(sandbox.facts(), sqlite_url, docebo_url=url), rows=rows)


@pytest.mark.long
async def test_the_account_that_proved_it_is_told_with_its_person(sandbox, sqlite_url):
    with pytest.raises(Unproven):
        await imported(sandbox, sqlite_url, ignored="firstname")

    with Store.open(sqlite_url) as store, store.reading() as tables:
        plan_id = tables.plans.recent(1)[0].id
        told = [entry for entry in tables.operations.rows(plan_id) if "first_name" in entry.error]
    assert [entry.outcome for entry in told] == [Outcome.APPLIED]


@pytest.mark.long
@pytest.mark.parametrize(
    ("also", "advice"), [("force_change", "password"), ("branches", "DESTINATION_BRANCH"), ("status", "PROVISION")]
)
async def test_what_an_update_changes_besides_stops_the_others(sandbox, sqlite_url, also, advice):
    await imported(sandbox, sqlite_url)
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        tables.dialect(sandbox.docebo_url).learn(
            PROVEN.name, "create", source="", now=tables.plans.recent(1)[0].created_at
        )
    people = [user for user in sandbox.slack if user["profile"].get("email") in made(sandbox)][:5]
    for user in people:
        sandbox.slack.change(user["id"], {"profile": {"last_name": "Newname", "first_name": "New"}})
    for account in sandbox.docebo.accounts:
        sandbox.docebo.edit(account.user_id, {"branches": (42,)})

    with pytest.raises(Unproven, match=f"{also}.*{advice}"):
        await imported(sandbox, sqlite_url, updates_also=also, branches_shown=True)

    assert sum(account.lastname == "Newname" for account in sandbox.docebo.accounts) == 1


async def test_an_account_whose_password_has_to_be_changed_anyway_does_not_prove_that_updates_force_none(
    sandbox, sqlite_url
):
    await imported(sandbox, sqlite_url)
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        now = tables.plans.recent(1)[0].created_at
        tables.dialect(sandbox.docebo_url).learn(PROVEN.name, "create", source="", now=now)
    people = [user for user in sandbox.slack if user["profile"].get("email") in made(sandbox)][:6]
    for number, user in enumerate(people):
        sandbox.slack.change(user["id"], {"profile": {"last_name": "Newname"}})
        [account] = sandbox.docebo.accounts.by_email(user["profile"]["email"])
        sandbox.docebo.edit(account.user_id, {"force_change": number < 2})

    with pytest.raises(Unproven, match="force_change"):
        await imported(sandbox, sqlite_url, updates_also="force_change")

    assert sum(account.force_change for account in sandbox.docebo.accounts) == 2 + 1


async def test_accounts_whose_password_has_to_be_changed_anyway_prove_whatever_else_their_rows_say(sandbox, sqlite_url):
    rows = {"ATTRIBUTES": "email, first_name, last_name, time_zone, field_13 = title"}
    await imported(sandbox, sqlite_url, rows)
    with Store.open(sqlite_url) as store, store.transaction() as tables:
        now = tables.plans.recent(1)[0].created_at
        tables.dialect(sandbox.docebo_url).learn(PROVEN.name, "create, update", source="", now=now)
    people = [user for user in sandbox.slack if user["profile"].get("email") in made(sandbox)][:8]
    for [account] in (sandbox.docebo.accounts.by_email(user["profile"]["email"]) for user in people):
        sandbox.docebo.edit(account.user_id, {"force_change": True})
    for user, changed in zip(people, ("title", "first_name", "last_name"), strict=False):
        sandbox.slack.change(user["id"], {"profile": {changed: "Newname"}})
    for user in people[3:]:
        sandbox.slack.change(user["id"], {"tz": "Asia/Tokyo"})
    sandbox.docebo_gate.counters.reset()

    with pytest.raises(Unproven, match="does not show time_zone"):
        await imported(sandbox, sqlite_url, rows, ignored="timezone")

    assert sandbox.docebo_gate.counters.rows[BATCH] == 3 + 1


async def test_once_an_option_is_left_out_the_next_rows_of_that_run_are_proven_anew(sandbox, sqlite_url):
    await imported(sandbox, sqlite_url)
    people = [user for user in sandbox.slack if user["profile"].get("email") in made(sandbox)][:5]
    for name in ("Newname", "Newer"):
        for user in people:
            sandbox.slack.change(user["id"], {"profile": {"last_name": name}})
        if name == "Newname":
            await imported(sandbox, sqlite_url)

    with pytest.raises(Unproven, match="force_change"):
        await imported(
            sandbox,
            sqlite_url,
            unknown_options="ignore_password_change_for_existing_users",
            updates_also="force_change",
        )

    assert sum(account.lastname == "Newer" for account in sandbox.docebo.accounts) == 1


@pytest.mark.long
async def test_a_search_that_is_behind_is_waited_for(sandbox, sqlite_url):
    done = await imported(sandbox, sqlite_url, searches_behind=2)

    assert done.count(outcome=Outcome.FAILED) == 0
    assert len(made(sandbox)) > 1


@pytest.mark.long
async def test_a_search_that_does_not_find_the_account_stops_the_others(sandbox, sqlite_url):
    with pytest.raises(Unproven, match="search does not find it"):
        await imported(sandbox, sqlite_url, searches_behind=100)

    assert len(made(sandbox)) == 1


async def test_a_search_that_never_finds_the_account_lets_no_later_import_make_another(sandbox, sqlite_url):
    with pytest.raises(Unproven, match="search does not find it"):
        await imported(sandbox, sqlite_url, searches_behind=100)

    second = await imported(sandbox, sqlite_url, searches_behind=100)
    while_behind = len(made(sandbox))
    third = await imported(sandbox, sqlite_url)

    assert while_behind == 1
    assert second.count(Kind.CREATE, outcome=Outcome.FAILED) > 1
    assert third.count(outcome=Outcome.FAILED) == 0
    assert len(made(sandbox)) > 1


@pytest.mark.long
async def test_whose_account_is_the_one_that_is_not_found_has_not_failed_when_back_under_another_id(
    sandbox, sqlite_url, tmp_path
):
    with pytest.raises(Unproven, match="search does not find it"):
        await imported(sandbox, sqlite_url, searches_behind=100)
    former = sandbox.slack.by_email(made(sandbox)[0])
    sandbox.slack.deactivate(former["id"])
    back = sandbox.slack.add("Ada", "Lovelace", former["profile"]["email"])["id"]

    async with world(sandbox, sqlite_url, tmp_path, **ROWS) as here:
        here.put(here.event(back))
        await here.serve()
        with here.runtime.store.reading() as tables:
            rows = [row for plan in here.plans() for row in tables.operations.rows(plan.id)]

    assert {(row.operation.kind, row.outcome) for row in rows} == {(Kind.CREATE, Outcome.SKIPPED)}
    assert "is gone, and Docebo does not show it yet" in rows[0].error


@pytest.mark.long
async def test_an_account_that_was_not_found_and_is_gone_keeps_nobody_from_an_account(sandbox, sqlite_url):
    with pytest.raises(Unproven, match="search does not find it"):
        await imported(sandbox, sqlite_url, searches_behind=100)
    [account] = [one for one in sandbox.docebo.accounts if one.provisioned_by]
    sandbox.docebo.delete(account.user_id)

    done = await imported(sandbox, sqlite_url)

    assert done.count(outcome=Outcome.FAILED) == 0
    assert len(made(sandbox)) > 1


@pytest.mark.long
async def test_people_whose_rows_are_refused_keep_nobody_from_an_account(sandbox, sqlite_url):
    people = sorted(user["profile"]["email"] for user in sandbox.slack if user["profile"].get("email"))
    sandbox.docebo_gate.faults.add(BATCH, "rows_refused", times=-1, usernames=people[:40], message="No.")

    done = await imported(sandbox, sqlite_url, {**ROWS, "LIMIT_REJECTIONS": "100"})

    assert done.count(outcome=Outcome.FAILED) > 3
    assert len(made(sandbox)) >= 4
    assert "create" in proven(sqlite_url, sandbox.docebo_url)
