"""Leavers are deactivated, whatever form Docebo answers in."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.planning import Outcome
from tests.importing import run_import, settings_for

LEAVERS = {"LEAVERS": "deactivate", "LIMIT_DEACTIVATIONS": "none", "SOURCE_MAY_SHRINK": "100"}
PEOPLE = 210  # three calls


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=20, rate_limits=False) as running:
        yield running


@pytest.mark.parametrize(
    "form", ["array", "silent", *(pytest.param(form, marks=pytest.mark.long) for form in ("ids", "rows"))]
)
async def test_all_of_many_leavers_are_done_whatever_form_the_answer_has(sandbox, sqlite_url, form):
    sandbox.reset()
    settings = settings_for(sandbox.facts(), sqlite_url)
    people = [str(sandbox.slack.add("Ada", f"No{n}", f"ada{n}@example.com")["id"]) for n in range(PEOPLE)]
    await run_import(settings, rows=LEAVERS)
    sandbox.docebo.switches = replace(sandbox.docebo.switches, status_answer=form)
    for slack_id in people:
        sandbox.slack.deactivate(slack_id)

    done = await run_import(settings, rows=LEAVERS)

    assert done.count(outcome=Outcome.APPLIED) == PEOPLE
    assert not any(account.active for account in sandbox.docebo.accounts if account.email.startswith("ada"))
