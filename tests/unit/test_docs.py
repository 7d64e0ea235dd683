"""What the documentation tells people to type, click and set is there, and means what it meant when it was written."""

import ast
import importlib
import importlib.util
import json
import re
import shlex
import subprocess
from argparse import ArgumentParser
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from cyclopts import CycloptsError, MissingArgumentError
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_settings_fields

from deployments.pictures import FORMS, WORDS, words_of_form
from slack_docebo.cli import app
from slack_docebo.engine.reporting.troubles import (
    A_FAULT,
    FIRST_AFTER,
    MANUAL,
    OTHER_CODE,
    WRONG_FORM,
    Trouble,
)
from slack_docebo.errors import SyncError, ToBeContinued, UnverifiedRequest
from slack_docebo.integration_settings import documented_rows
from slack_docebo.settings import EVERYTHING, variables
from slack_docebo.webhook import app as webhook
from tasks.status_page import TITLES
from tests.documented import BLOCK, PAGES, ROOT, named, typed

SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OURS = ("slack-docebo ", "python -m ", ".venv/bin/python -m ", "make ")
FOREIGN = {
    "a2enmod",
    "apt-get",
    "cd",
    "chmod",
    "cp",
    "curl",
    "export",
    "git",
    "mkdir",
    "mv",
    "openssl",
    "pg_dump",
    "pg_restore",
    "podman",
    "prefect",
    "source",
    "sqlite3",
    "umask",
}
SETTING = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_?")
CLICKED = re.compile(r"[Cc]lick \*([^*]+)\*")
CHOSEN = re.compile(r"[Cc]hoose \*([^*]+)\*")
SHORTEST_LINK = 8  # letters of a link's words by which a test finds it
WORDS_OF_OTHERS = {
    "Deployments",
    "Run",
    "Custom run",
    "Submit",
    "View run",
    "Runs",
    "Retry",
    "YAML",
    "Cancel",
    "Cancel Flow Run",
}  # Prefect's and Slack's
TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
PLAYED_LATER = re.compile(
    r"mark\.long|mark\.variants|\busual_database_url\b"
)  # as `pyproject.toml` and `conftest.py` say
SETTINGS_TABLES = {"Key", "Variable"}
SETTINGS = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER",  # two of Prefect's logging.yml, each entry of which has a variable
    "PREFECT_LOGGING_ROOT_LEVEL",
    "PREFECT_SERVER_ENCRYPTION_KEY",  # read by Prefect's server past its settings
    *variables(*EVERYTHING),
    *(key for key, _, _ in documented_rows()),
    *_get_settings_fields(PrefectSettings),
}


def prose(page: Path) -> str:
    """The page without its blocks."""
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def spans(page: Path) -> list[str]:
    return SPAN.findall(prose(page))


def mentioned() -> Iterator[tuple[str, str]]:
    """Every command that a sentence mentions, maybe without its arguments."""
    for page in PAGES:
        yield from ((named(page), span) for span in spans(page) if span.startswith(OURS))


def check_cli(words: list[str], *, whole: bool) -> None:
    """Let the command line take *words* apart without doing anything."""
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        if whole:
            raise


class ParsedError(Exception):
    """The arguments are understood: it could begin."""


def check_module(name: str, arguments: list[str]) -> None:
    """The module can be run, and takes *arguments*."""
    spec = importlib.util.find_spec(name)
    if spec and spec.submodule_search_locations:
        name = f"{name}.__main__"
        spec = importlib.util.find_spec(name)
    assert spec, f"there is no module {name} to run"
    if arguments:
        parse = ArgumentParser.parse_args

        def only_parse(parser: ArgumentParser, given: list[str]) -> None:
            parse(parser, given)
            raise ParsedError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ArgumentParser, "parse_args", only_parse)
            main = importlib.import_module(name).main
            with pytest.raises((ParsedError, SystemExit)) as ended:
                main(arguments)
        assert ended.type is ParsedError or ended.value.code == 0, f"{name} does not take {arguments}"


def check_make(words: list[str]) -> None:
    """Make knows the targets and uses the variables, and what it would run takes its arguments."""
    variables = {word.split("=")[0] for word in words if "=" in word}
    makefile = (ROOT / "Makefile").read_text()
    assert {name for name in variables if f"$({name})" not in makefile} == set()
    dry = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr
    for line in dry.stdout.splitlines():
        if line.startswith(".venv/bin/python -m deployments."):
            check(line, whole=True)


