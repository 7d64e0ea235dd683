"""Reading the table: settings, or what is wrong in it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from slack_docebo.domain.texts import shortened
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings.rows import INTEGRATION, VARIABLE, cells_of, listed, rows_by_key, table
from slack_docebo.integration_settings.settings import IntegrationSettings
from slack_docebo.setting_values import SEPARATORS, as_written, mail_addresses

LONGEST_SETTING = 4_000
LONGEST_SAID = 20  # of a switch, where it is quoted
PROBLEMS_TOLD = 20


def read_rows(rows: object) -> IntegrationSettings:
    """Read the table; raise ConfigurationError that names each wrong or missing row and what is allowed there.

    Rows of other integrations are passed over: the retired product kept them in the same table.
    """
    if not isinstance(rows, list):
        raise ConfigurationError(f"{VARIABLE}: should be a JSON list of rows with integration, key and value")
    problems: list[str] = []
    values: dict[str, Any] = {}
    for number, row in enumerate(rows, start=1):
        cells = cells_of(row)
        if cells is None:
            problems.append(f"row {number} should have integration, key and value")
        elif cells.integration == INTEGRATION:
            key, value = cells.key, cells.value
            if key in values:
                problems.append(f"row {INTEGRATION} | {key} is there twice")
            elif isinstance(value, dict):
                problems.append(f"row {INTEGRATION} | {key}: write a text, a number or a list")
                value = ""
            elif len(str(value)) > LONGEST_SETTING:
                problems.append(f"row {INTEGRATION} | {key}: longer than {LONGEST_SETTING:,} characters")
                value = ""
            values.setdefault(key, listed(value))
    try:
        settings = IntegrationSettings.model_validate(values)
    except ValidationError as error:
        problems += [_sentence(str(fault["loc"][0]), fault["type"], fault["msg"]) for fault in error.errors()]
    if problems:
        more = f"; and {len(problems) - PROBLEMS_TOLD} more" if len(problems) > PROBLEMS_TOLD else ""
        raise ConfigurationError(f"{VARIABLE}: {'; '.join(problems[:PROBLEMS_TOLD])}{more}")
    return settings.with_remarks(_switches_off(values))


def _switches_off(values: Mapping[str, object]) -> Iterator[str]:
    """Yield a sentence for each switch that is off because of what it says, and is perhaps meant to be on."""
    for name, field in IntegrationSettings.model_fields.items():
        said = str(values.get(name.upper(), "")).strip()
        if field.is_required() and field.annotation is bool and said.lower() not in {"true", "false", ""}:
            yield f"{name.upper()} says {shortened(said, LONGEST_SAID)!r} and is off: only true switches it on"


def _sentence(key: str, kind: str, message: str) -> str:
    row = f"row {INTEGRATION} | {key}"
    match kind:
        case "missing":
            return f"{row} is missing: {IntegrationSettings.model_fields[key.lower()].description}"
        case "extra_forbidden":
            return f"{row} is unknown: allowed keys are {', '.join(map(str.upper, IntegrationSettings.model_fields))}"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{row}: write a whole number, of digits alone"
        case _:
            return f"{row}: {message.removeprefix('Value error, ').removeprefix('Input ')}"


def read_written(values: Mapping[str, str]) -> IntegrationSettings:
    """Return the settings that *values*, once `written`, were made from; nobody is notified.

    What an older release wrote and this one does not know is left out.
    """
    known = {key: value for key, value in values.items() if key.lower() in IntegrationSettings.model_fields}
    return read_rows(table({"NOTIFICATION_MAIL_ID": "", **known}))


def notification_mail_id(rows: object) -> str:
    """Return where notifications go, "" for nowhere; what is wrong otherwise is told by a notification."""
    value = listed(rows_by_key(rows).get("NOTIFICATION_MAIL_ID", ""))
    found = []
    for entry in value if isinstance(value, list) else SEPARATORS.split(str(value)):
        with suppress(ValueError):
            found.append(mail_addresses(str(entry)))
    return ", ".join(filter(None, found))


def documented_rows() -> Iterable[tuple[str, str, str]]:
    """Yield key, default (as it would be written in the table) and description of every row."""
    for name, field in IntegrationSettings.model_fields.items():
        yield name.upper(), "" if field.is_required() else as_written(field.default), field.description or ""
