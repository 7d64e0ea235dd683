"""Safe points: the places where a run that is told to end does so, with everything recorded and nothing half done."""

import threading

from slack_docebo.errors import ToBeContinued

_told = threading.Event()  # of this process: it has one run


def tell_to_end() -> None:
    """Let the run of this process end at its next safe point."""
    _told.set()


def is_told_to_end() -> bool:
    """Tell whether the run of this process is to end."""
    return _told.is_set()


def safe_point() -> None:
    """Raise ToBeContinued if the run is to end: called where nothing is under way."""
    if is_told_to_end():
        raise ToBeContinued(
            "the run was told to end, as when its worker is stopped or updated: the rest is still to do"
        )
