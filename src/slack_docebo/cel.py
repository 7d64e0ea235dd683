"""The engine of expressions: Google's implementation of CEL, which infers the types before anything is evaluated."""

import re
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from slack_docebo.domain.expressions import COMMENT, TEXT, LookUp, Program, place_in, place_of
from slack_docebo.domain.functions import FUNCTIONS, NoValueError
from slack_docebo.domain.lookup import NoValue
from slack_docebo.domain.sources import CUSTOM, SOURCES

if TYPE_CHECKING:
    from cel_expr_python import cel

P = ParamSpec("P")
NOT_INSTALLED = "expressions need the package cel-expr-python: install `slack-docebo[expressions]`"
WITHOUT_LOOPS = "stdlib:\n  disable_macros: true\n"  # all, exists, filter and map are the only loops of CEL
NOT_WORKED_OUT = "its expression cannot be worked out"
TABLE_TAKES = "table(...) takes the name of a table, in small letters without quotes, and a text"
NO_EXPRESSION = "the engine of expressions does not take it"
_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (?:Syntax error: )?(.*)$", re.MULTILINE)
_UNKNOWN = re.compile(r"undeclared reference to '(.*?)'")
_IN_WORDS = (  # what the engine says, and what that means to who has written the rule
    (
        re.compile(r"extraneous input .*"),
        "this is too much: a comma, an operator like +, or quotes are missing before it",
    ),
    (re.compile(r"(?:mismatched input|no viable alternative at input) the end"), "the end cannot stand here"),
    (re.compile(r"(?:mismatched input|no viable alternative at input) .*"), "this cannot stand here"),
    (re.compile(r"missing (.*?) at .*"), r"\1 is missing before this"),
    (re.compile(r"token recognition error at: '=.*"), "one = means nothing here: == compares"),
    (re.compile(r"token recognition error at: .*"), "this means nothing here: a text stands in straight quotes"),
    (
        re.compile(r"found no matching overload for '_\?_:_' applied to '\((?!bool).*"),
        'what stands before ? has to be a comparison, like title == "Head"',
    ),
    (
        re.compile(r"found no matching overload for '_\?_:_' .*"),
        "what stands before and behind : has to be of one kind",
    ),
    (
        re.compile(r"found no matching overload for '[@_]*([^_].*?)_?' applied to '\((.*)\)'"),
        r"\1 does not go with these values: \2",
    ),
)
# A pattern that is written as a text in quotes; within another text, or a comment, there is none.
_PATTERN = re.compile(rf"\bmatches\s*\((?:[^()\"']*,)?\s*(?P<pattern>{TEXT})\s*\)|{TEXT}|{COMMENT}", re.DOTALL)
_WRONG_PATTERN = re.compile(r"invalid regular expression: ([^:]*)")
_raised = threading.local()  # what a function of ours has raised: the engine tells no more than its words


def compiled(text: str, names: Mapping[str, str], tables: Mapping[str, LookUp]) -> Program:
    """Return the program of *text*; raise ValueError that says where and why it is none whose result is a text."""
    try:
        from cel_expr_python import cel
    except ImportError:
        raise ValueError(NOT_INSTALLED) from None
    environment = cel.NewEnv(
        config=cel.NewEnvConfigFromYaml(WITHOUT_LOOPS),
        variables=dict.fromkeys(names, cel.Type.STRING),
        functions=_functions(cel, tables),
    )
    try:
        expression = environment.compile(text)
    except RuntimeError as error:
        raise ValueError(_explained(str(error))) from None
    if (result := expression.return_type()) != cel.Type.STRING:
        raise ValueError(
            f"the result is {result.name().lower()} and should be a text: write string(...) or a choice of two texts"
        )
    for found in _PATTERN.finditer(text):
        if (pattern := found["pattern"]) and (wrong := _wrong_in(environment, pattern)):
            raise ValueError(f"{place_in(text, found.start('pattern'))}: this pattern is wrong: {wrong}")

    def evaluate(values: Mapping[str, str]) -> str | NoValue:
        _raised.by = None
        found = expression.eval(data=values)
        if found.type() == cel.Type.STRING:
            return str(found.value())
        raised: NoValue | None = _raised.by
        error = str(found.value())
        # An error does not always end an evaluation: `||` takes a true right side for an answer.
        return raised if raised and raised.why in error else NoValue(error, NOT_WORKED_OUT)

    return evaluate


def _wrong_in(environment: Any, pattern: str) -> str:
    """Return what is wrong with a *pattern*, a text in quotes, in the engine's words; "" if nothing is."""
    found = environment.compile(f"''.matches({pattern})").eval(data={})
    wrong = _WRONG_PATTERN.search(str(found.value()))
    return wrong[1] if wrong else ""


def _functions(cel: Any, tables: Mapping[str, LookUp]) -> list["cel.FunctionDecl"]:
    kinds = {str: cel.Type.STRING, int: cel.Type.INT}
    overloads: dict[str, list[cel.Overload]] = {}

    def declare(name: str, takes: tuple[type, ...], does: Callable[..., str | NoValue]) -> None:
        overloads.setdefault(name, []).append(
            cel.Overload(
                "_".join([name, *(kind.__name__ for kind in takes)]),
                return_type=cel.Type.STRING,
                parameters=[kinds[kind] for kind in takes],
                impl=_raising_no_value(does),
            )
        )

    for signature in FUNCTIONS:
        declare(*signature)
    for name, look_up in tables.items():
        declare(name, (str,), look_up)
    return [cel.FunctionDecl(name, ways) for name, ways in overloads.items()]


def _raising_no_value(does: Callable[P, str | NoValue]) -> Callable[P, str]:
    """Return the function as the engine can call it: what it has no value for is kept, and ends the evaluation."""

    @wraps(does)
    def call(*given: P.args, **named: P.kwargs) -> str:
        try:
            found = does(*given, **named)
        except NoValueError as error:
            found = error.found
        if isinstance(found, str):
            return found
        _raised.by = found
        raise NoValueError(found)

    return call


def _explained(errors: str) -> str:
    """Return the first of the engine's *errors*, in words for the author of the expression, without quoting it."""
    found = _ERROR.search(errors)
    if found is None:
        return "it is nested too deeply" if "recursion" in errors else NO_EXPRESSION
    line, column = int(found[1]), int(found[2])
    what = found[3].partition(" expecting ")[0].replace("'<EOF>'", "the end")
    if line < 1:
        return "it is nested too deeply" if "recursion" in what else NO_EXPRESSION
    if unknown := _UNKNOWN.search(what):
        told = _unknown(unknown[1])
    else:
        said = ((pattern.search(what), means) for pattern, means in _IN_WORDS)
        told = next((match.expand(means) for match, means in said if match), NO_EXPRESSION)
    return f"{place_of(line, column)}: {told}"


def _unknown(name: str) -> str:
    """Return what is wrong with a *name*: the engine does not know a function either that is called with other values."""
    functions = list(dict.fromkeys((*(one.name for one in FUNCTIONS), "table")))
    if name in functions:
        return TABLE_TAKES if name == "table" else f"{name}(...) does not take so many values"
    return (
        f"unknown name: allowed are {', '.join(SOURCES)}, {CUSTOM}<label or id>, in quotes where it is not one word,"
        f" and the functions {', '.join(functions)}"
    )
