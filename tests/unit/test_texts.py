import csv
import html
import io
import json
import logging
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from deployments.logs import TEXT, TextFormatter
from slack_docebo.cli import output
from slack_docebo.domain.texts import (
    LONGEST_LINE,
    MARKS_KEPT,
    address,
    armoured,
    as_json,
    bared,
    bounded,
    cell,
    chat,
    code,
    composed,
    line,
    markdown,
    number_of,
    people,
    revealed,
    shortened,
    visible,
    whole_or_nothing,
)
from slack_docebo.engine.reporting.troubles import Notice, Trouble
from tests.hostile_texts import INERT, RENDERER, TEXTS, parts, seen

FORMULA = re.compile(r"""[ "]*[=+\-@＝＋－＠]""")
PIECES = [*TEXTS, *"<>[]()!*_`~|\\&#+-=.;'\"@ ", "www.", "://", "javascript:", "\u0301", "\u200d", "\ufe0f", "\t", "1."]
ANYTHING = st.text(st.characters(exclude_categories=())) | st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=()), max_size=3)
).map("".join)


FEW = settings(max_examples=40)


def any_text(test):
    """Try *test* on text of every kind, lone surrogates and each of our hostile texts among it."""
    for text in TEXTS:
        test = example(text)(test)
    return FEW(given(ANYTHING)(test))


# Each outlet


@any_text
def test_a_line_shows_every_character_and_stands_alone(text):
    assert seen(line(text))


@any_text
def test_what_is_shown_in_whole_can_be_read_back(text):
    assert revealed(visible(text)) == text


def test_handles_that_differ_in_what_is_not_seen_look_different():
    handles = ["ada", "a\u200dda", "ada\u202e", "ada\x7f", r"ada\u202e", "ada\u3164", "ada\ufe0f"]

    assert len(set(map(line, handles))) == len(handles)


def test_ordinary_names_are_shown_as_they_are():
    for name in ("Ada Lovelace", "José Núñez", "प्रिया शर्मा", "李小龍", "Łukasz O’Neil", "Zoë 🚀", "नि", "שָׁלוֹם"):
        assert line(name) == markdown(name) == bared(name) == name


def test_a_mark_does_not_sit_on_what_stands_before_the_text():
    assert line("\u0301a") == r"\u0301a"
    assert line("a" + "\u0301" * 6) == "a" + "\u0301" * 4 + r"\u0301\u0301"


def test_what_is_long_is_shortened_for_people_and_whole_for_programs():
    text = "Ada" * 5_000

    assert line(text) == f"{text[:LONGEST_LINE]}… (11,000 more)"
    assert bared(armoured(text)) == json.loads(as_json(text)) == text


@any_text
def test_json_shows_everything_and_programs_read_it_unchanged(text):
    written = as_json({text: [text]}, indent=2)

    assert seen(written.replace("\n", ""))
    assert json.loads(written.encode("utf-8")) == {text: [text]}


@any_text
def test_a_cell_begins_no_formula_whatever_the_spreadsheet_parts_cells_at(text):
    written = io.StringIO()
    csv.writer(written).writerow(["U1", armoured(text), "end"])

    assert seen(written.getvalue().removesuffix("\r\n"))
    for delimiter in ",;\t":
        (row,) = csv.reader([written.getvalue()], delimiter=delimiter)
        assert not any(map(FORMULA.match, row))


@any_text
def test_a_cell_is_read_back_unchanged(text):
    written = io.StringIO()
    csv.writer(written).writerow([armoured(text)])

    (row,) = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert [bared(cell) for cell in row] == [text] or row == []


def rendered(page: str) -> str:
    """Return what a reader of *page* sees; fail if it has anything but text and code in a paragraph or a table."""
    for token in RENDERER.parse(page):
        assert token.type.startswith(("paragraph", "inline", "table", "thead", "tbody", "tr", "th", "td")), token.type
    found = list(parts(page))
    assert {kind for kind, _ in found} <= INERT
    return "".join(content for _, content in found)


def told(text: str) -> str:
    """Return *text* as a page should show it: blanks in a row are one, and code spells out what would end it."""
    return " ".join(line(text).split())


def without_code_marks(text: str) -> str:
    return text.replace("`", r"\x60").replace("|", r"\x7c")


@any_text
def test_markdown_is_text_in_a_line_of_its_own(text):
    assert without_code_marks(rendered(markdown(text))) == without_code_marks(told(text))


@any_text
def test_markdown_is_text_in_a_table(text):
    page = f"| a | b |\n|---|---|\n| {markdown(text)} | end |"

    assert without_code_marks(rendered(page)) == f"ab{without_code_marks(told(text))}end"


@any_text
@example("\\<://")  # in code a backslash is one, and not the sign that the next character means itself
@example("`\\<`://")
def test_a_chat_is_sent_markdown_that_calls_nobody(text):
    shown = rendered(chat(text))

    assert not set("<>@") & set(chat(text))
    spelt_out = told(text).translate({ord(c): rf"\x{ord(c):02x}" for c in "<>@"})
    assert without_code_marks(shown) == without_code_marks(spelt_out)


@any_text
def test_code_is_code_in_a_table(text):
    shown = rendered(f"| a | b |\n|---|---|\n| {code('x ' + text)} | end |")

    assert seen(shown)
    assert shown.startswith("abx")
    assert shown.endswith("end")


def test_what_ends_a_sentence_is_no_part_of_an_address():
    assert markdown("answers at http://a.example/api; or ada@a.example.") == (
        "answers at `http://a.example/api`; or `ada@a.example`."
    )


def test_a_cell_that_is_an_address_can_be_copied_as_it_is():
    assert address("ada_l.love-lace+lms@a-b.example") == "ada_l.love-lace+lms@a-b.example"


