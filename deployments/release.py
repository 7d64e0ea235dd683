"""`make release BASE=NAME@sha256:...`: what a release consists of, in dist/VERSION: image, source, bill of materials, notes, sums.

Refuses a base without a digest, for a name may be another image tomorrow; a version without a section of CHANGELOG.md, or
that is released already; and files that differ from what is committed.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from deployments.sbom import main as write_sbom

ROOT = Path(__file__).parents[1]
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
SUMS = "SHA256SUMS"


class Refused(Exception):
    """Why there can be no release now."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the release; what keeps it from being made is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m deployments.release", description=__doc__)
    parser.add_argument("--base", default="", help="the image to build on, by its digest: NAME@sha256:...")
    base: str = parser.parse_args(arguments).base
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    try:
        check_base(base)
        notes = notes_of(version, (ROOT / "CHANGELOG.md").read_text())
        check_commit(version)
    except Refused as reason:
        print(f"release: {reason}", file=sys.stderr)
        return 2
    folder = new_folder(version)
    (folder / "NOTES.md").write_text(notes)
    archive = [
        "git",
        "archive",
        f"--prefix=slack-docebo-{version}/",
        f"--output={folder}/slack-docebo-{version}.tar.gz",
    ]
    subprocess.run([*archive, "HEAD"], cwd=ROOT, check=True)
    write_sbom(["--file", str(folder / "sbom.cdx.json")])
    image = {"BASE": base, "TAG": f"slack-docebo:{version}", "SAVE": str(folder / f"slack-docebo-{version}-image.tar")}
    subprocess.run([ROOT / "scripts" / "build-image"], cwd=ROOT, env={**os.environ, **image}, check=True)
    (folder / SUMS).write_text(sums(folder))
    print(f"{folder}: version {version}. Try it, then tag it: git tag v{version}")
    return 0


def check_base(base: str) -> None:
    """Raise Refused if *base* is named without its digest."""
    if not DIGEST.fullmatch(base):
        raise Refused("name the base by its digest: make release BASE=NAME@sha256:...")


def notes_of(version: str, changelog: str) -> str:
    """Return what the changelog says of *version*; raise Refused if it says nothing."""
    section = re.search(
        rf"^## \[?{re.escape(version)}(?![\w.])[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if section is None or not section[1].strip():
        raise Refused(f"CHANGELOG.md has no section {version}: move there what stands under Unreleased")
    return section[1].strip() + "\n"


def check_commit(version: str, project: Path = ROOT) -> None:
    """Raise Refused if the files of *project* differ from the commit, or if *version* has its tag."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project, check=True, capture_output=True, text=True).stdout.strip()

    if changed := git("status", "--porcelain"):
        raise Refused(
            f"commit first, for these files differ: {', '.join(line[3:] for line in changed.splitlines()[:5])}"
        )
    if git("tag", "--list", f"v{version}"):
        raise Refused(f"{version} is released already (tag v{version}): raise the version in pyproject.toml")


def new_folder(version: str, project: Path = ROOT) -> Path:
    """Return an empty folder for the files; what an attempt that was cut off has left there belongs to no release.

    Nor does buildah write over its image.
    """
    folder = project / "dist" / version
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def sums(folder: Path) -> str:
    """Return the SHA-256 of each file of *folder*, as `sha256sum --check` reads it."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


if __name__ == "__main__":
    sys.exit(main())
