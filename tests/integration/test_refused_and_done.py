"""Docebo refuses rows that it has carried out, or does not say which accounts it has made: the accounts tell."""

import json

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.writing import proving
from slack_docebo.storage.store import Store
from tests.between import Answer, Call, between, in_json, showing
from tests.importing import mapped, prove, run_import, settings_for

LEAVERS = {"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none"}
NAMES = ("ada", "bea", "cid", "dan", "eva", "fay", "gil", "hal")  # more than are looked for one by one


@pytest.fixture
def sandbox(monkeypatch):
    monkeypatch.setattr(proving, "SEARCHED_AFTER", (0, 0))  # not for a minute
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        for name in NAMES:
            running.slack.add(name.title(), "Lovelace", f"{name}@example.com")
        yield running


def refused(answer):
    return [{**row, "success": False, "message": "the welcome mail was not sent", "output": {}} for row in answer]


def without_ids(answer):
    return [{**row, "output": {}} for row in answer]


async def import_with(sandbox, url, answered, times=1):
    """Let imports run whose batches are answered in another way than they were carried out."""

    def changed(call: Call, answer):
        return {"data": answered(answer["data"])} if call.path.endswith("/user/batch") else None

    with between(sandbox.docebo_url, changed=changed) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, url)
        summaries = [await run_import(settings) for _ in range(times)]
    with Store.open(url) as store, store.reading() as tables:
        entries = [list(tables.operations.rows(summary.plan.id)) for summary in summaries]
    return [{e.operation.slack_id: e for e in some if e.operation.kind is not Kind.LEAVE} for some in entries]


def accounts(sandbox):
    return {
        sandbox.slack.by_email(f"{n}@example.com")["id"]: account.user_id
        for n in NAMES
        if (account := sandbox.docebo.accounts.by_username(f"{n}@example.com"))
    }


async def test_whose_account_was_made_and_refused_is_not_recorded_as_failed_and_is_mapped_by_the_next_import(
    sandbox, sqlite_url
):
    first, second = await import_with(sandbox, sqlite_url, refused, times=2)

    there = accounts(sandbox)
    assert {slack_id: (entry.outcome, entry.operation.docebo_id) for slack_id, entry in first.items()} == {
        slack_id: (Outcome.SKIPPED, docebo_id) for slack_id, docebo_id in there.items()
    }
    assert {entry.operation.kind for entry in second.values()} == {Kind.MAP}
    assert mapped(sqlite_url, sandbox.slack.team.id) == there


@pytest.mark.long
async def test_who_is_changed_and_refused_is_recorded_as_changed(sandbox, sqlite_url):
    def renamed(answer):
        for name in NAMES:
            member = sandbox.slack.by_email(f"{name}@example.com")
            sandbox.slack.change(member["id"], {"profile": {"last_name": "King"}})
        return answer if sandbox.docebo.accounts.by_username("ada@example.com").lastname != "King" else refused(answer)

    _, second = await import_with(sandbox, sqlite_url, renamed, times=2)

    changed = {(entry.operation.kind, entry.outcome) for entry in second.values()}
    assert changed == {(Kind.UPDATE, Outcome.APPLIED)}
    assert len(second) == len(NAMES)


@pytest.mark.long
async def test_who_is_shut_out_by_a_call_that_is_refused_counts_as_shut_out_by_us_and_gets_in_again(
    sandbox, sqlite_url
):
    def shut_and_refused(call: Call) -> Answer | None:
        if not call.path.endswith("/user/change_status"):
            return None
        for docebo_id in json.loads(call.body)["user_ids"]:
            sandbox.docebo.edit(docebo_id, {"active": False})
        return in_json({"message": ["the manager was not told"]}, 400)

    ada = sandbox.slack.by_email("ada@example.com")["id"]
    with between(sandbox.docebo_url, instead=shut_and_refused) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        await run_import(settings, rows=LEAVERS)
        sandbox.slack.deactivate(ada)
        left = await run_import(settings, rows=LEAVERS)
        is_open = sandbox.docebo.accounts.by_username("ada@example.com").active
        sandbox.slack.reactivate(ada)
        await run_import(settings, rows=LEAVERS)

    assert (left.count(Kind.DEACTIVATE, outcome=Outcome.APPLIED), is_open) == (1, False)
    assert sandbox.docebo.accounts.by_username("ada@example.com").active