def check_foreign(program: str, arguments: list[str]) -> None:
    """Files of ours and addresses of ours are there; the rest is not ours to check."""
    if program == "curl":
        paths = [urlsplit(word).path for word in arguments]
        assert [path for path in paths if f'"{path}"' not in Path(webhook.__file__).read_text()] == []
    else:
        files = [word for word in arguments if "/" in word or word == ".env.example"]
        files = [file for file in files if not file.startswith("var/")]  # what running makes
        assert [file for file in files if not (ROOT / file).exists()] == []


def check(command: str, *, whole: bool) -> None:
    program, *words = shlex.split(command, comments=True)
    if program == "slack-docebo":
        check_cli(words, whole=whole)
    elif program in {"python", ".venv/bin/python"}:
        assert words[0] == "-m"
        if words[1] in FOREIGN:
            check_foreign(words[1], words[2:])
        else:
            check_module(words[1], words[2:])
    elif program == "make":
        check_make(words)
    else:
        assert program in FOREIGN
        check_foreign(program, words)


@pytest.mark.parametrize(("page", "command"), sorted(set(typed())))
def test_what_is_to_be_typed_is_understood(page, command):
    check(command, whole=True)


@pytest.mark.parametrize(("page", "command"), sorted(set(mentioned())))
def test_what_is_mentioned_exists(page, command):
    check(command, whole=False)


@pytest.mark.parametrize(
    "command",
    [
        "slack-docebo frobnicate",
        "slack-docebo plan list --frobnicate",
        "slack-docebo explain",
        "make frobnicate",
        "make up FROBNICATE=1",
        'make up UP="--frobnicate"',
        "python -m deployments.frobnicate",
        "python -m sandbox --frobnicate",
        "cp frobnicate/frobnicate .",
        "curl http://127.0.0.1:8400/frobnicate",
        "frobnicate",
    ],
)
def test_what_does_not_exist_is_noticed(command):
    with pytest.raises((AssertionError, CycloptsError)):
        check(command, whole=True)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(prose(page)):
        target, _, anchor = link.partition("#")
        if urlsplit(link).scheme:
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)

    assert broken == []


