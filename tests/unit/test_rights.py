"""Who may be taken for a superadmin: only whose level is known to be one."""

import pytest

from slack_docebo.clients.docebo_wire import Session
from slack_docebo.engine.reading.connection import Rights, rights_of


@pytest.mark.parametrize(
    "level", ["godadmin", "GodAdmin", "super_admin", "superadmin", "3", "/framework/level/godadmin"]
)
def test_the_words_for_a_superadmin_are_known(level: str) -> None:
    assert rights_of(Session(5, "api.bot", level)) is Rights.SUPERADMIN


@pytest.mark.parametrize("level", ["user", "6", "pu", "admin", "power_user", "4", "/framework/level/admin"])
def test_a_power_user_is_no_superadmin(level: str) -> None:
    assert rights_of(Session(5, "api.bot", level)) is Rights.LESSER
    for word in ("boss", level):  # nor by being named
        assert rights_of(Session(5, "api.bot", level), superadmin_level=word) is Rights.LESSER


@pytest.mark.parametrize("level", ["", "boss", "/", "godadmin/"])
def test_any_other_word_says_nothing(level: str) -> None:
    assert rights_of(Session(5, "api.bot", level)) is Rights.UNKNOWN


def test_a_word_that_the_administrator_names_is_a_superadmins() -> None:
    assert rights_of(Session(5, "api.bot", "/framework/level/Boss"), superadmin_level=" boss ") is Rights.SUPERADMIN
