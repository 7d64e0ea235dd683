from pathlib import Path

from deployments.settings_reference import example, fields, reference

ROOT = Path(__file__).parents[2]
REMEDY = "run `python -m deployments.settings_reference`"


def test_the_reference_is_what_the_code_says():
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == reference(), REMEDY


def test_the_example_is_what_the_code_says():
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == example(), REMEDY


def test_every_setting_is_described():
    assert [name for name, field in fields() if not field.description] == []
