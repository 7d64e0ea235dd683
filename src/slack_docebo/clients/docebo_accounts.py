"""Reads accounts as Docebo shows them, in lists and one by one."""

import sys
from collections.abc import Mapping

from slack_docebo.clients.docebo_levels import Levels
from slack_docebo.clients.docebo_values import (
    as_list,
    is_hidden,
    read_flag,
    read_id,
    read_text,
    read_words,
    username_of,
)
from slack_docebo.clients.yes_and_no import says_no, says_yes
from slack_docebo.domain.languages import Languages
from slack_docebo.domain.options import Dates, Values
from slack_docebo.domain.people import Account, View
from slack_docebo.errors import ContractViolation

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
ROOT = 0  # the id of the branch above all others
NOTHING: frozenset[str] = frozenset()
NO_OPTIONS: Mapping[int, Values] = {}
NO_VALUES: Mapping[int, str] = {}  # shared by all accounts without wanted fields


class AccountReader:
    """Reads accounts with the additional fields *wanted_fields*; equal values of several accounts are stored once.

    Languages and levels that an account shows are noted in *languages* and *levels*; *options* are the possible values
    of fields, by field.
    """

    def __init__(
        self,
        wanted_fields: frozenset[int],
        languages: Languages,
        options: Mapping[int, Values] = NO_OPTIONS,
        levels: Levels | None = None,
    ) -> None:
        self._keys = [(field_id, f"field_{field_id}") for field_id in sorted(wanted_fields)]
        self._languages = languages
        self._options = options
        self._is_administrator = (levels or Levels()).is_administrator
        # Of languages, by what the two keys show, and whether that tells which one it is
        self._codes: dict[tuple[str, str], tuple[str, bool]] = {}
        self._columns: dict[tuple[str | None, ...], Mapping[str, str]] = {}  # further attributes, by what is shown
        self._unshown: dict[frozenset[str], frozenset[str]] = {}

    def read(self, item: object) -> Account:
        """Read one entry of the user listing.

        Raises ContractViolation for an entry without an id, username, e-mail address or status.
        """
        # It is called for every account of a listing: so look-ups are plain.
        if not isinstance(item, dict) or not (docebo_id := read_id(item.get("user_id"))):
            raise ContractViolation("list users", "not every user is an object with a numeric user_id")
        get = item.get
        if "email" not in item or get("username") is None or get("status") in (None, ""):
            # What is not shown is neither empty nor active: by it somebody would get a second account.
            raise ContractViolation(
                "list users", f"account {docebo_id} is shown without its user name, its e-mail address or its status"
            )
        language, tells_language = self._language(read_text(get("lang_code")), read_text(get("language")))
        username = username_of(item)
        email = read_words(item["email"]).strip()
        return Account(
            docebo_id=docebo_id,
            username=username,
            email=username if email == username else email,
            first_name=read_words(get("first_name")),
            last_name=read_words(get("last_name")),
            active=read_flag(get("status"), missing=True),
            administrator=self._is_administrator(get("level")),
            language=language,
            time_zone=sys.intern(read_text(get("timezone"))),
            fields={id_: self._value(id_, item[key]) for id_, key in self._keys if key in item} or NO_VALUES,
            columns=self._further(item),
            unshown=self._not_shown(item, tells_language=tells_language),
        )

    def view(self, data: object) -> View | None:
        """Read the view of one user, whose keys differ from those of the listing; None if it shows nobody."""
        user = data.get("user_data") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(user, dict) or not user:
            return None
        fields = {
            f"field_{item.get('id')}": item.get("value")
            for item in as_list(data.get("additional_fields")) or ()
            if isinstance(item, dict)
        }
        status = None if (shown := user.get("valid", user.get("status"))) == "" else shown
        named = {"email": None, **user, "username": username_of(user), "status": 1 if status is None else status}
        account = self.read({**named, **fields})
        besides = {"status": status, "level": user.get("level"), "force_change": user.get("force_change")}
        shown_besides = {name: read_text(_as_word(value)) for name, value in besides.items() if value is not None}
        branches = _branch_ids(data.get("branches", user.get("select_orgchart", data.get("select_orgchart"))))
        if branches is not None:
            shown_besides["branches"] = ",".join(map(str, sorted(branches)))
        return View(account, shown_besides)

    def _language(self, code: str, name: str) -> tuple[str, bool]:
        """Return the code of the language, and whether it says which one; either key may hold a name like "English"."""
        if (code, name) not in self._codes:
            if code and name:
                self._languages.note(code, name)
            found = self._languages.code(code or name)
            self._codes[code, name] = found, self._languages.tells(found)
        return self._codes[code, name]

    def _value(self, field_id: int, shown: object) -> str:
        if field_id not in self._options:
            return sys.intern(read_words(shown))
        return sys.intern(self._options[field_id].label(read_words(_as_word(shown))))

    def _further(self, item: Mapping[str, object]) -> Mapping[str, str]:
        """Return the further attributes that the entry shows; accounts with equal values share one object.

        An expiration date in another form than 2026-05-31 counts as not shown: nobody can tell whether it is over.
        """
        shown = tuple([read_text(item[key]) if key in item else None for key in SHOWN_AS])
        if shown not in self._columns:
            found = {name: value for name, value in zip(SHOWN_AS.values(), shown, strict=True) if value is not None}
            if "expiration_date" in found:
                day = Dates().label(found.pop("expiration_date"))
                if not day or Dates().id(day):
                    found["expiration_date"] = day
            self._columns[shown] = found
        return self._columns[shown]

    def _not_shown(self, item: Mapping[str, object], *, tells_language: bool) -> frozenset[str]:
        """Return the attributes that the entry does not show; accounts that lack the same ones share one object."""
        is_status_said = says_yes(item["status"]) or says_no(item["status"])
        if item.keys() >= USUAL_KEYS and is_status_said and tells_language and not is_hidden(item["email"]):
            return NOTHING
        found = frozenset(name for name, keys in KEPT_AS.items() if not any(key in item for key in keys))
        if is_hidden(item["email"]):
            found |= {"email"}
        if not is_status_said:
            found |= {"active"}
        if not tells_language:
            found |= {"language"}
        return self._unshown.setdefault(found, found)


def _as_word(value: object) -> object:
    """Return a boolean as the word for it in JSON, and anything else as it is."""
    return str(value).lower() if isinstance(value, bool) else value


def _branch_ids(shown: object) -> set[int] | None:
    """Return the ids in a list of ids, a list of nodes, or a map with the ids as keys and whether they are selected.

    The root, in which everybody is, counts only where it is alone. None where not each entry has an id: which branches are
    meant is not shown then.
    """
    if isinstance(shown, dict) and not any(isinstance(entry, dict) for entry in shown.values()):
        shown = [
            branch_id for branch_id, selected in shown.items() if branch_id == str(selected) or not says_no(selected)
        ]
    entries = as_list(shown)
    if entries is None:
        return None
    ids = {read_id(entry.get("id", entry.get("branch_id")) if isinstance(entry, dict) else entry) for entry in entries}
    known = {one for one in ids if one is not None}
    return None if None in ids else known - {ROOT} or known
