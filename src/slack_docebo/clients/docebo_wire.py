"""Docebo's wire format: its entries are read, our rows written, and its answers matched with our rows.

Ids and numbers come as text or as numbers, and one thing has several names; see each function.
"""

import html
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slack_docebo.domain.branches import Branch
from slack_docebo.domain.languages import Languages
from slack_docebo.domain.names import folded
from slack_docebo.domain.operations import Value
from slack_docebo.domain.options import Dates, Values
from slack_docebo.domain.people import LARGEST_ID, Account, View
from slack_docebo.domain.quoting import quoted
from slack_docebo.domain.targets import COLUMNS, PASSWORD
from slack_docebo.domain.texts import LONGEST_VALUE, bounded
from slack_docebo.errors import AccessDenied, ContractViolation, OutcomeUnknown
from slack_docebo.redaction import redacted

BATCH_NAMES = {
    "username": "username",
    "email": "email",
    "first_name": "firstname",
    "last_name": "lastname",
    "language": "language",
    "time_zone": "timezone",
    "active": "active",
    PASSWORD: "password",
    **dict(zip(COLUMNS, COLUMNS, strict=True)),
    **{name: name for name in ("branch_code", "branch_name", "branch_name_path")},
}
# The further attributes by the names under which lists and views show them.
SHOWN_AS = {"date_format": "date_format", "country": "country", "expiration_date": "expiration_date"}
SHOWN_AS["expiration"] = "expiration_date"  # in the view of one account
NO_OPTIONS: Mapping[int, Values] = {}
NO_VALUES: Mapping[int, str] = {}  # shared by all accounts without wanted fields
NO_USER = (
    "the token belongs to no user: use the password or JWT-bearer grant with the name of a superadmin (DOCEBO_USERNAME)"
)
# Docebo's words for the levels of accounts, as clients and the API's descriptions of 2017 to 2026 show them; some answers
# have a path before the word (/framework/level/admin).
PLAIN_USER = frozenset({"6", "user"})
LESSER = PLAIN_USER | {"admin", "power_user", "poweruser", "power user", "pu", "4"}
SUPERADMIN = frozenset({"godadmin", "superadmin", "super_admin", "super admin", "3"})
MOST_LEVELS = 10  # that are remembered as not known
MESSAGE_READ = 2_000  # characters of a message
MESSAGE_DEPTH = 5  # levels of lists and objects in a message


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a batch: the account, None for a new one, and its attributes under our names."""

    docebo_id: int | None
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row; *error* is "" on success, and *said* what Docebo said of it, which may name anybody.

    *docebo_id* is None if no account was created, or if Docebo did not say its id: the next listing shows it.
    """

    docebo_id: int | None
    error: str = ""
    said: str = ""


class RowsLeftOut(OutcomeUnknown):
    """The call was carried out and answered, but of some rows the answer says nothing.

    *failed* are the results of the others, by the position of the row, if the answer holds nothing but failures.
    """

    failed: Mapping[int, RowResult] | None = None


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


# Reading


def read_id(value: object) -> int | None:
    """Read an id sent as a number or as text; None for anything else, also for more digits than an id has."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        return int(value)
    return value if type(value) is int and 0 <= value <= LARGEST_ID else None


def read_text(value: object) -> str:
    """Read a value that should be text, to LONGEST_VALUE characters; numbers are written out, anything else is ""."""
    if isinstance(value, str):
        return bounded(value, LONGEST_VALUE)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def username_of(shown: Mapping[str, object]) -> str:
    """Read the user name that is *shown*: Docebo's database has a slash before each, and may show it."""
    return read_text(shown.get("username")).removeprefix("/")


def read_flag(value: object, *, missing: bool) -> bool:
    """Read a yes or no sent as a boolean, as a number or as text."""
    if value is None or value == "":
        return missing
    return str(value).strip().lower() not in ("0", "false", "no")


def level_word(level: object) -> str:
    """Return the word of a level, as words are compared."""
    return read_text(level).rpartition("/")[2].strip().lower()


