"""Docebo's wire format, except for accounts. One thing may have several names; see each function."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import Any

from slack_docebo.clients.docebo_values import (
    as_list,
    is_verdict,
    read_flag,
    read_id,
    read_text,
    read_words,
    username_of,
)
from slack_docebo.domain.branches import Branch
from slack_docebo.errors import AccessDenied, ContractViolation

NO_USER = (
    "the token belongs to no user: use the password or JWT-bearer grant with the name of a superadmin (DOCEBO_USERNAME)"
)


@dataclass(frozen=True, slots=True)
class Session:
    """The user to whom the credentials belong."""

    docebo_id: int
    username: str
    level: str  # in the platform's own word, like "godadmin"
    languages: Mapping[str, str] = field(default_factory=dict)  # the platform's: names by the browser's codes


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
    """One of the types of managers on this platform."""

    id: int
    title: str


@dataclass(frozen=True, slots=True)
class Service:
    """A part of Docebo's API and the address of its description."""

    app: str
    url: str


def session_of(data: object) -> Session:
    """Read the description of the current user."""
    if not isinstance(data, dict) or (docebo_id := read_id(data.get("id", data.get("user_id")))) is None:
        raise AccessDenied("session", NO_USER)
    level = read_text(data.get("user_level", data.get("level")))
    listed = data.get("active_languages")  # or by their names, where PHP has them so
    languages = {
        read_text(one.get("browsercode")): read_text(one.get("code"))
        for one in (listed.values() if isinstance(listed, dict) else as_list(listed) or ())
        if isinstance(one, dict) and read_text(one.get("browsercode"))
    }
    return Session(docebo_id, username_of(data), level, languages)


def user_field_of(item: object) -> UserField:
    """Read one additional field."""
    if not isinstance(item, dict) or (field_id := read_id(item.get("id", item.get("id_field")))) is None:
        raise ContractViolation("user fields", "not every field is an object with a numeric id")
    labels = {
        read_text(option.get("id")): read_words(option.get("label"))
        for option in as_list(item.get("options")) or ()
        if isinstance(option, dict)
    }
    mandatory = read_flag(item.get("mandatory"), missing=False)
    return UserField(
        id=field_id,
        title=read_words(item.get("title")),
        type=read_text(item.get("type")),
        options=labels,
        mandatory=mandatory,
    )


def translated_options(data: object) -> list[tuple[str, str]]:
    """Read the options of a dropdown, as the view of one field shows them: id and label, once for each language."""
    options = data.get("dropdown_options") if isinstance(data, dict) else None
    return [
        (read_text(option.get("option_id", option.get("id"))), read_words(label))
        for option in as_list(options) or ()
        if isinstance(option, dict) and isinstance(translations := option.get("translations"), dict)
        for label in translations.values()
    ]


def manager_type_of(item: object) -> ManagerType:
    """Read one of the platform's types of managers."""
    if not isinstance(item, dict) or (type_id := read_id(item.get("id"))) is None:
        raise ContractViolation("manager types", "not every type is an object with a numeric id")
    return ManagerType(type_id, read_words(item.get("title")))


def subordinate_of(item: object) -> int:
    """Read the id of one account that reports to another one."""
    docebo_id = read_id(item.get("user_id", item.get("id"))) if isinstance(item, dict) else None
    if docebo_id is None:
        raise ContractViolation("subordinates", "not every account is an object with a numeric id")
    return docebo_id


def branches_of(item: object) -> list[Branch]:
    """Read one node of the organisation chart and, if it comes as a tree, all nodes below it."""
    found, unread = [], [item]
    while unread:
        node = unread.pop()
        found.append(_branch_of(node))
        unread += reversed((isinstance(node, dict) and as_list(node.get("children"))) or [])
    return found


def is_one_level(branches: Iterable[Branch]) -> bool:
    """Tell whether *branches* are all of one level, by their places in the tree, apart from one above them all."""
    ordered = _by_place(branches)
    if ordered and all(one.right < ordered[0].right for one in ordered[1:]):
        ordered = ordered[1:]
    return all(following.left > one.right for one, following in pairwise(ordered))


def unopened(branches: Iterable[Branch]) -> list[Branch]:
    """Return the *branches* with others below them, by their places in the tree, none of which is shown."""
    ordered = _by_place(branches)
    return [
        one
        for one, following in zip_longest(ordered, ordered[1:])
        if one.right - one.left > 1 and (following is None or following.left > one.right)
    ]


def _by_place(branches: Iterable[Branch]) -> list[Branch]:
    return sorted((one for one in branches if one.left), key=lambda one: one.left)


def _branch_of(item: object) -> Branch:
    if not isinstance(item, dict) or (branch_id := read_id(item.get("id"))) is None:
        raise ContractViolation("branches", "not every branch is an object with a numeric id")
    left, right = (read_id(item.get(name)) or 0 for name in ("i_left", "i_right"))
    return Branch(
        id=branch_id, code=read_text(item.get("code")), title=read_words(item.get("title")), left=left, right=right
    )


def changed_of(data: object) -> set[int] | None:
    """Return the ids that the answer to a change of status shows as changed, None if it cannot be read.

    The answer is an object with `updated_ids` (clients of 2024) or an array (the description of 2017, which does not
    say of what): of such objects, of ids, or of one object with id and `success` for each account.
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
