"""`slack-docebo stop` and `go`: the order that nothing be written to Docebo, given and taken back."""

from typing import Annotated

from cyclopts import Parameter

from slack_docebo.cli.output import note
from slack_docebo.engine.writing import halting

Reason = Annotated[str, Parameter(help="Why, for those who meet the order.")]


def stop(*, reason: Reason = "") -> None:
    """Let no run write anything to Docebo from its next batch on."""
    note(halting.stop(reason))


def go() -> None:
    """Take the order back."""
    note(halting.go())
