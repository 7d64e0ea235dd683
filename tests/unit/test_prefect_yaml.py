import ast
import json
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tasks.status_page import TITLES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "prefect.yaml").read_text()
DEPLOYMENTS = yaml.safe_load(TEXT)["deployments"]
FLOW_FILES = sorted(path for path in (ROOT / "flows").glob("*.py") if path.stem != "__init__")
RECIPES = sorted(path for path in (ROOT / "tasks").glob("*.py") if path.read_text().startswith('"""Recipe '))
KNOWN_KEYS = {  # Prefect passes over what it does not know
    *("name", "description", "tags", "schedules", "entrypoint", "parameters", "work_pool"),
    *("triggers", "paused"),
}
LOADER = """
import json, sys
from prefect.flows import load_flow_from_entrypoint
flows = {entrypoint: load_flow_from_entrypoint(entrypoint) for entrypoint in sys.argv[1:]}
print(json.dumps({entrypoint: {
    "name": flow.name,
    "parameters": flow.parameters.model_dump()["properties"],
    "definitions": flow.parameters.model_dump().get("definitions", {}),
    "named": bool(flow.flow_run_name),
    "hooks": [[hook.__name__ for hook in hooks] for hooks in
        (flow.on_failure_hooks, flow.on_crashed_hooks, flow.on_cancellation_hooks, flow.on_completion_hooks)],
} for entrypoint, flow in flows.items()}))
"""


@pytest.fixture(scope="module")
def loaded():
    """What Prefect's loader makes of every entrypoint, by entrypoint, in a process of its own as in a worker."""
    entrypoints = sorted({one["entrypoint"] for one in DEPLOYMENTS})
    done = subprocess.run(
        [sys.executable, "-c", LOADER, *entrypoints], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def flows_in(path: Path) -> list[str]:
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [ast.unparse(each.func if isinstance(each, ast.Call) else each) for each in node.decorator_list]
            if "flow" in names:
                found.append(f"flows/{path.name}:{node.name}")
    return found


def test_every_deployment_has_a_flow_and_every_flow_a_deployment(loaded):
    assert {entrypoint for path in FLOW_FILES for entrypoint in flows_in(path)} == set(loaded)


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_every_recipe_is_retried_by_prefect_but_for_events_which_count_their_own_attempts(path):
    assert ("**RETRIED" in path.read_text()) == (path.stem != "process_events")


def test_no_two_deployments_have_one_name(loaded):
    names = Counter((loaded[one["entrypoint"]]["name"], one["name"]) for one in DEPLOYMENTS)

    assert set(names.values()) == {1}


def test_nothing_in_a_deployment_is_unknown_to_prefect():
    assert [set(one) - KNOWN_KEYS for one in DEPLOYMENTS if set(one) - KNOWN_KEYS] == []


def test_every_deployment_says_what_it_is_for_and_runs_in_our_pool():
    assert all(one["description"].strip() and "slack-docebo" in one["tags"] for one in DEPLOYMENTS)
    assert {one["work_pool"]["name"] for one in DEPLOYMENTS} == {"slack-docebo-flows"}


def test_parameters_given_are_parameters_of_the_flow(loaded):
    """Prefect takes any others without a word."""
    for one in DEPLOYMENTS:
        assert one.get("parameters", {}).keys() <= loaded[one["entrypoint"]]["parameters"].keys()


def test_every_parameter_has_a_title_and_help(loaded):
    bare = [
        (entrypoint, name)
        for entrypoint, flow in loaded.items()
        for name, field in flow["parameters"].items()
        if not field.get("description") or title_of(field, flow, name) == name
    ]

    assert bare == []


def test_help_has_no_marks_of_markdown_for_the_form_shows_them_as_they_are(loaded):
    marked = [
        (entrypoint, name, field["description"])
        for entrypoint, flow in loaded.items()
        for group in (flow, *flow["definitions"].values())
        for name, field in {**group.get("parameters", {}), **group.get("properties", {})}.items()
        if re.search(r"`|\*[^*]+\*", field.get("description", ""))
    ]

    assert marked == []


def title_of(field: dict, flow: dict, name: str) -> str:
    """What the form calls *field*: a group has the title of its definition."""
    group = flow["definitions"].get(field.get("$ref", "").rpartition("/")[2], {})
    return field.get("title") or group.get("title") or name


def test_every_flow_tells_its_operators_of_trouble_and_names_its_runs(loaded):
    assert {entrypoint for entrypoint, flow in loaded.items() if flow["hooks"] != [["notify_operators"]] * 4} == set()
    assert {entrypoint for entrypoint, flow in loaded.items() if not flow["named"]} == set()


def test_no_path_of_a_machine_and_no_secret_is_in_the_file():
    """A reference to a Secret block would be resolved when deploying, and its value stored in the deployment."""
    assert "/home" not in TEXT
    assert "/work" not in TEXT
    assert "prefect.blocks" not in TEXT


@pytest.mark.parametrize("path", FLOW_FILES, ids=lambda path: path.stem)
def test_a_flow_file_has_no_name_that_can_be_imported_from_elsewhere(path):
    """The loader puts flows/ first on the path: flows/tasks.py would hide the package tasks from a worker alone."""
    assert find_spec(path.stem) is None


@pytest.mark.parametrize("path", FLOW_FILES, ids=lambda path: path.stem)
def test_a_flow_file_holds_flows_only(path):
    """It is loaded under two names, so what it defines could exist twice."""
    nodes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]

    assert nodes == []


def test_the_status_page_says_of_each_form_what_it_is_for(loaded):
    by_hand = {loaded[one["entrypoint"]]["name"] for one in DEPLOYMENTS if "by-hand" in one["tags"]}

    assert set(TITLES) == by_hand
