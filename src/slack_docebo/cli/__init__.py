"""`slack-docebo`: look, explain and repair from a shell, also while Prefect is down."""

import sys
from importlib.metadata import version

from cyclopts import App, CycloptsError
from rich.console import Console

from slack_docebo.cli import events, manifest, mappings, plans
from slack_docebo.cli.doctor import doctor
from slack_docebo.cli.explain import explain
from slack_docebo.cli.forget import forget
from slack_docebo.cli.orphans import orphans
from slack_docebo.cli.undo import undo
from slack_docebo.errors import (
    AccessDenied,
    AlreadyRunning,
    ChangeLimitExceeded,
    ConfigurationError,
    ContractViolation,
    NotConfirmed,
    PlanNotApplicable,
    StorageError,
    SyncError,
    TooManyRejected,
    WorkspaceMismatch,
)

EXIT_CODES: dict[type[SyncError], int] = {
    ConfigurationError: 2,
    AccessDenied: 2,
    ContractViolation: 2,
    WorkspaceMismatch: 2,
    StorageError: 2,
    PlanNotApplicable: 2,
    ChangeLimitExceeded: 3,
    NotConfirmed: 3,
    AlreadyRunning: 4,
    TooManyRejected: 5,
}
FAILED = 1
WRONG_USAGE = 2

app = App(
    name="slack-docebo",
    help="Keeps Docebo Learn accounts in line with Slack profiles.\n\nExit codes: 0 done, 1 failed, 2 wrong usage,"
    " settings, rights or database, 3 refused by a limit or not confirmed, 4 another run is at work, 5 done in part.",
    version=version("slack-docebo"),
)
app.command(doctor)
app.command(manifest.app)
app.command(plans.app)
app.command(mappings.app)
app.command(events.app)
app.command(explain)
app.command(undo)
app.command(orphans)
app.command(forget)
app.register_install_completion_command()


def main() -> None:
    """Run one command; a known error is one line on standard error and the exit code for its kind."""
    try:
        sys.exit(app(exit_on_error=False))
    except CycloptsError:  # printed already
        sys.exit(WRONG_USAGE)
    except SyncError as error:
        Console(stderr=True).print(f"slack-docebo: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), FAILED))
