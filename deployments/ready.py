"""`python -m deployments.ready`: wait for Prefect's server, make what is missing in it, and say where everything is."""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import httpx

from deployments import bootstrap
from slack_docebo.domain.texts import line
from slack_docebo.errors import SyncError
from slack_docebo.integration_settings import table
from slack_docebo.settings import PrefectSettings, load_settings

PATIENCE = 120.0  # seconds; a new database takes the server ten to twenty
SWITCHED_ON = {
    **{row["key"]: row["value"] for row in bootstrap.starting_rows()},
    "PROVISION_SLACK_USER_DATA": "true",
    "MAP_SLACK_USER_DATA": "true",
}


async def settings_are_missing() -> bool:
    """Tell whether the table of settings has yet to be made."""
    return await bootstrap.Variable.aget(bootstrap.VARIABLE) is None


def wait_for_server(api: str) -> bool:
    """Wait until Prefect answers; tell whether it did."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{api}/health", timeout=5).is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    return False


async def make(*, switched_on: bool) -> None:
    """Make work pool, settings and automations, each where it is missing."""
    rows = table(SWITCHED_ON) if switched_on and await settings_are_missing() else None
    await bootstrap.bootstrap(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployments.ready", description=__doc__)
    parser.add_argument("--switched-on", action="store_true", help="a new table of settings has both recipes on")
    options = parser.parse_args(arguments)
    try:
        api = load_settings(PrefectSettings).prefect_api_url
    except SyncError as error:
        print(f"ready: {error}", file=sys.stderr)
        return 2
    if not wait_for_server(api):
        print(f"Prefect does not answer at {api}: start it, or set PREFECT_API_URL", file=sys.stderr)
        return 1
    try:
        asyncio.run(make(switched_on=options.switched_on))
    except (SyncError, httpx.HTTPStatusError) as error:
        print(line(f"ready: {bootstrap.told(error)}"), file=sys.stderr)
        return 2
    deployed = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], capture_output=True, text=True, check=False
    )
    if deployed.returncode:
        print(deployed.stdout + deployed.stderr, file=sys.stderr)
        return deployed.returncode
    webhook = f"http://{os.environ.get('WEBHOOK_HOST', '127.0.0.1')}:{os.environ.get('WEBHOOK_PORT', '8400')}"
    print("\nReady.")
    print(f"  Prefect      {api.removesuffix('/api')}   start with Deployments, bulk-import/manual, Run, Custom run")
    print(f"  Settings     {api.removesuffix('/api')}/variables")
    print(f"  Slack events {webhook}/slack/events", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