class Levels:
    """Tells administrators from plain users by the words for their levels, and remembers those that are not known.

    Whose level is unknown or missing counts as an administrator, to be safe. *user_level* is one more word for a plain
    user; of a word that is known it changes nothing.
    """

    def __init__(self, user_level: str = "") -> None:
        word = level_word(user_level)
        self._plain = PLAIN_USER | (frozenset({word} - {""}) - LESSER - SUPERADMIN)
        self._unknown: set[str] = set()
        self._has_met_users = False

    def is_administrator(self, level: object) -> bool:
        """Tell whether whoever has this level may be one."""
        word = level_word(level)
        if word in self._plain:
            self._has_met_users = True
            return False
        if word not in LESSER and word not in SUPERADMIN and len(self._unknown) < MOST_LEVELS:
            self._unknown.add(word)
        return True

    @property
    def in_doubt(self) -> frozenset[str]:
        """The words that are not known, as long as nobody was met who is known to be a plain user."""
        return frozenset() if self._has_met_users else frozenset(self._unknown)


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

    keys = [(field_id, f"field_{field_id}") for field_id in sorted(wanted_fields)]

    def value_of(field_id: int, shown: object) -> str:
        text = read_text(shown)
        return sys.intern(options[field_id].label(text) if field_id in options else text)

    def read(item: object) -> Account:
        # It is called for every account of a listing: so look-ups are plain, and equal strings are kept once.
        if not isinstance(item, dict) or (docebo_id := read_id(item.get("user_id"))) is None:
            raise ContractViolation("list users", "not every user is an object with a numeric user_id")
        get = item.get
        if not ("username" in item and "email" in item and "status" in item):
            # What is not shown is neither empty nor active: by it somebody would get a second account.
            raise ContractViolation(
                "list users", f"account {docebo_id} is shown without its user name, its e-mail address or its status"
            )
        username = username_of(item)
        email = read_text(get("email")).strip()
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
    shown = data.get("additional_fields")
    fields = {
        f"field_{item.get('id')}": item.get("value")
        for item in (shown if isinstance(shown, list) else ())
        if isinstance(item, dict)
    }
    status = user.get("valid", user.get("status"))
    shown_always = {"username": "", "email": "", **user, "status": status}
    account = account_reader(wanted_fields, languages, options, levels)({**shown_always, **fields})
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


# Writing


def batch_item(row: Row) -> dict[str, Value | int | None]:
    """Write *row* in the words of the batch endpoint; raise ValueError for what it cannot say."""
    item: dict[str, Value | int | None] = {}
    for name, value in row.attributes.items():
        if name in BATCH_NAMES:
            item[BATCH_NAMES[name]] = value
        elif re.fullmatch(r"field_\d+", name):
            item[name] = value
        elif re.fullmatch(r"manager_\d+", name):
            item[name] = value or None  # which removes the manager
        else:
            raise ValueError(f"Docebo accounts have no attribute {name!r}")
    if row.docebo_id is not None:
        # A row that names both an id and a user name is refused; the new name has a key of its own.
        if "username" in item:
            item["new_username"] = item.pop("username")
        item["user_id"] = row.docebo_id
    elif not item.get("username"):
        raise ValueError("a new account needs a username")
    if PASSWORD in row.attributes and row.docebo_id is not None:
        raise ValueError("nobody's password is changed: that attribute is of a new account alone")
    return item


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
    if not _is_verdict(data.get("success")):
        return None
    # A success that names nobody proves nothing of anybody.
    return (_ids([data.get("user_id", data.get("id"))]) if read_flag(data["success"], missing=False) else None) or set()


def _ids(values: list[Any]) -> set[int] | None:
    ids = {docebo_id for value in values if (docebo_id := read_id(value)) is not None}
    return ids if ids or not values else None


# Errors


def message_of(body: object) -> str:
    """Return what Docebo says in *body*, in one line without a secret; "" if it says nothing.

    It sends messages as text, as a list of texts or of objects with a `message`, or as PHP's word "Array". They may name
    anybody: `quoted` is what may be shown.
    """
    # Secrets are taken out before the text is cut: a part of one would not be recognised.
    said = " ".join(redacted(html.unescape(_said(body, MESSAGE_DEPTH)[: 10 * MESSAGE_READ])).split())
    return "" if said == "Array" else bounded(said, MESSAGE_READ)


def _said(message: object, depth: int) -> str:
    if isinstance(message, dict):
        message = message.get("message")
    if isinstance(message, list):
        return "; ".join(filter(None, (_said(part, depth - 1) for part in message))) if depth else ""
    return read_text(message).strip()


# Correlation


