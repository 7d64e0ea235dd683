"""`slack-docebo forget` and `remember`: what is kept of one person is erased, and runs leave the person alone, or not."""

from typing import Annotated

from cyclopts import Parameter

from slack_docebo.cli.exit_codes import DONE, DONE_IN_PART
from slack_docebo.cli.output import Json, Yes, confirm, note, say, show_done, show_json
from slack_docebo.cli.store import open_store, outdate_status_page
from slack_docebo.engine.mappings.forgetting import Traces, find_person, is_forgotten, traces
from slack_docebo.engine.mappings.forgetting import forget as forget_person
from slack_docebo.engine.mappings.forgetting import remember as remember_person
from slack_docebo.settings import ForgetSettings, load_settings
from slack_docebo.storage.gate import import_lock

Who = Annotated[str, Parameter(help="Slack id (U...) or e-mail address.")]


def forget(who: Who, /, *, yes: Yes = False, json: Json = False) -> int:
    """Show what is kept about a person and, if that is confirmed, erase it for good; return the exit code."""
    settings = load_settings(ForgetSettings)
    with open_store(settings) as store:
        slack_id = find_person(store, who)
        kept = traces(store, settings.report_dir, slack_id)
        if not kept.lines:
            if is_forgotten(store, slack_id):
                return _conclude(slack_id, kept, f"Nothing is kept about {slack_id}.", json=json)
            note(f"Nothing is kept about {slack_id}.")
        else:
            note(f"Kept about {slack_id}:", *kept.lines)
        if not yes:
            question = "Erase it, and let no run look after this person until you say `slack-docebo remember`?"
            confirm(question, otherwise=f"nothing was erased: forgetting {slack_id} was not confirmed", word=slack_id)
        # An import, or a run for named users, would write back what it has read.
        with import_lock(store, settings.docebo_url, holder="slack-docebo forget"):
            gone = forget_person(store, settings.report_dir, slack_id)
        outdate_status_page(store)
    erased = ", ".join(gone.lines) or "nothing"
    told = f"{slack_id} is forgotten. Erased: {erased}. No run looks after this person now."
    return _conclude(slack_id, gone, told, json=json)


def remember(who: Who, /, *, json: Json = False) -> None:
    """Let runs look after a person again who was forgotten."""
    with open_store() as store:
        remember_person(store, who)
    told = (
        f"{who.strip()} is looked after again: the next import brings the account in line, if the person is in scope."
    )
    show_done(told, {"who": who.strip(), "looked_after": True}, json=json)


def _conclude(slack_id: str, found: Traces, told: str, *, json: bool) -> int:
    """Print what was erased and which files could not be cleaned, and return the exit code."""
    if json:
        left = {str(file): why for file, why in found.left.items()}
        show_json({"slack_id": slack_id, "forgotten": True, "erased": found.lines, "left": left})
    else:
        say(told)
    for file, why in found.left.items():
        note(f"{file} is left as it is: it {why}; look at it, and remove what has to go")
    return DONE_IN_PART if found.left else DONE
