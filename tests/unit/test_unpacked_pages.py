"""The pages of Prefect's UI in the image; that they are served from it is shown by `e2e/test_image.py`."""

from pathlib import Path

import prefect
import pytest
from prefect.server.api.server import create_ui_app
from prefect.settings import PREFECT_UI_STATIC_DIRECTORY, temporary_settings

from deployments import unpack_ui


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch) -> dict[str, Path]:
    """Where the pages of both of Prefect's interfaces are, once they are unpacked."""
    pages, of_both = {}, {}
    for version, name in {"v1": "ui", "v2": "ui_v2"}.items():
        packed, pages[version] = tmp_path / name, tmp_path / f"{name}_build"
        packed.mkdir()
        (packed / "index.html").write_text(f"<html>/PREFECT_UI_SERVE_BASE_REPLACE_PLACEHOLDER {version}</html>")
        monkeypatch.setattr(prefect, f"__{name}_static_path__", str(packed))
        monkeypatch.setattr(prefect, f"__{name}_static_subpath__", str(pages[version]))
        of_both[str(packed)] = str(pages[version])
    monkeypatch.setattr(unpack_ui, "PAGES", of_both)
    assert unpack_ui.main() == 0
    return pages


def test_every_user_may_read_them_and_nothing_is_there_twice(unpacked, tmp_path):
    assert {path.stat().st_mode & 0o777 for one in unpacked.values() for path in one.iterdir()} == {0o644}
    assert {path.name for path in tmp_path.iterdir() if not path.is_symlink()} == {"ui_build", "ui_v2_build"}


def test_the_empty_folder_that_prefects_chart_names_is_filled_with_them(unpacked, tmp_path):
    of_the_chart = tmp_path / "folder of the pod"

    with temporary_settings({PREFECT_UI_STATIC_DIRECTORY: str(of_the_chart)}):
        create_ui_app(ephemeral=False)

    for version, pages in unpacked.items():
        assert (of_the_chart / version / "index.html").read_text() == (pages / "index.html").read_text()
