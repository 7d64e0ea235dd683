"""The command line against a sandbox and with Prefect down: in this process, or as one of its own where that matters."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch

from slack_docebo.cli import main
from tests.waiting import PATIENCE_SECONDS

PROGRAM = (sys.executable, "-c", "from slack_docebo.cli import main; main()")
NO_PREFECT = "http://127.0.0.1:9/api"  # nobody listens there


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


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


def run(env: Mapping[str, str], *arguments: str, stdin: TextIO | None = None) -> Ended:
    """Run one command to its end in this process; in a thread, for both it and the test may have an event loop."""
    with ThreadPoolExecutor(1) as thread, patch.dict(os.environ, env, clear=True):
        return thread.submit(_run, ["slack-docebo", *arguments], stdin or io.StringIO()).result()


def run_at_terminal(env: Mapping[str, str], *arguments: str, typed: str) -> Ended:
    """Run one command to its end at a terminal, into which *typed* was typed ahead."""
    with _terminal(typed) as terminal, open(terminal, closefd=False) as stdin:
        return run(env, *arguments, stdin=stdin)


def run_process_at_terminal(env: Mapping[str, str], *arguments: str, typed: str) -> Ended:
    """Do the same with a process of its own."""
    with _terminal(typed) as terminal:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            stdin=terminal,
        )
    return Ended(done.returncode, done.stdout, done.stderr)


def start(env: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Start a command as a process of its own and leave it running."""
    return subprocess.Popen(
        [*PROGRAM, *arguments], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _run(words: list[str], stdin: TextIO) -> Ended:
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), patch.multiple(sys, argv=words, stdin=stdin):
        try:
            main()
        except SystemExit as ended:
            return Ended(int(ended.code or 0), stdout.getvalue(), stderr.getvalue())
    raise AssertionError("a command ends with an exit code")


@contextmanager
def _terminal(typed: str) -> Iterator[int]:
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, typed.encode())
        yield terminal
    finally:
        os.close(keyboard)
        os.close(terminal)