def anchors(page: Path) -> set[str]:
    """The names of the page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name != "decisions"], ids=named)
def test_settings_that_are_named_exist(page):
    words = {word.partition("=")[0].rstrip("*") for span in spans(page) for word in span.split()}
    names = {word for word in words if "_" in word and SETTING.fullmatch(word)} | in_tables(page)

    assert {
        name for name in names if not any(name == known or is_beginning(name, known) for known in SETTINGS)
    } == set()


def is_beginning(name: str, known: str) -> bool:
    return name.endswith("_") and known.startswith(name)


def in_tables(page: Path) -> set[str]:
    """The settings in the first column of tables of settings."""
    found, wanted = set(), False
    for line in prose(page).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.lstrip().startswith("|") else []
        wanted = bool(cells) and (wanted or cells[0] in SETTINGS_TABLES)
        if wanted:
            found.update(SPAN.findall(cells[0]))
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_tests_that_are_named_exist(page):
    assert {span for span in spans(page) if re.fullmatch(r"test_\w+", span)} - all_tests() == set()


@cache
def all_tests() -> set[str]:
    return {name for file in ROOT.glob("tests/**/test_*.py") for name in TEST.findall(file.read_text("utf-8"))}


def test_every_row_about_what_goes_wrong_names_a_test_that_make_test_plays():
    safety = prose(ROOT / "docs" / "safety.md").partition("## The simulation")[0]
    rows = [line for line in safety.splitlines() if line.startswith("| ") and "`test_" in line]

    assert len(rows) > 30
    assert [row for row in rows if played_at_once().isdisjoint(SPAN.findall(row))] == []


@cache
def played_at_once() -> set[str]:
    """Return the tests of which `make test` plays something, by how they, or their whole file, are marked."""
    found = set()
    for file in ROOT.glob("tests/*/test_*.py"):
        text = file.read_text("utf-8")
        names = {r"pytest\.mark\.long", *re.findall(r"^(\w+) = pytest\.mark\.long\b", text, re.MULTILINE)}
        if "pytestmark" not in names:
            marked = re.compile(rf"^@(?:{'|'.join(names)})\b", re.MULTILINE)
            for test in TEST.finditer(text):
                if not marked.search(text, text.rfind("\n\n\n", 0, test.start()), test.start()):
                    found.add(test[1])
    return found


def files_of_which_more_is_played_later() -> set[str]:
    """Return the files and folders below `tests` in the first column of the list of what `make test-long` plays."""
    listed = set[str]()
    for line in (ROOT / "tests" / "README.md").read_text("utf-8").splitlines():
        if line.startswith("| `"):
            first, *beside = SPAN.findall(line.split("|")[1])
            listed |= {first, *(f"{first.rpartition('/')[0]}/{name}" for name in beside)}
            listed |= {name for name in beside if "/" in name}
    return listed


def test_every_file_of_which_make_test_long_plays_more_is_in_the_list_of_what_moved_there():
    listed = files_of_which_more_is_played_later()
    files = [file for file in ROOT.glob("tests/*/test_*.py") if PLAYED_LATER.search(file.read_text("utf-8"))]
    later = [file.relative_to(ROOT / "tests") for file in files]

    assert len(later) > 50
    assert [str(file) for file in later if not listed & {str(file), str(file.parent)}] == []


def test_every_row_about_what_goes_wrong_or_what_a_member_can_do_names_its_test():
    members = prose(ROOT / "docs" / "security.md").partition("## What a Slack member can do")[2].partition("\n## ")[0]
    safety = prose(ROOT / "docs" / "safety.md").partition("## The simulation")[0]  # it finds what has no test yet
    lines = [*safety.splitlines(), *members.splitlines()]
    rows = [line for line in lines if line.startswith("| ")]

    assert len(rows) > 30
    assert [row for row in rows if "`test_" not in row and not row.endswith("| Test |")] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_deployments_that_are_named_exist(page):
    known = {f"{each['entrypoint'].partition(':')[2].replace('_', '-')}/{each['name']}" for each in deployments()}
    flows = tuple(name.partition("/")[0] + "/" for name in known)

    assert {span for span in spans(page) if span.startswith(flows)} - known == set()


@cache
def deployments() -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def test_what_is_to_be_clicked_bears_these_words():
    ours = [file.read_text("utf-8") for folder in ("tasks", "src") for file in (ROOT / folder).rglob("*.py")]
    known = WORDS_OF_OTHERS | {each["name"] for each in deployments()}
    clicked = {words for page in PAGES for words in CLICKED.findall(prose(page).replace("\n", " "))}

    assert len(clicked) > 10
    assert {words for words in clicked - known if not any(words in text for text in ours)} == set()


@pytest.mark.parametrize("page", ["first-hour", "operations", "set-up", "plans", "mappings"])
def test_what_a_page_tells_to_click_or_to_choose_is_clicked_by_a_journey(page):
    text = prose(ROOT / "docs" / f"{page}.md").replace("\n", " ")
    journeys = [ROOT / "tests" / "e2e" / name for name in ("test_journeys.py", "test_browser.py")]
    nodes = [node for file in journeys for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    known = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    links = {words for words in known if len(words) >= SHORTEST_LINK}
    clicked, chosen = set(CLICKED.findall(text)) - WORDS_OF_OTHERS, set(CHOSEN.findall(text)) - WORDS_OF_OTHERS
    flows = {span.partition("/")[0] for span in SPAN.findall(text) if "/" in span}
    clicked |= {title for flow, title in TITLES.items() if flow in flows}
    names = {each["name"] for each in deployments()}

    assert clicked
    assert {one for one in clicked - names if not any(one in words or words in one for words in links)} == set()
    assert chosen - known == set()


def test_what_a_new_administrator_has_to_read_is_one_page():
    assert len(Path(ROOT, "docs", "first-hour.md").read_text().split()) <= 900


def test_every_state_that_wants_somebody_is_explained_where_messages_lead_to():
    manual = (ROOT / "docs" / MANUAL).read_text("utf-8")

    assert {trouble for trouble in Trouble if f"\n| {trouble} | " not in manual} == set()


def test_what_the_message_of_a_state_begins_with_is_explained_there_too():
    manual = (ROOT / "docs" / MANUAL).read_text("utf-8")
    beginnings = {first for kind, first in FIRST_AFTER.items() if first and kind not in {SyncError, UnverifiedRequest}}
    of_a_worker = {FIRST_AFTER[ToBeContinued]}  # that ends: the table of states tells

    wanted = {*beginnings, A_FAULT, WRONG_FORM, OTHER_CODE} - of_a_worker
    assert {first for first in wanted if f"\n| *{first}* | " not in manual} == set()


def test_each_kind_of_breach_stands_once_in_the_table_of_the_simulation():
    kinds = re.findall(r"^\| (\d+) ", (ROOT / "docs/safety.md").read_text(), re.MULTILINE)
    assert kinds == [str(number) for number in range(1, len(kinds) + 1)]


@pytest.mark.parametrize("picture", FORMS)
def test_a_picture_of_a_form_shows_the_titles_and_help_texts_that_it_has_today(picture):
    shown, today = json.loads(WORDS.read_text("utf-8"))[picture], words_of_form(FORMS[picture])

    assert len(shown) > 4
    begins = today.index(shown[0])
    assert today[begins : begins + len(shown)] == shown, "take it anew: .venv/bin/python -m deployments.pictures"
