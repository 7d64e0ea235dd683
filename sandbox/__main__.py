"""`python -m sandbox`: start both servers, say where they are and what they contain, run until stopped."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence

from sandbox.server import Sandbox


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--users", type=int, default=500, help="users of the Slack workspace, of every kind (500)")
    parser.add_argument("--seed", type=int, default=7, help="which workspace it is: same seed, same people (7)")
    parser.add_argument(
        "--docebo-users",
        type=int,
        metavar="N",
        help="Slack people who have a Docebo account already (a few percent; 0: an empty Docebo)",
    )
    parser.add_argument("--slack-port", type=int, default=0, help="port of Slack (a free one)")
    parser.add_argument("--docebo-port", type=int, default=0, help="port of Docebo (a free one)")
    parser.add_argument("--latency-ms", type=float, default=0, help="time every API call takes at least (0)")
    parser.add_argument("--no-rate-limits", action="store_true", help="let Slack admit any number of calls")
    parser.add_argument(
        "--time-scale", type=float, default=1, help="length of a limit's window and of event retries: 0.1 is a tenth"
    )
    parser.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set what is not known of Docebo; see sandbox/README.md",
    )
    parser.add_argument(
        "--hierarchy", action="store_true", help="departments and managers, by SCIM, and a branch for each department"
    )
    parser.add_argument("--request-url", help="where Slack delivers events to")
    parser.add_argument(
        "--signing-secret",
        default=os.environ.get("SLACK_SIGNING_SECRET"),
        help="what Slack signs deliveries with (SLACK_SIGNING_SECRET, which the list of processes does not show)",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as one line of JSON")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM and return the exit code."""
    options = parse(arguments)
    try:
        sandbox = Sandbox(
            options.users,
            options.seed,
            docebo_users=options.docebo_users,
            latency_ms=options.latency_ms,
            rate_limits=not options.no_rate_limits,
            time_scale=options.time_scale,
            switches=dict(setting.split("=", 1) if "=" in setting else (setting, "on") for setting in options.switch),
            request_url=options.request_url,
            signing_secret=options.signing_secret,
            slack_port=options.slack_port,
            docebo_port=options.docebo_port,
            hierarchy=options.hierarchy,
        )
    except ValueError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with sandbox:
            facts = sandbox.facts()
            print(json.dumps(facts) if options.json else describe(facts), flush=True)
            stopped.wait()
    except OSError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


def describe(facts: dict[str, object]) -> str:
    """Return *facts* for people to read."""
    lines = []
    for name, value in facts.items():
        text = str(value)
        if isinstance(value, dict):
            text = f"{sum(value.values())}: " + ", ".join(f"{count} {kind}" for kind, count in value.items())
        lines.append(f"{name.replace('_', ' '):22}{text}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
