"""The command line as a process of its own, against a sandbox and with Prefect down."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-c", "from slack_docebo.cli import main; main()")
NO_PREFECT = "http://127.0.0.1:9/api"  # nobody listens there


def environment(facts: Mapping[str, Any], database_url: str, folder: Path, **changes: str) -> dict[str, str]:
    """Return the environment in which commands work on the sandbox with these *facts*."""
    return {
        **os.environ,
        "SLACK_BOT_TOKEN": facts["slack_token"],
        "SLACK_API_URL": facts["slack_url"],
        "DOCEBO_URL": facts["docebo_url"],
        "DOCEBO_CLIENT_ID": facts["docebo_client_id"],
        "DOCEBO_CLIENT_SECRET": facts["docebo_client_secret"],
        "DOCEBO_CALLS_PER_HOUR": "1000000",
        "DATABASE_URL": database_url,
        "REPORT_DIR": str(folder / "reports"),
        "PREFECT_API_URL": NO_PREFECT,
        "COLUMNS": "200",
        **changes,
    }


def run(env: Mapping[str, str], *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False, stdin=stdin
    )


def run_at_terminal(env: Mapping[str, str], *arguments: str, typed: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end at a terminal, into which *typed* was typed ahead."""
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, typed.encode())
        return run(env, *arguments, stdin=terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)


def start(env: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Start a command and leave it running."""
    return subprocess.Popen(
        [*PROGRAM, *arguments], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