@pytest.mark.parametrize(
    "text", ["www.a@e.example", "ada@e.example bob@e.example", "_ada_@e.example", "a@http://e.example", "<a@e.example>"]
)
def test_a_cell_that_is_more_than_an_address_is_escaped_like_other_text(text):
    assert address(text) == markdown(text) != text


@pytest.mark.parametrize(
    "text",
    [
        "SLACK | ATTRIBUTES",
        "O&#039;Hara",
        "a * b, c[0] < 2",
        "[all] of ~5",
        "_draft",
        "*.example.com, *.example.org",
        r"Ada `Countess",
        "Ada >> Bob",
        "50%-60%",
    ],
)
def test_a_cell_of_a_table_shows_signs_that_are_no_markup_without_a_backslash(text):
    assert cell(text) == text


@any_text
@example("a` http://e.example")
@example("_ _ _")
@example("*a* b")
@example("\\_a_")
def test_a_cell_of_a_table_is_text_on_a_page_that_reads_it_as_markdown(text):
    def read(shown: str) -> str:  # of backslashes and HTML's escapes such a page shows what they stand for
        return html.unescape(without_code_marks(shown).replace("\\", ""))

    shown = rendered(cell(text))
    assert seen(shown)
    assert read(shown) == read(told(text))


@pytest.mark.parametrize("text", ["see http://e.example", "www.e.example", "mail a@e.example", "HTTPS://e.example"])
def test_nothing_becomes_a_link_by_itself(text):
    assert re.search(r"`[^`]*e\.example`", markdown(text))


@any_text
def test_a_table_on_the_terminal_shows_text(text):
    shown = printed(lambda: output.show_rows([{text or "name": text}], json=False, empty=""))

    assert line(text).strip() in shown
    assert seen(shown.replace("\n", ""))


LONG_ROW = {"event": "Ev" + "0123456789" * 4, "error": "no room " * 9, "incident": "k8" * 25}


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_no_id_is_shortened_or_broken(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if terminal else "0")
    shown = printed(lambda: output.show_rows([LONG_ROW], json=False, empty=""))

    assert LONG_ROW["event"] in shown
    assert LONG_ROW["incident"] in shown
    assert shown.count("no room") == 9


@any_text
def test_a_line_on_the_terminal_shows_text(text):
    assert printed(lambda: output.say(text)) == line(text) + "\n"


@any_text
def test_a_mail_has_the_lines_that_we_wrote(text):
    notice = Notice(Trouble.FAILED, "reconcile", message=text, extent=f"{text} of 3", link="http://127.0.0.1/run")

    paragraphs = notice.body.split("\n\n")
    assert len(paragraphs) == 3 + bool(text)
    assert all(map(seen, paragraphs))
    assert not text or paragraphs[0] == f"What happened: {line(text)}"


@any_text
def test_a_log_has_a_line_for_each_message(text):
    record = logging.LogRecord("webhook", logging.INFO, "", 0, "%s", (text,), None)

    written = TextFormatter(TEXT).format(record)
    assert written.endswith(f"webhook: {line(text)}")
    assert seen(written)


def test_a_traceback_shows_what_its_error_holds():
    error = ValueError("\x1b[31m\u202e")
    record = logging.LogRecord("webhook", logging.ERROR, "", 0, "failed", (), (type(error), error, None))

    written = TextFormatter(TEXT).format(record).split("\n")
    assert written[-1] == r"ValueError: \x1b[31m\u202e"
    assert all(map(seen, written))


def printed(show) -> str:
    """Return what *show* prints on a terminal that is wide enough."""
    out = io.StringIO()
    console = Console(file=out, width=100_000, force_terminal=True, color_system=None, soft_wrap=True)
    original, output.Console = output.Console, lambda **_: console
    try:
        show()
    finally:
        output.Console = original
    return out.getvalue()


# Where text comes in


@FEW
@given(ANYTHING, st.integers(min_value=40, max_value=80))
def test_a_bounded_text_is_a_beginning_and_bounding_it_again_changes_nothing(text, longest):
    start = bounded(text, longest)

    assert len(start) <= longest
    assert text.startswith(start)
    assert bounded(start, longest) == start


def test_a_cut_parts_no_letter_from_its_marks():
    assert bounded("a" * 49 + "e\u0301" + "b", 50) == "a" * 49
    assert bounded("a" * 48 + "👩\u200d💻", 50) == "a" * 48
    assert bounded("a" * 49 + "👍🏽", 50) == "a" * 49


def test_what_something_is_found_by_is_whole_or_nothing():
    assert whole_or_nothing("ada@example.com", 15) == "ada@example.com"
    assert whole_or_nothing("ada@example.com.evil", 15) == ""


@FEW
@given(st.text(st.sampled_from("ae\u0301\u0316\u0323\u0344\u09be\u1100\u1161\u11a8"), max_size=200))
def test_composing_keeps_ordinary_marks_and_is_done_once(text):
    once = composed(text)

    assert composed(once) == once
    assert unicodedata.is_normalized("NFC", once)
    if not re.search(f"[\u0301\u0316\u0323\u0344]{{{MARKS_KEPT // 2}}}", text):
        assert once == unicodedata.normalize("NFC", text)


def test_what_is_shortened_says_by_how_much():
    assert shortened("Ada", 3) == "Ada"
    assert shortened("Ada Lovelace", 3) == "Ada… (9 more)"


def test_of_one_it_is_said_that_it_is_one():
    assert (people(1), number_of("event", 1), number_of("mapping", 1)) == ("1 person", "1 event", "1 mapping")
    assert (people(5_000), number_of("event", 0), number_of("row", 2000)) == ("5,000 people", "0 events", "2,000 rows")
