"""Expressions: formulas in CEL, the Common Expression Language, with our sources, tables and functions.

What is ours is written as in other rules, `custom:"Cost centre"` and `table(centres, title)`, which is no CEL. It is
replaced by names of the same length, so that the place of an error is the place in what was written.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, Self

from slack_docebo.domain.formulas import TABLE_NAME, Result
from slack_docebo.domain.lookup import LookupTable, NoValue
from slack_docebo.domain.names import clean
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.sources import PREFIXES, SOURCES, UNKNOWN_SOURCE, is_source, said

LONGEST_EXPRESSION = 1000  # characters
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PREFIXED = rf"(?:{'|'.join(map(re.escape, PREFIXES))})(?:\"[^\"]+\"|\w+)"
# A text in CEL: in quotes, three of them for one with line breaks; in a raw one a backslash is a backslash.
_QUOTED = r'"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"'
_QUOTED += r"|(?<!\w)(?:'''(?:[^\\]|\\.)*?'''|'(?:[^'\\\n]|\\.)*')"
_RAW = r'(?<!\w)[rR](?:"[^"\n]*"|'
_RAW += r"'[^'\n]*')"
TEXT = f"{_RAW}|{_QUOTED}"
COMMENT = r"//[^\n]*"
_TOKEN = re.compile(
    rf"(?P<text>{TEXT}|{COMMENT})|(?P<table>table\([ \t]*(?P<name>{TABLE_NAME.pattern})[ \t]*,)"
    rf"|(?P<source>{_PREFIXED})|(?P<member>\.\s*{WORD.pattern})|(?P<call>{WORD.pattern}\s*\()|(?P<word>\w+)",
    re.DOTALL,
)


class Program(Protocol):
    """A compiled expression."""

    def __call__(self, values: Mapping[str, str]) -> str | NoValue:
        """Return the value of the expression with these *values* of its names."""


LookUp = Callable[[str], str | NoValue]


class Compile(Protocol):
    """The port to the engine that reads and evaluates expressions."""

    def __call__(self, text: str, names: Mapping[str, str], tables: Mapping[str, LookUp]) -> Program:
        """Return the program of *text*, in which *names* are texts, and *tables* functions from a text to another.

        Raises ValueError that says where and why it is none whose result is a text.
        """


class _Prepared(NamedTuple):
    text: str  # as the engine takes it
    names: Mapping[str, str]  # of the sources, by the names that stand for them there
    tables: Mapping[str, str]  # the names of tables, by those of the functions that stand for them there


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula in CEL."""

    text: str
    names: Mapping[str, str] = field(repr=False)  # of the sources, by those in the program
    tables: tuple[str, ...] = field(repr=False)
    engine: Compile = field(compare=False, repr=False)
    program: Program | None = field(compare=False, repr=False)  # None: its tables were not read

    @classmethod
    def of(cls, text: str, engine: Compile) -> Self:
        """Return the expression; raise ValueError that says where and why it cannot be used."""
        if len(text) > LONGEST_EXPRESSION:
            raise ValueError(f"an expression of {len(text):,} characters: at most {LONGEST_EXPRESSION:,} are allowed")
        if unreadable := re.search("[\ud800-\udfff\0]", text):
            raise ValueError(f"at character {unreadable.start() + 1}: half an emoji, or no character at all")
        found = _prepared(text)
        program = engine(found.text, found.names, dict.fromkeys(found.tables, _not_read))
        tables = tuple(dict.fromkeys(found.tables.values()))
        return cls(text, found.names, tables=tables, engine=engine, program=None if tables else program)

    def __str__(self) -> str:
        return self.text

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.names.values()))

    def result(self, user: SourceUser) -> Result:
        if self.program is None:
            return None
        values: dict[str, str] = {}
        for name, source in self.names.items():
            value = said(user, source)
            if value is None:
                return None
            values[name] = value
        found = self.program(values)
        return clean(found) if isinstance(found, str) else found  # two empty texts with a blank between them are none

    def with_sources(self, renamed: Callable[[str], str]) -> Self:
        return replace(self, names={name: renamed(source) for name, source in self.names.items()})

    def with_tables(self, tables: Mapping[str, LookupTable]) -> Self:
        if not self.tables or not tables.keys() >= set(self.tables):
            return self
        found = _prepared(self.text)
        functions = {function: tables[name].find for function, name in found.tables.items()}
        return replace(self, program=self.engine(found.text, found.names, functions))


def _not_read(value: str) -> NoValue:
    return NoValue(value, "its table was not read")


def _prepared(text: str) -> _Prepared:
    """Return *text* with names of CEL in place of ours; raise ValueError for a source that there is not.

    The engine cannot tell: to it, each source is a name of that text.
    """
    names: dict[str, str] = {}
    tables: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        written = found[0]
        if found["table"]:
            function = f"table_{found['name']}"
            tables[function] = found["name"]
            return f"{function}(".rjust(len(written))
        if found["source"]:
            source = written.replace('"', "")
            if not is_source(source):
                raise ValueError(f"{place_in(text, found.start())}: {UNKNOWN_SOURCE}")
            known = (name for name, one in names.items() if one == source and len(name) == len(written))
            name = next(known, f"s{len(names)}".ljust(len(written), "_"))
            names[name] = source
            return name
        if found["word"] and written in SOURCES:
            names[written] = written
        return written

    return _Prepared(_TOKEN.sub(stand_in, text), names, tables)


def place_in(text: str, start: int) -> str:
    """Return how the place is told that is *start* characters behind the beginning of *text*."""
    lines = text[: start + 1].split("\n")
    return place_of(len(lines), len(lines[-1]))


def place_of(line: int, character: int) -> str:
    """Return how a place in an expression is told; both are counted from 1."""
    return f"at character {character}" if line == 1 else f"at line {line}, character {character}"
