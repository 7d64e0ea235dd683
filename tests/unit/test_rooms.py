"""The rooms of the engine and the domain, as their docstrings show them to somebody who looks for a place."""

import re
from importlib import import_module
from pkgutil import iter_modules

import pytest

from slack_docebo import domain, engine

ROOMS = [
    domain.__name__,
    *(f"{engine.__name__}.{found.name}" for found in iter_modules(engine.__path__) if found.ispkg),
]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_each_of_its_modules_and_no_other(room):
    package = import_module(room)

    assert set(re.findall(r"`(\w+)`", package.__doc__)) == {found.name for found in iter_modules(package.__path__)}
