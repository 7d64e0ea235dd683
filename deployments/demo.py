"""`python -m deployments.demo`: on the sandbox, the bulk import as a dry run, for real and once more; then real time."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from deployments.demo_events import show_events
from deployments.ending import end_in_order
from deployments.local import QUIET_PREFECT, connection_settings, prefect_server, sandbox

SWITCHED_ON = {
    "NOTIFICATION_MAIL_ID": "",
    "PROVISION_SLACK_USER_DATA": "true",
    "MAP_SLACK_USER_DATA": "true",
    "LEAVERS": "deactivate",
    "ATTRIBUTES": "first_name, last_name, email, branch = scim:department, manager = scim:manager",
}
ACTS = (
    ("1. Dry run: what would be done. Nothing is written.", {"dry_run": True}),
    ("2. For real.", {"dry_run": False}),
    ("3. Once more: nothing is left to do.", {"dry_run": False}),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; everything it starts is stopped and everything it writes removed, but for --reports."""
    parser = argparse.ArgumentParser(prog="python -m deployments.demo", description=__doc__)
    parser.add_argument("--users", type=int, default=500, help="users of the Slack workspace (500)")
    parser.add_argument(
        "--reports", type=Path, help="new folder for the full lists of each run; else they are not kept"
    )
    options = parser.parse_args(arguments)
    end_in_order()
    with tempfile.TemporaryDirectory(prefix="slack-docebo-demo-") as name:
        folder = Path(name)
        print("Starting a Slack workspace, a Docebo platform and a Prefect server on this machine ...", flush=True)
        with (
            sandbox("--users", str(options.users), "--no-rate-limits", "--hierarchy", folder=folder) as facts,
            prefect_server(folder) as clients,
        ):
            print(f"Slack has {options.users} users, Docebo {sum(facts['docebo_users'].values())}.")
            os.environ |= {
                **QUIET_PREFECT,
                **connection_settings(facts, folder),
                "PREFECT_HOME": str(folder / "prefect"),
                **clients,
                "PREFECT_LOGGING_LEVEL": "WARNING",
                "SLACK_PAGE_SIZE": "1000",
                **({"REPORT_DIR": str(options.reports.absolute())} if options.reports else {}),
                "DOCEBO_CALLS_PER_HOUR": "1000000",  # the sandbox sets no limit
            }
            completed = asyncio.run(_acts())
            if completed:
                print("\n4. Real time: people change in Slack, and it arrives in Docebo.\n", flush=True)
                show_events(facts, folder)
    where = f"are in {options.reports}" if options.reports else "are kept with `make demo REPORTS=folder`"
    print(f"\nThe lists of each run, with operation, reason and outcome of whom it tells something new, {where}.")
    print("What the sandbox can do: sandbox/README.md. How it hangs together: docs/.")
    return 0 if completed else 1


async def _acts() -> bool:
    # Prefect reads its settings from the environment when it is imported, so it is imported with them in place.
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    from deployments.bootstrap import bootstrap
    from flows.bulk_import import bulk_import
    from slack_docebo.engine.reporting.troubles import Trouble
    from slack_docebo.integration_settings import table

    await bootstrap(table(SWITCHED_ON))
    for title, parameters in ACTS:
        print(f"\n{title}\n", flush=True)
        run: Any = bulk_import(**parameters, return_state=True)
        state = await run
        if not (state.is_completed() or state.name == Trouble.UNDECIDED):  # the sandbox has a few such people
            print(state.message, file=sys.stderr)
            return False
        async with get_client() as client:
            of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
            artifacts = await client.read_artifacts(artifact_filter=of_run)
        pages = [artifact for artifact in artifacts if artifact.type == "markdown"]
        in_order = sorted(pages, key=attrgetter("created"))  # the import, then what followed it
        print("\n\n".join(str(page.data) for page in in_order), flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
