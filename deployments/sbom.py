"""What an installation consists of, as a CycloneDX file: `python -m deployments.sbom [--file dist/sbom.cdx.json]`.

Fails when a package has a licence that nobody has looked at yet.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements-runtime.lock"
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
ACCEPTED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CNRI-Python",
    "ISC",
    "LGPL-3.0-only",  # psycopg, used as it is
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
    "Python-2.0",
    "License :: OSI Approved :: Apache Software License",
    "License :: OSI Approved :: BSD License",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)",
}
CHOSEN = {"text-unidecode": "License :: OSI Approved :: Artistic License"}  # where a package leaves the choice to us

Bom = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file, and name the packages whose licence is not accepted."""
    parser = argparse.ArgumentParser(prog="python -m deployments.sbom", description=__doc__)
    parser.add_argument("--file", type=Path, default=ROOT / "dist" / "sbom.cdx.json")
    file: Path = parser.parse_args(arguments).file
    bom = of_the_installation(environment(), locked(LOCK.read_text()))
    text = json.dumps(bom, indent=2) + "\n"
    if fault := JsonStrictValidator(SchemaVersion.from_version(bom["specVersion"])).validate_str(text):
        sys.exit(f"not what CycloneDX wants: {fault}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    print(f"{file}: {len(bom['components'])} packages")
    if unknown := [f"{name}: {', '.join(names) or 'none'}" for name, names in not_accepted(bom)]:
        sys.exit("Licences to be looked at, then accepted in deployments/sbom.py:\n  " + "\n  ".join(unknown))


def environment() -> Bom:
    """Return the CycloneDX file of this environment, which also holds the development tools."""
    command = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "environment",
        sys.executable,
        "--output-reproducible",
        "--no-validate",
    ]
    described = subprocess.run([*command, "--pyproject", ROOT / "pyproject.toml"], capture_output=True, check=True)
    bom: Bom = json.loads(described.stdout)
    return bom


def locked(lock: str) -> dict[str, str]:
    """Return the version of each package that a lock names."""
    return {normal(name): version for name, version in LOCKED.findall(lock)}


def of_the_installation(bom: Bom, packages: Mapping[str, str]) -> Bom:
    """Return *bom* reduced to the *packages* of an installation, given by name and version."""
    components = [one for one in bom["components"] if packages.get(normal(one["name"])) == one["version"]]
    kept = {one["bom-ref"] for one in components} | {bom["metadata"]["component"]["bom-ref"]}
    dependencies = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", ()) if ref in kept]}
        for one in bom["dependencies"]
        if one["ref"] in kept
    ]
    return {**bom, "components": components, "dependencies": dependencies}


def not_accepted(bom: Bom) -> Iterator[tuple[str, list[str]]]:
    """Yield the packages without an accepted licence, and what they declare."""
    for component in bom["components"]:
        declared = list(_licences(component))
        chosen = CHOSEN.get(normal(component["name"]))
        if not declared or not (chosen in declared or set(declared) <= ACCEPTED):
            yield component["name"], declared


def _licences(component: Mapping[str, Any]) -> Iterator[str]:
    for entry in component.get("licenses", ()):
        if expression := entry.get("expression"):
            yield from (name for name in re.split(r"[()\s]+", expression) if name not in {"", "AND", "OR"})
        else:
            yield entry["license"].get("id") or entry["license"].get("name", "")


def normal(name: str) -> str:
    """Return the normal form of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
