"""Operations: the one thing to be done about each person."""

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | bool


class Kind(StrEnum):
    """What an operation does to the target or to the mapping."""

    CREATE = "create"
    UPDATE = "update"
    DEACTIVATE = "deactivate"
    MAP = "map"
    UNMAP = "unmap"
    LEAVE = "leave"


class Outcome(StrEnum):
    """What became of an operation."""

    PLANNED = "planned"
    APPLIED = "applied"
    FAILED = "failed"  # refused for this one person; the run went on
    SKIPPED = "skipped"  # the target has changed since the plan was made
    LEFT = "left"  # there was nothing to do


@dataclass(frozen=True, slots=True)
class Operation:
    """What is, or would be, done about one person, and why.

    *changes* and *before* are keyed by attribute: `username`, `email`, `first_name`, `last_name`, `language`,
    `time_zone`, `active` or `field_<id>`; *before* holds the values that *changes* replaces.
    """

    slack_id: str
    slack_team: str
    slack_name: str
    kind: Kind
    reason: str
    docebo_id: int | None = None
    changes: MappingType[str, Value] = field(default_factory=dict)
    before: MappingType[str, Value] = field(default_factory=dict)
    maps: bool = False  # the mapping row is written together with the outcome
    fingerprint: str = ""
    echo: str = ""
