"""`slack-docebo forget`: what is kept of one person is erased."""

from typing import Annotated

from cyclopts import Parameter

from slack_docebo.cli.exit_codes import DONE, DONE_IN_PART
from slack_docebo.cli.output import Yes, confirm, note, say
from slack_docebo.engine.mappings.forgetting import Traces, find_person, traces
from slack_docebo.engine.mappings.forgetting import forget as forget_person
from slack_docebo.settings import ForgetSettings, load_settings
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store

Who = Annotated[str, Parameter(help="Slack id (U...) or e-mail address.")]


def forget(who: Who, /, *, yes: Yes = False) -> int:
    """Show what is kept about a person and, if that is confirmed, erase it; return the exit code."""
    settings = load_settings(ForgetSettings)
    with Store.open(settings.database_url.get_secret_value()) as store:
        slack_id = find_person(store, who)
        kept = traces(store, settings.report_dir, slack_id)
        if not kept.lines:
            say(f"Nothing is kept about {slack_id}.")
            return _conclude(kept)
        note(f"Kept about {slack_id}:", *kept.lines)
        if not yes:
            confirm("Erase it?", otherwise=f"nothing was erased: forgetting {slack_id} was not confirmed")
        # An import, or a run for named users, would write back what it has read.
        with RunLock(store, settings.docebo_url, PlanKind.BULK_IMPORT, holder="slack-docebo forget"):
            gone = forget_person(store, settings.report_dir, slack_id)
    say(f"{slack_id} is forgotten. Erased: {', '.join(gone.lines)}.")
    return _conclude(gone)


def _conclude(found: Traces) -> int:
    """Print the files that could not be cleaned, and return the exit code."""
    for file, why in found.left.items():
        note(f"{file} is left as it is: it {why}; look at it, and remove what has to go")
    return DONE_IN_PART if found.left else DONE
