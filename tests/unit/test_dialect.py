"""The page on what is learned of a platform says what the code does."""

import re
from pathlib import Path

from slack_docebo.domain.dialect import QUESTIONS

PAGE = Path(__file__).parents[2] / "docs" / "dialect.md"


def test_the_page_lists_each_question_with_what_is_assumed_and_what_shows_it():
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert rows[1:] == [(asked.name, asked.assumed or "not known", asked.shown_by) for asked in QUESTIONS]
