"""What is kept of one person, on request: told, given out, erased, and the person looked after again."""

from enum import StrEnum
from pathlib import Path

from slack_docebo.engine.mappings.exporting import write_export
from slack_docebo.engine.mappings.forgetting import Traces, forget, is_forgotten, remember, slack_id_of, traces
from slack_docebo.errors import NotConfirmed
from slack_docebo.storage.store import Store


class PersonalDataRequest(StrEnum):
    """What is asked for."""

    SHOW = "show"
    GIVE_OUT = "give out"
    FORGET = "forget"
    LOOK_AFTER_AGAIN = "look after again"


def fulfil(store: Store, report_dir: Path, request: PersonalDataRequest, slack_id: str, *, confirm: str) -> list[str]:
    """Do what is asked for and tell it in lines, the first of which says the result; none holds the person's data.

    Raises NotConfirmed where somebody is to be forgotten and *confirm* is not the Slack id.
    """
    slack_id_of(slack_id)
    match request:
        case PersonalDataRequest.SHOW:
            kept = traces(store, report_dir, slack_id)
            forgotten = "forgotten" if is_forgotten(store, slack_id) else "not forgotten"
            return [f"{slack_id} is {forgotten}, nothing was changed; kept is what the page lists", *_lines(kept)]
        case PersonalDataRequest.GIVE_OUT:
            file = write_export(store, report_dir, slack_id)
            return [f"all that is kept about {slack_id} is in {file}, which only its owner can read"]
        case PersonalDataRequest.FORGET:
            if confirm.strip() != slack_id:
                raise NotConfirmed(f"nothing was erased: to forget {slack_id}, type that id as confirmation")
            gone = forget(store, report_dir, slack_id)
            by_hand = f"; {len(gone.left)} files are left to be looked at by hand" if gone.left else ""
            return [f"{slack_id} is forgotten, and no run looks after the person now{by_hand}", *_lines(gone)]
        case PersonalDataRequest.LOOK_AFTER_AGAIN:
            remember(store, slack_id)
            return [f"{slack_id} is looked after again: the next import brings the account in line, if in scope"]


def _lines(found: Traces) -> list[str]:
    return [*found.lines, *(f"{file} is left as it is: it {why}" for file, why in found.left.items())]
