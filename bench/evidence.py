"""The bars of evidence: calls of an import at the default page sizes, and what it costs to ask for whom a list lacks.

Likewise, what it costs to ask Slack once more before a saved plan is applied.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from bench.table import Results
from sandbox.server import Sandbox
from slack_docebo.engine.importing import apply_saved
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import open_runtime
from slack_docebo.settings import Settings
from tests.importing import ON, run_import, settings_for

PEOPLE = 10_000
PAGES = 10  # of Slack's list
MISSING = 500
CHANGED = (2, 500)  # people to ask for each, and to list
WITH_SCIM = 100
LIMITS = {"LIMIT_REMAPPINGS": "none"}
SCIM = {**LIMITS, "ATTRIBUTES": "first_name, last_name, email, field:Unit = scim:department"}


def main() -> None:
    """Measure and print everything."""
    results = Results(f"Calls for {PEOPLE} people at the default page sizes")
    for not_found_as_400 in (False, True):
        with tempfile.TemporaryDirectory() as name, Sandbox(users=PEOPLE, docebo_users=0, rate_limits=False) as sandbox:
            sandbox.docebo.switches = replace(sandbox.docebo.switches, not_found_as_400=not_found_as_400)
            url = f"sqlite:///{Path(name) / 'store.db'}"
            settings = settings_for(
                sandbox.facts(), url, slack_page_size=Settings.model_fields["slack_page_size"].default
            )
            if not not_found_as_400:
                results.add("first import", _calls(_import(settings)), 165)
                results.add("nothing changed", _calls(_import(settings)), 103)
                _saved_plans(results, sandbox, settings)
            else:
                _import(settings)
                _import(settings)
            ours = [account.user_id for account in sandbox.docebo.accounts if account.provisioned_by]
            for docebo_id in ours[:MISSING]:
                sandbox.docebo.delete(docebo_id)
            answer, each = ("400", 2) if not_found_as_400 else ("404", 1)
            title = f"{MISSING} mapped accounts missing, answered with {answer}"
            results.add(f"{title}: questions", _evidence(_import(settings)), each * MISSING)
            results.add("   the next night", _evidence(_import(settings)), 0)
    results.show()


def _saved_plans(results: Results, sandbox: Sandbox, settings: Settings) -> None:
    """Change people, and count the calls to Slack of applying a plan that was saved for that."""
    facts, members = sandbox.facts(), [one["id"] for one in sandbox.slack.of_kind("member") if not one.get("deleted")]
    for people in CHANGED:
        for one in members[:people]:
            sandbox.slack.change(one, {"profile": {"last_name": f"One of {people}"}})
        asked = 1 + min(people, PAGES)  # the token is looked at, too
        results.add(f"a saved plan for {people} changed people: calls to Slack", _apply_saved(settings, LIMITS), asked)
    sandbox.docebo.add_field("Unit", "textfield", mandatory=False, invisible_to_user=False)
    for one in members[:WITH_SCIM]:
        sandbox.slack.scim[one] = {"department": "Law"}
    token = SecretStr(facts["scim_token"])
    with_scim = settings.model_copy(update={"slack_scim_token": token, "slack_scim_url": facts["scim_url"]})
    title = f"a saved plan that gives {WITH_SCIM} people what SCIM says: calls to Slack"
    results.add(title, _apply_saved(with_scim, SCIM), 1 + 2 * WITH_SCIM)


def _apply_saved(settings: Settings, rows: Mapping[str, str]) -> int:
    """Plan, apply that by its id, and return the calls to Slack of the latter."""

    async def apply(plan_id: str) -> int:
        async with open_runtime(settings, read_rows(table({**ON, **rows})), run_id="bench") as runtime:
            await apply_saved(runtime, plan_id, lambda _: None)
            return sum(runtime.slack.calls.values()) + sum(runtime.scim.calls.values() if runtime.scim else ())

    return asyncio.run(apply(asyncio.run(run_import(settings, rows=rows, dry_run=True)).plan.id))


def _import(settings: Settings) -> Summary:
    return asyncio.run(run_import(settings, rows=LIMITS))


def _calls(summary: Summary) -> int:
    calls = summary.plan.facts["calls"]
    assert isinstance(calls, dict)
    return sum(calls.values())


def _evidence(summary: Summary) -> int:
    return int(str(summary.plan.facts["evidence_calls"]))


if __name__ == "__main__":
    main()
