"""The bars of evidence: calls of an import at the default page sizes, and what it costs to ask for whom a list lacks."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.table import Results
from sandbox.server import Sandbox
from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.settings import Settings
from tests.importing import run_import, settings_for

PEOPLE = 10_000
MISSING = 500


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


def _import(settings: Settings) -> Summary:
    return asyncio.run(run_import(settings, rows={"LIMIT_REMAPPINGS": "none"}))


def _calls(summary: Summary) -> int:
    calls = summary.plan.facts["calls"]
    assert isinstance(calls, dict)
    return sum(calls.values())


def _evidence(summary: Summary) -> int:
    return int(str(summary.plan.facts["evidence_calls"]))


if __name__ == "__main__":
    main()
