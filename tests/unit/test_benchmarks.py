"""The benchmarks take too long to be played here; that each can call what it calls is looked at."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import NAMES

BENCH = Path(__file__).parents[2] / "bench"
MODULES = sorted(path.stem for path in BENCH.glob("*.py") if not path.stem.startswith("__"))


def calls(module: Any) -> Iterator[tuple[Any, ast.Call]]:
    """Each call of a function by its name, with that function."""
    for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            function = getattr(module, node.func.id, None)
            if inspect.isfunction(function):
                yield function, node


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_calls_functions_with_arguments_that_they_take(name):
    for function, call in calls(import_module(f"bench.{name}")):
        given = {word.arg: None for word in call.keywords if word.arg}
        if len(given) == len(call.keywords) and not any(isinstance(one, ast.Starred) for one in call.args):
            inspect.signature(function).bind(*call.args, **given)  # or TypeError


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_that_can_be_named_can_be_run(name):
    assert callable(import_module(f"bench.{name}").main)
