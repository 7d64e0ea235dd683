"""When there can be a release, and what it says of itself; that it is made is shown by `e2e/test_image.py`."""

import subprocess
from pathlib import Path

import pytest

from deployments.release import Refused, check_commit, main, new_folder, notes_of, sums

CHANGELOG = "# Changelog\n\n## Unreleased\n\n- later\n\n## 1.2.0 (2026-11-27)\n\n### Added\n- a thing\n\n## [1.1.0]\n\n- before\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one commit."""
    (tmp_path / "file").write_text("1")
    for words in ("init --quiet", "add .", "-c user.name=a -c user.email=a@example.com commit --quiet --message=1"):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("base", ["", "python:3.11", "python@sha256:abc"])
def test_a_base_without_a_digest_is_refused(base, capsys):
    assert main(["--base", base]) == 2
    assert "by its digest" in capsys.readouterr().err


@pytest.mark.parametrize(("version", "notes"), [("1.2.0", "### Added\n- a thing\n"), ("1.1.0", "- before\n")])
def test_the_notes_of_a_version_are_its_section_of_the_changelog(version, notes):
    assert notes_of(version, CHANGELOG) == notes


@pytest.mark.parametrize("version", ["1.3.0", "1.2", "12.0"])
def test_a_version_of_which_the_changelog_says_nothing_is_refused(version):
    with pytest.raises(Refused, match=f"no section {version}"):
        notes_of(version, CHANGELOG)


def test_what_is_committed_can_be_released_once(project):
    check_commit("1.2.0", project)
    subprocess.run(["git", "tag", "v1.2.0"], cwd=project, check=True)

    with pytest.raises(Refused, match="released already"):
        check_commit("1.2.0", project)


def test_what_is_not_committed_is_refused(project):
    (project / "other").write_text("2")

    with pytest.raises(Refused, match="differ: other"):
        check_commit("1.2.0", project)


def test_what_a_release_that_was_cut_off_has_left_is_in_no_later_one(tmp_path):
    (new_folder("1.2.0", tmp_path) / "slack-docebo-1.2.0-image.tar").write_bytes(b"half of it")

    assert list(new_folder("1.2.0", tmp_path).iterdir()) == []


def test_the_sums_are_those_that_sha256sum_finds(tmp_path):
    (tmp_path / "a").write_bytes(b"\x00image")
    (tmp_path / "SHA256SUMS").write_text(sums(tmp_path))

    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "a: OK\n"
