"""What commands print: a table or lines for people, JSON for programs."""

import json as json_
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from slack_docebo.errors import ConfigurationError, NotConfirmed

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of text.")]

Yes = Annotated[bool, Parameter(negative="", help="Do not ask.")]


def show_rows(rows: Sequence[Mapping[str, Any]], *, json: bool, empty: str) -> None:
    """Print *rows* as a table with the keys of the first as its head, or *empty* where there are none."""
    if json:
        show_json(list(rows))
    elif not rows:
        Console().print(empty)
    else:
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
        Console().print(table)


def show_markdown(text: str) -> None:
    """Print *text*, which is Markdown, laid out for a terminal."""
    from rich.markdown import Markdown  # takes as long to import as the rest of rich, and few commands need it

    Console().print(Markdown(text))


def note(text: str) -> None:
    """Print a remark for people, out of the way of what programs read."""
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


def confirm(question: str, *, otherwise: str) -> None:
    """Ask, and raise NotConfirmed with *otherwise* unless the answer is yes.

    Raises ConfigurationError where nobody is there to answer.
    """
    if not sys.stdin.isatty():
        raise ConfigurationError("nobody is there to confirm: add --yes")
    try:
        answer = Console(stderr=True).input(f"{question} [y/N] ", markup=False)
    except EOFError:  # Ctrl-D
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise NotConfirmed(otherwise)


def show_json(value: Any) -> None:
    """Print *value* as JSON."""
    print(json_.dumps(value, ensure_ascii=False, indent=2, default=str))  # noqa: T201
