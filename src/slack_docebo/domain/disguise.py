"""A disguise for exchanges with Slack and Docebo: people, companies and secrets get other names, and always the same ones.

What is kept is what has to be looked at: keys, numbers of things, words that are the API's own. Everything else is taken for
somebody's, also what nobody has thought of.
"""

import re
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

# Keys whose value is a word or a number of the API's own, or says nothing of anybody.
KEPT = frozenset({
    "active", "app", "as_array", "browsercode", "code", "count", "current_page", "current_page_size", "deleted",
    "destination_branch", "error", "expires_in", "flattened", "force_change", "get_total_count", "grant_type",
    "has_more_data", "include_locale", "include_labels", "invisible_to_user", "is_admin", "is_app_user", "is_bot",
    "is_email_confirmed", "is_owner", "is_primary_owner", "is_restricted", "is_ultra_restricted", "lang_code", "language",
    "level", "limit", "locale", "mandatory", "match_type", "method", "needed", "ok", "page", "page_size", "provided",
    "provisioned_by", "row_index", "scope", "sequence", "sort_attr", "sort_dir", "status", "success", "timezone",
    "token_type", "total_count", "total_page_count", "type", "tz", "tz_offset", "updated", "user_level", "valid",
    "version", "warning", "branch_option", "powerUser_option", "date_format",
})  # fmt: skip
BRANCHES_OWN = frozenset({"code", "title"})  # keys of a branch, whose code is the company's word: a language has a name
# A word, and no more than a few: of a sentence nobody knows whom it names.
_WORD = re.compile(r"[A-Za-z0-9_./+:,-]{0,60}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")  # somebody may be born on it
_SLACK_ID = re.compile(r"/?([UWTEBCDA])[A-Z0-9]{6,}")
_ADDRESS = re.compile(r"/?[^@\s]+@[^@\s]+")
_WEB = re.compile(r"https?://\S+")
SMALL = 1_000  # a number below it counts something, or is of a field or a branch
BYTES = 6  # of a digest: among a million names no two are likely to get the same


class Disguise:
    """Gives each name another one, by a *key* that nobody keeps: equal names get equal ones, and none leads back."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._numbers: dict[str, int] = {}  # given so far, by the number that they stand for
        self._given: set[int] = set()

    def value(self, value: Any, name: str = "") -> Any:
        """Return the JSON *value*, which stands under *name*, in disguise."""
        if isinstance(value, dict):
            named = {key: "" if key == "code" and value.keys() >= BRANCHES_OWN else str(key) for key in value}
            return {self._key_of(key): self.value(inner, named[key]) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, name) for inner in value]
        if isinstance(value, bool) or value is None or isinstance(value, float):
            return value
        if isinstance(value, int):
            return value if name in KEPT or abs(value) < SMALL else int(self._digits(str(value)))
        return self.text(value, name)

    def text(self, text: str, name: str = "") -> str:
        """Return a *text* in disguise; its kind can still be seen: an address, an id of Slack's, a number, a moment."""
        if not text or (name in KEPT and _WORD.fullmatch(text)) or _MOMENT.fullmatch(text):
            return text
        if text.isascii() and text.isdecimal():
            return text if int(text) < SMALL else self._digits(text)
        if _DAY.fullmatch(text):
            return self._day(text)
        slash = "/" if text.startswith("/") else ""
        if found := _SLACK_ID.fullmatch(text):
            return f"{slash}{found[1]}0{self._letters(text.removeprefix('/')).upper()}"
        if _WEB.fullmatch(text):
            return f"https://{self._letters(text)}.invalid/"
        if _ADDRESS.fullmatch(text):
            local, _, domain = text.removeprefix("/").casefold().rpartition("@")
            return f"{slash}{self._letters(local)}@{self._letters(domain)}.invalid"
        return slash + self._letters(text.removeprefix("/"))

    def path(self, path: str) -> str:
        """Return the *path* of a call in disguise: in what is no word of the API's."""
        return "/".join(
            part if re.fullmatch(r"[a-z_.]*[0-9]?", part) or part in _METHODS else quote(self.text(part), safe="@")
            for part in path.split("/")
        )

    def form(self, query: str) -> str:
        """Return a *query*, or the body of a form, in disguise, its parameters in order."""
        pairs = parse_qsl(query, keep_blank_values=True)
        return urlencode(sorted((name, self.text(value, name)) for name, value in pairs))

    def _key_of(self, key: object) -> str:
        text = str(key)
        return (
            text
            if re.fullmatch(r"[A-Za-z_]+[0-9]*|X[A-Za-z0-9]+", text) and not _SLACK_ID.fullmatch(text)
            else self.text(text)
        )

    def _letters(self, text: str) -> str:
        return "x" + blake2b(text.casefold().encode("utf-8", "replace"), key=self._key, digest_size=BYTES).hexdigest()

    def _day(self, text: str) -> str:
        """Return another day."""
        number = int.from_bytes(blake2b(text.encode(), key=self._key, digest_size=8).digest())
        return f"{1970 + number % 60}-{number // 60 % 12 + 1:02}-{number // 720 % 28 + 1:02}"

    def _digits(self, text: str) -> str:
        """Return another number, of as many digits unless all of these are given, that no other number gets."""
        if text not in self._numbers:
            digest, first = (
                blake2b(text.encode(), key=self._key, digest_size=16).digest(),
                10 ** (len(text.lstrip("-")) - 1),
            )
            number = first + int.from_bytes(digest) % (9 * first)
            while number in self._given:  # ids of one length are so many that some would get the same
                number += 1
            self._given.add(number)
            self._numbers[text] = number
        return str(self._numbers[text])


_METHODS = frozenset({"users.lookupByEmail"})  # of Slack's, with a capital
