"""What is known of a Docebo is shown, set and forgotten from a shell, and runs keep to what was set."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.docebo.switches import Switches, switched
from sandbox.server import Sandbox
from slack_docebo.domain.dialect import LANGUAGE_FORM, NEW_PASSWORD, PROVEN, QUESTIONS, ROWS_PER_CALL, SET_BY_HAND
from slack_docebo.domain.operations import Outcome
from tests.importing import run_import, settings_for
from tests.integration.commands import environment, run

BATCH = "POST /manage/v1/user/batch"
LANGUAGES = {"ATTRIBUTES": "email, first_name, last_name, language"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=20, docebo_users=0, rate_limits=False) as running:
        yield running


@pytest.fixture
def env(sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox.facts(), sqlite_url, tmp_path)


def shown(env: dict[str, str]) -> dict[str, dict[str, str]]:
    return {row["question"]: row for row in json.loads(run(env, "dialect", "--json").stdout)}


def test_what_nobody_knows_yet_is_shown_as_it_is_assumed(env):
    rows = shown(env)

    assert {name: row["answer"] for name, row in rows.items()} == {
        question.name: question.assumed or "not known" for question in QUESTIONS
    }
    assert {row["source"] for row in rows.values()} == {"assumed"}


async def test_what_a_run_has_learned_is_shown_with_what_showed_it_and_learned_anew_once_forgotten(
    sandbox, sqlite_url, env
):
    sandbox.docebo.switches = switched(Switches(), {"batch_language": "name"})
    await run_import(settings_for(sandbox.facts(), sqlite_url), rows=LANGUAGES)
    learned = shown(env)[LANGUAGE_FORM.name]
    assert (learned["answer"], learned["source"]) == ("name", "a row that was refused with the other form")
    assert learned["since"] == f"{datetime.now(UTC):%Y-%m-%d}"

    told = run(env, "dialect", "forget", "language in rows")

    assert (told.returncode, "to code, assumed, until a run learns it anew" in told.stdout) == (0, True)
    assert shown(env)[LANGUAGE_FORM.name]["source"] == "assumed"


async def test_that_new_accounts_want_a_password_is_found_out_anew_once_it_is_forgotten(sandbox, sqlite_url, env):
    sandbox.docebo.switches = switched(Switches(), {"passwordless": "refused"})
    await run_import(settings_for(sandbox.facts(), sqlite_url))
    sandbox.slack.add("New", "Comer", "newcomer@example.com")

    told = run(env, "dialect", "forget", NEW_PASSWORD.name).stdout
    done = await run_import(settings_for(sandbox.facts(), sqlite_url))

    assert "the first rows are sent alone once more" in told
    assert done.count("create", outcome=Outcome.APPLIED) == 1
    assert shown(env)[NEW_PASSWORD.name]["answer"] == "random"


@pytest.mark.long
async def test_a_run_keeps_to_what_was_set_by_hand_and_leaves_it_so(sandbox, sqlite_url, env):
    sandbox.docebo.switches = switched(Switches(), {"batch_language": "name"})
    assert run(env, "dialect", "set", "language in rows", "name").returncode == 0
    assert run(env, "dialect", "set", "rows per call", "4").returncode == 0

    done = await run_import(settings_for(sandbox.facts(), sqlite_url), rows=LANGUAGES)

    rows, calls = sandbox.docebo_gate.counters.rows["created"], sandbox.docebo_gate.counters.calls[BATCH]
    assert done.count(outcome=Outcome.FAILED) == 0
    assert not sandbox.docebo_gate.counters.rows["failed"]
    assert rows / 4 <= calls
    assert {shown(env)[name]["source"] for name in (LANGUAGE_FORM.name, ROWS_PER_CALL.name)} == {SET_BY_HAND}


def test_what_was_set_by_hand_is_not_learned_otherwise_until_it_is_forgotten(store):
    docebo, now = "https://acme.example", datetime.now(UTC)

    def learned(answer: str, source: str) -> tuple[str, str]:
        with store.transaction() as tables:
            entries = tables.dialect(docebo)
            entries.learn(LANGUAGE_FORM.name, answer, source=source, now=now)
            known = entries.all()[LANGUAGE_FORM.name]
        return known.value, known.source

    assert learned("code", "a row") == ("code", "a row")
    assert learned("name", SET_BY_HAND) == learned("code", "a row") == ("name", SET_BY_HAND)
    assert learned("code", SET_BY_HAND) == ("code", SET_BY_HAND)
    with store.transaction() as tables:
        assert [tables.dialect(docebo).forget(LANGUAGE_FORM.name) for _ in range(2)] == [True, False]
    assert learned("name", "a row") == ("name", "a row")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set", "rows per call", "1000"), "a number from 1 to 100"),
        (("set", PROVEN.name, "create"), "can be forgotten, not set"),
        (("forget", "rows"), "there is no question 'rows'; there are missing account, rows per call"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can(env, arguments, told):
    ended = run(env, "dialect", *arguments)

    assert (ended.returncode, told in ended.stderr) == (2, True)


def test_doctor_names_what_is_known(env):
    run(env, "dialect", "set", "rows per call", "50")

    findings = {one["check"]: one["message"] for one in json.loads(run(env, "doctor", "--json").stdout)}

    assert f"rows per call is 50, set by hand on {datetime.now(UTC):%Y-%m-%d}" in findings["Docebo's dialect"]