def correlate(rows: Sequence[Row], data: object, *, operation: str = "batch") -> list[RowResult]:
    """Return the result of each row, in the order of *rows*.

    An answer belongs to the row whose id or user name it shows. Where it shows none, or several rows share it, it
    belongs to the row of its `row_index`, counted from 0 or from 1, or else of its position; ids and names that it does
    show must agree. PHP may send an array as an object whose keys are the places. Raises OutcomeUnknown for the whole call
    unless each row has exactly one answer.
    """
    if isinstance(data, dict) and all(str(key).isdecimal() for key in data):
        data = [data[key] for key in sorted(data, key=int)]
    if not isinstance(data, list) or len(data) != len(rows):
        left_out = RowsLeftOut(operation, "not one answer for each row")
        left_out.failed = _failures(rows, data)
        raise left_out
    answers: list[dict[str, Any]] = [answer for answer in data if isinstance(answer, dict)]
    if len(answers) != len(data) or not all(_is_verdict(answer.get("success")) for answer in answers):
        raise OutcomeUnknown(operation, "a row's answer does not tell success from failure")
    candidates = _candidates(rows, answers)
    owners = [next(iter(found)) if len(found) == 1 else None for found in candidates]
    if None in owners or len(set(owners)) != len(rows):
        owners = list(_positions(answers))
        if any(owner not in found for owner, found in zip(owners, candidates, strict=True)):
            raise OutcomeUnknown(operation, "the answers cannot be told apart")
    results: dict[int | None, RowResult] = {
        owner: _result(rows[owner], answer) for owner, answer in zip(owners, answers, strict=True) if owner is not None
    }
    if len(results) != len(rows):
        raise OutcomeUnknown(operation, "two answers for one row")
    return [results[position] for position in range(len(rows))]


def _failures(rows: Sequence[Row], data: object) -> Mapping[int, RowResult] | None:
    """Return the results in an answer that names failed rows alone, by position; None where it may be another one."""
    if not isinstance(data, list) or len(data) > len(rows):
        return None
    answers: list[dict[str, Any]] = [answer for answer in data if isinstance(answer, dict)]
    refused = [
        one for one in answers if _is_verdict(one.get("success")) and not read_flag(one["success"], missing=True)
    ]
    candidates = _candidates(rows, refused)
    owners = {next(iter(found)) for found in candidates if len(found) == 1}
    if len(refused) != len(data) or len(owners) != len(data):
        return None
    return {
        next(iter(found)): _result(rows[next(iter(found))], one) for found, one in zip(candidates, refused, strict=True)
    }


def _candidates(rows: Sequence[Row], answers: Iterable[Mapping[str, Any]]) -> list[set[int]]:
    """Return, for each answer, the rows it can be about, judging by the id and the user name it shows."""
    ids: dict[int, set[int]] = {}
    names: dict[str, set[int]] = {}
    creating: set[int] = set()
    for position, row in enumerate(rows):
        if row.docebo_id is not None:
            ids.setdefault(row.docebo_id, set()).add(position)
            continue
        creating.add(position)
        # Tenants that use the e-mail address as user name answer with the former.
        for attribute in ("username", "email"):
            if value := row.attributes.get(attribute):
                names.setdefault(_folded(value), set()).add(position)
    anyone = set(range(len(rows)))
    updating = anyone - creating
    candidates = []
    for answer in answers:
        shown = _output(answer)
        found = anyone
        if docebo_id := read_id(shown.get("user_id")):
            found = ids.get(docebo_id, creating)  # the id of a new account is not known beforehand
        if username := username_of(shown):
            # Of an existing account it proves nothing: an update may leave it out, or change it.
            found = found & (names.get(_folded(username), set()) | updating)
        candidates.append(found)
    return candidates


def _positions(answers: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the position of each answer's row by `row_index`, or the order of the answers if none is sent."""
    count = len(answers)
    indices = [read_id(answer.get("row_index")) for answer in answers]
    for base in (0, 1):
        if sorted(index for index in indices if index is not None) == list(range(base, base + count)):
            return [index - base for index in indices if index is not None]
    if all(index is None for index in indices):
        return list(range(count))
    return [-1] * count


def _result(row: Row, answer: Mapping[str, Any]) -> RowResult:
    shown = _output(answer)
    if read_flag(answer["success"], missing=False):
        return RowResult(row.docebo_id if row.docebo_id is not None else read_id(shown.get("user_id")) or None)
    said = message_of(answer.get("message")) or message_of(shown.get("error"))
    return RowResult(row.docebo_id, quoted(said) or "refused without a reason", said)


def _output(answer: Mapping[str, Any]) -> dict[str, Any]:
    output = answer.get("output")
    return output if isinstance(output, dict) else {}


def _is_verdict(success: object) -> bool:
    return isinstance(success, bool) or success in (0, 1, "0", "1", "true", "false")


def _folded(value: Value) -> str:
    return folded(str(value).strip().removeprefix("/"))
