"""What an installation consists of: locked by hash, named in the bill of materials, under licences that are accepted."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deployments.sbom import LOCK, ROOT, environment, locked, normal, not_accepted, of_the_installation

FULL = ROOT / "requirements.lock"
ENTRY = re.compile(r"^(\S+==.*?) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def hashes(lock: Path) -> dict[str, set[str]]:
    """The files that may be installed, by package and version."""
    return {line.split(" ;")[0]: set(files.split()) - {"\\"} for line, files in ENTRY.findall(lock.read_text())}


@pytest.fixture(scope="module")
def bom():
    return of_the_installation(environment(), locked(LOCK.read_text()))


@pytest.mark.parametrize("lock", [FULL, LOCK], ids=lambda path: path.name)
def test_every_package_is_locked_by_hash_and_from_no_registry_in_particular(lock):
    text = lock.read_text()

    assert len(ENTRY.findall(text)) == len(re.findall(r"^\S+==", text, re.MULTILINE))
    assert "://" not in text


def test_an_installation_gets_the_very_files_that_are_tested():
    tested = hashes(FULL)

    assert {package for package, files in hashes(LOCK).items() if tested.get(package) != files} == set()


def test_the_bill_of_materials_names_every_package_of_an_installation(bom):
    wanted = {
        normal(requirement.name): str(requirement.specifier)[2:]
        for requirement in (Requirement(line) for line, _ in ENTRY.findall(LOCK.read_text()))
        if requirement.marker is None or requirement.marker.evaluate()
    }

    assert {normal(one["name"]): one["version"] for one in bom["components"]} == wanted
    assert {"prefect", "httpx", "slack-sdk"} <= wanted.keys()
    assert "pytest" not in wanted
    assert (bom["bomFormat"], bom["metadata"]["component"]["name"]) == ("CycloneDX", "slack-docebo")
    assert all(one["purl"].startswith("pkg:pypi/") for one in bom["components"])


def test_every_licence_is_accepted(bom):
    assert dict(not_accepted(bom)) == {}


@pytest.mark.parametrize(
    "licenses",
    [
        [],
        [{"license": {"id": "AGPL-3.0-only"}}],
        [{"expression": "MIT AND (GPL-3.0-only OR MIT)"}],
        [{"license": {"id": "MIT"}}, {"license": {"name": "a licence of our own"}}],
    ],
)
def test_a_licence_that_nobody_has_looked_at_is_named(licenses):
    component = {"name": "new", "version": "1", "licenses": licenses}

    assert [name for name, _ in not_accepted({"components": [component]})] == ["new"]
