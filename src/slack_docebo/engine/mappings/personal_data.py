"""What is stored about one person, on request: shown, given out, erased; and the person looked after again."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from slack_docebo.engine.mappings.exporting import write_export
from slack_docebo.engine.mappings.forgetting import Traces, forget, is_forgotten, remember, slack_id_of, traces
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import NotConfirmed
from slack_docebo.storage.store import Store


class PersonalDataRequest(StrEnum):
    """What is asked for."""

    SHOW = "show"
    GIVE_OUT = "give out"
    FORGET = "forget"
    LOOK_AFTER_AGAIN = "look after again"


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """What became of a request, without the person's data."""

    told: str
    lines: Sequence[str] = ()  # where how much is kept, or was
    is_whole: bool = True  # nothing is left to be done by hand
    next_steps: Sequence[Step] = ()


def fulfil(store: Store, report_dir: Path, request: PersonalDataRequest, slack_id: str, *, confirm: str) -> Fulfilled:
    """Do what is asked for, and tell it.

    Raises NotConfirmed where somebody is to be forgotten and *confirm* is not the Slack id.
    """
    slack_id_of(slack_id)
    was_forgotten = is_forgotten(store, slack_id)
    other = PersonalDataRequest.LOOK_AFTER_AGAIN if was_forgotten else PersonalDataRequest.FORGET
    match request:
        case PersonalDataRequest.SHOW:
            kept = traces(store, report_dir, slack_id)
            forgotten = "forgotten" if was_forgotten else "not forgotten"
            told = f"{slack_id} is {forgotten}, nothing was changed; kept is {_how_much(kept, was_forgotten)}"
            return Fulfilled(told, _lines(kept), next_steps=_steps(slack_id, PersonalDataRequest.GIVE_OUT, other))
        case PersonalDataRequest.GIVE_OUT:
            file = write_export(store, report_dir, slack_id)
            told = f"all that is kept about {slack_id} is in {file}, which only its owner can read"
            return Fulfilled(told, next_steps=_steps(slack_id, other))
        case PersonalDataRequest.FORGET:
            if confirm.strip() != slack_id:
                raise NotConfirmed(f"to forget {slack_id}, type that id as confirmation; nothing was erased")
            gone = forget(store, report_dir, slack_id)
            erased = _how_much(gone, was_forgotten)
            told = f"{slack_id} is forgotten, and no run looks after the person now; erased is {erased}"
            if gone.left:
                told += f"; left to be looked at by hand: {len(gone.left)} of the files on the worker's disk"
            back = _steps(slack_id, PersonalDataRequest.LOOK_AFTER_AGAIN)
            return Fulfilled(told, _lines(gone), is_whole=not gone.left, next_steps=back)
        case PersonalDataRequest.LOOK_AFTER_AGAIN:
            remember(store, slack_id)
            return Fulfilled(
                f"{slack_id} is looked after again: the next import brings the account in line, if in scope"
            )


def _steps(slack_id: str, *requests: PersonalDataRequest) -> list[Step]:
    words = {
        PersonalDataRequest.GIVE_OUT: "Give out all of it, to a file",
        PersonalDataRequest.FORGET: f"Forget the person: to confirm, type {slack_id}",
        PersonalDataRequest.LOOK_AFTER_AGAIN: "Look after the person again",
    }
    return [Step(words[one], "personal-data", {"slack_id": slack_id, "request": one}) for one in requests]


def _how_much(found: Traces, was_forgotten: bool) -> str:
    if found.lines:
        return "what the page lists"
    return "nothing" if was_forgotten else "nothing: is it the right id?"


def _lines(found: Traces) -> list[str]:
    return [*found.lines, *(f"{file} is left as it is: it {why}" for file, why in found.left.items())]
