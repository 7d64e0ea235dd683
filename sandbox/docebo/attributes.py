"""Reads what clients send about a user: single bodies and batch rows are checked and turned into attributes."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from sandbox.docebo.accounts import LEVELS, Accounts
from sandbox.docebo.switches import Switches

LANGUAGES = {
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "hi": "hindi",
    "it": "italian",
    "ja": "japanese",
    "pl": "polish",
    "pt": "portuguese",
    "zh": "chinese",
}
_CODES = {name: code for code, name in LANGUAGES.items()}
_BATCH_LEVELS = {"user": "user", "poweruser": "power_user", "superadmin": "godadmin"}
_SINGLE_LEVELS = {str(number): level for level, number in LEVELS.items()}
_ADDRESS = re.compile(r"[^@\s]{1,45}@[^@\s]{1,45}")  # 45 characters a side: the CSV import's documented limit
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_IN_ANGLE_BRACKETS = re.compile(r"<[^>]*>")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
NUMBERS_FOR_YES_AND_NO = ("0", "1", "2")  # unset, yes, no: as clients send them about one account
WORDS_FOR_YES_AND_NO = {"1": "1", "yes": "1", "0": "2", "no": "2"}  # as the CSV import takes them
WITH_OPTIONS = ("dropdown", "country")
_TIME_ZONES = zoneinfo.available_timezones()


@dataclass
class Field:
    """An additional field of users; the values of a dropdown or a country are ids of its options."""

    id: int
    title: str
    type: str = "textfield"
    options: dict[int, str] = field(default_factory=dict)
    mandatory: bool = False
    invisible_to_user: bool = False


@dataclass
class Branch:
    """A node of the organisation chart."""

    id: int
    code: str
    title: str
    parent: int = 0


def nested(branches: Mapping[int, Branch]) -> Iterator[tuple[Branch, int, int, int]]:
    """Yield each branch with its level and its place, left and right, in the tree as a nested set."""

    def walk(branch: Branch, level: int, left: int) -> int:
        right = left + 1
        place = len(found)
        found.append((branch, level, left, 0))
        for child in branches.values():
            if child.parent == branch.id and child.id != branch.id:
                right = walk(child, level + 1, right) + 1
        found[place] = (branch, level, left, right)
        return right

    found: list[tuple[Branch, int, int, int]] = []
    walk(branches[0], 1, 1)
    yield from found


def path(branches: Mapping[int, Branch], branch: Branch) -> str:
    """Return the titles that lead to *branch* below the root."""
    titles = []
    while branch.id:
        titles.append(branch.title)
        branch = branches[branch.parent]
    return "/".join(reversed(titles))


class RefusedError(Exception):
    """Docebo refuses an attribute: its name, and the reason."""

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(reason)
        self.attribute = attribute
        self.reason = reason


class Reader:
    """Reads attributes and checks them against the platform's fields, branches and accounts."""

    def __init__(
        self, accounts: Accounts, fields: Mapping[int, Field], branches: Mapping[int, Branch], switches: Switches
    ) -> None:
        self._accounts = accounts
        self._fields = fields
        self._branches = branches
        self._switches = switches

    def single(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Read the body of POST or PUT /user, without `userid`, which the two treat differently."""
        attributes = self._shared(body)
        if "valid" in body:
            attributes["active"] = _flag("valid", body["valid"])
        if "level" in body:
            attributes["level"] = _one_of("level", str(body["level"]), _SINGLE_LEVELS)
        if "expiration" in body:
            attributes["expiration"] = _date("expiration", body["expiration"])
        if "language" in body:
            attributes["language"] = _one_of("language", str(body["language"]), {code: code for code in LANGUAGES})
        if "force_change" in body:
            attributes["force_change"] = _flag("force_change", body["force_change"])
        # The 2017 schema of POST says email_status, PUT and clients the longer name.
        for key in ("email_status", "email_validation_status"):
            if key in body:
                attributes["email_validated"] = _flag(key, body[key])
        if "additional_fields" in body:
            attributes["fields"] = self._field_values(_as_map("additional_fields", body["additional_fields"]))
        if "select_orgchart" in body:
            selected = _as_map("select_orgchart", body["select_orgchart"])
            attributes["branches"] = tuple(self._branch(key) for key, on in selected.items() if on)
        if "manager" in body:
            attributes["managers"] = self._manager_ids(_as_map("manager", body["manager"]))
        if "can_manage_subordinates" in body:
            attributes["is_manager"] = _flag("can_manage_subordinates", body["can_manage_subordinates"])
        return attributes

    def row(self, row: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """Read a batch row, without `username` and `user_id`. A column that is not sent is not in the result."""
        attributes = self._shared(row)
        if "active" in row:
            attributes["active"] = _flag("active", row["active"])
        if "level" in row:
            attributes["level"] = _one_of("level", str(row["level"]), _BATCH_LEVELS)
        if "expiration_date" in row:
            attributes["expiration"] = _date("expiration_date", row["expiration_date"])
        if "language" in row:
            with self._passing_over():
                attributes["language"] = self._row_language(str(row["language"]))
        if "is_manager" in row:
            attributes["is_manager"] = _flag("is_manager", row["is_manager"])
        if "country" in row:
            attributes["country"] = str(row["country"] or "")
        fields = {key.removeprefix("field_"): value for key, value in row.items() if key.startswith("field_")}
        if self._switches.option_form == "label":
            fields = {key: self._option_id(key, value) for key, value in fields.items()}
        if fields:
            attributes["fields"] = {}
        for key, value in fields.items():
            with self._passing_over():
                attributes["fields"] |= self._field_values({key: value})
        if managers := {key: value for key, value in row.items() if key.startswith("manager_")}:
            attributes["managers"] = self._managers(managers)
        branch = self._row_branch(row, options)
        if branch is not None:
            attributes["branches"] = (branch,)
        return attributes

    def _shared(self, body: Mapping[str, Any]) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        for key in ("firstname", "lastname"):
            if key in body:
                attributes[key] = self.name(str(body[key] or ""))
        if "email" in body:
            attributes["email"] = _address(str(body["email"] or ""))
        if body.get("password"):
            attributes["password"] = str(body["password"])
        if body.get("timezone"):
            attributes["timezone"] = _time_zone(str(body["timezone"]))
        if body.get("date_format"):
            attributes["date_format"] = str(body["date_format"])
        return attributes

    def name(self, text: str) -> str:
        """Return *text* as Docebo stores it: read back, it may differ from what was sent."""
        return _IN_ANGLE_BRACKETS.sub("", text).strip() if self._switches.sanitise_names else text

    def _passing_over(self) -> AbstractContextManager[None]:
        """Return what passes over a refused value, where the platform says nothing of it."""
        return suppress(RefusedError) if self._switches.forms_ignored else nullcontext()

    def _option_id(self, key: str, label: Any) -> Any:
        known = self._fields.get(int(key)) if key.isdigit() else None
        if known is not None and known.type == "yesno" and label:
            return WORDS_FOR_YES_AND_NO.get(str(label).lower(), f"neither yes nor no: {label}")
        if known is None or known.type not in WITH_OPTIONS or not label:
            return label
        if known.type == "country" and not self._switches.country_options:
            return label if label in known.options.values() else f"no country {label}"
        return next((option for option, text in known.options.items() if text == label), f"no option {label}")

    def _field_values(self, values: Mapping[str, Any]) -> dict[int, str]:
        result = {}
        for key, value in values.items():
            known = self._fields.get(int(key)) if str(key).isdigit() else None
            if known is None:
                raise RefusedError(f"field_{key}", "Additional field not found")
            text = "" if value is None else str(value)
            by_name = known.type == "country" and not self._switches.country_options
            by_name = by_name and self._switches.option_form == "label"
            options = known.options.values() if by_name else map(str, known.options)
            if known.type in WITH_OPTIONS and text and text not in options:
                raise RefusedError(f"field_{key}", f"Invalid {known.type} option")
            if known.type == "date":
                _date(f"field_{key}", text)
            if known.type == "yesno" and text and text not in NUMBERS_FOR_YES_AND_NO:
                raise RefusedError(f"field_{key}", "Invalid value")
            result[known.id] = text
        return result

    def _manager_ids(self, managers: Mapping[str, Any]) -> dict[int, int]:
        for key, value in managers.items():
            if not key.isdigit() or not str(value).isdigit() or self._accounts.get(int(value)) is None:
                raise RefusedError("manager", "Manager not found")
        return {int(key): int(value) for key, value in managers.items()}

    def _managers(self, columns: Mapping[str, Any]) -> dict[int, int]:
        managers = {}
        for key, username in columns.items():
            manager = self._accounts.by_username(str(username)) if username else None
            if username and manager is None and self._switches.managers == "listed":
                continue
            if username and (manager is None or (self._switches.managers == "marked" and not manager.is_manager)):
                raise RefusedError(key, "Responsabile non valido")
            managers[int(key.removeprefix("manager_"))] = manager.user_id if manager else 0
        return managers

    def _row_branch(self, row: Mapping[str, Any], options: Mapping[str, Any]) -> int | None:
        names: dict[str, Callable[[Branch], str]] = {
            "branch_name_path": lambda branch: path(self._branches, branch),
            "branch_name": lambda branch: branch.title,
            "branch_code": lambda branch: branch.code,
        }
        for column, name in names.items():
            if row.get(column):
                # Names and codes of branches are compared with regard to case.
                found = [branch.id for branch in self._branches.values() if name(branch) == row[column]]
                if len(found) != 1:
                    raise RefusedError(column, "Several branches" if found else "Branch not found")
                return found[0]
        if options.get("branch_option") == "existing" and options.get("destination_branch") is not None:
            return self._branch(options["destination_branch"])
        return None

    def _branch(self, branch_id: Any) -> int:
        if not str(branch_id).isdigit() or int(branch_id) not in self._branches:
            raise RefusedError("select_orgchart", "Branch not found")
        return int(branch_id)

    def _row_language(self, text: str) -> str:
        form = self._switches.batch_language
        folded = text.casefold()
        if folded in LANGUAGES and form in ("any", "code"):
            return folded
        if folded in _CODES and form in ("any", "name"):
            return _CODES[folded]
        raise RefusedError("language", "Invalid language")


def _as_map(attribute: str, values: Any) -> dict[str, Any]:
    """Read the map that is sent today, or the list of `{id, value}` of 2017."""
    if isinstance(values, list) and all(isinstance(item, dict) and "id" in item for item in values):
        return {str(item["id"]): item.get("value") for item in values}
    if not isinstance(values, dict):
        raise RefusedError(attribute, "Invalid value")
    return {str(key): value for key, value in values.items()}


def _flag(attribute: str, value: Any) -> bool:
    flag = _FLAGS.get(str(value).lower())
    if flag is None:
        raise RefusedError(attribute, "Invalid value")
    return flag


def _one_of(attribute: str, value: str, allowed: Mapping[str, str]) -> str:
    if value not in allowed:
        raise RefusedError(attribute, "Invalid value")
    return allowed[value]


def _date(attribute: str, value: Any) -> str | None:
    if not value:
        return None
    if not _DATE.fullmatch(str(value)):
        raise RefusedError(attribute, "Invalid date")
    return str(value)


def _address(text: str) -> str:
    if text and not _ADDRESS.fullmatch(text):
        raise RefusedError("email", "Invalid email address")
    return text


def _time_zone(text: str) -> str:
    if text not in _TIME_ZONES:
        raise RefusedError("timezone", "Invalid timezone")
    return text
