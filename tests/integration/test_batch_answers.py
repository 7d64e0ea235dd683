"""A batch whose answer names nobody comes in another order: each person is mapped to the own account."""

import json
import unicodedata

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from tests.between import between
from tests.importing import mapped, run_import, settings_for

NAMES = ("ada", "bob", "eva", "kim", "leo")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as running:
        for name in NAMES:
            running.slack.add(name.title(), "Lovelace", f"{name}@example.com")
        yield running


async def test_answers_without_names_in_another_order_give_nobody_the_account_of_somebody_else(sandbox, sqlite_url):
    def shuffled(call, answer):
        if call.path != "/manage/v1/user/batch":
            return None
        rows = [{"success": row["success"], "output": {"user_id": row["output"]["user_id"]}} for row in answer["data"]]
        return {"data": rows[1:] + rows[:1]}

    with between(sandbox.docebo_url, changed=shuffled) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        await run_import(settings)
        again = await run_import(settings, dry_run=True)

    accounts = mapped(sqlite_url, sandbox.slack.team.id)
    for name in NAMES:
        slack_id = sandbox.slack.by_email(f"{name}@example.com")["id"]
        assert sandbox.docebo.accounts.get(accounts[slack_id]).username == f"{name}@example.com"
    assert again.undecided == 0


async def test_an_account_is_known_as_the_new_one_in_whatever_form_docebo_shows_its_accent(sandbox, sqlite_url):
    sandbox.reset()

    def composed(_call, answer):
        return json.loads(unicodedata.normalize("NFC", json.dumps(answer, ensure_ascii=False)))

    people = [sandbox.slack.add(name, "Hopper", f"{name}e\u0301@example.com")["id"] for name in NAMES]
    with between(sandbox.docebo_url, changed=composed) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        done = await run_import(settings)
        again = await run_import(settings)

    assert mapped(sqlite_url, sandbox.slack.team.id).keys() == {*people}
    assert done.count(outcome=Outcome.APPLIED) == len(NAMES)
    assert again.count(Kind.CREATE, Kind.UPDATE) == 0


@pytest.mark.parametrize("of_whom", ["everybody", "one"])
@pytest.mark.variants(1)
async def test_an_account_that_was_there_before_is_not_taken_for_the_new_one(sandbox, sqlite_url, of_whom):
    sandbox.reset()
    stranger = sandbox.docebo.accounts.add("customer", email="customer@elsewhere.org").user_id

    def lying(call, answer):
        if call.path != "/manage/v1/user/batch" or len(answer["data"]) < 2:
            return None
        for row in answer["data"] if of_whom == "everybody" else answer["data"][:1]:
            row["output"]["user_id"] = f"00{stranger}"
        return answer

    people = {name: sandbox.slack.add(name.title(), "Hopper", f"{name}@example.com")["id"] for name in NAMES}
    with between(sandbox.docebo_url, changed=lying) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        done = await run_import(settings)

    accounts = mapped(sqlite_url, sandbox.slack.team.id)
    for name, slack_id in people.items():
        assert sandbox.docebo.accounts.get(accounts[slack_id]).username == f"{name}@example.com"
    assert done.count(outcome=Outcome.APPLIED) >= len(NAMES)


async def test_a_success_beside_an_error_is_looked_at_again_before_anybody_counts_as_done(sandbox, sqlite_url):
    sandbox.reset()
    people = {name: sandbox.slack.add(name.title(), "Hopper", f"{name}@hopper.example")["id"] for name in NAMES}
    unmade = []

    def beside(call, answer):
        """Say of the account that is refused, beside the error, that it was made."""
        if call.path != "/manage/v1/user/batch":
            return None
        for row in answer["data"]:
            if not row["success"]:
                unmade.append(row)
                row["success"] = True
        return answer

    refused = {"usernames": ["ada@hopper.example"], "message": "no room"}
    sandbox.docebo_gate.faults.add("POST /manage/v1/user/batch", "rows_refused", times=-1, **refused)
    with between(sandbox.docebo_url, changed=beside) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        done = await run_import(settings)

    assert unmade
    assert mapped(sqlite_url, sandbox.slack.team.id).keys() == {*people.values()} - {people["ada"]}
    assert done.count(Kind.CREATE, outcome=Outcome.APPLIED) == len(NAMES) - 1
