"""`slack-docebo`: look, explain and repair from a shell, also while Prefect is down."""

import sys
from importlib.metadata import version

from cyclopts import App
from rich.console import Console

from slack_docebo.cli import plans
from slack_docebo.errors import (
    AlreadyRunning,
    ChangeLimitExceeded,
    ConfigurationError,
    PlanNotApplicable,
    SyncError,
)

EXIT_CODES: dict[type[SyncError], int] = {
    ConfigurationError: 2,
    PlanNotApplicable: 2,
    ChangeLimitExceeded: 3,
    AlreadyRunning: 4,
}
FAILED = 1

app = App(
    name="slack-docebo",
    help="Keeps Docebo Learn accounts in line with Slack profiles.\n\nExit codes: 0 done, 1 failed, 2 wrong settings or"
    " usage, 3 refused by a limit, 4 another run is at work, 5 done in part.",
    version=version("slack-docebo"),
)
app.command(plans.app)
app.register_install_completion_command()


def main() -> None:
    """Run one command; a known error is one line on standard error and the exit code for its kind."""
    try:
        sys.exit(app())
    except SyncError as error:
        Console(stderr=True).print(f"slack-docebo: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), FAILED))
