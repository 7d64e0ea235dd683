"""What commands print: a table or lines for people, JSON for programs. Text of others is never read as markup."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter, validators
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from slack_docebo.domain.texts import as_json, line
from slack_docebo.errors import ConfigurationError, NotConfirmed

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of text.")]

MOST_SHOWN = 1_000_000
Limit = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=MOST_SHOWN), help="How many at the most.")]


def required(advice: str) -> Callable[[object, object], None]:
    """Return the validator of an argument that must not be blank; *advice* is its message."""

    def validate(_type: object, given: object) -> None:
        if given == Path() or not str(given).strip():  # an empty path is the folder one is in
            raise ConfigurationError(advice)

    return validate


NamedFile = Annotated[Path, Parameter(validator=required("no file is named: give its path"))]

Yes = Annotated[bool, Parameter(negative="", help="Do not ask.")]

WIDEST = 10_000  # columns of a table where there is no terminal

Row = TypeVar("Row")


def show_rows(rows: Sequence[Mapping[str, Any]], *, json: bool, empty: str) -> None:
    """Print *rows* as a table with the keys of the first as its head, or *empty* if there are none.

    No word is shortened or broken, for ids are copied: if the terminal is too narrow, each row becomes a paragraph.
    Without a terminal a table takes the width it needs.
    """
    if json:
        show_json(list(rows))
    elif not rows:
        say(empty)
    else:
        cells = [list(map(_text, row.values())) for row in rows]
        names = list(map(_text, rows[0]))
        longest = [max(_longest_word(text) for text in column) for column in zip(names, *cells, strict=True)]
        table = Table(*(Column(header=name, min_width=width) for name, width in zip(names, longest, strict=True)))
        for row in cells:
            table.add_row(*row)
        console = Console(soft_wrap=True)
        if not console.is_terminal:
            unbounded = console.options.update(width=WIDEST)
            console.width = max(console.width, console.measure(table, options=unbounded).maximum)
        if sum(longest) + 3 * len(longest) + 1 <= console.width:
            console.print(table, soft_wrap=False)
        else:
            for row in cells:
                for name, cell in zip(names, row, strict=True):
                    console.print(Text.assemble(name, ": ", cell))
                console.print()


def first(rows: Iterable[Row], limit: int) -> list[Row]:
    """Return the first *limit* of *rows*, and say on standard error where there are more."""
    some = list(islice(rows, limit + 1))
    if len(some) > limit:
        note(f"These are the first {limit}: --limit shows more.")
    return some[:limit]


def show_markdown(text: str) -> None:
    """Print the Markdown *text* laid out for a terminal; text of others in it has to be escaped already."""
    from rich.markdown import Markdown  # takes as long to import as the rest of rich, and few commands need it

    Console().print(Markdown(text))


def say(text: str) -> None:
    """Print one line."""
    Console(soft_wrap=True).print(_text(text))


def show_done(told: str, facts: Mapping[str, Any], *, json: bool) -> None:
    """Print what was done: the line *told* for people, or the *facts* for programs."""
    if json:
        show_json(facts)
    else:
        say(told)


def note(*texts: str, style: str = "") -> None:
    """Print each text as one line on standard error, apart from what programs read."""
    console = Console(stderr=True, soft_wrap=True)
    for text in texts:
        console.print(_text(text, style))


def confirm(question: str, *, otherwise: str, word: str = "") -> None:
    """Ask the *question*; raise NotConfirmed with the message *otherwise* unless the answer is yes or, if given, *word*.

    Raises ConfigurationError if there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise ConfigurationError("nobody is there to confirm: add --yes")
    try:
        answer = Console(stderr=True).input(_text(f"{question} [{f'type {word}' if word else 'y/N'}] "))
    except EOFError:  # Ctrl-D
        answer = ""
    if (answer.strip() != word) if word else (answer.strip().lower() not in {"y", "yes"}):
        raise NotConfirmed(otherwise)


def show_json(value: Any) -> None:
    """Print *value* as JSON."""
    print(as_json(value, indent=2), flush=True)  # noqa: T201  (flush: who reads may be gone, which main looks after)


def _longest_word(text: Text) -> int:
    """Return how many columns of a terminal the longest word of *text* takes, at least one."""
    return max([1, *map(cell_len, text.plain.split())])


def _text(value: object, style: str = "") -> Text:
    """Return *value* as a Text, which rich prints as it is; in a `str` it would read markup and names of emoji."""
    return Text("" if value is None else line(str(value)), style)
