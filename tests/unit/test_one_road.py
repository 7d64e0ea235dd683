"""What changes accounts in Docebo is called in one place, through which import, saved plan, real time, undo and reset go.

Who may use that place, say the import rules in pyproject.toml.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tasks", "flows", "deployments")
ROAD = "src/slack_docebo/engine/writing/calls.py"
CLIENT = {f"src/slack_docebo/clients/{name}.py" for name in ("docebo", "docebo_branches", "docebo_fields")}


@cache
def texts() -> dict[str, str]:
    """Return all our code, by file."""
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}


def nodes(name: str) -> list[tuple[str, ast.AST]]:
    """Return everything that is in the files in which this *name* stands, each with its file: to parse all takes seconds."""
    return [(file, node) for file, text in texts().items() if name in text for node in ast.walk(ast.parse(text))]


def callers(method: str) -> set[str]:
    """Return the files, but for the client's own, in which something of this name is looked up on an object."""
    return {file for file, node in nodes(method) if isinstance(node, ast.Attribute) and node.attr == method} - CLIENT


@pytest.mark.parametrize("method", ["upsert_users", "change_status", "move_to_branch"])
def test_accounts_are_written_on_one_road(method):
    assert callers(method) == {ROAD}


def test_the_client_has_no_other_method_that_changes_anything():
    trees = [ast.parse((ROOT / file).read_text(encoding="utf-8")) for file in CLIENT]
    writing = {
        method.name
        for tree in trees
        for part in tree.body
        if isinstance(part, ast.ClassDef)
        for method in part.body
        if isinstance(method, ast.AsyncFunctionDef) and not method.name.startswith("_")
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "self._requests.write"
    }
    assert writing == {"upsert_users", "change_status", "move_to_branch", "create_user_field"}


def test_only_the_client_makes_requests_that_write():
    importers = {
        file
        for file, node in nodes("DoceboRequests")
        if isinstance(node, ast.ImportFrom) and "DoceboRequests" in {alias.name for alias in node.names}
    }
    assert importers == CLIENT
