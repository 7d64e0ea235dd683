"""Docebo's list leaves out an attribute of everybody: that it is not shown is no difference, and nothing to go back to."""

from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from tests.between import between
from tests.importing import ON, prove, run_import, settings_for

ROWS = {**ON, "ATTRIBUTES": "first_name, last_name, email, time_zone, field:Unit = title"}


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    shared_sandbox.reset()
    shared_sandbox.docebo.add_field("Unit", "textfield", mandatory=False, invisible_to_user=False)
    shared_sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
    return shared_sandbox


@pytest.fixture
def left_out() -> list[str]:
    """The keys that lists do not have."""
    return []


@pytest.fixture
def settings(sandbox: Sandbox, sqlite_url: str, left_out: list[str]) -> Iterator[Settings]:
    def shown(call, answer):
        if not (call.method == "GET" and call.path.startswith("/manage/v1/user?")):
            return None
        items = [{key: item[key] for key in item if key not in left_out} for item in answer["data"]["items"]]
        return {"data": {**answer["data"], "items": items}}

    with between(sandbox.docebo_url, changed=shown) as url:
        made = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        prove(made)
        yield made


def ada(sandbox: Sandbox):
    return sandbox.docebo.accounts.by_username("ada@example.com")


def unit(sandbox: Sandbox) -> int:
    return next(field.id for field in sandbox.docebo.fields.values() if field.title == "Unit")


@pytest.mark.parametrize("what", ["last_name", "timezone", "field"])
@pytest.mark.variants(1)
async def test_what_a_list_leaves_out_of_everybody_is_no_difference(sandbox, settings, left_out, what):
    slack_id = sandbox.slack.by_email("ada@example.com")["id"]
    sandbox.slack.change(slack_id, {"profile": {"title": "Engineer"}})
    await run_import(settings, rows=ROWS)
    left_out.append(f"field_{unit(sandbox)}" if what == "field" else what)

    nights = [await run_import(settings, rows=ROWS) for _ in range(2)]

    assert [night.count(Kind.UPDATE, outcome=Outcome.APPLIED) for night in nights] == [0, 0]


@pytest.mark.long
async def test_a_language_that_only_its_own_name_says_is_written_once_and_ends_no_import(sandbox, sqlite_url):
    own = {"en": "English (US)", "de": "Deutsch", "fr": "Français"}

    def by_its_own_name(call, answer):
        if not call.path.startswith("/manage/v1/user?"):
            return None
        for item in answer["data"]["items"]:
            item["language"] = own.get(item.pop("lang_code"), "Otro")
        return answer

    rows = {**ON, "ATTRIBUTES": 'first_name, last_name, email, language = "de"'}
    with between(sandbox.docebo_url, changed=by_its_own_name) as url:
        settings = settings_for({**sandbox.facts(), "docebo_url": url}, sqlite_url)
        done = await run_import(settings, rows=rows)
        again = await run_import(settings, rows=rows)

    assert ada(sandbox).language == "de"
    assert done.count(outcome=Outcome.FAILED) == 0
    assert again.count(Kind.CREATE, Kind.UPDATE) == 0


@pytest.mark.long
async def test_an_undo_empties_nothing_that_the_list_has_left_out(sandbox, settings, left_out):
    slack_id = sandbox.slack.by_email("ada@example.com")["id"]
    await run_import(settings, rows=ROWS)
    field = unit(sandbox)
    sandbox.docebo.edit(ada(sandbox).user_id, {"fields": {field: "by hand"}})
    left_out.append(f"field_{field}")
    sandbox.slack.change(slack_id, {"profile": {"title": "Engineer"}})
    done = await run_import(settings, rows=ROWS)
    assert ada(sandbox).fields[field] == "Engineer"
    left_out.clear()

    async with open_runtime(settings, read_rows(table(ROWS)), run_id="undo") as runtime:
        await apply_saved(runtime, plan_undo(runtime, done.plan.id), lambda _: None)

    assert ada(sandbox).fields[field] == "Engineer"
