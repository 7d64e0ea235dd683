"""The settings as a form: a field for each row, in groups; filled from the table, and made into its rows again."""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo

from slack_docebo.domain.setting_change import SettingChange
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import (
    LONGEST_SETTING,
    IntegrationSettings,
    documented_rows,
    listed,
    read_rows,
    rows_by_key,
    rows_of_others,
    table,
)
from slack_docebo.setting_values import as_written

FIELDS = IntegrationSettings.model_fields
DEFAULTS = {key: default for key, default, _ in documented_rows()}
REQUIRED = {name.upper() for name, field in FIELDS.items() if field.is_required()}
LONGEST_TABLE = 5000  # bytes of JSON: what a Variable of Prefect holds (prefect.types.MAX_VARIABLE_VALUE_LENGTH)


class Group(NamedTuple):
    """Fields that belong together."""

    name: str
    title: str
    fields: tuple[str, ...]


GROUPS = (
    Group(
        "switches",
        "What is done",
        ("provision_slack_user_data", "map_slack_user_data", "notification_mail_id", "report_mail"),
    ),
    Group(
        "scope",
        "Who is looked after",
        (
            "scope_guests",
            "scope_invited",
            "scope_email_domains",
            "scope_include",
            "scope_exclude",
            "scope_usergroups",
            "scope_exclude_usergroups",
        ),
    ),
    Group(
        "accounts",
        "Accounts",
        (
            "match_by",
            "attributes",
            "destination_branch",
            "branch_moves",
            "manager_type",
            "welcome_mail",
            "mirror_fields",
            "protected_accounts",
        ),
    ),
    Group(
        "leaving",
        "Who leaves, and who returns",
        ("leavers", "leavers_branch", "leavers_after_days", "leavers_out_of_scope", "rehires"),
    ),
    Group(
        "limits",
        "How much may be changed",
        (
            "limit_creations",
            "limit_updates",
            "limit_deactivations",
            "limit_branch_moves",
            "limit_unmappings",
            "limit_remappings",
            "limit_renames",
            "max_accounts",
        ),
    ),
    Group("days", "When", ("reconcile_at", "time_zone", "freeze")),
    Group("kept", "What is shown and kept", ("people_shown", "inbox_keep_days", "journal_keep_days")),
    Group(
        "advanced",
        "Advanced: leave these unless you know why",
        (
            "profile_minutes",
            "profile_max_age_days",
            "limit_window_hours",
            "limit_minimum_sample",
            "limit_rejections",
            "source_may_shrink",
            "target_may_shrink",
            "evidence_calls",
            "evidence_minutes",
            "realtime_retry_delays",
        ),
    ),
)


def filled(rows: object) -> dict[str, dict[str, Any]]:
    """Return the form with what the table holds; where a row is missing or no field can show it, with the default."""
    present = rows_by_key(rows)
    return {
        group.name: {name: _shown(name, present.get(name.upper(), _default(name))) for name in group.fields}
        for group in GROUPS
    }


def proposed_rows(rows: object, form: BaseModel) -> list[Any]:
    """Return the table as it is once *form* is saved; raise ConfigurationError that names each wrong row.

    What means the same as before stays as it is written; the rest is written in its normal form. Rows of other
    integrations stay, and rows that nobody can read go.
    """
    present = rows_by_key(rows)
    wanted = {name.upper(): as_written(value) for _, group in form for name, value in group}
    settings = read_rows(table(wanted))
    values: dict[str, Any] = {}
    for key in {**{key: "" for key in present if key in wanted}, **wanted}:  # the rows keep their places
        meant = getattr(settings, key.lower())
        same = key in present and _read(key.lower(), present[key]) == meant
        values[key] = present[key] if same else as_written(meant)
    return _in_bounds(rows_of_others(rows), values)


def filled_up(rows: object, loaded: object) -> list[Any]:
    """Return the table with the rows of *loaded*, else those of *rows*, else defaults; others' rows stay."""
    values = {**DEFAULTS, **rows_by_key(rows), **rows_by_key(loaded)}
    others = rows_of_others(loaded)
    return _in_bounds([*(row for row in rows_of_others(rows) if row not in others), *others], values)


