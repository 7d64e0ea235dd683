"""Docebo's wire format: its entries are read. One thing has several names; see each function."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_docebo.clients.docebo_levels import Levels
from slack_docebo.clients.docebo_values import is_hidden, is_verdict, read_flag, read_id, read_text, username_of
from slack_docebo.clients.yes_and_no import says_no, says_yes
from slack_docebo.domain.branches import Branch
from slack_docebo.domain.languages import Languages
from slack_docebo.domain.options import Dates, Values
from slack_docebo.domain.people import Account, View
from slack_docebo.errors import AccessDenied, ContractViolation

# The further attributes by the names under which lists and views show them.
SHOWN_AS = {"date_format": "date_format", "country": "country", "expiration_date": "expiration_date"}
SHOWN_AS["expiration"] = "expiration_date"  # in the view of one account
KEPT_AS = {
    "first_name": ("first_name",),
    "last_name": ("last_name",),
    "language": ("lang_code", "language"),
    "time_zone": ("timezone",),
}
USUAL_KEYS = frozenset({"first_name", "last_name", "lang_code", "timezone", "email"})
NOTHING: frozenset[str] = frozenset()
NO_OPTIONS: Mapping[int, Values] = {}
NO_VALUES: Mapping[int, str] = {}  # shared by all accounts without wanted fields
NO_USER = (
    "the token belongs to no user: use the password or JWT-bearer grant with the name of a superadmin (DOCEBO_USERNAME)"
)


@dataclass(frozen=True, slots=True)
class Session:
    """The user to whom the credentials belong."""

    docebo_id: int
    username: str
    level: str  # in the platform's own word, like "godadmin"
    languages: Mapping[str, str] = field(
        default_factory=dict
    )  # the names of the platform's languages by the browser's codes


@dataclass(frozen=True, slots=True)
class UserField:
    """An additional field of user accounts; *options* are the labels of a dropdown by their ids."""

    id: int
    title: str
    type: str
    options: Mapping[str, str]
    mandatory: bool = False  # in the form of the platform; whether in rows as well is documented nowhere


@dataclass(frozen=True, slots=True)
class ManagerType:
    """One of the ways in which somebody can be a manager of somebody on this platform."""

    id: int
    title: str


@dataclass(frozen=True, slots=True)
class Service:
    """A part of Docebo's API and the address of its description."""

    app: str
    url: str


def account_reader(
    wanted_fields: frozenset[int],
    languages: Languages,
    options: Mapping[int, Values] = NO_OPTIONS,
    levels: Levels | None = None,
) -> Callable[[object], Account]:
    """Return a function that reads one entry of the user listing, with the additional fields *wanted_fields*.

    What an entry tells of the platform's *languages* and *levels* is noted there; the *options* are those of dropdowns, by
    field. It raises ContractViolation for an entry without an id, or without what accounts are told apart by.
    """
    is_administrator = (levels or Levels()).is_administrator
    known: dict[tuple[str, str], str] = {}

    def language_of(code: str, name: str) -> str:
        """Return the browser's code: of the two keys either may hold a name like "English", on some tenants."""
        if (code, name) not in known:
            if code and name:
                languages.note(code, name)
            known[code, name] = languages.code(code or name)
        return known[code, name]

    alike: dict[tuple[str | None, ...], Mapping[str, str]] = {}

    def columns_of(item: Mapping[str, object]) -> Mapping[str, str]:
        """Return the further attributes that the entry shows; most accounts share the values, and so the object."""
        shown = tuple(read_text(item[key]) if key in item else None for key in SHOWN_AS)
        if shown not in alike:
            found = {name: value for name, value in zip(SHOWN_AS.values(), shown, strict=True) if value is not None}
            if "expiration_date" in found:
                found["expiration_date"] = Dates().label(found["expiration_date"])
            alike[shown] = found
        return alike[shown]

    absent: dict[frozenset[str], frozenset[str]] = {}

    def unshown_of(item: Mapping[str, object]) -> frozenset[str]:
        """Return the attributes of which the entry does not say what they are; most accounts lack none, or the same."""
        is_status_said = says_yes(item["status"]) or says_no(item["status"])
        if item.keys() >= USUAL_KEYS and is_status_said and not is_hidden(item["email"]):
            return NOTHING
        found = frozenset(name for name, keys in KEPT_AS.items() if not any(key in item for key in keys))
        if is_hidden(item["email"]):
            found |= {"email"}
        if not is_status_said:
            found |= {"active"}
        return absent.setdefault(found, found)

    keys = [(field_id, f"field_{field_id}") for field_id in sorted(wanted_fields)]

    def value_of(field_id: int, shown: object) -> str:
        text = read_text(shown)
        return sys.intern(options[field_id].label(text) if field_id in options else text)

    def read(item: object) -> Account:
        # It is called for every account of a listing: so look-ups are plain, and equal strings are kept once.
        if not isinstance(item, dict) or (docebo_id := read_id(item.get("user_id"))) is None:
            raise ContractViolation("list users", "not every user is an object with a numeric user_id")
        get = item.get
        if "email" not in item or get("username") is None or get("status") in (None, ""):
            # What is not shown is neither empty nor active: by it somebody would get a second account.
            raise ContractViolation(
                "list users", f"account {docebo_id} is shown without its user name, its e-mail address or its status"
            )
        username = username_of(item)
        email = read_text(item["email"]).strip()
        return Account(
            docebo_id=docebo_id,
            username=username,
            email=username if email == username else email,
            first_name=read_text(get("first_name")),
            last_name=read_text(get("last_name")),
            active=read_flag(get("status"), missing=True),
            administrator=is_administrator(get("level")),
            language=language_of(read_text(get("lang_code")), read_text(get("language"))),
            time_zone=sys.intern(read_text(get("timezone"))),
            fields={field_id: value_of(field_id, item[key]) for field_id, key in keys if key in item} or NO_VALUES,
            columns=columns_of(item),
            unshown=unshown_of(item),
        )

    return read


