"""`python -m deployments.ready`: wait for Prefect's server, make what is missing in it, and say where everything is."""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import httpx
from prefect.deployments import run_deployment
from prefect.settings import temporary_settings

from deployments.bootstrap import FAULTS, bootstrap, login_of, told
from deployments.settings_variable import is_missing
from slack_docebo.domain.texts import line
from slack_docebo.errors import SyncError
from slack_docebo.integration_settings import documented_rows, table
from slack_docebo.settings import ListeningSettings, PrefectSettings, load_settings

PATIENCE = 120.0  # seconds; a new database takes the server ten to twenty
SWITCHED_ON = {
    **{key: default for key, default, _ in documented_rows()},
    "PROVISION_SLACK_USER_DATA": "true",
    "MAP_SLACK_USER_DATA": "true",
}


def wait_for_server(api: str) -> bool:
    """Wait until Prefect answers; tell whether it did."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{api}/health", timeout=5).is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.3)  # a server tells nobody when it is ready: it is asked again
    return False


async def make(*, switched_on: bool) -> None:
    """Make work pool, settings and automations, each where it is missing."""
    rows = table(SWITCHED_ON) if switched_on and await is_missing() else None
    await bootstrap(rows)


async def begin_status_page() -> None:
    """Let the first worker write the status page, from which everything else is a click away."""
    await run_deployment("sweep/sweep", timeout=0, as_subflow=False)  # type: ignore[misc]  # (it is asynchronous in here)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployments.ready", description=__doc__)
    parser.add_argument(
        "--switched-on", action="store_true", help="a new table of settings has provisioning and mapping on"
    )
    parser.add_argument("--events", metavar="WORDS", help="how events come, where no webhook takes them")
    options = parser.parse_args(arguments)
    try:
        prefect = load_settings(PrefectSettings)
        host, port = load_settings(ListeningSettings).webhook_address
    except SyncError as error:
        print(f"ready: {error}", file=sys.stderr)
        return 2
    api, login = prefect.prefect_api_url, login_of(prefect)
    if not wait_for_server(api):
        print(f"Prefect does not answer at {api}: start it, or set PREFECT_API_URL", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "deployments.prefect_command", "--no-prompt", "deploy", "--all"]
    try:
        with temporary_settings(login):
            asyncio.run(make(switched_on=options.switched_on))
            deployed = subprocess.run(command, env={**os.environ, **login}, capture_output=True, text=True, check=False)
            if deployed.returncode:
                print(deployed.stdout + deployed.stderr, file=sys.stderr)
                return deployed.returncode
            asyncio.run(begin_status_page())
    except FAULTS as error:
        print(line(f"ready: {told(error)}"), file=sys.stderr)
        return 2
    print("\nReady.")
    print(
        f"  Prefect      {api.removesuffix('/api')}   start with Deployments: search for import-everybody, then Run, Custom run"
    )
    print(
        "  Status page  there, in a moment: Artifacts, slack-docebo-status; it says what to do, and links to every form"
    )
    print(f"  Slack events {options.events or f'http://{host}:{port}/slack/events'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