@pytest.mark.long
async def test_an_account_whose_id_docebo_does_not_say_is_mapped_by_the_run_that_made_it(sandbox, sqlite_url):
    [entries] = await import_with(sandbox, sqlite_url, without_ids)

    assert {(entry.operation.kind, entry.outcome) for entry in entries.values()} == {(Kind.CREATE, Outcome.APPLIED)}
    assert mapped(sqlite_url, sandbox.slack.team.id) == accounts(sandbox)


@pytest.mark.parametrize("is_made", [False, True])
@pytest.mark.variants(1)
async def test_an_account_that_is_said_to_be_made_without_its_id_and_is_not_shown_is_not_recorded_as_applied(
    sandbox, sqlite_url, is_made
):
    shown = []

    def without_adas(answer):
        if not (is_made or shown):
            sandbox.docebo.delete(sandbox.docebo.accounts.by_username("ada@example.com").user_id)
        return without_ids(answer)

    def hidden(call: Call, answer):
        if call.path.endswith("/user/batch"):
            return {"data": without_adas(answer["data"])}
        if call.path.startswith("/manage/v1/user?") and not shown:
            return showing(answer, lambda one: one["username"] != "ada@example.com")
        return None

    with between(sandbox.docebo_url, changed=hidden) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        prove(settings)
        first = await run_import(settings)
        shown.append(True)
        await run_import(settings)

    ada = sandbox.slack.by_email("ada@example.com")["id"]
    with Store.open(sqlite_url) as store, store.reading() as tables:
        became = next(e for e in tables.operations.rows(first.plan.id) if e.operation.slack_id == ada)
    assert (first.count(outcome=Outcome.APPLIED), first.skipped) == (len(NAMES) - 1, 1)
    assert became.outcome is (Outcome.APPLIED if is_made else Outcome.SKIPPED)
    assert mapped(sqlite_url, sandbox.slack.team.id) == accounts(sandbox)
    never_found = 0 if is_made else 1  # the account that Docebo says to have made
    assert len(accounts(sandbox)) == len(NAMES) - never_found


@pytest.mark.parametrize("answer", ["none", "without an id"])
@pytest.mark.variants(1)
async def test_an_account_that_somebody_else_has_got_with_the_username_meanwhile_is_not_taken_for_the_new_one(
    sandbox, sqlite_url, answer
):
    theirs = {"username": "ada", "email": "ada@elsewhere.example.com", "firstname": "Ada", "lastname": "Byron"}
    made = []

    def by_hand(call: Call):
        if call.path.endswith("/user/batch") and not made:
            made.append(sandbox.docebo.accounts.add(**theirs))

    def unsaid(call: Call, said):
        if call.path.endswith("/user/batch") and answer == "without an id":
            return {"data": [{**row, "success": True, "message": "", "output": {}} for row in said["data"]]}
        return None

    with between(sandbox.docebo_url, instead=by_hand, changed=unsaid) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        prove(settings)
        if answer == "none":
            sandbox.docebo_gate.faults.add("POST /manage/v1/user/batch", "dropped")
        for _ in range(2):
            await run_import(
                settings, rows={"ATTRIBUTES": 'first_name, last_name, email, username = before(email, "@")'}
            )

    account = sandbox.docebo.accounts[made[0].user_id]
    assert {name: getattr(account, name) for name in theirs} == theirs
    assert account.user_id not in mapped(sqlite_url, sandbox.slack.team.id).values()
    assert len(mapped(sqlite_url, sandbox.slack.team.id)) == len(NAMES) - 1


@pytest.mark.long
async def test_what_an_account_was_made_without_whose_id_docebo_does_not_say_is_written_by_the_next_import(
    sandbox, sqlite_url
):
    role = sandbox.docebo.add_field("Role", "textfield", mandatory=False, invisible_to_user=False).id
    ada = sandbox.slack.by_email("ada@example.com")["id"]
    sandbox.slack.change(ada, {"tz": "Mars/Olympus", "profile": {"title": "Analyst"}})
    rules = {
        "ATTRIBUTES": f"email, first_name, last_name, time_zone, field_{role} = title",
        "SCOPE_INCLUDE": ada,
    }

    def changed(call: Call, answer):
        return {"data": without_ids(answer["data"])} if call.path.endswith("/user/batch") else None

    with between(sandbox.docebo_url, changed=changed) as docebo:
        settings = settings_for({**sandbox.facts(), "docebo_url": docebo}, sqlite_url)
        first = await run_import(settings, rows=rules)
        await run_import(settings, rows=rules)

    [account] = sandbox.docebo.accounts.by_email("ada@example.com")
    assert first.count(Kind.CREATE, outcome=Outcome.APPLIED) == 1
    assert (account.fields.get(role), account.timezone == "Mars/Olympus") == ("Analyst", False)
