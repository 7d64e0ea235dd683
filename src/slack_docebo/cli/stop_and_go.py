"""`slack-docebo stop` and `go`: the order that nothing be written to Docebo, given and taken back."""

from typing import Annotated

from cyclopts import Parameter

from slack_docebo.cli.output import Json, note, show_json
from slack_docebo.engine.writing import halting

Reason = Annotated[str, Parameter(help="Why, for those who meet the order.")]


def stop(*, reason: Reason = "", json: Json = False) -> None:
    """Let no run write anything to Docebo from its next batch on."""
    _conclude(halting.stop(reason), stopped=True, json=json)


def go(*, json: Json = False) -> None:
    """Take the order back."""
    _conclude(halting.go(), stopped=False, json=json)


def _conclude(told: str, *, stopped: bool, json: bool) -> None:
    if json:
        show_json({"stopped": stopped, "told": told})
    else:
        note(told)
