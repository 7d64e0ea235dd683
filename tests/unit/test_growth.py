"""Whatever works on text of others takes steps in proportion to its length: for four times the text, not sixteen times.

Counted are steps of Python; what one of them takes inside, as a regular expression does, `python -m bench hostile_texts`
measures.
"""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from slack_docebo.clients.slack_wire import source_user
from slack_docebo.engine.mappings.mapping_file import MappingFile
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import IntegrationSettings, read_rows, table
from tests.counting import steps
from tests.growing import CASES, GROWTH, NASTY, ON, SIZE, TIMES, WORKS

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def assert_linear(work: Callable[[Any], object], make: Callable[[int], Any], size: int) -> None:
    """Less than a step for each part says nothing: a long text may be cut where a short one is not even looked through."""
    small, large = steps(work, make(size)), steps(work, make(TIMES * size))

    assert large < GROWTH * max(small, size)


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
def test_a_text_costs_no_more_than_its_length(work):
    for make in NASTY.values():
        assert_linear(work, make, SIZE)


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys())
def test_a_member_costs_no_more_than_the_bounds_allow(nasty):
    text = nasty(100_000)
    member = {"id": "U1", "name": text, "tz": text, "locale": text, "team_id": "T1", "updated": 1}
    names = ("first_name", "last_name", "real_name", "display_name", "email", "title")
    member["profile"] = {**dict.fromkeys(names, text), "fields": {"Xf1": {"value": text}}}

    user = source_user(member)

    assert sum(len(getattr(user, name)) for name in ("handle", *names, "time_zone", "locale")) <= 9 * 255
    assert len(user.custom["Xf1"]) <= 10_000


@pytest.mark.parametrize(("work", "make", "size"), CASES.values(), ids=CASES.keys())
def test_work_grows_with_what_there_is(work, make, size):
    assert_linear(work, make, size)


def test_reading_a_mapping_file_grows_with_its_length(tmp_path):
    def made(rows: int):
        file = tmp_path / f"{rows}.csv"
        out = io.StringIO()
        csv.writer(out).writerows(
            [("slack_id", "slack_name", "slack_team", "user_id"), *[("?", "'=" * 50, "", "9" * 30)] * rows]
        )
        file.write_text(out.getvalue())
        return file

    assert_linear(lambda file: list(MappingFile(file, team="T1").mappings(now=NOW)), made, 500)


def test_every_setting_has_a_length():
    for name in IntegrationSettings.model_fields:
        with pytest.raises(ConfigurationError, match=f"{name.upper()}: longer than 4,000 characters"):
            read_rows(table({**ON, name.upper(): "a" * 4_001}))
