"""`slack-docebo`: look, explain and repair from a shell, also while Prefect is down."""

import os
import sys
import traceback
from importlib.metadata import version

from cyclopts import App, CycloptsError

from slack_docebo.cli.exit_codes import FAILED, WRONG_USAGE, code_for
from slack_docebo.cli.output import note
from slack_docebo.errors import SyncError
from slack_docebo.redaction import redact_logs, redacted

app = App(
    name="slack-docebo",
    help="Keeps Docebo Learn accounts in line with Slack profiles.\n\nExit codes: 0 done, 1 failed or nobody found, 2 wrong usage,"
    " settings, rights or database, 3 refused by a limit, stopped or not confirmed, 4 another run is at work, 5 done in part.",
    version=version("slack-docebo"),
)
# By name, so that a command imports only what it works with: nobody waits for Slack's client to look at plans.
app.command(
    "slack_docebo.cli.doctor:doctor",
    help="Examine settings, database, Prefect, Slack, Docebo, request URL and notifications; exit code 1 if one fails."
    "\n\nNothing is changed, apart from bringing the database to its newest revision, and no message is sent.",
)
app.command(
    "slack_docebo.cli.dialect:app",
    name="dialect",
    help="Show what is assumed and known of this Docebo where its documentation leaves it open; set and forget answers.",
)
app.command(
    "slack_docebo.cli.manifest:app",
    name="manifest",
    help="Print the Slack app's manifest and the link that creates the app from it.",
)
app.command("slack_docebo.cli.plans:app", name="plan", help="List, show, compare, make and apply plans.")
app.command(
    "slack_docebo.cli.mappings:app", name="mappings", help="List, export, import, restore and rebuild the mappings."
)
app.command("slack_docebo.cli.settings_table:app", name="settings", help="Export the table of settings.")
app.command("slack_docebo.cli.events:app", name="events", help="List, show and replay Slack's events.")
app.command(
    "slack_docebo.cli.explain:explain",
    help="Explain one person: both sides compared, what an import would do and why, and what was done before."
    "\n\nNothing is written. The attributes' values are shown here, on the terminal, and nowhere else. Exit code 1"
    " where neither Slack nor Docebo nor the journal know anybody by what was given.",
)
app.command(
    "slack_docebo.cli.decide:app",
    name="decide",
    help="Decide about single people: never this one; leave it so; this account; none was made. List that, or take it back.",
)
app.command(
    "slack_docebo.cli.fields:fields",
    help="List the fields of both sides with types and options, and which rules of ATTRIBUTES read or fill them.",
)
app.command("slack_docebo.cli.attributes:app", name="attributes", help="Try out the attribute mapping.")
app.command(
    "slack_docebo.cli.undo:undo",
    help="Plan the inverse of what a run did: attributes, status and mappings as they were before; show it."
    "\n\nThe plan is saved: apply it with `plan apply`, or at once with --apply. What has changed since is skipped.",
)
app.command(
    "slack_docebo.cli.orphans:orphans",
    help="List accounts without Slack user, mappings without account or Slack user, and people with several accounts."
    "\n\nReads both sides in full and writes nothing to them.",
)
app.command(
    "slack_docebo.cli.stop_and_go:stop",
    help="Stop: no run writes anything to Docebo from its next batch on; what is planned or waits stays.",
)
app.command("slack_docebo.cli.stop_and_go:go", help="Let runs write again after `stop`.")
app.command(
    "slack_docebo.cli.relink:relink",
    help="Link the database to the Docebo at DOCEBO_URL, after that was changed: the same platform at a new address, or"
    " another one.\n\nNo account and no mapping is changed.",
)
app.command(
    "slack_docebo.cli.forget:forget",
    help="Erase a person from inbox, mapping, journal and the files below REPORT_DIR, after showing what is kept."
    "\n\nThe Docebo account is not touched. No run looks after the person any more, until you say `remember`.",
)
app.command("slack_docebo.cli.person:app", name="person", help="Export everything that is kept about one person.")
app.command("slack_docebo.cli.forget:remember", help="Let runs look after a person again who was forgotten.")
app.register_install_completion_command()


def main() -> None:
    """Run one command; a known error is one line on standard error and the exit code for its kind."""
    redact_logs()
    try:
        sys.exit(app(sys.argv[1:], exit_on_error=False, print_error=False))
    except CycloptsError as error:
        note(f"slack-docebo: {error}", style="red")
        sys.exit(WRONG_USAGE)
    except SyncError as error:
        note(f"slack-docebo: {error}", style="red")
        sys.exit(code_for(error))
    except BrokenPipeError:  # who reads has seen enough, like `head`; what is left is written when the process ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception:  # unforeseen: its message may hold anything
        note(*redacted(traceback.format_exc()).splitlines())
        sys.exit(FAILED)