def _in_bounds(others: list[Any], values: Mapping[str, Any]) -> list[Any]:
    """Return the rows; without those that say the default, where Prefect would not take all of them.

    Raises ConfigurationError where even that is too long.
    """
    wanted = [*others, *table(values)]
    if _length(wanted) > LONGEST_TABLE:
        news = {key: value for key, value in values.items() if key in REQUIRED or value != DEFAULTS.get(key)}
        wanted = [*others, *table(news)]
    if (length := _length(wanted)) > LONGEST_TABLE:
        raise ConfigurationError(
            f"the table would have {length:,} characters, and a Variable of Prefect holds {LONGEST_TABLE:,}: shorten the"
            " lists, by patterns like *@example.com"
        )
    return wanted


def _length(rows: list[Any]) -> int:
    return len(json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))


def changes(before: object, after: object) -> list[SettingChange]:
    """Return the rows in which two tables differ; a row that is missing is the same as one with the default."""
    old, new = ({key: as_written(value) for key, value in rows_by_key(rows).items()} for rows in (before, after))
    found = [SettingChange(key, old.get(key, DEFAULTS.get(key, "")), new.get(key, "")) for key in {**new, **old}]
    return [change for change in found if change.before != change.after]


def revision(rows: object) -> str:
    """Return a value that differs between tables that differ."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:12]


def _shown(name: str, value: object) -> Any:
    """Return *value* as the field *name* of the form takes it."""
    if _kind(FIELDS[name]) is str:
        return as_written(value)
    read = _read(name, value)
    return _default(name) if read is None else read


def _read(name: str, value: object) -> object:
    """Return what *value* means in the row *name*, None if nothing."""
    field = FIELDS[name]
    meaning: TypeAdapter[object] = TypeAdapter(_annotated(field.annotation, field.metadata))
    try:
        return meaning.validate_python(listed(value))
    except ValidationError:
        return None


def _default(name: str) -> Any:
    field = FIELDS[name]
    if field.is_required():
        return "" if _kind(field) is str else False
    return as_written(field.default) if _kind(field) is str else field.default


def _kind(field: FieldInfo) -> Any:
    """Return the type of the form's field: a checkbox, a choice, a number, else text as it stands in the table."""
    kind = field.annotation
    if kind in {bool, int}:
        return kind
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Literal[tuple(choice.value for choice in kind)]
    return str


def _annotated(kind: Any, metadata: list[Any]) -> Any:
    return Annotated[(kind, *metadata)] if metadata else kind


def _field(name: str) -> Any:
    """Return type and default of the form's field *name*, with title, help, and the bounds of a number."""
    field, kind = FIELDS[name], _kind(FIELDS[name])
    bounds = [bound for bound in field.metadata if isinstance(bound, Ge | Le)] if kind is int else []
    longest = LONGEST_SETTING if kind is str else None
    told = f"{_help(field, kind)} ({name.upper()})"
    default = _default(name)
    return (
        _annotated(kind, bounds),
        Field(default, title=field.title, description=told, max_length=longest),
    )


def _help(field: FieldInfo, kind: Any) -> str:
    """Return what the field does; the help of a switch says what each position does."""
    told = str(field.description)
    for written, stands in (("true: ", "On: "), ("false: ", "Off: "), ("Anything else: ", "Off: ")):
        told = told.replace(written, stands) if kind is bool else told
    return told


def _group(group: Group) -> Any:
    model: type[BaseModel] = create_model(
        f"{group.name.title()}Settings",
        __config__=ConfigDict(title=group.title, extra="forbid", use_enum_values=True),
        **{name: _field(name) for name in group.fields},
    )
    return model, Field(default_factory=model, title=group.title)


SettingsForm: type[BaseModel] = create_model(
    "SettingsForm",
    __config__=ConfigDict(title="Settings", extra="forbid"),
    **{group.name: _group(group) for group in GROUPS},
)
"""All settings in their groups, with titles and help; every field has a default."""