def view_of(
    data: object,
    wanted_fields: frozenset[int],
    languages: Languages,
    options: Mapping[int, Values],
    levels: Levels | None = None,
) -> View | None:
    """Read the view of one user, whose names differ from those of the listing; None where it shows nobody."""
    user = data.get("user_data") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(user, dict) or not user:
        return None
    listed = data.get("additional_fields")
    fields = {
        f"field_{item.get('id')}": item.get("value")
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, dict)
    }
    status = None if (shown := user.get("valid", user.get("status"))) == "" else shown
    named = {"email": None, **user, "username": username_of(user), "status": 1 if status is None else status}
    account = account_reader(wanted_fields, languages, options, levels)({**named, **fields})
    besides = {"status": status, "level": user.get("level"), "force_change": user.get("force_change")}
    shown_besides = {name: read_text(value) for name, value in besides.items() if value is not None}
    branches = data.get("branches", user.get("select_orgchart", data.get("select_orgchart")))
    if branches is not None:
        shown_besides["branches"] = ",".join(sorted(_branch_ids(branches)))
    return View(account, shown_besides)


def _branch_ids(shown: object) -> Iterator[str]:
    """Yield the ids of branches: of a list of ids or of nodes, or the keys of a map."""
    for entry in shown if isinstance(shown, list | dict) else ():
        yield read_text(entry.get("id", entry.get("branch_id")) if isinstance(entry, dict) else entry)


def session_of(data: object) -> Session:
    """Read the description of the current user."""
    if not isinstance(data, dict) or (docebo_id := read_id(data.get("id", data.get("user_id")))) is None:
        raise AccessDenied("session", NO_USER)
    level = read_text(data.get("user_level", data.get("level")))
    active = data.get("active_languages")
    languages = {
        read_text(one.get("browsercode")): read_text(one.get("code"))
        for one in (active if isinstance(active, list) else ())
        if isinstance(one, dict)
    }
    return Session(docebo_id, username_of(data), level, languages)


def user_field_of(item: object) -> UserField:
    """Read one additional field."""
    if not isinstance(item, dict) or (field_id := read_id(item.get("id", item.get("id_field")))) is None:
        raise ContractViolation("user fields", "not every field is an object with a numeric id")
    options = item.get("options")
    labels = {
        read_text(option.get("id")): read_text(option.get("label"))
        for option in (options if isinstance(options, list) else ())
        if isinstance(option, dict)
    }
    mandatory = read_flag(item.get("mandatory"), missing=False)
    return UserField(field_id, read_text(item.get("title")), read_text(item.get("type")), labels, mandatory)


def translated_options(data: object) -> list[tuple[str, str]]:
    """Read the options of a dropdown, as the view of one field shows them: id and label, once for each language."""
    options = data.get("dropdown_options") if isinstance(data, dict) else None
    return [
        (read_text(option.get("option_id", option.get("id"))), read_text(label))
        for option in (options if isinstance(options, list) else ())
        if isinstance(option, dict) and isinstance(translations := option.get("translations"), dict)
        for label in translations.values()
    ]


def manager_type_of(item: object) -> ManagerType:
    """Read one of the platform's types of managers."""
    if not isinstance(item, dict) or (type_id := read_id(item.get("id"))) is None:
        raise ContractViolation("manager types", "not every type is an object with a numeric id")
    return ManagerType(type_id, read_text(item.get("title")))


def branch_of(item: object) -> Branch:
    """Read one node of the organisation chart."""
    if not isinstance(item, dict) or (branch_id := read_id(item.get("id"))) is None:
        raise ContractViolation("branches", "not every branch is an object with a numeric id")
    left, right = (read_id(item.get(name)) or 0 for name in ("i_left", "i_right"))
    return Branch(branch_id, read_text(item.get("code")), read_text(item.get("title")), left, right)


def changed_of(data: object) -> set[int] | None:
    """Return the ids that the answer to a change of status shows as changed, None where it cannot be read.

    It is an object with `updated_ids` (clients of 2024) or an array (the description of 2017, which does not say of
    what): of such objects, of ids, or of one object with id and `success` for each account.
    """
    if isinstance(data, list):
        told = [changed_of(entry) if isinstance(entry, dict) else _ids([entry]) for entry in data]
        known = [ids for ids in told if ids is not None]
        return None if data and not known else set().union(*known)
    if not isinstance(data, dict):
        return None
    if isinstance(updated := data.get("updated_ids"), list):
        return _ids(updated)
    if not is_verdict(data.get("success")):
        return None
    # A success that names nobody proves nothing of anybody.
    return (_ids([data.get("user_id", data.get("id"))]) if read_flag(data["success"], missing=False) else None) or set()


def _ids(values: list[Any]) -> set[int] | None:
    ids = {docebo_id for value in values if (docebo_id := read_id(value)) is not None}
    return ids if ids or not values else None
