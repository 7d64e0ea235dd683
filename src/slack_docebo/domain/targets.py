"""Targets: the attributes of an account that rules write, and what is special about some of them."""

import re

EXPIRATION = "expiration_date"
COLUMNS = ("date_format", "country", EXPIRATION)  # attributes that not every list and view shows
# Attributes in which case makes no difference.
CASELESS = frozenset({"email", "username", "language", "time_zone", "date_format", "country"})
FREE_TEXTS = frozenset({"first_name", "last_name"})  # and the additional fields
USERNAME = "username"  # without a rule, that of an account which is created is the e-mail address
PASSWORD = "password"  # noqa: S105 - the attribute, of a new account where the platform wants one; no rule gives it
BRANCH = "branch"  # where it changes, accounts are moved only if the settings say so
MANAGER = "manager"  # written when all accounts exist, as one of the platform's types of managers
TARGETS = ("first_name", "last_name", "email", USERNAME, "language", "time_zone", *COLUMNS, BRANCH, MANAGER)
TITLED = "field:"  # before the title of an additional field
_FIELD = re.compile(r"field_([1-9][0-9]{0,17})")


def manager_column(type_id: int) -> str:
    """Return the attribute that is the manager of this type."""
    return f"manager_{type_id}"


def manager_type_of(column: str) -> int:
    """Return the type of manager that an attribute is, as `manager_column` makes it."""
    return int(column.removeprefix("manager_"))


def is_manager(target: str) -> bool:
    """Tell whether an attribute is a manager."""
    return target == MANAGER or target.startswith("manager_")


def is_never_shown(target: str) -> bool:
    """Tell whether no list shows the values of an attribute: then only our own writes are known."""
    return target == BRANCH or is_manager(target)


def field_id_of(target: str) -> int | None:
    """Return the id of the additional field that an attribute stands for, or None."""
    found = _FIELD.fullmatch(target)
    return int(found[1]) if found else None


def title_of(target: str) -> str:
    """Return the title of an additional field that is not named by its id; else ""."""
    return target.removeprefix(TITLED) if target.startswith(TITLED) else ""


def is_target(name: str) -> bool:
    """Tell whether *name* is an attribute that a rule can fill."""
    return name in TARGETS or field_id_of(name) is not None or bool(title_of(name).strip())
